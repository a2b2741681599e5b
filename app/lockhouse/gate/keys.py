"""Keys of hubs and providers, in the keyring of the system and nowhere else.

Never in a file, an argument, a variable or a log. A key is bound to the hosts that it was set
for: no request can send it to another. Backends that keep nothing, or keep it in plain text,
count as none: a key can then be used for the session of a running program only.

There are two entries for each provider: the key together with its hosts, which only the broker
reads, and the hosts alone, so that a listing brings no key into its process. Every call has a
time limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from lockhouse.core.errors import InvalidInput, NotFound, StorageError, UsageMistake
from lockhouse.gate import keyring_access as access
from lockhouse.gate.network import HUB_HOST, allows, host_pattern, split_host

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KeyState = Literal["set", "none", "locked", "no_keyring", "session", "silent"]

# What each state means, for listings and pages.
STATE_WORDS: Mapping[KeyState, str] = {
    "set": "in the keyring",
    "none": "none",
    "locked": "the keyring is locked",
    "no_keyring": "none: this system has no keyring",
    "session": "until this program ends",
    "silent": "the keyring does not answer",
}
HUGGINGFACE = "huggingface"
_SERVICE = "lockhouse"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_CHARACTERS = 4096
_ENTRY_VERSION = 2  # a bare key, from before keys had hosts, is the hub's


def backend_name() -> str:
    """The keyring in use; empty where there is none that is trusted.

    Raises StorageError when it does not answer.
    """
    return access.ask(access.name_of)


def read(provider: str, host: str) -> str | None:
    """The key that may go to ``host``; None where there is none for it.

    Called by the broker only. May ask the person to unlock the keyring.
    Raises StorageError when it is locked or does not answer.
    """
    name = checked_provider(provider)

    def find(backend: KeyringBackend | None) -> str | None:
        if backend is None or access.is_empty(backend):
            return None
        return backend.get_password(_SERVICE, name)

    kept = access.ask(find, limit_s=access.UNLOCK_S)
    if not kept:
        return None
    key, hosts = _decoded(name, kept)
    return _usable(name, key) if _is_for(hosts, host) else None


def write(
    provider: str, key: str, hosts: Iterable[str], *, on_wait: Callable[[], None] | None = None
) -> None:
    """Keep a key for ``hosts`` and for no others.

    ``on_wait`` is called when the keyring seems to wait for its own password.
    Raises StorageError without a keyring, InvalidInput for an invalid key.
    """
    name, key, bound = checked_provider(provider), checked(key), bound_hosts(hosts)

    def keep(backend: KeyringBackend | None) -> None:
        if backend is None:
            raise no_keyring()
        entry = {"version": _ENTRY_VERSION, "key": key, "hosts": bound}
        backend.set_password(_SERVICE, name, json.dumps(entry))
        backend.set_password(_SERVICE, _index(name), json.dumps(bound))

    access.ask(keep, limit_s=access.UNLOCK_S, on_wait=on_wait)


def remove(provider: str, *, on_wait: Callable[[], None] | None = None) -> None:
    """Remove a key; ``on_wait`` as for ``write``. Raises NotFound, StorageError."""
    name = checked_provider(provider)

    def forget(backend: KeyringBackend | None) -> bool:
        if backend is None:
            return False
        found = False
        for entry in (name, _index(name)):
            if access.holds(backend, _SERVICE, entry):
                backend.delete_password(_SERVICE, entry)
                found = True
        return found

    if not access.ask(forget, limit_s=access.UNLOCK_S, on_wait=on_wait):
        raise NotFound(f"There is no key for {provider}.")


def states(providers: Mapping[str, Iterable[str]]) -> dict[str, KeyState]:
    """Whether each has a key for its hosts; no key is read.

    ``session`` is added by the gate's client.
    """
    wanted = {checked_provider(name): tuple(hosts) for name, hosts in providers.items()}

    def find(backend: KeyringBackend | None) -> dict[str, KeyState]:
        if backend is None:
            return dict.fromkeys(wanted, "no_keyring")
        if access.is_empty(backend):
            return dict.fromkeys(wanted, "none")
        if access.is_locked(backend):
            return dict.fromkeys(wanted, "locked")
        return {name: _state(backend, name, hosts) for name, hosts in wanted.items()}

    try:
        return access.ask(find)
    except StorageError as error:
        known: Mapping[str, KeyState] = {"keyring_silent": "silent", "no_keyring": "no_keyring"}
        return dict.fromkeys(wanted, known.get(error.code, "locked"))


def hosts_of(provider: str) -> tuple[str, ...]:
    """The hosts that its key was set for; empty where there is no key. Raises StorageError."""
    name = checked_provider(provider)

    def find(backend: KeyringBackend | None) -> tuple[str, ...]:
        if backend is None or access.is_empty(backend):
            return ()
        return _kept_hosts(backend, name)

    return access.ask(find)


def checked(key: str) -> str:
    """The key without the white space around it. Raises InvalidInput."""
    key = key.strip()
    if not key:
        raise InvalidInput("The key is empty.")
    if len(key) > _MOST_CHARACTERS or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput("This is not a key: keys are one word of plain letters and digits.")
    return key


def checked_provider(provider: str) -> str:
    """The name, if it is a valid one. Raises NotFound."""
    if not _NAME.fullmatch(provider):
        raise NotFound(f"There is no provider {provider!r}.")
    return provider


def bound_hosts(hosts: Iterable[str]) -> list[str]:
    """Hosts in the form a key is bound to: exact, each with its port. Raises UsageMistake."""
    bound = list(dict.fromkeys(host_pattern(host) for host in hosts))
    if not bound or any(host.startswith("*") for host in bound):
        raise UsageMistake("A key needs exact hosts, without a star.")
    return bound


def require_keyring() -> None:
    """Raise StorageError where no key could be saved."""
    if not backend_name():
        raise no_keyring()


def no_keyring() -> StorageError:
    """The error for a key that cannot be saved."""
    return StorageError(
        "This system has no keyring that could keep the key safely, so it was not saved.",
        hint=f"Install gnome-keyring or KWallet and log in again. {access.FOR_ONE_SESSION}",
        code="no_keyring",
    )


def _state(backend: KeyringBackend, name: str, hosts: tuple[str, ...]) -> KeyState:
    kept = _kept_hosts(backend, name)
    return "set" if kept and all(_is_for(kept, host) for host in hosts) else "none"


def _kept_hosts(backend: KeyringBackend, name: str) -> tuple[str, ...]:
    """Read from the entry that holds no key."""
    if stored := backend.get_password(_SERVICE, _index(name)):
        return _hosts_in(stored)
    if name == HUGGINGFACE and access.holds(backend, _SERVICE, name):
        return (HUB_HOST,)
    return ()


def _index(name: str) -> str:
    return f"{name}/hosts"


def _hosts_in(stored: str) -> tuple[str, ...]:
    try:
        found = json.loads(stored)
    except ValueError:
        return ()
    return tuple(str(host) for host in found) if isinstance(found, list) else ()


def _decoded(name: str, kept: str) -> tuple[str, tuple[str, ...]]:
    """Key and hosts of an entry."""
    try:
        entry = json.loads(kept)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and entry.get("version") == _ENTRY_VERSION:
        hosts = entry.get("hosts")
        bound = hosts if isinstance(hosts, list) else ()
        return str(entry.get("key", "")), tuple(str(host) for host in bound)
    return kept, (HUB_HOST,) if name == HUGGINGFACE else ()


def _usable(name: str, key: str) -> str:
    """Check a key from the keyring before it is used in a request: any program may write there."""
    try:
        return checked(key)
    except InvalidInput as error:
        raise StorageError(
            f"The keyring holds an invalid key for {name}.",
            hint=f"Set it again: lockhouse keys set {name}",
            code="keyring_no_key",
        ) from error


def _is_for(hosts: Iterable[str], host: str) -> bool:
    name, port = split_host(host_pattern(host))
    return allows(hosts, name, port)
