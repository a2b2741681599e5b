"""Downloads end in the right file, or in a clear error and a part to go on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.library.models import Models
from lockhouse.storage.database import Database
from tests.hub.content import ALWAYS, Blob, Fault, commit_of
from tests.hub.server import HubServer
from tests.library.downloads import Home, noise, sha256

MB = 1 << 20
CONTENT = noise(40 * MB)


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, hub_server: HubServer) -> Iterator[Home]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    folder = tmp_path / "models"
    folder.mkdir()
    home = Home(folder, hub_server, Models(database, folder, None), database)
    yield home
    home.transfers.close()
    database.close()


def the_file(home: Home) -> Path:
    return home.folder / "org/Tiny-GGUF/tiny-Q4_K_M.gguf"


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [Fault("reset", at=17 * MB + 13)],
        [Fault("reset", at=at * MB + 7) for at in (3, 9, 21, 38)],
        [Fault("stall", at=11 * MB)],
        [Fault("wrong bytes", at=20 * MB, length=100)],
        [Fault("wrong bytes", at=1 * MB, length=5), Fault("wrong bytes", at=39 * MB, length=5)],
        [Fault("wrong bytes", at=16 * MB - 50, length=100)],
        [Fault("too short", at=30 * MB)],
        [Fault("no range", times=ALWAYS)],
        [Fault("no range", times=ALWAYS), Fault("reset", at=10 * MB)],
        [Fault("no range", times=ALWAYS), Fault("wrong bytes", at=10 * MB, length=9)],
        [Fault("status", at=503), Fault("status", at=500)],
        [Fault("status", at=429, length=1)],
        [Fault("reset", at=8 * MB), Fault("status", at=502), Fault("stall", at=30 * MB)],
        [Fault("changed", times=0)],
    ],
    ids=lambda faults: "+".join(fault.kind for fault in faults) or "none",
)
def test_the_right_file_comes_in_spite_of(home: Home, faults: list[Fault]) -> None:
    home.serve(CONTENT, *faults)
    done = home.get()
    assert (done.state, done.problem) == ("done", "")
    assert sha256(the_file(home).read_bytes()) == sha256(CONTENT)
    assert not list(home.folder.rglob("*.part"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("wrong bytes", at=20 * MB, length=64, times=ALWAYS), "hash_mismatch"),
        (Fault("other length", length=39 * MB, times=ALWAYS), "changed"),
        (Fault("other length", length=41 * MB, times=ALWAYS), "changed"),
        (Fault("reset", at=10 * MB, times=ALWAYS), "interrupted"),
        (Fault("stall", at=10 * MB, times=ALWAYS), "interrupted"),
        (Fault("status", at=500, times=ALWAYS), "interrupted"),
        (Fault("status", at=429, length=3600), "rate_limited"),
        (Fault("changed", times=ALWAYS), "changed"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value,
)
def test_a_fault_that_stays_is_told_and_can_be_gone_on_from(
    home: Home, fault: Fault, code: str
) -> None:
    home.serve(CONTENT, fault)
    failed = home.get()
    assert (failed.state, failed.code) == ("failed", code)
    assert failed.problem
    assert failed.hint
    assert not home.gguf_files
    fault.times = 0  # the hub is well again
    home.transfers.resume(failed.id)
    done = home.run(failed.id)
    assert (done.state, done.problem) == ("done", "")
    assert sha256(the_file(home).read_bytes()) == sha256(CONTENT)


def test_a_hash_that_is_wrong_at_the_hub_is_never_accepted(home: Home) -> None:
    home.serve(CONTENT, sha256=sha256(b"another file"))
    failed = home.get()
    assert (failed.state, failed.code) == ("failed", "hash_mismatch")
    assert "the same when it was fetched again" in failed.problem
    assert not home.gguf_files


def test_only_what_is_bad_is_fetched_again(home: Home, hub_server: HubServer) -> None:
    home.serve(CONTENT, Fault("wrong bytes", at=2 * MB, length=10))
    assert home.get().state == "done"
    again = hub_server.sent_bytes - len(CONTENT)
    assert again <= 3 * 16 * MB, "the first block twice more, and no other"


def test_a_file_that_changes_between_parts_is_not_mixed(home: Home, hub_server: HubServer) -> None:
    home.serve(CONTENT, Fault("reset", at=10 * MB), Fault("changed", after=1, times=ALWAYS))
    failed = home.get()
    assert (failed.state, failed.code) == ("failed", "changed")
    parts = list(home.folder.rglob("*.part"))
    assert [part.stat().st_size for part in parts] == [failed.done_bytes]
    assert CONTENT.startswith(parts[0].read_bytes())


def test_main_moving_on_does_not_touch_what_is_under_way(home: Home, hub_server: HubServer) -> None:
    home.serve(CONTENT, Fault("reset", at=10 * MB))
    repo = home.hub.repo("org/Tiny-GGUF")
    added = home.transfers.add(repo, repo.files)
    newer = {"tiny-Q4_K_M.gguf": Blob(noise(30 * MB, seed=2))}
    hub_server.repos["org/Tiny-GGUF"].commits[commit_of("second")] = newer
    assert home.run(added.id).state == "done"
    assert the_file(home).read_bytes() == CONTENT


def test_a_redirect_to_another_host_is_shown_as_refused(home: Home) -> None:
    home.serve(CONTENT, Fault("elsewhere", text="http://127.0.0.1:9", times=ALWAYS))
    failed = home.get()
    assert failed.state == "failed"
    assert not home.gguf_files


def test_a_kept_part_is_hashed_again_and_gone_on_from(home: Home, hub_server: HubServer) -> None:
    home.serve(CONTENT, Fault("reset", at=24 * MB, times=ALWAYS))
    failed = home.get()
    hub_server.repos["org/Tiny-GGUF"].commits[commit_of("org/Tiny-GGUF", "first")][
        "tiny-Q4_K_M.gguf"
    ].faults.clear()
    before = hub_server.sent_bytes
    home.transfers.resume(failed.id)
    seen: list[str] = []
    done = home.transfers.run(
        [failed.id], progress=lambda transfers: seen.append(transfers[0].state)
    )[0]
    assert done.state == "done"
    assert hub_server.sent_bytes - before <= len(CONTENT) - failed.done_bytes
    assert the_file(home).read_bytes() == CONTENT
