"""What Lockhouse keeps is for its user alone, whatever rights the system gives by default."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights are POSIX's")


@pytest.fixture
def generous() -> Iterator[None]:
    """A system that lets everybody read and write everything."""
    before = os.umask(0)
    yield
    os.umask(before)


def rights_of_others(home: Path) -> dict[str, str]:
    """What in a home is not its user's alone."""
    found = {}
    for path in (home, *home.rglob("*")):
        status = path.lstat()
        if status.st_mode & 0o077 and not stat.S_ISLNK(status.st_mode):
            found[str(path.relative_to(home))] = stat.filemode(status.st_mode)
    return found


@pytest.mark.usefixtures("generous")
def test_a_new_home_is_for_its_user_alone(lockhouse: Command, tmp_path: Path) -> None:
    home = Command(tmp_path / "new" / "home", lockhouse.environment)
    for words in (
        ("ask", "Say hello.", "--max-tokens", "4"), ("settings", "set", "threads", "1"),
        ("unseal",), ("status", "--prove"), ("doctor",), ("models", "list"), ("seal",),
    ):  # fmt: skip
        done = subprocess.run(
            home.line(*words), env=home.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        assert rights_of_others(home.home) == {}, words
    home.end_engines()


@pytest.mark.usefixtures("generous")
def test_an_old_home_is_closed_to_others(lockhouse: Command) -> None:
    assert lockhouse("ask", "Say hello.", "--max-tokens", "4").code == 0
    for path in (lockhouse.home, *lockhouse.home.iterdir()):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert lockhouse("chats", "list").code == 0
    kept = {path.name: path.stat().st_mode & 0o777 for path in lockhouse.home.iterdir()}
    assert kept.pop("models", None) in (None, 0o777)  # behind a closed home
    assert {mode & 0o077 for mode in kept.values()} == {0}
    assert lockhouse.home.stat().st_mode & 0o777 == 0o700


def test_a_home_with_other_things_in_it_keeps_its_own_rights(lockhouse: Command) -> None:
    assert lockhouse("chats", "list").code == 0
    (lockhouse.home / "holiday.jpg").touch()
    lockhouse.home.chmod(0o755)
    assert lockhouse("chats", "list").code == 0
    assert lockhouse.home.stat().st_mode & 0o777 == 0o755
    assert (lockhouse.home / "lockhouse.db").stat().st_mode & 0o777 == 0o600


def test_what_the_user_asked_for_has_the_usual_rights(lockhouse: Command, tmp_path: Path) -> None:
    assert lockhouse("ask", "Say hello.", "--max-tokens", "4").code == 0
    chat = lockhouse("chats", "list", "--json").json[0]["id"]
    usual = tmp_path / "usual"
    usual.touch()
    exported = tmp_path / "chat.md"
    assert lockhouse("chats", "export", chat, "-o", exported).code == 0
    assert exported.stat().st_mode == usual.stat().st_mode


def test_an_export_that_cannot_be_written_leaves_what_was_there(
    lockhouse: Command, tmp_path: Path
) -> None:
    assert lockhouse("ask", "Say hello.", "--max-tokens", "4").code == 0
    chat = lockhouse("chats", "list", "--json").json[0]["id"]
    missing = tmp_path / "missing" / "chat.md"
    refused = lockhouse("chats", "export", chat, "-o", missing)
    assert refused.code != 0
    assert "could not be written" in refused.err
    assert list(tmp_path.glob("**/chat.md")) == []
