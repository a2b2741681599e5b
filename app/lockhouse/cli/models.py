"""``lockhouse models``: the models on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, LazyGroup, as_json
from lockhouse.core.errors import InvalidInput, UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import ImportMode, ImportOutcome, ModelInfo, Verification

_COMPARED_AT_ONCE_BYTES: Final = 1 << 30  # a second or two of reading
_OTHER_PURPOSES: Final = {"embedding", "reranking", "draft"}
_IN_OTHER_MODULES: Final = {
    "card": "model_card",
    "catalogue": "downloads",
    "diff": "model_revisions",
    "fit": "fit",
    "folders": "model_folders",
    "get": "downloads",
    "load": "engines",
    "profile": "model_profiles",
    "revisions": "model_revisions",
    "search": "downloads",
    "unload": "engines:stop",
    "updates": "downloads",
    "use": "model_revisions",
}


@click.group(cls=LazyGroup, lazy=_IN_OTHER_MODULES)
def models() -> None:
    """Find, get, import and manage models."""


@models.command("list", short_help="List models.")
@click.argument("words", nargs=-1)
@click.option(
    "--sort", type=click.Choice(["name", "size", "used"]), help="Sort by this; else as found."
)
@as_json
def list_models(cli: CliContext, words: tuple[str, ...], sort: str | None) -> None:
    """List models; with WORDS, those whose name, owner, licence and so on contain all of them."""
    with cli.models() as library, output.progress("Comparing files of equal size") as progress:
        found, left_bytes = library.list_recognised(
            limit_bytes=_COMPARED_AT_ONCE_BYTES, progress=progress
        )
        unread = [use for use in library.folders(found) if use.problem]
    found = _sorted([model for model in found if _has_all(model, words)], sort)
    if output.wrote_json(found):
        return
    if not found:
        output.note(
            f'No model matches "{" ".join(words)}".' if words else
            "There are no models. Import one: lockhouse models import FILE.gguf"
        )  # fmt: skip
        return
    _write_models(found)
    for use in unread:
        output.note(f"{use.label}, {use.path}: {use.problem}")
    if left_bytes:
        output.note(
            "Some files of equal size may be identical copies. To compare them (reads"
            f" {output.size(left_bytes)}): lockhouse models verify --equal"
        )


def _has_all(model: ModelInfo, words: Sequence[str]) -> bool:
    text = " ".join(
        (model.name, model.title, model.family, model.architecture, model.quantization,
         model.quality, model.license, model.owner, *model.aliases, *model.capabilities,
         model.source.repo if model.source else "")
    ).lower()  # fmt: skip
    return all(word.lower() in text for word in words)


def _sorted(found: list[ModelInfo], sort: str | None) -> list[ModelInfo]:
    if sort == "name":
        return sorted(found, key=lambda model: model.name)
    if sort == "size":
        return sorted(found, key=lambda model: -model.size_bytes)
    if sort == "used":
        return sorted(found, key=lambda model: model.last_used_at or "", reverse=True)
    return found


def _write_models(found: Sequence[ModelInfo]) -> None:
    """Write a table of models, with their state only where one is not ready, and what they are for
    only where one is not for chat."""
    unready = [model for model in found if model.state != "ready"]
    purposes = [", ".join(_OTHER_PURPOSES.intersection(model.capabilities)) for model in found]
    rows = [
        {
            "NAME": model.name,
            "STATE": model.state,
            "FOR": purpose or "chat",
            "QUALITY": model.quality,
            "QUANT": model.quantization,
            "SIZE": output.size(model.size_bytes),
            "CONTEXT": model.context_length,
            "FIT": model.fit or "",
            "OWNER": _owners(model),
        }
        for model, purpose in zip(found, purposes, strict=True)
    ]
    left_out = {"STATE": not unready, "FOR": not any(purposes)}
    headings = [heading for heading in rows[0] if not left_out.get(heading)]
    output.write_table(headings, [[row[heading] for heading in headings] for row in rows])
    for model in unready:
        output.note(f"{model.name}: {model.problem}")


def _owners(model: ModelInfo) -> str:
    """The owners of the folders that hold it, each once."""
    owners = [model.owner, *(place.owner for place in model.places)]
    return ", ".join(dict.fromkeys(owners)) + (" (pinned)" if model.pinned else "")


@models.command(short_help="Show details of a model.")
@click.argument("model", shell_complete=models_here)
@as_json
def show(cli: CliContext, model: str) -> None:
    """Show details of MODEL: a name, an alias, a hash prefix or a file."""
    with cli.models() as library:
        found = library.get(model)
    if not output.wrote_json(found):
        output.write_facts(_facts(found))


@models.command("import", short_help="Import GGUF files.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--in-place",
    "mode",
    flag_value="in-place",
    default=True,
    help="Use it where it is.",
)
@click.option("--copy", "mode", flag_value="copy", help="Copy it to the models folder.")
@click.option("--link", "mode", flag_value="link", help="Link it into the models folder.")
@click.option("--move", "mode", flag_value="move", help="Move it to the models folder.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@as_json
def import_models(
    cli: CliContext,
    paths: tuple[Path, ...],
    mode: ImportMode,
    *,
    dry_run: bool,
) -> int:
    """Import GGUF files, or all models in folders. Files stay where they are unless you choose."""
    with cli.models() as library, output.progress("Importing") as progress:
        outcomes = library.import_files(list(paths), mode=mode, dry_run=dry_run, progress=progress)
    if not output.wrote_json(outcomes):
        _write_outcomes(outcomes, dry_run=dry_run)
        if len(outcomes) > 1 or any(path.is_dir() for path in paths):
            output.write_line(_summary(outcomes, dry_run=dry_run))
    return _exit_code(paths, outcomes)


@models.command(short_help="Check that files are unchanged.")
@click.argument("names", metavar="[MODEL]...", nargs=-1, shell_complete=models_here)
@click.option("--equal", is_flag=True, help="Only compare files that may be identical copies.")
@as_json
def verify(cli: CliContext, names: tuple[str, ...], *, equal: bool) -> int:
    """Read the files of models again and compare their hashes. Without MODEL, check all models."""
    if equal and names:
        raise UsageMistake("--equal compares all models; leave out the names.")
    results: list[Verification] = []
    problems: list[str] = []
    with cli.models() as library:
        if equal:
            with output.progress("Comparing files of equal size") as progress:
                found, _ = library.list_recognised(progress=progress)
            several = [model for model in found if len(model.places) > 1]
            _write_equal(several)
            return 0
        chosen = names or tuple(m.name for m in library.list() if m.state in ("ready", "changed"))
        for name in chosen:
            try:
                with output.progress(f"Verifying {name}") as progress:
                    results.append(library.verify(name, progress=progress))
            except InvalidInput as error:
                if len(chosen) == 1:
                    raise
                problems.append(f"{name}: {error.message}")
            else:
                if not output.is_json():
                    _write_verification(results[-1])
    output.wrote_json([{**output.plain(one), "unchanged": one.unchanged} for one in results])
    for problem in problems:
        output.note(problem)
    return 3 if problems or not all(result.unchanged for result in results) else 0


def _write_equal(several: Sequence[ModelInfo]) -> None:
    if output.wrote_json(several):
        return
    for model in several:
        output.write_line(f"{model.name}: {len(model.places)} identical copies")
        for place in model.places:
            output.write_line(f"  {place.path} ({place.owner})")
    if not several:
        output.note("There are no identical copies.")


def _write_verification(result: Verification) -> None:
    if result.changed:
        output.write_line(f"{result.name}: CHANGED  {result.sha256}")
        for path in result.changed:
            output.note(f"{path} has changed. Its new hash is recorded.")
    else:
        known = "unchanged" if result.previous else "hashed for the first time"
        output.write_line(f"{result.name}: {known}  {result.sha256}")


@models.command(short_help="Keep the current revision.")
@click.argument("model", shell_complete=models_here)
@as_json
def pin(cli: CliContext, model: str) -> None:
    """Keep the current revision of MODEL: a newer one is stored beside it, not used instead."""
    _pin(cli, model, pinned=True)


@models.command(short_help="Let newer revisions be used.")
@click.argument("model", shell_complete=models_here)
@as_json
def unpin(cli: CliContext, model: str) -> None:
    """Let newer revisions of MODEL be used again."""
    _pin(cli, model, pinned=False)


def _pin(cli: CliContext, model: str, *, pinned: bool) -> None:
    with cli.models() as library:
        found = library.set_pinned(model, pinned=pinned)
    output.write_outcome(found, f"{found.name} is {'pinned' if pinned else 'no longer pinned'}.")


@models.command()
@click.argument("names", metavar="MODEL...", nargs=-1, required=True, shell_complete=models_here)
@click.option(
    "--yes",
    is_flag=True,
    help="Delete files in Lockhouse's own folders, into the trash if there is one.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted and freed.")
@as_json
def remove(cli: CliContext, names: tuple[str, ...], *, yes: bool, dry_run: bool) -> None:
    """Remove models. Files outside Lockhouse's own folders are never deleted."""
    with cli.models() as library:
        removals = library.remove_many(names, delete_files=yes, dry_run=dry_run)
    if output.wrote_json(removals):
        return
    would = "would be " if dry_run else ""
    for removal in removals:
        done = "removed from the list; its file is kept"
        if removal.deleted:
            done = "moved to the trash" if removal.to_trash else "permanently deleted"
        output.write_line(f"{removal.name}: {would}{done}")
        for path in removal.deleted:
            output.write_line(f"  {path}")
        for path in removal.trash:
            output.note(f"In the trash: {path}")
    freed_bytes = sum(removal.freed_bytes for removal in removals)
    if freed_bytes and any(removal.to_trash for removal in removals):
        output.write_line(f"{output.size(freed_bytes)} are freed once you empty the trash")
    elif freed_bytes:
        output.write_line(f"{output.size(freed_bytes)} {would}freed")


@models.command(short_help="Give a model another name.")
@click.argument("alias")
@click.argument("model", required=False, shell_complete=models_here)
@click.option("--remove", "removing", is_flag=True, help="Remove ALIAS.")
@as_json
def alias(cli: CliContext, alias: str, model: str | None, *, removing: bool) -> None:
    """Give MODEL another name, ALIAS."""
    if removing == (model is not None):
        raise UsageMistake("Name the model for the alias, or give --remove.")
    with cli.models() as library:
        library.set_alias(alias, model)
        found = library.get(model) if model is not None else None
    said = (
        f"{alias} is now an alias of {found.name}." if found else f"The alias {alias} was removed."
    )
    output.write_outcome(found, said)


def _exit_code(paths: Sequence[Path], outcomes: Sequence[ImportOutcome]) -> int:
    """A folder may contain files that are not models; a file that was named must be one."""
    named = {Path(os.path.abspath(path.expanduser())) for path in paths}  # noqa: PTH100
    refused = [outcome for outcome in outcomes if outcome.action == "refused"]
    if len(refused) < len(outcomes):
        refused = [outcome for outcome in refused if outcome.source in named]
    return max((outcome.exit_code for outcome in refused), default=0)


def _write_outcomes(outcomes: Sequence[ImportOutcome], *, dry_run: bool) -> None:
    """Write a line for each, refusals last."""
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
    """The details of a model that are known."""
    facts = {
        **output.plain(model),
        "tensor_types": model.tensor_words,
        "places": [f"{place.path} ({place.owner})" for place in model.places],
    }
    if len(model.places) < 2:
        del facts["places"]
    return {
        name.replace("_", " "): _as_text(value)
        for name, value in facts.items()
        if value not in (None, "", (), [], {})
    }


def _as_text(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item)
    return value
