"""Keeps the text of an answer while it is being written.

What came is on the disk within the interval even when neither the model nor the one who reads
the events moves on, so it is a thread of its own that writes. While another program writes to
the database for long, the text stays in memory and is written when that has ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from lockhouse.chat.conversations import Conversations
from lockhouse.core.errors import LockhouseError, StorageError

INTERVAL_S = 0.4
PATIENCE_S = 600.0  # with whoever keeps the database busy at the end of an answer

_Result = TypeVar("_Result")


def patiently(write: Callable[[], _Result]) -> _Result:
    """Writes again for as long as the database is busy: each attempt waits for its turn itself."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return write()
        except StorageError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise


def _is_busy(error: LockhouseError) -> bool:
    return error.code == "database_busy"


class Autosave:
    """Writes the text of one answer at most once in an interval. Call from one thread."""

    def __init__(
        self, conversations: Conversations, message_id: str, *, interval_s: float = INTERVAL_S
    ) -> None:
        self._conversations = conversations
        self._message_id = message_id
        self._interval_s = interval_s
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._begun = ("", "")
        self._failure: LockhouseError | None = None
        self._thread = threading.Thread(target=self._write_on, name="answer-keeper", daemon=True)

    def start(self, *, content: str, reasoning: str) -> None:
        """Begins with what is there already."""
        self._begun = (content, reasoning)
        self._content, self._reasoning = [content], [reasoning]
        self._thread.start()

    def add(self, *, content: str = "", reasoning: str = "") -> None:
        """Another piece came. Raises what stood in the way of keeping the earlier ones."""
        if self._failure is not None:
            raise self._failure
        with self._lock:
            self._content.append(content)
            self._reasoning.append(reasoning)
        self._changed.set()

    def text_was_reasoning(self) -> None:
        """What came as text belonged to the trace."""
        with self._lock:
            self._reasoning += self._content
            self._content = []
        self._changed.set()

    def start_over(self) -> None:
        """All that was added is void: back to what it began with."""
        with self._lock:
            self._content, self._reasoning = [self._begun[0]], [self._begun[1]]
        self._changed.set()

    @property
    def content(self) -> str:
        """The whole answer so far."""
        with self._lock:
            return "".join(self._content)

    @property
    def reasoning(self) -> str:
        """The whole reasoning so far."""
        with self._lock:
            return "".join(self._reasoning)

    def stop(self) -> None:
        """Writes no more; what is left to write is the caller's to finish."""
        self._stopped.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _write_on(self) -> None:
        while True:
            self._changed.wait()
            if self._stopped.is_set():
                return
            self._changed.clear()
            try:
                self._conversations.append_answer(
                    self._message_id, content=self.content, reasoning=self.reasoning
                )
            except LockhouseError as error:
                if not _is_busy(error):
                    self._failure = error
                    return
                self._changed.set()  # once more, with what has come meanwhile
            self._stopped.wait(self._interval_s)
