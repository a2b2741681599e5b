"""``lockhouse targets``: everything that can answer, here and elsewhere, and what each allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from lockhouse.cli import output
from lockhouse.cli.consent_prompt import use_session_key
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.options import key_option
from lockhouse.core.errors import LockhouseError, NotFound, UsageMistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockhouse.answer.remote_targets import EndpointHealth
    from lockhouse.answer.target import TargetInfo
    from lockhouse.gate.providers import Provider
    from lockhouse.workspace import Workspace

# Short, so that a table fits a terminal; the others are words already.
_KEY_WORDS = {None: "none", "no_keyring": "none"}
_KINDS = {"local": "this machine", "lan": "your network", "api": "API"}


@click.group(short_help="List, add and check everything that can answer.")
def targets() -> None:
    """Everything that can answer a question: models here, your own servers, and APIs."""


# --- looking -------------------------------------------------------------------------------


@targets.command("list")
@as_json
@pass_door
def list_targets(door: CliContext, *, is_json: bool) -> None:
    """List targets, the default one first; then the providers that could be used."""
    with door.workspace() as workspace:
        found = workspace.targets.list()
        used = {target.provider for target in found if target.provider}
        providers = [p for p in workspace.providers.list() if not p.is_preset or p.name in used]
        states = _key_states(workspace, providers)
        known = {provider.name: provider for provider in providers}
        rows = [_described(workspace, target, known, states) for target in found]
        unused = [p.name for p in workspace.providers.list() if p.name not in used]
    if is_json:
        output.write_json(rows)
        return
    if not found:
        output.note("There is nothing that could answer yet.")
        output.note("Import a model: lockhouse models import FILE.gguf")
    else:
        output.write_table(
            ("NAME", "WHERE", "HOST", "CONTEXT", "PRICE IN/OUT", "LEAVES", "ALLOWED", "KEY"),
            [_row(row) for row in rows],
        )
    if unused:
        output.note(f"More could answer: {', '.join(unused)}. See: lockhouse targets models NAME")


def _described(
    workspace: Workspace,
    target: TargetInfo,
    providers: Mapping[str, Provider],
    states: Mapping[str, str],
) -> dict[str, Any]:
    told: dict[str, Any] = output.plain(target)
    provider = providers.get(target.provider or "")
    told["what_leaves"] = _what_leaves(target)
    told["is_allowed"] = workspace.consents.given(provider) if provider else True
    told["key"] = states.get(target.provider or "") if provider else None
    told["endpoints"] = list(provider.endpoints) if provider else []
    return told


def _what_leaves(target: TargetInfo) -> str:
    if target.kind == "local":
        return "nothing"
    if not target.leaves_machine:
        return "nothing: its server is on this machine"
    return "the conversation, to your own network" if target.kind == "lan" else "the conversation"


def _row(told: dict[str, Any]) -> tuple[object, ...]:
    prices = ""
    if told["input_price"] is not None:
        prices = f"${told['input_price']} / ${told['output_price']}"
    elsewhere = told["kind"] != "local"
    return (
        told["name"],
        _KINDS[told["kind"]],
        told["host"],
        told["context_length"] or "",
        prices,
        told["leaves_machine"],
        told["is_allowed"] if elsewhere else "",
        _KEY_WORDS.get(told["key"], told["key"]) if elsewhere else "",
    )


def _key_states(workspace: Workspace, providers: list[Provider]) -> dict[str, str]:
    """By name. A keyring that does not answer must not hide the list."""
    asked = {p.name: p.hosts for p in providers if p.key != "none"}
    if not asked:
        return {}
    try:
        return {**workspace.gate.key_states(asked)}
    except LockhouseError as error:
        output.note(f"note: {error.message}")
        return dict.fromkeys(asked, "not known")


@targets.command()
@click.argument("name")
@as_json
@pass_door
def hosts(door: CliContext, name: str, *, is_json: bool) -> None:
    """Show the hosts of a provider: what has to be open for it, and who gets its key."""
    with door.workspace() as workspace:
        provider = workspace.providers.get(name)
    if is_json:
        output.write_json(list(provider.hosts))
        return
    for host in provider.hosts:
        output.write_line(host)


# --- servers of one's own, and providers ---------------------------------------------------


@targets.command()
@click.argument("name")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option(
    "--dialect", type=click.Choice(["openai", "anthropic", "gemini"]), default="openai",
    show_default=True, help="How it is spoken to.",
)  # fmt: skip
@click.option("--title", default="", help="What it is called in listings.")
@click.option(
    "--key", type=click.Choice(["required", "optional", "none"]),
    help="Whether it wants a key; an API does, a server of your own may.",
)  # fmt: skip
@as_json
@pass_door
def add(
    door: CliContext,
    *,
    name: str,
    urls: tuple[str, ...],
    dialect: Any,
    title: str,
    key: Any,
    is_json: bool,
) -> None:
    """Make a server known under NAME. Several URLs are equal servers that share the load.

    A URL stands up to and without the part of the dialect: http://192.168.1.20:8080/v1
    """
    from lockhouse.gate.providers import Provider, host_of, presets, zone_of

    for url in urls:
        host_of(url)  # which says so where it is none
    zone = zone_of(urls)
    template = presets().template
    with door.workspace() as workspace:
        provider = workspace.providers.add(
            Provider(
                name=name,
                title=title or name,
                dialect=dialect,
                zone=zone,
                endpoints=urls,
                key=key or (template.key if zone == "lan" else "required"),
            )
        )
        way = workspace.gate.way_to(provider.hosts)
        key_left_at = workspace.remotes.key_left_at(provider)
    if is_json:
        told = {"hosts": list(provider.hosts), "key_left_at": list(key_left_at)}
        output.write_json({**output.plain(provider), **told})
        return
    where = "on your own network" if zone == "lan" else "an API, elsewhere"
    output.note(f"{provider.title} is known: {', '.join(provider.endpoints)} ({where}).")
    if any(not urlsplit(url).path for url in provider.endpoints):
        output.note("note: the addresses of most servers end in /v1.")
    if way != "open":
        adding = "--add " if way in ("not_listed", "start_anew") else ""
        output.note(f"Open the network for it: lockhouse unseal {adding}--for {name}")
    if key_left_at:
        output.note(f"note: the key of this name is for {', '.join(key_left_at)} and stays there.")
    if provider.key == "required" or key_left_at:
        output.note(f"Keep its key: lockhouse keys set {name}")
    if zone == "cloud":
        output.note(f"Allow that something is sent there: lockhouse targets allow {name}")
    output.note(f"Then read which models it has: lockhouse targets models {name} --refresh")


@targets.command()
@click.argument("name")
@as_json
@pass_door
def remove(door: CliContext, name: str, *, is_json: bool) -> None:
    """Forget a server, its models and what was allowed. Its key stays in the keyring."""
    with door.workspace() as workspace:
        workspace.providers.remove(name)
        workspace.consents.withdraw(name, by="command")
    if is_json:
        output.write_json({"name": name, "removed": True})
    else:
        output.note(f"{name} is forgotten. If it had a key: lockhouse keys remove {name}")


@targets.command()
@click.argument("provider")
@as_json
@pass_door
def allow(door: CliContext, provider: str, *, is_json: bool) -> None:
    """Let questions go to PROVIDER without being asked each time."""
    with door.workspace() as workspace:
        found = workspace.providers.get(provider)
        workspace.consents.give(found, by="command")
    if is_json:
        output.write_json({"provider": provider, "is_allowed": True, "hosts": list(found.hosts)})
    else:
        output.note(
            f"Allowed: what is asked of {provider}/... goes to {', '.join(found.hosts)}. "
            f"Take it back: lockhouse targets forbid {provider}"
        )


@targets.command()
@click.argument("provider")
@as_json
@pass_door
def forbid(door: CliContext, provider: str, *, is_json: bool) -> None:
    """Ask again before anything goes to PROVIDER."""
    with door.workspace() as workspace:
        workspace.providers.get(provider)
        was_allowed = workspace.consents.withdraw(provider, by="command")
    if is_json:
        output.write_json({"provider": provider, "is_allowed": False, "was_allowed": was_allowed})
    else:
        output.note(f"Nothing goes to {provider} any more without being allowed.")


# --- models --------------------------------------------------------------------------------


@targets.command()
@click.argument("provider")
@click.option("--refresh", is_flag=True, help="Read the list from the server.")
@key_option
@as_json
@pass_door
def models(
    door: CliContext, provider: str, *, refresh: bool, asks_key: bool, is_json: bool
) -> None:
    """List the models of PROVIDER; those in use first."""
    if asks_key and not refresh:
        raise UsageMistake("Only --refresh asks the server, so only then can it take a key.")
    with door.workspace() as workspace:
        if asks_key:
            use_session_key(workspace, workspace.providers.get(provider))
        found = (
            workspace.remotes.refresh_models(provider)
            if refresh
            else workspace.providers.models(provider)
        )
        was_listed = workspace.providers.was_listed(provider)
        prices = workspace.budget.prices
        who = workspace.providers.get(provider)
        known = [(model, prices.price_of(who, model.name)) for model in found]
    if is_json:
        output.write_json(
            [{**output.plain(model), "price": output.plain(price)} for model, price in known]
        )
        return
    output.write_table(
        ("MODEL", "IN USE", "CONTEXT", "PRICE IN/OUT", "CAN"),
        [
            (
                f"{provider}/{model.called}",
                model.is_chosen,
                model.context_length or "",
                f"${price.input} / ${price.output}" if price else "",
                ", ".join(model.capabilities),
            )
            for model, price in known
        ],
    )
    if not was_listed:
        output.note("These are suggestions; its list was never read.")
        output.note(f"Read it: lockhouse targets models {provider} --refresh")
    output.note("Put one among the targets: lockhouse targets use PROVIDER/MODEL")


@targets.command()
@click.argument("names", nargs=-1, required=True, metavar="PROVIDER/MODEL...")
@click.option("--not", "is_off", is_flag=True, help="Take them away instead.")
@as_json
@pass_door
def use(door: CliContext, names: tuple[str, ...], *, is_off: bool, is_json: bool) -> None:
    """Put models of a provider among the targets."""
    with door.workspace() as workspace:
        wanted = []
        for name in names:
            provider, slash, model = name.partition("/")
            if not slash:
                raise UsageMistake(f"{name!r} names no model.", hint="Give it as PROVIDER/MODEL.")
            workspace.providers.model(provider, model)  # all are there before any is changed
            wanted.append((provider, model))
        for provider, model in wanted:
            workspace.providers.choose(provider, model, is_chosen=not is_off)
    if is_json:
        output.write_json([{"name": name, "is_chosen": not is_off} for name in names])
        return
    for name in names:
        ask = f'Ask it: lockhouse ask -m {name} "..."'
        output.note(f"{name} is no target any more." if is_off else f"{name} is a target. {ask}")


# --- health --------------------------------------------------------------------------------


@targets.command()
@click.argument("name", required=False)
@key_option
@as_json
@pass_door
def check(door: CliContext, name: str | None, *, asks_key: bool, is_json: bool) -> int:
    """Ask servers whether they are there, and how fast: one, or all of your own."""
    if asks_key and not name:
        raise UsageMistake(
            "A key is for one provider.", hint="Name it: lockhouse targets check NAME --key"
        )
    with door.workspace() as workspace:
        if name:
            providers = [workspace.providers.get(name)]
            if asks_key:
                use_session_key(workspace, providers[0])
        else:
            providers = [p for p in workspace.providers.list() if not p.is_preset]
        if not providers:
            raise NotFound(
                "You have added no server.", hint="Add one: lockhouse targets add NAME URL"
            )
        found = {p.name: workspace.remotes.health(p.name) for p in providers}
    rows = [
        {"provider": provider, **output.plain(one)}
        for provider, all_ in found.items()
        for one in all_
    ]
    if is_json:
        output.write_json(rows)
    else:
        _write_health(found)
    return 0 if all(row["is_up"] and not row["problem"] for row in rows) else 1


def _write_health(found: Mapping[str, list[EndpointHealth]]) -> None:
    output.write_table(
        ("PROVIDER", "ADDRESS", "UP", "LATENCY", "PROBLEM"),
        [
            (
                provider,
                one.url,
                one.is_up,
                f"{one.latency_s * 1000:,.0f} ms" if one.latency_s else "",
                one.problem,
            )
            for provider, endpoints in found.items()
            for one in endpoints
        ],
    )
    hints = dict.fromkeys(one.hint for all_ in found.values() for one in all_ if one.hint)
    for hint in hints:
        output.note(hint)
