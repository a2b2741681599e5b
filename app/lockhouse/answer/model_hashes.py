"""The hashes of the models that answer, counted beside their answers and once for all of them.

A large file takes minutes to read, and no answer waits for that: whoever is interested is told
when the hash is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError
from lockhouse.library.model_info import ModelInfo
from lockhouse.library.models import Models

Hash = Future[str | None]


class ModelHashes:
    """Counts in the background. Usable from any thread."""

    def __init__(self, models: Models, late: Callable[[str, str], object]) -> None:
        """``late`` is told of the message of an answer whose model's hash came after its end."""
        self._models = models
        self._late = late
        self._lock = threading.Lock()
        self._running: dict[str, Hash] = {}
        self._threads: list[threading.Thread] = []
        self._cancel = CancelToken()

    def of(self, model: ModelInfo) -> Hash:
        """The hash of a model's file; None where it cannot be read."""
        future: Hash = Future()
        if model.sha256 and model.verified_at:  # counted here, not said by others
            future.set_result(model.sha256)
            return future
        key = str(model.path)
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running
            self._running[key] = future
            thread = threading.Thread(
                target=self._count, args=(model, key, future), name="hash", daemon=True
            )
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        return future

    def tell_later(self, future: Hash, message_id: str) -> None:
        """Have the message of an answer that has ended completed, once the hash is known."""
        if message_id:
            future.add_done_callback(lambda done: self._tell(message_id, done.result()))

    def close(self) -> None:
        """Count no further."""
        self._cancel.cancel()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _count(self, model: ModelInfo, key: str, future: Hash) -> None:
        digest = None
        try:
            digest = self._models.sha256(model.path, cancel=self._cancel)
        except (LockhouseError, Cancelled):
            pass  # the answer stands; its record says "not known"
        finally:
            with self._lock:
                del self._running[key]
            future.set_result(digest)

    def _tell(self, message_id: str, digest: str | None) -> None:
        if digest is None or self._cancel.cancelled:
            return
        try:
            self._late(message_id, digest)
        except LockhouseError:
            return  # it was deleted meanwhile, or cannot be written: it stays "not known"
