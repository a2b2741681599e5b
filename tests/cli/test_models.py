"""``lockhouse models`` over everyone's folders, as its users meet it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.library import layouts
from tests.library.test_folders import small

WORD, OTHER = b"helpful AI assistant", b"careful AI companion"
assert len(WORD) == len(OTHER)


@pytest.fixture(scope="module")
def starter() -> Path:
    path = starter_model()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Path:
    """A second model that answers: the starter model with another chat template."""
    path = tmp_path_factory.mktemp("second") / "second-Q4_1.gguf"
    content = starter.read_bytes()
    assert WORD in content
    path.write_bytes(content.replace(WORD, OTHER, 1))
    return path


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def shop(
    tmp_path: Path, user: Path, environment: dict[str, str], checkup: Path
) -> Iterator[Command]:
    """A home of its own, run by somebody who uses other programs as well."""
    without = {"HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME"}
    without |= {"XDG_DATA_HOME", "XDG_CONFIG_HOME"}
    kept = {key: value for key, value in environment.items() if key not in without}
    command = Command(tmp_path / "home", {**kept, "HOME": str(user)})
    shutil.copytree(checkup, command.home / "cache")
    yield command
    command.end_engines()


def test_models_of_five_programs_answer_in_place_and_stay(
    shop: Command, user: Path, starter: Path, second: Path
) -> None:
    places = {
        "LM Studio": layouts.lm_studio(user, starter),
        "Ollama": layouts.ollama(user, second, "companion", "135m"),
        "Jan": layouts.jan(user, starter, "smol"),
        "GPT4All": layouts.gpt4all(user, second),
        "Hugging Face": layouts.hub_cache(user, second, "org/second"),
    }
    before = {path: path.stat().st_mtime_ns for path in places.values()}
    first, other = shop("models", "list", "--json").json
    assert first["included"]
    assert [place["owner"] for place in first["places"]] == ["lockhouse", "LM Studio", "Jan"]
    assert [place["owner"] for place in other["places"]] == ["Ollama", "Hugging Face", "GPT4All"]
    assert other["name"] == "companion-135m"
    assert other["sha256"] == layouts.sha256(second)
    for owner, place in places.items():
        answer = shop("ask", "-m", place, "--no-save", "--json", "--max-tokens", "3", "Hello")
        assert answer.code == 0, answer.err
        assert answer.json["text"]
        expected = first if owner in ("LM Studio", "Jan") else other
        assert answer.json["target"]["name"] == expected["name"]
        assert answer.json["target"]["sha256"] == expected["sha256"]
        refused = shop("models", "remove", place, "--yes", "--json")
        assert refused.code == 2
        assert refused.json["error"]["code"] == "not_ours"
        assert owner in refused.json["error"]["message"]
    assert shop("models", "remove", "companion:135m", "--yes").code == 2
    assert {path: path.stat().st_mtime_ns for path in places.values()} == before
    assert shop("ask", "-m", "companion:135m", "--no-save", "--max-tokens", "2", "Hello").code == 0


def test_a_profile_is_in_force_until_an_option_says_otherwise(shop: Command, starter: Path) -> None:
    name = shop("models", "list", "--json").json[0]["name"]
    saved = shop(
        "models", "profile", "save", name, "short", "--temperature", "0", "--ctx", "1024",
        "--max-tokens", "4", "--set", "typical-p=0.9", "--use", "--json",
    )  # fmt: skip
    assert saved.json[0]["active"]
    answer = shop("ask", "--json", "--no-save", "Tell me a story").json
    assert answer["usage"]["completion_tokens"] == 4
    parameters = answer["parameters"]
    assert (parameters["temperature"], parameters["typical_p"]) == (0, 0.9)
    assert parameters["context_length"] == 1024
    longer = shop(
        "ask", "--json", "--no-save", "--temperature", "0.5", "--max-tokens", "2", "Tell me a story"
    ).json
    assert longer["usage"]["completion_tokens"] == 2
    assert (longer["parameters"]["temperature"], longer["parameters"]["typical_p"]) == (0.5, 0.9)
    shown = shop("models", "show", name, "--json").json
    assert shown["active_profile"] == "short"
    assert shown["last_used_at"]
    assert shop("models", "profile", "use", name, "--none").code == 0
    assert shop("models", "profile", "use", name, "other").code == 3
    assert shop("models", "profile", "save", name, "x", "--set", "nonsense").code == 2
    assert shop("models", "profile", "delete", name, "short", "--json").json == []


def test_folders_are_added_moved_and_forgotten(
    shop: Command, tmp_path: Path, starter: Path
) -> None:
    own = small(starter, shop.home / "models" / "own.gguf", b"own")
    disk = tmp_path / "disk"
    small(starter, disk / "far.gguf", b"far")
    assert shop("models", "folders", "add", disk, "--json").json["model_count"] == 1
    listed = {each["path"]: each for each in shop("models", "folders", "list", "--json").json}
    assert listed[str(disk)]["own"]
    assert listed[str(shop.home / "models")]["main"]
    target = tmp_path / "target"
    asked = shop("models", "folders", "move", own.parent, target, "--json")
    assert (asked.code, asked.json["error"]["code"]) == (2, "needs_confirmation")
    assert shop("models", "folders", "move", own.parent, target, "--dry-run").code == 0
    assert own.exists()
    moved = shop("models", "folders", "move", own.parent, target, "--yes", "--json").json
    assert (moved["moved"], moved["kept"]) == (1, [])
    assert shop("models", "show", "own", "--json").json["path"] == str(target / "own.gguf")
    assert shop("models", "folders", "forget", disk).code == 0
    assert (disk / "far.gguf").exists()
    assert shop("models", "show", "far").code == 3


def test_files_of_a_folder_that_was_only_added_are_never_deleted_or_moved(
    shop: Command, tmp_path: Path, starter: Path
) -> None:
    """An archive on a second disk, listed so that its models can be used."""
    archive = tmp_path / "archive"
    kept = small(starter, archive / "deep" / "treasure.gguf", b"treasure")
    before = layouts.sha256(kept)
    assert shop("models", "folders", "add", archive).code == 0
    assert "you (only read)" in shop("models", "folders", "list").text
    refused = shop("models", "remove", "treasure", "--yes", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "only_read")
    assert str(archive) in refused.json["error"]["message"]
    moved = shop("models", "folders", "move", archive, tmp_path / "elsewhere", "--yes", "--json")
    assert (moved.code, moved.json["error"]["code"]) == (2, "only_read")
    assert layouts.sha256(kept) == before
    assert shop("models", "show", "treasure").code == 0
    assert shop("models", "folders", "add", "--writable", archive, "--json").json["writable"]
    assert shop("models", "remove", "treasure").code == 2  # it asks first, as always
    assert shop("models", "remove", "treasure", "--yes").code == 0
    assert not kept.exists()
    assert archive.is_dir()


def test_models_are_verified_pinned_named_and_removed(
    shop: Command, tmp_path: Path, starter: Path
) -> None:
    red = small(starter, shop.home / "models" / "red.gguf", b"red")
    small(starter, shop.home / "models" / "blue.gguf", b"blue")
    (first,) = shop("models", "verify", "red", "--json").json
    assert (first["unchanged"], first["sha256"]) == (True, layouts.sha256(red))
    small(starter, red, b"rot")
    assert shop("models", "show", "red", "--json").json["state"] == "changed"
    changed = shop("models", "verify", "red", "blue", "--json")
    assert changed.code == 3
    assert [each["unchanged"] for each in changed.json] == [False, True]
    assert shop("models", "verify", "red").code == 0
    assert shop("models", "pin", "red", "--json").json["pinned"]
    assert not shop("models", "unpin", "red", "--json").json["pinned"]
    assert shop("models", "alias", "colour", "red", "--json").json["name"] == "red"
    assert [each["name"] for each in shop("models", "list", "rED", "--json").json] == ["red"]
    planned = shop("models", "remove", "colour", "blue", "--dry-run", "--json").json
    assert red.exists()
    assert shop("models", "remove", "colour", "blue").code == 2
    assert shop("models", "remove", "colour", "blue", "--yes", "--json").json == planned
    assert not red.exists()
    assert shop("models", "revisions", "nothing").code == 3


def test_equal_files_are_told_apart_on_demand(
    shop: Command, user: Path, tmp_path: Path, starter: Path
) -> None:
    source = small(starter, tmp_path / "same.gguf", b"same")
    layouts.lm_studio(user, source)
    layouts.gpt4all(user, source)
    (same,) = shop("models", "verify", "--equal", "--json").json
    assert [place["owner"] for place in same["places"]] == ["LM Studio", "GPT4All"]
    assert "2 identical copies" in shop("models", "verify", "--equal").text


def test_the_catalogue_is_there_without_models_or_network(shop: Command, starter: Path) -> None:
    known = shop("models", "catalogue", "--json").json
    assert len(known) > 10
    for entry in known:
        assert entry["license"]
        assert entry["parameters"] > 0
        for form in entry["forms"]:
            assert form["size_bytes"] > 0
            assert not form["sha256"] or entry["basis"] in ("counted", "published")
    (own,) = [entry for entry in known if entry["included"]]
    assert own["forms"][0]["sha256"] == layouts.sha256(starter)
    assert own["forms"][0]["size_bytes"] == starter.stat().st_size
    assert all(
        "apache" in json.dumps(each)
        for each in shop("models", "catalogue", "apache", "--json").json
    )


def test_a_move_that_was_killed_goes_on_by_the_same_command(
    shop: Command, tmp_path: Path, starter: Path
) -> None:
    folder, target = shop.home / "models", tmp_path / "to"
    for number in range(30):
        small(starter, folder / f"m{number:02d}.gguf", str(number).encode())
    before = {path.name: layouts.sha256(path) for path in folder.iterdir()}
    command = ("models", "folders", "move", str(folder), str(target), "--yes")
    process = shop.start(*command)
    while not (target.is_dir() and any(target.iterdir())) and process.poll() is None:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = shop(*command)
    assert again.code in (0, 3), again.err  # 3: the move was complete before it was killed
    assert {path.name: layouts.sha256(path) for path in target.iterdir()} == before
    assert not folder.exists()
    assert len(shop("models", "list", "--json").json) == 31
