"""``lockhouse models revisions``, ``diff`` and ``use``: published states of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.core.errors import NotFound, UsageMistake

if TYPE_CHECKING:
    from lockhouse.library.model_info import Difference

_WIDE = 60


@click.command()
@click.argument("model")
@as_json
@pass_door
def revisions(door: CliContext, model: str, *, is_json: bool) -> None:
    """List the revisions of MODEL that are kept here."""
    with door.models() as library:
        found = library.revisions(model)
        newer = library.get(model).newer_revision
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("It was not fetched by Lockhouse, so that no revision of it is known.")
        return
    rows = [
        ["yes" if each.current else "", each.revision[:12], each.sha256[:12], each.added_at[:10],
         str(each.path)]
        for each in found
    ]  # fmt: skip
    output.write_table(["IN FORCE", "REVISION", "SHA256", "ADDED", "FILE"], rows)
    if newer:
        output.note(f"The hub has another revision: {newer[:12]}.")


@click.command()
@click.argument("model")
@click.argument("before", default="")
@click.argument("after", default="")
@click.option("--newer", is_flag=True, help="Compare with what the hub has now; only its header.")
@as_json
@pass_door
def diff(
    door: CliContext, model: str, before: str, after: str, *, newer: bool, is_json: bool
) -> None:
    """Show in what revisions BEFORE and AFTER of MODEL differ (AFTER: the one in force)."""
    if newer == bool(before):
        raise UsageMistake(
            "Name a revision to compare with, or give --newer.",
            hint=f"See which there are: lockhouse models revisions {model}",
        )
    if newer:
        found = _with_the_hubs(door, model)
    else:
        with door.models() as library:
            found = library.compare_revisions(model, before, after)
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("They are the same.")
        return
    rows = [[each.kind, each.what, _short(each.before), _short(each.after)] for each in found]
    output.write_table(["KIND", "WHAT", "BEFORE", "AFTER"], rows)


def _with_the_hubs(door: CliContext, model: str) -> list[Difference]:
    """What would change if the hub's file took the place of the one in force."""
    from lockhouse.library.file_choice import remote_header

    with door.workspace() as workspace:
        source = workspace.models.get(model).source
        if source is None or not source.repo or not source.file:
            raise NotFound(
                f"It is not known where {model} came from.",
                hint="That is kept of models that come by: lockhouse models get",
            )
        if not workspace.hub.is_open:
            raise workspace.hub.why_closed()
        repo = workspace.hub.repo(source.repo)
        file = next((each for each in repo.files if each.name == source.file), None)
        if file is None:
            raise NotFound(
                f"{source.repo} has no {source.file} any more.",
                hint=f"See what it has: lockhouse models get {source.repo} --dry-run",
            )
        header = remote_header(workspace.hub, repo, file)
        return workspace.models.compare_with(model, header, file.sha256)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDE else f"{line[: _WIDE - 1]}…"


@click.command()
@click.argument("model")
@click.argument("revision")
@as_json
@pass_door
def use(door: CliContext, model: str, revision: str, *, is_json: bool) -> None:
    """Put REVISION of MODEL in force. The other ones are kept."""
    with door.models() as library:
        found = library.use_revision(model, revision)
    if is_json:
        output.write_json(found)
    else:
        output.write_line(f"{found.name} is now {revision}: {found.path}")
