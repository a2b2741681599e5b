"""The network policy of a home: sealed or open, and for which hosts. Stored in ``network.json``.

Sealed is the state of a new home, of a missing file and of a damaged one, which is reported. The
launcher reads it before it seals itself, so this module is small and uses the standard library
only.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from lockhouse import processes
from lockhouse.core.errors import StorageError, UsageMistake

Mode = Literal["sealed", "open"]

HUB_ENDPOINT = "https://huggingface.co"
HUB_HOST = "huggingface.co:443"
_HUB_HOSTS = (HUB_HOST, "*.huggingface.co:443", "*.hf.co:443")
_ENCRYPTED_PORT = 443
_VERSION = 1
_PROCESS = "process:"
_MOST_BYTES = 1 << 16
_NEAR = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_DAMAGED = (ValueError, TypeError, KeyError, RecursionError, UsageMistake)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The policy. ``hosts`` are ``host:port``, exact or ``*.suffix:port``.

    ``lan_hosts`` are further ones that must be this machine or in a private network, whatever
    their names resolve to; keys may be sent to them unencrypted. ``lan``, in older files, makes
    that hold for all hosts. ``endpoint``: the hub or its mirror. ``proxy``: used for every
    connection, where one is set. ``problem``: why the file could not be used; it is sealed then.
    ``until``: when access ends by itself, as :func:`at_time` and :func:`with_process` write it.
    """

    mode: Mode = "sealed"
    hosts: tuple[str, ...] = ()
    since: str = ""
    lan: bool = False
    endpoint: str = ""
    proxy: str = ""
    problem: str = ""
    lan_hosts: tuple[str, ...] = ()
    until: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it was allowed for a time only, which is over."""
        return self.mode == "open" and is_over(self.until)

    def in_force(self) -> NetworkState:
        """The same, or sealed once its time is over."""
        if not self.has_ended:
            return self
        return replace(self, mode="sealed", hosts=(), lan_hosts=(), lan=False)

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """Both lists."""
        return (*self.hosts, *self.lan_hosts)

    def must_be_near(self, host: str, port: int) -> bool:
        """Whether ``host`` must be this machine or in a private network."""
        return self.lan or allows(self.lan_hosts, host, port)

    @property
    def is_open(self) -> bool:
        """Whether any host is allowed."""
        return self.mode == "open"


class Network:
    """The file of one home. Cheap to call often: the file is read only when it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # What was read, with the signature of the file: one value, so that threads never pair the
        # state of one reading with the signature of another.
        self._known: tuple[tuple[int, int, int], NetworkState] | None = None

    def state(self) -> NetworkState:
        """The policy for programs that start now."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return NetworkState()
        except OSError as error:
            return NetworkState(problem=f"{self.path} cannot be read: {error.strerror}")
        if not stat.S_ISREG(found.st_mode):  # reading a pipe could wait for ever
            return NetworkState(problem=f"{self.path} is not a file")
        signature = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known
        if known is None or known[0] != signature:
            self._known = known = (signature, self._read())
        return known[1].in_force()

    @property
    def has_ended(self) -> bool:
        """Whether access was allowed for a time that is over, and nobody has sealed it since."""
        self.state()
        return self._known is not None and self._known[1].has_ended

    def seal(self) -> NetworkState:
        """Allow no host any more. Ends no broker: see ``gate.network_switch``."""
        before = self.state()
        try:
            return self._write(
                replace(
                    before, mode="sealed", hosts=(), lan_hosts=(), lan=False, until="", problem=""
                )
            )
        except StorageError:  # a full disk: a missing file is sealed too, and needs no space
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                pass
            else:
                return self.state()
            raise

    def open(
        self,
        hosts: Iterable[str],
        *,
        lan_hosts: Iterable[str] = (),
        lan: bool = False,
        endpoint: str = "",
        proxy: str = "",
        until: str = "",
    ) -> NetworkState:
        """Allow these hosts and no others. A host on both lists must be near."""
        near = tuple(dict.fromkeys(_near_pattern(host) for host in lan_hosts))
        patterns = dict.fromkeys(host_pattern(host) for host in hosts)
        listed = tuple(host for host in patterns if host not in near)
        if not listed and not near:
            raise UsageMistake("No host was given, so there is nothing to allow.")
        return self._write(
            NetworkState(
                "open",
                listed,
                lan=lan,
                endpoint=endpoint,
                proxy=proxy_url(proxy),
                lan_hosts=near,
                until=until,
            )
        )

    def _read(self) -> NetworkState:
        try:
            with self.path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            return _decoded(data)
        except OSError as error:
            return NetworkState(problem=f"{self.path} cannot be read: {error.strerror}")
        except _DAMAGED as error:
            return NetworkState(problem=f"{self.path} is damaged ({error})")

    def _write(self, state: NetworkState) -> NetworkState:
        state = replace(state, since=datetime.now(UTC).isoformat(timespec="seconds"))
        stored = {"version": _VERSION, **asdict(state)}
        del stored["problem"]
        writer = f"{os.getpid()}-{threading.get_ident()}"
        temporary = self.path.with_name(f"{self.path.name}.{writer}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(stored, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise StorageError(
                f"The state of the network could not be written to {self.path}: {error.strerror}.",
                hint="Check that its folder is there, writable and not on a full disk.",
                code="network_not_written",
            ) from error
        self._known = None
        return self.state()


def state_in(fd: int) -> NetworkState:
    """The policy in an open file; sealed, with the reason, when it is damaged."""
    try:
        return _decoded(os.pread(fd, _MOST_BYTES + 1, 0)).in_force()
    except (OSError, *_DAMAGED) as error:
        return NetworkState(problem=f"it is damaged ({error})")


def _decoded(data: bytes) -> NetworkState:
    if len(data) > _MOST_BYTES:
        raise ValueError("it is too long")
    stored = json.loads(data)
    if not isinstance(stored, dict) or stored.get("version") != _VERSION:
        raise ValueError("it has another version")
    mode, hosts, lan = stored["mode"], stored["hosts"], stored["lan"]
    words = {name: stored.get(name, "") for name in ("since", "endpoint", "proxy", "until")}
    if mode not in ("sealed", "open") or not isinstance(lan, bool):
        raise ValueError("its mode is unknown")
    if not all(isinstance(word, str) for word in words.values()):
        raise ValueError("one of its values is not text")
    listed, near = _listed(hosts), _listed(stored.get("lan_hosts", []))
    if mode == "open" and not listed and not near:
        raise ValueError("it is open without a host")
    return NetworkState(
        mode,
        listed,
        words["since"],
        lan,
        hub_endpoint({"HF_ENDPOINT": words["endpoint"]}),
        proxy_url(words["proxy"]),
        lan_hosts=near,
        until=words["until"],
    )


# --- for a time ----------------------------------------------------------------------------


def at_time(moment: datetime) -> str:
    """Until that moment."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def with_process(pid: int, birth: float) -> str:
    """Until that process has ended."""
    return f"{_PROCESS}{pid}:{birth!r}"


def ends_with_process(until: str) -> bool:
    """Whether it is a process that it ends with."""
    return until.startswith(_PROCESS)


def is_over(until: str) -> bool:
    """Whether such a time has come. One that cannot be read has; "" never comes."""
    if not until:
        return False
    try:
        if ends_with_process(until):
            pid, _, birth = until.removeprefix(_PROCESS).partition(":")
            return not processes.is_alive(int(pid), float(birth))
        return datetime.now(UTC) >= datetime.fromisoformat(until)
    except (ValueError, TypeError, OverflowError):
        return True


def _listed(hosts: object) -> tuple[str, ...]:
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise ValueError("its hosts are not a list of names")
    return tuple(host_pattern(host) for host in hosts)


# --- hosts ---------------------------------------------------------------------------------


def hub_hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where models are downloaded from: the hub and where it redirects to, or its mirror.

    A mirror set in HF_ENDPOINT replaces the hub, whose own hosts are then not allowed.
    """
    endpoint = hub_endpoint(environment)
    if not endpoint:
        return _HUB_HOSTS
    return (host_of(endpoint),)


def hosts_of(endpoints: Iterable[str]) -> tuple[str, ...]:
    """The hosts behind base addresses, each with its port. Raises UsageMistake."""
    return tuple(dict.fromkeys(host_of(endpoint) for endpoint in endpoints))


def host_of(url: str) -> str:
    """``host:port`` of an address, in the form of the list of hosts. Raises UsageMistake."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageMistake(
            f"{url!r} is not the address of a server.",
            hint="Write it as http://HOST:PORT/v1 or https://HOST/v1.",
        )
    return host_pattern(_netloc(parts.hostname, _port_of(url)))


def hub_key_hosts(state: NetworkState, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where the hub's key may go: to the hub, or to the mirror that replaces it."""
    return hosts_of([state.endpoint or hub_endpoint(environment) or HUB_ENDPOINT])


def hub_endpoint(environment: Mapping[str, str]) -> str:
    """The mirror set in HF_ENDPOINT; empty for the hub itself. Raises UsageMistake."""
    endpoint = environment.get("HF_ENDPOINT", "").strip().rstrip("/")
    if not endpoint or endpoint == HUB_ENDPOINT:
        return ""
    parts = split_url(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageMistake(
            f"HF_ENDPOINT is {endpoint!r}, which is not the address of a hub.",
            hint="Write it as https://HOST or http://HOST:PORT, without a name or password.",
        )
    return endpoint


def proxy_url(text: str) -> str:
    """A proxy in its stored form; empty for none. Raises UsageMistake."""
    if not text:
        return ""
    parts = split_url(text)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageMistake(
            f"{text!r} is not the address of a proxy.", hint="Write it as http://HOST:PORT."
        )
    if parts.username or parts.password:
        raise UsageMistake(
            "A proxy with a password is not supported.",
            hint="Use a proxy that knows this machine by its address.",
        )
    return f"{parts.scheme}://{_netloc(parts.hostname, _port_of(text))}"


def host_pattern(text: str, *, port: int = 443) -> str:
    """``HOST[:PORT]`` in its stored form: lower case, with its port. Raises UsageMistake."""
    if text.count("[") != text.count("]"):
        raise _no_host(text)
    name, given = _split(text.strip().lower())
    if given:
        if not given.isascii() or not given.isdecimal() or not 0 < int(given) < 65536:
            raise _no_host(text)
        port = int(given)
    return _netloc(_checked_name(name, text), port)


def _near_pattern(text: str) -> str:
    """The same for a host of the local network, which excludes addresses outside of it."""
    pattern = host_pattern(text)
    name, _ = split_host(pattern)
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        if not is_near(name):
            raise UsageMistake(
                f"{name} is not an address of this machine or of a private network.",
                hint="If you mean a host of the internet, leave out --lan.",
            )
    return pattern


def allows(hosts: Iterable[str], host: str, port: int) -> bool:
    """Whether a connection to ``host`` at ``port`` is on the list."""
    name = host.lower().rstrip(".")
    if ":" in name:
        with contextlib.suppress(ValueError):
            name = str(ipaddress.ip_address(name.strip("[]")))
    for listed in hosts:
        pattern, listed_port = _split(listed)
        if int(listed_port) != port:
            continue
        if pattern == name or (pattern.startswith("*.") and name.endswith(pattern[1:])):
            return True
    return False


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine itself, by its name or its number."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_near(number: str) -> bool:
    """Whether an address belongs to this machine or to a private network; 0.0.0.0 does not."""
    try:
        address = ipaddress.ip_address(number.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 address written as IPv6
    return any((mapped or address) in network for network in _NEAR)


def reachable_ports(state: NetworkState) -> tuple[int, ...]:
    """The ports that a broker started now may connect to for as long as it runs.

    Those on the list, and that of encrypted connections, so that a provider can be added later;
    or the proxy's alone.
    """
    if state.proxy:
        return (split_host(state.proxy.removeprefix("http://"))[1],)
    return tuple(sorted({_ENCRYPTED_PORT, *(split_host(host)[1] for host in state.all_hosts)}))


def split_host(listed: str) -> tuple[str, int]:
    """Name and port of a host in its stored form."""
    name, port = _split(listed)
    return name, int(port)


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    if text.count(":") > 1:  # an IPv6 address without brackets
        return text, ""
    name, _, port = text.partition(":")
    return name, port


def _checked_name(name: str, text: str) -> str:
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name))
    wild, bare = name.startswith("*."), name.removeprefix("*.").rstrip(".")
    try:
        bare = bare.encode("idna").decode("ascii") if not bare.isascii() else bare
    except UnicodeError as error:
        raise _no_host(text) from error
    labels = bare.split(".")
    if len(bare) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _no_host(text)
    if wild and (len(labels) < 2 or labels[-1].isdecimal()):
        raise UsageMistake(
            f"{text!r} would allow a whole top-level domain.",
            hint="Give at least two parts after the star: *.example.org",
        )
    return f"*.{bare}" if wild else bare


def _no_host(text: str) -> UsageMistake:
    return UsageMistake(
        f"{text!r} is not a valid host.", hint="Write HOST or HOST:PORT, such as example.org:8080."
    )


def _netloc(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def split_url(url: str) -> SplitResult:
    """The parts of an address; all empty where it is invalid."""
    try:
        return urlsplit(url)
    except ValueError:  # half an IPv6 address
        return urlsplit("")


def _port_of(url: str) -> int:
    parts = split_url(url)
    try:
        return parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError as error:
        raise UsageMistake(f"{url!r} has an invalid port.") from error
