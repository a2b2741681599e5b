"""llama.cpp's own programs, from the same source and with the same flags as our engine.

``llama-bench`` and ``llama-server`` are built from the tree inside the source distribution of
llama-cpp-python that pyproject.toml pins, so that a comparison measures the way to llama.cpp
and not another llama.cpp. Run this file to build them; the other benchmarks find them by it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks" / ".native"
PACKAGE = "llama-cpp-python"
PROGRAMS = ("llama-bench", "llama-server")


def programs(native: Path | None = None) -> dict[str, Path]:
    """The built programs, in ``native`` or where :func:`build` puts them."""
    folder = native or FOLDER / "build" / "bin"
    found = {name: folder / name for name in PROGRAMS}
    missing = [name for name, path in found.items() if not os.access(path, os.X_OK)]
    if missing:
        sys.exit(
            f"{', '.join(missing)} not found in {folder}.\n"
            "Build them once (about 5 minutes on 2 cores): python benchmarks/native.py"
        )
    return found


def pinned_version() -> str:
    """The release of llama-cpp-python that the program is built with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for requirement in project["project"]["dependencies"]:
        if match := re.fullmatch(rf"{PACKAGE}==([\w.]+)", requirement.replace("_", "-")):
            return match[1]
    raise SystemExit(f"pyproject.toml does not pin {PACKAGE}")


def compiler_flags() -> dict[str, str]:
    """What pyproject.toml has our own engine compiled with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project["tool"]["uv"]["config-settings-package"][PACKAGE]
    names = ("CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS", "GGML_NATIVE")
    defines = {name: settings.get(f"cmake.define.{name}") for name in names}
    return {name: value for name, value in defines.items() if value}


def source_tree(chosen: Path | None) -> Path:
    """llama.cpp's tree: the one named, the one in uv's cache, or a fresh download."""
    if chosen is not None:
        return chosen
    version = pinned_version()
    unpacked = FOLDER / f"llama_cpp_python-{version}" / "vendor" / "llama.cpp"
    if unpacked.is_dir():
        return unpacked
    return _in_uv_cache(version) or _downloaded(version, unpacked)


def _uv() -> str | None:
    private = ROOT / ".setup" / "venv" / "bin" / "uv"  # where dev.py puts its own
    return shutil.which("uv") or (str(private) if private.is_file() else None)


def _in_uv_cache(version: str) -> Path | None:
    caches = [Path.home() / ".cache" / "uv"]
    if chosen := os.environ.get("UV_CACHE_DIR"):
        caches.insert(0, Path(chosen))
    if uv := _uv():
        told = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)
        caches.insert(0, Path(told.stdout.strip()))
    for cache in caches:
        for tree in cache.glob(f"sdists-v*/*/{PACKAGE}/{version}/*/src/vendor/llama.cpp"):
            if (tree / "CMakeLists.txt").is_file():
                return tree
    return None


def _downloaded(version: str, unpacked: Path) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    if uv := _uv():
        pip = [uv, "tool", "run", "pip"]
    print(f"Downloading the source distribution of {PACKAGE} {version} ...", file=sys.stderr)
    wanted = [f"{PACKAGE}=={version}", "--no-deps", "--no-binary", PACKAGE, "-d", str(FOLDER)]
    subprocess.run([*pip, "download", *wanted], check=True)
    (archive,) = FOLDER.glob(f"llama_cpp_python-{version}*.tar.gz")
    _require_locked(archive)
    with tarfile.open(archive) as tar:
        tar.extractall(FOLDER, filter="data")
    return unpacked


def _require_locked(archive: Path) -> None:
    """Refuse an archive whose hash is not in the lock that the program is installed from."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest not in (ROOT / "requirements.lock").read_text(encoding="utf-8"):
        archive.unlink()
        raise SystemExit(f"{archive.name} is not the file that requirements.lock names")


def build(source: Path, jobs: int) -> Path:
    """Configure and compile; gives the folder with the programs."""
    target = FOLDER / "build"
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "BUILD_SHARED_LIBS": "ON",
        "GGML_CCACHE": "OFF",
        "LLAMA_BUILD_TESTS": "OFF",
        "LLAMA_BUILD_APP": "OFF",
        "LLAMA_BUILD_UI": "OFF",
        "LLAMA_USE_PREBUILT_UI": "OFF",
        "LLAMA_OPENSSL": "OFF",
        **compiler_flags(),
    }
    defines = [f"-D{name}={value}" for name, value in options.items()]
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    configure = ["cmake", "-S", str(source), "-B", str(target), *generator, *defines]
    subprocess.run(configure, check=True)
    compile_ = ["cmake", "--build", str(target), "-j", str(jobs), "--target", *PROGRAMS]
    subprocess.run(compile_, check=True)
    return target / "bin"


def main() -> None:
    """Build, and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="a llama.cpp tree instead of the pinned one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if shutil.which("cmake") is None:
        sys.exit("cmake is needed to build llama.cpp's own programs.")
    print(build(source_tree(options.source), options.jobs))


if __name__ == "__main__":
    main()
