#!/usr/bin/env python3
"""Set the project up and start it: the two commands of README, and the checks.

    python3 dev.py run [ARGUMENTS]     set up, then start Lockhouse (ARGUMENTS go to it)
    python3 dev.py test [ARGUMENTS]    set up, then run the tests on all cores, or those that
                                       ARGUMENTS name on one (ARGUMENTS go to pytest)
    python3 dev.py check               set up, then lint, types and import contracts
    python3 dev.py setup [--rebuild | --portable | --native]
                                       set up only; --rebuild compiles the engine again,
                                       --portable for any processor of this kind, --native
                                       (the usual way) for this very one

Needs nothing but Python 3.11. System packages that are missing are installed where that is
allowed, and named otherwise. Everything else goes into ``.setup/`` and ``.venv/`` beside this
file, from locked versions with checked hashes. What is complete is remembered in a stamp, so
that a second run starts at once; a set-up that was interrupted goes on where it can.
"""

from __future__ import annotations

import os
import sys

WINDOWS = os.name == "nt"
ROOT = os.path.dirname(os.path.abspath(__file__))
LOWEST = (3, 11)


def find_newer_python() -> None:
    """Started by a Python that is too old: go on with one that is not, or say what to do."""
    if sys.version_info >= LOWEST:
        return
    import shutil

    for minor in (13, 12, 11, 14):
        other = shutil.which("python3.%d" % minor)
        if other:
            os.execv(other, [other, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(
        "Lockhouse needs Python 3.11 or newer; this is %d.%d and no newer one is on the PATH.\n"
        "Install Python 3.11 or newer and start again with it." % sys.version_info[:2]
    )


find_newer_python()

import ctypes  # noqa: E402 - nothing heavier than this before the stamp has been looked at
import hashlib  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import stat  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

TREE = Path(ROOT)
SETUP = TREE / ".setup"
VENV = TREE / ".venv"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")
# Started by its path and isolated: nothing is imported from wherever the user stands.
PROGRAM = [str(PYTHON), "-I", str(TREE / "app" / "lockhouse" / "__main__.py")]
LAUNCH = '"{}" {} "{}"'.format(*PROGRAM)
STAMP = VENV / "lockhouse-setup.json"
LOG = SETUP / "setup.log"
LOCK = TREE / "requirements.lock"
BUILD_LOCK = TREE / "build-constraints.lock"
SETUP_LOCK = TREE / "setup-requirements.lock"
NEEDED_BYTES = 2_500_000_000
DEMONSTRATION = "What is the capital of France? Answer in one sentence."

# Libraries that Qt's own packages expect of the system, and the Debian package of each.
WINDOW_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}
TEST_PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth"}
# For the tests that use the window as a person would and watch what it asks of the kernel; they
# are skipped where these cannot be installed.
JOURNEY_PROGRAMS = {
    "/usr/bin/dbus-run-session": "dbus-daemon",
    "/usr/bin/dbus-send": "dbus-bin",
    "/usr/bin/gdbus": "libglib2.0-bin",
    "/usr/bin/gnome-keyring-daemon": "gnome-keyring",
    "/usr/bin/import": "imagemagick",
    "/usr/bin/openbox": "openbox",
    "/usr/bin/strace": "strace",
    "/usr/bin/xdotool": "xdotool",
    "/usr/lib/python3/dist-packages/pyatspi": "python3-pyatspi",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
}
# What a native build may use of a processor; the rest of its flags does not matter here.
INSTRUCTION_SETS = re.compile(
    r"(sse|ssse|avx|amx|fma|f16c|bmi|abm|aes|vaes|gfni|popcnt|vpclmul|sha|movbe|"
    r"asimd|sve|sme|i8mm|bf16|fphp|atomics|dotprod)"
)


class SetUpFailed(Exception):
    """A step could not be done; the text says which, and what to do now."""


def say(text: str) -> None:
    """Tell the person at the terminal, without touching standard output."""
    print(text, file=sys.stderr, flush=True)


# --- What is there already -------------------------------------------------------------------


def processor() -> str:
    """The model and instruction sets of this processor."""
    try:
        first: dict[str, str] = {}
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as listing:
            for line in listing:
                name, separator, value = line.partition(":")
                if not separator:
                    break
                first[name.strip()] = value.strip()
    except OSError:
        import platform

        return f"{platform.machine()} {platform.processor()}"
    flags = (first.get("flags") or first.get("Features") or "").split()
    sets = sorted({flag for flag in flags if INSTRUCTION_SETS.match(flag)})
    identity = [first.get(key, "") for key in ("vendor_id", "cpu family", "model", "CPU part")]
    return " ".join([os.uname().machine, *identity, *sets])


def fingerprint(*, portable: bool) -> str:
    """One hash over everything that a finished set-up depends on."""
    digest = hashlib.sha256()
    for file in (LOCK, BUILD_LOCK, TREE / "pyproject.toml"):
        digest.update(file.read_bytes())
    for text in (sys.version, sys.base_prefix, LAUNCH, "portable" if portable else processor()):
        digest.update(text.encode())
    return digest.hexdigest()


def read_stamp() -> dict[str, object]:
    """What the last finished set-up left; empty when there was none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and PYTHON.exists() else {}


def has_library(soname: str) -> bool:
    """Whether the loader finds a shared library."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def version_of(uv: str) -> tuple[int, ...]:
    """The version of a uv; () when it does not run."""
    import subprocess

    try:
        told = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", told)[:3])


def pinned_uv() -> tuple[int, ...]:
    """The uv version that the set-up lock names."""
    found = re.search(r"^uv==([\d.]+)", SETUP_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return tuple(int(part) for part in found[1].split("."))


def uv_on_path() -> str | None:
    """A uv that was installed by its owner, when it is as new as ours."""
    uv = shutil.which("uv")
    return uv if uv and version_of(uv) >= pinned_uv() else None


# --- System packages -------------------------------------------------------------------------


def missing_packages(wanted: set[str]) -> dict[str, str]:
    """What the system lacks, with the Debian package that brings it."""
    missing: dict[str, str] = {}
    if "build" in wanted:
        compilers = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
        if not WINDOWS and not any(name and shutil.which(name.split()[0]) for name in compilers):
            missing["a C++ compiler"] = "g++"
        if not uv_on_path():
            try:
                import ensurepip  # noqa: F401
                import venv  # noqa: F401
            except ImportError:
                package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
                missing["Python's venv and ensurepip"] = package
    if sys.platform == "linux":
        if "window" in wanted:
            lacking = {s: p for s, p in WINDOW_LIBRARIES.items() if not has_library(s)}
            missing.update(lacking)
        if "tests" in wanted:
            missing.update({n: p for n, p in TEST_PROGRAMS.items() if not shutil.which(n)})
            missing.update(missing_for_journeys() if may_install() else {})
    return missing


def missing_for_journeys() -> dict[str, str]:
    """What some tests would like to have."""
    if not shutil.which("apt-get"):
        return {}
    return {name: p for name, p in JOURNEY_PROGRAMS.items() if not os.path.exists(name)}


def may_install() -> bool:
    """Whether packages can be installed here without asking."""
    return not WINDOWS and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_line(missing: dict[str, str]) -> str:
    """The exact command that installs what is missing here."""
    if sys.platform == "darwin":
        return "xcode-select --install"
    if shutil.which("apt-get"):
        return "apt-get install -y --no-install-recommends " + " ".join(sorted(missing.values()))
    if shutil.which("dnf"):
        known = {"g++": "gcc-c++", "xvfb": "xorg-x11-server-Xvfb", "xauth": "xorg-x11-xauth"}
        names = [
            f"'{what}()(64bit)'" if ".so" in what else known.get(package, "python3")
            for what, package in sorted(missing.items())
        ]
        return ("" if os.geteuid() == 0 else "sudo ") + "dnf install " + " ".join(names)
    return "your package manager, for: " + ", ".join(sorted(missing))


def install_packages(missing: dict[str, str]) -> None:
    """Install Debian packages as root, or through sudo after asking; otherwise name them."""
    line = install_line(missing)
    say("Missing on this system: " + ", ".join(missing))
    is_root = not WINDOWS and os.geteuid() == 0
    sudo = None if is_root else shutil.which("sudo")
    has_apt = shutil.which("apt-get") is not None
    by_hand = f"sudo apt-get update && sudo {line}" if has_apt and not is_root else line
    if not has_apt or not (is_root or (sudo and sys.stdin.isatty())):
        raise SetUpFailed(f"Install what is missing, then start again:\n    {by_hand}")
    if sudo:
        say(f"They can be installed with\n    {by_hand}")
        if input("Do that now? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise SetUpFailed("Nothing was installed. Run the line above, then start again.")
    prefix_args = [sudo] if sudo else []
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"}
    say("Installing Debian packages: " + " ".join(sorted(missing.values())))
    steps = ([*prefix_args, "apt-get", "update"], [*prefix_args, *line.split()])
    for number, step in enumerate(steps):
        try:
            run_logged(step, "Debian packages", env=env)
        except SetUpFailed:
            if number == len(steps) - 1:  # an index that cannot be refreshed may still serve
                raise
    still = missing_packages({"build", "window", "tests"}).keys() & missing.keys()
    if still:
        raise SetUpFailed("Still missing after the installation: " + ", ".join(sorted(still)))


# --- Steps -----------------------------------------------------------------------------------


def explain(step: str, output: str) -> str:
    """Why a step failed, as far as its output tells, and what to do now."""
    low = output.lower()
    if "no space left" in low or "disk quota exceeded" in low:
        return f"{step}: the disk is full. Free about {NEEDED_BYTES / 1e9:.1f} GB and start again."
    if "certificate verify failed" in low or "unknownissuer" in low:
        return (
            f"{step}: the certificate of a package server is not trusted here. Behind a proxy with "
            "a certificate of its own, name its file: SSL_CERT_FILE=FILE PIP_CERT=FILE"
        )
    signs = (
        "dns error", "name resolution", "could not resolve", "failed to resolve", "network is",
        "error sending request", "connection refused", "connection error", "connecttimeout",
        "failed to fetch", "failed to establish", "unable to fetch", "timed out",
    )  # fmt: skip
    if any(sign in low for sign in signs):
        return (
            f"{step}: the network did not answer. The first set-up needs it once, for Debian's "
            "package server and the Python Package Index; start again when it is there. "
            "What was fetched is kept."
        )
    if "hash mismatch" in low or "do not match the hashes" in low:
        return f"{step}: a download is not what the lock file expects. Nothing of it was used."
    tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-15:])
    return f"{step} failed. The end of {LOG}:\n{tail}"


def run_logged(command: list[str], step: str, *, env: dict[str, str] | None = None) -> None:
    """Run a step quietly: its output goes to the log, its progress to the terminal."""
    import subprocess

    started = time.monotonic()
    live = sys.stderr.isatty()
    told = started
    kept: list[str] = []
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            kept = [*kept[-199:], line]
            now = time.monotonic()
            if line.lstrip().startswith("Building llama-cpp-python"):
                say("Compiling llama.cpp for this processor: 2 to 3 minutes on two cores, once.")
            found = re.search(r"\[(\d+)/(\d+)\] ", line)
            if found and now - told >= (1 if live else 20):
                told = now
                text = f"  compiling llama.cpp: {found[1]} of {found[2]}, {now - started:.0f} s"
                print(f"\r{text}" if live else text, end="" if live else "\n", file=sys.stderr)
                sys.stderr.flush()
        failed = process.wait() != 0
    if live and told != started:
        say("")
    if failed:
        raise SetUpFailed(explain(step, "".join(kept)))


def find_uv() -> str:
    """The uv on the PATH when it is new enough; otherwise our own, pinned by its hash."""
    found = uv_on_path()
    if found:
        return found
    private = SETUP / "venv"
    uv = private / ("Scripts/uv.exe" if WINDOWS else "bin/uv")
    if version_of(str(uv)) != pinned_uv():
        say("Fetching the installer (uv) ...")
        shutil.rmtree(private, ignore_errors=True)
        run_logged([sys.executable, "-m", "venv", str(private)], "Making a private environment")
        python = private / ("Scripts/python.exe" if WINDOWS else "bin/python")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(SETUP_LOCK)]
        run_logged([*pip, *pinned], "Fetching the installer")
    return str(uv)


def make_environment() -> None:
    """An environment of our own; one that does not run is made again."""
    import subprocess

    if PYTHON.exists():
        probe = subprocess.run(
            [str(PYTHON), "-c", "import sys; print(sys.version, sys.base_prefix, end='')"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if probe.stdout == f"{sys.version} {sys.base_prefix}":
            return
    shutil.rmtree(VENV, ignore_errors=True)
    make = [sys.executable, "-m", "venv", "--without-pip", str(VENV)]
    run_logged(make, "Making the environment")


def install_requirements(uv: str, *, portable: bool, rebuild: bool) -> None:
    """Install the lock, llama.cpp from its source included."""
    say("Installing the locked packages ...")
    # A build for one processor must not come back from uv's cache on another one.
    mark = hashlib.sha256(processor().encode()).hexdigest()[:16]
    engine = "llama-cpp-python:cmake.define."
    settings = [f"{engine}LOCKHOUSE_PROCESSOR={'portable' if portable else mark}"]
    if portable:
        settings.append(f"{engine}GGML_NATIVE=OFF")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    env = {
        "CMAKE_BUILD_PARALLEL_LEVEL": str(cores or 2),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        **os.environ,
        "NO_COLOR": "1",
    }
    command = [uv, "pip", "sync", "-v", "-p", str(PYTHON), "--require-hashes", str(LOCK)]
    command += ["-b", str(BUILD_LOCK), "--require-build-hashes"]
    command += ["--only-binary", ":all:", "--no-binary", "llama-cpp-python"]
    for setting in settings:
        command += ["--config-settings-package", setting]
    if rebuild:
        command += ["--reinstall-package", "llama-cpp-python"]
    run_logged(command, "Installing the locked packages", env=env)


def make_importable() -> None:
    """Let the environment see the source tree, and give it a ``lockhouse`` command."""
    import sysconfig

    paths = {"base": str(VENV), "platbase": str(VENV)}
    packages = Path(sysconfig.get_path("purelib", "nt" if WINDOWS else "posix_prefix", vars=paths))
    (packages / "lockhouse-source.pth").write_text(f"{TREE / 'app'}\n", encoding="utf-8")
    if WINDOWS:
        launcher = BIN / "lockhouse.cmd"
        launcher.write_text(f"@{LAUNCH} %*\n", encoding="utf-8")
        return
    launcher = BIN / "lockhouse"
    launcher.write_text(f'#!/bin/sh\nexec {LAUNCH} "$@"\n', encoding="utf-8")
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


# --- The whole -------------------------------------------------------------------------------


def set_up(wanted: set[str], *, portable: bool | None = None, compile_again: bool = False) -> None:
    """Make everything in ``wanted`` true; costs nothing when it already is."""
    stamp = read_stamp()
    if portable is None:
        portable = stamp.get("portable") is True
    key = fingerprint(portable=portable)
    done = stamp.get("checked")
    checked = set(done) if isinstance(done, list) else set()
    if stamp.get("key") == key and wanted <= checked and not compile_again:
        return
    SETUP.mkdir(exist_ok=True)
    with (SETUP / "lock").open("w") as guard:
        wait_for_other_set_up(guard.fileno())
        LOG.write_text("", encoding="utf-8")
        packages = missing_packages(wanted)
        if packages:
            install_packages(packages)
        skipped = missing_for_journeys() if "tests" in wanted else {}
        if skipped:
            say("Some tests will be skipped without: " + " ".join(sorted(skipped.values())))
        if stamp.get("key") != key or compile_again:
            started = time.monotonic()
            free_bytes = shutil.disk_usage(ROOT).free
            if not stamp and free_bytes < NEEDED_BYTES:
                raise SetUpFailed(
                    f"Only {free_bytes / 1e9:.1f} GB are free here; the set-up needs about "
                    f"{NEEDED_BYTES / 1e9:.1f} GB. Free some and start again."
                )
            uv = find_uv()
            make_environment()
            engine = "portable" if portable else processor()
            rebuild = compile_again or (bool(stamp) and stamp.get("engine") != engine)
            install_requirements(uv, portable=portable, rebuild=rebuild)
            make_importable()
            say(f"Set up in {time.monotonic() - started:.0f} s.")
            stamp = {"key": key, "engine": engine, "portable": portable}
            checked = set()
        stamp["checked"] = sorted(checked | wanted)
        unfinished = STAMP.with_suffix(".new")
        unfinished.write_text(json.dumps(stamp), encoding="utf-8")
        unfinished.replace(STAMP)


def wait_for_other_set_up(descriptor: int) -> None:
    """Two set-ups in one folder take turns."""
    if WINDOWS:
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up is running in this folder; waiting for it.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def start(command: list[str], env: dict[str, str] | None = None) -> int:
    """Become another program."""
    sys.stdout.flush()
    environment = {**os.environ, **(env or {})}
    if WINDOWS:
        import subprocess

        return subprocess.call(command, env=environment)
    os.execve(command[0], command, environment)


def has_display() -> bool:
    """Whether a window could be shown."""
    if sys.platform != "linux":
        return True
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or chosen != ""


def run(arguments: list[str]) -> int:
    """Start Lockhouse: its window, or what the arguments say."""
    if not arguments and not has_display():
        # A pipe or a terminal can hold a conversation; /dev/null or a closed input cannot.
        try:
            silent = stat.S_ISCHR(os.fstat(0).st_mode) and not os.isatty(0)
        except OSError:
            silent = True
        if silent:
            say("No display and no terminal here: asking the starter model one question.")
            arguments = ["ask", DEMONSTRATION]
        else:
            say("No display here: opening the conversation in the terminal.")
            arguments = ["chat"]
    set_up({"build", "window"} if not arguments else {"build"})
    return start([*PROGRAM, *arguments])


def test(arguments: list[str]) -> int:
    """Run the tests: all of them on all cores, those that the arguments name on one."""
    set_up({"build", "window", "tests"})
    env = {"QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    spread = ["--numprocesses", "logical", "--maxprocesses", "8", "--dist", "worksteal"]
    if not all(argument.startswith("-") for argument in arguments):
        spread = []
    return start([str(PYTHON), "-m", "pytest", *spread, *arguments], env)


def check() -> int:
    """Lint, types and import contracts; all three, whatever the first one says."""
    import subprocess

    set_up({"build", "window"})
    env = {**os.environ, "PYTHONPATH": str(TREE / "app")}
    failed = []
    for name, command in (
        ("lint", ["ruff", "check", "."]),
        ("types", ["mypy"]),
        ("import contracts", ["lint-imports", "--no-logo"]),
    ):
        say(f"--- {name}")
        if subprocess.call([str(BIN / command[0]), *command[1:]], cwd=ROOT, env=env) != 0:
            failed.append(name)
    say("failed: " + ", ".join(failed) if failed else "lint, types and import contracts hold")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """The command line of this script."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    try:
        if command == "run":
            return run(rest)
        if command == "test":
            return test(rest)
        if command == "check" and not rest:
            return check()
        if command == "setup" and rest in ([], ["--portable"], ["--native"], ["--rebuild"]):
            choice = {"--portable": True, "--native": False}.get(rest[0]) if rest else None
            wanted = {"build", "window"} if has_display() else {"build"}
            set_up(wanted, portable=choice, compile_again=rest == ["--rebuild"])
            say(f"Ready: {BIN / 'lockhouse'}")
            return 0
    except SetUpFailed as failure:
        say(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Start again to go on.")
        return 130
    except OSError as failure:
        say(f"\n{explain('Set-up', str(failure))}")
        return 1
    say(__doc__ or "")
    return 0 if command in {"-h", "--help", "help"} else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
