"""``lockhouse models``: the model files that this home knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    with door.models() as library:
        found = library.list()
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("There are no models. Import one: lockhouse models import FILE.gguf")
        return
    _write_models(found)


def _write_models(found: Sequence[ModelInfo]) -> None:
    """The models as a table; their state only where one is not as it should be."""
    troubled = [model for model in found if model.state != "ready"]
    headings = ["NAME", "QUALITY", "QUANT", "SIZE", "CONTEXT", "OWNER"]
    rows = [
        [
            model.name,
            model.quality,
            model.quantization,
            output.size(model.size_bytes),
            model.context_length,
            model.owner,
        ]
        for model in found
    ]
    if troubled:
        headings.insert(1, "STATE")
        for row, model in zip(rows, found, strict=True):
            row.insert(1, model.state)
    output.write_table(headings, rows)
    for model in troubled:
        output.note(f"{model.name}: {model.problem}")


@models.command()
@click.argument("model")
@as_json
@pass_door
def show(door: Door, model: str, *, is_json: bool) -> None:
    """Show what is known of MODEL: a name, an alias, a hash prefix or a file."""
    with door.models() as library:
        found = library.get(model)
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
    with door.models() as library:
        outcomes = library.import_files(list(paths), mode=mode, dry_run=dry_run)
    if is_json:
        output.write_json(outcomes)
    else:
        _tell(outcomes, dry_run=dry_run)
        if len(outcomes) > 1 or any(path.is_dir() for path in paths):
            output.write_line(_summary(outcomes, dry_run=dry_run))
    return _exit_code(paths, outcomes)


def _exit_code(paths: Sequence[Path], outcomes: Sequence[ImportOutcome]) -> int:
    """A folder may hold what is no model; a file that was named, or nothing at all, may not."""
    named = {Path(os.path.abspath(path.expanduser())) for path in paths}  # noqa: PTH100
    refused = [outcome for outcome in outcomes if outcome.action == "refused"]
    if len(refused) < len(outcomes):
        refused = [outcome for outcome in refused if outcome.source in named]
    return max((outcome.exit_code for outcome in refused), default=0)


def _tell(outcomes: Sequence[ImportOutcome], *, dry_run: bool) -> None:
    """A line for each, refusals last."""
    for outcome in outcomes:
        name = outcome.model.name if outcome.model else ""
        if outcome.action == "already there":
            output.write_line(f"{outcome.source}: already here as {name or outcome.destination}")
        elif outcome.action != "refused":
            done = f"would be {outcome.action}" if dry_run else outcome.action
            size = output.size(outcome.size_bytes)
            output.write_line(f"{done}: {name or outcome.source} ({size})")
    for outcome in outcomes:
        if outcome.action == "refused":
            output.note(f"refused: {outcome.source}: {outcome.message} {outcome.hint}".rstrip())


def _summary(outcomes: Sequence[ImportOutcome], *, dry_run: bool) -> str:
    refused = sum(outcome.action == "refused" for outcome in outcomes)
    already = sum(outcome.action == "already there" for outcome in outcomes)
    parts = [f"{len(outcomes) - refused - already} {'to import' if dry_run else 'imported'}"]
    parts += [f"{already} already here"] if already else []
    parts += [f"{refused} refused"] if refused else []
    return ", ".join(parts)


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
