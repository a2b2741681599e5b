"""``lockhouse records``: the record of network requests, sent and refused."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import get_args

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber
from lockhouse.core.errors import UsageMistake
from lockhouse.gate.protocol import RecordKind
from lockhouse.gate.records import KeptRecord, RecordFilter, Records, Term

_LARGEST = 2**63 - 1  # for the database
_MOST_DAYS = 36_500


@click.group()
def records() -> None:
    """Show the record of network requests: hosts, sizes and outcomes, never contents."""


@records.command("list", short_help="List records, newest first.")
@click.argument("words", nargs=-1)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(get_args(RecordKind)))
@click.option(
    "--before", type=WholeNumber(1, _LARGEST), metavar="N", help="Only records before this number."
)
@click.option("--limit", type=WholeNumber(1, _LARGEST), metavar="N", default=50, show_default=True)
@as_json
def list_records(
    cli: CliContext,
    words: tuple[str, ...],
    *,
    kinds: tuple[RecordKind, ...],
    before: int | None,
    limit: int,
) -> None:
    """List records, newest first; with WORDS, those whose host, purpose or outcome has them all."""
    wanted = RecordFilter(kinds, tuple(Term(word) for word in words))
    with cli.database() as database:
        found = Records(database).search(wanted, before=before or 0, limit=limit)
    output.write_list(
        found,
        ("NUMBER", "TIME", "WHAT", "HOST", "PURPOSE", "OUT", "IN", "OUTCOME"),
        _row,
        json_value=[{"number": kept.seq, **output.plain(kept.record)} for kept in found],
    )


def _row(kept: KeptRecord) -> tuple[object, ...]:
    record = kept.record
    when = output.when(datetime.fromisoformat(record.at))
    sizes = (record.bytes_out, record.bytes_in)
    return kept.seq, when, record.kind, record.host, record.purpose, *sizes, record.outcome


@records.command("prune", short_help="Delete old records.")
@click.option(
    "--older-than", "days", type=WholeNumber(1, _MOST_DAYS), required=True, metavar="DAYS"
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def prune(cli: CliContext, *, days: int, yes: bool) -> None:
    """Delete records older than DAYS. That they were deleted is recorded."""
    if not yes:
        if not sys.stdin.isatty():
            raise UsageMistake(
                "Nothing was deleted: there is no terminal to confirm it.", hint="Add --yes."
            )
        click.confirm(f"Delete all records older than {days} days?", abort=True, err=True)
    with cli.database() as database:
        before = datetime.now(UTC) - timedelta(days=days)
        count = Records(database).prune(before, purpose="command")
    text = f"Deleted {output.count(count, 'record')}."
    output.write_result({"removed": count}, text)
