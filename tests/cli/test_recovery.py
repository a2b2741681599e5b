"""A damaged database: ``chats recover`` saves what can be read, and loses nothing else."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockhouse.chat.conversations import Conversations
from lockhouse.core.messages import Image
from lockhouse.storage.database import Database
from lockhouse.workspace import open_workspace
from tests.cli.test_errors import Inside
from tests.cli.test_errors import inside as inside  # noqa: PLC0414 - a fixture

CHATS, TURNS = 30, 8
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(5000)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A home with conversations long enough to need several pages each, and a backup of half."""
    home = tmp_path / "home"
    workspace = open_workspace(home)
    kept = workspace.conversations
    for number in range(CHATS):
        chat = kept.create(title=f"Chat {number}", parameters={"temperature": 0.5})
        above = None
        for turn in range(TURNS):
            words = f"Question {number} {turn}. " + "Some words of it. " * (
                400 if turn == 3 else 20
            )
            images = (Image("image/png", PICTURE, "one.png"),) if turn == 0 else ()
            above = kept.add_user(chat.id, words, parent_id=above, images=images).id
        if number == CHATS // 2:
            workspace.database.backup()
    workspace.models.set_alias("mine", "smollm2-135m-instruct")
    workspace.close()
    return home


def damage_some_pages(data: bytearray) -> None:
    chance = random.Random(5)
    for _ in range(12):
        start = chance.randrange(4096 * 40, len(data) - 600)
        data[start : start + 600] = chance.randbytes(600)


def lose_the_first_page(data: bytearray) -> None:
    data[:4096] = bytes(4096)


def lose_the_root_of_the_messages(data: bytearray) -> None:
    roots = sqlite3.connect(":memory:")
    roots.deserialize(bytes(data[:18] + b"\x01\x01" + data[20:]))
    [(root,)] = roots.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'")
    roots.close()
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096


def cut_the_last_third(data: bytearray) -> None:
    del data[len(data) * 2 // 3 :]


@pytest.mark.parametrize(
    ("damage", "least_share"),
    [
        (damage_some_pages, 0.9),
        (lose_the_first_page, 0.99),
        (lose_the_root_of_the_messages, 0.99),
        (cut_the_last_third, 0.5),
    ],
)
def test_most_of_a_damaged_database_is_recovered(
    filled: Path,
    inside: Inside,
    damage: Callable[[bytearray], None],
    least_share: float,
) -> None:
    file = filled / "lockhouse.db"
    data = bytearray(file.read_bytes())
    damage(data)
    file.write_bytes(bytes(data))
    (backup,) = (filled / "backups").glob("lockhouse-*.db")
    done = inside("chats", "recover", "--json")
    assert done.code == 0, done.err
    found = done.json["recovered"]
    assert found["messages"] >= CHATS * TURNS * least_share
    assert not found["from_backup"]
    assert Path(found["damaged_file"]).read_bytes() == bytes(data)
    assert Path(found["newest_backup"]) == backup
    listed = inside("chats", "list", "--json").json
    assert len(listed) == found["conversations"] >= CHATS * least_share
    for chat in listed:
        shown = inside("chats", "show", chat["id"], "--all", "--json")
        assert shown.code == 0, shown.err
    assert inside("chats", "search", "Question", "--json").json
    assert whole(file, filled / "backups")
    assert not list((filled / "backups").glob("recovering-*"))


def whole(file: Path, backups: Path) -> bool:
    """Whether SQLite finds nothing wrong, foreign keys included."""
    database = Database(file, backups=backups)
    wrong = database.read().execute("PRAGMA foreign_key_check").fetchall()
    found = not database.problems() and not wrong
    database.close()
    return found


def test_what_was_not_damaged_is_recovered_word_for_word(filled: Path, inside: Inside) -> None:
    file = filled / "lockhouse.db"
    before = told(file)
    with sqlite3.connect(file) as database:
        # A page of the search index: all that was said is still there.
        [(root,)] = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'message_words_data'"
        )
    database.close()
    data = bytearray(file.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    file.write_bytes(bytes(data))
    assert inside("chats", "recover").code == 0
    assert told(file) == before
    assert "smollm2-135m-instruct" in inside("models", "show", "mine").text


def told(file: Path) -> list[object]:
    """All that was said, with its pictures."""
    database = Database(file, backups=file.parent / "backups")
    kept = Conversations(database)
    found = [(chat, kept.messages(chat.id), kept.path(chat.id)) for chat in kept.list()]
    pictures = [kept.images(message.id) for _, messages, _ in found for message in messages]
    database.close()
    return [found, pictures]


def test_a_sound_database_is_left_as_it_is(filled: Path, inside: Inside) -> None:
    before = told(filled / "lockhouse.db")
    done = inside("chats", "recover")
    assert "is not damaged" in done.err
    assert told(filled / "lockhouse.db") == before


@pytest.mark.parametrize("content", [b"", b"this is no database at all" * 500])
def test_where_nothing_can_be_read_the_newest_backup_takes_its_place(
    filled: Path,
    inside: Inside,
    content: bytes,
) -> None:
    (filled / "lockhouse.db").write_bytes(content)
    done = inside("chats", "recover")
    assert "newest backup" in done.text
    assert len(inside("chats", "list", "--json").json) == CHATS // 2 + 1


def test_what_waits_in_the_log_is_recovered_too(filled: Path, inside: Inside) -> None:
    file = filled / "lockhouse.db"
    writer = sqlite3.connect(file)
    writer.execute("UPDATE messages SET content = 'Only in the log.' WHERE seq = 5")
    writer.commit()
    log = file.with_name("lockhouse.db-wal").read_bytes()
    data = bytearray(file.read_bytes())
    writer.close()
    data[:100] = bytes(100)
    file.write_bytes(bytes(data))
    file.with_name("lockhouse.db-wal").write_bytes(log)
    assert inside("chats", "recover").code == 0
    assert "Only in the" in inside("chats", "search", "log", "--json").text


def test_a_database_that_is_open_elsewhere_is_not_replaced(
    filled: Path,
    inside: Inside,
) -> None:
    file = filled / "lockhouse.db"
    data = bytearray(file.read_bytes())
    damage_some_pages(data)
    file.write_bytes(bytes(data))
    program = f"f = open({str(file)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        told = inside("chats", "recover", "--json")
        assert (told.code, told.json["error"]["code"]) == (7, "database_busy")
        assert str(other.pid) in told.json["error"]["message"]
        other.kill()
    assert file.read_bytes() == bytes(data)
