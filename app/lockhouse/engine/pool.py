"""The engines of one home: found or started, shared by its programs, restarted when they die.

Engines are processes of their own. Any window or command with the same home finds them through
their records in one private folder, so a model is loaded once, whoever asked first, and a
second command answers at once. What this hides: sockets, records and locks, telling a crash from
an end, and that a process may hang: nothing here waits for one without a limit.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import (
    Cancelled,
    EngineCrashed,
    InvalidInput,
    LockhouseError,
    NoRoom,
    from_wire,
)
from lockhouse.core.events import Event, Failed, Finished, Notice, failed_of, said_something
from lockhouse.core.request import AnswerRequest
from lockhouse.engine import exit_status, protocol
from lockhouse.engine.cancel_requests import CancelRequests
from lockhouse.engine.launch import launch
from lockhouse.engine.protocol import (
    EngineMemory,
    EngineRecord,
    EngineSpec,
    EngineStatus,
    Reply,
    Result,
    TokenCount,
    TokenScore,
)
from lockhouse.engine.records import (
    EngineRecords,
    Patience,
    is_alive,
    not_responding,
    see_ended,
    silent,
)
from lockhouse.seal import Probe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ResultT = TypeVar("_ResultT", bound=Result)
_START_LIMIT_S = 30.0
_POLL_S = 0.05
_LOOK_S = 0.5  # whether an engine that was told to stop has: nothing else is waited for in steps
_REACH_LIMIT_S = 5.0
_REPLY_LIMIT_S = 4.0
_SILENCE_S = 4.0  # then an engine is asked whether it is still there, and once more
_PROOF_S = 20.0
_LOOP_CRASHES, _LOOP_WINDOW_S = 3, 120.0
_MOST_RETIRED = 3  # engines that ended just as they were asked
_RETIRES_S = 1.0
_EXIT_LIMIT_S = 3.0
_LASTING = ("crash_loop", "engine_locked", "start_blocked")  # no second try
_UNREACHABLE = (OSError, EOFError, AuthenticationError, msgspec.DecodeError)


class EnginePool:
    """What the rest of the program knows of engines. Usable from any thread."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        *,
        idle_s: float = 300.0,
        plan: Callable[[EngineSpec], EngineSpec] = lambda spec: spec,
        start_limit_s: float = _START_LIMIT_S,
    ) -> None:
        """``folder`` is private to the home; ``idle_s`` is how long engines stay unused.

        ``plan`` checks a model before an engine is started for it and fills in what its
        settings leave open; what it raises ends the answer. It is called by one program at a
        time, so the memory it finds free stays free until the engine is on record.
        """
        self._records = EngineRecords(folder)
        self._logs = logs
        self._plan = plan
        self._start_limit_s = start_limit_s
        self.idle_s = idle_s
        self.keep_loaded = False  # the model that answered last stays until this pool closes
        self._holds: dict[str, Connection] = {}
        self._holds_lock = threading.Lock()

    # -- answering -----------------------------------------------------------------------------

    def answer(
        self, spec: EngineSpec, request: AnswerRequest, cancel: CancelToken
    ) -> Iterator[Event]:
        """Events of one answer; the last is Finished or Failed. Starts an engine if need be.

        An engine that dies before the first word, of the trace or the answer, is started again,
        once; after that, or when words have come, the answer ends in Failed with the cause.
        """
        attempts = _Attempts(cancel)
        was_heard = False
        while True:
            try:
                for event in self._run(spec, protocol.Answer(request), cancel):
                    assert not isinstance(event, protocol.Result)
                    was_heard = was_heard or said_something(event)
                    yield event
                return  # noqa: TRY300 - an else would hide the way out of the loop
            except Cancelled:
                yield Finished("cancelled")
                return
            except EngineCrashed as crash:
                if was_heard or not attempts.may_follow(crash):
                    yield self._failed(crash)
                    return
                if crash.code != "engine_retired":
                    yield Notice("engine_restarted", f"{crash.message} It was started again.")
            except LockhouseError as error:
                yield self._failed(error)
                return

    def embed(
        self,
        spec: EngineSpec,
        texts: Sequence[str],
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] = lambda _count: None,
    ) -> NDArray[np.float32]:
        """A vector of length one for each text, as the rows of a matrix.

        ``progress`` is told how many are done. Starts an engine if need be. Raises InvalidInput
        for a model that makes none, NoRoom for a text longer than it reads, and Cancelled.
        """
        import numpy as np  # slow to import, and for this alone

        rows = np.empty((0, 0), np.float32)
        for some in protocol.portions(texts):
            found = self._results(spec, protocol.Embed(some), protocol.Vectors, cancel)
            values = np.frombuffer(b"".join(part.data for part in found), "<f4")
            new = values.reshape(len(some), -1)
            rows = np.concatenate([rows, new]) if len(rows) else new
            progress(len(rows))
        return rows

    def rank(
        self,
        spec: EngineSpec,
        query: str,
        documents: Sequence[str],
        cancel: CancelToken | None = None,
    ) -> tuple[float, ...]:
        """How much each document has to do with the query, by a reranker: the larger, the more."""
        values: tuple[float, ...] = ()
        for some in protocol.portions(documents):
            operation = protocol.Rank(query, some)
            for part in self._results(spec, operation, protocol.Ranks, cancel):
                values += part.values
        return values

    def score(
        self,
        spec: EngineSpec,
        prompt: AnswerRequest | str,
        continuation: str,
        cancel: CancelToken | None = None,
    ) -> tuple[TokenScore, ...]:
        """How likely each token of a continuation is to a chat model, after this prompt.

        A prompt of text is taken as it is, without a chat template.
        """
        operation = protocol.Score(prompt, continuation)
        (scores,) = self._results(spec, operation, protocol.Scores, cancel)
        return scores.tokens

    def _results(
        self,
        spec: EngineSpec,
        operation: protocol.Work,
        kind: type[_ResultT],
        cancel: CancelToken | None,
    ) -> list[_ResultT]:
        """All results of an operation. An engine that dies of it is started again, once."""
        cancel = cancel or CancelToken()
        attempts = _Attempts(cancel)
        while True:
            try:
                replies = list(self._run(spec, operation, cancel))
            except EngineCrashed as crash:
                if not attempts.may_follow(crash):
                    raise
                continue
            end = replies[-1]
            if isinstance(end, Failed):
                raise from_wire(end.code, end.exit_code, end.message, end.hint)
            if cancel.cancelled:
                raise Cancelled
            return [reply for reply in replies if isinstance(reply, kind)]

    def _run(
        self, spec: EngineSpec, operation: protocol.Work, cancel: CancelToken
    ) -> Iterator[Event | Result]:
        """All that an engine sends for an operation; the last is Finished or Failed."""
        engine_id, connection = self._connect(spec, cancel)
        is_open = True
        try:
            protocol.send(connection, operation)
            for event in self._events(engine_id, connection, cancel):
                if isinstance(event, Finished | Failed) and isinstance(operation, protocol.Answer):
                    # Before the last event is handed on: nobody has to come back for more.
                    self._let_go(engine_id, connection, event)
                    is_open = False
                yield event
        except _UNREACHABLE as error:
            raise self._why_gone(engine_id, spec) from error
        finally:
            if is_open:
                connection.close()

    def _events(
        self, engine_id: str, connection: Connection, cancel: CancelToken
    ) -> Iterator[Event | Result]:
        requests = CancelRequests(connection, cancel)
        with cancel.watched(requests.tell):
            while True:
                reply = self._reply(engine_id, connection, requests)
                if reply is None:
                    reply = Finished("cancelled")  # an engine that hangs must not hang us
                assert not isinstance(reply, TokenCount | EngineStatus)
                if isinstance(reply, Failed) and reply.code == "engine_retired":
                    raise EngineCrashed(reply.message, code=reply.code)
                if isinstance(reply, Finished | Failed):
                    break
                yield reply
        yield reply

    def _reply(
        self, engine_id: str, connection: Connection, requests: CancelRequests | None = None
    ) -> Reply | None:
        """The next reply; None when the engine was told to stop long ago.

        An engine may have good reasons to be silent. One that does not even respond to a
        question about its state hangs: then this raises EngineCrashed.
        """
        comes = protocol.readable(connection)
        heard_at = time.monotonic()
        patience: Patience | None = None
        while not comes(_LOOK_S):
            if requests is not None and requests.is_patience_over:
                return None
            if time.monotonic() - heard_at > _SILENCE_S:
                record = self._records.get(engine_id)
                if record is None or self._inquire(engine_id) is not None:
                    patience = None
                elif patience is None:
                    patience = Patience(record)
                elif patience.is_over and is_alive(record):
                    raise self._end_hung(record)
                heard_at = time.monotonic()
        return protocol.receive_reply(connection)

    def count_tokens(
        self, spec: EngineSpec, request: AnswerRequest, cancel: CancelToken | None = None
    ) -> int:
        """Prompt tokens of a request, template included. Loads the model if need be."""
        engine_id, connection = self._connect(spec, cancel or CancelToken())
        try:
            return self._count(engine_id, connection, request).tokens
        except _UNREACHABLE as error:
            raise self._why_gone(engine_id, spec) from error

    def count_if_loaded(self, spec: EngineSpec, request: AnswerRequest) -> TokenCount | None:
        """The same where an engine with this model runs; None, and nothing started, otherwise."""
        for record in self._records.alive():
            is_same = record.spec.model_path == spec.model_path and not record.retiring
            if is_same and self._covers(record, spec):
                with contextlib.suppress(*_UNREACHABLE, EngineCrashed):
                    return self._count(
                        record.id, protocol.connect(self._records.folder, record.id), request
                    )
        return None

    def _count(self, engine_id: str, connection: Connection, request: AnswerRequest) -> TokenCount:
        with contextlib.closing(connection):
            protocol.send(connection, protocol.CountTokens(request))
            reply = self._reply(engine_id, connection)
        if isinstance(reply, Failed):
            raise from_wire(reply.code, reply.exit_code, reply.message, reply.hint)
        assert isinstance(reply, TokenCount)
        return reply

    def _let_go(self, engine_id: str, connection: Connection, end: Finished | Failed) -> None:
        """Close the connection of an answer, or keep the model loaded with it, and no other."""
        if not self.keep_loaded or isinstance(end, Failed):
            connection.close()
            return
        with self._holds_lock:
            before, self._holds = self._holds, {engine_id: connection}
        for held in before.values():
            held.close()

    def _let_go_of(self, engine_id: str) -> None:
        with self._holds_lock:
            held = self._holds.pop(engine_id, None)
        if held is not None:
            held.close()

    def close(self) -> None:
        """Let go of what is held. Engines stay for their idle time."""
        with self._holds_lock:
            before, self._holds = self._holds, {}
        for held in before.values():
            held.close()

    # -- looking and stopping --------------------------------------------------------------------

    def list(self) -> list[EngineStatus]:
        """The engines that run, oldest first. Of one that hangs, what its record tells."""
        found = []
        for record in self._records.alive():
            status = self._inquire(record.id)
            if status is not None:
                found.append(status)
            elif is_alive(record):
                found.append(not_responding(record))
        return sorted(found, key=lambda status: status.started_at)

    def memory(self) -> tuple[EngineMemory, ...]:
        """What each engine holds of this machine's memory, and what it has yet to take."""
        import psutil  # rarely needed here, and slow to import

        found = []
        for record in self._records.alive():
            with contextlib.suppress(psutil.Error):
                held = psutil.Process(record.pid).memory_info()
                found.append(
                    EngineMemory(
                        model_name=record.spec.model_name,
                        resident_bytes=held.rss,
                        mapped_bytes=getattr(held, "shared", 0),
                        pending_bytes=max(0, record.spec.memory_bytes - held.rss),
                    )
                )
        return tuple(found)

    def prove(self) -> dict[str, tuple[Probe, ...]]:
        """Have each running engine try to get out, by model; empty where one did not answer.

        Of several engines of one model, none stands in for another: the later ones have their id.
        """
        found: dict[str, tuple[Probe, ...]] = {}
        for record in self._records.alive():
            name = record.spec.model_name
            name = f"{name} ({record.id})" if name in found else name
            found[name] = ()
            with (
                contextlib.suppress(*_UNREACHABLE),
                self._asking(record.id, protocol.Prove(), _PROOF_S) as connection,
            ):
                found[name] = protocol.receive_proof(connection).probes
        return found

    def stop(self, name: str | None = None) -> int:
        """End the engines of a model (name, path or engine id), or all; how many there were."""
        stopped = 0
        for record in self._records.alive():
            spec = record.spec
            if name is None or name in (spec.model_name, spec.model_path, record.id):
                self._let_go_of(record.id)
                self._stop(record)
                stopped += 1
        return stopped

    # -- finding and starting --------------------------------------------------------------------

    def _connect(self, spec: EngineSpec, cancel: CancelToken) -> tuple[str, Connection]:
        """A connection to an engine for this spec, started if there is none."""
        give_up_at = time.monotonic() + _REACH_LIMIT_S
        patience: Patience | None = None
        hung: EngineRecord | None = None
        while time.monotonic() < give_up_at or (patience and not patience.is_over):
            if cancel.cancelled:
                raise Cancelled
            record = self._matching(spec)
            if record is None:
                with self._records.start_lock(cancel, 4 * self._start_limit_s):
                    record = self._matching(spec) or self._start(spec, cancel)
                # It listens, and loads llama.cpp before it does anything else.
                give_up_at = time.monotonic() + self._start_limit_s
            try:
                return record.id, protocol.connect(self._records.folder, record.id)
            except _UNREACHABLE as error:
                if is_alive(record) and isinstance(error, AuthenticationError):
                    raise EngineCrashed(
                        "An engine runs but does not accept this program's key.",
                        hint="Stop it: lockhouse engines stop",
                        code="engine_locked",
                    ) from error
                if is_alive(record):
                    patience, hung = patience or Patience(record), record
                    time.sleep(_POLL_S)  # it is dying: its socket goes before its process
                else:
                    self._records.clear(record.id)
        if hung is not None:
            raise self._end_hung(hung)
        raise silent()

    def _matching(self, spec: EngineSpec) -> EngineRecord | None:
        """A live engine of the same unchanged file whose settings cover what is asked."""
        try:
            identity = protocol.identity_of(Path(spec.model_path))
        except OSError as error:
            raise InvalidInput(
                f"The model's file cannot be opened: {error.strerror}.",
                hint=f"Check that {spec.model_path} is there and readable.",
                code="model_unreadable",
            ) from error
        for record in self._records.alive():
            if record.spec.model_path != spec.model_path or record.retiring:
                continue
            if record.identity == identity and self._covers(record, spec):
                return record
            self._ask_to_retire(record)
        return None

    def _covers(self, record: EngineRecord, spec: EngineSpec) -> bool:
        have, want = record.spec.settings, spec.settings
        # Decided anew for every start, and no reason to load a model twice.
        left_open = {"context_length": 0, "threads": 0, "extra_buffers": True}
        same = msgspec.structs.replace(have, **left_open) == msgspec.structs.replace(
            want, **left_open
        )
        enough = have.context_length >= want.context_length
        return same and enough and want.threads in (0, have.threads)

    def _ask_to_retire(self, record: EngineRecord) -> None:
        """Other settings were asked for, or the file changed: end once nobody is answered.

        One that cannot be told now is told again by whoever looks for an engine next.
        """
        self._let_go_of(record.id)
        if not self._tell(record.id, protocol.Stop(when_idle=True)):
            return
        self._records.mark_retiring(record)
        deadline = time.monotonic() + _RETIRES_S  # an idle one leaves its memory to the next
        while is_alive(record) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _start(self, spec: EngineSpec, cancel: CancelToken) -> EngineRecord:
        self._refuse_crash_loop(spec)
        engine_id, listens = launch(
            self._planned(spec),
            folder=self._records.folder,
            logs=self._logs,
            idle_s=self.idle_s,
            limit_s=self._start_limit_s,
            cancel=cancel,
        )
        record = self._records.get(engine_id)
        if not listens or record is None:
            raise self._why_gone(engine_id, spec)
        return record

    def _planned(self, spec: EngineSpec) -> EngineSpec:
        """The plan for a start; models that nobody uses make room when there is too little."""
        if self._records.died_in_native_code(spec.model_path):
            plain = msgspec.structs.replace(spec.settings, extra_buffers=False)
            spec = msgspec.structs.replace(spec, settings=plain)
        while True:
            try:
                return self._plan(spec)
            except NoRoom:
                unused = self._unused()
                if not unused:
                    raise
                self.stop(max(unused, key=lambda status: status.idle_s).id)

    def _unused(self) -> tuple[EngineStatus, ...]:
        """The engines that have no client, or only this pool, which lets go of them."""
        deadline = time.monotonic() + _RETIRES_S
        while True:
            ready = [one for one in self.list() if one.state == "ready"]
            unused = tuple(one for one in ready if one.clients <= (one.id in self._holds))
            leaving = any(one.id in self._holds and not one.active for one in ready)
            if unused or not leaving or time.monotonic() > deadline:
                return unused
            time.sleep(_POLL_S)  # an answer that has just ended: its client is about to leave

    # -- asking one engine -----------------------------------------------------------------------

    def _inquire(self, engine_id: str) -> EngineStatus | None:
        try:
            with self._asking(engine_id, protocol.Inquire(), _REPLY_LIMIT_S) as connection:
                reply = protocol.receive_reply(connection)
        except _UNREACHABLE:
            return None
        return reply if isinstance(reply, EngineStatus) else None

    @contextlib.contextmanager
    def _asking(
        self, engine_id: str, operation: protocol.Operation, limit_s: float
    ) -> Iterator[Connection]:
        """A connection on which the reply is there. Raises what is in _UNREACHABLE."""
        with contextlib.closing(protocol.connect(self._records.folder, engine_id)) as connection:
            protocol.send(connection, operation)
            if not connection.poll(limit_s):
                raise TimeoutError
            yield connection

    def _tell(self, engine_id: str, operation: protocol.Operation) -> bool:
        """Send an operation without a reply; whether it could be sent."""
        with contextlib.suppress(*_UNREACHABLE):
            connection = protocol.connect(self._records.folder, engine_id)
            with contextlib.closing(connection):
                protocol.send(connection, operation)
            return True
        return False

    def _stop(self, record: EngineRecord) -> None:
        self._tell(record.id, protocol.Stop())
        see_ended(record)
        self._records.clear(record.id)

    def _end_hung(self, record: EngineRecord) -> EngineCrashed:
        """End an engine that answers nobody, so that the next question gets another one."""
        import psutil  # rarely needed here, and slow to import

        self._let_go_of(record.id)
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(record.pid)
            if is_alive(record):  # and not another program that has its number by now
                process.kill()
                process.wait(timeout=_EXIT_LIMIT_S)
        self._records.clear(record.id)
        return silent()

    # -- crashes ---------------------------------------------------------------------------------

    def _why_gone(self, engine_id: str, spec: EngineSpec) -> EngineCrashed:
        """What happened to an engine that closed the connection."""
        record = self._records.exit_of(engine_id)
        if record is None and self._records.get(engine_id) is None:
            # Gone with its record removed and no word on a bad end: it ended by itself.
            return EngineCrashed("The engine has ended.", code="engine_retired")
        return_code = record.return_code if record else None
        tail = record.log_tail if record else ""
        cause = exit_status.explain(return_code, tail)
        crash = EngineCrashed(cause.message, hint=cause.hint, code=f"engine_{cause.cause}")
        crash.add_note(tail)
        return crash

    def _refuse_crash_loop(self, spec: EngineSpec) -> None:
        recent = [
            record
            for record in self._records.exits(spec.model_path)
            # A clock that was set back must not refuse a model until it is there again.
            if 0 <= time.time() - record.ended_at < _LOOP_WINDOW_S
        ]
        if len(recent) >= _LOOP_CRASHES and spec.settings != spec.settings.safer():
            last = max(recent, key=lambda record: record.ended_at)
            cause = exit_status.explain(last.return_code, last.log_tail)
            raise EngineCrashed(
                f"This model's engine ended {len(recent)} times in two minutes. {cause.message}",
                hint="Try it with safer settings, or choose another model.",
                code="crash_loop",
            )

    def _failed(self, error: LockhouseError) -> Failed:
        return failed_of(error, details="\n".join(getattr(error, "__notes__", ())))


class _Attempts:
    """Whether to try again after a crash: once, or more often when the engine had just retired."""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._crashes = self._retired = 0

    def may_follow(self, crash: EngineCrashed) -> bool:
        """Whether another attempt may follow this one."""
        is_retired = crash.code == "engine_retired"
        self._crashes, self._retired = self._crashes + (not is_retired), self._retired + is_retired
        is_lasting = crash.code in _LASTING or self._cancel.cancelled
        return not is_lasting and self._crashes <= 1 and self._retired <= _MOST_RETIRED
