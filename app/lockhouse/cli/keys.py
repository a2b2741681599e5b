"""``lockhouse keys``: API keys of providers and of the model hub, in the system keyring."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.completion import providers_here
from lockhouse.cli.context import CliContext, as_json
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


@click.group()
def keys() -> None:
    """Store API keys of providers and of the model hub in the system keyring, and nowhere else.

    A key is sent only to the hosts of its provider.
    """


@keys.command("set", short_help="Save a key.")
@click.argument("provider", shell_complete=providers_here)
@as_json
def set_key(cli: CliContext, provider: str) -> None:
    """Save the key of PROVIDER, read from a prompt or standard input, never from an argument."""
    with _gate(cli) as (gate, providers):
        hosts = host_names.key_hosts(provider, providers, gate.state, os.environ)
        if sys.stdin.isatty():  # before the user types one
            kept_keys.require_keyring()
        kept_keys.write(provider, read_key(provider), hosts, on_wait=_note_waiting)
        gate.note("key_set", host=" ".join(hosts), purpose=_PURPOSE, outcome=f"{provider}: set")
    backend = kept_keys.backend_name()
    output.write_result(
        {"provider": provider, "keyring": backend, "hosts": list(hosts)},
        f"The key for {provider} was saved in the keyring ({backend}).\n"
        f"It is sent only to {' and '.join(hosts)}.",
    )


@keys.command("list", short_help="List which keys are saved.")
@as_json
def list_keys(cli: CliContext) -> None:
    """List for which providers a key is saved. Keys are never shown."""
    with _gate(cli) as (gate, providers):
        wanted = {HUGGINGFACE: host_names.key_hosts(HUGGINGFACE, providers, gate.state, os.environ)}
        titles = {HUGGINGFACE: _HUB_TITLE}
        for provider in providers.list():
            if provider.key != "none":
                wanted[provider.name], titles[provider.name] = provider.hosts, provider.title
        states = kept_keys.states(wanted)
    backend = _backend_name()
    listed = [
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
    if output.write_list(
        [*wanted],
        ("PROVIDER", "KEY", "FOR"),
        lambda name: (name, _state_text(states[name]), titles[name]),
        json_value=listed,
    ):
        _note_keyring(backend, states[HUGGINGFACE])


@keys.command("test", short_help="Check that a key works.")
@click.argument("provider", shell_complete=providers_here)
@as_json
def test_key(cli: CliContext, provider: str) -> None:
    """Check the key of PROVIDER by listing its models, which is free."""
    from lockhouse.gate.key_test import try_hub_key, try_key

    with _gate(cli) as (gate, providers):
        if provider == HUGGINGFACE:
            hosts = host_names.key_hosts(provider, providers, gate.state, os.environ)
            tried = try_hub_key(gate, hosts)
        else:
            tried = try_key(gate, providers.get(provider))
    result = {
        "provider": provider,
        "works": True,
        "host": tried.host,
        "models": tried.models if provider != HUGGINGFACE else None,
    }
    count = f", which lists {output.count(tried.models, 'model')}" if tried.models else ""
    output.write_result(result, f"The key for {provider} works at {tried.host}{count}.")


@keys.command("remove", short_help="Remove a key.")
@click.argument("provider", shell_complete=providers_here)
@as_json
def remove_key(cli: CliContext, provider: str) -> None:
    """Remove the key of PROVIDER from the keyring."""
    with _gate(cli) as (gate, _):
        gate.remove_key(provider, purpose=_PURPOSE, on_wait=_note_waiting)
    text = f"The key for {provider} was removed."
    output.write_result({"provider": provider, "removed": True}, text)


def read_key(provider: str) -> str:
    """A key from a hidden prompt, or the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(f"Key for {provider}", hide_input=True, err=True))
    return sys.stdin.readline(8192)


def _note_waiting() -> None:
    output.note("Waiting for the keyring to be unlocked. It asks for its password in a window…")


@contextmanager
def _gate(cli: CliContext) -> Iterator[tuple[GateClient, Providers]]:
    """Open the gate and the providers alone, which is fast."""
    from lockhouse.gate.providers import Providers

    paths = cli.paths
    with cli.database() as database:
        network = Network(paths.network)
        gate = GateClient(network, database, inherited_channel(), Brokers(paths.run))
        yield gate, Providers(database)


def _state_text(state: KeyState) -> str:
    return "set" if state == "set" else "none" if state == "no_keyring" else STATE_WORDS[state]


def _backend_name() -> str:
    try:
        return kept_keys.backend_name()
    except StorageError as error:
        if error.code == "no_keyring":  # one was chosen that does not exist
            output.note(f"note: {error.message} {error.hint}")
        return ""  # the table shows the rest already


def _note_keyring(backend: str, state: KeyState) -> None:
    if backend:
        output.note(f"Keys are stored in the keyring of this system ({backend}).")
    elif state == "no_keyring":
        missing = kept_keys.no_keyring()
        output.note("This system has no secure keyring, so keys cannot be saved.")
        output.note(missing.hint)
