"""The errors a person can meet. Everything else that is raised is a bug.

Each kind carries a stable ``code`` (it crosses the process boundary and appears under
``--json``), an exit code for the command line, a message that says what happened and a hint
that says what to do now.
"""

from __future__ import annotations

from typing import ClassVar


class LockhouseError(Exception):
    """An expected failure, described in the user's words."""

    exit_code: ClassVar[int] = 70
    default_code: ClassVar[str] = "error"

    retry_after_s: float = 0.0  # what a provider asks to wait
    needed_tokens: int = 0  # of context, where a prompt is too long
    can_be_cut: bool = False  # without its oldest messages it would fit

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        return self.message


class UsageMistake(LockhouseError):
    """The request itself makes no sense."""

    exit_code = 2
    default_code = "usage"


class NotFound(LockhouseError):
    """Something that was named does not exist."""

    exit_code = 3
    default_code = "not_found"


class InvalidInput(LockhouseError):
    """A file or a value cannot be used as it is."""

    exit_code = 3
    default_code = "invalid_input"


class NetworkRefused(LockhouseError):
    """The network is sealed, or it failed."""

    exit_code = 4
    default_code = "sealed"


class NoRoom(LockhouseError):
    """Not enough memory or disk, or a model that this machine cannot run."""

    exit_code = 5
    default_code = "no_room"


class EngineCrashed(LockhouseError):
    """The process that runs a model ended unexpectedly."""

    exit_code = 6
    default_code = "engine_crashed"


class StorageError(LockhouseError):
    """The database is damaged, too new, or cannot be written."""

    exit_code = 7
    default_code = "storage"


class PolicyRefused(LockhouseError):
    """A rule of the user's own forbids it."""

    exit_code = 8
    default_code = "policy"


class Cancelled(Exception):  # the user's wish, not an error
    """The user asked to stop. Never shown."""

    exit_code: ClassVar[int] = 130


_KINDS: dict[int, type[LockhouseError]] = {
    kind.exit_code: kind
    for kind in (
        UsageMistake,
        InvalidInput,
        NetworkRefused,
        NoRoom,
        EngineCrashed,
        StorageError,
        PolicyRefused,
    )
}


def from_wire(code: str, exit_code: int, message: str, hint: str) -> LockhouseError:
    """The error that another process described."""
    kind = NotFound if code == NotFound.default_code else _KINDS.get(exit_code, LockhouseError)
    return kind(message, hint=hint, code=code)
