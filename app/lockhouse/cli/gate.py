"""``lockhouse seal`` and ``unseal``: network access."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import LockhouseError, UsageMistake
from lockhouse.gate.network import Network, NetworkState, at_time
from lockhouse.gate.network_switch import Switch
from lockhouse.gate.running_brokers import Brokers

if TYPE_CHECKING:
    from lockhouse.gate.host_names import Hosts
    from lockhouse.gate.protocol import RecordKind


@click.command()
@as_json
def seal(cli: CliContext) -> None:
    """Block all network access at once, also for running windows and commands."""
    switched = _switch(cli).seal()
    ended = switched.brokers_ended
    text = "Sealed: Lockhouse sends nothing from this machine."
    if ended:
        programs = output.count(ended, "running program")
        text += f"\nThe connections of {programs} were closed."
    output.write_result({**describe(switched.state), "brokers_ended": ended}, text)


@click.command()
@click.option(
    "--for",
    "names",
    multiple=True,
    metavar="NAME",
    help="Allow this provider or server, by name; hub is the model hub. Repeatable.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Allow this host (default port 443; *.example.org works). Repeatable.",
)
@click.option("--add", is_flag=True, help="Keep the hosts that are already allowed.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 24 * 365, min_open=True),
    metavar="N",
    help="Seal by itself after that many hours.",
)
@click.option(
    "--lan",
    is_flag=True,
    help="The hosts must be this machine or in its local network.",
)
@click.option(
    "--proxy", default="", metavar="URL", help="Connect only through this proxy: http://HOST:PORT."
)
@as_json
def unseal(
    cli: CliContext,
    *,
    names: tuple[str, ...],
    hosts: tuple[str, ...],
    add: bool,
    lan: bool,
    proxy: str,
    hours: float | None,
) -> None:
    """Allow network access to listed hosts, and to nothing else.

    Without --for and --host: the model hub, so that models can be downloaded, or the mirror
    that HF_ENDPOINT names. A process that started sealed stays sealed: restart a running window.
    """
    if lan and not hosts:
        raise UsageMistake(
            "--lan allows no host by itself.",
            hint="Name one: unseal --lan --host 192.168.1.20:8080",
        )
    far, near = ((), hosts) if lan else (hosts, ())
    if names:
        named = _named(cli, names)
        far, near = (*named.hosts, *far), (*named.lan_hosts, *near)
    before = Network(cli.paths.network).state()
    until = at_time(datetime.now(UTC) + timedelta(hours=hours)) if hours else None
    switched = _switch(cli).unseal(
        os.environ, hosts=far, lan_hosts=near, add=add, proxy=proxy, until=until
    )
    state, ended = switched.state, switched.brokers_ended
    result = {**describe(state), "brokers_ended": ended}
    output.write_result(result, "\n".join(_changes(before, state, ended)))


def _named(cli: CliContext, names: tuple[str, ...]) -> Hosts:
    from lockhouse.gate.host_names import hosts_for
    from lockhouse.gate.providers import Providers

    with cli.database() as database:
        return hosts_for(names, Providers(database), os.environ)


def _changes(before: NetworkState, state: NetworkState, ended: int) -> Iterator[str]:
    """What unsealing has changed, in lines."""
    yield "Network access is allowed for one process, the broker, to"
    yield from (f"  {host}" for host in state.hosts)
    yield from (f"  {host} (only as an address of the local network)" for host in state.lan_hosts)
    if state.lan:
        yield "and only where these are addresses of the local network."
    if state.until:
        yield f"until {state.until}."
    if state.proxy:
        yield f"through the proxy {state.proxy}, and in no other way."
    closed = [host for host in before.all_hosts if host not in state.all_hosts]
    if before.is_open and closed:
        yield f"No longer open: {', '.join(closed)}"
    yield (
        "Every other process stays sealed. Commands that start from now on can use it; restart a"
        " window that was started sealed."
    )
    if ended:
        yield "Connections under the earlier list were closed."
    yield "Block it again: lockhouse seal"


def describe(state: NetworkState) -> dict[str, Any]:
    """Network access as JSON."""
    return {
        "mode": state.mode,
        "hosts": list(state.hosts),
        "lan_hosts": list(state.lan_hosts),
        "since": state.since or None,
        "lan": state.lan,
        "endpoint": state.endpoint or None,
        "proxy": state.proxy or None,
        "until": state.until or None,
        "problem": state.problem or None,
    }


def _switch(cli: CliContext) -> Switch:
    paths = cli.paths

    def note(kind: RecordKind, outcome: str) -> None:
        """Record it, but seal even when the database is unusable."""
        from lockhouse.gate.records import Records

        try:
            with cli.database() as database:
                Records(database).note(kind, purpose="command", outcome=outcome)
        except LockhouseError as error:
            output.note(f"note: this could not be recorded: {error.message}")

    return Switch(Network(paths.network), Brokers(paths.run), note)
