"""The models of other programs, in the folders where these programs keep them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command, Outcome
from tests.library import layouts, test_folders

HOMES = {"HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "UNSLOTH_STUDIO_HOME"}


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def shop(tmp_path: Path, user: Path, environment: dict[str, str]) -> Command:
    """A home of somebody who uses other programs as well."""
    kept = {
        key: value
        for key, value in environment.items()
        if key not in HOMES and not key.startswith("XDG_")
    }
    return Command(tmp_path / "home", {**kept, "HOME": str(user)})


def starter() -> Path:
    path = starter_model()
    assert path is not None
    return path


def small(path: Path, mark: bytes = b"") -> Path:
    """A small sound model; another ``mark`` makes another one."""
    return test_folders.small(starter(), path, mark)


def seen(path: Path) -> Path:
    """A projector."""
    return test_folders.projector(starter(), path)


def others(shop: Command) -> list[dict[str, Any]]:
    """The models that are not the starter's."""
    listed = shop("models", "list", "--json").json
    return [model for model in listed if not model["included"]]


@pytest.mark.parametrize(
    ("owner", "root"),
    [
        ("Msty", ".config/Msty/models"),
        ("Alpaca", ".var/app/com.jeffser.Alpaca/data/.ollama/models"),
    ],
)
def test_programs_that_keep_models_as_ollama_does(
    shop: Command, user: Path, tmp_path: Path, owner: str, root: str
) -> None:
    layouts.ollama(tmp_path / "made", small(tmp_path / "some.gguf"), "llama3.2", "3b")
    shutil.copytree(tmp_path / "made" / ".ollama" / "models", user / root)
    (model,) = others(shop)
    assert (model["name"], model["owner"], model["state"]) == ("llama3.2-3b", owner, "ready")
    assert shop("models", "show", "llama3.2:3b").code == 0


@pytest.mark.parametrize(
    ("owner", "place"),
    [
        ("GPT4All", ".var/app/io.gpt4all.gpt4all/data/nomic.ai/GPT4All/some.gguf"),
        ("LM Studio", ".lmstudio/.internal/bundled-models/nomic-ai/Some-GGUF/some.gguf"),
        ("Unsloth", ".unsloth/studio/exports/run-1/some.gguf"),
    ],
)
def test_programs_that_keep_plain_files(shop: Command, user: Path, owner: str, place: str) -> None:
    kept = small(user / place)
    (model,) = others(shop)
    assert (model["path"], model["owner"]) == (str(kept), owner)


def test_lm_studio_names_what_is_made_of_a_repository(
    shop: Command, user: Path, tmp_path: Path
) -> None:
    layouts.lm_studio(user, small(tmp_path / "Qwen3-8B-Q4_K_M.gguf"), "community/Qwen3-8B-GGUF")
    described = user / ".lmstudio" / "hub" / "models" / "qwen" / "qwen3-8b" / "model.yaml"
    described.parent.mkdir(parents=True)
    described.write_text(
        "model: qwen/qwen3-8b\nbase:\n  - key: community/Qwen3-8B-GGUF\n    sources:\n"
        "      - type: huggingface\n        user: community\n        repo: Qwen3-8B-GGUF\n"
    )
    (model,) = others(shop)
    assert model["name"] == "qwen3-8b"
    assert model["source"]["repo"] == "community/Qwen3-8B-GGUF"


def test_jan_is_found_where_its_settings_say_and_of_old_releases(
    shop: Command, user: Path, tmp_path: Path
) -> None:
    chosen = tmp_path / "elsewhere"
    new = small(chosen / "llamacpp" / "models" / "new" / "model.gguf", b"new")
    (new.parent / "model.yml").write_text("model_path: llamacpp/models/new/model.gguf\n")
    settings = user / ".local" / "share" / "Jan" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"data_folder": str(chosen)}))
    old = small(user / "jan" / "models" / "old-model" / "weights.gguf", b"old")
    (old.parent / "model.json").write_text("{}")
    assert {(model["name"], model["owner"]) for model in others(shop)} == {
        ("new", "Jan"),
        ("old-model", "Jan"),
    }


def blob(root: Path, content: bytes) -> str:
    """The digest of a file that was put among the blobs of Docker."""
    digest = hashlib.sha256(content).hexdigest()
    path = root / "blobs" / "sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"sha256:{digest}"


def test_docker_model_runner(shop: Command, user: Path, tmp_path: Path) -> None:
    root = user / ".docker" / "models"
    weights = small(tmp_path / "some.gguf").read_bytes()
    layers = [
        {"mediaType": "application/vnd.docker.ai.gguf.v3", "digest": blob(root, weights)},
        {"mediaType": "application/vnd.docker.ai.mmproj",
         "digest": blob(root, seen(tmp_path / "mmproj.gguf").read_bytes())},
        {"mediaType": "application/vnd.docker.ai.license", "digest": blob(root, layouts.LICENSE)},
    ]  # fmt: skip
    manifest = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    path = root / "manifests" / "sha256" / digest
    path.parent.mkdir(parents=True)
    path.write_bytes(manifest)
    index = {"models": [{"id": f"sha256:{digest}", "tags": ["ai/smollm2:360M"], "files": []}]}
    (root / "models.json").write_text(json.dumps(index))
    (model,) = others(shop)
    assert (model["name"], model["owner"], model["license"]) == (
        "smollm2-360m",
        "Docker",
        "apache-2.0",
    )
    assert model["sha256"] == hashlib.sha256(weights).hexdigest()
    assert "vision" in model["capabilities"]
    (root / "models.json").write_bytes(b"[[[[")
    assert others(shop) == []


def test_ramalama(shop: Command, user: Path, tmp_path: Path) -> None:
    store = user / ".local" / "share" / "ramalama" / "store"
    for number, (inside, name) in enumerate(
        [("ollama/library/smollm", "smollm"), ("huggingface/org/Some-GGUF", "some-Q8_0.gguf")]
    ):
        content = small(tmp_path / f"{number}.gguf", bytes([number + 1])).read_bytes()
        digest = f"sha256-{hashlib.sha256(content).hexdigest()}"
        kept = store / inside / "blobs" / digest
        kept.parent.mkdir(parents=True)
        kept.write_bytes(content)
        link = store / inside / "snapshots" / "sha256-00" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(kept)
        (store / inside / "refs").mkdir()
    found = {model["name"]: model for model in others(shop)}
    assert set(found) == {"smollm", "some"}
    assert {model["owner"] for model in found.values()} == {"RamaLama"}
    assert found["some"]["source"]["repo"] == "org/Some-GGUF"
    assert all(model["sha256"] for model in found.values())


def test_the_flat_cache_of_llama_cpp_knows_sources_and_projectors(
    shop: Command, user: Path
) -> None:
    cache = user / ".cache" / "llama.cpp"
    small(cache / "org_See-GGUF_see-Q4_K_M.gguf", b"a")
    seen(cache / "org_See-GGUF_mmproj-F16.gguf")
    small(cache / "org_Old-GGUF_old-Q8_0.gguf", b"b")
    manifest = {
        "ggufFile": {"rfilename": "see-Q4_K_M.gguf"},
        "mmprojFile": {"rfilename": "mmproj-F16.gguf"},
    }
    (cache / "manifest=org=See-GGUF=latest.json").write_text(json.dumps(manifest))
    address = "https://huggingface.co/org/Old-GGUF/resolve/main/old-Q8_0.gguf"
    beside = {"etag": "x", "url": address}
    (cache / "org_Old-GGUF_old-Q8_0.gguf.json").write_text(json.dumps(beside))
    see = shop("models", "show", "org/See-GGUF:Q4_K_M", "--json").json
    assert see["projector"] == str(cache / "org_See-GGUF_mmproj-F16.gguf")
    assert see["source"]["file"] == "see-Q4_K_M.gguf"
    old = shop("models", "show", address, "--json").json
    assert old["source"]["repo"] == "org/Old-GGUF"
    assert old["projector"] is None


def test_a_folder_like_that_of_ollama_can_be_added_anywhere(shop: Command, tmp_path: Path) -> None:
    made = layouts.ollama(tmp_path / "made", small(tmp_path / "some.gguf"), "llama3.2", "3b")
    disk = tmp_path / "disk"
    shutil.copytree(tmp_path / "made" / ".ollama", disk)
    refused = shop("models", "folders", "add", disk, "--writable")
    assert refused.code == 2
    assert "only read" in refused.err
    assert shop("models", "folders", "add", disk, "--json").json["model_count"] == 1
    (model,) = others(shop)
    assert (model["name"], model["sha256"]) == ("llama3.2-3b", made.name.removeprefix("sha256-"))
    assert shop("models", "remove", model["name"], "--yes").code == 2
    assert (disk / "models" / "blobs" / made.name).exists()


def test_a_store_that_may_not_be_read_is_said(shop: Command, user: Path, tmp_path: Path) -> None:
    layouts.ollama(user, small(tmp_path / "some.gguf"), "llama3.2")
    closed = user / ".ollama"
    if os.geteuid() == 0:  # who may read everything, but for what is beyond this
        told = without_rights(shop, closed)
    else:
        closed.chmod(0)
        told = shop("models", "list")
        closed.chmod(0o700)
    assert f"Ollama, {closed / 'models'}: You may not read it." in told.err


def without_rights(shop: Command, closed: Path) -> Outcome:
    """``models list`` as root without its power over the rights of files."""
    if shutil.which("setpriv") is None:
        pytest.skip("this test needs setpriv")
    closed.chmod(0)
    caps = "-dac_override,-dac_read_search"
    done = subprocess.run(
        ["setpriv", "--bounding-set", caps, "--inh-caps", caps, *shop.line("models", "list")],
        env=shop.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    closed.chmod(0o700)
    if b"setpriv" in done.stderr:
        pytest.skip("this test needs to give up rights")
    return Outcome(done.returncode, done.stdout, done.stderr.decode())
