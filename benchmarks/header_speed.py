"""How fast a GGUF header is read: Lockhouse, the ``gguf`` package and llama.cpp's own reader.

Makes one file with 20,000 tensors and a vocabulary of 250,000 words (its weights are a hole, so
it takes some megabytes), and reads the header with each contestant in a fresh process, warm,
taking the best of several runs in turn. Prints milliseconds, memory and ratios::

    python benchmarks/header_speed.py [--tensors N] [--words N] [--runs N] [--file FILE.gguf]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
_MEASURE = """
import json, sys, time
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
{prepare}
before = peak()
times = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    {read}
    times.append(time.perf_counter() - started)
    del found
print(json.dumps({{"times": times, "grown_kib": peak() - before}}))
"""
_CONTESTANTS = {
    "Lockhouse": (
        "from pathlib import Path\nfrom lockhouse.library.gguf.header import read_header",
        "found = read_header(Path(sys.argv[1]))",
    ),
    "llama.cpp": (
        """import ctypes, importlib.util
from pathlib import Path
folder = Path(importlib.util.find_spec("llama_cpp").submodule_search_locations[0]) / "lib"
library = ctypes.CDLL(str(next(folder.glob("libggml-base.so"))))
class Parameters(ctypes.Structure):
    _fields_ = (("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p))
library.gguf_init_from_file.restype = ctypes.c_void_p
library.gguf_init_from_file.argtypes = (ctypes.c_char_p, Parameters)
library.gguf_free.argtypes = (ctypes.c_void_p,)
def read(path):
    context = library.gguf_init_from_file(path.encode(), Parameters(True, None))
    assert context
    library.gguf_free(context)""",
        "found = read(sys.argv[1])",
    ),
    "gguf package": ("import gguf", "found = gguf.GGUFReader(sys.argv[1])"),
}


def make(path: Path, tensors: int, words: int) -> Path:
    """A header of that size, by the ``gguf`` package; the weights are a hole."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(tensors // 10)
    writer.add_context_length(4096)
    writer.add_embedding_length(64)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"word{index:06}" for index in range(words)])
    writer.add_token_types([1] * words)
    writer.add_token_merges([f"wo rd{index:06}" for index in range(words)])
    for index in range(tensors):
        name = f"blk.{index // 10}.some_tensor_{index % 10}.weight"
        writer.add_tensor_info(name, (64, 64), np.dtype(np.float16), 64 * 64 * 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = path.stat().st_size
    os.truncate(path, -(-header // 32) * 32 + tensors * 64 * 64 * 2)
    return path


def measure(name: str, path: Path, runs: int) -> tuple[float, int]:
    """The best time in seconds, and by how many KiB the process grew."""
    prepare, read = _CONTESTANTS[name]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(prepare=prepare, read=read), path, str(runs)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
    )
    found = json.loads(done.stdout)
    return min(found["times"]), found["grown_kib"]


def main() -> None:
    """Make the file unless one is given, let each read it, compare."""
    parser = argparse.ArgumentParser(description="Speed of reading a GGUF header.")
    parser.add_argument("--tensors", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=250_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, help="Read this file instead of making one.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or make(Path(folder) / "header.gguf", options.tensors, options.words)
        best: dict[str, tuple[float, int]] = {}
        for _ in range(options.rounds):  # in turn, so that a busy moment meets all alike
            for name in _CONTESTANTS:
                runs = 1 if name == "gguf package" else options.runs
                seconds, grown = measure(name, path, runs)
                known = best.get(name, (seconds, grown))
                best[name] = (min(known[0], seconds), max(known[1], grown))
    own = best["Lockhouse"][0]
    for name, (seconds, grown) in best.items():
        ratio = "" if name == "Lockhouse" else f"   {seconds / own:7.2f} x Lockhouse's time"
        print(f"{name:13} {seconds * 1000:9.1f} ms   {grown / 1024:7.1f} MiB{ratio}")


if __name__ == "__main__":
    main()
