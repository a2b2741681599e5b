"""``lockhouse targets``: everything that can answer: local models, own servers and APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from lockhouse.cli import output
from lockhouse.cli.completion import providers_here
from lockhouse.cli.consent_prompt import use_session_key
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import key_option
from lockhouse.core.errors import LockhouseError, NotFound, UsageMistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockhouse.answer.target import TargetInfo
    from lockhouse.gate.costs.values import Price
    from lockhouse.gate.providers import Provider, RemoteModel
    from lockhouse.workspace import Workspace

# Short, so that the table fits a terminal.
_KEY_WORDS = {None: "none", "no_keyring": "none"}
_KINDS = {"local": "this machine", "lan": "your network", "api": "API"}


@click.group()
def targets() -> None:
    """List, add and check what can answer: local models, your own servers, and APIs."""


# --- lists ---------------------------------------------------------------------------------


@targets.command("list", short_help="List targets and providers.")
@as_json
def list_targets(cli: CliContext) -> None:
    """List targets, the default first, then the providers that could be used."""
    with cli.workspace() as workspace:
        found = workspace.targets.list()
        used = {target.provider for target in found if target.provider}
        providers = [p for p in workspace.providers.list() if not p.is_preset or p.name in used]
        states = _key_states(workspace, providers)
        known = {provider.name: provider for provider in providers}
        rows = [_described(workspace, target, known, states) for target in found]
        unused = [p.name for p in workspace.providers.list() if p.name not in used]
    if output.wrote_json(rows):
        return
    if not found:
        output.note("There is no target yet.")
        output.note("Import a model: lockhouse models import FILE.gguf")
    else:
        output.write_table(
            ("NAME", "WHERE", "HOST", "CONTEXT", "PRICE IN/OUT", "LEAVES", "ALLOWED", "KEY"),
            [_row(row) for row in rows],
        )
    if unused:
        output.note(f"Unused providers: {', '.join(unused)}. See: lockhouse targets models NAME")


def _described(
    workspace: Workspace,
    target: TargetInfo,
    providers: Mapping[str, Provider],
    states: Mapping[str, str],
) -> dict[str, Any]:
    described: dict[str, Any] = output.plain(target)
    provider = providers.get(target.provider or "")
    described["what_leaves"] = _what_leaves(target)
    described["is_allowed"] = workspace.consents.given(provider) if provider else True
    described["key"] = states.get(target.provider or "") if provider else None
    described["endpoints"] = list(provider.endpoints) if provider else []
    return described


def _what_leaves(target: TargetInfo) -> str:
    if target.kind == "local":
        return "nothing"
    if not target.leaves_machine:
        return "nothing: its server is on this machine"
    return "the conversation, to your own network" if target.kind == "lan" else "the conversation"


def _row(target: dict[str, Any]) -> tuple[object, ...]:
    prices = ""
    if target["input_price"] is not None:
        prices = f"${target['input_price']} / ${target['output_price']}"
    is_remote = target["kind"] != "local"
    return (
        target["name"],
        _KINDS[target["kind"]],
        target["host"],
        target["context_length"] or "",
        prices,
        target["leaves_machine"],
        target["is_allowed"] if is_remote else "",
        _KEY_WORDS.get(target["key"], target["key"]) if is_remote else "",
    )


def _key_states(workspace: Workspace, providers: list[Provider]) -> dict[str, str]:
    """The key states by name. A keyring that fails must not prevent the list."""
    asked = {p.name: p.hosts for p in providers if p.key != "none"}
    if not asked:
        return {}
    try:
        return {**workspace.gate.key_states(asked)}
    except LockhouseError as error:
        output.note(f"note: {error.message}")
        return dict.fromkeys(asked, "not known")


@targets.command(short_help="List the hosts of a provider.")
@click.argument("name")
@as_json
def hosts(cli: CliContext, name: str) -> None:
    """List the hosts of a provider: those it needs network access to, and that get its key."""
    with cli.workspace() as workspace:
        provider = workspace.providers.get(name)
    if output.wrote_json(list(provider.hosts)):
        return
    for host in provider.hosts:
        output.write_line(host)


# --- own servers, and providers ------------------------------------------------------------


@targets.command(short_help="Add a server or provider.")
@click.argument("name")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option(
    "--dialect", type=click.Choice(["openai", "anthropic", "gemini"]), default="openai",
    show_default=True, help="The kind of API.",
)  # fmt: skip
@click.option("--title", default="", help="Its name in lists.")
@click.option(
    "--key", type=click.Choice(["required", "optional", "none"]),
    help="Whether it needs a key. Default: an API does, your own server may.",
)  # fmt: skip
@as_json
def add(
    cli: CliContext,
    *,
    name: str,
    urls: tuple[str, ...],
    dialect: Any,
    title: str,
    key: Any,
) -> None:
    """Add a server as NAME. Several URLs are equal servers that share the load.

    Give the base URL of the API: http://192.168.1.20:8080/v1
    """
    from lockhouse.gate.network import host_of
    from lockhouse.gate.providers import Provider, presets, zone_of

    for url in urls:
        host_of(url)  # which raises when it is not a URL
    zone = zone_of(urls)
    template = presets().template
    with cli.workspace() as workspace:
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
    more = {"hosts": list(provider.hosts), "key_left_at": list(key_left_at)}
    if output.wrote_json({**output.plain(provider), **more}):
        return
    where = "on your own network" if zone == "lan" else "an API on the internet"
    output.note(f"Added {provider.title}: {', '.join(provider.endpoints)} ({where}).")
    if any(not urlsplit(url).path for url in provider.endpoints):
        output.note("note: the URLs of most servers end in /v1.")
    if way != "open":
        adding = "--add " if way in ("not_listed", "start_anew") else ""
        output.note(f"Allow network access to it: lockhouse unseal {adding}--for {name}")
    if key_left_at:
        output.note(f"note: the saved key of this name is for {', '.join(key_left_at)} only.")
    if provider.key == "required" or key_left_at:
        output.note(f"Save its key: lockhouse keys set {name}")
    if zone == "cloud":
        output.note(f"Allow sending questions there: lockhouse targets allow {name}")
    output.note(f"Then load its list of models: lockhouse targets models {name} --refresh")


@targets.command("set", short_help="Fit requests to a server.")
@click.argument("name")
@click.option(
    "--max-tokens-field", metavar="NAME",
    help="What it calls the limit of an answer: max_tokens, max_completion_tokens.",
)  # fmt: skip
@click.option(
    "--system-role", type=click.Choice(["system", "developer", "user"]),
    help="The role of the system prompt; user puts it before the first message.",
)  # fmt: skip
@click.option("--extra", metavar="JSON", help="Fields of every request, as an object. None: {}")
@click.option(
    "--omit", multiple=True, metavar="FIELD", help="Never send this field; repeatable. None: -"
)
@click.option(
    "--count-tokens/--no-count-tokens", "counts_tokens", default=None,
    help="Where it counts nothing, learn the tokens of a prompt by a second request.",
)  # fmt: skip
@as_json
def set_provider(
    cli: CliContext,
    *,
    name: str,
    max_tokens_field: str | None,
    system_role: Any,
    extra: str | None,
    omit: tuple[str, ...],
    counts_tokens: bool | None,
) -> None:
    """Fit requests to the server or provider NAME. Without options, show its settings."""
    import msgspec

    given = {
        "max_tokens_field": max_tokens_field,
        "system_role": system_role,
        "body": _extra_fields(extra),
        "omit": (() if omit == ("-",) else omit) if omit else None,
        "counts_tokens": counts_tokens,
    }
    chosen: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    with cli.workspace() as workspace:
        provider = workspace.providers.get(name)
        if chosen:
            provider = workspace.providers.change(msgspec.structs.replace(provider, **chosen))
    settings = {field: output.plain(getattr(provider, field)) for field in given}
    if output.wrote_json({"name": name, **settings}):
        return
    output.write_table(
        ("SETTING", "VALUE"),
        [
            ("--max-tokens-field", provider.max_tokens_field),
            ("--system-role", provider.system_role),
            ("--extra", msgspec.json.encode(provider.body).decode()),
            ("--omit", " ".join(provider.omit) or "-"),
            ("--count-tokens", provider.counts_tokens),
        ],
    )


def _extra_fields(text: str | None) -> dict[str, object] | None:
    from lockhouse.gate.providers import extra_fields

    return None if text is None else extra_fields(text)


@targets.command(short_help="Remove a server.")
@click.argument("name")
@as_json
def remove(cli: CliContext, name: str) -> None:
    """Remove a server with its models and its permission. Its key stays in the keyring."""
    with cli.workspace() as workspace:
        workspace.providers.remove(name)
        workspace.consents.withdraw(name, by="command")
    text = f"{name} was removed. If it had a key: lockhouse keys remove {name}"
    output.write_result({"name": name, "removed": True}, text)


@targets.command(short_help="Send to a provider without asking.")
@click.argument("provider", shell_complete=providers_here)
@as_json
def allow(cli: CliContext, provider: str) -> None:
    """Send questions to PROVIDER without asking each time."""
    with cli.workspace() as workspace:
        found = workspace.providers.get(provider)
        workspace.consents.give(found, by="command")
    result = {"provider": provider, "is_allowed": True, "hosts": list(found.hosts)}
    text = (
        f"Allowed: questions to {provider}/... are sent to {', '.join(found.hosts)}. "
        f"To undo: lockhouse targets forbid {provider}"
    )
    output.write_result(result, text)


@targets.command(short_help="Ask before sending to a provider.")
@click.argument("provider", shell_complete=providers_here)
@as_json
def forbid(cli: CliContext, provider: str) -> None:
    """Ask again before anything is sent to PROVIDER."""
    with cli.workspace() as workspace:
        workspace.providers.get(provider)
        was_allowed = workspace.consents.withdraw(provider, by="command")
    result = {"provider": provider, "is_allowed": False, "was_allowed": was_allowed}
    text = f"Nothing is sent to {provider} any more without your permission."
    output.write_result(result, text)


# --- models --------------------------------------------------------------------------------


@targets.command(short_help="List the models of a provider.")
@click.argument("provider", shell_complete=providers_here)
@click.option("--refresh", is_flag=True, help="Load the list from the server.")
@key_option
@as_json
def models(cli: CliContext, provider: str, *, refresh: bool, asks_key: bool) -> None:
    """List the models of PROVIDER, those in use first."""
    if asks_key and not refresh:
        raise UsageMistake("--key is only used with --refresh.")
    with cli.workspace() as workspace:
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
    listed = [{**output.plain(model), "price": output.plain(price)} for model, price in known]
    if not output.write_list(
        known, ("MODEL", "IN USE", "CONTEXT", "PRICE IN/OUT", "CAN"), _model_row, json_value=listed
    ):
        return
    if not was_listed:
        output.note("These are suggestions; its list has not been loaded yet.")
        output.note(f"Load it: lockhouse targets models {provider} --refresh")
    output.note("Use one as a target: lockhouse targets use PROVIDER/MODEL")


def _model_row(known: tuple[RemoteModel, Price | None]) -> tuple[object, ...]:
    model, price = known
    return (
        f"{model.provider}/{model.called}",
        model.is_chosen,
        model.context_length or "",
        f"${price.input} / ${price.output}" if price else "",
        ", ".join(model.capabilities),
    )


@targets.command(short_help="Use models of a provider as targets.")
@click.argument("names", nargs=-1, required=True, metavar="PROVIDER/MODEL...")
@click.option("--not", "is_off", is_flag=True, help="Stop using them instead.")
@as_json
def use(cli: CliContext, names: tuple[str, ...], *, is_off: bool) -> None:
    """Use models of a provider as targets."""
    with cli.workspace() as workspace:
        wanted = []
        for name in names:
            provider, slash, model = name.partition("/")
            if not slash:
                raise UsageMistake(
                    f"{name!r} does not name a model.", hint="Give it as PROVIDER/MODEL."
                )
            workspace.providers.model(provider, model)  # all exist before any is changed
            wanted.append((provider, model))
        for provider, model in wanted:
            workspace.providers.choose(provider, model, is_chosen=not is_off)
    if output.wrote_json([{"name": name, "is_chosen": not is_off} for name in names]):
        return
    for name in names:
        ask = f'Ask it: lockhouse ask -m {name} "..."'
        output.note(f"{name} is no longer a target." if is_off else f"{name} is a target. {ask}")


# --- health --------------------------------------------------------------------------------


@targets.command(short_help="Check that servers respond.")
@click.argument("name", required=False)
@key_option
@as_json
def check(cli: CliContext, name: str | None, *, asks_key: bool) -> int:
    """Check whether and how fast servers respond: NAME, or all of your own."""
    if asks_key and not name:
        raise UsageMistake(
            "A key is for one provider.", hint="Name it: lockhouse targets check NAME --key"
        )
    with cli.workspace() as workspace:
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
    if output.write_list(rows, ("PROVIDER", "ADDRESS", "UP", "LATENCY", "PROBLEM"), _health_row):
        for hint in dict.fromkeys(row["hint"] for row in rows if row["hint"]):
            output.note(hint)
    return 0 if all(row["is_up"] and not row["problem"] for row in rows) else 1


def _health_row(row: dict[str, Any]) -> tuple[object, ...]:
    latency = f"{row['latency_s'] * 1000:,.0f} ms" if row["latency_s"] else ""
    return row["provider"], row["url"], row["is_up"], latency, row["problem"]
