"""What the broker can be asked, and what a handler is given to answer it with.

Imported at a broker's first request, with everything that speaks HTTP: a broker that is never
asked costs nothing but a waiting process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import httpx2
import msgspec

from lockhouse.core.errors import Cancelled, LockhouseError, StorageError, UsageMistake
from lockhouse.core.json_decoding import decoded
from lockhouse.core.labels import Label
from lockhouse.gate import hub_requests, keys, remote_requests
from lockhouse.gate import protocol as wire
from lockhouse.gate.broker import answer_stream, hub, network_errors, range_download, self_test
from lockhouse.gate.broker import operation as operations
from lockhouse.gate.broker.event_writer import EventWriter
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.broker.operation import Operation
from lockhouse.gate.broker.policy_source import PolicySource
from lockhouse.gate.broker.transport import GuardedTransport, TellingTransport, make_client
from lockhouse.gate.memory_scrub import overwrite_freed_memory
from lockhouse.gate.network import HUB_ENDPOINT, NetworkState, hosts_of

_PROGRESS_S = 0.1
_CHUNK_BYTES = 1 << 18

_CANCELLED = wire.Failure("cancelled", Cancelled.exit_code, "", "")
_BUG = wire.Failure(
    "bug",
    LockhouseError.exit_code,
    "This is a bug in the broker.",
    "Please report it with the end of logs/broker.log.",
)

_session_keys: dict[str, tuple[str, tuple[str, ...]]] = {}  # a key and its hosts


class BrokerContext:
    """What one operation may use. Belongs to the thread that carries the operation out.

    The client checks every host before every request and every redirect, and its connections
    end at once when the operation is taken back; a thread that a handler starts itself has no
    operation and can reach nothing.
    """

    def __init__(
        self, operation: Operation, transport: GuardedTransport, fds: tuple[int, ...]
    ) -> None:
        self._operation = operation
        self.client = make_client(transport)
        # The factory for huggingface_hub, whose own patience is not wanted.
        self.make_client = lambda: make_client(TellingTransport(transport))
        self.fds = fds  # files handed over; closed by the broker after the operation
        self.endpoint = (operation.guard.state.endpoint or HUB_ENDPOINT).rstrip("/")
        self.purpose = operation.purpose
        self.hosts = operation.guard.state.all_hosts
        self.locked: StorageError | None = None  # the keyring, when it was asked for a key

    @property
    def cancelled(self) -> bool:
        """Whether the door took the operation back. The client raises Cancelled by itself."""
        return self._operation.cancelled

    def key(self, provider: str, host: str) -> str | None:
        """The key that may go to ``host:port``: the one of this session, or of the keyring.

        None where there is none for this host, and while the keyring is locked: some hosts need
        no key. Where one does, the error says what stood in the way. The client refuses to
        carry a key that was given here to any other host. Do not keep it.
        """
        key = self._session_key(provider, host)
        try:
            key = key or keys.read(provider, host)
        except StorageError as error:
            self.locked = error
        if key:
            self._operation.carry(key, host)
        return key

    def token(self) -> str | None:
        """The hub's key, where there is one for the hub or mirror that is in force."""
        return self.key(keys.HUGGINGFACE, hosts_of([self.endpoint])[0])

    def _session_key(self, provider: str, host: str) -> str | None:
        key, hosts = _session_keys.get(provider, ("", ()))
        return key if host in hosts else None

    def hold_to(self, label: Label, host: str) -> None:
        """Send what has this label to ``host:port`` if it may go there. Raises PolicyRefused."""
        self._operation.hold_to(label, host)

    def wait(self, seconds: float) -> None:
        """Do nothing for a while. Raises Cancelled as soon as the door takes the operation back."""
        self._operation.wait(seconds)

    def limit(
        self,
        *,
        body_bytes: int | None = None,
        total_s: float | None = None,
        idle_s: float | None = None,
        connect_s: float | None = None,
    ) -> None:
        """Bounds for the requests that follow; None leaves one as it is.

        Before: 64 MiB an answer, 120 s a request, 30 s without a byte, 15 s for a connection.
        The one without a byte holds at once, in the middle of an answer too.
        """
        limits = self._operation.limits
        limits.body_bytes = limits.body_bytes if body_bytes is None else body_bytes
        limits.total_s = limits.total_s if total_s is None else total_s
        limits.idle_s = limits.idle_s if idle_s is None else idle_s
        limits.connect_s = limits.connect_s if connect_s is None else connect_s

    def check(self, response: httpx2.Response) -> httpx2.Response:
        """The same response when its status is below 400; raises RemoteFailure otherwise."""
        if response.status_code < 400:
            return response
        raise network_errors.for_status(response.status_code, response.headers, response.url.host)


Handler = Callable[[Any, BrokerContext], Generator[msgspec.Struct | None, None, msgspec.Struct]]


def reach(
    request: wire.Reach, context: BrokerContext
) -> Generator[msgspec.Struct, None, wire.Reached]:
    """Ask one address; its answer goes into the first file handed over."""
    began, done_bytes, told_at = time.monotonic(), 0, 0.0
    context.limit(body_bytes=request.most_bytes, total_s=24 * 3600.0)
    headers = {"range": f"bytes={request.range_start}-"} if request.range_start else {}
    with context.client.stream("GET", request.url, headers=headers) as response:
        context.check(response)
        for chunk in response.iter_raw():
            if context.fds:
                os.pwrite(context.fds[0], chunk, request.range_start + done_bytes)
            done_bytes += len(chunk)
            if time.monotonic() - told_at > _PROGRESS_S:
                told_at = time.monotonic()
                yield wire.Progress(done_bytes)
    return wire.Reached(response.status_code, done_bytes, time.monotonic() - began)


def use_key(
    request: wire.UseKey, _context: BrokerContext
) -> Generator[msgspec.Struct, None, wire.Done]:
    """Keep a key for this session."""
    if request.key:
        bound = tuple(keys.bound_hosts(request.hosts))
        _session_keys[keys.checked_provider(request.provider)] = (keys.checked(request.key), bound)
    else:
        _session_keys.pop(request.provider, None)
    yield from ()
    return wire.Done()


# A handler yields its events and RETURNS its reply. What it raises is mapped once, in
# gate.broker.failures. The request's class name is its name on the wire.
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


def _look(
    lookout: PolicySource, files: list[int], call: wire.Call
) -> tuple[Guard, GuardedTransport]:
    """What is in force now, by the first of the files; the others are the operation's."""
    if not files:
        raise UsageMistake("The state of the network was not handed over.")
    with _one_at_a_time, os.fdopen(files.pop(0), "rb") as file:
        whole = lookout.look(file.fileno())
        # Connections that were made under another list, or when a name could lead farther away,
        # are not used again.
        if _pools_under != [whole.state]:
            _pools_under[:] = [whole.state]
            _pools.clear()
        guard = whole.narrowed(call.hosts, call.lan_hosts, lan=call.lan)
        if guard.state not in _pools:
            _pools[guard.state] = GuardedTransport(guard)
        return guard, _pools[guard.state]


def serve(connection: Connection, files: list[int], lookout: PolicySource) -> None:
    """Carry out the operation at the other end of ``connection``, then wait until it is closed.

    Runs in a thread of its own; a second one carries the operation out, while this one listens
    for the door to take it back.
    """
    try:
        call = decoded(connection.recv_bytes(wire.FRAME_BYTES), wire.Call)
    except (EOFError, OSError, msgspec.DecodeError):
        connection.close()
        _close(files)
        return
    outlet = EventWriter(connection)
    try:
        guard, transport = _look(lookout, files, call)
    except LockhouseError as error:
        outlet.refuse(error, call.purpose)
        _close(files)
        connection.close()
        return
    operation = Operation(guard, call.purpose, outlet.record)
    operation.before_waiting = outlet.about_to_wait
    context = BrokerContext(operation, transport, tuple(files))
    worker = threading.Thread(
        target=_carry_out, args=(call, operation, context, outlet), name="request", daemon=True
    )
    worker.start()
    with contextlib.suppress(EOFError, OSError):
        connection.recv_bytes(1024)  # anything more that the door says takes it back
    operation.cancel()
    worker.join()
    connection.close()
    if operation.has_carried_keys:
        del call, context, worker  # what they hold is freed before it is written over
        _write_over_keys()


def _write_over_keys() -> None:
    """After the answer, so that nobody waits for it; once for several that end together."""
    if _writing_over.acquire(blocking=False):
        try:
            overwrite_freed_memory()
        finally:
            _writing_over.release()


def _carry_out(
    call: wire.Call, operation: Operation, context: BrokerContext, outlet: EventWriter
) -> None:
    failure: wire.Failure | None = _BUG
    try:
        with operations.carrying_out(operation):
            outlet.reply(_handle(call, operation, context, outlet))
        failure = None
    except Cancelled:
        failure = _CANCELLED
    except network_errors.KNOWN as error:
        known = network_errors.told(error)
        if operation.cancelled:  # what a connection that was cut looks like
            failure = _CANCELLED
        elif known is None:
            raise
        else:
            failure = _with_locked_keyring(wire.failure_of(known), context)
    finally:  # an error that is a bug goes on to the log, but the door is told
        _close(list(context.fds))
        if failure is not None:
            outlet.fail(failure)


def _with_locked_keyring(failure: wire.Failure, context: BrokerContext) -> wire.Failure:
    if context.locked is None or failure.status not in (401, 403):
        return failure
    hint = f"There may be a key for it. {context.locked.message} {context.locked.hint}"
    return msgspec.structs.replace(failure, hint=hint)


def _handle(
    call: wire.Call, operation: Operation, context: BrokerContext, outlet: EventWriter
) -> msgspec.Struct:
    if call.version != wire.VERSION or call.name not in _named():
        raise UsageMistake(
            f"The broker does not know the request {call.name}.",
            hint="Two versions of Lockhouse met. Close every window and start again.",
        )
    kind, handler = _named()[call.name]
    events = handler(decoded(call.request, kind), context)
    with contextlib.closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                reply: msgspec.Struct = end.value
                return reply
            if event is not None:
                outlet.event(event)
            operation.check()


def _close(files: list[int]) -> None:
    for fd in files:
        with contextlib.suppress(OSError):
            os.close(fd)
