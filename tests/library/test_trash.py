"""Removing a model: into the trash where there is one, and back with everything known of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from lockhouse.core.errors import InvalidInput
from lockhouse.library.models import Models
from lockhouse.library.trash import Trash
from lockhouse.storage.database import Database
from tests.library import hostile

PATHS = "Gewöhnlich 100% echt.gguf", "two\nlines.gguf", "z.gguf"


@pytest.fixture
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trash of a user whose desktop has made one."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    folder = tmp_path / "user" / ".local" / "share" / "Trash"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def models(tmp_path: Path, starter: Path) -> Models:
    database = Database(tmp_path / "home" / "lockhouse.db", backups=tmp_path / "home" / "backups")
    return Models(database, tmp_path / "home" / "models", starter, others=lambda: ())


def test_a_removed_model_is_in_the_trash_and_comes_back_as_it_was(
    tmp_path: Path, models: Models, trash: Path, starter: Path
) -> None:
    source = tmp_path / "red.gguf"
    source.write_bytes(starter.read_bytes() + b"\0")  # not the one that comes along
    [outcome] = models.import_files([source], mode="copy")
    assert outcome.model is not None
    models.set_alias("mine", outcome.model.name)
    models.set_pinned(outcome.model.name, pinned=True)
    before = models.get("mine")
    content = before.path.read_bytes()
    planned = models.preview_removal(["mine"])
    assert planned.to_trash
    [removal] = models.remove_many(["mine"], delete_files=True)
    assert not before.path.exists()
    [trashed] = removal.trash
    assert trashed.parent == trash / "files"
    assert trashed.read_bytes() == content
    assert source.exists()
    models.undo_removal([removal])
    assert models.get("mine") == before
    assert before.path.read_bytes() == content
    assert not list(trash.glob("*/*"))


def test_models_that_share_a_projector_come_back_each_to_its_place(
    tmp_path: Path, models: Models, trash: Path, starter: Path
) -> None:
    folder = tmp_path / "home" / "models" / "pair"
    folder.mkdir(parents=True)
    for number, name in enumerate(("good-Q4_1", "good-Q8_0"), start=1):
        (folder / f"{name}.gguf").write_bytes(starter.read_bytes() + b"\0" * number)
    projector = hostile.small_model(starter)
    projector.set("general.type", hostile.STRING, hostile.text(b"mmproj"))
    projector.write(folder / "mmproj-good.gguf")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    pair = [model for model in models.list() if model.path.parent == folder]
    assert [model.projector for model in pair] == [folder / "mmproj-good.gguf"] * 2
    removals = models.remove_many([model.name for model in pair], delete_files=True)
    assert not folder.exists()
    assert sorted(path.name for removal in removals for path in removal.deleted) == sorted(before)
    models.undo_removal(removals)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(trash.glob("*/*"))


def test_what_has_taken_its_place_meanwhile_is_not_replaced(
    tmp_path: Path, models: Models, trash: Path, starter: Path
) -> None:
    source = tmp_path / "red.gguf"
    source.write_bytes(starter.read_bytes() + b"\0")  # not the one that comes along
    [outcome] = models.import_files([source], mode="copy")
    assert outcome.model is not None
    [removal] = models.remove_many([outcome.model.name], delete_files=True)
    outcome.model.path.write_bytes(b"another")
    with pytest.raises(InvalidInput, match="could not be brought back"):
        models.undo_removal([removal])
    assert outcome.model.path.read_bytes() == b"another"
    assert removal.trash[0].exists()


@pytest.mark.parametrize("name", PATHS)
def test_the_desktop_can_put_it_back_too(tmp_path: Path, trash: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"first", b"second"):
        path.write_bytes(content)
        Trash().put(path)
    assert sorted(each.read_bytes() for each in (trash / "files").iterdir()) == [
        b"first",
        b"second",
    ]
    for info in (trash / "info").iterdir():
        lines = info.read_text(encoding="ascii").splitlines()
        assert lines[0] == "[Trash Info]"
        assert unquote(lines[1].removeprefix("Path=")) == str(path)
        assert lines[2].startswith("DeletionDate=20")
        assert (trash / "files" / info.name.removesuffix(".trashinfo")).exists()


def test_without_a_trash_a_file_is_deleted_and_said_to_be(
    tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch, starter: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "server"))
    source = tmp_path / "red.gguf"
    source.write_bytes(starter.read_bytes() + b"\0")  # not the one that comes along
    [outcome] = models.import_files([source], mode="copy")
    assert outcome.model is not None
    assert not models.preview_removal([outcome.model.name]).to_trash
    [removal] = models.remove_many([outcome.model.name], delete_files=True)
    assert (removal.to_trash, removal.trash) == (False, ())
    assert not outcome.model.path.exists()


def test_a_file_on_another_disk_goes_to_the_trash_of_that_disk(tmp_path: Path) -> None:
    (tmp_path / "user/.local/share/Trash").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    program = (
        "import sys, pathlib\n"
        "from lockhouse.library.trash import Trash\n"
        "path = pathlib.Path(sys.argv[1], 'disk/models/red.gguf')\n"
        "path.parent.mkdir(); path.write_bytes(b'red')\n"
        "place = Trash().put(path)\n"
        "info = place.parent.parent / 'info' / 'red.gguf.trashinfo'\n"
        "print(place.relative_to(sys.argv[1]), info.read_text().splitlines()[1])\n"
        "Trash().restore(place, path)\n"
        "print(path.read_bytes())\n"
    )
    script = 'mount -t tmpfs none "$1/disk" || exit 99; exec "$0" -c "$2" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, str(tmp_path), program],
        env={**os.environ, "HOME": str(tmp_path / "user")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 99 or "unshare: " in done.stderr:
        pytest.skip("this system does not allow a test to mount a folder")
    assert done.returncode == 0, done.stderr
    place, back = done.stdout.splitlines()
    user = 0  # within the namespace
    assert place == f"disk/.Trash-{user}/files/red.gguf Path=models/red.gguf"
    assert back == "b'red'"
    shutil.rmtree(tmp_path / "disk")
