"""``lockhouse doctor``: what works here and what does not, each with its remedy."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door

_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


@click.command(short_help="Check what works here, with the remedy.")
@as_json
@pass_door
def doctor(door: CliContext, *, is_json: bool) -> int:
    """Check this machine and this home. Fails when something that is needed does not work."""
    from lockhouse.cli.checks import all_checks

    line = output.StatusLine()
    findings = []
    for name, check in all_checks(door):
        line.show(f"Checking {name}")
        finding = check()
        line.clear()
        findings.append(finding)
        if not is_json:
            output.write_line(f"{_mark(finding.state)}  {finding.name}: {finding.message}")
            if finding.remedy:
                output.write_line(f"      {finding.remedy}")
    failed = [finding for finding in findings if finding.state == "fail"]
    if is_json:
        output.write_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    return 1 if failed else 0


def _mark(state: str) -> str:
    word = f"{state:4}"
    if output.has_colour(sys.stdout):
        return f"\x1b[{_COLOURS[state]}m{word}\x1b[0m"
    return word
