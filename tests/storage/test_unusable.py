"""A file, a folder or a disk that cannot be used: each is told, and nothing is overwritten."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockhouse.chat.conversations import Conversations
from lockhouse.core.errors import StorageError
from lockhouse.storage.database import Database

Open = Callable[[], Database]

APP = Path(__file__).parents[2] / "app"


@pytest.fixture
def filled(opened: Open, home: Path) -> Path:
    """A closed database with a hundred messages and a backup."""
    database = opened()
    conversations = Conversations(database)
    for number in range(20):
        chat = conversations.create(title=f"Chat {number}")
        with database.write():
            for _ in range(5):
                conversations.add_user(chat.id, "Some words. " * 50, parent_id=None)
    database.backup()
    database.close()
    return home / "lockhouse.db"


def refused(opened: Open, file: Path, code: str) -> StorageError:
    """Opening fails with that code and changes nothing."""
    before = file.read_bytes()
    with pytest.raises(StorageError) as told:
        opened()
    assert told.value.code == code
    assert told.value.exit_code == 7
    assert str(file) in told.value.message
    assert file.read_bytes() == before
    return told.value


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"not a database at all " * 100,
        lambda _: b"x",
        lambda whole: whole[:50],
        lambda whole: whole[:100],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: bytes(len(whole)),
        lambda whole: whole[:16] + random.Random(1).randbytes(len(whole) - 16),
        lambda whole: whole[:100] + random.Random(1).randbytes(len(whole) - 100),
    ],
)
def test_a_damaged_file_is_told_with_the_way_on(
    opened: Open, filled: Path, damage: Callable[[bytes], bytes]
) -> None:
    filled.write_bytes(damage(filled.read_bytes()))
    error = refused(opened, filled, "database_damaged")
    [backup] = (filled.parent / "backups").iterdir()
    assert str(backup) in error.hint
    # What the hint says works.
    filled.rename(filled.with_suffix(".aside"))
    for name in ("lockhouse.db-wal", "lockhouse.db-shm"):
        filled.with_name(name).unlink(missing_ok=True)
    shutil.copy(backup, filled)
    assert len(Conversations(opened()).list()) == 20


def test_without_a_backup_the_way_on_says_so(opened: Open, filled: Path) -> None:
    shutil.rmtree(filled.parent / "backups")
    filled.write_bytes(b"damaged" * 100)
    assert "there is no backup yet" in refused(opened, filled, "database_damaged").hint


def test_damage_anywhere_is_told_and_never_a_crash(opened: Open, filled: Path) -> None:
    whole = filled.read_bytes()
    chance = random.Random(11)
    told = []
    for _ in range(60):
        broken = bytearray(whole)
        start = chance.randrange(100, len(broken))
        broken[start : start + 600] = chance.randbytes(len(broken[start : start + 600]))
        filled.write_bytes(bytes(broken))
        try:
            use(opened())
        except StorageError as error:
            told.append(error)
        for name in ("lockhouse.db-wal", "lockhouse.db-shm"):
            filled.with_name(name).unlink(missing_ok=True)
    assert len(told) > 20
    assert {error.code for error in told} == {"database_damaged"}
    assert all("backup" in error.hint for error in told)


def use(database: Database) -> None:
    """Reads everything."""
    try:
        conversations = Conversations(database)
        for chat in conversations.list():
            conversations.messages(chat.id)
        conversations.search("words")
    finally:
        database.close()


def test_a_database_of_another_program_is_left_alone(opened: Open, home: Path) -> None:
    home.mkdir()
    file = home / "lockhouse.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    refused(opened, file, "database_foreign")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_not_a_file_is_told(opened: Open, home: Path, make: Callable[[Path], None]) -> None:
    home.mkdir()
    make(home / "lockhouse.db")
    with pytest.raises(StorageError, match="is not a file"):
        opened()


def test_a_file_in_place_of_the_folder_is_told(opened: Open, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(StorageError) as told:
        opened()
    assert told.value.code == "read_only"


OPEN = f"""
import sys
sys.path.insert(0, {str(APP)!r})
from pathlib import Path
from lockhouse.chat.conversations import Conversations
from lockhouse.core.errors import StorageError
from lockhouse.storage.database import Database
home = Path(sys.argv[1])
def use(words):
    try:
        database = Database(home / "lockhouse.db", backups=home / "backups")
        conversations = Conversations(database)
        chat = conversations.create()
        for _ in range(words):
            conversations.add_user(chat.id, "word " * 10000, parent_id=None)
        print("fine")
        return database
    except StorageError as error:
        print(error.code)
"""


def inside(home: Path, prepare: str, code: str) -> list[str]:
    """What a process prints for which the home was mounted as a test needs it."""
    script = f'{prepare} && exec "$0" -c "$1" "$2"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, OPEN + code, str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare: " in ran.stderr or "mount: " in ran.stderr:
        pytest.skip("this system does not allow a test to mount a folder")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


READ_ONLY = 'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2"'


def test_a_read_only_folder_is_told(home: Path) -> None:
    home.mkdir()
    assert inside(home, READ_ONLY, "use(1)") == ["read_only"]
    assert inside(home, READ_ONLY, "home = home / 'deeper'; use(1)") == ["read_only"]


def test_a_read_only_database_is_told(filled: Path) -> None:
    before = filled.read_bytes()
    assert inside(filled.parent, READ_ONLY, "use(1)") == ["read_only"]
    assert filled.read_bytes() == before


def test_settings_in_a_read_only_folder_are_told(home: Path) -> None:
    home.mkdir()
    code = """
from lockhouse.storage.settings import Settings, SettingsFile
try:
    SettingsFile(home / "settings.json").save(Settings(theme="dark"))
except StorageError as error:
    print(error.code)
"""
    assert inside(home, READ_ONLY, code) == ["read_only"]


def test_a_full_disk_is_told_and_loses_nothing(home: Path) -> None:
    home.mkdir()
    code = """
database = use(1)
use(1000)
print(database.problems(), len(Conversations(database).list()))
"""
    disk = 'mount -t tmpfs -o size=2m none "$2"'
    assert inside(home, disk, code) == ["fine", "disk_full", "[] 2"]


def test_a_disk_that_is_full_from_the_start_is_told(home: Path) -> None:
    home.mkdir()
    disk = 'mount -t tmpfs -o size=64k none "$2" && { cat /dev/zero > "$2/filler" || true; }'
    assert inside(home, disk, "use(1)") == ["disk_full"]
