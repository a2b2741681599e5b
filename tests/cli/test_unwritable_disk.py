"""A disk that is full, or that may only be read: what is on it can be read all the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from lockhouse.chat.conversations import Conversations
from lockhouse.core.errors import StorageError
from lockhouse.storage.database import Database
from tests.cli.command import Command, Outcome

READ_ONLY = 'mount --bind "$home" "$home" && mount -o remount,ro,bind "$home"'
FULL = (
    'mount -t tmpfs -o size=8m tmpfs "$home" && cp -a "$home.kept/." "$home"'
    ' && { cat /dev/zero > "$home/filler" 2> /dev/null || true; }'
)
EMPTY_AND_FULL = (
    'mount -t tmpfs -o size=64k tmpfs "$home"'
    ' && { cat /dev/zero > "$home/filler" 2> /dev/null || true; }'
)
DISKS = pytest.mark.parametrize("disk", [READ_ONLY, FULL], ids=["read only", "full"])


def on(disk: str, lockhouse: Command, *arguments: str) -> Outcome:
    """Run a command where the home lies on such a disk, in a mount namespace of its own."""
    kept = lockhouse.home.with_name(f"{lockhouse.home.name}.kept")
    if not kept.exists():
        shutil.copytree(lockhouse.home, kept)
    script = f'home="$1"; shift; {disk} || exit 99; exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", lockhouse.home, *lockhouse.line(*arguments)],
        env={**lockhouse.environment, "XDG_RUNTIME_DIR": str(lockhouse.home.parent)},
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 99 or b"unshare: " in done.stderr:
        pytest.skip("this system does not allow a test to mount a folder")
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture
def chat(lockhouse: Command) -> str:
    """A conversation in the home, whose writer was killed before SQLite had tidied up."""
    asked = lockhouse("ask", "Say a word about lighthouses.", "--max-tokens", "3", "--json")
    lockhouse.end_engines()
    file = lockhouse.home / "lockhouse.db"
    writer = sqlite3.connect(file)
    writer.execute("UPDATE conversations SET title = 'Kept in the log'")
    writer.commit()
    left = {
        name: file.with_name(name).read_bytes() for name in ("lockhouse.db", "lockhouse.db-wal")
    }
    writer.close()
    for name, data in left.items():
        file.with_name(name).write_bytes(data)
    assert left["lockhouse.db-wal"]
    return str(asked.json["conversation_id"])


@DISKS
def test_everything_can_be_read(lockhouse: Command, chat: str, disk: str) -> None:
    listed = on(disk, lockhouse, "chats", "list", "--json")
    assert [one["title"] for one in listed.json] == ["Kept in the log"]
    assert "nothing is saved" in listed.err
    shown = on(disk, lockhouse, "chats", "show", chat).text
    assert "Say a word about lighthouses." in shown
    assert "Say a word about" in on(disk, lockhouse, "chats", "export", chat).text
    assert on(disk, lockhouse, "chats", "search", "lighthouses", "--json").json
    for command in (
        ("models", "list"), ("targets", "list"), ("costs", "show"), ("records", "list"),
        ("transfers", "list"),
    ):  # fmt: skip
        assert on(disk, lockhouse, *command).code == 0, command
    told = on(disk, lockhouse, "chats", "rename", chat, "Another", "--json")
    assert told.code == 7
    assert told.json["error"]["code"] in ("read_only", "disk_full")
    report = on(disk, lockhouse, "doctor", "--json")
    states = {check["name"]: check["state"] for check in report.json["checks"]}
    assert states["database"] == "fail"


@DISKS
def test_a_question_is_answered_and_not_stored(lockhouse: Command, chat: str, disk: str) -> None:
    asked = on(disk, lockhouse, "ask", "And again?", "--chat", chat, "--max-tokens", "3", "--json")
    assert asked.code == 0, asked.err
    assert asked.json["text"]
    assert asked.json["conversation_id"] is None
    assert "nothing is saved" in asked.err
    on(disk, lockhouse, "engines", "stop")


def test_a_disk_that_was_full_before_the_first_start_is_read_as_empty(lockhouse: Command) -> None:
    assert on(EMPTY_AND_FULL, lockhouse, "chats", "list", "--json").json == []
    assert on(EMPTY_AND_FULL, lockhouse, "models", "list", "--json").json
    assert on(EMPTY_AND_FULL, lockhouse, "chats", "rename", "x", "y").code in (3, 7)


def test_every_command_that_opens_the_database_makes_a_backup_each_day(lockhouse: Command) -> None:
    backups = lockhouse.home / "backups"
    lockhouse("ask", "Hi", "--max-tokens", "2")
    [first] = backups.iterdir()
    lockhouse("chats", "list")
    assert list(backups.iterdir()) == [first]
    first.rename(first.with_name("lockhouse-20000101-000000-000000.db"))
    for old in backups.iterdir():
        os.utime(old, (0, 0))
    lockhouse("chats", "list")
    assert len(list(backups.iterdir())) == 2


def test_an_empty_file_is_told_with_its_newest_backup(lockhouse: Command) -> None:
    lockhouse("ask", "Hi", "--max-tokens", "2")
    database = lockhouse.home / "lockhouse.db"
    database.write_bytes(b"")
    told = lockhouse("chats", "list", "--json")
    assert told.code == 7
    [backup] = (lockhouse.home / "backups").iterdir()
    assert str(backup) in told.json["error"]["hint"]
    assert database.read_bytes() == b""


def test_nothing_is_written_into_a_file_that_turned_out_to_be_damaged(
    lockhouse: Command, chat: str
) -> None:
    file = lockhouse.home / "lockhouse.db"
    with sqlite3.connect(file) as whole:
        [(root,)] = whole.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'")
    whole.close()
    data = bytearray(file.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    file.write_bytes(bytes(data))
    before = state(lockhouse.home)
    told = lockhouse("chats", "show", chat, "--json")
    assert (told.code, told.json["error"]["code"]) == (7, "database_damaged")
    assert state(lockhouse.home) == before


def state(home: Path) -> dict[str, bytes]:
    """The database and its log."""
    names = ("lockhouse.db", "lockhouse.db-wal")
    return {name: (home / name).read_bytes() for name in names if (home / name).exists()}


def test_a_database_that_is_damaged_while_it_is_open_is_written_no_more(tmp_path: Path) -> None:
    file = tmp_path / "lockhouse.db"
    database = Database(file, backups=tmp_path / "backups")
    conversations = Conversations(database)
    for number in range(200):
        conversations.create(title=f"Chat {number}", system="words " * 100)
    database.close()
    data = bytearray(file.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096 * 20] = b"\xff" * 4096 * 20
    file.write_bytes(bytes(data))
    opened = Database(file, backups=tmp_path / "backups")
    conversations = Conversations(opened)
    conversations.create(title="before anybody knows")
    with pytest.raises(StorageError) as told:
        conversations.list()
    assert told.value.code == "database_damaged"
    before = state(tmp_path)
    with pytest.raises(StorageError) as refused:
        conversations.create(title="after that")
    assert refused.value.code == "database_damaged"
    opened.close()
    assert state(tmp_path) == before
