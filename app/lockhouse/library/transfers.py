"""Downloads: a queue that survives restarts and kills, and what becomes of each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from lockhouse.core.cancelling import CancelToken
from lockhouse.gate.hub import Hub, HubFile, HubRepo
from lockhouse.library.models import Models
from lockhouse.storage.database import Database

TransferState = Literal["waiting", "downloading", "checking", "paused", "failed", "done"]


class Transfer(msgspec.Struct, frozen=True):
    """One model on its way. ``position`` is its place among those not done, from 0.

    ``checked_bytes`` counts what has been hashed; while the state is "checking", that is what
    there is to wait for. ``left_s`` is 0 when it cannot be told.
    """

    id: str
    repo: str
    revision: str
    title: str
    label: str
    files: tuple[HubFile, ...]
    state: TransferState
    done_bytes: int = 0
    checked_bytes: int = 0
    size_bytes: int = 0
    speed_bytes_per_s: float = 0.0
    left_s: float = 0.0
    position: int = 0
    problem: str = ""
    hint: str = ""
    code: str = ""
    destination: Path | None = None
    added_at: str = ""
    finished_at: str = ""
    license: str = ""


_TransferList = list[Transfer]  # the class has a method named list


class Transfers:
    """The downloads of one home, whichever process does the work."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        models: Models,
        folder: Path,
        *,
        simultaneous: int = 2,
    ) -> None:
        self.simultaneous = simultaneous
        raise NotImplementedError

    def add(self, repo: HubRepo, files: Sequence[HubFile], *, label: str = "") -> Transfer:
        """Put a model at the end of the queue; the one that is there already is given back."""
        raise NotImplementedError

    def list(self) -> _TransferList:
        """Those under way in their order, then the finished ones, newest first."""
        raise NotImplementedError

    def get(self, id: str) -> Transfer:  # noqa: A002 - the field's own name
        """The transfer of that id, or of ids that begin so."""
        raise NotImplementedError

    def pause(self, id: str) -> Transfer:  # noqa: A002
        """Stop it for now; what came is kept."""
        raise NotImplementedError

    def resume(self, id: str) -> Transfer:  # noqa: A002
        """Let it wait for its turn again, paused or failed."""
        raise NotImplementedError

    retry = resume

    def cancel(self, id: str) -> None:  # noqa: A002
        """Forget it and delete what came of it; a finished one is only taken off the list."""
        raise NotImplementedError

    def move(self, id: str, position: int) -> None:  # noqa: A002
        """Give it another place in the order."""
        raise NotImplementedError

    @property
    def speed_limit_bytes_per_s(self) -> int:
        """All downloads together take no more; 0 is no limit."""
        raise NotImplementedError

    @speed_limit_bytes_per_s.setter
    def speed_limit_bytes_per_s(self, limit: int) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Work on the queue in the background until :meth:`close`."""
        raise NotImplementedError

    def run(
        self,
        ids: Sequence[str],
        *,
        progress: Callable[[_TransferList], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> _TransferList:
        """Work on these until each is done, paused or failed."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop working; what was under way goes on at the next start."""
        raise NotImplementedError
