"""``lockhouse models folders``: folders with models, and the free space on their disks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import InvalidInput, UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import FolderUse


@click.group(short_help="List, add and move folders with models.")
def folders() -> None:
    """List, add and move folders with models. Folders of other programs are only read."""


@folders.command("list", short_help="List folders and their disks.")
@as_json
def list_folders(cli: CliContext) -> None:
    """List folders, with the size of their models and the free space on their disks."""
    with cli.models() as library:
        uses = library.folders()
    if output.write_list(uses, ("OWNER", "MODELS", "SIZE", "DISK FREE", "FOLDER"), _row):
        for use in uses:
            if use.problem:
                output.note(f"{use.path}: {use.problem}")


def _row(use: FolderUse) -> Sequence[object]:
    return (
        _owner(use),
        use.model_count,
        output.size(use.size_bytes),
        output.size(use.disk_free_bytes),
        str(use.path),
    )


def _owner(use: FolderUse) -> str:
    if use.main:
        return f"{use.label} (new models)"
    if not use.own:
        return use.label
    return "you" if use.writable else "you (only read)"


@folders.command(short_help="Add a folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--writable", is_flag=True, help="Let Lockhouse delete and move files in it, if you ask."
)
@as_json
def add(cli: CliContext, folder: Path, *, writable: bool) -> None:
    """Add FOLDER: its models are listed and used where they are. It is only read.

    With --writable, models can also be removed and moved here; the option can be given later.
    """
    with cli.models() as library:
        use = library.add_folder(folder, writable=writable)
    what = f"{output.count(use.model_count, 'model')}, {output.size(use.size_bytes)}"
    rights = "can be changed here" if use.writable else "only read"
    output.write_outcome(use, f"{use.path}: {what}, {rights}")


@folders.command(short_help="Remove a folder from the list.")
@click.argument("folder", type=click.Path(path_type=Path))
@as_json
def forget(cli: CliContext, folder: Path) -> None:
    """Remove FOLDER from the list. Its files are kept."""
    with cli.models() as library:
        library.forget_folder(folder)
        uses = library.folders()
    output.write_outcome(uses, f"{folder} was removed from the list; its files are kept.")


@folders.command(short_help="Move a folder with its models.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would be moved.")
@click.option("--yes", is_flag=True, help="Move the files.")
@as_json
def move(cli: CliContext, folder: Path, target: Path, *, dry_run: bool, yes: bool) -> int:
    """Move FOLDER with all its models to TARGET. If interrupted, run the command again."""
    with cli.models() as library, output.progress("Moving") as progress:
        if dry_run or not yes:
            wanted = Path(folder).expanduser().absolute()
            use = next((each for each in library.folders() if each.path == wanted), None)
            if use is None:
                raise InvalidInput(f"{folder} is not a folder of Lockhouse's.")
            what = f"{output.count(use.model_count, 'model')}, {output.size(use.size_bytes)}"
            if not dry_run:
                raise UsageMistake(
                    f"This moves {what} to {target}.",
                    hint="Confirm it with --yes.",
                    code="needs_confirmation",
                )
            output.write_outcome(use, f"would be moved to {target}: {what}")
            return 0
        done = library.relocate(folder, target, progress)
    moved = f"{output.count(done.moved, 'file')} ({output.size(done.moved_bytes)})"
    output.write_outcome(done, f"{moved} moved to {done.target}")
    for path in done.kept:
        output.note(f"{path} was not moved: another file has its name at the new place.")
    return 3 if done.kept else 0
