"""``lockhouse models revisions``, ``diff`` and ``use``: the revisions of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import NotFound, UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import Difference

_WIDE = 60


@click.command(short_help="List the revisions of a model.")
@click.argument("model", shell_complete=models_here)
@as_json
def revisions(cli: CliContext, model: str) -> None:
    """List the revisions of MODEL on this machine."""
    with cli.models() as library:
        found = library.revisions(model)
        newer = library.get(model).newer_revision
    has_table = output.write_list(
        found,
        ("IN USE", "REVISION", "SHA256", "ADDED", "FILE"),
        lambda each: ("yes" if each.current else "", each.revision[:12], each.sha256[:12],
                      each.added_at[:10], str(each.path)),
        empty="No revision is known: the model was not downloaded by Lockhouse.",
    )  # fmt: skip
    if has_table and newer:
        output.note(f"The hub has a newer revision: {newer[:12]}.")


@click.command(short_help="Compare two revisions of a model.")
@click.argument("model", shell_complete=models_here)
@click.argument("before", default="")
@click.argument("after", default="")
@click.option("--newer", is_flag=True, help="Compare with the current file on the hub.")
@as_json
def diff(cli: CliContext, model: str, before: str, after: str, *, newer: bool) -> None:
    """Compare the revisions BEFORE and AFTER of MODEL (default for AFTER: the one in use)."""
    if newer == bool(before):
        raise UsageMistake(
            "Name a revision to compare with, or give --newer.",
            hint=f"List them: lockhouse models revisions {model}",
        )
    if newer:
        found = _diff_with_hub(cli, model)
    else:
        with cli.models() as library:
            found = library.compare_revisions(model, before, after)
    output.write_list(
        found,
        ("KIND", "WHAT", "BEFORE", "AFTER"),
        lambda each: (each.kind, each.what, _short(each.before), _short(each.after)),
        empty="They are identical.",
    )


def _diff_with_hub(cli: CliContext, model: str) -> list[Difference]:
    """The differences between the file in use and the current one on the hub."""
    from lockhouse.library.file_choice import remote_header

    with cli.workspace() as workspace:
        source = workspace.models.get(model).source
        if source is None or not source.repo or not source.file:
            raise NotFound(
                f"The origin of {model} is not known.",
                hint="It is recorded for models downloaded with: lockhouse models get",
            )
        if not workspace.hub.is_open:
            raise workspace.hub.why_closed()
        repo = workspace.hub.repo(source.repo)
        file = next((each for each in repo.files if each.name == source.file), None)
        if file is None:
            raise NotFound(
                f"{source.repo} no longer has {source.file}.",
                hint=f"List its files: lockhouse models get {source.repo} --dry-run",
            )
        header = remote_header(workspace.hub, repo, file)
        return workspace.models.compare_with(model, header, file.sha256)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDE else f"{line[: _WIDE - 1]}…"


@click.command(short_help="Use another revision of a model.")
@click.argument("model", shell_complete=models_here)
@click.argument("revision")
@as_json
def use(cli: CliContext, model: str, revision: str) -> None:
    """Use REVISION of MODEL. The other ones are kept."""
    with cli.models() as library:
        found = library.use_revision(model, revision)
    output.write_outcome(found, f"{found.name} is now {revision}: {found.path}")
