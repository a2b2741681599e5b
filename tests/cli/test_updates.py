"""``models updates``: every file of a model, one bad repository, and what is here already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.hub.content import Blob, commit_of
from tests.hub.server import HubServer
from tests.library import hostile, test_folders

REPO = "org/Seeing-GGUF"
PARTS = ("seeing-Q8_0-00001-of-00002.gguf", "seeing-Q8_0-00002-of-00002.gguf")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def lockhouse(tmp_path: Path, environment: dict[str, str], hub: HubServer) -> Command:
    """A home that may reach the hub."""
    command = Command(tmp_path / "home", {**environment, "HF_ENDPOINT": hub.url})
    hosts = [word for host in hub.hosts for word in ("--host", host)]
    assert command("unseal", *hosts).code == 0
    return command


def starter() -> Path:
    path = starter_model()
    assert path is not None
    return path


def part(path: Path, number: int, mark: bytes = b"") -> bytes:
    """One part of a split model; another ``mark`` makes another one."""
    model = hostile.small_model(starter())
    model.first_data = mark
    model.set("split.no", hostile.U32, hostile.u32(number))
    model.set("split.count", hostile.U32, hostile.u32(2))
    model.lay_out()
    return model.write(path).read_bytes()


def changed(hub: HubServer, file: str, content: bytes, name: str = REPO) -> str:
    """A new commit in which one file is another."""
    repo = hub.repos[name]
    commit = commit_of(name, file, content.hex()[:40])
    repo.commits[commit] = {**repo.commits[repo.main], file: Blob(content)}
    return commit


def test_a_newer_part_and_a_newer_projector_are_seen(
    lockhouse: Command, hub: HubServer, tmp_path: Path
) -> None:
    sees = test_folders.projector(starter(), tmp_path / "mmproj.gguf", 64).read_bytes()
    files = [part(tmp_path / name, number) for number, name in enumerate(PARTS)]
    hub.add(REPO, {PARTS[0]: files[0], PARTS[1]: files[1], "mmproj-F16.gguf": sees})
    got = lockhouse("models", "get", REPO, "--yes", "--json")
    assert got.code == 0, got.json
    assert [Path(path).name for path in got.json["files"]][:2] == [*PARTS]
    assert lockhouse("models", "updates", "--json").json[0]["newer_revision"] == ""
    other = part(tmp_path / "other", 1, b"newer")
    commit = changed(hub, PARTS[1], other)
    (newer,) = lockhouse("models", "updates", "--json").json
    assert (newer["newer_revision"], newer["changed"]) == (commit, [PARTS[1]])
    assert newer["size_bytes"] == len(other)
    if len(got.json["files"]) == 3:
        changed(hub, "mmproj-F16.gguf", sees + b"\0")
        (newer,) = lockhouse("models", "updates", "--json").json
        assert newer["changed"] == [PARTS[1], "mmproj-F16.gguf"]


def test_one_bad_repository_does_not_hide_the_others(
    lockhouse: Command, hub: HubServer, tmp_path: Path
) -> None:
    names = [f"org/Number{number}-GGUF" for number in range(3)]
    for number, name in enumerate(names):
        content = test_folders.small(starter(), tmp_path / f"{number}.gguf", bytes([number + 1]))
        hub.add(name, {f"number{number}-Q8_0.gguf": content})
        assert lockhouse("models", "get", name, "--yes").code == 0
    hub.repos[names[0]].poses_as = {"sha": "no commit"}
    newest = test_folders.small(starter(), tmp_path / "new.gguf", b"new").read_bytes()
    commit = changed(hub, "number2-Q8_0.gguf", newest, names[2])
    checked = {each["repo"]: each for each in lockhouse("models", "updates", "--json").json}
    assert "invalid" in checked[names[0]]["problem"]
    assert checked[names[1]]["newer_revision"] == ""
    assert checked[names[2]]["newer_revision"] == commit
    told = lockhouse("models", "updates")
    assert told.code == 0
    assert "newer at" in told.text
    hub.busy = [(503, 0)] * 3
    assert lockhouse("models", "updates").code == 4


def test_what_is_here_already_is_to_be_used_not_downloaded(
    lockhouse: Command, hub: HubServer, tmp_path: Path
) -> None:
    before = test_folders.small(starter(), tmp_path / "before.gguf", b"before")
    hub.add(REPO, {"seeing-Q8_0.gguf": before})
    name = lockhouse("models", "get", REPO, "--yes", "--json").json["name"]
    old = hub.repos[REPO].main
    after = test_folders.small(starter(), tmp_path / "after.gguf", b"after").read_bytes()
    commit = changed(hub, "seeing-Q8_0.gguf", after)
    assert f"lockhouse models get {REPO}" in lockhouse("models", "updates").err
    assert lockhouse("models", "get", f"{REPO}:Q8_0", "--yes").code == 0
    assert lockhouse("models", "use", name, old).code == 0
    (newer,) = lockhouse("models", "updates", "--json").json
    assert (newer["newer_revision"], newer["here_as"]) == (commit, commit)
    told = lockhouse("models", "updates")
    assert "here already" in told.text
    assert f"lockhouse models use {name} {commit[:12]}" in told.err
    assert lockhouse("models", "use", name, commit[:12]).code == 0
    assert lockhouse("models", "updates", "--json").json[0]["newer_revision"] == ""
