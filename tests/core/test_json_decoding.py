"""Several threads read a type for the first time at once, and the process lives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"

FIRST_CONVERSION = """
import sys, threading, msgspec
sys.setswitchinterval(1e-5)
from lockhouse.answer.target import TargetInfo
from lockhouse.chat.values import Provenance
from lockhouse.core.events import Finished
from lockhouse.core.json_decoding import converted, decoded
info = TargetInfo("a", "api")
values = [info, Provenance(info, Finished("stop"))] * 3
meeting = threading.Barrier(len(values))
def read(value, number):
    data = msgspec.json.encode(value)
    plain = msgspec.json.decode(data)
    meeting.wait()
    kind = type(value)
    assert (converted(plain, kind) if number % 3 else decoded(data, kind)) == value
threads = [threading.Thread(target=read, args=(v, n)) for n, v in enumerate(values)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

FIRST_USE = """
import sys, threading, msgspec
sys.setswitchinterval(1e-5)
from lockhouse.answer.target import TargetInfo
from lockhouse.chat.values import Provenance
from lockhouse.core.events import Finished
from lockhouse.core.json_decoding import decoded
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


@pytest.mark.parametrize("program", [FIRST_USE, FIRST_CONVERSION], ids=["read", "converted"])
def test_the_first_use_of_a_type_by_several_threads_ends_nothing(program: str) -> None:
    for _ in range(6):  # read without the lock, five of six processes ended with signal 11
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        assert (run.returncode, run.stderr) == (0, b"")


def test_nothing_reads_a_type_past_it() -> None:
    """The engine's own process reads its first order before it has threads; what the dialects
    read is theirs alone, and prepared once, as they are imported."""
    bare = re.compile(r"msgspec\.(?:json\.decode\([^\n]*type=|json\.Decoder\(|convert\()")
    found = {
        path.relative_to(APP / "lockhouse").as_posix()
        for path in APP.rglob("*.py")
        if bare.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "core/json_decoding.py",
        "engine/process/main.py",
        "gate/dialects/anthropic.py",
        "gate/dialects/gemini.py",
        "gate/dialects/openai.py",
    }
