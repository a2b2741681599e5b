"""The models in the folders of other programs; only read.

Hides the trees of LM Studio and llama.cpp, the manifests of Ollama, the snapshots of the
Hugging Face cache, and the descriptions of Jan. The content is not trusted: what
is read is bounded in size, depth and number, names that lead out of the folder are not followed,
and only regular files are opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.core.json_decoding import decoded
from lockhouse.library.gguf.layout import reading
from lockhouse.library.model_info import FoundFolder, Preset, Source
from lockhouse.library.profiles import can_be

_Form = TypeVar("_Form")
Origin = Literal["starter", "own", "in place", "found", "not imported", "beside"]

Layout = Literal["tree", "flat", "ollama", "hub", "jan", "docker", "ramalama"]

LATER_SHARD: Final = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_MAX_DEPTH: Final = 6
_MAX_ENTRIES: Final = 100_000
MAX_MANIFESTS: Final = 10_000
_MAX_MANIFEST_BYTES: Final = 1 << 20
_MAX_LISTED: Final = 64
DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
HASH: Final = re.compile(r"[0-9a-f]{64}")
PARTIAL: Final = re.compile(r"^incomplete-|\.(?:part|downloadInProgress|incomplete|tmp)$")
_MEDIA: Final = "application/vnd.ollama.image."
_YAML_ENTRY: Final = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*):[ \t]+(.+?)[ \t]*$")
_YAML_USER: Final = re.compile(r"^[ \t-]*user:[ \t]*[\"']?([\w.-]+)", re.MULTILINE)
_YAML_REPO: Final = re.compile(r"^[ \t-]*repo:[ \t]*[\"']?([\w.-]+)", re.MULTILINE)
_MANIFEST_NAME: Final = re.compile(r"manifest=([\w.-]+)=([\w.-]+)=[\w.-]+\.json")
_RESOLVED: Final = re.compile(r"://[^/]+/([\w.-]+/[\w.-]+)/resolve/[^/]+/([^?#]+)")
_Told = TypeVar("_Told", bound=msgspec.Struct)
_LICENSES: Final = (
    ("apache license", "apache-2.0"),
    ("mit license", "mit"),
    ("permission is hereby granted, free of charge", "mit"),
    ("llama 3.3 community license", "llama3.3"),
    ("llama 3.2 community license", "llama3.2"),
    ("llama 3.1 community license", "llama3.1"),
    ("llama 3 community license", "llama3"),
    ("llama 2 community license", "llama2"),
    ("gemma terms of use", "gemma"),
)


class FoundFile(msgspec.Struct, frozen=True):
    """A model file, and what the program that stores it says about it."""

    path: Path
    origin: Origin
    owner: str
    name: str = ""  # what that program calls it
    sha256: str = ""  # what that program says; not computed here
    projector: Path | None = None
    license: str = ""
    source: Source | None = None
    preset: Preset | None = None


def look_into(folder: FoundFolder) -> Iterator[FoundFile]:
    """Every model in a folder of another program. Unreadable files are left out."""
    if folder.layout == "ollama":
        yield from _ollama(folder)
    elif folder.layout == "hub":
        yield from _hub(folder)
    elif folder.layout == "jan":
        yield from _jan(folder)
    else:
        yield from _tree(folder)


def is_model_name(name: str) -> bool:
    """Whether a file of that name can be the first or only file of a model, and complete."""
    if name.startswith(".") or not name.lower().endswith(".gguf"):
        return False
    return not LATER_SHARD.search(name) and not PARTIAL.search(name)


def files_beneath(root: Path, *, depth: int = _MAX_DEPTH) -> Iterator[Path]:
    """The files in a folder and its subfolders, by name; links to folders are followed once."""
    seen: set[tuple[int, int]] = set()
    left = _MAX_ENTRIES
    waiting = [(root, depth)]
    while waiting:
        folder, levels = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        below = []
        for entry in found[:left]:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                below.append((folder / entry.name, levels - 1))
            else:
                yield folder / entry.name
        left -= len(found)
        if left <= 0:
            return
        if levels:
            waiting += reversed(below)


def small_file(path: Path, limit_bytes: int) -> bytes:
    """The content of a small regular file; empty for anything else."""
    try:
        with reading(path) as descriptor:
            is_small = os.fstat(descriptor).st_size <= limit_bytes
            return os.read(descriptor, limit_bytes) if is_small else b""
    except LockhouseError:
        return b""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_gguf(path: Path) -> bool:
    """Whether it is a regular file that begins as a GGUF file does."""
    try:
        with reading(path) as descriptor:
            return os.read(descriptor, 4) == b"GGUF"
    except LockhouseError:
        return False


# LM Studio, llama.cpp, GPT4All


def _tree(folder: FoundFolder) -> Iterator[FoundFile]:
    depth = 0 if folder.layout == "flat" else _MAX_DEPTH
    has_snapshots = False
    downloads = _llama_downloads(folder) if folder.owner == "llama.cpp" else {}
    called = _lm_studio_names(folder) if folder.owner == "LM Studio" else {}
    for path in files_beneath(folder.path, depth=depth):
        if path.parts[len(folder.path.parts)].startswith("models--"):
            has_snapshots = True  # llama.cpp keeps its downloads as the hub's own cache does
            continue
        if not is_model_name(path.name) or not _is_regular(path):
            continue
        inside = path.relative_to(folder.path).parts
        source = None
        if folder.owner == "LM Studio" and len(inside) == 3:
            source = Source(repo=f"{inside[0]}/{inside[1]}", file=inside[2])
        download = downloads.get(path.name, _Download())
        source = source or download.source
        yield FoundFile(
            path,
            "found",
            folder.owner,
            name=called.get(source.repo.lower(), "") if source is not None else "",
            sha256=download.sha256,
            projector=download.projector,
            source=source,
        )
    if has_snapshots:
        yield from _hub(folder)


class _Download(msgspec.Struct):
    """What llama.cpp keeps beside a file in its flat cache."""

    source: Source | None = None
    sha256: str = ""
    projector: Path | None = None


class _Lfs(msgspec.Struct):
    sha256: str = ""


class _HubFile(msgspec.Struct):
    rfilename: str = ""
    lfs: _Lfs | None = None


class _HubManifest(msgspec.Struct, rename="camel"):
    gguf_file: _HubFile | None = None
    mmproj_file: _HubFile | None = None


class _Sidecar(msgspec.Struct):
    url: str = ""


def _llama_downloads(folder: FoundFolder) -> dict[str, _Download]:
    """By the name of the file: from the manifest of each repository, or the file beside each."""
    found: dict[str, _Download] = {}
    for path in files_beneath(folder.path, depth=0):
        manifest = _MANIFEST_NAME.fullmatch(path.name)
        if manifest is not None:
            repo = f"{manifest[1]}/{manifest[2]}"
            said = read_json(path, _HubManifest)
            prefix = f"{manifest[1]}_{manifest[2]}_"
            projector = None
            if said.mmproj_file is not None and said.mmproj_file.rfilename:
                name = prefix + said.mmproj_file.rfilename.replace("/", "_")
                projector = folder.path / name if _is_regular(folder.path / name) else None
            if said.gguf_file is not None and said.gguf_file.rfilename:
                file = said.gguf_file
                digest = file.lfs.sha256 if file.lfs is not None else ""
                found[prefix + file.rfilename.replace("/", "_")] = _Download(
                    Source(repo=repo, file=file.rfilename),
                    digest if HASH.fullmatch(digest) else "",
                    projector,
                )
        elif path.name.endswith(".gguf.json"):
            address = _RESOLVED.search(read_json(path, _Sidecar).url)
            if address is not None:
                source = Source(repo=address[1], file=address[2])
                found.setdefault(path.name.removesuffix(".json"), _Download(source))
    _join_projectors(folder, found)
    return found


def _join_projectors(folder: FoundFolder, found: dict[str, _Download]) -> None:
    """Give the models of a repository its only projector, where no manifest did."""
    projectors: dict[str, list[Path]] = {}
    for name, download in found.items():
        if download.source is not None and "mmproj" in name.lower():
            projectors.setdefault(download.source.repo, []).append(folder.path / name)
    for name, download in found.items():
        there = projectors.get(download.source.repo, []) if download.source is not None else []
        if download.projector is None and len(there) == 1 and "mmproj" not in name.lower():
            download.projector = there[0]


def _lm_studio_names(folder: FoundFolder) -> dict[str, str]:
    """What LM Studio calls a repository: a model.yaml names the files that it is made of."""
    found: dict[str, str] = {}
    described = folder.path.parent / "hub" / "models"
    for path in files_beneath(described, depth=3):
        if path.name != "model.yaml":
            continue
        text = small_file(path, _MAX_MANIFEST_BYTES).decode("utf-8", "replace")
        users = [match[1] for match in _YAML_USER.finditer(text)]
        repos = [match[1] for match in _YAML_REPO.finditer(text)]
        for user, repo in zip(users, repos, strict=False):
            found.setdefault(f"{user}/{repo}".lower(), path.parent.name)
    return found


def read_json(path: Path, kind: type[_Told]) -> _Told:
    """A small JSON file; what is empty for one that cannot be read."""
    try:
        return decoded(small_file(path, _MAX_MANIFEST_BYTES), kind)
    except (msgspec.DecodeError, RecursionError):
        return kind()


# Ollama


class _Layer(msgspec.Struct):
    mediaType: str = ""  # noqa: N815 - the name in the format
    digest: str = ""


class _Said(msgspec.Struct):
    role: Literal["system", "user", "assistant"]
    content: str = ""


class Manifest(msgspec.Struct):
    """Of a model in a registry: the digests of its files, by what they are."""

    layers: list[_Layer] = []
    manifests: list[_Layer] = []  # of a list: each is a manifest among the blobs


def _ollama(folder: FoundFolder) -> Iterator[FoundFile]:
    seen: set[tuple[str, ...]] = set()  # in both folders
    for number, (inside, path) in enumerate(_ollama_names(folder)):
        if number >= MAX_MANIFESTS:
            return
        layers = _ollama_layers(folder, small_file(path, _MAX_MANIFEST_BYTES))
        model, digest = _blob(folder, layers.get("model"))
        if model is None or not is_gguf(model) or inside in seen:
            continue  # weights in another format, or not downloaded yet
        seen.add(inside)
        projector, _ = _blob(folder, layers.get("projector"))
        yield FoundFile(
            model,
            "found",
            folder.owner,
            name=_ollama_name(inside),
            sha256=digest,
            projector=projector if projector is not None and is_gguf(projector) else None,
            license=license_in(_blob(folder, layers.get("license"))[0]),
            source=_ollama_source(inside),
            preset=_ollama_preset(folder, layers),
        )


def _ollama_names(folder: FoundFolder) -> Iterator[tuple[tuple[str, ...], Path]]:
    """The parts of each model's name, and where its manifest is."""
    for name in ("manifests-v2", "manifests"):
        root = folder.path / name
        for path in files_beneath(root, depth=5):
            yield path.relative_to(root).parts, path


def _ollama_layers(
    folder: FoundFolder, content: bytes, *, is_listed: bool = False
) -> dict[str, _Layer]:
    """The layers of a manifest by kind; of a list, those of the first with weights in GGUF."""
    pointer = DIGEST.fullmatch(content[:80].decode("ascii", "replace").strip())
    if pointer is not None and not is_listed:
        content = _blob_content(folder, _Layer(digest=pointer.group()))
    try:
        manifest = decoded(content, Manifest)
    except (msgspec.DecodeError, RecursionError):
        return {}
    for listed in manifest.manifests[:_MAX_LISTED] if not is_listed else ():
        layers = _ollama_layers(folder, _blob_content(folder, listed), is_listed=True)
        model, _ = _blob(folder, layers.get("model"))
        if model is not None and is_gguf(model):
            return layers
    found = {layer.mediaType.removeprefix(_MEDIA): layer for layer in manifest.layers[::-1]}
    return {kind.partition(";")[0].strip(): layer for kind, layer in found.items()}


def _blob_content(folder: FoundFolder, layer: _Layer | None) -> bytes:
    path, _ = _blob(folder, layer)
    return small_file(path, _MAX_MANIFEST_BYTES) if path is not None else b""


def _ollama_preset(folder: FoundFolder, layers: Mapping[str, _Layer]) -> Preset | None:
    """What the model adds to its weights; None where that is nothing."""

    def read(kind: str, form: type[_Form], nothing: _Form) -> _Form:
        content = _blob_content(folder, layers.get(kind))
        try:
            return decoded(content, form) if content else nothing
        except (msgspec.DecodeError, RecursionError):
            return nothing

    values = read("params", dict[str, Any], {})
    names = {"num_predict": "max_tokens"}
    sampling: dict[str, float | int] = {}
    for name, value in values.items():
        own = names.get(name, name)
        if isinstance(value, int | float) and can_be(own, value):
            sampling[own] = value
    stops, length = values.get("stop", []), values.get("num_ctx")
    preset = Preset(
        system=_blob_content(folder, layers.get("system")).decode("utf-8", "replace").strip(),
        messages=tuple(
            (one.role, one.content)
            for one in read("messages", list[_Said], [])[:_MAX_LISTED]
            if one.content
        ),
        sampling=sampling,
        stop=tuple(one for one in stops if isinstance(one, str) and one)
        if isinstance(stops, list)
        else (),
        context_length=length if isinstance(length, int) and 256 <= length < 1 << 24 else 0,
        template=layers["template"].digest if "template" in layers else "",
        adapter=layers["adapter"].digest if "adapter" in layers else "",
    )
    return preset if preset != Preset() else None


def _blob(folder: FoundFolder, layer: _Layer | None) -> tuple[Path | None, str]:
    match = DIGEST.fullmatch(layer.digest) if layer is not None else None
    if match is None:
        return None, ""
    return folder.path / "blobs" / f"sha256-{match[1]}", match[1]


def _ollama_name(inside: tuple[str, ...]) -> str:
    """The name of ``registry/library/model/tag``: model-tag, without latest."""
    model, tag = (inside[-2], inside[-1]) if len(inside) > 1 else (inside[-1], "latest")
    return model if tag == "latest" else f"{model}-{tag}"


def _ollama_source(inside: tuple[str, ...]) -> Source | None:
    if len(inside) == 4 and inside[0] == "hf.co":
        return Source(repo=f"{inside[1]}/{inside[2]}")  # the tag names a quantization, no file
    if len(inside) == 4:
        return Source(repo="/".join(inside[1:3]), revision=inside[3])
    return None


def license_in(path: Path | None) -> str:
    """The short name of a licence text, or its first line."""
    if path is None:
        return ""
    text = small_file(path, _MAX_MANIFEST_BYTES)[:4096].decode("utf-8", "replace")
    plain = " ".join(text.lower().split())
    for mark, name in _LICENSES:
        if mark in plain:
            return name
    return next((line.strip()[:80] for line in text.splitlines() if line.strip()), "")


# The Hugging Face cache


def _hub(folder: FoundFolder) -> Iterator[FoundFile]:
    try:
        names = sorted(path.name for path in folder.path.iterdir())
    except OSError:
        return
    for name in names[:MAX_MANIFESTS]:
        if not name.startswith("models--"):
            continue
        root = folder.path / name
        repo = name.removeprefix("models--").replace("--", "/", 1)
        current = small_file(root / "refs" / "main", 256).decode("ascii", "replace").strip()
        try:
            commits = sorted(path.name for path in (root / "snapshots").iterdir())
        except OSError:
            continue
        for commit in sorted(commits, key=lambda each: each != current):
            yield from _snapshot(folder, root, repo, commit)


def _snapshot(folder: FoundFolder, root: Path, repo: str, commit: str) -> Iterator[FoundFile]:
    snapshot = root / "snapshots" / commit
    for path in files_beneath(snapshot):
        if not is_model_name(path.name) or not _is_regular(path):
            continue
        file = path.relative_to(snapshot).as_posix()
        yield FoundFile(
            path,
            "found",
            folder.owner,
            sha256=_blob_hash(path, root),
            source=Source(repo=repo, revision=commit, file=file),
        )


def _blob_hash(path: Path, root: Path) -> str:
    """The blob of a large file is named by its sha256, that of a small one is not."""
    try:
        blob = Path(os.path.realpath(path))
        if not path.is_symlink() or blob.parent != (root / "blobs").resolve():
            return ""
    except (OSError, RuntimeError):
        return ""
    return blob.name if HASH.fullmatch(blob.name) else ""


# Jan


def _jan(folder: FoundFolder) -> Iterator[FoundFile]:
    for root in (folder.path / "llamacpp" / "models", folder.path / "models"):
        for path in files_beneath(root, depth=5):
            if path.name not in ("model.yml", "model.yaml"):
                continue
            said = _flat_yaml(small_file(path, _MAX_MANIFEST_BYTES))
            model = _jan_file(folder, said.get("model_path", ""))
            if model is None or not is_gguf(model):
                continue
            claimed = said.get("model_sha256", "").lower()
            yield FoundFile(
                model,
                "found",
                folder.owner,
                name=path.parent.name,
                sha256=claimed if HASH.fullmatch(claimed) else "",
                projector=_jan_file(folder, said.get("mmproj_path", "")),
            )

    yield from _old_jan(folder)


def _old_jan(folder: FoundFolder) -> Iterator[FoundFile]:
    """The folders of old releases: a model.json beside the file, which bears any name."""
    for path in files_beneath(folder.path / "models", depth=3):
        is_described = _is_regular(path.with_name("model.json"))
        if is_described and is_model_name(path.name) and is_gguf(path):
            yield FoundFile(path, "found", folder.owner, name=path.parent.name)


def _jan_file(folder: FoundFolder, said: str) -> Path | None:
    """The file that a description names, relative to the program's folder or absolute."""
    if not said or "\0" in said:
        return None
    given = Path(said)
    if ".." in given.parts:
        return None
    path = given if given.is_absolute() else folder.path / given
    return path if _is_regular(path) and not PARTIAL.search(path.name) else None


def _flat_yaml(content: bytes) -> dict[str, str]:
    """The plain entries on the first level of a YAML file, which is all that is needed."""
    said: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = _YAML_ENTRY.match(line)
        if match is None:
            continue
        value = match[2]
        if value[:1] in "'\"" and len(value) > 1 and value[-1] == value[0]:
            quote = value[0]
            value = value[1:-1]
            value = value.replace("''", "'") if quote == "'" else value.replace("\\\\", "\\")
        else:
            value = value.partition(" #")[0].rstrip()
        said.setdefault(match[1], value)
    return said
