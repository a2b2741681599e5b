"""The checks of ``lockhouse doctor``: one function each, from the ground up.

A check never raises for what it is there to find; it says what it saw and what to do.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from lockhouse import seal
from lockhouse.cli import output
from lockhouse.cli.context import CliContext
from lockhouse.cli.status import SEAL_WORDS
from lockhouse.core.errors import LockhouseError, StorageError

State = Literal["ok", "warn", "fail"]
_WINDOW_LIBRARIES = (
    "libEGL.so.1", "libGL.so.1", "libglib-2.0.so.0", "libdbus-1.so.3", "libfontconfig.so.1",
    "libxkbcommon.so.0", "libxkbcommon-x11.so.0", "libxcb-cursor.so.0", "libxcb-icccm.so.4",
    "libxcb-keysyms.so.1", "libxcb-shape.so.0",
)  # fmt: skip
_INSTRUCTION_SETS = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "amx_int8")
_LITTLE_DISK_BYTES = 2_000_000_000
_LITTLE_MEMORY_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    state: State
    message: str
    remedy: str = ""


Check = Callable[[], Finding]


def all_checks(door: CliContext) -> Iterator[tuple[str, Check]]:
    """Every check, in the order in which to read them."""
    yield "python", python
    yield "processor", processor
    yield "seal", sealed
    yield "landlock", landlock
    yield "memory", memory
    yield "home", partial(home, door)
    yield "disk", partial(disk, door)
    yield "database", partial(database, door)
    yield "settings", partial(settings, door)
    yield "engine", partial(engine, door)
    yield "devices", devices
    yield "model", partial(model, door)
    yield "keyring", keyring
    yield "display", display


def python() -> Finding:
    """The interpreter."""
    return Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")


def processor() -> Finding:
    """What the engine can use of the processor."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    try:
        listing = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Finding("processor", "ok", f"{platform.machine()}, {cores} cores")
    flags = set(listing.split())
    found = [name for name in _INSTRUCTION_SETS if name in flags]
    told = f"{platform.machine()}, {cores} cores, {' '.join(found) or 'no vector instructions'}"
    if platform.machine() == "x86_64" and "avx2" not in flags:
        return Finding("processor", "warn", told, "Answers will be slow without AVX2.")
    return Finding("processor", "ok", told)


def sealed() -> Finding:
    """The seal, tried out."""
    level = seal.state()
    through = [probe.attempt for probe in seal.self_test() if not probe.stopped]
    if through:
        return Finding(
            "seal", "fail", f"not stopped: {', '.join(through)}",
            "Do not trust this machine to be sealed; please report this.",
        )  # fmt: skip
    state: State = "ok" if level == "kernel" else "warn"
    remedy = "" if level == "kernel" else "A kernel seal needs Linux on x86-64 or ARM64."
    return Finding("seal", state, SEAL_WORDS[level], remedy)


def landlock() -> Finding:
    """Whether engines can be confined to their model file."""
    version = seal.landlock_version()
    if version:
        return Finding(
            "landlock", "ok", f"version {version}; engines see nothing of yours but their model"
        )
    return Finding(
        "landlock", "warn", "not available; engines can read what you can read",
        "Linux 5.13 or newer with Landlock switched on confines them.",
    )  # fmt: skip


def memory() -> Finding:
    """Room for a model."""
    import psutil

    found = psutil.virtual_memory()
    told = f"{output.size(found.available)} of {output.size(found.total)} available"
    if found.available < _LITTLE_MEMORY_BYTES:
        return Finding("memory", "warn", told, "Close programs, or choose a smaller model.")
    return Finding("memory", "ok", told)


def home(door: CliContext) -> Finding:
    """Whether the home can be written to."""
    from lockhouse.places import paths_for

    folder = paths_for(door.home).home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "home", "fail", f"{folder} cannot be written: {error.strerror}",
            "Choose another one with --home DIR or LOCKHOUSE_HOME.",
        )  # fmt: skip
    return Finding("home", "ok", str(folder))


def disk(door: CliContext) -> Finding:
    """Room for conversations and models."""
    from lockhouse.places import paths_for

    folder = paths_for(door.home).home
    while not folder.exists():
        folder = folder.parent
    free_bytes = shutil.disk_usage(folder).free
    told = f"{output.size(free_bytes)} free at {folder}"
    if free_bytes < _LITTLE_DISK_BYTES:
        return Finding("disk", "warn", told, "Free some before importing a model by copy.")
    return Finding("disk", "ok", told)


def database(door: CliContext) -> Finding:
    """Whether the database opens and is whole."""
    try:
        with door.workspace() as workspace:
            answer = workspace.database.read().execute("PRAGMA quick_check").fetchone()[0]
            path = workspace.paths.database
    except LockhouseError as error:
        return Finding("database", "fail", error.message, error.hint)
    if answer != "ok":
        return Finding("database", "fail", f"{path}: {answer}", "Restore one of the backups.")
    return Finding("database", "ok", f"{path} is whole")


def settings(door: CliContext) -> Finding:
    """Whether the settings can be read."""
    from lockhouse.places import paths_for
    from lockhouse.storage.settings import SettingsFile

    file = SettingsFile(paths_for(door.home).settings)
    try:
        file.load()
    except LockhouseError as error:
        return Finding("settings", "fail", error.message, error.hint)
    if file.problem:
        return Finding("settings", "warn", file.problem)
    return Finding("settings", "ok", str(file.path))


def engine(door: CliContext) -> Finding:
    """Whether the engine that was built runs on this processor: tried out, in a spare process."""
    from lockhouse.library.starter import starter_model

    try:
        with door.workspace() as workspace:
            path = (
                starter_model() or workspace.models.get(workspace.targets.default().info.name).path
            )
            verdict = workspace.checkup.verdict(path, again=True)
    except StorageError:
        return _not_checked("engine")
    except LockhouseError as error:
        return Finding("engine", "fail", error.message, error.hint)
    if not verdict.works:
        return Finding(
            "engine", "fail", f"it does not run on this machine: {verdict.problem}",
            "Build it here: python3 dev.py setup --rebuild (or --portable).",
        )  # fmt: skip
    told = f"{verdict.build}; {verdict.features}".rstrip("; ")
    if not verdict.extra_buffers:
        return Finding("engine", "warn", f"{told}; without its fastest kernels", verdict.problem)
    return Finding("engine", "ok", told)


def devices() -> Finding:
    """What the engine computes on, and why a graphics processor is left out."""
    from lockhouse.engine.planning import Planner

    try:
        report = Planner().devices()
    except LockhouseError as error:
        return Finding("devices", "warn", f"not known: {error.message}", error.hint)
    seen = [
        f"{device.name} ({device.description}, "
        f"{output.size(device.memory_free_bytes)} of "
        f"{output.size(device.memory_total_bytes)} free)"
        for device in report.devices
    ]
    told = f"{', '.join(seen) or 'none'}; built for {', '.join(report.backends)}"
    if report.why_no_gpu:
        return Finding("devices", "warn", told, report.why_no_gpu)
    if not report.graphics and not any("GPU" in device.kind for device in report.devices):
        told += "; this machine has no graphics processor that could compute"
    return Finding("devices", "ok", told)


def model(door: CliContext) -> Finding:
    """Whether there is anything that can answer."""
    try:
        with door.workspace() as workspace:
            info = workspace.targets.default().info
    except StorageError:
        return _not_checked("model")
    except LockhouseError as error:
        remedy = error.hint or "Import a model: lockhouse models import FILE.gguf"
        return Finding("model", "fail", error.message, remedy)
    return Finding("model", "ok", f"{info.title or info.name} answers when none is chosen")


def _not_checked(name: str) -> Finding:
    return Finding(name, "warn", "not checked, because the database does not open")


def keyring() -> Finding:
    """Whether keys could be kept by the system. Nothing needs one yet."""
    import keyring as system_keyring

    backend = type(system_keyring.get_keyring()).__module__
    trusted = ("SecretService", "kwallet", "libsecret", "macOS", "Windows")
    if any(backend.startswith(f"keyring.backends.{name}") for name in trusted):
        return Finding("keyring", "ok", backend.rpartition(".")[2])
    return Finding(
        "keyring", "warn", "the system offers none; nothing needs one while sealed",
        "Install gnome-keyring or KWallet before adding keys.",
    )  # fmt: skip


def display() -> Finding:
    """Whether a window could be shown, and written in."""
    if sys.platform != "linux":
        return Finding("display", "ok", "the system's own")
    missing = [name for name in _WINDOW_LIBRARIES if not _loads(name)]
    if missing:
        return Finding(
            "display", "warn", f"the window needs {', '.join(missing)}",
            "Let  python3 dev.py setup  name the packages, or install the Debian package.",
        )  # fmt: skip
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Finding(
            "display", "warn", "there is none here; the terminal works without",
            "Start from a desktop to see the window.",
        )  # fmt: skip
    if not any(Path(folder).is_dir() for folder in ("/usr/share/fonts", "/usr/local/share/fonts")):
        return Finding(
            "display", "warn", "no system fonts; emoji and other scripts will be boxes",
            "Install fonts-noto-color-emoji and fonts-noto-cjk.",
        )  # fmt: skip
    return Finding("display", "ok", "window libraries and fonts are there")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
