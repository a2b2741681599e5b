"""``lockhouse paths``: every place that the program writes to."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door


@click.command(short_help="Show where everything is kept.")
@as_json
@pass_door
def paths(door: CliContext, *, is_json: bool) -> None:
    """Show where everything is kept. Nothing is written anywhere else."""
    from lockhouse.places import paths_for

    found = output.plain(paths_for(door.home))
    if is_json:
        output.write_json(found)
    else:
        output.write_facts(found)
