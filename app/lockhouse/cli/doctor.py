"""``lockhouse doctor``: checks of this machine and this home, with a fix for each problem."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_cli

_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


@click.command()
@as_json
@pass_cli
def doctor(cli: CliContext, *, is_json: bool) -> int:
    """Diagnose problems and suggest fixes. Fails when something that is needed does not work."""
    from lockhouse.cli.checks import CHECKS

    line = output.StatusLine()
    findings = {}
    for name, check in CHECKS.items():
        line.show(f"Checking {name}")
        findings[name] = finding = check(cli)
        line.clear()
        if not is_json:
            output.write_line(f"{_mark(finding.state)}  {name}: {finding.message}")
            if finding.remedy:
                output.write_line(f"      {finding.remedy}")
    has_failed = any(finding.state == "fail" for finding in findings.values())
    if is_json:
        checks = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
        output.write_json({"ok": not has_failed, "checks": checks})
    return 1 if has_failed else 0


def _mark(state: str) -> str:
    word = f"{state:4}"
    if output.has_colour(sys.stdout):
        return f"\x1b[{_COLOURS[state]}m{word}\x1b[0m"
    return word
