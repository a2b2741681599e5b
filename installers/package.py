"""Runs Briefcase on this project: ``python installers/package.py create linux system``.

Briefcase reads its settings from pyproject.toml only. Ours stand in briefcase.toml, apart from
what a developer needs, so the two are merged into a file beside them for as long as Briefcase
runs. Version, description, licence and dependencies come from pyproject.toml and nowhere else.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from briefcase.commands.base import BaseCommand
    from briefcase.console import Console

ROOT = Path(__file__).resolve().parents[1]
# It must lie in the root: Briefcase takes the folder of its settings for that of the project.
MERGED = ".briefcase.merged.toml"


def merged_settings(root: Path) -> dict[str, Any]:
    """What Briefcase would find in pyproject.toml if its settings stood there."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    briefcase = tomllib.loads((root / "briefcase.toml").read_text(encoding="utf-8"))
    if "briefcase" in project.get("tool", {}):
        raise SystemExit("pyproject.toml has a [tool.briefcase] of its own: keep one of the two.")
    return {
        "build-system": project["build-system"],
        "project": project["project"],
        "tool": {"briefcase": briefcase["tool"]["briefcase"]},
    }


@contextmanager
def merged_file(root: Path) -> Iterator[Path]:
    """The merged settings in a file that is gone afterwards."""
    import tomli_w

    path = root / MERGED
    path.write_text(tomli_w.dumps(merged_settings(root)), encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def configured(
    arguments: Sequence[str], console: Console, root: Path
) -> tuple[BaseCommand, dict[str, Any]]:
    """The Briefcase command that the arguments name, with our settings, and its options."""
    from briefcase.cmdline import parse_cmdline

    kind, rest = parse_cmdline(list(arguments), console=console)
    command = kind(console=console, base_path=root)
    options, overrides = command.parse_options(extra=rest)
    with merged_file(root) as settings:
        command.parse_config(settings, overrides=overrides)
    return command, options


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run one Briefcase command and return its exit code."""
    from briefcase.console import Console
    from briefcase.exceptions import BriefcaseError, BriefcaseWarning, HelpText

    console = Console()
    command = None
    try:
        command, options = configured(arguments, console, root)
        command(**options)
    except HelpText as help_text:
        console.info(str(help_text))
        return int(help_text.error_code)
    except BriefcaseWarning as warning:
        console.warning(str(warning))
        return int(warning.error_code)
    except BriefcaseError as error:
        console.error(str(error))
        return int(error.error_code)
    finally:
        if command is not None:
            console.save_log_to_file(command)
        console.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
