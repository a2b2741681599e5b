"""Writing, reading, migrating and backing up."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database as Connection
from sqlite_utils import Migrations

from lockhouse.core.errors import StorageError
from lockhouse.storage.database import FORMAT, Database

Open = Callable[[], Database]

APP = Path(__file__).parents[2] / "app"


def steps(*statements: str) -> Migrations:
    """A set of migrations, one statement each."""
    migrations = Migrations("things")
    for number, statement in enumerate(statements):

        def step(database: Connection, statement: str = statement) -> None:
            database.execute(statement)

        migrations(name=f"step {number}")(step)
    return migrations


TABLE = "CREATE TABLE things (name TEXT)"
COLUMN = "ALTER TABLE things ADD COLUMN size INTEGER"


def names(database: Database) -> list[str]:
    return [row[0] for row in database.read().execute("SELECT name FROM things ORDER BY rowid")]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process with our code on its path."""
    path = f"import sys; sys.path.insert(0, {str(APP)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", path + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_is_written_is_read_after_opening_again(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES ('a')")
        writer.table("things").insert({"name": "b"})
        assert names(database) == []  # others see it when it is complete
    assert names(database) == ["a", "b"]
    database.close()
    assert names(opened()) == ["a", "b"]


def test_an_error_takes_everything_back(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))

    def fail(name: str) -> None:
        with database.write() as writer:
            writer.execute("INSERT INTO things VALUES (?)", [name])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail("a")
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES ('outer')")
        with pytest.raises(ZeroDivisionError):
            fail("inner")
        with database.write() as inner:
            inner.execute("INSERT INTO things VALUES ('joined')")
    assert names(database) == ["outer", "joined"]


def test_reading_cannot_write(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    with pytest.raises(StorageError):
        database.read().execute("INSERT INTO things VALUES ('a')")
    assert names(database) == []


def test_writes_of_many_threads_are_all_kept(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(200):
                with database.write() as writer:
                    writer.execute("INSERT INTO things VALUES (?)", [f"{thread} {number}"])
                if number % 50 == 0:
                    names(database)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(names(database))) == 1600


def test_writes_of_several_processes_are_all_kept(opened: Open, home: Path) -> None:
    """They also make the database at the same time, the first time."""
    code = """
from pathlib import Path
from lockhouse.storage.database import Database
from sqlite_utils import Migrations
home, me = Path(sys.argv[1]), sys.argv[2]
migrations = Migrations("things")
@migrations(name="step 0")
def first(database):
    database.execute("CREATE TABLE things (name TEXT)")
print("ready", flush=True)
sys.stdin.readline()
database = Database(home / "lockhouse.db", backups=home / "backups")
database.migrate(migrations)
for number in range(400):
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES (?)", [f"{me} {number}"])
database.close()
"""
    processes = [python(code, str(home), str(n)) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    database = opened()
    assert len(set(names(database))) == 1600
    assert database.problems() == []


def test_opening_is_cheap_and_leaves_numpy_importable(home: Path) -> None:
    code = """
from pathlib import Path
from lockhouse.storage.database import Database
from lockhouse.chat.conversations import Conversations
home = Path(sys.argv[1])
database = Database(home / "lockhouse.db", backups=home / "backups")
Conversations(database).create()
loaded = set(sys.modules)
import numpy
print(*{"numpy", "pandas", "psutil", "markdown_it", "zipfile"} & loaded)
"""
    process = python(code, str(home))
    out, _ = process.communicate()
    assert (process.returncode, out.split()) == (0, [])


def test_nobody_can_use_a_closed_database(opened: Open) -> None:
    """A window that closes in mid-answer has threads that do not know of it yet."""
    database = opened()
    database.migrate(steps(TABLE))
    told: list[str] = []
    reading, closed = threading.Event(), threading.Event()

    def work() -> None:
        names(database)
        reading.set()
        closed.wait(60)
        for use in (lambda: names(database), lambda: database.write().__enter__()):
            try:
                use()
            except StorageError as error:
                told.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    assert reading.wait(60)
    database.close()
    closed.set()
    thread.join()
    assert told == ["database_closed", "database_closed"]
    assert database.data_version() == database.data_version()
    database.close()


# Migrations


def test_a_database_with_data_is_backed_up_before_it_changes(opened: Open, home: Path) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    assert not (home / "backups").exists()
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES ('a')")
    database.migrate(steps(TABLE))
    assert not (home / "backups").exists()
    database.migrate(steps(TABLE, COLUMN))
    [backup] = (home / "backups").iterdir()
    old = Database(backup, backups=home / "none")
    assert [column.name for column in old.read()["things"].columns] == ["name"]
    assert names(old) == ["a"]
    old.migrate(steps(TABLE))
    old.close()
    assert [column.name for column in database.read()["things"].columns] == ["name", "size"]


def test_another_services_first_tables_need_no_backup(opened: Open, home: Path) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES ('a')")
    others = Migrations("others")

    @others(name="others")
    def _others(writer: Connection) -> None:
        writer.execute("CREATE TABLE others (name TEXT)")

    database.migrate(others)
    assert not (home / "backups").exists()
    assert database.read()["others"].exists()


def test_tables_without_data_need_no_backup(opened: Open, home: Path) -> None:
    from lockhouse.chat.conversations import Conversations

    database = opened()
    database.migrate(steps(TABLE))
    conversations = Conversations(database)
    database.migrate(steps(TABLE, COLUMN))
    assert database.backup_when_due(timedelta(0)) is None
    assert not (home / "backups").exists()
    conversations.create()
    first = database.backup_when_due(timedelta(days=1))
    assert first is not None
    assert database.backup_when_due(timedelta(days=1)) is None
    assert database.backup_when_due(timedelta(0)) not in (None, first)


def test_a_backup_does_not_keep_writers_waiting(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    with database.write() as writer:
        writer.execute("INSERT INTO things VALUES ('a')")
        database.backup()
        writer.execute("INSERT INTO things VALUES ('b')")
    assert names(database) == ["a", "b"]


def test_a_migration_that_fails_changes_nothing(opened: Open) -> None:
    database = opened()
    database.migrate(steps(TABLE))
    broken = steps(TABLE, COLUMN, "INSERT INTO things VALUES (1, 2, 3)")
    with pytest.raises(Exception, match="3 values"):
        database.migrate(broken)
    assert [column.name for column in database.read()["things"].columns] == ["name"]
    database.migrate(steps(TABLE, COLUMN))


def test_only_so_many_backups_are_kept(opened: Open, home: Path) -> None:
    database = opened()
    made = [database.backup() for _ in range(13)]
    assert sorted((home / "backups").iterdir()) == made[-10:]


def snapshot(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}


def test_a_database_with_unknown_migrations_is_refused(opened: Open, home: Path) -> None:
    newer = opened()
    newer.migrate(steps(TABLE, COLUMN))
    backup = newer.backup()
    newer.close()
    before = (home / "lockhouse.db").read_bytes()
    with pytest.raises(StorageError) as told:
        opened().migrate(steps(TABLE))
    assert told.value.code == "database_too_new"
    assert str(backup) in told.value.hint
    assert (home / "lockhouse.db").read_bytes() == before


def test_a_database_of_a_newer_format_is_refused(opened: Open, home: Path) -> None:
    newer = opened()
    with newer.write() as writer:
        writer.execute(f"PRAGMA user_version = {FORMAT + 1}")
    newer.close()
    before = snapshot(home)
    with pytest.raises(StorageError) as told:
        opened()
    assert told.value.code == "database_too_new"
    assert "lockhouse.db" in told.value.message
    assert "newer version" in told.value.hint
    assert snapshot(home) == before


RELEASES = sorted((Path(__file__).parents[1] / "data" / "db").glob("lockhouse-*.db"))


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_the_database_of_every_release_can_be_used(opened: Open, home: Path, release: Path) -> None:
    from lockhouse.chat.conversations import Conversations

    home.mkdir()
    shutil.copy(release, home / "lockhouse.db")
    conversations = Conversations(opened())
    [chat] = conversations.list()
    assert (chat.title, chat.pinned, chat.draft) == ("Paris", True, "And of")
    assert chat.parameters == {"temperature": 0.2}
    assert [folder.name for folder in conversations.folders()] == ["Travel"]
    question, answer, more, broken = conversations.path(chat.id)
    assert question.content == "What is the capital of France?"
    assert (answer.content, answer.version_index) == ("It is Paris.", 1)
    assert answer.provenance is not None
    assert answer.provenance.finished.parameters == {"seed": 7}
    assert (more.content, broken.status) == ("And of Spain?", "failed")
    assert {hit.message_id for hit in conversations.search("paris")} >= {answer.id, None}
    assert len(conversations.list(include_deleted=True)) == 2
    conversations.add_user(chat.id, "It goes on.", parent_id=broken.id)
    assert conversations.database.problems() == []


def test_there_is_a_database_of_a_release() -> None:
    assert RELEASES
