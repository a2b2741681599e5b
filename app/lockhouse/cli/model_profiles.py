"""``lockhouse models profile``: named load settings and sampling defaults of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import Number, WholeNumber, require_text
from lockhouse.core.errors import UsageMistake
from lockhouse.core.thinking import CHOICES

if TYPE_CHECKING:
    from lockhouse.library.model_info import Profile


_WIDE = 60


@click.group(short_help="Manage profiles of a model.")
def profile() -> None:
    """Manage profiles of a model, one of them in use.

    A profile is a name for load settings, sampling defaults and a system prompt.
    """


@profile.command("list")
@click.argument("model", shell_complete=models_here)
@as_json
def list_profiles(cli: CliContext, model: str) -> None:
    """List the profiles of MODEL."""
    with cli.models() as library:
        found = library.profiles(model)
    _write(found)


def _write(found: list[Profile]) -> None:
    output.write_list(
        found,
        ("PROFILE", "IN USE", "VALUES"),
        lambda each: (each.name, "yes" if each.active else "", _values(each)),
        empty="The model has no profile; it uses the settings.",
    )


def _values(profile: Profile) -> str:
    values: dict[str, Any] = {**output.plain(profile.load), **profile.sampling}
    shown = [
        f"{name} {value}" for name, value in values.items() if value or name in profile.sampling
    ]
    if profile.system:
        line = " ".join(profile.system.split())
        shown.append(f'system "{line if len(line) <= _WIDE else line[: _WIDE - 1] + "…"}"')
    return ", ".join(shown)


@profile.command(short_help="Save a profile.")
@click.argument("model", shell_complete=models_here)
@click.argument("name")
@click.option(
    "-s",
    "--system",
    default="",
    metavar="SYSTEM",
    help="System prompt, for chats that have none of their own.",
)
@click.option("--ctx", "context_length", type=WholeNumber(0), metavar="N", help="Context length.")
@click.option("--kv-type", metavar="T", help="Type of the KV cache: f16 or q8_0.")
@click.option("--threads", type=WholeNumber(0), metavar="N", help="Threads.")
@click.option("--parallel", type=WholeNumber(0), metavar="N", help="Answers at the same time.")
@click.option("--temperature", type=Number(0, 10), metavar="T")
@click.option("--top-p", type=Number(0, 1), metavar="P")
@click.option("--top-k", type=WholeNumber(0), metavar="N")
@click.option("--min-p", type=Number(0, 1), metavar="P")
@click.option("--repeat-penalty", type=Number(0, 10, min_open=True), metavar="R")
@click.option("--max-tokens", type=WholeNumber(1), metavar="N")
@click.option("--think", "thinking", type=click.Choice(CHOICES), metavar="HOW")
@click.option("--think-budget", "reasoning_budget", type=WholeNumber(0), metavar="N")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Another value.")
@click.option("--use", "active", is_flag=True, help="Use it from now on.")
@as_json
def save(cli: CliContext, /, model: str, name: str, **options: Any) -> None:
    """Save values for MODEL as NAME. For what is not given, the settings are used."""
    from lockhouse.library.model_info import LoadChoice, Profile

    load = LoadChoice(
        **{
            field: options[field]
            for field in LoadChoice.__struct_fields__
            if options[field] is not None
        }
    )
    names = (
        "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens", "thinking",
        "reasoning_budget",
    )  # fmt: skip
    sampling = {each: options[each] for each in names if options[each] is not None}
    sampling |= dict(_pair(text) for text in options["others"])
    with cli.models() as library:
        library.save_profile(
            model,
            Profile(
                name,
                load,
                sampling,
                active=options["active"],
                system=require_text(options["system"], "The system prompt"),
            ),
        )
        found = library.profiles(model)
    _write(found)


def _pair(text: str) -> tuple[str, float | int]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError as error:
        raise UsageMistake(
            f"--set needs NAME=VALUE with a number, not {text!r}.",
            hint="For example: typical_p=0.9",
        ) from error
    return name.strip().replace("-", "_"), int(number) if value.strip().isdigit() else number


@profile.command(short_help="Choose the profile to use.")
@click.argument("model", shell_complete=models_here)
@click.argument("name", required=False)
@click.option("--none", is_flag=True, help="Use no profile.")
@as_json
def use(cli: CliContext, model: str, name: str | None, *, none: bool) -> None:
    """Use the profile NAME for MODEL."""
    if none == (name is not None):
        raise UsageMistake("Name a profile, or give --none.")
    with cli.models() as library:
        library.use_profile(model, name)
        found = library.profiles(model)
    _write(found)


@profile.command()
@click.argument("model", shell_complete=models_here)
@click.argument("name")
@as_json
def delete(cli: CliContext, model: str, name: str) -> None:
    """Delete the profile NAME of MODEL."""
    with cli.models() as library:
        library.delete_profile(model, name)
        found = library.profiles(model)
    _write(found)
