"""What an engine process and its clients say to each other: one operation a connection.

A client connects, sends one operation and reads until the answer is complete. Closing the
connection takes the operation back; leaving it open afterwards keeps the model loaded. Messages
are JSON in frames of ``multiprocessing.connection``, never pickle. The listening end is a socket
file in a private folder of the home, opened with a key that only that folder holds. A process
at the other end may hang or be stopped: connecting and sending have limits.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import (
    Client,
    Connection,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from pathlib import Path
from typing import Literal

import msgspec

from lockhouse.core.events import EngineBuild, Event
from lockhouse.core.file_names import as_text
from lockhouse.core.json_decoding import decoder_of
from lockhouse.core.request import AnswerRequest
from lockhouse.seal import Probe

VERSION = 2
LONGEST_TEXT_UNASKED = 2048  # tokens: what an embedding model needs grows with the square of it
MOST_TEXTS = 1024  # in one operation
_PORTION_TEXTS, _PORTION_CHARS = 256, 1 << 20
_CONNECT_LIMIT_S = 3.0
_SEND_LIMIT_S = 20.0
KvType = Literal["f16", "q8_0"]
EngineState = Literal["loading", "ready", "ending", "not responding"]


class LoadSettings(msgspec.Struct, frozen=True):
    """How a model is loaded. Sizes in tokens; 0 leaves the choice to the engine."""

    context_length: int = 0
    kv_type: KvType = "f16"
    threads: int = 0
    parallel: int = 4
    batch: int = 512  # tokens computed at once (llama.cpp's ubatch)
    flash_attention: bool = True
    extra_buffers: bool = True  # repacked weights and AMX
    check_tensors: bool = False

    def safer(self) -> LoadSettings:
        """The settings least likely to fail, for a model that crashed with these."""
        return msgspec.structs.replace(
            self,
            context_length=min(self.context_length or 2048, 2048),
            kv_type="f16",
            threads=1,
            parallel=1,
            batch=128,
            flash_attention=False,
            extra_buffers=False,
            check_tensors=True,
        )


def path_of(model: Path) -> str:
    """The path of a model's file as an engine is told it. Raises InvalidInput."""
    hint = "Rename it, or import a copy: lockhouse models import --copy FILE"
    return as_text(model, "This model", hint)


class EngineSpec(msgspec.Struct, frozen=True):
    """One model file with its load settings: what an engine process is started for.

    ``memory_bytes`` is what it will take by the plan of its start; 0 without a plan.
    """

    model_path: str
    model_name: str
    settings: LoadSettings = LoadSettings()
    memory_bytes: int = 0


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Answer a request; followed by events."""

    request: AnswerRequest


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop answering, within an operation."""


class AnswerNow(msgspec.Struct, frozen=True, tag="answer_now"):
    """End the reasoning trace, within an operation."""


class CountTokens(msgspec.Struct, frozen=True, tag="count_tokens"):
    """How many prompt tokens the request takes; followed by a TokenCount."""

    request: AnswerRequest


class Embed(msgspec.Struct, frozen=True, tag="embed"):
    """Turn texts into vectors; followed by Vectors for all of them in order, and Finished."""

    texts: tuple[str, ...]


class Rank(msgspec.Struct, frozen=True, tag="rank"):
    """Tell how much documents have to do with a query; followed by Ranks, and Finished."""

    query: str
    documents: tuple[str, ...]


class Score(msgspec.Struct, frozen=True, tag="score"):
    """Tell how likely a continuation is; followed by Scores, and Finished.

    ``prompt`` is what an answer would be made to, or text as it is, without a chat template.
    """

    prompt: AnswerRequest | str
    continuation: str


class Inquire(msgspec.Struct, frozen=True, tag="inquire"):
    """Who are you; followed by an EngineStatus."""


class Prove(msgspec.Struct, frozen=True, tag="prove"):
    """Try to get out of your process in every way; followed by a Proved."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End. ``when_idle``: only after the answers that are running, taking no new ones."""

    when_idle: bool = False


Operation = (
    Answer | Cancel | AnswerNow | CountTokens | Embed | Rank | Score | Inquire | Prove | Stop
)  # fmt: skip


class TokenCount(msgspec.Struct, frozen=True, tag="token_count"):
    """Reply to CountTokens."""

    tokens: int
    context_length: int


class EngineStatus(msgspec.Struct, frozen=True, tag="engine_status"):
    """Reply to Inquire. ``idle_s`` since the last client left; 0 while there is one.

    ``clients`` are connected, whether they are answered or keep the model loaded; ``active`` are
    answers that wait or are being made. An engine that is "ending" takes no new clients.
    """

    id: str
    pid: int
    model_path: str
    model_name: str
    state: EngineState
    context_length: int
    threads: int
    clients: int
    active: int
    idle_s: float
    idle_limit_s: float
    memory_bytes: int
    started_at: str
    build: EngineBuild
    settings: LoadSettings
    confined: bool


class EngineMemory(msgspec.Struct, frozen=True):
    """What one engine takes of the machine's memory.

    ``mapped_bytes`` of what is resident are pages of files, which the system calls available.
    ``pending_bytes`` were planned for it and are not yet taken, as while it loads.
    """

    model_name: str
    resident_bytes: int
    mapped_bytes: int
    pending_bytes: int


class Proved(msgspec.Struct, frozen=True, tag="proved"):
    """Reply to Prove."""

    probes: tuple[Probe, ...]


class Vectors(msgspec.Struct, frozen=True, tag="vectors"):
    """Vectors of the next texts, each of length one: 32-bit floats, lowest byte first."""

    width: int
    data: bytes


class Ranks(msgspec.Struct, frozen=True, tag="ranks"):
    """How much the next documents have to do with the query: the larger, the more."""

    values: tuple[float, ...]


class TokenScore(msgspec.Struct, frozen=True):
    """One token of a continuation. ``is_likeliest``: no other token was more probable there."""

    token: int
    text: str
    log_probability: float
    is_likeliest: bool


class Scores(msgspec.Struct, frozen=True, tag="scores"):
    """The next tokens of a continuation."""

    tokens: tuple[TokenScore, ...]


Work = Answer | Embed | Rank | Score
Result = Vectors | Ranks | Scores
Reply = Event | TokenCount | EngineStatus | Result


class StartOrder(msgspec.Struct, frozen=True):
    """What a starting engine reads from its standard input."""

    id: str
    folder: str  # the private folder: socket, key, record, exit record
    log: str
    spec: EngineSpec
    idle_limit_s: float
    ready_fd: int = -1  # gets one byte when the engine listens


class EngineRecord(msgspec.Struct, frozen=True):
    """What a running engine leaves in its folder for others to find it.

    ``retiring``: it was told to take no new clients.
    """

    id: str
    pid: int
    supervisor_pid: int
    birth: float  # see lockhouse.processes
    spec: EngineSpec
    identity: str
    log: str
    retiring: bool = False
    version: int = VERSION


class ExitRecord(msgspec.Struct, frozen=True):
    """How an engine ended, written by its supervisor."""

    id: str
    model_path: str
    return_code: int  # negative: the signal, as in subprocess
    ended_at: float  # seconds since the epoch
    log_tail: str


_encode = msgspec.json.Encoder().encode
_operation = decoder_of(Operation)
_reply = decoder_of(Reply)
_proof = decoder_of(Proved)


def send(connection: Connection, message: Operation | Reply | Proved) -> None:
    """Write one message. Raises OSError when the peer is gone."""
    connection.send_bytes(_encode(message))


def encode(message: Operation | Reply) -> bytes:
    """The bytes of one message."""
    return _encode(message)


def receive_operation(connection: Connection) -> Operation:
    """Read one operation. Raises EOFError when the client is gone."""
    operation: Operation = _operation.decode(connection.recv_bytes(64 << 20))
    return operation


def readable(connection: Connection) -> Callable[[float], bool]:
    """A call that waits so many seconds for something to read, at little cost a wait."""
    if not hasattr(select, "poll"):
        return connection.poll
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda timeout_s: bool(poll.poll(timeout_s * 1000))


def receive_reply(connection: Connection) -> Reply:
    """Read one reply. Raises EOFError when the engine is gone."""
    reply: Reply = _reply.decode(connection.recv_bytes(64 << 20))
    return reply


def receive_proof(connection: Connection) -> Proved:
    """Read the reply to Prove, likewise."""
    proof: Proved = _proof.decode(connection.recv_bytes(64 << 20))
    return proof


def portions(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Texts in portions that leave others their turn, and fit into a message."""
    some: list[str] = []
    size = 0
    for text in texts:
        if some and (len(some) == _PORTION_TEXTS or size + len(text) > _PORTION_CHARS):
            yield tuple(some)
            some, size = [], 0
        some.append(text)
        size += len(text)
    if some:
        yield tuple(some)


def identity_of(path: Path) -> str:
    """Tells one state of a file from another without reading it. Raises OSError."""
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def model_files(path: Path) -> list[Path]:
    """A model's file, and its other parts when it is split."""
    stem, _, count = path.stem.rpartition("-of-")
    if not count.isdecimal() or not stem[-5:].isdecimal():
        return [path]
    return sorted(path.parent.glob(f"{stem[:-5]}*-of-{count}{path.suffix}"))


@contextlib.contextmanager
def _address(folder: Path, engine_id: str) -> Iterator[str]:
    """A name for the engine's socket that fits into the 107 bytes the kernel allows."""
    if sys.platform == "win32":
        yield rf"\\.\pipe\lockhouse-{engine_id}"
        return
    path = folder / f"{engine_id}.sock"
    if sys.platform != "linux" or len(os.fsencode(path)) < 100:
        yield str(path)
        return
    fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{engine_id}.sock"
    finally:
        os.close(fd)


def listen(folder: Path, engine_id: str) -> Listener:
    """Open the engine's end. Who connects is to be let in by :func:`welcome`."""
    with _address(folder, engine_id) as address:
        return Listener(address, backlog=64)


def welcome(connection: Connection, key: bytes) -> None:
    """The engine's end: have a client show that it knows the key.

    Raises AuthenticationError for one that does not, OSError or EOFError for one that is silent
    or gone.
    """
    set_limit(connection, receive_s=_CONNECT_LIMIT_S, send_s=_CONNECT_LIMIT_S)
    deliver_challenge(connection, key)
    answer_challenge(connection, key)


def connect(folder: Path, engine_id: str) -> Connection:
    """Connect to a running engine.

    Raises OSError or EOFError when there is none or it does not respond, AuthenticationError
    when it has another key. Sending on the connection has a limit as well, and so has receiving:
    wait with :func:`readable` for a reply to begin.
    """
    key = (folder / f"{engine_id}.key").read_bytes()
    with _address(folder, engine_id) as address:
        connection = _connected(address)
    try:
        answer_challenge(connection, key)
        deliver_challenge(connection, key)
        set_limit(connection, receive_s=_SEND_LIMIT_S, send_s=_SEND_LIMIT_S)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(address: str) -> Connection:
    if sys.platform == "win32":
        return Client(address)
    with socket.socket(socket.AF_UNIX) as sock:
        _limit(sock, receive_s=_CONNECT_LIMIT_S, send_s=_CONNECT_LIMIT_S)
        sock.connect(address)  # waits where too many others do
        return Connection(sock.detach())


def set_limit(connection: Connection, *, receive_s: float = 0.0, send_s: float = 0.0) -> None:
    """Raise BlockingIOError when receiving or sending makes no progress for so long; 0: never.

    A process at the other end may hang, or may have been stopped.
    """
    if sys.platform != "win32":
        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            _limit(sock, receive_s=receive_s, send_s=send_s)


def _limit(sock: socket.socket, *, receive_s: float, send_s: float) -> None:
    for option, seconds in ((socket.SO_RCVTIMEO, receive_s), (socket.SO_SNDTIMEO, send_s)):
        whole, rest = divmod(seconds, 1)
        value = struct.pack("ll", int(whole), int(rest * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, option, value)
