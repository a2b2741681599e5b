"""How likely a given continuation is to a model: the log-probability of each of its tokens.

For the scheduler a :class:`ScoreJob` is a prompt that is only read; the difference is that the
logits of many of its tokens are wanted, not of the last one alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.events import (
    EngineBuild,
    Finished,
    FinishReason,
    PromptProgress,
    Timing,
    Usage,
    failed_of,
)
from lockhouse.engine.process.model import Logits, Vocabulary
from lockhouse.engine.protocol import Reply, Scores, TokenScore


class ScoreJob:
    """From a prompt and its continuation to the last score."""

    def __init__(
        self,
        prompt: list[int],
        continuation: list[int],
        vocabulary: Vocabulary,
        send: Callable[[Reply], None],
        *,
        submitted_at: float,
    ) -> None:
        """Raises InvalidInput when one of the two has no tokens."""
        if not prompt or not continuation:
            raise InvalidInput(
                "A score needs a prompt and a continuation.", hint="Write something for each."
            )
        self.send = send
        self.cancelled = False
        self.tokens = [*prompt, *continuation[:-1]]  # nothing follows the last one
        self.prompt_tokens = len(prompt)
        self.sequence = -1
        self.exact = False
        self.reading = True
        self.ended: FinishReason | None = None
        self.threads = 0
        self._continuation = continuation
        self._vocabulary = vocabulary
        self._done = 0
        self._scores: list[TokenScore] = []
        self._cached_tokens = 0
        self._submitted_at = submitted_at
        self._over = False  # its closing event was sent

    @property
    def wanted_from(self) -> int:
        """The first position whose logits are wanted."""
        return self.prompt_tokens - 1

    @property
    def done(self) -> int:
        """Tokens of ``tokens`` that are in the cache."""
        return self._done

    @done.setter
    def done(self, done: int) -> None:
        self._done = done  # what has to be computed again is scored again
        del self._scores[max(0, done - self.wanted_from) :]

    def begin(self, sequence: int, cached: int) -> None:
        """A sequence was found, with the first ``cached`` tokens already in it."""
        self.sequence = sequence
        self.done = self._cached_tokens = cached
        self.send(PromptProgress(cached, len(self.tokens), cached))

    def read(self, count: int) -> None:
        """So many more tokens are in the cache."""
        self.done += count

    def take(self, logits: Logits) -> None:
        """Score the next token of the continuation by the logits of the one before it."""
        token = self._continuation[len(self._scores)]
        values = logits.astype(np.float64)
        top = float(values.max())
        log_sum = top + float(np.log(np.exp(values - top).sum()))
        text = self._vocabulary.piece(token).decode("utf-8", "replace")
        chosen = float(values[token])
        self._scores.append(TokenScore(token, text, chosen - log_sum, chosen >= top))
        if len(self._scores) == len(self._continuation):
            self.ended = "stop"

    def flush(self) -> None:
        """Nothing goes out before all is there."""

    def answer_now(self) -> None:
        """It has no trace to end."""

    def finish(
        self,
        reason: FinishReason,
        *,
        build: EngineBuild,
        template_sha256: str,
        context_length: int,
        settings: dict[str, object],
    ) -> None:
        """Send the scores and the closing event. Does nothing when one was sent."""
        if self._over:
            return
        self._over = True
        self.send(Scores(tuple(self._scores)))
        self.send(
            Finished(
                reason,
                usage=Usage(self.prompt_tokens, self._cached_tokens, len(self._scores)),
                timing=Timing(total_s=round(time.perf_counter() - self._submitted_at, 6)),
                parameters=settings,
                engine=build,
                template_sha256=template_sha256,
                threads=self.threads,
                context_length=context_length,
            )
        )

    def fail(self, error: LockhouseError) -> None:
        """Send the error, unless it is over."""
        if self._over:
            return
        self._over = True
        self.send(failed_of(error))
