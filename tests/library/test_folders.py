"""Other programs' folders are used in place, equal files are one model, our folders are several."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.library.external_folders import found_folders
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
from tests.library import hostile, layouts

Opened = Callable[[], Models]


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The home of somebody who uses other programs as well."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "home" / "lockhouse.db", backups=tmp_path / "home" / "backups")
    yield database
    database.close()


@pytest.fixture
def models(database: Database, user: Path, tmp_path: Path) -> Models:
    folder = tmp_path / "home" / "models"
    return Models(database, folder, None, others=lambda: found_folders({}, user))


def small(starter: Path, path: Path, mark: bytes = b"", **values: bytes) -> Path:
    """A small sound model; ``values`` replace texts of its metadata."""
    model = hostile.small_model(starter)
    model.first_data = mark
    for key, value in values.items():
        model.set(key.replace("__", "."), hostile.STRING, hostile.text(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    return model.write(path)


def projector(starter: Path, path: Path, length: int | None = None) -> Path:
    model = hostile.small_model(starter)
    model.set("general.type", hostile.STRING, hostile.text(b"mmproj"))
    model.set("general.architecture", hostile.STRING, hostile.text(b"clip"))
    if length is not None:
        model.set("clip.vision.projection_dim", hostile.U32, hostile.u32(length))
    path.parent.mkdir(parents=True, exist_ok=True)
    return model.write(path)


def state_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mtime_ns, status.st_ino, content)
    return found


@pytest.mark.parametrize(
    "program", ["LM Studio", "Ollama", "Hugging Face", "llama.cpp", "Jan", "GPT4All"]
)
def test_each_programs_models_are_found_in_place_and_left_alone(
    program: str, models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    source = small(starter, tmp_path / "tiny-chat-Q4_1.gguf")
    place = {
        "LM Studio": lambda: layouts.lm_studio(user, source),
        "Ollama": lambda: layouts.ollama(user, source, "tiny-chat", "1b"),
        "Hugging Face": lambda: layouts.hub_cache(user, source, "org/tiny-chat"),
        "llama.cpp": lambda: layouts.llama_cpp(user, source),
        "Jan": lambda: layouts.jan(user, source, "tiny-chat"),
        "GPT4All": lambda: layouts.gpt4all(user, source),
    }[program]()
    before = state_of(user)
    (found,) = models.list()
    assert (found.owner, found.path, found.state) == (program, place, "ready")
    assert "tiny-chat" in found.name
    assert models.get(str(place)).path == place
    assert [(use.owner, use.own, use.model_count) for use in models.folders() if not use.own] == [
        (program, False, 1)
    ]
    for delete in (False, True):
        with pytest.raises(UsageMistake, match=f"folder of {program}") as refused:
            models.remove_many([found.name], delete_files=delete)[0]
        assert refused.value.code == "not_ours"
    (moved,) = models.import_files([place], mode="move")
    assert moved.action in ("refused", "already there")
    assert state_of(user) == before


def test_manifests_and_blobs_tell_name_hash_licence_and_source(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    source = small(starter, tmp_path / "a.gguf", b"a", general__license=b"")
    layouts.ollama(user, source, "qwen3", "8b")
    other = small(starter, tmp_path / "b.gguf", b"b")
    layouts.hub_cache(user, other, "org/repo")
    from_ollama, from_hub = models.list()
    assert from_ollama.name == "qwen3-8b"
    assert models.get("qwen3:8b") == from_ollama
    assert (from_ollama.sha256, from_ollama.verified_at) == (layouts.sha256(source), None)
    assert from_ollama.license == "apache-2.0"
    assert from_hub.sha256 == layouts.sha256(other)
    assert from_hub.source is not None
    assert (from_hub.source.repo, from_hub.source.revision) == ("org/repo", layouts.COMMIT)


def test_a_blob_that_is_not_what_its_name_says_is_told_by_verify(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    blob = layouts.ollama(user, small(starter, tmp_path / "a.gguf"), "rotten")
    small(starter, blob, b"flipped")
    result = models.verify("rotten")
    assert not result.unchanged
    assert result.changed == (blob,)


def test_unfinished_files_are_never_shown(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    source = small(starter, tmp_path / "good.gguf")
    gpt4all = layouts.gpt4all(user, source).parent
    cache = layouts.llama_cpp(user, source).parent
    hub = layouts.hub_cache(user, source, "o/r").parents[2] / "blobs"
    for unfinished in (
        gpt4all / "incomplete-other.gguf",
        cache / "other.gguf.downloadInProgress",
        cache / "other.gguf.etag",
        hub / "1234.incomplete",
        gpt4all / "other.gguf.part",
        gpt4all / "cut.gguf",
    ):
        unfinished.write_bytes(source.read_bytes()[:1000])
    models.list_recognised()[1]
    (only,) = models.list()
    assert len(only.places) == 3


def test_hostile_layouts_are_harmless(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    good = small(starter, tmp_path / "good.gguf")
    outside = small(starter, tmp_path / "outside.gguf", b"outside")
    layouts.lm_studio(user, good)
    lm = user / ".lmstudio" / "models"
    (lm / "loop").symlink_to(lm)
    (lm / "self.gguf").symlink_to("self.gguf")
    os.mkfifo(lm / "pipe.gguf")
    (lm / "folder.gguf").mkdir()
    deep = lm.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    layouts.put(good, deep / "deep.gguf")
    layouts.ollama(user, good, "good")
    manifests = user / ".ollama/models/manifests/registry.ollama.ai/library/bad"
    manifests.mkdir(parents=True)
    (manifests / "nested").write_bytes(b'{"layers":' + b"[" * 200_000)
    (manifests / "huge").write_bytes(b" " * (3 << 20))
    (manifests / "types").write_text('{"layers": [{"mediaType": 7, "digest": null}]}')
    digest = "sha256:../../../../outside.gguf"
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest}
    (manifests / "path").write_text(f'{{"layers": [{str(layer).replace(chr(39), chr(34))}]}}')
    os.mkfifo(manifests / "pipe")
    (manifests / "loop").symlink_to("loop")
    for name, said in (
        ("up", "../../../../../../outside.gguf"),
        ("nul", "a\0b"),
        ("nothing", "llamacpp/models/nothing.gguf"),
        ("etc", "/etc/passwd"),
    ):
        layouts.jan(user, outside, name, model_path=said)
    bombs = user / ".local/share/Jan/data/llamacpp/models/bomb"
    bombs.mkdir()
    (bombs / "model.yml").write_text("a: &a [x, x]\nb: &b [*a, *a]\nmodel_path: *b\n")
    os.mkfifo(user / ".lmstudio" / "settings.json")
    (user / ".lmstudio-home-pointer").write_bytes(b"\xff\0/nowhere" * 10_000)
    began = time.monotonic()
    models.list_recognised()[1]
    (only,) = models.list()
    assert {place.owner for place in only.places} == {"LM Studio", "Ollama"}
    assert time.monotonic() - began < 60  # a hang, not a speed


def test_descriptions_may_point_at_a_file_elsewhere(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    elsewhere = small(starter, tmp_path / "elsewhere" / "mine-Q4_1.gguf", b"elsewhere")
    layouts.jan(user, small(starter, tmp_path / "x.gguf"), "linked", model_path=str(elsewhere))
    (found,) = models.list()
    assert (found.path, found.owner, found.name) == (elsewhere, "Jan", "linked")


def test_moved_folders_of_other_programs_are_found_by_their_own_signs(
    user: Path, tmp_path: Path
) -> None:
    lm, ollama, hub, llama, gpt4all, chosen = (
        tmp_path / name for name in ("lm", "ollama", "hub", "llama", "g4a", "chosen")
    )
    for folder in (lm / "models", ollama, hub, llama, gpt4all, chosen):
        folder.mkdir(parents=True)
    (user / ".lmstudio-home-pointer").write_text(f"{lm}\n")
    (lm / "settings.json").write_text(f'{{"downloadsFolder": "{chosen}", "other": 1}}')
    (user / ".config/nomic.ai").mkdir(parents=True)
    (user / ".config/nomic.ai/GPT4All.ini").write_text(f"[General]\nmodelPath={gpt4all}\n")
    environment = {
        "OLLAMA_MODELS": str(ollama),
        "HUGGINGFACE_HUB_CACHE": str(hub),
        "HF_HOME": str(tmp_path / "not this"),
        "LLAMA_CACHE": str(llama),
    }
    found = [(each.owner, each.path) for each in found_folders(environment, user)]
    assert found == [
        ("LM Studio", chosen),
        ("LM Studio", lm / "models"),
        ("Ollama", ollama),
        ("Hugging Face", hub),
        ("llama.cpp", llama),
        ("GPT4All", gpt4all),
    ]


def test_equal_files_are_one_model_with_all_places(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    source = small(starter, tmp_path / "same-Q4_1.gguf", b"same")
    (own,) = models.import_files([source], mode="copy")
    places = [
        layouts.lm_studio(user, source),
        layouts.ollama(user, source, "same"),
        layouts.hub_cache(user, source, "o/same"),
    ]
    small(starter, tmp_path / "home" / "models" / "other-Q4_1.gguf", b"different")
    assert models.list_recognised()[1] == 0
    other, same = sorted(models.list(), key=lambda model: len(model.places))
    assert len(other.places) == 1
    assert [place.path for place in same.places] == [own.destination, *places]
    assert [place.owner for place in same.places] == [
        "lockhouse", "LM Studio", "Ollama", "Hugging Face",
    ]  # fmt: skip
    assert models.get(same.sha256 or "").name == same.name
    assert models.preview_removal([same.name]).freed_bytes == source.stat().st_size
    removal = models.remove_many([same.name], delete_files=True)[0]
    assert removal.deleted == (own.destination,)
    assert all(place.exists() for place in places)
    assert models.get(same.name).owner == "LM Studio"


def test_files_are_called_equal_only_when_every_byte_was_counted(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    source = small(starter, tmp_path / "one.gguf")
    size_bytes = source.stat().st_size
    first = layouts.gpt4all(user, source)
    second = layouts.lm_studio(user, source)
    with second.open("r+b") as file:  # between the pieces of the sample
        file.seek(int(size_bytes * 0.36))
        file.write(b"\x01")
    assert len(models.list()) == 2
    assert models.list_recognised(limit_bytes=0)[1] == 2 * size_bytes
    assert models.list_recognised(limit_bytes=size_bytes)[1] == size_bytes
    assert models.list_recognised()[1] == 0
    assert {model.path for model in models.list()} == {first, second}


def test_a_hard_link_is_the_same_file_and_frees_nothing(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    theirs = layouts.lm_studio(user, small(starter, tmp_path / "linked.gguf"))
    name = models.list()[0].name
    (linked,) = models.import_files([theirs], mode="link")
    (only,) = models.list()
    assert only.name == name  # ours now, and still called the same
    assert [place.path for place in only.places] == [linked.destination, theirs]
    assert models.preview_removal([only.name]).freed_bytes == 0
    assert models.remove_many([only.name], delete_files=True)[0].freed_bytes == 0
    assert theirs.exists()


def test_a_projector_beside_a_model_belongs_to_it(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    model = layouts.lm_studio(user, small(starter, tmp_path / "see-Q4_1.gguf"))
    sees = projector(starter, model.with_name("mmproj-see-f16.gguf"), 576)
    layouts.ollama(user, small(starter, tmp_path / "o.gguf", b"o"), "look", projector=sees)
    by_name = {each.name: each for each in models.list()}
    assert by_name["see"].projector == sees
    assert by_name["see"].files == (model, sees)
    assert "vision" in by_name["see"].capabilities
    assert by_name["look"].projector is not None
    (copied,) = models.import_files([model], mode="copy")
    assert copied.model is not None
    assert copied.model.projector == copied.destination.with_name(sees.name)  # type: ignore[union-attr]
    assert (
        models.remove_many([copied.model.name], delete_files=True)[0].deleted == copied.model.files
    )
    assert copied.destination is not None
    assert not copied.destination.parent.exists()
    assert sees.exists()


def test_a_projector_that_hears_lends_its_model_ears(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    model = layouts.lm_studio(user, small(starter, tmp_path / "listen.gguf"))
    ears = hostile.small_model(starter)
    ears.set("general.type", hostile.STRING, hostile.text(b"mmproj"))
    ears.set("clip.has_audio_encoder", hostile.BOOL, b"\x01")
    ears.write(model.with_name("mmproj-listen.gguf"))
    (found,) = models.list()
    assert found.capabilities[-1] == "audio"
    assert "vision" not in found.capabilities


def test_a_projector_of_another_model_is_left_out(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    flat = layouts.gpt4all(user, small(starter, tmp_path / "talk.gguf")).parent
    small(starter, flat / "draw.gguf", b"draw")
    projector(starter, flat / "mmproj-draw.gguf")
    projector(starter, flat / "mmproj-talk.gguf", 4096)  # hands over longer vectors
    assert {each.name: bool(each.projector) for each in models.list()} == {
        "talk": False,
        "draw": True,
    }


def test_several_own_folders_are_added_and_forgotten(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    mine = small(starter, disk / "sub" / "mine-Q4_1.gguf", b"mine")
    use = models.add_folder(disk)
    assert (use.own, use.model_count, use.size_bytes) == (True, 1, mine.stat().st_size)
    assert 0 < use.disk_free_bytes < shutil.disk_usage(disk).total
    assert models.get("mine").owner == "lockhouse"
    assert models.add_folder(disk).path == models.add_folder(disk).path == disk
    layouts.lm_studio(user, mine)
    for wrong in (disk / "sub", tmp_path, user / ".lmstudio/models", Path("/")):
        with pytest.raises(UsageMistake):
            models.add_folder(wrong)
    with pytest.raises(NotFound):
        models.add_folder(tmp_path / "nothing")
    away = disk.rename(tmp_path / "unplugged")
    missing = next(model for model in models.list() if model.path == mine)
    assert missing.state == "missing"
    assert "connected" in next(use for use in models.folders() if use.path == disk).problem
    away.rename(disk)
    models.forget_folder(disk)
    assert mine.exists()
    assert all(model.path != mine for model in models.list())
    with pytest.raises(UsageMistake, match="cannot be removed"):
        models.forget_folder(models.main_folder)


def test_several_models_are_removed_together_or_not_at_all(
    models: Models, user: Path, starter: Path, tmp_path: Path
) -> None:
    own = tmp_path / "home" / "models"
    files = [small(starter, own / f"{name}.gguf", name.encode()) for name in ("red", "blue")]
    layouts.lm_studio(user, small(starter, tmp_path / "theirs.gguf", b"theirs"))
    total = sum(path.stat().st_size for path in files)
    assert models.preview_removal(["red", "blue", "theirs"]).freed_bytes == total
    for names, delete in (
        (["red", "theirs"], True),
        (["red", "blue"], False),
        (["red", "no"], True),
    ):
        with pytest.raises((UsageMistake, NotFound)):
            models.remove_many(names, delete_files=delete)
        assert all(path.exists() for path in files)
    planned = models.remove_many(["red", "blue"], delete_files=True, dry_run=True)
    assert all(path.exists() for path in files)
    assert models.remove_many(["red", "blue"], delete_files=True) == planned
    assert sum(removal.freed_bytes for removal in planned) == total
    assert not any(path.exists() for path in files)


def test_use_and_speed_are_remembered(models: Models, starter: Path, tmp_path: Path) -> None:
    path = small(starter, tmp_path / "home" / "models" / "used.gguf")
    assert models.get("used").last_used_at is None
    models.note_use(path, 12.5, 100.0)
    first = models.get("used")
    assert first.speed is not None
    assert (first.speed.tokens_per_s, first.speed.prompt_tokens_per_s) == (12.5, 100.0)
    models.note_use(path, 0.0, 0.0)  # too short to measure
    second = models.get("used")
    assert second.speed == first.speed
    assert (second.last_used_at or "") > (first.last_used_at or "")
