"""``lockhouse ledger``: what was sent to providers, as it was sent."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber
from lockhouse.core.errors import NotFound
from lockhouse.gate.sent_requests import MOST_KEPT_BYTES, Sent

if TYPE_CHECKING:
    from lockhouse.gate.sent_requests import SentRequest

_LARGEST = 2**31 - 1


@click.group()
def ledger() -> None:
    """Show what was sent to servers and providers, byte for byte.

    A body is kept as long as the answer it was sent for; its hash and size stay. All connections,
    downloads too, are in: lockhouse records list
    """


@ledger.command("list", short_help="List requests, newest first.")
@click.option("--limit", type=WholeNumber(1, _LARGEST), metavar="N", default=50, show_default=True)
@as_json
def list_sent(cli: CliContext, *, limit: int) -> None:
    """List what was sent, newest first."""
    with cli.database() as database:
        found = Sent(database).list(limit=limit)
    output.write_list(
        found,
        ("ID", "TIME", "TO", "HOST", "BYTES", "COST", "OUTCOME"),
        lambda each: (str(each.id), output.when(datetime.fromisoformat(each.at)), _target(each),
                      each.host, each.size_bytes, _cost(each), each.outcome),
        empty="Nothing was sent to a server or provider yet.",
        json_value=[_described(each, with_body=False) for each in found],
    )  # fmt: skip


@ledger.command(short_help="Show one request.")
@click.argument("number", metavar="ID", type=WholeNumber(1, _LARGEST))
@click.option("--raw", is_flag=True, help="Write the body only, exactly as it was sent.")
@as_json
def show(cli: CliContext, *, number: int, raw: bool) -> None:
    """Show one request: to whom, when, at what cost, its headers and its body."""
    with cli.database() as database:
        sent = Sent(database).get(number)
    if raw:
        if sent.body is None:
            raise NotFound(f"The body of request {number} is not kept.", hint=_why_no_body(sent))
        if not output.is_terminal(sys.stdout):
            sys.stdout.buffer.write(sent.body)
            return
        output.write(sent.body.decode(errors="replace"))
    elif not output.wrote_json(_described(sent)):
        write_sent(sent)


@ledger.command(short_help="Check bodies against their hashes.")
@as_json
def verify(cli: CliContext) -> int:
    """Check that every body that is kept is the one that was sent, by its size and sha256."""
    checked, changed = 0, []
    with cli.database() as database:
        sent = Sent(database)
        for each in sent.list(limit=_LARGEST):
            body = sent.get(each.id).body
            if body is None:
                continue
            checked += 1
            if (len(body), hashlib.sha256(body).hexdigest()) != (each.size_bytes, each.sha256):
                changed.append(each.id)
    ids = ", ".join(map(str, changed))
    kept = output.count(checked, "request")
    text = f"{kept} with a body checked: " + (f"CHANGED: {ids}" if changed else "as they were sent")
    output.write_outcome({"checked": checked, "changed": changed}, text)
    return 3 if changed else 0


@ledger.command(short_help="Export all requests.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def export(cli: CliContext, file: Path) -> None:
    """Write all that was sent to FILE, one JSON object a line, the oldest first."""
    from lockhouse.storage.exports import exported_file

    count = 0
    with cli.database() as database, exported_file(file) as lines:
        sent = Sent(database)
        for each in reversed(sent.list(limit=_LARGEST)):
            lines.write(json.dumps(output.plain(_described(sent.get(each.id)))) + "\n")
            count += 1
    text = f"{output.count(count, 'request')} written to {file}"
    output.write_result({"requests": count, "path": file}, text)


def write_sent(sent: SentRequest) -> None:
    """Write one request for people, its body in lines where it is JSON."""
    facts = {
        "request": str(sent.id),
        "sent": output.when(datetime.fromisoformat(sent.at)),
        "to": f"{_target(sent)} at {sent.host}",
        "outcome": sent.outcome,
        "size": f"{sent.size_bytes:,} bytes",
        "cost": _cost(sent),
        "sha256": sent.sha256,
    }
    output.write_facts({name: fact for name, fact in facts.items() if fact})
    for sentence in sent.added:
        output.write_line(f"added: {sentence}")
    output.write_line()
    output.write_line(f"POST {sent.path}")
    for name, value in sent.headers:
        output.write_line(f"{name}: {value}")
    if sent.has_key:
        output.write_line("(and the key, which is not kept here)")
    output.write_line()
    if sent.body is None:
        output.note(_why_no_body(sent))
    else:
        output.write_line(_readable(sent.body))


def _described(sent: SentRequest, *, with_body: bool = True) -> dict[str, Any]:
    """A request as JSON; ``body`` is its exact text, or None."""
    plain: dict[str, Any] = output.plain(sent)
    plain["body"] = sent.body.decode(errors="replace") if sent.body is not None else None
    if not with_body:
        del plain["body"]
    return plain


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _target(sent: SentRequest) -> str:
    return f"{sent.provider}/{sent.model}"


def _cost(sent: SentRequest) -> str:
    from lockhouse.gate.costs.values import in_dollars

    if sent.cost is None:
        return ""
    return f"{'about ' if sent.cost.is_estimate else ''}{in_dollars(sent.cost.amount)}"


def _why_no_body(sent: SentRequest) -> str:
    if sent.size_bytes > MOST_KEPT_BYTES:
        return f"The body is not kept: it is larger than {output.size(MOST_KEPT_BYTES)}."
    return "The body is not kept: no conversation has the answer."
