"""Tests whether a key works, through the broker and at no cost.

A provider is asked for its list of models, the hub for the account of the key.
"""

from __future__ import annotations

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, NetworkRefused, NotFound, StorageError
from lockhouse.gate.client import GateClient
from lockhouse.gate.hub_requests import CheckHubKey
from lockhouse.gate.keys import HUGGINGFACE, STATE_WORDS
from lockhouse.gate.network import host_of
from lockhouse.gate.protocol import Done
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import ListedModels, ListModels

PURPOSE = "key test"
_HUB_TITLE = "the model hub"
# Errors of one of several equal servers, not of the key.
_OF_THE_SERVER = ("connection_refused", "timed_out", "dns", "connection_lost", "overloaded", "tls")


class KeyTestResult(msgspec.Struct, frozen=True):
    """The key was accepted. ``models`` is the length of the list; 0 for the hub, which has none."""

    provider: str
    title: str
    host: str
    models: int = 0


def try_key(
    gate: GateClient, provider: Provider, *, cancel: CancelToken | None = None
) -> KeyTestResult:
    """Test the key of a provider. Raises LockhouseError: no key, sealed, the provider's error.

    May wait for the keyring and for the provider.
    """
    _require(gate, provider.name, provider.title, provider.hosts)
    host, count = _first_that_answers(gate, provider, cancel)
    gate.note("key_tested", host=host, purpose=PURPOSE, outcome=f"{provider.name}: ok")
    return KeyTestResult(provider.name, provider.title, host, count)


def try_hub_key(gate: GateClient, hosts: tuple[str, ...]) -> KeyTestResult:
    """Test the key of the hub."""
    _require(gate, HUGGINGFACE, _HUB_TITLE, hosts)
    try:
        gate.ask(CheckHubKey(), reply_type=Done, purpose=PURPOSE)
    except LockhouseError as error:
        gate.note("key_tested", host=hosts[0], purpose=PURPOSE, outcome=f"hub: {error.code}")
        raise
    gate.note("key_tested", host=hosts[0], purpose=PURPOSE, outcome="hub: ok")
    return KeyTestResult(HUGGINGFACE, _HUB_TITLE, hosts[0])


def _first_that_answers(
    gate: GateClient, provider: Provider, cancel: CancelToken | None
) -> tuple[str, int]:
    last: LockhouseError | None = None
    for endpoint in provider.endpoints:
        host = host_of(endpoint)
        request = ListModels(
            provider.name, provider.dialect, endpoint, key=provider.name, title=provider.title
        )
        try:
            found = gate.ask(
                request,
                reply_type=ListedModels,
                cancel=cancel,
                purpose=PURPOSE,
                near=provider.near_hosts,
            )
        except LockhouseError as error:
            outcome = f"{provider.name}: {error.code}"
            gate.note("key_tested", host=host, purpose=PURPOSE, outcome=outcome)
            if error.code not in _OF_THE_SERVER:
                raise
            last = error
        else:
            return host, len(found.models)
    assert last is not None, "a provider has an address"
    raise last


def _require(gate: GateClient, name: str, title: str, hosts: tuple[str, ...]) -> None:
    """Raise LockhouseError where there is no key, or its hosts cannot be reached."""
    state = gate.key_states({name: hosts})[name]
    if state in ("locked", "silent"):
        raise StorageError(
            f"The key for {title} cannot be read: {STATE_WORDS[state]}.",
            hint="Unlock the keyring, then try again.",
            code=f"keyring_{state}",
        )
    if state not in ("set", "session"):
        raise NotFound(
            f"There is no key for {title} that may go to {' or '.join(hosts)}.",
            hint=f"Save one: lockhouse keys set {name}",
            code="no_key",
        )
    way = gate.way_to(hosts)
    if way == "not_listed":
        raise NetworkRefused(
            f"Network access is allowed, but not to {title}, so the key was not tested.",
            hint=f"Allow {title} as well: lockhouse unseal --add --for {name}",
            code="host_not_allowed",
        )
    if way in ("sealed", "sealed_meanwhile", "damaged"):
        closed = gate.why_closed()
        closed.hint = f"Allow {title} only: lockhouse unseal --for {name}"
        raise closed
    if way != "open":
        raise gate.why_closed()
