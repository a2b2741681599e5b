"""Names of models as people paste them from a hub, from llama.cpp and from Ollama."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.library import layouts, test_folders

REPO = "org/Some-GGUF"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def shop(tmp_path: Path, user: Path, environment: dict[str, str]) -> Command:
    """A home of somebody who uses other programs as well."""
    apart = {"HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"}
    kept = {
        key: value
        for key, value in environment.items()
        if key not in apart and not key.startswith("XDG_")
    }
    return Command(tmp_path / "home", {**kept, "HOME": str(user)})


def small(path: Path, mark: bytes = b"") -> Path:
    """A small sound model; another ``mark`` makes another one."""
    starter = starter_model()
    assert starter is not None
    return test_folders.small(starter, path, mark)


def shown(shop: Command, name: str) -> Path:
    outcome = shop("models", "show", name, "--json")
    assert outcome.code == 0, outcome.text
    return Path(outcome.json["path"])


@pytest.mark.parametrize(
    "name",
    [
        f"hf.co/{REPO}:Q4_K_M",
        f"{REPO}:q4_k_m",
        f"{REPO}:some-Q4_K_M.gguf",
        f"https://huggingface.co/{REPO}/blob/main/some-Q4_K_M.gguf",
        f"https://huggingface.co/{REPO}/resolve/main/some-Q4_K_M.gguf?download=true",
        f"hf://{REPO}:Q4_K_M",
        f"{REPO.lower()}:Q4_K_M",
        f"lmstudio://open_from_hf?model={REPO}&file=some-Q4_K_M.gguf",
    ],
)
def test_a_name_pasted_from_the_hub_means_the_file_that_came_from_there(
    shop: Command, user: Path, tmp_path: Path, name: str
) -> None:
    source = small(tmp_path / "some-Q4_K_M.gguf")
    layouts.lm_studio(user, small(tmp_path / "some-Q8_0.gguf", b"Other"), REPO)
    kept = layouts.lm_studio(user, source, REPO)
    assert shown(shop, name) == kept


def test_a_repository_of_which_several_files_are_here_is_not_guessed(
    shop: Command, user: Path, tmp_path: Path
) -> None:
    layouts.lm_studio(user, small(tmp_path / "some-Q8_0.gguf", b"Other"), REPO)
    layouts.lm_studio(user, small(tmp_path / "some-Q4_K_M.gguf"), REPO)
    refused = shop("models", "show", REPO, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "ambiguous")


@pytest.mark.parametrize(
    "name",
    ["llama3.2:latest", "llama3.2", "library/llama3.2", "ollama.com/library/llama3.2:latest"],
)
def test_a_name_of_ollama_means_its_model(
    shop: Command, user: Path, tmp_path: Path, name: str
) -> None:
    layouts.ollama(user, small(tmp_path / "three.gguf", b"Three"), "llama3.2", "3b")
    kept = layouts.ollama(user, small(tmp_path / "some.gguf"), "llama3.2")
    assert shown(shop, name) == kept


def test_a_pasted_name_that_is_not_here_says_how_to_get_it(shop: Command) -> None:
    for name in (f"hf.co/{REPO}:Q4_K_M", f"{REPO}:Q4_K_M"):
        refused = shop("ask", "-m", name, "Hi")
        assert refused.code == 3
        assert f"lockhouse models get {name}" in refused.err
