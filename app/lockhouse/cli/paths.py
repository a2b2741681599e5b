"""``lockhouse paths``: every folder and file that the program writes to."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json


@click.command()
@as_json
def paths(cli: CliContext) -> None:
    """Show where files are stored. Nothing is written anywhere else."""
    found = output.plain(cli.paths)
    if not output.wrote_json(found):
        output.write_facts(found)
