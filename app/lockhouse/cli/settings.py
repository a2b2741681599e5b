"""``lockhouse settings``: the settings of the window's page, with the same descriptions."""

from __future__ import annotations

import dataclasses

import click

from lockhouse.cli import output
from lockhouse.cli.completion import settings_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import require_text

_EMPTY_MEANS = {"default_target": "the starter model is used"}


@click.group()
def settings() -> None:
    """Show and change settings. A variable LOCKHOUSE_<NAME> overrides the file."""


@settings.command("list")
@as_json
def list_settings(cli: CliContext) -> None:
    """List every setting with its value."""
    file = cli.settings_file
    values = file.load()
    if file.problem:
        output.note(f"note: {file.problem}")
    described = [
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
    output.write_list(
        described,
        ("NAME", "VALUE", "MEANING"),
        lambda each: (each["name"], _as_text(each["value"]), each["help"]),
    )


@settings.command("get")
@click.argument("name", shell_complete=settings_here)
@as_json
def get_setting(cli: CliContext, name: str) -> None:
    """Print the value of one setting."""
    from lockhouse.storage.settings import field_named

    field = field_named(name)
    value = getattr(cli.settings_file.load(), field.name)
    output.write_outcome({"name": field.name, "value": value}, _as_text(value))


@settings.command("set")
@click.argument("name", shell_complete=settings_here)
@click.argument("value")
@as_json
def set_setting(cli: CliContext, name: str, value: str) -> None:
    """Change one setting."""
    from lockhouse.storage.settings import field_named, parse

    chosen = parse(name, require_text(value, "The value"))
    file = cli.settings_file
    values = file.load(environment={})  # variables are not written to the file
    if file.problem:
        output.note(f"note: {file.problem}")
    file.save(dataclasses.replace(values, **{name: chosen}))  # type: ignore[arg-type]  # parsed
    empty = _EMPTY_MEANS.get(name)
    value = _as_text(chosen) or "empty" + (f": {empty}" if empty else "")
    later = "It takes effect when a model is loaded the next time."
    said = f"{name} is now {value}." + (f"\n{later}" if field_named(name).at_load else "")
    output.write_result({"name": name, "value": chosen}, said)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
