"""The models of programs that keep them as container images are kept: Docker and RamaLama.

Only read, and with the same care as :mod:`lockhouse.library.external_stores`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockhouse.library.external_stores import (
    DIGEST,
    HASH,
    LATER_SHARD,
    MAX_MANIFESTS,
    PARTIAL,
    FoundFile,
    Manifest,
    files_beneath,
    is_gguf,
    license_in,
    read_json,
)
from lockhouse.library.model_info import FoundFolder, Source


def look_into_containers(folder: FoundFolder) -> Iterator[FoundFile]:
    """Every model in such a folder."""
    yield from _docker(folder) if folder.layout == "docker" else _ramalama(folder)


class _DockerModel(msgspec.Struct):
    id: str = ""
    tags: list[str] = []


class _DockerIndex(msgspec.Struct):
    models: list[_DockerModel] = []


def _docker(folder: FoundFolder) -> Iterator[FoundFile]:
    blobs = folder.path / "blobs" / "sha256"
    for model in read_json(folder.path / "models.json", _DockerIndex).models[:MAX_MANIFESTS]:
        manifest = DIGEST.fullmatch(model.id)
        if manifest is None:
            continue
        layers = read_json(folder.path / "manifests" / "sha256" / manifest[1], Manifest).layers
        digests = [
            (layer.mediaType, match[1])
            for layer in layers
            if (match := DIGEST.fullmatch(layer.digest)) is not None
        ]
        weights = [digest for media, digest in digests if ".gguf" in media]
        if len(weights) != 1 or not is_gguf(blobs / weights[0]):
            continue  # another format, or parts whose names were lost
        projectors = [digest for media, digest in digests if ".mmproj" in media]
        licenses = [digest for media, digest in digests if ".license" in media]
        projector = blobs / projectors[0] if projectors else None
        called, _, tag = (model.tags[0] if model.tags else "").rpartition("/")[2].partition(":")
        yield FoundFile(
            blobs / weights[0],
            "found",
            folder.owner,
            name=called if tag in ("", "latest") else f"{called}-{tag}",
            sha256=weights[0],
            projector=projector if projector is not None and is_gguf(projector) else None,
            license=license_in(blobs / licenses[0]) if licenses else "",
        )


def _ramalama(folder: FoundFolder) -> Iterator[FoundFile]:
    root = folder.path / "store"
    for path in files_beneath(root, depth=8):
        inside = path.relative_to(root).parts
        if "snapshots" not in inside or "mmproj" in path.name.lower():
            continue
        at = inside.index("snapshots")
        if LATER_SHARD.search(path.name) or PARTIAL.search(path.name) or not is_gguf(path):
            continue
        projectors = [
            each
            for each in files_beneath(path.parent, depth=0)
            if "mmproj" in each.name.lower() and is_gguf(each)
        ]
        digest = Path(os.path.realpath(path)).name.removeprefix("sha256-")
        is_hub = at > 2 and inside[0] == "huggingface"
        yield FoundFile(
            path,
            "found",
            folder.owner,
            name="" if is_hub else inside[at - 1],
            sha256=digest if HASH.fullmatch(digest) else "",
            projector=projectors[0] if len(projectors) == 1 else None,
            source=Source(repo="/".join(inside[1:3]), file=path.name) if is_hub else None,
        )
