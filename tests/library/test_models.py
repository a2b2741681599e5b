"""Models on a real disk with a real database."""

from __future__ import annotations

import hashlib
import os
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
from tests.library import hostile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    yield database
    database.close()


@pytest.fixture
def models(database: Database, home: Path, starter: Path) -> Models:
    return Models(database, home / "models", starter)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def small(starter: Path, path: Path, *, mark: bytes = b"") -> Path:
    """A small sound model; ``mark`` makes its content its own."""
    model = hostile.small_model(starter)
    model.first_data = mark
    return model.write(path)


def identity(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_mode


def everything_beneath(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_starter_model_comes_first_and_is_included(models: Models, starter: Path) -> None:
    (only,) = models.list()
    assert only.name == "smollm2-135m-instruct"
    assert only.title == "SmolLM2 135M Instruct"
    assert only.path == starter
    assert only.files == (starter,)
    assert (only.owner, only.included, only.state) == ("lockhouse", True, "ready")
    assert (only.quantization, only.quality, only.license) == ("Q4_1", "Balanced", "apache-2.0")
    assert only.size_bytes == starter.stat().st_size
    assert only.sha256 is None
    assert only.fit == "fits"
    assert models.get(only.name) == only


def test_a_hash_is_counted_once_for_each_state_of_a_file(
    models: Models, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "a.gguf")
    counted: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == path.stat().st_size
        counted.append(done)

    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert models.sha256(path, progress=progress) == expected
    assert counted[-1] == path.stat().st_size
    counted.clear()
    assert models.sha256(path, progress=progress) == expected
    assert not counted
    small(starter, path, mark=b"other")
    assert models.sha256(path, progress=progress) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert counted


def test_hashing_can_be_cancelled(models: Models, starter: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        models.sha256(starter, cancel=cancel)
    assert models.list()[0].sha256 is None


def test_a_file_that_changed_after_it_was_hashed_is_flagged(
    models: Models, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "changing.gguf")
    models.import_files([path])
    before = models.sha256(path)
    assert models.get("changing").state == "ready"
    assert models.get("changing").sha256 == before
    small(starter, path, mark=b"different weights")
    changed = models.get("changing")
    assert (changed.state, changed.sha256) == ("changed", None)
    assert "was written to after it was verified" in changed.problem
    models.sha256(path)  # counting anew, as an answer does, does not hide it
    changed = models.get("changing")
    assert changed.state == "changed"
    assert "content of changing.gguf changed" in changed.problem
    verified = models.verify("changing")
    assert not verified.unchanged
    assert verified.previous == before
    assert models.get("changing").state == "ready"
    assert models.verify("changing").unchanged


def test_a_file_that_was_only_touched_is_ready_again_when_hashed(
    models: Models, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "touched.gguf")
    models.import_files([path])
    models.sha256(path)
    os.utime(path, ns=(1, 1))
    assert models.get("touched").state == "changed"
    models.sha256(path)
    assert models.get("touched").state == "ready"


def test_names_are_plain_until_they_clash(models: Models, starter: Path, elsewhere: Path) -> None:
    names = (
        "Qwen3-0.6B-Q8_0.gguf",
        "Qwen3-0.6B-UD-Q4_K_XL.gguf",
        "sha256-0123456789abcdef0123456789abcdef.gguf",
        "deadbeef.gguf",
        "Mein Modell (neu).gguf",
    )
    for number, name in enumerate(names):
        small(starter, elsewhere / name, mark=bytes([number]))
    models.import_files([elsewhere])
    by_file = {model.path.name: model.name for model in models.list()}
    assert by_file["Qwen3-0.6B-Q8_0.gguf"] == "qwen3-0.6b"
    assert by_file["Qwen3-0.6B-UD-Q4_K_XL.gguf"] == "qwen3-0.6b-q4_1"  # what it really is
    assert by_file["sha256-0123456789abcdef0123456789abcdef.gguf"].startswith("smollm2-135m")
    assert by_file["deadbeef.gguf"] == "model-deadbeef"
    assert by_file["Mein Modell (neu).gguf"] == "mein-modell-neu"
    assert len(set(by_file.values())) == len(by_file)
    assert list(by_file.values()) == [model.name for model in models.list()]


def test_a_model_is_found_in_every_way(models: Models, starter: Path, elsewhere: Path) -> None:
    one = small(starter, elsewhere / "alpha-one.gguf", mark=b"1")
    small(starter, elsewhere / "alpha-two.gguf", mark=b"2")
    models.import_files([elsewhere])
    digest = models.sha256(one)
    expected = models.get("alpha-one")
    models.set_alias("fast", "alpha-one")
    for name in ("ALPHA-ONE", "fast", "alpha-o", digest, digest[:6], str(one), "alpha-one.gguf"):
        assert models.get(name).path == expected.path, name
    with pytest.raises(InvalidInput, match="could mean 2") as caught:
        models.get("alpha")
    assert "alpha-one, alpha-two" in caught.value.hint
    with pytest.raises(NotFound) as missing:
        models.get("alpha-three")
    assert "alpha-one" in missing.value.hint
    for name in (digest[:5], "", "/nowhere/x.gguf", "x" * 5000):
        with pytest.raises(NotFound):
            models.get(name)


def test_a_path_need_not_be_imported(models: Models, starter: Path, elsewhere: Path) -> None:
    path = small(starter, elsewhere / "loose.gguf")
    loose = models.get(str(path))
    assert (loose.name, loose.owner, loose.path) == ("loose", "user", path)
    assert len(models.list()) == 1
    (elsewhere / "bad.gguf").write_bytes(b"GGUF")
    with pytest.raises(InvalidInput, match="ends inside"):
        models.get(str(elsewhere / "bad.gguf"))


def test_aliases_follow_the_model(models: Models, starter: Path, elsewhere: Path) -> None:
    small(starter, elsewhere / "a.gguf")
    models.import_files([elsewhere / "a.gguf"])
    models.set_alias("quick", "a")
    models.set_alias("quick", "smollm2-135m-instruct")
    assert models.get("quick").included
    assert models.get("a").aliases == ()
    models.set_alias("quick", None)
    with pytest.raises(NotFound):
        models.get("quick")
    for bad in ("Fast Model", "a/b", "", "a"):
        with pytest.raises(UsageMistake):
            models.set_alias(bad, "smollm2-135m-instruct")


def test_import_in_place_leaves_the_file_alone(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "here.gguf")
    before = identity(path)
    (outcome,) = models.import_files([path])
    assert (outcome.action, outcome.destination) == ("registered", path)
    assert outcome.model is not None
    assert outcome.model.owner == "user"
    assert identity(path) == before
    assert not (home / "models").exists()
    (again,) = models.import_files([path])
    assert again.action == "already there"
    assert [model.name for model in models.list()] == ["smollm2-135m-instruct", "here"]


def test_a_dry_run_changes_nothing(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "dry.gguf")
    for mode, action in {"copy": "copied", "link": "linked", "move": "moved"}.items():
        (outcome,) = models.import_files([path], mode=mode, dry_run=True)  # type: ignore[arg-type]
        assert (outcome.action, outcome.model) == (action, None)
        assert outcome.destination == home / "models" / "dry.gguf"
        assert outcome.size_bytes == path.stat().st_size
    assert not (home / "models").exists()
    assert path.exists()
    assert len(models.list()) == 1


def test_copy_link_and_move(models: Models, home: Path, starter: Path, elsewhere: Path) -> None:
    own = home / "models"
    paths = {
        mode: small(starter, elsewhere / f"by-{mode}.gguf", mark=mode.encode())
        for mode in ("copy", "link", "move")
    }
    content = {mode: path.read_bytes() for mode, path in paths.items()}
    for mode, path in paths.items():
        (outcome,) = models.import_files([path], mode=mode)  # type: ignore[arg-type]
        assert outcome.model is not None, outcome
        assert outcome.model.owner == "lockhouse"
        assert (own / path.name).read_bytes() == content[mode]
        assert path.exists() == (mode != "move")
    assert (own / "by-link.gguf").samefile(paths["link"])
    assert not (own / "by-copy.gguf").samefile(paths["copy"])
    copied = models.get("by-copy")
    assert copied.sha256 == hashlib.sha256(content["copy"]).hexdigest()
    assert everything_beneath(own) == ["by-copy.gguf", "by-link.gguf", "by-move.gguf"]


def test_nothing_is_overwritten(models: Models, home: Path, starter: Path, elsewhere: Path) -> None:
    own = home / "models"
    own.mkdir(parents=True)
    mine = small(starter, own / "same.gguf", mark=b"mine").read_bytes()
    path = small(starter, elsewhere / "same.gguf", mark=b"other")
    for mode in ("copy", "link", "move"):
        (outcome,) = models.import_files([path], mode=mode)  # type: ignore[arg-type]
        assert (outcome.action, outcome.code) == ("refused", "exists")
    assert (own / "same.gguf").read_bytes() == mine
    assert path.exists()
    assert everything_beneath(own) == ["same.gguf"]


def test_a_folder_is_imported_and_bad_files_are_refused_one_by_one(
    models: Models, starter: Path, elsewhere: Path
) -> None:
    small(starter, elsewhere / "good.gguf")
    (elsewhere / "deeper").mkdir()
    small(starter, elsewhere / "deeper" / "also.gguf", mark=b"2")
    (elsewhere / "broken.gguf").write_bytes(b"GGUF")
    (elsewhere / "notes.txt").write_text("no model")
    projector = hostile.small_model(starter)
    projector.set("general.type", hostile.STRING, hostile.text(b"mmproj"))
    projector.write(elsewhere / "mmproj-good.gguf")
    outcomes = {each.source.name: each for each in models.import_files([elsewhere])}
    assert {name: each.action for name, each in outcomes.items()} == {
        "good.gguf": "registered",
        "also.gguf": "registered",
        "broken.gguf": "refused",
    }
    assert outcomes["broken.gguf"].exit_code == 3
    assert models.get("good").projector == elsewhere / "mmproj-good.gguf"
    (alone,) = models.import_files([elsewhere / "mmproj-good.gguf"])
    assert alone.action == "refused"
    assert "projector" in alone.message
    (none,) = models.import_files([elsewhere / "nothing"])
    assert (none.action, none.code) == ("refused", "not_found")


def test_the_same_model_in_two_places_is_noticed(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    small(starter, elsewhere / "first.gguf")
    small(starter, elsewhere / "other.gguf", mark=b"2")
    models.import_files([elsewhere])
    for name in ("a-twin.gguf", "b-twin.gguf"):
        small(starter, elsewhere / name, mark=b"3")
    small(starter, elsewhere / "second.gguf")
    (elsewhere / "shortcut.gguf").symlink_to(starter)
    outcomes = {each.source.name: each for each in models.import_files([elsewhere])}
    known_as = {name: each.model.name for name, each in outcomes.items() if each.model}
    assert outcomes["a-twin.gguf"].action == "registered"
    for name, place in {
        "b-twin.gguf": "a-twin",
        "second.gguf": "first",
        "shortcut.gguf": "smollm2-135m-instruct",
    }.items():
        assert (outcomes[name].action, known_as[name]) == ("already there", place)
    assert len(models.list()) == 4
    # A model that lies elsewhere can still be brought home, once.
    (brought,) = models.import_files([elsewhere / "second.gguf"], mode="copy")
    (again,) = models.import_files([elsewhere / "second.gguf"], mode="move")
    assert (brought.action, again.action) == ("copied", "already there")
    assert (elsewhere / "second.gguf").exists()
    assert everything_beneath(home / "models") == ["second.gguf"]


def test_a_twin_of_a_missing_model_is_imported(
    models: Models, starter: Path, elsewhere: Path
) -> None:
    models.import_files([small(starter, elsewhere / "gone.gguf")])
    (elsewhere / "gone.gguf").unlink()
    (outcome,) = models.import_files([small(starter, elsewhere / "back.gguf")])
    assert outcome.action == "registered"


def test_what_is_missing_is_not_proposed(models: Models, starter: Path, elsewhere: Path) -> None:
    models.import_files([small(starter, elsewhere / "gone.gguf")])
    (elsewhere / "gone.gguf").unlink()
    with pytest.raises(NotFound) as caught:
        models.get("gome")
    assert "gone" not in caught.value.hint
    assert "smollm2" in caught.value.hint


def test_a_split_model_is_one_model(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    for index in range(2):
        part = hostile.small_model(starter)
        half = len(part.tensors) // 2
        part.tensors = part.tensors[half:] if index else part.tensors[:half]
        part.lay_out()
        part.set("split.no", hostile.U32, hostile.u32(index))
        part.set("split.count", hostile.U32, hostile.u32(2))
        part.write(elsewhere / f"big-{index + 1:05d}-of-00002.gguf")
    whole = small(starter, elsewhere / "whole.gguf")
    (outcome,) = models.import_files([elsewhere / "big-00001-of-00002.gguf"], mode="copy")
    assert outcome.model is not None, outcome
    assert [path.name for path in outcome.model.files] == [
        "big-00001-of-00002.gguf",
        "big-00002-of-00002.gguf",
    ]
    assert outcome.model.parameters == models.get(str(whole)).parameters
    assert outcome.model.size_bytes == sum(path.stat().st_size for path in outcome.model.files)
    assert outcome.model.name == "big"
    outcome.model.files[1].unlink()
    assert models.get("big").state == "missing"
    (alone,) = models.import_files([elsewhere / "big-00002-of-00002.gguf"])
    assert "part 2 of 2" in alone.message


def test_a_missing_or_damaged_file_is_shown_and_does_no_harm(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "gone.gguf")
    models.import_files([path])
    known = models.get("gone")
    path.unlink()
    gone = models.get("gone")
    assert gone.state == "missing"
    assert (gone.size_bytes, gone.parameters) == (0, known.parameters)
    path.write_bytes(b"GGUF cut")
    assert models.get("gone").state == "damaged"
    path.unlink()
    os.mkfifo(path)
    assert models.get("gone").state == "damaged"
    path.unlink()
    assert models.remove_many(["gone"], delete_files=False)[0].deleted == ()
    assert [model.name for model in models.list()] == ["smollm2-135m-instruct"]


def test_a_file_put_into_our_folder_by_hand_is_a_model(
    models: Models, home: Path, starter: Path
) -> None:
    folder = home / "models" / "mine"
    folder.mkdir(parents=True)
    small(starter, folder / "hand-made.Q4_1.gguf")
    (folder / ".hidden.gguf").write_bytes(b"")
    assert [model.name for model in models.list()][1:] == ["hand-made"]
    assert models.get("hand-made").owner == "lockhouse"


def test_removing_deletes_only_beneath_our_own_folder(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    own = home / "models"
    foreign = small(starter, elsewhere / "foreign.gguf", mark=b"1")
    models.import_files([foreign])
    assert models.remove_many(["foreign"], delete_files=True)[0].deleted == ()
    assert foreign.exists()
    models.import_files([foreign], mode="copy")
    with pytest.raises(UsageMistake) as caught:
        models.remove_many(["foreign"], delete_files=False)[0]
    assert caught.value.code == "needs_confirmation"
    assert (own / "foreign.gguf").exists()
    removal = models.remove_many(["foreign"], delete_files=True)[0]
    assert removal.deleted == (own / "foreign.gguf",)
    assert everything_beneath(own) == []
    (own / "link.gguf").symlink_to(foreign)
    models.remove_many(["link"], delete_files=True)[0]
    outside = own / "outside"
    outside.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(NotFound):
        models.get("foreign")
    models.import_files([outside / "foreign.gguf"])
    models.remove_many(["foreign"], delete_files=True)[0]
    assert foreign.exists()
    with pytest.raises(UsageMistake, match="comes with Lockhouse"):
        models.remove_many(["smollm2-135m-instruct"], delete_files=True)[0]
    assert starter.exists()


def test_the_starter_model_is_not_moved_away(models: Models, starter: Path) -> None:
    (outcome,) = models.import_files([starter], mode="move")
    assert outcome.action == "refused"
    assert starter.exists()


def test_pins_are_kept(models: Models) -> None:
    assert models.set_pinned("smollm2-135m-instruct", pinned=True).pinned
    assert not models.set_pinned("smollm2-135m-instruct", pinned=False).pinned


def test_without_a_starter_model_there_is_none(database: Database, home: Path) -> None:
    models = Models(database, home / "models", None)
    assert models.list() == []
    with pytest.raises(NotFound, match="no model") as caught:
        models.get("anything")
    assert "import" in caught.value.hint


def test_what_is_known_survives_a_restart(
    models: Models, database: Database, home: Path, starter: Path, elsewhere: Path
) -> None:
    path = small(starter, elsewhere / "kept.gguf")
    models.import_files([path])
    models.set_alias("quick", "kept")
    models.sha256(path)
    before = models.list()
    database.close()
    again = Database(home / "lockhouse.db", backups=home / "backups")
    assert Models(again, home / "models", starter).list() == before
    again.close()


def test_a_cancelled_copy_leaves_nothing(models: Models, home: Path, starter: Path) -> None:
    cancel = CancelToken()

    def progress(done: int, total: int) -> None:
        if done > total // 3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        models.import_files([starter], mode="copy", progress=progress, cancel=cancel)
    assert everything_beneath(home / "models") == []
    assert len(models.list()) == 1


def test_a_copy_without_room_is_refused_before_it_begins(
    models: Models, home: Path, starter: Path, elsewhere: Path
) -> None:
    huge = hostile.small_model(starter)
    huge.data_bytes = shutil.disk_usage(elsewhere).free  # a hole: nothing is written
    path = huge.write(elsewhere / "huge.gguf")
    (outcome,) = models.import_files([path], mode="copy")
    assert (outcome.action, outcome.code, outcome.exit_code) == ("refused", "disk_full", 5)
    assert everything_beneath(home) == ["lockhouse.db", "lockhouse.db-shm", "lockhouse.db-wal"]


COPY = """
import sys
from pathlib import Path
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
home, source = Path(sys.argv[1]), Path(sys.argv[2])
database = Database(home / "lockhouse.db", backups=home / "backups")
models = Models(database, home / "models", None)
def progress(done, total):
    print(done, flush=True)
    sys.stdin.readline()  # the copy goes on when it is told to
models.import_files([source], mode="copy", progress=progress)
"""


def test_a_killed_copy_leaves_nothing_behind(
    models: Models, database: Database, home: Path, starter: Path
) -> None:
    command = [sys.executable, "-c", COPY, str(home), str(starter)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=with_app(),
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert int(child.stdout.readline()) > 0
        (part,) = (home / "models").iterdir()
        assert part.suffix == ".part"
        # One that is being written is left alone, by this process and any other.
        other = Models(database, home / "models", None)
        assert other.list() == []
        assert part.exists()
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert part.exists()
    assert Models(database, home / "models", None).list() == []
    assert everything_beneath(home / "models") == []


def test_a_copy_that_cannot_be_finished_leaves_nothing(
    models: Models, home: Path, starter: Path
) -> None:
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    limit += "; resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))"
    ask = "(outcome,) = models.import_files([source], mode='copy'); print(outcome.message)"
    script = f"{limit}\n{COPY.partition('def progress')[0]}\n{ask}"
    done = run_python(script, home, starter)
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout
    assert everything_beneath(home / "models") == []


def test_two_processes_may_import_the_same_name(
    models: Models, home: Path, starter: Path, tmp_path: Path
) -> None:
    paths = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(small(starter, folder / "twin.gguf", mark=bytes([number])))
    script = COPY.partition("def progress")[0] + "models.import_files([source])"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(home), str(path)], env=with_app(), text=True
        )
        for path in paths
    ]
    assert [child.wait() for child in children] == [0] * 4
    names = [model.name for model in models.list() if "twin" in model.name]
    assert len(set(names)) == 4
    assert "twin" in names


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_moving_to_another_disk_copies_and_then_deletes(
    models: Models, home: Path, starter: Path
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = small(starter, Path(folder) / "far.gguf")
        if path.stat().st_dev == home.stat().st_dev:
            pytest.skip("the same file system")
        content = path.read_bytes()
        (linked,) = models.import_files([path], mode="link")
        assert linked.action == "refused"
        assert "another disk" in linked.message
        (outcome,) = models.import_files([path], mode="move")
        assert outcome.action == "moved", outcome.message
        assert not path.exists()
    assert (home / "models" / "far.gguf").read_bytes() == content
    assert models.get("far").sha256 == hashlib.sha256(content).hexdigest()


def with_app() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "app")}


def run_python(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=with_app(),
        check=False,
    )
