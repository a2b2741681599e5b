"""Models that are not for chat: shown as what they are, and never asked a question."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.engine import minilm
from tests.library import layouts


@pytest.fixture
def home(lockhouse: Command, tmp_path: Path) -> Command:
    """A home with an embedding model and a reranker."""
    embedder = minilm.write(tmp_path / "MiniLM-f16.gguf")
    reranker = minilm.write(tmp_path / "Reranker-f16.gguf", pooling=gguf.PoolingType.RANK)
    imported = lockhouse("models", "import", str(embedder), str(reranker), "--json")
    assert imported.code == 0, imported.err
    return lockhouse


def test_an_embedding_model_and_a_reranker_are_listed_as_what_they_are(home: Command) -> None:
    models = {model["name"]: model for model in home("models", "list", "--json").json}
    capabilities = {name: model["capabilities"] for name, model in models.items()}
    embedder = next(name for name in capabilities if "minilm" in name.lower())
    reranker = next(name for name in capabilities if "reranker" in name.lower())
    assert capabilities[embedder] == ["embedding"]
    assert capabilities[reranker] == ["reranking"]
    assert models[embedder]["state"] == models[reranker]["state"] == "ready"
    heading, *rows = home("models", "list").text.splitlines()
    assert heading.split()[:2] == ["NAME", "FOR"]
    purposes = {row.split()[0]: row.split()[1] for row in rows}
    assert purposes[embedder] == "embedding"
    assert purposes[reranker] == "reranking"
    assert sorted(purposes.values()) == ["chat", "embedding", "reranking"]
    targets = [target["name"] for target in home("targets", "list", "--json").json]
    assert embedder not in targets
    assert reranker not in targets
    for name, words in ((embedder, "is an embedding model"), (reranker, "is a reranker")):
        refused = home("ask", "-m", name, "Hello")
        assert refused.code == 3
        assert words in refused.err
        assert "Choose a chat model" in refused.err
    assert home("settings", "set", "default_target", embedder).code == 0
    assert "is an embedding model" in home("ask", "Hello").err


def test_a_list_of_chat_models_needs_no_word_on_that(lockhouse: Command) -> None:
    assert "FOR" not in lockhouse("models", "list").text.splitlines()[0].split()


def test_models_of_one_file_answer_as_themselves_and_an_adapter_not_at_all(
    lockhouse: Command, tmp_path: Path
) -> None:
    starter = starter_model()
    assert starter is not None
    layouts.ollama(tmp_path, starter, "plain")
    more = {"system": b"You are Mario.", "params": b'{"temperature": 0, "num_predict": 3}'}
    layouts.ollama(tmp_path, starter, "mario", more=more)
    layouts.ollama(tmp_path, starter, "tuned", more={"adapter": b"GGUF"})
    folder = {"OLLAMA_MODELS": str(tmp_path / ".ollama" / "models")}
    answered = lockhouse("ask", "-m", "mario", "Who are you?", "--no-save", "--json", **folder)
    assert answered.code == 0, answered.err
    parameters = answered.json["parameters"]
    assert parameters["instructions"] == "You are Mario."
    assert (parameters["temperature"], parameters["max_tokens"]) == (0, 3)
    chosen = lockhouse(
        "ask", "-m", "mario", "Who?", "-s", "You are Peach.", "--max-tokens", "2", "--no-save",
        "--json", **folder,
    )  # fmt: skip
    assert "instructions" not in chosen.json["parameters"]
    assert chosen.json["parameters"]["max_tokens"] == 2
    refused = lockhouse("ask", "-m", "tuned", "Hello", "--no-save", **folder)
    assert refused.code == 3
    assert "adapter" in refused.err
    names = [target["name"] for target in lockhouse("targets", "list", "--json", **folder).json]
    assert "mario" in names
    assert "tuned" not in names
