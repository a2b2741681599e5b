"""``lockhouse doctor``: checks of this machine and this home, with a fix for each problem."""

from __future__ import annotations

from dataclasses import asdict

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json

_COLOURS: dict[str, output.Style] = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@as_json
def doctor(cli: CliContext) -> int:
    """Diagnose problems and suggest fixes. Fails when something that is needed does not work."""
    from lockhouse.cli.checks import CHECKS

    line = output.StatusLine()
    findings = {}
    for name, check in CHECKS.items():
        line.show(f"Checking {name}")
        findings[name] = finding = check(cli)
        line.clear()
        if not output.is_json():
            mark = output.Styled(f"{finding.state:4}", _COLOURS[finding.state])
            output.write_line(mark, f"  {name}: {finding.message}")
            if finding.remedy:
                output.write_line(f"      {finding.remedy}")
    has_failed = any(finding.state == "fail" for finding in findings.values())
    checks = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
    output.wrote_json({"ok": not has_failed, "checks": checks})
    return 1 if has_failed else 0
