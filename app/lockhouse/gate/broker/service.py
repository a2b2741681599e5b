"""The broker's table of requests, and how one operation is carried out from call to reply.

Imported at the first request, with everything that speaks HTTP: a broker that is never used
costs nothing but a waiting process.

The first event after a wait goes out at once. Those that came with it follow in one frame, as
soon as the operation waits again, or after a millisecond if it does not. So text is not delayed,
and many events a second cost few frames.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection

import msgspec

from lockhouse.core.errors import Cancelled, LockhouseError, UsageMistake
from lockhouse.core.events import Reasoning, Text
from lockhouse.core.json_decoding import decoded
from lockhouse.gate import hub_requests, remote_requests
from lockhouse.gate import protocol as wire
from lockhouse.gate.broker import answer_stream, hub, network_errors, range_download, self_test
from lockhouse.gate.broker.context import BrokerContext, Handler, keep_session_key
from lockhouse.gate.broker.guard import Guard, PolicySource
from lockhouse.gate.broker.operation import carrying_out
from lockhouse.gate.broker.transport import GuardedTransport
from lockhouse.gate.memory_scrub import overwrite_freed_memory
from lockhouse.gate.network import NetworkState

_MOST_HELD_S = 0.001
_encoder = msgspec.json.Encoder()


class EventWriter:
    """Used by the thread that carries the operation out. Ignores a client that is gone, which
    the thread that listens to it will notice.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: list[msgspec.Struct] = []
        self._has_sent = False  # since the last wait
        self._pending_since = 0.0

    def event(self, event: msgspec.Struct) -> None:
        """Send an event, or hold it back for a moment."""
        if not self._has_sent:
            self._has_sent = True
            self._send(wire.EVENT, _encoder.encode(event))
            return
        now = time.monotonic()
        if not self._pending:
            self._pending_since = now
        _join(self._pending, event)
        if now - self._pending_since >= _MOST_HELD_S:
            self._flush()

    def about_to_wait(self) -> None:
        """The operation is about to wait: send what was held back."""
        self._flush()
        self._has_sent = False

    def record(self, record: wire.Record) -> None:
        """Send something for the client to keep in its records."""
        self._flush()
        self._send(wire.ATTEMPT, _encoder.encode(record))

    def reply(self, reply: object) -> None:
        """The operation is done: send its reply."""
        self._flush()
        self._send(wire.REPLY, _encoder.encode(reply))

    def fail(self, failure: wire.Failure) -> None:
        """The operation has failed."""
        self._flush()
        self._send(wire.FAILURE, _encoder.encode(failure))

    def refuse(self, error: LockhouseError, purpose: str) -> None:
        """The operation was refused before it began."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.record(wire.Record(at, "refused", purpose=purpose, outcome=error.code))
        self.fail(wire.failure_of(error))

    def _flush(self) -> None:
        if self._pending:
            self._send(wire.EVENT, _encoder.encode_lines(self._pending))
            self._pending.clear()

    def _send(self, kind: bytes, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self._connection.send_bytes(kind + body)


def _join(pending: list[msgspec.Struct], event: msgspec.Struct) -> None:
    """Append an event; text joins the text before it."""
    last = pending[-1] if pending else None
    if isinstance(event, Text) and isinstance(last, Text):
        pending[-1] = Text(last.text + event.text)
    elif isinstance(event, Reasoning) and isinstance(last, Reasoning):
        pending[-1] = Reasoning(last.text + event.text)
    else:
        pending.append(event)


_PROGRESS_S = 0.1

_CANCELLED = wire.Failure("cancelled", Cancelled.exit_code, "", "")
_BUG = wire.Failure(
    "bug",
    LockhouseError.exit_code,
    "This is a bug in the broker.",
    "Report it with the last lines of logs/broker.log.",
)


def reach(
    request: wire.Reach, context: BrokerContext
) -> Generator[wire.Progress, None, wire.Reached]:
    """Request one address; its answer goes into the first of the files, where there is one."""
    began, done_bytes, reported_at = time.monotonic(), 0, 0.0
    context.limit(body_bytes=request.most_bytes, total_s=24 * 3600.0)
    headers = {"range": f"bytes={request.range_start}-"} if request.range_start else {}
    with context.client.stream("GET", request.url, headers=headers) as response:
        context.require_success(response)
        for chunk in response.iter_raw():
            if context.fds:
                os.pwrite(context.fds[0], chunk, request.range_start + done_bytes)
            done_bytes += len(chunk)
            if time.monotonic() - reported_at > _PROGRESS_S:
                reported_at = time.monotonic()
                yield wire.Progress(done_bytes)
    return wire.Reached(response.status_code, done_bytes, time.monotonic() - began)


def use_key(request: wire.UseKey, _context: BrokerContext) -> wire.Done:
    """Keep a key for this session."""
    keep_session_key(request.provider, request.key, request.hosts)
    return wire.Done()


# The request's class name is its name on the wire.
HANDLERS: dict[type[msgspec.Struct], Handler] = {
    wire.Reach: reach,
    wire.UseKey: use_key,
    wire.ProveLimits: self_test.prove,
    hub_requests.SearchHub: hub.search,
    hub_requests.ReadRepo: hub.read_repo,
    hub_requests.ReadCard: hub.read_card,
    hub_requests.CheckHubKey: hub.check_key,
    hub_requests.ReadStart: hub.read_start,
    hub_requests.FetchFile: range_download.fetch,
    hub_requests.LimitSpeed: range_download.limit_speed,
    remote_requests.SendAnswerRequest: answer_stream.send_answer_request,
    remote_requests.ListModels: answer_stream.list_models,
    remote_requests.CountPrompt: answer_stream.count_prompt,
}


# --- serving -------------------------------------------------------------------------------


@cache
def _named() -> dict[str, tuple[type[msgspec.Struct], Handler]]:
    return {kind.__name__: (kind, handler) for kind, handler in HANDLERS.items()}


_one_at_a_time = threading.Lock()
_writing_over = threading.Lock()
_pools: dict[NetworkState, GuardedTransport] = {}  # by what their connections were held to
_pools_under: list[NetworkState] = []  # the list they were made under


def _policy_for(
    call: wire.Call, policy: PolicySource, files: list[int]
) -> tuple[Guard, GuardedTransport]:
    """The policy in force now, read from the first of the files; the others are the operation's."""
    if not files:
        raise UsageMistake("The state of the network was not passed along.")
    with _one_at_a_time, os.fdopen(files.pop(0), "rb") as file:
        whole = policy.read(file.fileno())
        # Connections that were made under another list, or when a name could lead farther away,
        # are not used again.
        if _pools_under != [whole.state]:
            _pools_under[:] = [whole.state]
            _pools.clear()
        guard = whole.narrowed(call.hosts, call.lan_hosts, lan=call.lan)
        if guard.state not in _pools:
            _pools[guard.state] = GuardedTransport(guard)
        return guard, _pools[guard.state]


def serve(connection: Connection, files: list[int], policy: PolicySource) -> None:
    """Carry out the operation requested on ``connection``, then wait until it is closed.

    Runs in a thread of its own; a second one carries the operation out, while this one listens
    for the client to cancel it.
    """
    try:
        call = decoded(connection.recv_bytes(wire.FRAME_BYTES), wire.Call)
    except (EOFError, OSError, msgspec.DecodeError):
        connection.close()
        _close(files)
        return
    writer = EventWriter(connection)
    try:
        guard, transport = _policy_for(call, policy, files)
    except LockhouseError as error:
        writer.refuse(error, call.purpose)
        _close(files)
        connection.close()
        return
    context = BrokerContext(guard, call.purpose, writer.record, transport, tuple(files))
    context.before_waiting = writer.about_to_wait
    worker = threading.Thread(
        target=_carry_out, args=(call, context, writer), name="request", daemon=True
    )
    worker.start()
    with contextlib.suppress(EOFError, OSError):
        connection.recv_bytes(1024)  # anything more from the client cancels it
    context.cancel()
    worker.join()
    connection.close()
    if context.has_carried_keys:
        del call, context, worker  # what they hold is freed before it is written over
        _write_over_keys()


def _write_over_keys() -> None:
    """After the answer, so that nobody waits for it; once for operations that end together."""
    if _writing_over.acquire(blocking=False):
        try:
            overwrite_freed_memory()
        finally:
            _writing_over.release()


def _carry_out(call: wire.Call, context: BrokerContext, writer: EventWriter) -> None:
    failure: wire.Failure | None = _BUG
    try:
        with carrying_out(context):
            writer.reply(_handle(call, context, writer))
        failure = None
    except Cancelled:
        failure = _CANCELLED
    except network_errors.KNOWN as error:
        known = network_errors.map_error(error)
        if context.cancelled:  # what a connection that was cut looks like
            failure = _CANCELLED
        elif known is None:
            raise
        else:
            failure = _with_locked_keyring(wire.failure_of(known), context)
    finally:  # a bug goes on to the log, and the client gets a failure
        _close(list(context.fds))
        if failure is not None:
            writer.fail(failure)


def _with_locked_keyring(failure: wire.Failure, context: BrokerContext) -> wire.Failure:
    if context.locked is None or failure.status not in (401, 403):
        return failure
    hint = f"The keyring may hold a key for it. {context.locked.message} {context.locked.hint}"
    return msgspec.structs.replace(failure, hint=hint)


def _handle(call: wire.Call, context: BrokerContext, writer: EventWriter) -> object:
    if call.version != wire.VERSION or call.name not in _named():
        raise UsageMistake(
            f"The network process does not know the request {call.name}.",
            hint="Two versions of Lockhouse are running. Close every window and restart.",
        )
    kind, handler = _named()[call.name]
    outcome = handler(decoded(call.request, kind), context)
    if not isinstance(outcome, Generator):
        return outcome
    with contextlib.closing(outcome) as steps:
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                return end.value
            writer.event(event)
            context.check()


def _close(files: list[int]) -> None:
    for fd in files:
        with contextlib.suppress(OSError):
            os.close(fd)
