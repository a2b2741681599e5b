"""Models that are not for chat: shown as what they are, and never asked a question."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from tests.cli.command import Command
from tests.engine import minilm


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
