"""Counts what would be sent: by the model itself where it is loaded, and else not at all.

Nothing is loaded for it. A provider counts by itself only when it is asked, so for its models the
number is an estimate as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.answer.local import LocalTarget
from lockhouse.answer.request import Question
from lockhouse.chat.text_attachments import Attachment, with_attachments
from lockhouse.chat.turns import NewChat
from lockhouse.core.errors import LockhouseError
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.composer_parts import Counted
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.machine_monitor import Machine, MachineState
from lockhouse.ui.timers import OneAtATime, once
from lockhouse.workspace import Workspace

_PAUSE_MS = 350
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class _Draft:
    """What stands in the message box at one moment."""

    revision: int
    characters: int
    where: str | NewChat
    question: Question
    files: tuple[Attachment, ...]
    target: str


class ContextCount(QObject):
    """Follows what is typed and attached, the open chat, and which models are loaded."""

    counted = Signal(object)  # Counted, or None where nothing can be told

    def __init__(
        self, workspace: Workspace, chat: OpenChat, composer: Composer, machine: Machine, jobs: Jobs
    ) -> None:
        super().__init__(composer)
        self._workspace = workspace
        self._chat = chat
        self._composer = composer
        self._jobs = jobs
        self._loaded: frozenset[str] = frozenset()
        self._known: dict[tuple[str, str], int] = {}  # tokens of a file, by model and text
        self._counting = OneAtATime(self._start)
        self._pause = once(self, _PAUSE_MS, self._counting.want)
        self.want = self._pause.start
        composer.draft_changed.connect(self.want)
        machine.looked.connect(self._follow_engines)

    def _follow_engines(self, state: MachineState) -> None:
        loaded = frozenset(one.id for one in state.engines if one.state == "ready")
        if loaded != self._loaded:
            self._loaded = loaded
            self.want()

    def _start(self) -> None:
        composer, chosen = self._composer, self._composer.destination
        if composer.is_running:  # counted when the answer has ended, which belongs to it
            self._counting.end()
            return
        draft = _Draft(
            composer.revision,
            composer.characters,
            self._chat.conversation_id or self._chat.setup,
            Question(composer.message, composer.images),
            composer.files,
            chosen.info.name if chosen else "",
        )
        key = self._chat.key

        def take(counted: Counted | None) -> None:
            if key == self._chat.key:
                self.counted.emit(counted)
            self._counting.end()

        def fail(_error: LockhouseError) -> None:
            take(None)

        self._jobs.run(lambda: self._count(draft), take, fail)

    def _count(self, draft: _Draft) -> Counted | None:
        has_text = bool(draft.question.text.strip() or draft.question.images)
        if isinstance(draft.where, NewChat) and not has_text:
            return None
        request = self._workspace.turns.draft(draft.where, draft.question)
        targets = self._workspace.targets
        target = targets.get(draft.target) if draft.target else targets.default()
        if not isinstance(target, LocalTarget):
            used, total = target.count_tokens(request), target.info.context_length
            return Counted(draft.revision, draft.characters, used, total, is_exact=False)
        found = target.count_if_loaded(request)
        if found is None:
            return None
        files = tuple(self._tokens_of(file, target, request) for file in draft.files)
        return Counted(
            draft.revision, draft.characters, found.tokens, found.context_length, files=files
        )

    def _tokens_of(self, file: Attachment, target: LocalTarget, request: AnswerRequest) -> int:
        """What a file adds to a question."""
        key = (target.info.name, with_attachments(".", [file]))
        if key not in self._known:
            counts = []
            for text in (".", key[1]):
                alone = msgspec.structs.replace(request, turns=(Turn("user", text),))
                found = target.count_if_loaded(alone)
                counts.append(found.tokens if found else 0)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = max(0, counts[1] - counts[0])
        return self._known[key]
