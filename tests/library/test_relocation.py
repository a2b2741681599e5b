"""Moving a folder of models: checked, and to be interrupted at any moment."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, NotFound, UsageMistake
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
from tests.library.test_folders import small

MOVE = """
import sys
from pathlib import Path
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
home, target = Path(sys.argv[1]), Path(sys.argv[2])
database = Database(home / "lockhouse.db", backups=home / "backups")
models = Models(database, home / "models", None, others=list)
print("begin", flush=True)
models.relocate(home / "models", target, lambda done, total: print(done, flush=True))
print("end", flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    yield database
    database.close()


@pytest.fixture
def models(database: Database, home: Path) -> Models:
    return Models(database, home / "models", None, others=list)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    folder = Path(tempfile.mkdtemp(dir=shared))
    yield folder
    shutil.rmtree(folder)


def fill(folder: Path, starter: Path) -> dict[str, str]:
    """Models in folders and beside them a note; their hashes by name."""
    small(starter, folder / "red.gguf", b"red")
    small(starter, folder / "deep" / "er" / "blue.gguf", b"blue")
    small(starter, folder / "green.gguf", b"green")
    (folder / "notes.txt").write_text("mine")
    (folder / "empty").touch()
    (folder / "deep" / "link.txt").symlink_to("../notes.txt")
    return contents(folder)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("is_far", [False, True])
def test_everything_moves_and_what_is_known_moves_along(
    is_far: bool, request: pytest.FixtureRequest, models: Models, home: Path, starter: Path
) -> None:
    folder = home / "models"
    before = fill(folder, starter)
    base = request.getfixturevalue("other_disk") if is_far else home.parent
    target = base / "new" / "place"
    models.set_alias("colour", "blue")
    models.set_pinned("blue", pinned=True)
    digest = models.sha256(folder / "deep" / "er" / "blue.gguf")
    told: list[tuple[int, int]] = []
    done = models.relocate(folder, target, lambda count, total: told.append((count, total)))
    assert contents(target) == before
    assert not folder.exists()
    assert (done.moved, done.kept) == (6, ())
    assert told[-1][0] == told[-1][1]
    assert models.main_folder == target
    blue = models.get("colour")
    assert (blue.path, blue.pinned) == (target / "deep" / "er" / "blue.gguf", True)
    assert (blue.sha256, blue.state) == (digest, "ready")
    new = small(starter, home.parent / "new.gguf", b"new")
    (copied,) = models.import_files([new], mode="copy")
    assert copied.destination == target / "new.gguf"


def test_a_move_goes_on_where_it_was_cancelled(
    models: Models, home: Path, starter: Path, other_disk: Path
) -> None:
    folder, target = home / "models", other_disk / "to"
    before = fill(folder, starter)
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        models.relocate(folder, target, lambda *_: cancel.cancel(), cancel)
    assert {model.name for model in models.list()} >= {"red", "blue", "green"}
    assert any("not complete" in use.problem for use in models.folders())
    with pytest.raises(UsageMistake, match="is being moved to"):
        models.relocate(folder, other_disk / "elsewhere")
    models.relocate(folder, target)
    assert contents(target) == before
    assert not any(use.problem for use in models.folders())


def test_a_kill_at_any_moment_loses_nothing(
    home: Path, starter: Path, other_disk: Path, database: Database, models: Models
) -> None:
    folder, target = home / "models", other_disk / "to"
    before = fill(folder, starter)
    digest = models.sha256(folder / "green.gguf")
    models.set_alias("leaf", "green")
    chance = random.Random(7)
    command = [sys.executable, "-c", MOVE, str(home), str(target)]
    for _ in range(12):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        for _ in range(chance.randrange(1, 4)):  # killed after so many reports
            next(lines, "")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        both = {**contents(folder), **contents(target)} if folder.exists() else contents(target)
        whole = {name: each for name, each in both.items() if not name.endswith(".part")}
        assert {**before, **whole} == before  # nothing is other than it was
        assert before.keys() - whole.keys() <= {"deep/link.txt"}  # it may lead to where it was
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:  # a move that was completed before the last kill has nothing to go on with
        assert not folder.exists()
    assert contents(target) == before
    assert not folder.exists()
    green = models.get("leaf")
    assert (green.path, green.sha256, green.state) == (target / "green.gguf", digest, "ready")


def test_a_file_that_has_its_name_taken_stays(
    models: Models, home: Path, starter: Path, tmp_path: Path
) -> None:
    folder, target = home / "models", tmp_path / "to"
    fill(folder, starter)
    theirs = small(starter, target / "red.gguf", b"another")
    kept = theirs.read_bytes()
    done = models.relocate(folder, target)
    assert done.kept == (folder / "red.gguf",)
    assert theirs.read_bytes() == kept
    assert any("not complete" in use.problem for use in models.folders())
    theirs.unlink()
    assert models.relocate(folder, target).kept == ()
    assert not folder.exists()


def test_a_place_without_room_is_refused_before_anything_moves(
    models: Models, home: Path, starter: Path, tmp_path: Path
) -> None:
    folder = home / "models"
    before = fill(folder, starter)
    (tmp_path / "file").write_text("in the way")
    for target in (folder / "inside", home, tmp_path / "file", tmp_path / "file" / "beneath"):
        with pytest.raises((UsageMistake, InvalidInput)):
            models.relocate(folder, target)
    with pytest.raises(NotFound):
        models.relocate(tmp_path / "nothing", tmp_path / "to")
    assert contents(folder) == before
    assert not any(use.problem for use in models.folders())


def test_a_folder_with_unfinished_downloads_stays_until_they_end(
    models: Models, home: Path, starter: Path, tmp_path: Path
) -> None:
    folder = home / "models"
    before = fill(folder, starter)
    part = folder / ".downloads" / "0123456789ab" / "big.gguf.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    with pytest.raises(UsageMistake, match="unfinished downloads"):
        models.relocate(folder, tmp_path / "to")
    part.unlink()
    models.relocate(folder, tmp_path / "to")
    assert contents(tmp_path / "to") == before


def test_a_copy_that_rotted_since_it_was_verified_is_flagged_after_the_move(
    models: Models, home: Path, starter: Path, other_disk: Path
) -> None:
    folder = home / "models"
    path = small(starter, folder / "rot.gguf", b"sound")
    models.sha256(path)
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x77")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert models.get("rot").state == "ready"  # nothing told of it
    models.relocate(folder, other_disk / "to")
    assert models.get("rot").state == "changed"
