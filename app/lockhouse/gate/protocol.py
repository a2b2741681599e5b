"""The protocol between a program and its broker: one connection for each operation.

The program passes the broker one end of a new socket pair, together with the files that the
broker may write. On that connection it sends one call and reads frames until the reply or the
failure; closing it, or sending anything more, cancels the operation. Frames are JSON in frames
of ``multiprocessing.connection``, their kind in the first byte, never pickle.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lockhouse.core.errors import LockhouseError, NetworkRefused, from_wire
from lockhouse.seal import Probe

VERSION = 1
FRAME_BYTES = 64 << 20

RecordKind = Literal[
    "allowed", "refused", "transfer", "sealed", "unsealed", "key_set", "key_removed", "key_tested",
    "consent_given", "consent_withdrawn", "proved", "pruned",
]  # fmt: skip

# The first byte of each frame that a broker sends.
EVENT, REPLY, FAILURE, ATTEMPT = b"E", b"R", b"F", b"A"


class Record(msgspec.Struct, frozen=True):
    """One attempt to reach a host, or a change of the policy. Never holds what was said.

    ``outcome``: ``ok``, an HTTP status, or the code of an error.
    """

    at: str
    kind: RecordKind
    host: str = ""
    purpose: str = ""
    bytes_out: int = 0
    bytes_in: int = 0
    outcome: str = ""
    duration_s: float = 0.0


class Call(msgspec.Struct, frozen=True):
    """The first frame of an operation. ``request`` is the JSON of the type named.

    ``hosts``, ``lan_hosts`` and ``lan`` are what the program allows; the broker uses what both
    allow. The state of the network is passed beside it, as the first file.
    """

    version: int
    name: str
    purpose: str
    hosts: tuple[str, ...]
    lan: bool
    request: msgspec.Raw
    lan_hosts: tuple[str, ...] = ()


class Failure(msgspec.Struct, frozen=True):
    """An error as it is sent to the program."""

    code: str
    exit_code: int
    message: str
    hint: str
    status: int = 0
    retry_after_s: float = 0.0
    parameter: str = ""


class RemoteFailure(NetworkRefused):
    """A host answered with an error. ``status`` is HTTP's; 0 where none came.

    ``parameter`` is the field of the request that it names, where it names one.
    """

    default_code = "remote_failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        status: int = 0,
        retry_after_s: float = 0.0,
        parameter: str = "",
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.retry_after_s = retry_after_s
        self.parameter = parameter


def failure_of(error: LockhouseError) -> Failure:
    """The error as it is sent to the program."""
    status, parameter = 0, ""
    if isinstance(error, RemoteFailure):
        status, parameter = error.status, error.parameter
    return Failure(
        error.code,
        error.exit_code,
        error.message,
        error.hint,
        status,
        error.retry_after_s,
        parameter,
    )


def error_of(failure: Failure) -> LockhouseError:
    """The error that the broker sent."""
    if failure.exit_code == NetworkRefused.exit_code:
        return RemoteFailure(
            failure.message,
            hint=failure.hint,
            code=failure.code,
            status=failure.status,
            retry_after_s=failure.retry_after_s,
            parameter=failure.parameter,
        )
    return from_wire(failure.code, failure.exit_code, failure.message, failure.hint)


# --- requests every broker knows ------------------------------------------------------------


class Reach(msgspec.Struct, frozen=True):
    """Request one address and read its answer, into the first file passed along, if any.

    Followed by :class:`Progress` and a :class:`Reached`.
    """

    url: str
    most_bytes: int = 1 << 20
    range_start: int = 0


class Progress(msgspec.Struct, frozen=True):
    """Bytes received so far."""

    done_bytes: int


class Reached(msgspec.Struct, frozen=True):
    """Reply to Reach."""

    status: int
    size_bytes: int
    duration_s: float


class UseKey(msgspec.Struct, frozen=True):
    """Keep a key in the broker's memory for as long as it runs; empty removes it.

    It may be sent to ``hosts`` and to no others.
    """

    provider: str
    key: str
    hosts: tuple[str, ...] = ()


class ProveLimits(msgspec.Struct, frozen=True):
    """Test the broker's limits from inside; ``file`` is one that it must not be able to read."""

    file: str


class LimitsProved(msgspec.Struct, frozen=True):
    """Reply to ProveLimits."""

    rows: tuple[Probe, ...]


class Done(msgspec.Struct, frozen=True):
    """Reply without content."""
