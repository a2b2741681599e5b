"""``lockhouse doctor``: checks of this machine and this home, with a fix for each problem.

Each check is a function, and an entry in the table at the end. It never raises for the problem it
looks for; it reports the problem and how to fix it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from lockhouse import seal
from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.status import SEAL_WORDS
from lockhouse.core.errors import LockhouseError, StorageError

_COLOURS: dict[str, output.Style] = {"ok": "green", "warn": "yellow", "fail": "red"}
State = Literal["ok", "warn", "fail"]
_WINDOW_LIBRARIES = (
    "libEGL.so.1", "libGL.so.1", "libglib-2.0.so.0", "libdbus-1.so.3", "libfontconfig.so.1",
    "libxkbcommon.so.0", "libxkbcommon-x11.so.0", "libxcb-cursor.so.0", "libxcb-icccm.so.4",
    "libxcb-keysyms.so.1", "libxcb-shape.so.0",
)  # fmt: skip
_INSTRUCTION_SETS = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "amx_int8")
# By language as fontconfig calls it: the script, and the Debian package that has it.
_SCRIPTS = {
    "ar": ("Arabic", "fonts-noto-core"),
    "he": ("Hebrew", "fonts-noto-core"),
    "bn": ("Bengali", "fonts-noto-core"),
    "ta": ("Tamil", "fonts-noto-core"),
}
_LITTLE_DISK_BYTES = 2_000_000_000
_LITTLE_MEMORY_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    state: State
    message: str
    remedy: str = ""


_NOT_CHECKED = Finding("warn", "not checked, because the database does not open")


@click.command()
@as_json
def doctor(cli: CliContext) -> int:
    """Diagnose problems and suggest fixes. Fails when something that is needed does not work."""
    line = output.StatusLine()
    findings = {}
    for name, check in CHECKS.items():
        line.show(f"Checking {name}")
        findings[name] = finding = check(cli)
        line.clear()
        if not output.is_json():
            mark = output.Styled(f"{finding.state:4}", _COLOURS[finding.state])
            output.write_line(mark, f"  {name}: {finding.message}")
            if finding.remedy:
                output.write_line(f"      {finding.remedy}")
    has_failed = any(finding.state == "fail" for finding in findings.values())
    checks = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
    output.wrote_json({"ok": not has_failed, "checks": checks})
    return 1 if has_failed else 0


def python(_cli: CliContext) -> Finding:
    """The interpreter."""
    return Finding("ok", f"{platform.python_version()} at {sys.executable}")


def processor(_cli: CliContext) -> Finding:
    """The instructions of the processor that the engine can use."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    try:
        listing = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Finding("ok", f"{platform.machine()}, {cores} cores")
    flags = set(listing.split())
    found = [name for name in _INSTRUCTION_SETS if name in flags]
    shown = f"{platform.machine()}, {cores} cores, {' '.join(found) or 'no vector instructions'}"
    if platform.machine() == "x86_64" and "avx2" not in flags:
        return Finding("warn", shown, "Answers will be slow without AVX2.")
    return Finding("ok", shown)


def sealed(_cli: CliContext) -> Finding:
    """The seal, tested by trying to connect."""
    level = seal.state()
    through = [probe.attempt for probe in seal.self_test() if not probe.stopped]
    if through:
        return Finding("fail", f"not stopped: {', '.join(through)}",
            "Do not rely on the seal on this machine; please report this.",
        )  # fmt: skip
    state: State = "ok" if level == "kernel" else "warn"
    remedy = "" if level == "kernel" else "A kernel seal needs Linux on x86-64 or ARM64."
    return Finding(state, SEAL_WORDS[level], remedy)


def landlock(_cli: CliContext) -> Finding:
    """Whether engines can be restricted to their model file."""
    version = seal.landlock_version()
    if version:
        return Finding(
            "ok", f"version {version}; engines can read no file of yours but their model"
        )
    return Finding("warn", "not available; engines can read what you can read",
        "Linux 5.13 or newer with Landlock enabled restricts them.",
    )  # fmt: skip


def memory(_cli: CliContext) -> Finding:
    """Free memory for a model."""
    import psutil

    found = psutil.virtual_memory()
    shown = f"{output.size(found.available)} of {output.size(found.total)} available"
    if found.available < _LITTLE_MEMORY_BYTES:
        return Finding("warn", shown, "Close programs, or choose a smaller model.")
    return Finding("ok", shown)


def home(cli: CliContext) -> Finding:
    """Whether the home folder can be written to."""

    folder = cli.paths.home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("fail", f"{folder} cannot be written: {error.strerror}",
            "Choose another one with --home DIR or LOCKHOUSE_HOME.",
        )  # fmt: skip
    return Finding("ok", str(folder))


def disk(cli: CliContext) -> Finding:
    """Free disk space for conversations and models."""

    folder = cli.paths.home
    while not folder.exists():
        folder = folder.parent
    free_bytes = shutil.disk_usage(folder).free
    shown = f"{output.size(free_bytes)} free at {folder}"
    if free_bytes < _LITTLE_DISK_BYTES:
        return Finding("warn", shown, "Free some space before importing a model with --copy.")
    return Finding("ok", shown)


def database(cli: CliContext) -> Finding:
    """Whether the database opens and is undamaged."""
    try:
        with cli.workspace() as workspace:
            problems = workspace.database.problems(quick=True)
            unwritable = workspace.database.unwritable
            path = workspace.paths.database
    except LockhouseError as error:
        return Finding("fail", error.message, error.hint)
    if problems:
        remedy = "Recover what can be read: lockhouse chats recover"
        return Finding("fail", f"{path}: {problems[0]}", remedy)
    if unwritable is not None:
        return Finding("fail", f"{unwritable.message} It can be read.", unwritable.hint)
    return Finding("ok", f"{path} is undamaged")


def settings(cli: CliContext) -> Finding:
    """Whether the settings can be read."""
    file = cli.settings_file
    try:
        file.load()
    except LockhouseError as error:
        return Finding("fail", error.message, error.hint)
    if file.problem:
        return Finding("warn", file.problem)
    return Finding("ok", str(file.path))


def engine(cli: CliContext) -> Finding:
    """Whether the engine runs on this processor, tested in a separate process."""
    from lockhouse.library.starter import starter_model

    try:
        with cli.workspace() as workspace:
            path = (
                starter_model() or workspace.models.get(workspace.targets.default().info.name).path
            )
            verdict = workspace.checkup.verdict(path, again=True)
    except StorageError:
        return _NOT_CHECKED
    except LockhouseError as error:
        return Finding("fail", error.message, error.hint)
    if not verdict.works:
        return Finding("fail", f"it does not run on this machine: {verdict.problem}",
            verdict.remedy,
        )  # fmt: skip
    shown = f"{verdict.build}; {verdict.features}".rstrip("; ")
    if not verdict.extra_buffers:
        return Finding("warn", f"{shown}; without its fastest kernels", verdict.problem)
    return Finding("ok", shown)


def devices(_cli: CliContext) -> Finding:
    """The devices the engine computes on, and why a GPU is not used."""
    from lockhouse.engine.planning import Planner

    try:
        report = Planner().devices()
    except LockhouseError as error:
        return Finding("warn", f"unknown: {error.message}", error.hint)
    seen = [
        f"{device.name} ({device.description}, "
        f"{output.size(device.memory_free_bytes)} of "
        f"{output.size(device.memory_total_bytes)} free)"
        for device in report.devices
    ]
    shown = f"{', '.join(seen) or 'none'}; built for {', '.join(report.backends)}"
    if report.why_no_gpu:
        return Finding("warn", shown, report.why_no_gpu)
    if not report.graphics and not any("GPU" in device.kind for device in report.devices):
        shown += "; this machine has no GPU for computing"
    return Finding("ok", shown)


def model(cli: CliContext) -> Finding:
    """Whether there is a model that can answer."""
    try:
        with cli.workspace() as workspace:
            info = workspace.targets.default().info
    except StorageError:
        return _NOT_CHECKED
    except LockhouseError as error:
        remedy = error.hint or "Import a model: lockhouse models import FILE.gguf"
        return Finding("fail", error.message, remedy)
    return Finding("ok", f"{info.title or info.name} is the default")


def keyring(_cli: CliContext) -> Finding:
    """Whether the system can store API keys."""
    from lockhouse.gate import keys

    try:
        backend = keys.backend_name()
    except StorageError as error:
        return Finding("warn", error.message, error.hint)
    if backend:
        return Finding("ok", backend)
    return Finding("warn", "this system has none; only API keys need one",
        "Install gnome-keyring or KWallet before adding keys.",
    )  # fmt: skip


def display(_cli: CliContext) -> Finding:
    """Whether the window can be shown, with fonts for its text."""
    if sys.platform != "linux":
        return Finding("ok", "the system's own")
    missing = [name for name in _WINDOW_LIBRARIES if not _loads(name)]
    if missing:
        return Finding("warn", f"the window needs {', '.join(missing)}",
            "Run  python3 dev.py setup  to see what is missing, or install the Debian package.",
        )  # fmt: skip
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Finding("warn", "there is none; the command line works without",
            "Start Lockhouse from a desktop to use the window.",
        )  # fmt: skip
    return Finding("ok", "window libraries are installed")


def fonts(_cli: CliContext) -> Finding:
    """Whether the window can draw scripts that the bundled fonts have not."""
    if sys.platform != "linux":
        return Finding("ok", "the system's own")
    try:
        found = {language: _has_font(language) for language in _SCRIPTS}
    except OSError:
        return Finding("warn", "the system's list of fonts cannot be read",
            "Install fontconfig, so that the window finds fonts for other scripts.",
        )  # fmt: skip
    missing = [language for language, are_there in found.items() if not are_there]
    if not missing:
        return Finding("ok", "there is one for each common script")
    scripts = ", ".join(_SCRIPTS[language][0] for language in missing)
    packages = sorted({_SCRIPTS[language][1] for language in missing})
    return Finding("warn", f"none for {scripts}, which the window shows as boxes",
        f"Install {' and '.join(packages)}.",
    )  # fmt: skip


def _has_font(language: str) -> bool:
    """Whether fontconfig knows a font for a language. Raises OSError where there is none of it."""
    fontconfig = ctypes.CDLL("libfontconfig.so.1")
    for function in (fontconfig.FcNameParse, fontconfig.FcObjectSetCreate):
        function.restype = ctypes.c_void_p
    fontconfig.FcFontList.argtypes = (ctypes.c_void_p,) * 3
    fontconfig.FcFontList.restype = ctypes.POINTER(ctypes.c_int)  # a set begins with its length
    pattern = fontconfig.FcNameParse(f":lang={language}".encode())
    fonts_found = fontconfig.FcFontList(None, pattern, fontconfig.FcObjectSetCreate())
    return bool(fonts_found and fonts_found[0] > 0)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


Check = Callable[[CliContext], Finding]
CHECKS: Mapping[str, Check] = {
    "python": python,
    "processor": processor,
    "seal": sealed,
    "landlock": landlock,
    "memory": memory,
    "home": home,
    "disk": disk,
    "database": database,
    "settings": settings,
    "engine": engine,
    "devices": devices,
    "model": model,
    "keyring": keyring,
    "display": display,
    "fonts": fonts,
}
"""Every check by its name, in the order in which they are run."""
