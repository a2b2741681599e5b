"""``lockhouse models``: the model files that this home knows."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.downloads import get, search, updates
from lockhouse.cli.progress import counting
from lockhouse.core.errors import InvalidInput, UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import ImportMode, ImportOutcome, ModelInfo, Verification

_COMPARED_AT_ONCE_BYTES: Final = 1 << 30  # a second or two of reading
_ELSEWHERE: Final = {
    "catalogue": ("lockhouse.cli.library_catalogue", "catalogue"),
    "diff": ("lockhouse.cli.library_revisions", "diff"),
    "fit": ("lockhouse.cli.fit", "fit"),
    "folders": ("lockhouse.cli.library_folders", "folders"),
    "get": ("lockhouse.cli.downloads", "get"),
    "profile": ("lockhouse.cli.library_profiles", "profile"),
    "revisions": ("lockhouse.cli.library_revisions", "revisions"),
    "search": ("lockhouse.cli.downloads", "search"),
    "use": ("lockhouse.cli.library_revisions", "use"),
}


class _Models(click.Group):
    """A group of which some commands live in modules of their own, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, attribute = _ELSEWHERE[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Models, short_help="Show, bring and keep models.")
def models() -> None:
    """Models on this machine."""


models.add_command(search)
models.add_command(get)
models.add_command(updates)


@models.command("list")
@click.argument("words", nargs=-1)
@click.option(
    "--sort", type=click.Choice(["name", "size", "used"]), help="Order; else as they were found."
)
@as_json
@pass_door
def list_models(
    door: CliContext, words: tuple[str, ...], sort: str | None, *, is_json: bool
) -> None:
    """List models; with WORDS those that have all of them in name, owner, licence and the like."""
    with door.models() as library, counting("Comparing files of equal size") as progress:
        found, left_bytes = library.list_recognised(
            limit_bytes=_COMPARED_AT_ONCE_BYTES, progress=progress
        )
    found = _sorted([model for model in found if _has_all(model, words)], sort)
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note(
            "No model has these words." if words else
            "There are no models. Import one: lockhouse models import FILE.gguf"
        )  # fmt: skip
        return
    _write_models(found)
    if left_bytes:
        output.note(
            f"Some files of equal size may be the same; {output.size(left_bytes)} have to be read"
            " to know: lockhouse models verify --equal"
        )


def _has_all(model: ModelInfo, words: Sequence[str]) -> bool:
    said = " ".join(
        (model.name, model.title, model.family, model.architecture, model.quantization,
         model.quality, model.license, model.owner, *model.aliases, *model.capabilities,
         model.source.repo if model.source else "")
    ).lower()  # fmt: skip
    return all(word.lower() in said for word in words)


def _sorted(found: list[ModelInfo], sort: str | None) -> list[ModelInfo]:
    if sort == "name":
        return sorted(found, key=lambda model: model.name)
    if sort == "size":
        return sorted(found, key=lambda model: -model.size_bytes)
    if sort == "used":
        return sorted(found, key=lambda model: model.last_used_at or "", reverse=True)
    return found


def _write_models(found: Sequence[ModelInfo]) -> None:
    """The models as a table; their state only where one is not as it should be."""
    troubled = [model for model in found if model.state != "ready"]
    headings = ["NAME", "QUALITY", "QUANT", "SIZE", "CONTEXT", "FIT", "OWNER"]
    rows = [
        [
            model.name,
            model.quality,
            model.quantization,
            output.size(model.size_bytes),
            model.context_length,
            model.fit or "",
            _owners(model),
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


def _owners(model: ModelInfo) -> str:
    """Whose folders it lies in, each once."""
    owners = [model.owner, *(place.owner for place in model.places)]
    return ", ".join(dict.fromkeys(owners)) + (" (pinned)" if model.pinned else "")


@models.command()
@click.argument("model")
@as_json
@pass_door
def show(door: CliContext, model: str, *, is_json: bool) -> None:
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
    door: CliContext, paths: tuple[Path, ...], mode: ImportMode, *, dry_run: bool, is_json: bool
) -> int:
    """Make GGUF files known. They stay where they are unless told otherwise."""
    with door.models() as library, counting("Importing") as progress:
        outcomes = library.import_files(list(paths), mode=mode, dry_run=dry_run, progress=progress)
    if is_json:
        output.write_json(outcomes)
    else:
        _tell(outcomes, dry_run=dry_run)
        if len(outcomes) > 1 or any(path.is_dir() for path in paths):
            output.write_line(_summary(outcomes, dry_run=dry_run))
    return _exit_code(paths, outcomes)


@models.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option("--equal", is_flag=True, help="Only read the files that may be equal to others.")
@as_json
@pass_door
def verify(door: CliContext, names: tuple[str, ...], *, equal: bool, is_json: bool) -> int:
    """Read models again, and say whether they are what they were. All of them without MODEL."""
    if equal and names:
        raise UsageMistake("--equal looks at all models; leave out the names.")
    results: list[Verification] = []
    problems: list[str] = []
    with door.models() as library:
        if equal:
            with counting("Comparing files of equal size") as progress:
                found, _ = library.list_recognised(progress=progress)
            results = []
            several = [model for model in found if len(model.places) > 1]
            _write_equal(several, is_json=is_json)
            return 0
        chosen = names or tuple(m.name for m in library.list() if m.state in ("ready", "changed"))
        for name in chosen:
            try:
                with counting(f"Verifying {name}") as progress:
                    results.append(library.verify(name, progress=progress))
            except InvalidInput as error:
                if len(chosen) == 1:
                    raise
                problems.append(f"{name}: {error.message}")
            else:
                if not is_json:
                    _write_verification(results[-1])
    if is_json:
        output.write_json([_verification(result) for result in results])
    for problem in problems:
        output.note(problem)
    return 3 if problems or not all(result.unchanged for result in results) else 0


def _write_equal(several: Sequence[ModelInfo], *, is_json: bool) -> None:
    if is_json:
        output.write_json(several)
        return
    for model in several:
        output.write_line(f"{model.name} lies in {len(model.places)} places:")
        for place in model.places:
            output.write_line(f"  {place.path} ({place.owner})")
    if not several:
        output.note("No two files are equal.")


def _verification(result: Verification) -> dict[str, object]:
    return {**output.plain(result), "unchanged": result.unchanged}


def _write_verification(result: Verification) -> None:
    if result.changed:
        output.write_line(f"{result.name}: CHANGED  {result.sha256}")
        for path in result.changed:
            output.note(f"{path} is not what it was. It is taken as it is now.")
    else:
        known = "unchanged" if result.previous else "counted for the first time"
        output.write_line(f"{result.name}: {known}  {result.sha256}")


@models.command()
@click.argument("model")
@as_json
@pass_door
def pin(door: CliContext, model: str, *, is_json: bool) -> None:
    """Keep MODEL as it is: a newer revision is put beside it, not in its place."""
    _pin(door, model, pinned=True, is_json=is_json)


@models.command()
@click.argument("model")
@as_json
@pass_door
def unpin(door: CliContext, model: str, *, is_json: bool) -> None:
    """Release MODEL."""
    _pin(door, model, pinned=False, is_json=is_json)


def _pin(door: CliContext, model: str, *, pinned: bool, is_json: bool) -> None:
    with door.models() as library:
        found = library.set_pinned(model, pinned=pinned)
    if is_json:
        output.write_json(found)
    else:
        output.write_line(f"{found.name} is {'pinned' if pinned else 'not pinned any more'}.")


@models.command()
@click.argument("names", metavar="MODEL...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Delete files in Lockhouse's own folders.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted and freed.")
@as_json
@pass_door
def remove(
    door: CliContext, names: tuple[str, ...], *, yes: bool, dry_run: bool, is_json: bool
) -> None:
    """Remove models. Files elsewhere are only forgotten; another program's are left alone."""
    with door.models() as library:
        removals = library.remove_many(names, delete_files=yes, dry_run=dry_run)
    if is_json:
        output.write_json(removals)
        return
    for removal in removals:
        done = "deleted" if removal.deleted else "forgotten; its file stays"
        if dry_run:
            done = f"would be {done}"
        output.write_line(f"{removal.name}: {done}")
        for path in removal.deleted:
            output.write_line(f"  {path}")
    freed_bytes = sum(removal.freed_bytes for removal in removals)
    if freed_bytes:
        output.write_line(f"{output.size(freed_bytes)} {'would be ' if dry_run else ''}freed")


@models.command()
@click.argument("alias")
@click.argument("model", required=False)
@click.option("--remove", "removing", is_flag=True, help="Let ALIAS stand for nothing.")
@as_json
@pass_door
def alias(
    door: CliContext, alias: str, model: str | None, *, removing: bool, is_json: bool
) -> None:
    """Let ALIAS stand for MODEL."""
    if removing == (model is not None):
        raise UsageMistake("Name the model that the alias stands for, or give --remove.")
    with door.models() as library:
        library.set_alias(alias, model)
        found = library.get(model) if model is not None else None
    if is_json:
        output.write_json(found)
    elif found is not None:
        output.write_line(f"{alias} stands for {found.name}.")
    else:
        output.write_line(f"{alias} stands for nothing any more.")


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
    facts = {
        **output.plain(model),
        "tensor_types": model.tensor_words,
        "places": [f"{place.path} ({place.owner})" for place in model.places],
    }
    if len(model.places) < 2:
        del facts["places"]
    return {
        name.replace("_", " "): _in_words(value)
        for name, value in facts.items()
        if value not in (None, "", (), [], {})
    }


def _in_words(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item)
    return value
