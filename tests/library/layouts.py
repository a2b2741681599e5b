"""Other programs' folders, made by hand as those programs lay them out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

LICENSE = (
    b"                                 Apache License\n                           Version 2.0\n"
)
COMMIT = "a" * 40


def put(source: Path, destination: Path) -> Path:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)
    return destination


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lm_studio(home: Path, source: Path, repo: str = "someone/Some-GGUF") -> Path:
    return put(source, home / ".lmstudio" / "models" / repo / f"{source.stem}.gguf")


def ollama(
    home: Path,
    source: Path,
    model: str,
    tag: str = "latest",
    *,
    projector: Path | None = None,
    more: Mapping[str, bytes] | None = None,
    form: Literal["v1", "v2", "list", "pointer"] = "v1",
) -> Path:
    """``more`` are layers by kind, ``form`` how the manifest is kept."""
    root = home / ".ollama" / "models"
    layers = [_layer(root, source.read_bytes(), "model")]
    if projector is not None:
        layers.append(_layer(root, projector.read_bytes(), "projector"))
    kinds = {"template": b"{{ .Prompt }}", "params": b'{"stop":["<|im_end|>"]}'}
    kinds |= {"license": LICENSE, **(more or {})}
    layers += [_layer(root, content, kind) for kind, content in kinds.items()]
    folder = "manifests" if form == "v1" else "manifests-v2"
    manifest = root / folder / "registry.ollama.ai" / "library" / model / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"schemaVersion": 2, "layers": layers})
    if form in ("list", "pointer"):
        digest = str(_layer(root, content.encode(), "manifest")["digest"])
        listed = {"schemaVersion": 2, "manifests": [{"digest": f"sha256:{'0' * 64}"}]}
        listed["manifests"].append({"digest": digest})  # type: ignore[attr-defined]
        content = json.dumps(listed) if form == "list" else digest
    manifest.write_text(content)
    return root / "blobs" / str(layers[0]["digest"]).replace(":", "-")


def _layer(root: Path, content: bytes, kind: str) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    blob = root / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    media = f"application/vnd.ollama.image.{kind}"
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def hub_cache(home: Path, source: Path, repo: str, commit: str = COMMIT) -> Path:
    root = home / ".cache" / "huggingface" / "hub" / f"models--{repo.replace('/', '--')}"
    digest = sha256(source)
    put(source, root / "blobs" / digest)
    link = root / "snapshots" / commit / f"{source.stem}.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("../../blobs") / digest)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    return link


def jan(home: Path, source: Path, name: str, *, model_path: str = "", more: str = "") -> Path:
    data = home / ".local" / "share" / "Jan" / "data"
    folder = data / "llamacpp" / "models" / name
    model = put(source, folder / "model.gguf")
    said = model_path or model.relative_to(data).as_posix()
    text = f'model_path: "{said}"\nname: {name}\nmodel_sha256: {sha256(source)}\n{more}'
    (folder / "model.yml").write_text(text)
    return model


def gpt4all(home: Path, source: Path) -> Path:
    return put(source, home / ".local/share/nomic.ai/GPT4All" / f"{source.stem}.gguf")


def llama_cpp(home: Path, source: Path) -> Path:
    return put(source, home / ".cache" / "llama.cpp" / f"org_repo_{source.stem}.gguf")
