"""``lockhouse records``: what left, what was refused and what was allowed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import get_args

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.cli.options import WholeNumber
from lockhouse.core.errors import UsageMistake
from lockhouse.gate.protocol import RecordKind
from lockhouse.gate.records import RecordFilter, Records, Term

_LARGEST = 2**63 - 1  # that the database can count
_MOST_DAYS = 36_500


@click.group(short_help="Show what left and what was refused.")
def records() -> None:
    """The records of the gate: hosts, sizes and outcomes, never what was said."""


@records.command("list")
@click.argument("words", nargs=-1)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(get_args(RecordKind)))
@click.option(
    "--before", type=WholeNumber(1, _LARGEST), metavar="N", help="Older than this number."
)
@click.option("--limit", type=WholeNumber(1, _LARGEST), metavar="N", default=50, show_default=True)
@as_json
@pass_door
def list_records(
    door: CliContext,
    words: tuple[str, ...],
    *,
    kinds: tuple[RecordKind, ...],
    before: int | None,
    limit: int,
    is_json: bool,
) -> None:
    """Show the newest first; WORDS must all be found in host, purpose or outcome."""
    wanted = RecordFilter(kinds, tuple(Term(word) for word in words))
    with door.database() as database:
        found = Records(database).search(wanted, before=before or 0, limit=limit)
    if is_json:
        output.write_json([{"number": kept.seq, **output.plain(kept.record)} for kept in found])
        return
    output.write_table(
        ("NUMBER", "TIME", "WHAT", "HOST", "PURPOSE", "OUT", "IN", "OUTCOME"),
        [
            (
                kept.seq,
                output.when(datetime.fromisoformat(kept.record.at)),
                kept.record.kind,
                kept.record.host,
                kept.record.purpose,
                kept.record.bytes_out,
                kept.record.bytes_in,
                kept.record.outcome,
            )
            for kept in found
        ],
    )


@records.command("prune")
@click.option(
    "--older-than", "days", type=WholeNumber(1, _MOST_DAYS), required=True, metavar="DAYS"
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@pass_door
def prune(door: CliContext, *, days: int, yes: bool, is_json: bool) -> None:
    """Remove records older than so many days. That they were removed stays on record."""
    if not yes:
        if not sys.stdin.isatty():
            raise UsageMistake("Nothing was removed: nobody could be asked.", hint="Add --yes.")
        click.confirm(f"Remove all records older than {days} days?", abort=True, err=True)
    with door.database() as database:
        before = datetime.now(UTC) - timedelta(days=days)
        count = Records(database).prune(before, purpose="command")
    if is_json:
        output.write_json({"removed": count})
    else:
        output.note(f"{count} records were removed.")
