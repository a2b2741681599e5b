"""How long a person waits for the window and for the first word, and the memory it takes.

    PYTHONPATH=app .venv/bin/python benchmarks/start_up.py [--rounds 5] [--cold] [--json FILE]

Everything is measured from the moment a process is created, in homes of its own. Memory is PSS:
pages shared between processes count in proportion. Without --cold the files lie in memory, as
after the first start of a day; with it, the system is asked to forget them before each start.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
from engine_speed import machine

from lockhouse.library.starter import starter_model

QUESTION = "What is the capital of France? Answer in one sentence."
PROBE = Path(__file__).with_name("window_probe.py")
Figures = dict[str, list[float]]


def pss_mib(pid: int) -> float:
    """Memory of one process; resident memory where the system has no PSS."""
    info = psutil.Process(pid).memory_full_info()
    return float(getattr(info, "pss", info.rss)) / (1 << 20)


def lockhouse(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "lockhouse", "--home", str(home), *arguments]


def engine_pid(home: Path) -> int | None:
    """The process that holds the model, when there is one."""
    done = subprocess.run(
        lockhouse(home, "engines", "list", "--json"), capture_output=True, text=True, check=True
    )
    engines = json.loads(done.stdout)
    return int(engines[0]["pid"]) if engines else None


def stop_engines(home: Path) -> None:
    subprocess.run(lockhouse(home, "engines", "stop"), capture_output=True, check=False)


def ask(home: Path, label: str, figures: Figures) -> None:
    """One ``lockhouse ask``: the first text, the end, and memory when the first text came."""
    started = time.perf_counter()
    command = lockhouse(home, "ask", QUESTION, "--jsonl", "--no-save", "--temperature", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("type") == "text":
                figures[f"{label}: first text, s"].append(time.perf_counter() - started)
                break
        figures["memory of the command, MiB"].append(pss_mib(process.pid))
        process.stdout.read()
    figures[f"{label}: ended, s"].append(time.perf_counter() - started)
    pid = engine_pid(home)
    if pid is not None:
        figures["memory of the engine, MiB"].append(pss_mib(pid))


def window(home: Path, label: str, figures: Figures) -> None:
    """The window until it was asked and has answered."""
    command = [sys.executable, str(PROBE), QUESTION]
    environment = {**os.environ, "LOCKHOUSE_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users do not start from source each time
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for line in process.stdout:
            event = json.loads(line)
            figures[f"{label}: {event['moment']}, s"].append(event["at_s"])
            if event["moment"] == "answered":
                break
        figures["memory of the window, MiB"].append(pss_mib(process.pid))
        process.stdin.write("\n")
        process.stdin.close()
        process.wait(timeout=30)


def forget_files(model: Path) -> None:
    """Ask the system to drop our files from memory; pages that others map stay."""
    folders = [Path(sys.prefix) / "lib", Path(__file__).parents[1] / "app"]
    files = [model, *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    os.sync()
    for path in files:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def one_round(figures: Figures, model: Path, *, cold: bool) -> None:
    def prepared() -> None:
        if cold:
            forget_files(model)

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepared()
        ask(home, "command, first start of all (with self-test)", figures)
        stop_engines(home)
        prepared()
        ask(home, "command, no engine running", figures)
        ask(home, "command, engine running", figures)
        stop_engines(home)
        prepared()
        window(home, "window, no engine running", figures)
        window(home, "window, engine running", figures)
        stop_engines(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="forget files before each start")
    parser.add_argument("--json", type=Path, help="write every single measurement to this file")
    options = parser.parse_args()
    model = starter_model()
    if model is None:
        sys.exit("The starter model is not installed.")
    notes = machine()
    figures: Figures = defaultdict(list)
    for number in range(options.rounds):
        one_round(figures, model, cold=options.cold)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    print(f"{'':62} {'median':>8} {'lowest':>8} {'highest':>8}")
    for name, values in figures.items():
        middle = statistics.median(values)
        print(f"{name:62} {middle:8.2f} {min(values):8.2f} {max(values):8.2f}")
    if options.json:
        report = {"machine": notes, "cold": options.cold, "samples": figures}
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
