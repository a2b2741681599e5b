"""How fast a model comes over loopback: ours beside curl and hf download, in the same run.

    PYTHONPATH=app .venv/bin/python benchmarks/download_speed.py [--rounds 3] [--size-mib 2048]
        [--folder DIR] [--json FILE]

One server, in a process of its own, serves a sparse GGUF file with sendfile. Each contestant is
its whole command. Ours hashes the file, compares the hash and has the file on the disk before it
ends; the others do not, so that their file is forced to the disk afterwards and both times are
told. The third figure is the transfer alone: ours begins when it stands in the queue, without the
look at the repository and at a file's header that tells which file suits the machine; of the
others it is the whole command. Memory is the peak of a command and its children together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import gguf
import numpy as np
import psutil
from engine_speed import machine

ROOT = Path(__file__).parents[1]
REPO = "bench/model-GGUF"
NAME = "model-F16.gguf"
WIDTH = 32_768  # of the one tensor, in values of two bytes


@dataclass(frozen=True, slots=True)
class Figure:
    """One download."""

    contestant: str
    seconds: float  # until the command ends
    durable_seconds: float  # until the file is on the disk
    mib_per_s: float
    durable_mib_per_s: float
    transfer_mib_per_s: float
    peak_mib: float


def make_file(path: Path, size_mib: int) -> None:
    """A GGUF whose one tensor is a hole in the file."""
    rows = size_mib * (1 << 20) // (2 * WIDTH)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Bench")
    writer.add_context_length(2048)
    writer.add_tensor_info(
        "token_embd.weight", [rows, WIDTH], np.dtype("float16"), rows * WIDTH * 2
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate((header + 31) // 32 * 32 + rows * WIDTH * 2)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Memory(threading.Thread):
    """Watches the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.peak_bytes = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.03):
            try:
                tree = [self._process, *self._process.children(recursive=True)]
                held = sum(each.memory_info().rss for each in tree)
            except psutil.Error:
                continue
            self.peak_bytes = max(self.peak_bytes, held)


def measured(
    contestant: str,
    command: list[str],
    environment: dict[str, str],
    path: Path,
    transfer_s: Callable[[], float] | None = None,
) -> Figure:
    """Run one command and see that the whole file came."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        memory = Memory(process.pid)
        memory.start()
        _, told = process.communicate()
    ended = time.perf_counter()
    memory.over.set()
    memory.join()
    assert process.returncode == 0, told.decode()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    durable = time.perf_counter()
    alone = transfer_s() if transfer_s is not None else ended - began
    size_mib = path.stat().st_size / (1 << 20)
    return Figure(
        contestant,
        round(ended - began, 3),
        round(durable - began, 3),
        round(size_mib / (ended - began), 1),
        round(size_mib / (durable - began), 1),
        round(size_mib / alone, 1),
        round(memory.peak_bytes / (1 << 20), 1),
    )


def one_round(
    folder: Path, url: str, commit: str, hosts: list[str], *, number: int
) -> list[Figure]:
    """Every contestant once, each into an empty place; another one begins each round."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LOCKHOUSE_")},
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "hf-home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "PYTHONPATH": str(ROOT / "app"),
    }
    home = folder / "home"
    ours = [sys.executable, "-m", "lockhouse", "--home", str(home)]
    listed = [word for host in hosts for word in ("--host", host)]
    subprocess.run([*ours, "unseal", *listed], env=environment, check=True, capture_output=True)
    curl_file = folder / "curl" / NAME
    curl_file.parent.mkdir()
    address = f"{url}/{REPO}/resolve/{commit}/{NAME}"
    hf = str(Path(sys.executable).with_name("hf"))
    contestants: list[tuple[str, list[str], Path]] = [
        ("curl", ["curl", "-sSfL", "-o", str(curl_file), address], curl_file),
        ("lockhouse", [*ours, "models", "get", REPO, "--yes"], home / "models" / REPO / NAME),
        ("hf", [hf, "download", REPO, NAME, "--local-dir", str(folder / "hf")],
         folder / "hf" / NAME),
    ]  # fmt: skip
    figures = []

    def in_the_queue_s() -> float:
        told = subprocess.run(
            [*ours, "transfers", "list", "--json"], env=environment, check=True, capture_output=True
        )
        (done,) = json.loads(told.stdout)
        times = [datetime.fromisoformat(done[key]) for key in ("added_at", "finished_at")]
        return (times[1] - times[0]).total_seconds()

    shift = number % len(contestants)
    for contestant, command, path in contestants[shift:] + contestants[:shift]:
        alone = in_the_queue_s if contestant == "lockhouse" else None
        figures.append(measured(contestant, command, environment, path, alone))
        path.unlink()
        os.sync()
    for name in ("curl", "home", "hf", "hf-home"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return figures


def summary(figures: list[Figure]) -> dict[str, dict[str, float]]:
    """The median of each contestant."""
    names = dict.fromkeys(figure.contestant for figure in figures)
    told = {}
    for name in names:
        mine = [figure for figure in figures if figure.contestant == name]
        told[name] = {
            key: statistics.median(getattr(figure, key) for figure in mine)
            for key in ("mib_per_s", "durable_mib_per_s", "transfer_mib_per_s", "peak_mib")
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size-mib", type=int, default=2048)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        served = folder / NAME
        make_file(served, arguments.size_mib)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.hub.server", served, "--sha256", sha256_of(served)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert server.stdout is not None
        url, cdn, commit = server.stdout.readline().split()
        hosts = [each.removeprefix("http://") for each in (url, cdn)]
        figures = []
        try:
            for number in range(arguments.rounds):
                figures += one_round(folder, url, commit, hosts, number=number)
        finally:
            server.kill()
            server.wait()
    told = summary(figures)
    for contestant, values in told.items():
        print(
            f"{contestant:10} {values['mib_per_s']:8.0f} MiB/s"
            f"   on the disk {values['durable_mib_per_s']:5.0f}"
            f"   transfer alone {values['transfer_mib_per_s']:5.0f}"
            f"   peak memory {values['peak_mib']:6.0f} MiB"
        )
    for key, words in (
        ("mib_per_s", "as the command ends"),
        ("durable_mib_per_s", "with the file on the disk"),
        ("transfer_mib_per_s", "the transfer alone"),
    ):
        print(f"ours / curl, {words}: {told['lockhouse'][key] / told['curl'][key]:.2f}")
    if arguments.json:
        whole = {
            "machine": machine(),
            "figures": [asdict(figure) for figure in figures],
            "summary": told,
        }
        arguments.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
