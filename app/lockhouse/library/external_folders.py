"""Where other programs store their models on this machine.

Hides the variables, pointer files and settings of each program, and the folders of the systems,
of flatpak and of services. A folder that may not be read is found as well, so that it can be said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.json_decoding import decoded
from lockhouse.library.external_stores import Layout, small_file
from lockhouse.library.model_info import FoundFolder

_MOST_SETTINGS_BYTES: Final = 1 << 20
# Of the installer, of Arch and NixOS, and of the snap.
_OLLAMA_SERVICES: Final = (
    "/usr/share/ollama/.ollama/models",
    "/var/lib/ollama/.ollama/models",
    "/var/lib/ollama",
    "/var/lib/ollama/models",
    "/var/lib/private/ollama/models",
    "/var/snap/ollama/common/models",
)
_PROGRAMS: Final = {
    ".lmstudio": "LM Studio",
    "lm-studio": "LM Studio",
    ".ollama": "Ollama",
    "ollama": "Ollama",
    "gpt4all": "GPT4All",
    "jan": "Jan",
    "huggingface": "Hugging Face",
    "anythingllm-desktop": "AnythingLLM",
    "msty": "Msty",
    "mstystudio": "Msty",
    "com.jeffser.alpaca": "Alpaca",
    "io.gpt4all.gpt4all": "GPT4All",
    ".docker": "Docker",
    "docker-model-runner-models": "Docker",
    "ramalama": "RamaLama",
    ".unsloth": "Unsloth",
}


def owner_of(path: Path, found: Sequence[FoundFolder] = ()) -> str:
    """The program in whose folder the file is; "user" when it is no known one."""
    for folder in found:
        if path.is_relative_to(folder.path):
            return folder.owner
    parts = (part.lower() for part in path.parts)
    return next((_PROGRAMS[part] for part in parts if part in _PROGRAMS), "user")


def found_folders(environment: Mapping[str, str], home: Path) -> list[FoundFolder]:
    """The existing folders of other programs, each once."""
    found: dict[Path, FoundFolder] = {}
    for owner, path, layout in _places(environment, home):
        try:
            if path.is_dir() and _holds_models(path):
                found.setdefault(path.resolve(), FoundFolder(owner, path, layout))
        except PermissionError:  # it is there, and what it holds cannot be listed
            found.setdefault(path, FoundFolder(owner, path, layout))
        except (OSError, RuntimeError, ValueError):
            continue
    return list(found.values())


def shape_of(folder: Path) -> FoundFolder | None:
    """A folder, or the models folder in it, that is laid out as another program does it."""
    for path in (folder, folder / "models"):
        if (path / "manifests").is_dir() and (path / "blobs").is_dir():
            return FoundFolder("Ollama", path, "ollama")
    return None


def _holds_models(path: Path) -> bool:
    """Packagers of Ollama's service put its models there, or into a folder beside others."""
    return str(path) not in _OLLAMA_SERVICES or (path / "manifests").is_dir()


def _places(environment: Mapping[str, str], home: Path) -> Iterator[tuple[str, Path, Layout]]:
    cache, data, config = _system_folders(environment, home)
    for path in _lm_studio(home):
        yield "LM Studio", path, "tree"
    ollama = _chosen(environment, "OLLAMA_MODELS")
    services = [Path(each) for each in _OLLAMA_SERVICES]
    for path in ([ollama] if ollama else []) + [home / ".ollama" / "models", *services]:
        yield "Ollama", path, "ollama"
    yield "Hugging Face", _hub_cache(environment, home), "hub"
    own_cache = cache / "llama.cpp"
    yield "llama.cpp", _chosen(environment, "LLAMA_CACHE") or own_cache, "tree"
    for path in _jan(data, config, home):
        yield "Jan", path, "jan"
    moved = _path_in_ini(config / "nomic.ai" / "GPT4All.ini", "modelPath")
    flatpaks = home / ".var" / "app"
    sandboxed = flatpaks / "io.gpt4all.gpt4all"
    moved_inside = _path_in_ini(sandboxed / "config" / "nomic.ai" / "GPT4All.ini", "modelPath")
    inside = sandboxed / "data" / "nomic.ai" / "GPT4All"
    for gpt4all in (moved, _gpt4all(environment, home, data), moved_inside, inside):
        if gpt4all is not None:
            yield "GPT4All", gpt4all, "flat"
    anything = config / "anythingllm-desktop" / "storage" / "models" / "ollama"
    yield "AnythingLLM", anything, "ollama"
    for path in (
        config / "Msty" / "models",
        config / "MstyStudio" / "models",
        home / ".msty" / "models",
    ):
        yield "Msty", path, "ollama"
    for root in (flatpaks / "com.jeffser.Alpaca" / "data", data / "com.jeffser.Alpaca"):
        yield "Alpaca", root / ".ollama" / "models", "ollama"
    yield "Docker", home / ".docker" / "models", "docker"
    for volumes in (Path("/var/lib/docker/volumes"), data / "docker" / "volumes"):
        yield "Docker", volumes / "docker-model-runner-models" / "_data", "docker"
    for path in (data / "ramalama", Path("/var/lib/ramalama")):
        yield "RamaLama", path, "ramalama"
    studio = _chosen(environment, "UNSLOTH_STUDIO_HOME") or home / ".unsloth" / "studio"
    for name in ("exports", "outputs"):
        yield "Unsloth", studio / name, "tree"


def _jan(data: Path, config: Path, home: Path) -> Iterator[Path]:
    """The data folders of Jan: chosen in its settings, default, and of old releases."""
    homes = (data / "Jan", config / "Jan", data / "jan.ai.app")
    for each in homes:
        try:
            chosen = decoded(_small_text(each / "settings.json"), _JanSettings).data_folder
        except (msgspec.DecodeError, RecursionError):
            continue
        if chosen and "\0" not in chosen and Path(chosen).is_absolute():
            yield Path(chosen)
    yield from (each / "data" for each in homes)
    yield home / "jan"


class _JanSettings(msgspec.Struct):
    data_folder: str = ""


def _chosen(environment: Mapping[str, str], *names: str) -> Path | None:
    value = next((environment[name] for name in names if environment.get(name)), "")
    return Path(value).expanduser() if value else None


def _system_folders(environment: Mapping[str, str], home: Path) -> tuple[Path, Path, Path]:
    """The system folders for caches, data and settings."""
    if sys.platform == "win32":
        roaming = _chosen(environment, "APPDATA") or home / "AppData" / "Roaming"
        local = _chosen(environment, "LOCALAPPDATA") or home / "AppData" / "Local"
        return local, roaming, roaming
    if sys.platform == "darwin":
        library = home / "Library"
        support = library / "Application Support"
        return library / "Caches", support, support
    return (
        _chosen(environment, "XDG_CACHE_HOME") or home / ".cache",
        _chosen(environment, "XDG_DATA_HOME") or home / ".local" / "share",
        _chosen(environment, "XDG_CONFIG_HOME") or home / ".config",
    )


def _gpt4all(environment: Mapping[str, str], home: Path, data: Path) -> Path:
    if sys.platform == "win32":
        data = _chosen(environment, "LOCALAPPDATA") or home / "AppData" / "Local"
    return data / "nomic.ai" / "GPT4All"


def _hub_cache(environment: Mapping[str, str], home: Path) -> Path:
    chosen = _chosen(environment, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    if chosen is not None:
        return chosen
    own_home = _chosen(environment, "HF_HOME")
    if own_home is None:
        caches = _chosen(environment, "XDG_CACHE_HOME") or home / ".cache"
        own_home = caches / "huggingface"
    return own_home / "hub"


def _lm_studio(home: Path) -> Iterator[Path]:
    """The models folders of LM Studio: chosen, moved, default, and of old releases."""
    homes = [home / ".lmstudio"]
    moved = _small_text(home / ".lmstudio-home-pointer").strip()
    if moved and "\0" not in moved and Path(moved).is_absolute():
        homes.insert(0, Path(moved))
    for each in homes:
        try:
            settings = decoded(_small_text(each / "settings.json"), _LmStudioSettings)
            chosen = settings.downloadsFolder
        except (msgspec.DecodeError, RecursionError):
            chosen = ""
        if chosen and "\0" not in chosen and Path(chosen).is_absolute():
            yield Path(chosen)
        yield each / "models"
        yield each / ".internal" / "bundled-models"
    yield home / ".cache" / "lm-studio" / "models"


class _LmStudioSettings(msgspec.Struct):
    downloadsFolder: str = ""  # noqa: N815 - the name in that file


def _path_in_ini(path: Path, key: str) -> Path | None:
    """The absolute path that an INI file gives for a key."""
    for line in _small_text(path).splitlines():
        name, _, value = line.partition("=")
        value = value.strip().strip('"')
        if name.strip() == key and "\0" not in value and Path(value).is_absolute():
            return Path(value)
    return None


def _small_text(path: Path) -> str:
    """The content of a small text file; empty when it cannot be read."""
    return small_file(path, _MOST_SETTINGS_BYTES).decode("utf-8", "replace")
