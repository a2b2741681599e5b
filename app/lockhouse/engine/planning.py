"""What a model would take in memory, planned by llama.cpp itself without loading it.

A process of its own, sealed and confined to the model's file, keeps the metadata of one model
for a minute and answers what a context of some length would allocate in about ten milliseconds.
What this hides: that process, its channel, its end, and that asking about another model needs
another process, because one that is confined cannot be given a second file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import tempfile
import threading
from collections import OrderedDict
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO

import msgspec

from lockhouse import processes
from lockhouse.core.errors import (
    EngineCrashed,
    InvalidInput,
    LockhouseError,
    UsageMistake,
    from_wire,
)
from lockhouse.core.json_decoding import decoded, decoder_of
from lockhouse.engine import exit_status, protocol
from lockhouse.engine.protocol import KvType, LoadSettings

_ANSWER_LIMIT_S = 20.0
_END_LIMIT_S = 2.0
_KEPT_S = 60.0
_MOST_CONTEXT = 1 << 24  # the plan itself has a cell for each token
_REMEMBERED = 256
_LOG_TAIL_BYTES = 4000
_CPU_PARTS = ("ggml-base", "ggml-cpu", "ggml-blas")


class PlanRequest(msgspec.Struct, frozen=True, tag="plan"):
    """Plan a load with these settings, as :class:`LoadSettings` has them."""

    model_path: str
    context_length: int
    kv_type: KvType = "f16"
    batch: int = 512
    parallel: int = 4
    flash_attention: bool = True
    extra_buffers: bool = True

    @classmethod
    def of(cls, model_path: Path, context_length: int, settings: LoadSettings) -> PlanRequest:
        """For a model and the settings it would be loaded with."""
        return cls(
            model_path=str(model_path),
            context_length=context_length,
            kv_type=settings.kv_type,
            batch=settings.batch,
            parallel=settings.parallel,
            flash_attention=settings.flash_attention,
            extra_buffers=settings.extra_buffers,
        )

    def settings(self) -> LoadSettings:
        """The same as load settings."""
        return LoadSettings(
            context_length=self.context_length,
            kv_type=self.kv_type,
            parallel=self.parallel,
            batch=self.batch,
            flash_attention=self.flash_attention,
            extra_buffers=self.extra_buffers,
        )


class LookForDevices(msgspec.Struct, frozen=True, tag="devices"):
    """What is there to compute with."""


class MemoryPlan(msgspec.Struct, frozen=True, tag="memory_plan"):
    """Bytes that llama.cpp would allocate, by what they are for."""

    weights_bytes: int
    kv_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return (
            self.weights_bytes
            + self.kv_bytes
            + self.recurrent_bytes
            + self.compute_bytes
            + self.output_bytes
        )


class Device(msgspec.Struct, frozen=True):
    """A processor that llama.cpp sees."""

    name: str
    description: str
    kind: str  # "CPU", "GPU", "integrated GPU", "accelerator"
    memory_total_bytes: int
    memory_free_bytes: int
    backend: str


class DeviceReport(msgspec.Struct, frozen=True, tag="device_report"):
    """What there is to compute with, and what the engine in force makes of it."""

    devices: tuple[Device, ...]
    features: tuple[str, ...]  # of the processor, in use by this build
    build: str
    backends: tuple[str, ...]
    graphics: tuple[str, ...] = ()  # graphics processors of this machine, used or not
    why_no_gpu: str = ""  # "" when a GPU is used or there is none


class PlanFailed(msgspec.Struct, frozen=True, tag="plan_failed"):
    """An expected error, as it crosses to the asker."""

    code: str
    exit_code: int
    message: str
    hint: str


Question = PlanRequest | LookForDevices
Answer = MemoryPlan | DeviceReport | PlanFailed

_decode_answer = decoder_of(Answer)
_encode = msgspec.json.Encoder().encode


class Planner:
    """Asks llama.cpp. Usable from any thread; questions wait for one another."""

    def __init__(self, *, kept_s: float = _KEPT_S) -> None:
        """``kept_s`` is how long the process stays after the last question."""
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._identity = ""
        self._known: OrderedDict[tuple[str, PlanRequest], MemoryPlan] = OrderedDict()

    def plan(self, request: PlanRequest) -> MemoryPlan:
        """What loading the model like this would allocate.

        The file must have passed the header's checks. Raises InvalidInput when llama.cpp does not
        take it, NoRoom when not even the plan can be made, EngineCrashed when the process dies.
        """
        if not 0 < request.context_length <= _MOST_CONTEXT:
            raise UsageMistake(
                f"A context of {request.context_length:,} tokens cannot be planned.",
                hint=f"Choose one between 1 and {_MOST_CONTEXT:,}.",
            )
        identity = _identity_of(Path(request.model_path))
        with self._lock:
            known = self._known.get((identity, request))
            if known is not None:
                self._known.move_to_end((identity, request))
                return known
            kept = self._child
            try:
                answer = self._child_for(identity).ask(request)
            except EngineCrashed:
                was_kept = self._child is kept
                self._end()
                if not was_kept:
                    raise
                # It had ended or been ended since the last question; a new one may answer.
                answer = self._ask_anew(identity, request)
            except LockhouseError:
                self._end()
                raise
            assert isinstance(answer, MemoryPlan)
            self._known[identity, request] = answer
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return answer

    def devices(self) -> DeviceReport:
        """What llama.cpp sees: looked up anew, in a process that ends at once."""
        child = _Child(0.0)
        try:
            answer = child.ask(LookForDevices())
        finally:
            child.end()
        assert isinstance(answer, DeviceReport)
        return answer

    def gpus(self) -> tuple[Device, ...]:
        """Graphics processors with memory of their own; () at no cost without a part for them."""
        if not _has_gpu_parts():
            return ()
        with contextlib.suppress(LockhouseError):
            return tuple(device for device in self.devices().devices if device.kind == "GPU")
        return ()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask_anew(self, identity: str, request: PlanRequest) -> MemoryPlan | DeviceReport:
        try:
            return self._child_for(identity).ask(request)
        except LockhouseError:
            self._end()
            raise

    def _child_for(self, identity: str) -> _Child:
        if self._child is None or self._identity != identity or not self._child.is_alive():
            self._end()
            self._child, self._identity = _Child(self._kept_s), identity
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """One planning process and the way to it."""

    def __init__(self, kept_s: float) -> None:
        self._channel, theirs = Pipe()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
        try:
            self._process = subprocess.Popen(
                [*processes.own_command(), "--engine-planner", str(theirs.fileno()), str(kept_s)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            self._channel.close()
            self._log.close()
            raise EngineCrashed(
                f"The planner could not be started: {error.strerror}.", hint="Try again."
            ) from error
        finally:
            theirs.close()

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, question: Question) -> MemoryPlan | DeviceReport:
        """Its answer; raises what went wrong."""
        try:
            self._channel.send_bytes(_encode(question))
            if not self._channel.poll(_ANSWER_LIMIT_S):
                self._process.send_signal(signal.SIGKILL)
                raise EngineCrashed(
                    f"llama.cpp did not answer within {_ANSWER_LIMIT_S:.0f} seconds.",
                    hint="The estimate from the file's header is used instead.",
                    code="planner_silent",
                )
            answer: Answer = _decode_answer.decode(self._channel.recv_bytes(1 << 20))
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise self._why_gone() from error
        if isinstance(answer, PlanFailed):
            raise from_wire(answer.code, answer.exit_code, answer.message, answer.hint)
        return answer

    def end(self) -> None:
        """Let it end; it does by itself when the channel closes."""
        self._channel.close()
        try:
            self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _why_gone(self) -> EngineCrashed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT_S)
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LOG_TAIL_BYTES))
        tail = self._log.read().decode("utf-8", "replace")
        cause = exit_status.explain(self._process.returncode or 0, tail)
        return EngineCrashed(
            f"Planning ended early. {cause.message}", hint=cause.hint, code="planner_crashed"
        )


def _has_gpu_parts() -> bool:
    """Whether the engine in force was built for more than the processor."""
    spec = importlib.util.find_spec("llama_cpp")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    parts = {
        path.name.removeprefix("lib").split(".")[0]
        for place in places
        for path in Path(place, "lib").glob("*ggml-*")
    }
    return any(not part.startswith(_CPU_PARTS) for part in parts)


def _identity_of(path: Path) -> str:
    try:
        return f"{path}:{protocol.identity_of(path)}"
    except OSError as error:
        raise InvalidInput(
            f"The model's file cannot be opened: {error.strerror}.",
            hint=f"Check that {path} is there and readable.",
            code="model_unreadable",
        ) from error


def receive(channel: Connection) -> Question:
    """The planner's end: the next question. Raises EOFError when nobody asks any more."""
    question: Question = decoded(channel.recv_bytes(1 << 16), Question)
    return question


def reply(channel: Connection, answer: Answer) -> None:
    """The planner's end: answer it."""
    channel.send_bytes(_encode(answer))
