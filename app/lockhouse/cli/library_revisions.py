"""``lockhouse models revisions``, ``diff`` and ``use``: published states of a model."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.door import Door, as_json, pass_door

_WIDE = 60


@click.command()
@click.argument("model")
@as_json
@pass_door
def revisions(door: Door, model: str, *, is_json: bool) -> None:
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
@click.argument("before")
@click.argument("after", default="")
@as_json
@pass_door
def diff(door: Door, model: str, before: str, after: str, *, is_json: bool) -> None:
    """Show in what revisions BEFORE and AFTER of MODEL differ (AFTER: the one in force)."""
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


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDE else f"{line[: _WIDE - 1]}…"


@click.command()
@click.argument("model")
@click.argument("revision")
@as_json
@pass_door
def use(door: Door, model: str, revision: str, *, is_json: bool) -> None:
    """Put REVISION of MODEL in force. The other ones are kept."""
    with door.models() as library:
        found = library.use_revision(model, revision)
    if is_json:
        output.write_json(found)
    else:
        output.write_line(f"{found.name} is now {revision}: {found.path}")
