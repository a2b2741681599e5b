"""``lockhouse seal`` and ``unseal``: what may leave this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.core.errors import LockhouseError, UsageMistake
from lockhouse.gate.network import Network, NetworkState
from lockhouse.gate.network_switch import Switch
from lockhouse.gate.running_brokers import Brokers

if TYPE_CHECKING:
    from lockhouse.gate.host_names import Hosts
    from lockhouse.gate.protocol import RecordKind


@click.command(short_help="Seal the network: nothing leaves.")
@as_json
@pass_door
def seal(door: CliContext, *, is_json: bool) -> None:
    """Seal the network, at once, for running windows and commands too."""
    switched = _switch(door).seal()
    ended = switched.brokers_ended
    if is_json:
        output.write_json({**describe(switched.state), "brokers_ended": ended})
        return
    output.note("Sealed: nothing leaves this machine through Lockhouse.")
    if ended:
        programs = "one running program" if ended == 1 else f"{ended} running programs"
        output.note(f"The connections of {programs} were ended.")


@click.command(short_help="Open the network for listed hosts.")
@click.option(
    "--for",
    "names",
    multiple=True,
    metavar="NAME",
    help="Open it for this provider or server, by name; hub is the model hub. Repeatable.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Open this host (port 443 unless given; *.example.org works). Repeatable.",
)
@click.option("--add", is_flag=True, help="Keep what is open already.")
@click.option(
    "--lan",
    is_flag=True,
    help="The hosts named must be this machine or in its network, by whatever name.",
)
@click.option("--proxy", default="", metavar="URL", help="The only way out: http://HOST:PORT.")
@as_json
@pass_door
def unseal(
    door: CliContext,
    *,
    names: tuple[str, ...],
    hosts: tuple[str, ...],
    add: bool,
    lan: bool,
    proxy: str,
    is_json: bool,
) -> None:
    """Open the network for listed hosts, and for nothing else.

    Without --for and --host: the model hub, so that models can be downloaded, or the mirror
    that HF_ENDPOINT names. A process that started sealed stays sealed: a running window must be
    started anew.
    """
    if lan and not hosts:
        raise UsageMistake(
            "--lan opens no host by itself.",
            hint="Name one: unseal --lan --host 192.168.1.20:8080",
        )
    far, near = ((), hosts) if lan else (hosts, ())
    if names:
        named = _named(door, names)
        far, near = (*named.hosts, *far), (*named.lan_hosts, *near)
    switched = _switch(door).unseal(os.environ, hosts=far, lan_hosts=near, add=add, proxy=proxy)
    if is_json:
        told = {**describe(switched.state), "brokers_ended": switched.brokers_ended}
        output.write_json(told)
    else:
        _tell_opened(switched.state, switched.brokers_ended)


def _named(door: CliContext, names: tuple[str, ...]) -> Hosts:
    from lockhouse.gate.host_names import hosts_for
    from lockhouse.gate.providers import Providers

    with door.database() as database:
        return hosts_for(names, Providers(database), os.environ)


def _tell_opened(state: NetworkState, ended: int) -> None:
    output.note("Open: one process, the broker, may now connect to")
    for host in state.hosts:
        output.note(f"  {host}")
    for host in state.lan_hosts:
        output.note(f"  {host} (only as an address of the local network)")
    if state.lan:
        output.note("and only where these are addresses of the local network.")
    if state.proxy:
        output.note(f"through the proxy {state.proxy}, and in no other way.")
    output.note(
        "Nothing else may be reached, and every other process stays sealed. Commands that start"
        " from now on can use it; a window that was started sealed must be started anew."
    )
    if ended:
        output.note("What ran under the earlier list was ended.")
    output.note("Close it again: lockhouse seal")


def describe(state: NetworkState) -> dict[str, Any]:
    """The state of the network as JSON."""
    return {
        "mode": state.mode,
        "hosts": list(state.hosts),
        "lan_hosts": list(state.lan_hosts),
        "since": state.since or None,
        "lan": state.lan,
        "endpoint": state.endpoint or None,
        "proxy": state.proxy or None,
        "problem": state.problem or None,
    }


def _switch(door: CliContext) -> Switch:
    paths = door.paths()

    def note(kind: RecordKind, outcome: str) -> None:
        """A database that is unusable must not stand in the way of sealing."""
        from lockhouse.gate.records import Records

        try:
            with door.database() as database:
                Records(database).note(kind, purpose="command", outcome=outcome)
        except LockhouseError as error:
            output.note(f"note: this could not be recorded: {error.message}")

    return Switch(Network(paths.network), Brokers(paths.run), note)
