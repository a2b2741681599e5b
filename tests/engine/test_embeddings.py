"""Vectors, ranks and scores from real engines, against computations of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import gguf
import numpy as np
import pytest

from lockhouse.answer.local import LoadPlanner
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, LockhouseError, NoRoom
from lockhouse.core.events import Failed
from lockhouse.engine import protocol
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from tests.engine import minilm
from tests.engine.conftest import ask, request
from tests.engine.models import with_random_weights
from tests.library import synthetic

SENTENCES = (
    "The cat sat on the mat.",
    "A kitten is lying on the rug.",
    "Interest rates rose again in the last quarter.",
    "The bank expects inflation to fall next year.",
    "cats",
)
TEXT = "The capital of France is"
CONTINUATION = " Paris, and it is a city of art, of bread and of rain in the month of November."


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> EngineSpec:
    path = minilm.write(tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2.gguf")
    return EngineSpec(str(path), "minilm")


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> EngineSpec:
    path = tmp_path_factory.mktemp("models") / "reranker.gguf"
    return EngineSpec(str(minilm.write(path, pooling=gguf.PoolingType.RANK)), "reranker")


@pytest.fixture(scope="module")
def chat(starter: Path) -> EngineSpec:
    return EngineSpec(str(starter), "starter", LoadSettings(context_length=2048))


# --- vectors -----------------------------------------------------------------------------


def test_vectors_are_those_that_the_models_weights_say(
    shared_pool: EnginePool, embedder: EngineSpec
) -> None:
    found = shared_pool.embed(embedder, SENTENCES)
    assert found.shape == (len(SENTENCES), 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    own = np.stack([minilm.embedding(sentence) for sentence in SENTENCES])
    assert (found * own).sum(axis=1).min() > 0.9999


def test_what_means_alike_lies_near(shared_pool: EnginePool, embedder: EngineSpec) -> None:
    cat, kitten, rates, bank, cats = shared_pool.embed(embedder, SENTENCES)
    assert cat @ kitten > 0.5 > cat @ rates
    assert rates @ bank > 0.4 > kitten @ bank
    assert cats @ kitten > cats @ rates


def test_many_texts_come_in_order_and_as_if_each_were_alone(
    shared_pool: EnginePool, embedder: EngineSpec
) -> None:
    texts = [f"Number {i}.{' Once more.' * (i % 4)}" for i in range(300)]
    told: list[int] = []
    found = shared_pool.embed(embedder, texts, progress=told.append)
    assert told == [256, 300]
    for number in (0, 1, 123, 255, 256, 299):
        alone = shared_pool.embed(embedder, [texts[number]])[0]
        assert float(alone @ found[number]) > 0.9999
    assert shared_pool.embed(embedder, []).size == 0


def test_a_text_longer_than_the_model_reads_is_refused(
    shared_pool: EnginePool, embedder: EngineSpec
) -> None:
    with pytest.raises(NoRoom, match=r"Text 2 takes .* tokens, and this model reads at most 512"):
        shared_pool.embed(embedder, ["short", "word " * 600])
    assert len(shared_pool.embed(embedder, ["word " * 500])) == 1


def test_control_tokens_in_a_text_are_only_text(
    shared_pool: EnginePool, embedder: EngineSpec
) -> None:
    plain, control = shared_pool.embed(embedder, ["cat", "cat[SEP]"])
    assert float(plain @ control) < 0.99


def test_a_decoder_made_for_vectors_keeps_nothing_of_one_text_for_the_next(
    shared_pool: EnginePool, tmp_path: Path
) -> None:
    plan = synthetic.gqa(layers=2, width=128, heads=4, kv=2, inner=256, vocabulary=512)
    plan.numbers["pooling_type"] = int(gguf.PoolingType.LAST)
    path = with_random_weights(synthetic.write(plan, tmp_path / "decoder.gguf"))
    spec = EngineSpec(str(path), "decoder")
    found = shared_pool.embed(spec, SENTENCES)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.triu(found @ found.T, 1).max() < 0.9999
    for number, sentence in enumerate(SENTENCES):
        alone = shared_pool.embed(spec, [sentence])[0]
        assert float(alone @ found[number]) > 0.999


def test_the_vectors_of_others_come_though_one_is_cancelled_or_gone(
    shared_pool: EnginePool, embedder: EngineSpec
) -> None:
    texts = [f"{SENTENCES[i % 5]} Number {i}." for i in range(40)]
    alone = shared_pool.embed(embedder, texts)
    failed: list[str] = []

    def embed() -> None:
        found = shared_pool.embed(embedder, texts)
        if float((found * alone).sum(axis=1).min()) < 0.9999:
            failed.append("another client's vectors came")

    def be_cancelled() -> None:
        cancel = CancelToken()
        timer = threading.Timer(0.2, cancel.cancel)
        timer.start()
        try:
            shared_pool.embed(embedder, texts * 20, cancel)
        except Cancelled:
            return
        failed.append("it was not cancelled")

    def leave() -> None:
        status = next(s for s in shared_pool.list() if s.model_path == embedder.model_path)
        connection = protocol.connect(shared_pool._records.folder, status.id)
        protocol.send(connection, protocol.Embed(tuple(texts)))
        protocol.receive_reply(connection)
        connection.close()

    threads = [threading.Thread(target=work) for work in (be_cancelled, leave, embed, embed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    status = next(s for s in shared_pool.list() if s.model_path == embedder.model_path)
    assert status.active == 0


def test_a_killed_engine_is_started_again_and_the_vectors_come(
    pool: EnginePool, embedder: EngineSpec
) -> None:
    before = pool.embed(embedder, SENTENCES)
    kills: list[int] = []

    def kill(_count: int) -> None:
        if not kills:
            kills.append(pool.list()[0].pid)
            os.kill(kills[0], signal.SIGKILL)

    found = pool.embed(embedder, [*["cats"] * 256, *SENTENCES], progress=kill)
    assert len(found) == 261
    assert pool.list()[0].pid != kills[0]
    assert (found[-5:] * before).sum(axis=1).min() > 0.9999


def test_it_is_planned_like_any_model(embedder: EngineSpec, starter: Path, tmp_path: Path) -> None:
    """A longer context than it was trained for is asked for by the settings of all models."""
    plan = LoadPlanner(EngineCheckup(tmp_path / "cache"), starter)
    pool = EnginePool(tmp_path / "run", tmp_path / "logs", idle_s=60, plan=plan)
    try:
        long = EngineSpec(embedder.model_path, "minilm", LoadSettings(context_length=8192))
        assert pool.embed(long, ["cat"]).shape == (1, 384)
        (first,) = pool.list()
        assert first.context_length == 512
        pool.embed(long, ["cat"])
        assert [status.id for status in pool.list()] == [first.id]
    finally:
        pool.stop()


# --- what a model was not made for -----------------------------------------------------------


def test_each_kind_of_model_says_what_it_is(
    shared_pool: EnginePool, embedder: EngineSpec, reranker: EngineSpec, chat: EngineSpec
) -> None:
    for spec, words in ((embedder, "is an embedding model"), (reranker, "is a reranker")):
        end = ask(shared_pool, spec, request("Hello")).last
        assert isinstance(end, Failed)
        assert (end.code, end.exit_code) == ("wrong_kind_of_model", 3)
        assert words in end.message
        with pytest.raises(InvalidInput, match=words):
            shared_pool.count_tokens(spec, request("Hello"))
        with pytest.raises(InvalidInput, match=words):
            shared_pool.score(spec, TEXT, CONTINUATION)
    with pytest.raises(InvalidInput, match="is an embedding model"):
        shared_pool.rank(embedder, "cats", SENTENCES)
    with pytest.raises(InvalidInput, match="is a reranker"):
        shared_pool.embed(reranker, SENTENCES)
    with pytest.raises(InvalidInput, match="is a chat model and makes no embeddings"):
        shared_pool.embed(chat, SENTENCES)
    with pytest.raises(InvalidInput, match="is a chat model and makes no rankings"):
        shared_pool.rank(chat, "cats", SENTENCES)


# --- ranks ---------------------------------------------------------------------------------


def test_documents_are_ranked_as_the_models_weights_say(
    shared_pool: EnginePool, reranker: EngineSpec
) -> None:
    query = "where do cats sleep"
    found = shared_pool.rank(reranker, query, [*SENTENCES, *["cats"] * 256])
    assert len(found) == 261
    assert found[4] == pytest.approx(found[-1], abs=0.02)
    own = [minilm.relevance(query, sentence) for sentence in SENTENCES]
    assert found[:5] == pytest.approx(own, abs=0.02)
    assert len({round(value, 3) for value in found[:5]}) == 5


# --- scores --------------------------------------------------------------------------------

_SCORES = """
import json, sys
import numpy as np
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=512, logits_all=True, verbose=False, n_threads=1)
prompt = model.tokenize(sys.argv[2].encode(), add_bos=False, special=False)
text = model.tokenize(sys.argv[3].encode(), add_bos=False, special=False)
model.eval(prompt + text)
found = []
for place, token in enumerate(text, len(prompt) - 1):
    row = model.scores[place].astype(np.float64)
    found.append(float(row[token] - row.max() - np.log(np.exp(row - row.max()).sum())))
print(json.dumps([text, found]))
"""


def test_scores_are_the_log_probabilities_of_each_token(pool: EnginePool, starter: Path) -> None:
    """Without flash attention, which rounds otherwise, as the other computation has none."""
    plain = LoadSettings(context_length=512, flash_attention=False)
    chat = EngineSpec(str(starter), "starter", plain)
    done = subprocess.run(
        [sys.executable, "-c", _SCORES, chat.model_path, TEXT, CONTINUATION],
        capture_output=True,
        check=True,
    )
    tokens, own = json.loads(done.stdout)
    found = pool.score(chat, TEXT, CONTINUATION)
    assert [score.token for score in found] == tokens
    assert "".join(score.text for score in found) == CONTINUATION
    assert len(found) > 16, "more than go into one batch"
    assert [score.log_probability for score in found] == pytest.approx(own, abs=0.05)
    again = pool.score(chat, TEXT, CONTINUATION)  # from what the cache holds now
    assert [s.log_probability for s in again] == pytest.approx(own, abs=0.05)


def test_a_greedy_answer_is_the_likeliest_continuation(
    shared_pool: EnginePool, chat: EngineSpec
) -> None:
    asked = request("What is the capital of France?", max_tokens=24)
    said = ask(shared_pool, chat, asked).text
    scores = shared_pool.score(chat, asked, said)
    assert "".join(score.text for score in scores) == said
    assert all(score.is_likeliest for score in scores)
    worse = shared_pool.score(chat, asked, "Purple elephants")
    assert not worse[0].is_likeliest
    assert worse[0].log_probability < scores[0].log_probability


def test_scores_and_answers_do_not_disturb_each_other(pool: EnginePool, tmp_path: Path) -> None:
    """With weights that are not quantized: those round otherwise with others in the batch."""
    plan = synthetic.gqa(layers=2, width=128, heads=4, kv=2, inner=256, vocabulary=512)
    path = with_random_weights(synthetic.write(plan, tmp_path / "decoder.gguf"))
    plain = LoadSettings(context_length=2048, flash_attention=False)
    chat = EngineSpec(str(path), "decoder", plain)
    alone = [score.log_probability for score in pool.score(chat, TEXT, CONTINUATION * 4)]
    found: list[list[float]] = []
    texts: list[str] = []

    def score() -> None:
        for _ in range(3):
            scores = pool.score(chat, TEXT, CONTINUATION * 4)
            found.append([score.log_probability for score in scores])

    def answer() -> None:
        for _ in range(3):
            end = ask(pool, chat, request("Count from one to twenty.", max_tokens=40))
            texts.append(end.text)

    def be_cancelled() -> None:
        for _ in range(5):
            cancel = CancelToken()
            timer = threading.Timer(0.05, cancel.cancel)
            timer.start()
            with contextlib.suppress(Cancelled):
                pool.score(chat, TEXT, CONTINUATION * 20, cancel)
            timer.join()

    threads = [threading.Thread(target=work) for work in (score, answer, be_cancelled)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(texts) == 3
    for scores in found:
        assert scores == pytest.approx(alone, abs=0.02)


def test_a_score_needs_a_prompt_and_a_continuation_that_fit(
    shared_pool: EnginePool, chat: EngineSpec
) -> None:
    for prompt, continuation in (("", "word"), ("word", "")):
        with pytest.raises(LockhouseError, match="needs a prompt and a continuation"):
            shared_pool.score(chat, prompt, continuation)
    with pytest.raises(NoRoom, match=r"the context holds 2,048"):
        shared_pool.score(chat, TEXT, "word " * 2100)
