"""Texts to vectors, and documents ranked by a query, with models that were made for it.

Such a model reads each text at once and keeps nothing of it, so the jobs of all clients share
batches text by text, in turn. What this hides: how a model pools what it makes of the tokens, how
a query and a document become one text for it, and the scheduling.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError, NoRoom
from lockhouse.core.events import EngineBuild, Finished, FinishReason, Timing, Usage, failed_of
from lockhouse.engine.process.job_loop import ABORTED, JobLoop
from lockhouse.engine.process.model import AbortFlag, Model
from lockhouse.engine.process.native import context_parameters, lib, why
from lockhouse.engine.process.thread_governor import ThreadGovernor
from lockhouse.engine.protocol import LONGEST_TEXT_UNASKED, LoadSettings, Ranks, Reply, Vectors

Floats = NDArray[np.float32]
Send = Callable[[Reply], None]
_NONE, _MEAN, _RANK = 0, 1, 4  # llama_pooling_type
_PLACES = re.compile(r"(\{query\}|\{document\})")
_MOST_TEXTS_AT_ONCE = 32


class EmbeddingContext:
    """The computation over an embedding model or a reranker, for several texts at once."""

    def __init__(
        self, model: Model, settings: LoadSettings, *, threads: int, abort: AbortFlag
    ) -> None:
        """Raises NoRoom when llama.cpp cannot allocate it."""
        trained = model.trained_context
        self.length: int = min(settings.context_length or LONGEST_TEXT_UNASKED, trained)
        pooling = model.pooling if model.pooling > _NONE else _MEAN
        self.ranks: bool = pooling == _RANK
        self.width: int = 1 if self.ranks else lib.llama_model_n_embd_out(model.handle)
        whole = msgspec.structs.replace(
            settings, batch=self.length, parallel=min(_MOST_TEXTS_AT_ONCE, self.length)
        )
        parameters = context_parameters(whole, self.length, threads=threads)
        parameters.embeddings = True
        parameters.pooling_type = pooling
        parameters.n_outputs_max = 0  # every token goes into the vector of its text
        parameters.abort_callback = abort.callback
        parameters.abort_callback_data = abort.data
        self.abort = abort  # kept alive as long as native code may look at it
        self.sequences = whole.parallel
        self._context: Any = lib.llama_init_from_model(model.handle, parameters)
        if not self._context:
            raise NoRoom(
                f"Texts of {self.length:,} tokens do not fit into memory: {why()}.",
                hint="Choose a smaller context length.",
                code="context_too_large",
            )
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(self.length, 0, 1)

    def set_threads(self, threads: int) -> None:
        """From the next batch on."""
        lib.llama_set_n_threads(self._context, threads, threads)

    def compute(self, texts: Sequence[Sequence[int]]) -> int:
        """Compute these texts, together at most ``length`` tokens; llama.cpp's code."""
        batch, row = self._batch, 0
        assert 0 < sum(map(len, texts)) <= self.length
        for sequence, tokens in enumerate(texts):
            for position, token in enumerate(tokens):
                batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, position, 1
                batch.seq_id[row][0], batch.logits[row] = sequence, True
                row += 1
        batch.n_tokens = row
        if not self._memory:
            return int(lib.llama_encode(self._context, batch))
        lib.llama_memory_clear(self._memory, True)  # noqa: FBT003 - the call's own shape
        return int(lib.llama_decode(self._context, batch))

    def vector(self, sequence: int) -> Floats:
        """What came of a text of the last batch: of length one, or its one value of relevance."""
        address = lib.llama_get_embeddings_seq(self._context, sequence)
        values = np.ctypeslib.as_array(address, (self.width,)).astype(np.float32)
        if self.ranks:
            return values
        length = float(np.linalg.norm(values))
        return values / np.float32(length or 1.0)


class EmbeddingJob:
    """The texts of one client on their way to vectors."""

    def __init__(
        self, texts: list[list[int]], reply: Callable[[list[Floats]], Reply], send: Send
    ) -> None:
        """``reply`` makes a message of what came of some texts, in their order."""
        self.texts = texts
        self.next = 0  # the first text that is not computed
        self.cancelled = False
        self.threads = 0
        self._is_over = False
        self._reply = reply
        self._send = send
        self._submitted_at = time.perf_counter()

    def take(self, vectors: list[Floats]) -> None:
        """So many more texts are computed. Raises InvalidInput when that made no numbers."""
        self.next += len(vectors)
        if not all(np.isfinite(vector).all() for vector in vectors):
            raise InvalidInput(
                "The model computes nothing that is a number: its file is damaged.",
                hint="Get the file again, or verify its hash.",
                code="model_damaged",
            )
        self._send(self._reply(vectors))

    def answer_now(self) -> None:
        """It has no trace to end."""

    def finish(self, reason: FinishReason, build: EngineBuild, context_length: int) -> None:
        """Send the closing event; does nothing to a job that has ended."""
        if self._is_over:
            return
        self._is_over = True
        tokens = sum(map(len, self.texts[: self.next]))
        total_s = time.perf_counter() - self._submitted_at
        self._send(
            Finished(
                reason,
                usage=Usage(prompt_tokens=tokens),
                timing=Timing(
                    total_s=round(total_s, 6),
                    prompt_tokens_per_s=round(tokens / max(total_s, 1e-9), 2),
                ),
                engine=build,
                threads=self.threads,
                context_length=context_length,
            )
        )

    def fail(self, error: LockhouseError) -> None:
        """Send why nothing more comes; does nothing to a job that has ended."""
        if self._is_over:
            return
        self._is_over = True
        self._send(failed_of(error))


class EmbeddingScheduler(JobLoop[EmbeddingJob]):
    """Computes the texts of all jobs in turn, as many at once as fit."""

    def __init__(
        self, context: EmbeddingContext, governor: ThreadGovernor, *, build: EngineBuild
    ) -> None:
        super().__init__(context.abort)
        self._context = context
        self._governor = governor
        self._build = build

    def _round(self) -> None:
        """One batch: a text of each job, and again, until no further one fits."""
        self._active += self._waiting
        self._waiting.clear()
        if self._active:
            shares = self._shares()
            self._active.append(self._active.pop(0))  # another one is first in the next batch
            self._compute(shares)

    def _finish(self, job: EmbeddingJob, reason: FinishReason) -> None:
        job.finish(reason, self._build, self._context.length)

    def _shares(self) -> dict[EmbeddingJob, int]:
        """How many texts of each job go into the next batch."""
        shares = dict.fromkeys(self._active, 0)
        tokens = texts = 0
        candidates = list(self._active)
        while candidates and texts < self._context.sequences:
            job = candidates.pop(0)
            at = job.next + shares[job]
            if at < len(job.texts) and tokens + len(job.texts[at]) <= self._context.length:
                shares[job] += 1
                tokens, texts = tokens + len(job.texts[at]), texts + 1
                candidates.append(job)
        return {job: count for job, count in shares.items() if count}

    def _compute(self, shares: dict[EmbeddingJob, int]) -> None:
        threads = self._governor.most
        self._context.set_threads(threads)
        texts = [
            text for job, count in shares.items() for text in job.texts[job.next : job.next + count]
        ]
        code = self._guarded(list(shares), lambda: self._context.compute(texts))
        if code == ABORTED:
            return
        if code != 0 and len(shares) > 1:
            for job, count in shares.items():  # whose fault it was shows when each is alone
                self._compute({job: count})
        elif code != 0:
            why_not = f"llama.cpp could not compute this text ({code}): {why()}"
            self._fail(next(iter(shares)), EngineCrashed(why_not, code="decode_failed"))
        else:
            first = 0
            for job, count in shares.items():
                job.threads = threads
                self._hand_out(job, [self._context.vector(first + i) for i in range(count)])
                first += count

    def _hand_out(self, job: EmbeddingJob, vectors: list[Floats]) -> None:
        if job.cancelled:
            return  # the next round ends it
        try:
            job.take(vectors)
        except LockhouseError as error:
            self._fail(job, error)
            return
        if job.next == len(job.texts):
            self._end(job, "stop")


def embedding_job(model: Model, limit: int, texts: Sequence[str], send: Send) -> EmbeddingJob:
    """Raises InvalidInput or NoRoom for a text that this model cannot take."""
    tokens = [model.vocabulary.tokenize(text, special=False, with_bos=True) for text in texts]
    return EmbeddingJob(_checked(tokens, limit), _vectors, send)


def ranking_job(
    model: Model, limit: int, query: str, documents: Sequence[str], send: Send
) -> EmbeddingJob:
    """Raises InvalidInput or NoRoom for a document that this model cannot take."""
    tokens = [_pair(model, query, document) for document in documents]
    return EmbeddingJob(_checked(tokens, limit), _ranks, send)


def _vectors(vectors: list[Floats]) -> Vectors:
    return Vectors(vectors[0].size, np.concatenate(vectors).astype("<f4").tobytes())


def _ranks(values: list[Floats]) -> Ranks:
    return Ranks(tuple(float(value[0]) for value in values))


def _checked(texts: list[list[int]], limit: int) -> list[list[int]]:
    for number, tokens in enumerate(texts, start=1):
        if not tokens:
            raise InvalidInput(f"Text {number} is empty.", hint="Leave it out.", code="empty_text")
        if len(tokens) > limit:
            raise NoRoom(
                f"Text {number} takes {len(tokens):,} tokens, and this model reads at most "
                f"{limit:,} at once.",
                hint="Divide it into shorter ones.",
                code="text_too_long",
            )
    return texts


def _pair(model: Model, query: str, document: str) -> list[int]:
    """A query and a document as one text: by the model's own pattern, else as llama.cpp does."""
    vocabulary, handle = model.vocabulary, model.vocabulary.handle
    eos = vocabulary.eos if vocabulary.eos >= 0 else lib.llama_vocab_sep(handle)
    start = [vocabulary.bos] if vocabulary.adds_bos and vocabulary.bos >= 0 else []
    end = [eos] if lib.llama_vocab_get_add_eos(handle) and eos >= 0 else []
    pattern = lib.llama_model_chat_template(model.handle, b"rerank")
    if pattern:
        middle: list[int] = []
        for part in _PLACES.split(pattern.decode("utf-8", "replace")):
            text = {"{query}": query, "{document}": document}.get(part)
            middle += vocabulary.tokenize(part if text is None else text, special=text is None)
        return [*start, *middle, *end]
    between = [lib.llama_vocab_sep(handle)] if lib.llama_vocab_get_add_sep(handle) else []
    left = vocabulary.tokenize(query, special=False)
    right = vocabulary.tokenize(document, special=False)
    return [*start, *left, *end, *between, *right, *end]
