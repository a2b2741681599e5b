"""A folder of forty models that a user only added: nothing that Lockhouse does changes a byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.core.errors import LockhouseError
from lockhouse.library.model_info import ImportMode
from lockhouse.library.models import Models
from lockhouse.storage.database import Database

from . import hostile
from .test_folders import state_of

COUNT = 40
MODES: tuple[ImportMode, ...] = ("in-place", "link", "copy", "move")
PROGRAM = """
import sys
from pathlib import Path
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
home, archive, act = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def told(done, total):
    print(done, flush=True)
models = Models(Database(home / "lockhouse.db", backups=home / "backups"), home / "models", None,
                others=lambda: ())
if act == "remove":
    print("go", flush=True)
    models.remove_many([one.name for one in models.list()], delete_files=True)
elif act == "relocate":
    models.relocate(archive, home / "elsewhere", progress=told)
else:
    models.import_files([archive], mode=act, progress=told)
"""


@pytest.fixture(scope="module")
def made(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty different models: some in folders, some linked, some several times."""
    archive = tmp_path_factory.mktemp("archive")
    model = hostile.small_model(starter)
    for number in range(COUNT):
        folder = archive / ("" if number % 3 else f"shelf {number % 5}")
        folder.mkdir(exist_ok=True)
        model.first_data = b"copy" if number % 10 == 9 else b"%d" % number
        model.write(folder / f"model-{number}.gguf")
    (archive / "linked.gguf").symlink_to(archive / "model-1.gguf")
    return archive


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models(home: Path, made: Path) -> Models:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    found = Models(database, home / "models", None, others=lambda: ())
    found.add_folder(made)
    return found


def test_an_archive_survives_every_removal_move_and_import(
    models: Models, made: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "user/.local/share/Trash").mkdir(parents=True)
    before = state_of(made)
    assert sum(path.endswith(".gguf") for path in before) == COUNT + 1
    models.list_recognised()
    listed = models.list()
    names = [one.name for one in listed]
    for trash in (False, True):
        monkeypatch.setenv("HOME", str(home / "user" if trash else home))
        for chosen in [*([name] for name in names), names]:
            with pytest.raises(LockhouseError):
                models.remove_many(chosen, delete_files=True)
    for mode in MODES:
        assert models.import_files([made], mode=mode)
        assert state_of(made) == before, mode
    with pytest.raises(LockhouseError):
        models.relocate(made, home / "elsewhere")
    models.verify(names[0])
    models.set_alias("first", names[0])
    models.set_pinned("first", pinned=True)
    models.forget_folder(made)
    models.rescan()
    assert state_of(made) == before
    for mode in MODES[:3]:  # no longer a folder of the library: now files of it are imported
        models.import_files([made], mode=mode)
        for name in [one.name for one in models.list()]:
            models.remove_many([name], delete_files=True)
        assert state_of(made) == before, mode
    models.import_files([made], mode="link")
    models.relocate(home / "models", home / "moved")
    assert state_of(made) == before


@pytest.mark.parametrize("act", ["copy", "link", "move", "in-place", "remove", "relocate"])
def test_an_archive_survives_kills(models: Models, made: Path, home: Path, act: str) -> None:
    before = state_of(made)
    chance = random.Random(act)
    models.list()
    if act in MODES[:3]:  # of a folder of the library nothing is imported
        models.forget_folder(made)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home), str(made), act],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        for _ in range(chance.randrange(1, 30)):
            if not next(lines, ""):
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert state_of(made) == before
