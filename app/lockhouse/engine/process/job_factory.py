"""Which jobs a loaded model can be given: a model for chat, or one for vectors or ranking.

What a model was not made for is refused here in words, before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lockhouse.core.errors import InvalidInput, NoRoom, UsageMistake
from lockhouse.core.request import AnswerRequest
from lockhouse.engine import protocol
from lockhouse.engine.process.constraint import ConstraintFactory
from lockhouse.engine.process.embedding import (
    EmbeddingContext,
    EmbeddingJob,
    embedding_job,
    ranking_job,
)
from lockhouse.engine.process.generation import Job
from lockhouse.engine.process.model import Model
from lockhouse.engine.process.prompt_fit import PromptFitter
from lockhouse.engine.process.scoring import ScoreJob
from lockhouse.engine.protocol import Reply, Work

Send = Callable[[Reply], None]
AnyJob = Job | ScoreJob | EmbeddingJob


class JobFactory(Protocol):
    """Makes jobs of operations. Usable from any thread."""

    def job(self, operation: Work, send: Send, started: float) -> AnyJob:
        """Raises InvalidInput for an operation that the model was not made for."""
        ...

    def count(self, request: AnswerRequest) -> int:
        """Prompt tokens of a request."""
        ...


class ChatJobs:
    """For a model that writes."""

    def __init__(self, name: str, model: Model, prompts: PromptFitter, context_length: int) -> None:
        self._name = name
        self._model = model
        self._prompts = prompts
        self._context_length = context_length
        self._constraints = ConstraintFactory(model.vocabulary)

    def job(self, operation: Work, send: Send, started: float) -> AnyJob:
        """An answer or a score."""
        vocabulary = self._model.vocabulary
        if isinstance(operation, protocol.Answer):
            prompt = self._prompts.fit(operation.request)
            for notice in prompt.notices:
                send(notice)
            return Job(
                operation.request,
                prompt,
                vocabulary,
                send,
                submitted_at=started,
                constraint=self._constraints.constraint(operation.request),
            )
        if isinstance(operation, protocol.Score):
            tokens = self._tokens(operation.prompt)
            continuation = vocabulary.tokenize(operation.continuation, special=False)
            if len(tokens) + len(continuation) > self._context_length:
                raise NoRoom(
                    f"Prompt and continuation take {len(tokens) + len(continuation):,} tokens, and "
                    f"the context holds {self._context_length:,}.",
                    hint="Choose a larger context length, or shorten them.",
                    code="prompt_too_long",
                )
            return ScoreJob(tokens, continuation, vocabulary, send, submitted_at=started)
        made = "embeddings" if isinstance(operation, protocol.Embed) else "rankings"
        other = "an embedding model" if isinstance(operation, protocol.Embed) else "a reranker"
        raise InvalidInput(
            f"{self._name} is a chat model and makes no {made}.",
            hint=f"Choose {other}.",
            code="wrong_kind_of_model",
        )

    def count(self, request: AnswerRequest) -> int:
        """Prompt tokens of a request."""
        return len(self._prompts.build(request).tokens)

    def _tokens(self, prompt: AnswerRequest | str) -> list[int]:
        if isinstance(prompt, str):
            vocabulary = self._model.vocabulary
            return vocabulary.tokenize(prompt, special=False, with_bos=vocabulary.adds_bos)
        return self._prompts.build(prompt).tokens


class EmbeddingJobs:
    """For an embedding model or a reranker."""

    def __init__(self, name: str, model: Model, context: EmbeddingContext) -> None:
        self._name = name
        self._model = model
        self._context = context

    def job(self, operation: Work, send: Send, started: float) -> AnyJob:
        """Vectors or ranks."""
        length = self._context.length
        if isinstance(operation, protocol.Embed) and not self._context.ranks:
            _check_count(operation.texts)
            return embedding_job(self._model, length, operation.texts, send)
        if isinstance(operation, protocol.Rank) and self._context.ranks:
            _check_count(operation.documents)
            query, documents = operation.query, operation.documents
            return ranking_job(self._model, length, query, documents, send)
        raise self._refusal()

    def count(self, request: AnswerRequest) -> int:
        """Raises InvalidInput: there are no prompts for it."""
        raise self._refusal()

    def _refusal(self) -> InvalidInput:
        if self._context.ranks:
            what, other = "a reranker: it ranks documents by a query", "Choose another model."
        else:
            what, other = "an embedding model: it turns text into vectors", "Choose a chat model."
        return InvalidInput(
            f"{self._name} is {what}, and does nothing else.",
            hint=other,
            code="wrong_kind_of_model",
        )


def _check_count(texts: tuple[str, ...]) -> None:
    if not 0 < len(texts) <= protocol.MOST_TEXTS:
        raise UsageMistake(
            f"{len(texts):,} texts were given, and 1 to {protocol.MOST_TEXTS:,} can be at once."
        )
