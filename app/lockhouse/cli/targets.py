"""``lockhouse targets``: everything that can answer, and what each allows."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.door import Door, as_json, pass_door


@click.group(short_help="List everything that can answer.")
def targets() -> None:
    """Everything that can answer a question."""


@targets.command("list")
@as_json
@pass_door
def list_targets(door: Door, *, is_json: bool) -> None:
    """List targets, the default one first."""
    with door.workspace() as workspace:
        found = workspace.targets.list()
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("There is nothing that could answer yet.")
        output.note("Import a model: lockhouse models import FILE.gguf")
        return
    output.write_table(
        ("NAME", "KIND", "CONTEXT", "SIZE", "LEAVES THE MACHINE", "DETAIL"),
        [
            (
                target.name,
                target.kind,
                target.context_length,
                output.size(target.size_bytes),
                target.leaves_machine,
                target.detail,
            )
            for target in found
        ],
    )
