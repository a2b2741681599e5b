"""Two programs of one home, each a process: what one does must not undo what the other begins."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import sqlcipher3.dbapi2 as sqlcipher

from lockhouse.library.file_copy import Meter, copy_in
from lockhouse.library.models import Models
from lockhouse.library.transfers import Transfer
from lockhouse.storage.database import Database
from tests.hub.content import ALWAYS, Fault
from tests.hub.server import HubServer
from tests.library.downloads import Home, noise, sha256

KB, MB = 1 << 10, 1 << 20
_STARTS = """
import sys
from pathlib import Path
from lockhouse.workspace import open_workspace
print("ready", flush=True)
while True:
    workspace = open_workspace(Path(sys.argv[1]))
    workspace.transfers.start()
    workspace.close()
"""
_OPENS_MODELS = """
import sys
from pathlib import Path
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
home = Path(sys.argv[1])
database = Database(home / "lockhouse.db", backups=home / "backups")
print("ready", flush=True)
while True:
    Models(database, home / "models", None)
"""
_ADDS = """
import sys
from pathlib import Path
import msgspec
from lockhouse.gate.hub import HubFile, HubRepo
from lockhouse.library.transfers import Transfers
from lockhouse.workspace import open_workspace
workspace = open_workspace(Path(sys.argv[1]))
repos = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=list[HubRepo])
print("ready", flush=True)
sys.stdin.readline()
for repo in repos:
    workspace.transfers.add(repo, repo.files)
print("added", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    folder = tmp_path / "models"
    folder.mkdir()
    with HubServer() as server:
        home = Home(folder, server, Models(database, folder, None), database)
        yield home
        home.transfers.close()
    database.close()


@contextmanager
def another_program(script: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has said its first word."""
    environment = {**os.environ, "LOCKHOUSE_STARTER": "none"}
    program = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline()
    try:
        yield program
        assert program.poll() is None, "it ended by itself"
    finally:
        program.kill()
        program.communicate()


def finish_many(home: Home, count: int) -> None:
    """A long list of finished downloads, which takes a while to read."""
    with home.database.write() as database:
        database.execute(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
            " INSERT INTO transfers (id, repo, files, label, state, position, added_at)"
            " SELECT printf('%012x', n), repo, files, label, 'done', 0, added_at"
            " FROM transfers, number",
            [count],
        )


def stop_outside_a_write(program: subprocess.Popen[str], database: Path) -> None:
    """Let a program stand still wherever it is, as on a busy machine, unless others wait for it."""
    while True:
        threading.Event().wait(random.uniform(0, 0.05))
        program.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        connection = sqlcipher.connect(database, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlcipher.OperationalError:
            program.send_signal(signal.SIGCONT)
        finally:
            connection.close()


def test_a_window_that_starts_leaves_a_download_alone_that_a_command_just_began(
    home: Home, tmp_path: Path
) -> None:
    home.serve(noise(KB))
    assert home.get().state == "done"
    finish_many(home, 400)
    with another_program(_STARTS, tmp_path) as window:
        for number in range(5):
            name = f"org/M{number}-GGUF"
            home.serve(noise(2 * MB, number), Fault("drip", length=4 * MB, times=ALWAYS), name=name)
            repo = home.hub.repo(name)
            stop_outside_a_write(window, tmp_path / "lockhouse.db")

            def go_on(transfers: list[Transfer]) -> None:
                if transfers[0].done_bytes:
                    window.send_signal(signal.SIGCONT)

            added = home.transfers.add(repo, repo.files)
            (done,) = home.transfers.run([added.id], progress=go_on)
            assert (done.state, done.problem) == ("done", "")
            assert sha256(done.destination.read_bytes()) == repo.files[0].sha256


def test_a_model_that_two_programs_ask_for_at_once_is_queued_once(
    home: Home, tmp_path: Path
) -> None:
    for number in range(12):
        home.serve(noise(KB, number), name=f"org/M{number}-GGUF")
    repos = [home.hub.repo(f"org/M{number}-GGUF") for number in range(12)]
    wanted = tmp_path / "repos.json"
    wanted.write_bytes(msgspec.json.encode(repos))
    with (
        another_program(_ADDS, tmp_path, wanted) as one,
        another_program(_ADDS, tmp_path, wanted) as other,
    ):
        for word in ("go", "end"):
            for program in (one, other):
                assert program.stdin is not None
                program.stdin.write(f"{word}\n")
                program.stdin.flush()
            if word == "go":
                assert [p.stdout and p.stdout.readline() for p in (one, other)] == ["added\n"] * 2
                assert len(home.transfers.list()) == 12


def test_a_download_does_not_end_in_the_folder_that_was_just_moved_away(
    home: Home, tmp_path: Path
) -> None:
    for number in range(20):
        (home.folder / f"m{number}.gguf").write_bytes(noise(KB, number))
    home.serve(noise(3 * MB), Fault("drip", length=4 * MB, times=ALWAYS))
    repo = home.hub.repo("org/Tiny-GGUF")
    added: list[Transfer] = []

    def begin(_done: int, _total: int) -> None:
        if not added:
            added.append(home.transfers.add(repo, repo.files))
            home.transfers.start()
            while not (now := home.transfers.get(added[0].id)).done_bytes and not now.code:
                threading.Event().wait(0.02)

    home.models.relocate(home.folder, tmp_path / "elsewhere", begin)
    while (now := home.transfers.get(added[0].id)).state != "done":
        assert now.state != "failed", now.problem
        threading.Event().wait(0.02)
    assert now.destination is not None
    assert now.destination.is_file()
    assert now.destination.is_relative_to(tmp_path / "elsewhere")


def test_no_copy_fails_because_another_program_starts(home: Home, tmp_path: Path) -> None:
    source = tmp_path / "source.gguf"
    source.write_bytes(noise(KB))
    with (
        another_program(_OPENS_MODELS, tmp_path),
        another_program(_OPENS_MODELS, tmp_path),
    ):
        for number in range(500):
            copy = home.folder / f"copy-{number}.gguf"
            copy_in(source, copy, Meter(KB, None, None))
            copy.unlink()
