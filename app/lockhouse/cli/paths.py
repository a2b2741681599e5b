"""``lockhouse paths``: every folder and file that the program writes to."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_cli


@click.command()
@as_json
@pass_cli
def paths(cli: CliContext, *, is_json: bool) -> None:
    """Show where files are stored. Nothing is written anywhere else."""

    found = output.plain(cli.paths)
    if is_json:
        output.write_json(found)
    else:
        output.write_facts(found)
