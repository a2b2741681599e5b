"""``lockhouse models profile``: how a model is loaded and how it answers, under names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.options import Number, WholeNumber
from lockhouse.core.errors import UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import Profile


@click.group(short_help="Load settings and sampling defaults.")
def profile() -> None:
    """Named load settings and sampling defaults of a model; one of them may be in force."""


@profile.command("list")
@click.argument("model")
@as_json
@pass_door
def list_profiles(door: CliContext, model: str, *, is_json: bool) -> None:
    """List the profiles of MODEL."""
    with door.models() as library:
        found = library.profiles(model)
    _write(found, is_json=is_json)


def _write(found: list[Profile], *, is_json: bool) -> None:
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("The model has no profile; the settings say how it answers.")
        return
    rows = [[each.name, "yes" if each.active else "", _words(each)] for each in found]
    output.write_table(["PROFILE", "IN FORCE", "VALUES"], rows)


def _words(profile: Profile) -> str:
    values: dict[str, Any] = {**output.plain(profile.load), **profile.sampling}
    return ", ".join(
        f"{name} {value}" for name, value in values.items() if value or name in profile.sampling
    )


@profile.command()
@click.argument("model")
@click.argument("name")
@click.option("--ctx", "context_length", type=WholeNumber(0), metavar="N", help="Context length.")
@click.option("--kv-type", metavar="T", help="Type of the cache: f16 or q8_0.")
@click.option("--threads", type=WholeNumber(0), metavar="N", help="Threads.")
@click.option("--parallel", type=WholeNumber(0), metavar="N", help="Answers at a time.")
@click.option("--temperature", type=Number(0, 10), metavar="T")
@click.option("--top-p", type=Number(0, 1), metavar="P")
@click.option("--top-k", type=WholeNumber(0), metavar="N")
@click.option("--min-p", type=Number(0, 1), metavar="P")
@click.option("--repeat-penalty", type=Number(0, 10, min_open=True), metavar="R")
@click.option("--max-tokens", type=WholeNumber(1), metavar="N")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other one.")
@click.option("--use", "active", is_flag=True, help="Let it be in force at once.")
@as_json
@pass_door
def save(door: CliContext, /, model: str, name: str, **wishes: Any) -> None:
    """Keep values for MODEL under NAME. What is not given, the settings say."""
    from lockhouse.library.model_info import LoadChoice, Profile

    load = LoadChoice(
        **{
            field: wishes[field]
            for field in LoadChoice.__struct_fields__
            if wishes[field] is not None
        }
    )
    names = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens")
    sampling = {each: wishes[each] for each in names if wishes[each] is not None}
    sampling |= dict(_pair(text) for text in wishes["others"])
    with door.models() as library:
        library.save_profile(model, Profile(name, load, sampling, active=wishes["active"]))
        found = library.profiles(model)
    _write(found, is_json=wishes["is_json"])


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


@profile.command()
@click.argument("model")
@click.argument("name", required=False)
@click.option("--none", is_flag=True, help="Let none be in force.")
@as_json
@pass_door
def use(door: CliContext, model: str, name: str | None, *, none: bool, is_json: bool) -> None:
    """Let the profile NAME be in force for MODEL."""
    if none == (name is not None):
        raise UsageMistake("Name a profile, or give --none.")
    with door.models() as library:
        library.use_profile(model, name)
        found = library.profiles(model)
    _write(found, is_json=is_json)


@profile.command()
@click.argument("model")
@click.argument("name")
@as_json
@pass_door
def delete(door: CliContext, model: str, name: str, *, is_json: bool) -> None:
    """Forget the profile NAME of MODEL."""
    with door.models() as library:
        library.delete_profile(model, name)
        found = library.profiles(model)
    _write(found, is_json=is_json)
