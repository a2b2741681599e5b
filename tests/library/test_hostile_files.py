"""Several hundred bad files: none may crash the reader, eat memory, or kill the engine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.loadable import check_loadable
from tests.library.hostile import variants

MEMORY_BYTES = 256 << 20
READ_ALL = """
import resource, sys
from pathlib import Path
from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.header import read_header
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
used = 0
for name in sys.stdin.read().splitlines():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    try:
        read_header(Path(name))
    except InvalidInput:
        pass
    used = max(used, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before)
# Not ru_maxrss: that begins with what the parent had when it started this process.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(used, peak.split()[1])
"""
LOAD_ALL = """
import ctypes, sys
import llama_cpp.llama_cpp as native
quiet = native.llama_log_callback(lambda level, text, data: None)
native.llama_log_set(quiet, ctypes.c_void_p(0))
native.llama_backend_init()
for name in sys.stdin.read().splitlines():
    print(name, flush=True)
    settings = native.llama_model_default_params()
    model = native.llama_model_load_from_file(name.encode(), settings)
    if not model:
        continue
    settings = native.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 256, 1, 1
    context = native.llama_init_from_model(model, settings)
    if context:
        tokens = (native.llama_token * 2)(1, 2)
        native.llama_decode(context, native.llama_batch_get_one(tokens, 2))
        native.llama_free(context)
    native.llama_model_free(model)
"""


@pytest.fixture(scope="module")
def files(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(variants(starter, tmp_path_factory.mktemp("hostile")))


def run(script: str, paths: list[Path]) -> subprocess.CompletedProcess[str]:
    app = Path(__file__).parents[2] / "app"
    return subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(app), "GGML_NO_BACKTRACE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        check=False,
    )


def test_there_are_enough_of_them_and_always_the_same(starter: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    made = list(variants(starter, first))
    again = list(variants(starter, second))
    assert len(made) >= 300
    assert len({name for name, _ in made}) == len(made)
    assert [name for name, _ in made] == [name for name, _ in again]
    for (_, one), (_, other) in zip(made[::20], again[::20], strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_every_one_reads_or_names_its_fault(files: dict[str, Path]) -> None:
    faults = []
    for path in files.values():
        try:
            read_header(path)
        except InvalidInput as error:
            faults.append((path, error))
    assert 0 < len(faults) < len(files)
    for path, error in faults:
        assert len(error.message) >= len(path.name) + 10, error.message
        assert error.hint, error.message


def test_reading_them_all_stays_small(files: dict[str, Path]) -> None:
    done = run(READ_ALL, list(files.values()))
    assert done.returncode == 0, done.stderr
    slowest_s, peak_kib = done.stdout.split()
    # Processor time of one file in one process: a bound on work, not on the machine.
    assert float(slowest_s) < 1.0
    assert int(peak_kib) << 10 < MEMORY_BYTES


def test_llama_cpp_survives_all_that_pass_the_gate(files: dict[str, Path]) -> None:
    passed = []
    for path in files.values():
        try:
            check_loadable(read_header(path))
        except InvalidInput:
            continue
        passed.append(path)
    assert passed
    done = run(LOAD_ALL, passed)
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"died on {last}: {done.stderr[-500:]}"
    assert len(done.stdout.splitlines()) == len(passed)
