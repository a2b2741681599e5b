"""``lockhouse settings``: the same settings, with the same words, as the window's page."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door

if TYPE_CHECKING:
    from lockhouse.storage.settings import SettingsFile


@click.group(short_help="Show and change settings.")
def settings() -> None:
    """Settings of this home. A variable LOCKHOUSE_<NAME> goes before the file."""


@settings.command("list")
@as_json
@pass_door
def list_settings(door: CliContext, *, is_json: bool) -> None:
    """List every setting with its value."""
    file = _file(door)
    values = file.load()
    if file.problem:
        output.note(f"note: {file.problem}")
    if is_json:
        output.write_json(
            [
                {
                    "name": field.name,
                    "value": getattr(values, field.name),
                    "default": field.default,
                    "choices": field.choices,
                    "minimum": field.minimum,
                    "maximum": field.maximum,
                    "help": field.help,
                }
                for field in file.fields()
            ]
        )
        return
    output.write_table(
        ("NAME", "VALUE", "MEANING"),
        [(field.name, _shown(getattr(values, field.name)), field.help) for field in file.fields()],
    )


@settings.command("get")
@click.argument("name")
@as_json
@pass_door
def get_setting(door: CliContext, name: str, *, is_json: bool) -> None:
    """Print the value of one setting."""
    from lockhouse.storage.settings import field_named

    field = field_named(name)
    value = getattr(_file(door).load(), field.name)
    if is_json:
        output.write_json({"name": field.name, "value": value})
    else:
        output.write_line(_shown(value))


@settings.command("set")
@click.argument("name")
@click.argument("value")
@as_json
@pass_door
def set_setting(door: CliContext, name: str, value: str, *, is_json: bool) -> None:
    """Change one setting."""
    from lockhouse.storage.settings import field_named, parse

    chosen = parse(name, value)
    file = _file(door)
    values = file.load(environment={})  # a variable is not to end up in the file
    if file.problem:
        output.note(f"note: {file.problem}")
    file.save(dataclasses.replace(values, **{name: chosen}))  # type: ignore[arg-type]  # parsed
    if is_json:
        output.write_json({"name": name, "value": chosen})
    else:
        output.note(f"{name} is {_shown(chosen)} now.")
        if field_named(name).at_load:
            output.note("It takes effect when a model is next loaded.")


def _file(door: CliContext) -> SettingsFile:
    from lockhouse.places import paths_for
    from lockhouse.storage.settings import SettingsFile

    return SettingsFile(paths_for(door.home).settings)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
