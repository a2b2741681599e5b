"""Every command that a page shows exists, with every option that it is shown with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lockhouse.cli.main import commands

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "SECURITY.md", "docs/user-guide.md", "docs/threat-model.md"]
_CALL = re.compile(r"(?:^|[|`$] ?)(?:\.venv/bin/)?lockhouse(?= )(.*?)(?:`|   |$)", re.MULTILINE)


def calls(page: str) -> list[str]:
    """What stands behind ``lockhouse`` wherever a page shows a command."""
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r"```\n(.*?)```|(`lockhouse [^`]*`)", text, re.DOTALL)
    return [call for block in shown for call in _CALL.findall("".join(block)) if call.strip()]


def words(call: str) -> list[str]:
    """The words of a call without the marks for what is optional."""
    tidy = re.sub(r"[\[\]]|\.\.\.| \| (?=--)|<.*$|\|\w+(?=\W|$)", " ", call)
    return shlex.split(tidy)


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_a_page_exist(page: str) -> None:
    found = calls(page)
    assert found
    for call in found:
        command: click.Command = commands
        for word in words(call):
            context = click.Context(command)
            if len(word) > 1 and word.startswith("-"):
                known = {name for option in command.params for name in option.opts}
                assert word in known, call
            elif isinstance(command, click.Group):
                chosen = command.get_command(context, word)
                assert chosen is not None, call
                command = chosen


def test_the_guide_shows_every_command() -> None:
    shown = {words(call)[0] for call in calls("docs/user-guide.md")}
    assert shown == set(commands.list_commands(click.Context(commands)))


def test_the_guide_names_every_exit_code() -> None:
    from lockhouse.core import errors

    guide = (ROOT / "docs/user-guide.md").read_text(encoding="utf-8")
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", guide, re.MULTILINE)}
    kinds = {errors.Cancelled.exit_code} | {
        kind.exit_code for kind in errors.LockhouseError.__subclasses__()
    }
    assert kinds <= named


def groups(command: click.Command, path: str = "lockhouse") -> Iterator[tuple[str, click.Group]]:
    """A group with all the groups in it, each with the words that call it."""
    if not isinstance(command, click.Group):
        return
    yield path, command
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from groups(found, f"{path} {name}")


def test_no_line_of_a_list_of_commands_is_cut_off() -> None:
    for path, group in groups(commands):
        context = click.Context(group, info_name=path, terminal_width=80)
        shown = group.get_help(context).partition("Commands:")[2]
        assert shown
        assert "..." not in shown, path
