"""Several threads read a type for the first time at once, and the process lives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).parents[2] / "app"

FIRST_USE = """
import sys, threading, msgspec
sys.setswitchinterval(1e-5)
from lockhouse.answer.targets import TargetInfo
from lockhouse.chat.values import Provenance
from lockhouse.core.answering import Finished
from lockhouse.core.decoding import decoded
info = TargetInfo("a", "api")
values = [info, Provenance(info, Finished("stop"))] * 3
meeting = threading.Barrier(len(values))
def read(value):
    meeting.wait()
    assert decoded(msgspec.json.encode(value), type(value)) == value
threads = [threading.Thread(target=read, args=(value,)) for value in values]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_use_of_a_type_by_several_threads_ends_nothing() -> None:
    for _ in range(6):  # read without the lock, five of six processes ended with signal 11
        run = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, check=False)
        assert (run.returncode, run.stderr) == (0, b"")


def test_nothing_reads_a_type_past_it() -> None:
    """The engine's own process reads its first order before it has threads."""
    bare = re.compile(r"msgspec\.json\.decode\([^\n]*type=")
    found = [
        path.relative_to(APP).as_posix()
        for path in APP.rglob("*.py")
        if bare.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["lockhouse/engine/process/main.py"]
