"""``lockhouse models folders``: where models lie, and how much room is left there."""

from __future__ import annotations

from pathlib import Path

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.progress import counting
from lockhouse.core.errors import InvalidInput, UsageMistake


@click.group(short_help="Folders with models, and their disks.")
def folders() -> None:
    """Our own folders, and other programs', which are only read."""


@folders.command("list")
@as_json
@pass_door
def list_folders(door: CliContext, *, is_json: bool) -> None:
    """List folders, how much is in each, and what its disk has left."""
    with door.models() as library:
        uses = library.folders()
    if is_json:
        output.write_json(uses)
        return
    rows = [
        [
            use.label + (" (new models)" if use.main else ""),
            use.model_count,
            output.size(use.size_bytes),
            output.size(use.disk_free_bytes),
            str(use.path),
        ]
        for use in uses
    ]
    output.write_table(["OWNER", "MODELS", "SIZE", "DISK FREE", "FOLDER"], rows)
    for use in uses:
        if use.problem:
            output.note(f"{use.path}: {use.problem}")


@folders.command()
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
@pass_door
def add(door: CliContext, folder: Path, *, is_json: bool) -> None:
    """Take FOLDER as one of Lockhouse's own: its models are listed, and may be removed here."""
    with door.models() as library:
        use = library.add_folder(folder)
    if is_json:
        output.write_json(use)
    else:
        size = output.size(use.size_bytes)
        output.write_line(f"{use.path}: {_counted(use.model_count, 'model')}, {size}")


@folders.command()
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
@pass_door
def forget(door: CliContext, folder: Path, *, is_json: bool) -> None:
    """Let go of FOLDER. Its files stay as they are."""
    with door.models() as library:
        library.forget_folder(folder)
        uses = library.folders()
    if is_json:
        output.write_json(uses)
    else:
        output.write_line(f"{folder} is forgotten; nothing in it was touched.")


@folders.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@click.option("--yes", is_flag=True, help="Move the files.")
@as_json
@pass_door
def move(
    door: CliContext, folder: Path, target: Path, *, dry_run: bool, yes: bool, is_json: bool
) -> int:
    """Move FOLDER with all its models to TARGET. Interrupted, the same command goes on."""
    with door.models() as library, counting("Moving") as progress:
        if dry_run or not yes:
            wanted = Path(folder).expanduser().absolute()
            use = next((each for each in library.folders() if each.path == wanted), None)
            if use is None:
                raise InvalidInput(f"{folder} is not a folder of Lockhouse's.")
            what = f"{_counted(use.model_count, 'model')}, {output.size(use.size_bytes)}"
            if not dry_run:
                raise UsageMistake(
                    f"This moves {what} to {target}.",
                    hint="Confirm it with --yes.",
                    code="needs_confirmation",
                )
            if is_json:
                output.write_json(use)
            else:
                output.write_line(f"would be moved to {target}: {what}")
            return 0
        done = library.relocate(folder, target, progress)
    if is_json:
        output.write_json(done)
    else:
        size = output.size(done.moved_bytes)
        output.write_line(f"{_counted(done.moved, 'file')} ({size}) moved to {done.target}")
    for path in done.kept:
        output.note(f"{path} stays: another file has its name at the new place.")
    return 3 if done.kept else 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
