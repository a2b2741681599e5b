"""The queue of downloads: order, wishes, several programs, and models of several files."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import NetworkRefused, NotFound, UsageMistake
from lockhouse.gate.client import CUT_OFF
from lockhouse.gate.hub import Hub
from lockhouse.library.models import Models
from lockhouse.library.transfer_rows import TransferRows
from lockhouse.library.transfers import Transfer, Transfers
from lockhouse.storage.database import Database
from tests.hub.content import ALWAYS, Blob, Fault, commit_of
from tests.hub.direct import DirectGate
from tests.hub.server import HubServer
from tests.library.downloads import QUICK, Home, noise

MB = 1 << 20
CONTENT = noise(6 * MB)
SLOW = 4 * MB  # bytes a second


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, hub_server: HubServer) -> Iterator[Home]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    folder = tmp_path / "models"
    home = Home(folder, hub_server, Models(database, folder, None), database)
    yield home
    home.transfers.close()
    home.hub.limit_speed(0)  # is of the process, which here is that of the next test too
    database.close()


def slow_blob(seed: int = 1) -> Blob:
    return Blob(noise(6 * MB, seed), faults=[Fault("drip", length=SLOW, times=ALWAYS)])


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens by itself; the test's own time limit ends a vain wait."""
    tick = threading.Event()
    while not condition():
        tick.wait(0.02)


def add(home: Home, name: str, files: dict[str, Blob | bytes]) -> Transfer:
    home.hub_server.add(name, dict(files))
    repo = home.hub.repo(name)
    return home.transfers.add(repo, repo.files)


def state(home: Home, id: str) -> str:  # noqa: A002
    return home.transfers.get(id).state


def test_shards_and_a_projector_come_together_or_not_at_all(home: Home) -> None:
    parts = {
        "big-Q8_0-00001-of-00002.gguf": noise(3 * MB, 1),
        "big-Q8_0-00002-of-00002.gguf": Blob(
            noise(3 * MB, 2), faults=[Fault("status", at=500, times=ALWAYS)]
        ),
        "mmproj-F16.gguf": noise(MB, 3),
    }
    added = add(home, "org/Big-GGUF", parts)
    failed = home.run(added.id)
    assert failed.state == "failed"
    assert not home.gguf_files, "the first part alone would look like a model"
    repo = home.hub_server.repos["org/Big-GGUF"]
    repo.commits[repo.main]["big-Q8_0-00002-of-00002.gguf"].faults.clear()
    sent = home.hub_server.sent_bytes
    home.transfers.resume(added.id)
    done = home.run(added.id)
    assert done.state == "done"
    assert [path.name for path in home.gguf_files] == sorted(parts)
    assert home.hub_server.sent_bytes - sent <= 4 * MB, "what was verified is not fetched again"
    assert done.destination == home.folder / "org/Big-GGUF/big-Q8_0-00001-of-00002.gguf"
    assert done.size_bytes == done.done_bytes == 7 * MB


def test_files_in_folders_of_a_repository_keep_them(home: Home) -> None:
    added = add(home, "org/Deep-GGUF", {"Q4_K_M/deep-Q4_K_M.gguf": CONTENT})
    assert home.run(added.id).state == "done"
    assert (home.folder / "org/Deep-GGUF/Q4_K_M/deep-Q4_K_M.gguf").read_bytes() == CONTENT


def test_two_downloads_that_share_a_projector_both_end(home: Home) -> None:
    projector = Blob(noise(MB, 3), faults=[Fault("drip", length=SLOW, times=ALWAYS)])
    repo = home.hub_server.add(
        "org/Seeing-GGUF",
        {"s-Q4_0.gguf": noise(MB, 1), "s-Q8_0.gguf": noise(MB, 2), "mmproj-F16.gguf": projector},
    )
    there = home.hub.repo("org/Seeing-GGUF")
    assert there.revision == repo.main
    models = [file for file in there.files if not file.is_projector]
    shared = [file for file in there.files if file.is_projector]
    ids = [home.transfers.add(there, [file, *shared]).id for file in models]
    ended = home.transfers.run(ids)
    assert [(each.state, each.problem) for each in ended] == [("done", "")] * 2
    assert [path.name for path in home.gguf_files] == [
        "mmproj-F16.gguf", "s-Q4_0.gguf", "s-Q8_0.gguf"
    ]  # fmt: skip


def test_the_same_model_is_queued_once(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": CONTENT})
    repo = home.hub.repo("org/Tiny-GGUF")
    assert home.transfers.add(repo, repo.files).id == added.id
    assert len(home.transfers.list()) == 1
    with pytest.raises(UsageMistake):
        home.transfers.add(repo, ())


def test_another_revision_of_a_file_stands_beside_the_first(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": CONTENT})
    home.run(added.id)
    newer = noise(5 * MB, 9)
    second = commit_of("second")
    home.hub_server.repos["org/Tiny-GGUF"].commits[second] = {"tiny-Q4_0.gguf": Blob(newer)}
    repo = home.hub.repo("org/Tiny-GGUF")
    done = home.run(home.transfers.add(repo, repo.files).id)
    assert done.destination == home.folder / "org/Tiny-GGUF" / second[:12] / "tiny-Q4_0.gguf"
    assert done.destination.read_bytes() == newer
    assert (home.folder / "org/Tiny-GGUF/tiny-Q4_0.gguf").read_bytes() == CONTENT


def test_a_file_that_is_there_already_is_not_fetched(home: Home) -> None:
    there = home.folder / "org/Tiny-GGUF/tiny-Q4_0.gguf"
    there.parent.mkdir(parents=True)
    there.write_bytes(CONTENT)
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": CONTENT})
    assert home.run(added.id).state == "done"
    assert not home.hub_server.content_requests()


def test_no_room_is_told_before_anything_comes(home: Home) -> None:
    repo = home.hub_server.add("org/Huge-GGUF", {"huge-F16.gguf": CONTENT})
    there = home.hub.repo("org/Huge-GGUF")
    (file,) = there.files
    size = shutil.disk_usage(home.folder.parent).free + MB
    huge = type(file)(file.name, size, file.sha256, "F16")
    failed = home.run(home.transfers.add(there, [huge]).id)
    assert (failed.state, failed.code) == ("failed", "disk_full")
    assert "GB" in failed.problem
    assert not home.hub_server.content_requests()
    assert repo.main == there.revision


def test_a_folder_that_cannot_be_written_is_told(home: Home) -> None:
    home.folder.write_text("a file where the folder should be")
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": CONTENT})
    failed = home.run(added.id)
    assert failed.state == "failed"
    assert failed.problem
    home.folder.unlink()
    home.transfers.resume(added.id)
    assert home.run(added.id).state == "done"


def test_the_order_is_the_users(home: Home) -> None:
    ids = [add(home, f"org/M{n}-GGUF", {"m.gguf": noise(100, n)}).id for n in range(3)]
    home.transfers.move(ids[2], 0)
    assert [each.id for each in home.transfers.list()] == [ids[2], ids[0], ids[1]]
    home.transfers.simultaneous = 1
    home.transfers.run(ids)
    order = [each.path.split("/")[2] for each in home.hub_server.content_requests()]
    assert order == ["M2-GGUF", "M0-GGUF", "M1-GGUF"]
    assert [each.state for each in home.transfers.list()] == ["done"] * 3


def test_several_at_a_time_and_no_more(home: Home) -> None:
    ids = [add(home, f"org/M{n}-GGUF", {"m.gguf": slow_blob(n)}).id for n in range(3)]
    most = 0

    def look(transfers: list[Transfer]) -> None:
        nonlocal most
        most = max(most, sum(each.state in ("downloading", "checking") for each in transfers))

    home.transfers.run(ids, progress=look)
    assert most == 2
    assert [each.state for each in home.transfers.list()] == ["done"] * 3


def test_in_the_background_pause_resume_and_cancel(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": slow_blob()})
    home.transfers.start()
    until(lambda: home.transfers.get(added.id).done_bytes > MB)
    assert home.transfers.pause(added.id).state == "paused"
    until(lambda: not home.transfers.get(added.id).is_running)
    kept = home.transfers.get(added.id).done_bytes
    assert MB < kept < 6 * MB
    home.transfers.resume(added.id)
    until(lambda: state(home, added.id) == "done")
    other = add(home, "org/Other-GGUF", {"other-Q4_0.gguf": slow_blob(2)})
    until(lambda: home.transfers.get(other.id).done_bytes > MB)
    home.transfers.cancel(other.id)
    until(lambda: len(home.transfers.list()) == 1)
    assert not list(home.folder.rglob("*.part"))
    home.transfers.cancel(added.id)
    assert home.transfers.list() == []
    assert home.gguf_files, "a finished model stays"
    with pytest.raises(NotFound):
        home.transfers.get(added.id)


def test_what_a_program_leaves_goes_on_in_the_next(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": slow_blob()})
    home.transfers.start()
    until(lambda: home.transfers.get(added.id).done_bytes > MB)
    home.transfers.close()
    home.transfers = home.program()
    left = home.transfers.get(added.id)
    assert (left.state, left.is_running) == ("waiting", False)
    home.transfers.start()
    until(lambda: state(home, added.id) == "done")


def test_two_programs_do_not_work_on_one_transfer(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": slow_blob()})
    home.transfers.start()
    until(lambda: home.transfers.get(added.id).is_running)
    other = home.program()
    done = other.run([added.id])
    assert [each.state for each in done] == ["done"]
    assert len(home.hub_server.content_requests()) == 1
    other.close()


def test_a_program_that_was_killed_holds_nothing(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": CONTENT})
    with home.database.write() as database:
        database.execute(
            "UPDATE transfers SET state = 'downloading', owner_pid = 4000000, owner_birth = 1.0"
        )
    assert state(home, added.id) == "waiting"
    assert home.run(added.id).state == "done"


def test_cancelling_a_run_pauses_what_it_works_on_and_what_waits(home: Home) -> None:
    ids = [add(home, f"org/M{n}-GGUF", {"m.gguf": slow_blob(n)}).id for n in range(3)]
    cancel = CancelToken()

    def stop(transfers: list[Transfer]) -> None:
        if any(each.done_bytes > MB for each in transfers):
            cancel.cancel()

    ended = home.transfers.run(ids, progress=stop, cancel=cancel)
    assert [each.state for each in ended] == ["paused"] * 3


def test_the_limit_is_kept_and_in_force_at_once(home: Home) -> None:
    content = noise(2 * MB, 4)
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": content})
    home.transfers.speed_limit_bytes_per_s = 100_000  # would take 20 s
    assert home.program().speed_limit_bytes_per_s == 100_000
    home.transfers.start()
    until(lambda: home.transfers.get(added.id).done_bytes > 30_000)
    assert state(home, added.id) != "done"
    home.transfers.speed_limit_bytes_per_s = 0
    until(lambda: state(home, added.id) == "done")


def test_parts_that_nobody_knows_are_swept(home: Home) -> None:
    stray = home.folder / ".downloads" / "0123456789ab" / "x.gguf.part"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    home.transfers.start()
    assert not stray.exists()


def test_a_pause_and_its_end_at_any_moment_are_both_heard(home: Home) -> None:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": slow_blob()})
    home.transfers.start()
    chance = random.Random(7)
    for _ in range(40):
        until(lambda: state(home, added.id) == "downloading")
        home.transfers.pause(added.id)
        assert state(home, added.id) == "paused"
        threading.Event().wait(chance.uniform(0, 0.03))
        assert home.transfers.resume(added.id).state != "paused"


def test_the_wish_of_a_process_that_was_killed_is_kept(home: Home) -> None:
    paused = add(home, "org/One-GGUF", {"one-Q4_0.gguf": CONTENT})
    forgotten = add(home, "org/Two-GGUF", {"two-Q4_0.gguf": CONTENT})
    rows = TransferRows(home.database)
    for each, wish in ((paused, "pause"), (forgotten, "cancel")):
        rows.update(each.id, state="downloading", wish=wish, owner_pid=1 << 22, owner_birth=1.0)
    assert state(home, paused.id) == "paused"
    home.transfers.start()
    until(lambda: len(home.transfers.list()) == 1)
    assert state(home, paused.id) == "paused"
    home.transfers.resume(paused.id)
    until(lambda: state(home, paused.id) == "done")


class SealableGate(DirectGate):
    """Ends what is under way when it is sealed, as a broker's end does."""

    is_sealed = False

    @property
    def is_open(self) -> bool:
        return not self.is_sealed

    def ask(self, *args: Any, events: Callable[[Any], None] | None = None, **named: Any) -> Any:
        def pass_on(event: object) -> None:
            if self.is_sealed:
                raise NetworkRefused("The network was sealed.", code=CUT_OFF)
            if events is not None:
                events(event)

        if self.is_sealed:
            raise NetworkRefused("The network is sealed.", code="sealed")
        return super().ask(*args, events=pass_on, **named)


@pytest.fixture
def gate(home: Home) -> SealableGate:
    """The way out of the home's program."""
    gate = SealableGate(home.hub_server.url)
    home.transfers = Transfers(home.database, Hub(gate), home.models, retry=QUICK)
    return gate


def seal_midway(home: Home, gate: SealableGate) -> Transfer:
    added = add(home, "org/Tiny-GGUF", {"tiny-Q4_0.gguf": slow_blob()})
    home.transfers.start()
    until(lambda: home.transfers.get(added.id).done_bytes > MB)
    gate.is_sealed = True
    until(lambda: not home.transfers.get(added.id).is_running)
    return home.transfers.get(added.id)


def test_what_the_seal_cut_off_waits_and_goes_on_by_itself(home: Home, gate: SealableGate) -> None:
    cut = seal_midway(home, gate)
    assert (cut.state, cut.code) == ("waiting", CUT_OFF)
    assert "sealed" in cut.problem
    gate.is_sealed = False
    until(lambda: state(home, cut.id) == "done")
    assert home.transfers.get(cut.id).problem == ""


def test_a_pause_of_what_the_seal_cut_off_stays_a_pause(home: Home, gate: SealableGate) -> None:
    cut = seal_midway(home, gate)
    assert home.transfers.pause(cut.id).state == "paused"
    other = add(home, "org/Other-GGUF", {"other-Q4_0.gguf": noise(MB, 3)})
    gate.is_sealed = False
    until(lambda: state(home, other.id) == "done")
    assert state(home, cut.id) == "paused"


def test_a_door_to_others_wakes_no_download_and_stops_none(home: Home, gate: SealableGate) -> None:
    cut = seal_midway(home, gate)
    home.transfers.close()
    gate.is_sealed = False
    looks = [0]
    doors = {"others"}

    def reaches_hub() -> bool:
        looks[0] += 1
        return "hub" in doors

    home.transfers = Transfers(
        home.database, Hub(gate), home.models, retry=QUICK, reaches_hub=reaches_hub
    )
    other = add(home, "org/Other-GGUF", {"other-Q4_0.gguf": noise(MB, 3)})
    home.transfers.start()
    until(lambda: looks[0] > 2)
    assert (state(home, cut.id), state(home, other.id)) == ("waiting", "waiting")
    doors.add("hub")
    until(lambda: (state(home, cut.id), state(home, other.id)) == ("done", "done"))


def test_a_run_that_the_seal_cuts_off_ends(home: Home, gate: SealableGate) -> None:
    ids = [add(home, f"org/M{n}-GGUF", {"m.gguf": slow_blob(n)}).id for n in range(3)]

    def seal(transfers: list[Transfer]) -> None:
        gate.is_sealed = gate.is_sealed or any(each.done_bytes > MB for each in transfers)

    ended = home.transfers.run(ids, progress=seal)
    assert [each.state for each in ended] == ["waiting"] * 3
    assert {each.code for each in ended} <= {"sealed", CUT_OFF}
    gate.is_sealed = False
    assert [each.state for each in home.transfers.run(ids)] == ["done"] * 3
