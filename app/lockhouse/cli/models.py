"""``lockhouse models``: the model files that this home knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.door import Door, as_json, pass_door

if TYPE_CHECKING:
    from lockhouse.library.model_info import ImportMode, ImportOutcome, ModelInfo


@click.group(short_help="Show and import models.")
def models() -> None:
    """Models on this machine."""


@models.command("list")
@as_json
@pass_door
def list_models(door: Door, *, is_json: bool) -> None:
    """List models."""
    with door.workspace() as workspace:
        found = workspace.models.list()
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("There are no models. Import one: lockhouse models import FILE.gguf")
        return
    output.write_table(
        ("NAME", "QUALITY", "QUANT", "SIZE", "CONTEXT", "OWNER"),
        [
            (
                model.name,
                model.quality,
                model.quantization,
                output.size(model.size_bytes),
                model.context_length,
                model.owner,
            )
            for model in found
        ],
    )


@models.command()
@click.argument("model")
@as_json
@pass_door
def show(door: Door, model: str, *, is_json: bool) -> None:
    """Show what is known of MODEL: a name, an alias, a hash prefix or a file."""
    with door.workspace() as workspace:
        found = workspace.models.get(model)
    if is_json:
        output.write_json(found)
    else:
        output.write_facts(_facts(found))


@models.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--in-place", "mode", flag_value="in-place", default=True, help="Leave the file.")
@click.option("--copy", "mode", flag_value="copy", help="Copy it into the home.")
@click.option("--link", "mode", flag_value="link", help="Link it into the home.")
@click.option("--move", "mode", flag_value="move", help="Move it into the home.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@as_json
@pass_door
def import_models(
    door: Door, paths: tuple[Path, ...], mode: ImportMode, *, dry_run: bool, is_json: bool
) -> int:
    """Make GGUF files known. They stay where they are unless told otherwise."""
    with door.workspace() as workspace:
        outcomes = workspace.models.import_files(list(paths), mode=mode, dry_run=dry_run)
    if is_json:
        output.write_json(outcomes)
    else:
        for outcome in outcomes:
            _tell(outcome)
    refused = [outcome for outcome in outcomes if outcome.action == "refused"]
    return max((outcome.exit_code for outcome in refused), default=0)


def _tell(outcome: ImportOutcome) -> None:
    if outcome.action == "refused":
        output.note(f"refused: {outcome.source}\n  {outcome.message}")
        if outcome.hint:
            output.note(f"  {outcome.hint}")
        return
    name = outcome.model.name if outcome.model else ""
    size = output.size(outcome.size_bytes)
    output.write_line(f"{outcome.action}: {name or outcome.source} ({size})")


def _facts(model: ModelInfo) -> dict[str, object]:
    """What is known of a model; what is not, is left out."""
    return {
        name.replace("_", " "): _in_words(value)
        for name, value in output.plain(model).items()
        if value not in (None, "", (), [], {})
    }


def _in_words(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item)
    return value
