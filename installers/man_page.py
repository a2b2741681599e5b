"""Writes docs/lockhouse.1, the man page, from the commands: python installers/man_page.py

Packages install that file where man looks for it (briefcase.toml, and the wheel in
pyproject.toml); a test compares it with what this script makes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "lockhouse.1"
_ENVIRONMENT = {
    "LOCKHOUSE_HOME": "The folder in which everything is stored, as with --home.",
    "LOCKHOUSE_<NAME>": "Overrides a setting; see: lockhouse settings list",
    "HF_ENDPOINT": "A mirror of the hub, when network access is allowed with unseal.",
    "NO_COLOR": "No colours.",
}
_EXIT_STATUS = {
    "0": "Done.",
    "1": "A check failed, or the window cannot be shown.",
    "2": "An invalid command or option.",
    "3": "Something does not exist or is not valid.",
    "4": "Network access is blocked, or the network failed.",
    "5": "Not enough memory or disk space, or a model too large for this machine.",
    "6": "The engine crashed.",
    "7": "The database or the keyring cannot be used.",
    "8": "Refused by a label, a limit, or missing consent.",
    "70": "A bug.",
    "130": "Stopped with Ctrl-C.",
}


def page() -> str:
    """The man page as roff."""
    import lockhouse
    from lockhouse.cli.main import commands

    context = click.Context(commands, info_name="lockhouse")
    lines = [
        f'.TH LOCKHOUSE 1 "" "Lockhouse {lockhouse.__version__}" "User Commands"',
        ".SH NAME",
        "lockhouse \\- open\\-weight language models on your own machine, sealed from the network",
        ".SH SYNOPSIS",
        ".B lockhouse",
        "[\\-\\-home DIR] [COMMAND] [ARGUMENTS]",
        ".SH DESCRIPTION",
        _text(commands.help or ""),
        ".PP",
        _text(commands.epilog or ""),
        ".SH OPTIONS",
        *_options(context, commands),
        ".SH COMMANDS",
    ]
    for leaf in _leaves(context, commands):
        lines += _command(leaf)
    for heading, entries in (("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _EXIT_STATUS)):
        lines.append(f".SH {heading}")
        for name, meaning in entries.items():
            lines += [".TP", f".B {_text(name)}", _text(meaning)]
    lines += [
        ".SH FILES",
        _text("lockhouse paths prints every folder and file that is written to."),
    ]
    return "\n".join(lines) + "\n"


def _leaves(context: click.Context, command: click.Command) -> Iterator[click.Context]:
    """The context of each command that does something, in the order of the help."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves(click.Context(found, parent=context, info_name=name), found)


def _command(context: click.Context) -> list[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [".SS " + _text(f"{context.command_path} {usage}")]
    for number, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        lines += [".PP"] * (number > 0)
        if paragraph.startswith("\b\n"):
            lines += [".nf", *map(_text, paragraph.splitlines()[1:]), ".fi"]
        else:
            lines.append(_text(" ".join(paragraph.split())))
    return lines + _options(context, command)


def _options(context: click.Context, command: click.Command) -> list[str]:
    lines = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            names, meaning = record
            lines += [".TP", f".B {_text(names)}", _text(meaning) or "\\&"]
    return lines


def _text(words: str) -> str:
    """Words that mean nothing to roff."""
    words = words.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{words}" if words.startswith((".", "'")) else words


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "app"))
    PAGE.write_text(page(), encoding="utf-8")
