"""The client of the broker process: whether the network is open, requests, what was sent.

Hides the broker's process, its channel and the records. A program that started sealed has no
broker and can never get one: allowing network access takes a restart, and
:meth:`GateClient.why_closed` says so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import (
    Cancelled,
    InvalidInput,
    LockhouseError,
    NetworkRefused,
    NotFound,
    StorageError,
)
from lockhouse.core.json_decoding import decoded, decoder_of
from lockhouse.gate import keys
from lockhouse.gate import protocol as wire
from lockhouse.gate.channel import Channel, cancel_with
from lockhouse.gate.keys import KeyState
from lockhouse.gate.memory_scrub import overwrite_freed_memory
from lockhouse.gate.network import Network, NetworkState, allows, split_host
from lockhouse.gate.network_switch import Switch
from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import Records
from lockhouse.gate.running_brokers import Brokers
from lockhouse.seal import Probe
from lockhouse.storage.database import Database

ReplyT = TypeVar("ReplyT")
CUT_OFF = "cut_off"  # the code of a request whose broker ended before its reply
_SILENCE_S = 5.0  # then a broker is asked whether it is still there
_MOST_UNANSWERED = 3
Way = Literal["open", "sealed", "sealed_meanwhile", "start_anew", "broker_gone", "damaged"]


class GateStatus(msgspec.Struct, frozen=True):
    """The network access of this program, in words.

    ``way``: ``open``; ``sealed``; ``sealed_meanwhile`` (sealed while this program runs);
    ``start_anew`` (allowed since this program started, which needs a restart for it);
    ``broker_gone``; ``damaged`` (network.json is, so everything is sealed).
    """

    way: Way
    title: str
    explanation: str
    what_to_do: str  # empty when it is open
    hosts: tuple[str, ...]
    since: str
    lan: bool
    bytes_out: int  # by this program
    names: tuple[str, ...] = ()  # what can be reached, by titles; empty while sealed


class GateClient:
    """The network access of one program. Usable from any thread."""

    def __init__(
        self,
        network: Network,
        database: Database,
        channel: Channel | None,
        brokers: Brokers | None = None,
    ) -> None:
        self._network = network
        self._channel = channel
        self._database = database
        self._records = Records(database)
        self._named: tuple[NetworkState, tuple[str, ...]] | None = None
        self._brokers = brokers
        self._lock = threading.Lock()
        self._session_keys: dict[str, tuple[str, ...]] = {}  # the hosts of each, never the key
        self.bytes_out = 0  # of this session
        self._bytes_under_way = 0  # about, of requests that are not over

    @property
    def state(self) -> NetworkState:
        """The policy in network.json, for programs that start now. Costs one stat of the file."""
        return self._network.state()

    @property
    def is_open(self) -> bool:
        """Whether this program can reach a listed host now. Cheap enough for a timer."""
        return self._way(self.state) == "open"

    @property
    def has_broker(self) -> bool:
        """Whether this program has a broker, even one that refuses every request."""
        return self._channel is not None and self._channel.is_alive

    def seal_when_over(self) -> None:
        """Seal what was allowed for a time that is over. Cheap enough for a timer."""
        if self._network.has_ended:
            self.seal()

    def status(self) -> GateStatus:
        """The network access in words. Comparable, to see a change; cheap enough for a timer."""
        state = self.state
        way = self._way(state)
        names = self._names(state) if way == "open" else ()
        title, explanation, what_to_do = _words(way, state, names)
        hosts = state.all_hosts if way == "open" else ()
        return GateStatus(
            way,
            title,
            explanation,
            what_to_do,
            hosts,
            state.since,
            state.lan or (way == "open" and not state.hosts),
            self.bytes_out + self._bytes_under_way,
            names,
        )

    def way_to(self, hosts: Sequence[str]) -> Way | Literal["not_listed"]:
        """Whether this program can reach all of these now, and if not, why.

        ``start_anew`` also for a host that was added with a port that the broker of this program
        cannot use.
        """
        state = self.state
        way = self._way(state)
        if way != "open":
            return way
        wanted = [split_host(host) for host in hosts]
        if not all(allows(state.all_hosts, name, port) for name, port in wanted):
            return "not_listed"
        usable = self._channel.ports if self._channel is not None else None
        if usable is not None and not state.proxy and {port for _, port in wanted} - {*usable}:
            return "start_anew"
        return "open"

    def _names(self, state: NetworkState) -> tuple[str, ...]:
        """Called on a timer, so looked up again only when the list was changed."""
        known = self._named
        if known is None or known[0] != state:
            from lockhouse.gate import host_names
            from lockhouse.gate.providers import Providers

            providers = []
            with contextlib.suppress(StorageError):  # then hosts only
                providers = Providers(self._database).list()
            self._named = known = (state, host_names.reached(state, providers))
        return known[1]

    def why_closed(self) -> LockhouseError:
        """The error to raise for a request while the network is closed."""
        status = self.status()
        return NetworkRefused(
            f"{status.title}. {status.explanation}", hint=status.what_to_do, code="sealed"
        )

    def ask(
        self,
        request: msgspec.Struct,
        *,
        reply_type: type[ReplyT],
        files: Sequence[int] = (),
        events: Callable[[Any], None] | None = None,
        event_type: Any = None,
        cancel: CancelToken | None = None,
        purpose: str = "",
        near: Sequence[str] = (),
    ) -> ReplyT:
        """Have the broker carry out a request, and wait for its reply.

        The request's type must be in the broker's table of handlers. ``files`` are descriptors
        that the broker may write; they remain the caller's. What the handler yields is decoded as
        ``event_type`` (a type or a union) and passed to ``events`` in this thread. ``purpose`` is
        the word in the records. ``near``: hosts that must be this machine or in a private network
        for this request, even if they were allowed without that. Raises Cancelled when ``cancel``
        was called, and LockhouseError: sealed, a host that is not allowed, an error of the
        network or of the host.
        """
        reply = b""
        frames = self.stream(
            request,
            files=files,
            event_type=event_type,
            cancel=cancel,
            purpose=purpose,
            near=near,
        )
        with contextlib.closing(frames):
            while True:
                try:
                    event = next(frames)
                except StopIteration as end:
                    reply = end.value
                    break
                if events is not None:
                    events(event)
        return decoded(reply, reply_type)

    def stream(
        self,
        request: msgspec.Struct,
        *,
        files: Sequence[int] = (),
        event_type: Any = None,
        cancel: CancelToken | None = None,
        purpose: str = "",
        near: Sequence[str] = (),
    ) -> Generator[Any, None, bytes]:
        """The same, event by event; returns the JSON of the reply. Closing it cancels it.

        Nothing is sent before the first event is requested.
        """
        purpose = purpose or type(request).__name__
        connection = self._begin(files, purpose)
        state = self.state
        call = wire.Call(
            wire.VERSION,
            type(request).__name__,
            purpose,
            state.hosts,
            state.lan,
            msgspec.Raw(msgspec.json.encode(request)),
            (*state.lan_hosts, *near),
        )
        with contextlib.closing(connection):
            frame = msgspec.json.encode(call)
            if len(frame) > wire.FRAME_BYTES:
                raise InvalidInput(
                    f"The request has {len(frame) >> 20} MiB, more than can be sent at once.",
                    hint="Leave out pictures or documents.",
                    code="too_large",
                )
            try:
                connection.send_bytes(frame)
                following = self._follow(connection, cancel, event_type, _size_of(request))
                return (yield from following)
            except (EOFError, OSError) as error:
                raise self._why_gone(purpose) from error

    def use_key(self, provider: str, key: str, hosts: Sequence[str]) -> None:
        """Give the broker a key for ``hosts``, for as long as this program runs; empty removes it.

        For systems without a keyring. Raises LockhouseError: sealed, an invalid key.
        """
        self.ask(wire.UseKey(provider, key, tuple(hosts)), reply_type=wire.Done)
        if key:
            self._session_keys[provider] = tuple(keys.bound_hosts(hosts))
        else:
            self._session_keys.pop(provider, None)

    def set_key(
        self,
        provider: str,
        key: str,
        hosts: Sequence[str],
        *,
        purpose: str,
        for_session: bool = False,
    ) -> KeyState:
        """Keep a key for ``hosts``: in the keyring, or where there is none, for this session.

        ``for_session`` does not use the keyring. Returns ``set`` or ``session``. Raises
        StorageError: the keyring is locked or does not answer; NetworkRefused: it is for this
        session, and there is no broker that could keep it.
        """
        kept: KeyState = "session" if for_session else "set"
        try:
            if not for_session:
                keys.write(provider, key, hosts)
        except StorageError as error:
            if error.code != "no_keyring" or not self.is_open:
                raise
            kept = "session"
        finally:
            overwrite_freed_memory()
        if kept == "session":
            self.use_key(provider, key, hosts)
        self.note("key_set", host=" ".join(hosts), purpose=purpose, outcome=f"{provider}: {kept}")
        return kept

    def remove_key(
        self, provider: str, *, purpose: str, on_wait: Callable[[], None] | None = None
    ) -> None:
        """Remove a key, from the keyring and this session. Raises NotFound, StorageError.

        ``on_wait`` is called when the keyring seems to wait for its own password.
        """
        had_one = provider in self._session_keys
        if had_one:
            with contextlib.suppress(NetworkRefused):  # sealed: the broker ended with it
                self.use_key(provider, "", ())
            self._session_keys.pop(provider, None)
        try:
            keys.remove(provider, on_wait=on_wait)
        except NotFound:
            if not had_one:
                raise
        self.note("key_removed", purpose=purpose, outcome=provider)

    def key_states(self, providers: Mapping[str, Sequence[str]]) -> dict[str, KeyState]:
        """Whether there is a key for each provider and its hosts. Asks the keyring: may wait."""
        found = keys.states(providers)
        if self.is_open:
            for name, hosts in self._session_keys.items():
                if name in found and set(keys.bound_hosts(providers[name])) <= set(hosts):
                    found[name] = "session"
        return found

    def seal(self) -> int:
        """Seal the home at once, for all its programs; how many brokers were ended.

        Raises StorageError when that could not be stored; the connections are ended even so.
        """
        return self._switch().seal().brokers_ended

    def unseal(
        self,
        hosts: Sequence[str] = (),
        *,
        lan_hosts: Sequence[str] = (),
        add: bool = False,
        until: str | None = None,
    ) -> NetworkState:
        """Allow the model hub, or ``hosts`` and ``lan_hosts``; ``add`` keeps what is allowed.

        ``until``: when access ends by itself, see ``gate.network``.

        A program that started sealed stays sealed, and :meth:`status` says to restart it. One
        with a broker can reach added hosts at once, where :meth:`way_to` says so.
        """
        proxy = self.state.proxy  # a window cannot set one: what a command set stays
        return (
            self._switch()
            .unseal(os.environ, hosts=hosts, lan_hosts=lan_hosts, add=add, proxy=proxy, until=until)
            .state
        )

    def prove_broker(self) -> tuple[Probe, ...]:
        """Have this program's broker test its limits. Raises LockhouseError."""
        request = wire.ProveLimits(str(self._database.path))
        return self.ask(request, reply_type=wire.LimitsProved, purpose="self-test").rows

    def note(
        self, kind: RecordKind, *, host: str = "", purpose: str = "", outcome: str = ""
    ) -> None:
        """Write to the records. Raises StorageError."""
        self._records.note(kind, host=host, purpose=purpose, outcome=outcome)

    def _switch(self) -> Switch:
        def note(kind: RecordKind, outcome: str) -> None:
            with contextlib.suppress(StorageError):  # sealing must not fail because of it
                self._records.note(kind, purpose="window", outcome=outcome)

        assert self._brokers is not None, "only the gate of a workspace can switch"
        return Switch(self._network, self._brokers, note)

    # -- the broker --------------------------------------------------------------------------------

    def _way(self, state: NetworkState) -> Way:
        if state.problem:
            return "damaged"
        if self._channel is None:
            return "start_anew" if state.is_open else "sealed"
        if not state.is_open:
            return "sealed_meanwhile"
        if self._channel.is_alive:
            return "open"
        self._reap()
        return "broker_gone"

    def _begin(self, files: Sequence[int], purpose: str) -> Connection:
        if self._channel is None or not self.is_open:
            self._note_refusal(purpose, "sealed")
            raise self.why_closed()
        try:
            with self._network.path.open("rb") as state, self._lock:
                return self._channel.begin([state.fileno(), *files])
        except OSError as error:
            raise self._why_gone(purpose) from error

    def _follow(
        self, connection: Connection, cancel: CancelToken | None, event_type: Any, size: int
    ) -> Generator[Any, None, bytes]:
        """Read frames until the reply; its bytes. ``size`` is about what is sent."""
        decoder = None if event_type is None else decoder_of(event_type)
        tried: list[Record] = []
        with (
            self._under_way(size) as on_its_way,
            cancel_with(connection, cancel, has_begun=lambda: bool(tried)),
        ):
            while True:
                try:
                    self._wait_for(connection)
                    frame = connection.recv_bytes(wire.FRAME_BYTES)
                except (EOFError, OSError):
                    cut_off = self._cut_off(tried, size)
                    if cancel is not None and cancel.cancelled:
                        raise Cancelled from None
                    if cut_off is not None:
                        raise cut_off from None
                    raise
                kind, body = frame[:1], frame[1:]
                if kind == wire.EVENT and decoder is not None:
                    for event in decoder.decode_lines(body):
                        if cancel is None or not cancel.cancelled:
                            yield event
                elif kind == wire.REPLY:
                    return body
                elif kind == wire.FAILURE:
                    raise _error(body)
                elif kind == wire.ATTEMPT:
                    tried.append(decoded(body, Record))
                    on_its_way(tried[-1].kind == "allowed")
                    self._keep(tried[-1])

    def _wait_for(self, connection: Connection) -> None:
        """Until something comes. A broker may wait for long; one that hangs is ended."""
        unanswered = 0
        while not connection.poll(_SILENCE_S):
            unanswered = 0 if self._responds() else unanswered + 1
            if unanswered >= _MOST_UNANSWERED:
                self._end_broker()
                return

    def _responds(self) -> bool:
        """Whether the broker closes a connection on which nothing is asked, as it does at once."""
        assert self._channel is not None
        try:
            with self._lock:
                asked = self._channel.begin([])
        except OSError:
            return False
        with contextlib.closing(asked), contextlib.suppress(OSError):
            asked.send_bytes(b"?")
            return asked.poll(_SILENCE_S)
        return True  # closed already

    def _end_broker(self) -> None:
        assert self._channel is not None
        if self._channel.broker_pid:
            with contextlib.suppress(OSError):
                os.kill(self._channel.broker_pid, signal.SIGKILL)

    def _keep(self, record: Record) -> None:
        with self._lock:
            self.bytes_out += record.bytes_out
        try:
            self._records.add(record)
        except StorageError:
            if record.kind == "allowed":  # a request that cannot be recorded is ended
                raise

    @contextlib.contextmanager
    def _under_way(self, size: int) -> Iterator[Callable[[bool], None]]:
        """Counts a request from when it is allowed until the record says how much was sent."""
        counted = 0

        def count(is_under_way: bool) -> None:  # noqa: FBT001 - a switch
            nonlocal counted
            wanted = size if is_under_way else 0
            with self._lock:
                self._bytes_under_way += wanted - counted
            counted = wanted

        try:
            yield count
        finally:
            count(False)

    def _cut_off(self, tried: Sequence[Record], size: int) -> LockhouseError | None:
        """The error for a broker that ended while a host was asked: what was sent is not known.

        So it is recorded as sent. None where no host had been asked.
        """
        asked = [record for record in tried if record.kind == "allowed"]
        if not asked:
            return None
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        last = asked[-1]
        if tried[-1] is last:  # else its record of the transfer came before the end
            with contextlib.suppress(StorageError):  # the interruption itself must be reported
                self._keep(Record(at, "transfer", last.host, last.purpose, size, outcome=CUT_OFF))
        status = self.status()
        return NetworkRefused(
            f"{status.title}. This request was interrupted: what it sent may have arrived, and "
            "what came back is kept.",
            hint=status.what_to_do,
            code=CUT_OFF,
        )

    def _note_refusal(self, purpose: str, outcome: str) -> None:
        with contextlib.suppress(StorageError):  # the refusal itself must be reported
            self._records.note("refused", purpose=purpose, outcome=outcome)

    def _why_gone(self, purpose: str) -> LockhouseError:
        self._note_refusal(purpose, "sealed" if not self.state.is_open else "broker_gone")
        return self.why_closed()

    def _reap(self) -> None:
        """Reap an ended broker, which is a child of this program."""
        if self._channel is not None and self._channel.broker_pid:
            with contextlib.suppress(OSError):
                os.waitpid(self._channel.broker_pid, os.WNOHANG)


def _size_of(request: msgspec.Struct) -> int:
    """About how many bytes a request sends, without its headers."""
    body = getattr(request, "body", b"")
    return len(body) or len(msgspec.json.encode(request))


def _error(body: bytes) -> Exception:
    failure = decoded(body, wire.Failure)
    return Cancelled() if failure.code == "cancelled" else wire.error_of(failure)


_RESTART = "Restart this program."
_ALLOW = (
    "Allow it for model downloads: lockhouse unseal; for a provider: lockhouse unseal --for NAME"
)
_WORDS: dict[Way, tuple[str, str, str]] = {  # title, explanation, what to do
    "open": (
        "The network is open",
        "One process, the broker, can reach the hosts on the list. All others stay sealed.",
        "",
    ),
    "sealed": (
        "The network is sealed",
        "Nothing can leave this machine through Lockhouse.",
        f"{_ALLOW}. A window that is already running needs a restart.",
    ),
    "sealed_meanwhile": (
        "The network was sealed while this program was running",
        "The network process was ended, and with it every connection.",
        f"{_ALLOW}. Then restart this program.",
    ),
    "start_anew": (
        "Network access starts after a restart",
        "It was allowed after this program had started, and a sealed process stays sealed.",
        _RESTART,
    ),
    "broker_gone": (
        "The network process stopped",
        "It held every connection, so nothing can be reached.",
        "Restart Lockhouse.",
    ),
    "damaged": (
        "The network is sealed, because its settings cannot be read",
        "",
        "Write them again: lockhouse seal, or lockhouse unseal",
    ),
}


def _words(way: Way, state: NetworkState, names: Sequence[str]) -> tuple[str, str, str]:
    """Title, explanation, what to do."""
    title, explanation, what_to_do = _WORDS[way]
    if way == "open":
        from lockhouse.gate.host_names import sentence

        title = f"{title} for {sentence(names)}"
    return title, explanation or f"{state.problem}.", what_to_do
