"""``lockhouse keys``: keys of providers and of the model hub, in the system's keyring."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.core.errors import StorageError
from lockhouse.gate import host_names
from lockhouse.gate import keys as kept_keys
from lockhouse.gate.broker_launch import inherited_channel
from lockhouse.gate.client import GateClient
from lockhouse.gate.keys import HUGGINGFACE, STATE_WORDS, KeyState
from lockhouse.gate.network import Network
from lockhouse.gate.running_brokers import Brokers

if TYPE_CHECKING:
    from lockhouse.gate.providers import Providers

_PURPOSE = "command"
_HUB_TITLE = "Hugging Face, for gated and private models"


@click.group(short_help="Keep keys in the system's keyring.")
def keys() -> None:
    """Keys of providers and of the model hub, kept in the system's keyring and nowhere else.

    A key goes to the hosts of its provider and to no others.
    """


@keys.command("set")
@click.argument("provider")
@as_json
@pass_door
def set_key(door: CliContext, provider: str, *, is_json: bool) -> None:
    """Keep a key, read from a prompt or from standard input; never given as an argument."""
    with _gate(door) as (gate, providers):
        hosts = host_names.key_hosts(provider, providers, gate.state, os.environ)
        if sys.stdin.isatty():  # before anybody types one
            kept_keys.require_keyring()
        kept_keys.write(provider, read_key(provider), hosts, on_wait=_tell_waiting)
        gate.note("key_set", host=" ".join(hosts), purpose=_PURPOSE, outcome=f"{provider}: set")
    backend = kept_keys.backend_name()
    if is_json:
        output.write_json({"provider": provider, "keyring": backend, "hosts": list(hosts)})
    else:
        output.note(f"The key for {provider} is in the keyring ({backend}).")
        output.note(f"It will go to {' and '.join(hosts)} and to nobody else.")


@keys.command("list")
@as_json
@pass_door
def list_keys(door: CliContext, *, is_json: bool) -> None:
    """Show for which providers there is a key. Keys themselves are never shown."""
    with _gate(door) as (gate, providers):
        wanted = {HUGGINGFACE: host_names.key_hosts(HUGGINGFACE, providers, gate.state, os.environ)}
        titles = {HUGGINGFACE: _HUB_TITLE}
        for provider in providers.list():
            if provider.key != "none":
                wanted[provider.name], titles[provider.name] = provider.hosts, provider.title
        states = kept_keys.states(wanted)
    backend = _backend_name()
    if is_json:
        output.write_json(
            [
                {
                    "provider": name,
                    "title": titles[name],
                    "set": states[name] == "set",
                    "state": states[name],
                    "hosts": list(hosts),
                    "keyring": backend or None,
                }
                for name, hosts in wanted.items()
            ]
        )
        return
    output.write_table(
        ("PROVIDER", "KEY", "FOR"),
        [(name, _word(states[name]), titles[name]) for name in wanted],
    )
    _tell_keyring(backend, states[HUGGINGFACE])


@keys.command("test")
@click.argument("provider")
@as_json
@pass_door
def test_key(door: CliContext, provider: str, *, is_json: bool) -> None:
    """Ask the provider for its list of models with the key. Costs nothing."""
    from lockhouse.gate.key_test import try_hub_key, try_key

    with _gate(door) as (gate, providers):
        if provider == HUGGINGFACE:
            hosts = host_names.key_hosts(provider, providers, gate.state, os.environ)
            tried = try_hub_key(gate, hosts)
        else:
            tried = try_key(gate, providers.get(provider))
    if is_json:
        output.write_json(
            {
                "provider": provider,
                "works": True,
                "host": tried.host,
                "models": tried.models if provider != HUGGINGFACE else None,
            }
        )
    else:
        count = f", which lists {tried.models} models" if tried.models else ""
        output.note(f"The key for {provider} works at {tried.host}{count}.")


@keys.command("remove")
@click.argument("provider")
@as_json
@pass_door
def remove_key(door: CliContext, provider: str, *, is_json: bool) -> None:
    """Remove a key from the keyring."""
    with _gate(door) as (gate, _):
        gate.remove_key(provider, purpose=_PURPOSE, on_wait=_tell_waiting)
    if is_json:
        output.write_json({"provider": provider, "removed": True})
    else:
        output.note(f"The key for {provider} was removed.")


def read_key(provider: str) -> str:
    """A key from a prompt that shows nothing, or the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(f"Key for {provider}", hide_input=True, err=True))
    return sys.stdin.readline(8192)


def _tell_waiting() -> None:
    output.note("Waiting for the keyring to be unlocked: it asks for its password in a window…")


@contextmanager
def _gate(door: CliContext) -> Iterator[tuple[GateClient, Providers]]:
    """The gate and the providers alone: without the engine's world they open in no time."""
    from lockhouse.gate.providers import Providers

    paths = door.paths()
    with door.database() as database:
        network = Network(paths.network)
        gate = GateClient(network, database, inherited_channel(), Brokers(paths.run))
        yield gate, Providers(database)


def _word(state: KeyState) -> str:
    return "set" if state == "set" else "none" if state == "no_keyring" else STATE_WORDS[state]


def _backend_name() -> str:
    try:
        return kept_keys.backend_name()
    except StorageError:  # the table says so already
        return ""


def _tell_keyring(backend: str, state: KeyState) -> None:
    if backend:
        output.note(f"Keys are kept in the keyring of this system ({backend}).")
    elif state == "no_keyring":
        missing = kept_keys.no_keyring()
        output.note("This system has no keyring that keeps keys safely, so none can be kept.")
        output.note(missing.hint)
