"""What was typed while an answer still ran: by conversation, in the order it was typed."""

from __future__ import annotations

import itertools

from lockhouse.core.messages import Image
from lockhouse.ui.chat.values import QueuedText


class Waiting:
    """Keeps them until their turn comes, or somebody takes one back."""

    def __init__(self) -> None:
        self._queues: dict[str, list[QueuedText]] = {}
        self._numbers = itertools.count(1)

    def of(self, conversation_id: str) -> tuple[QueuedText, ...]:
        """What waits there, the first one first."""
        return tuple(self._queues.get(conversation_id, ()))

    def add(self, conversation_id: str, text: str, images: tuple[Image, ...], target: str) -> None:
        """One more behind the others. ``target`` is whom it is meant for."""
        entry = QueuedText(f"queued-{next(self._numbers)}", text, images, target)
        self._queues.setdefault(conversation_id, []).append(entry)

    def take_back(self, conversation_id: str, queued_id: str) -> QueuedText | None:
        """One of them, wherever it stands; None where it is gone already."""
        queue = self._queues.get(conversation_id, [])
        found = next((entry for entry in queue if entry.id == queued_id), None)
        if found is not None:
            queue.remove(found)
        return found

    def empty(self) -> dict[str, tuple[QueuedText, ...]]:
        """All that waits anywhere, which waits no longer."""
        found = {key: tuple(queue) for key, queue in self._queues.items() if queue}
        self._queues.clear()
        return found
