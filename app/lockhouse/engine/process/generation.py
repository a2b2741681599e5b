"""One answer in the making: prompt, sampler, text out, and the record of how it went.

A :class:`Job` knows nothing of other jobs; the scheduler feeds it logits and takes its tokens.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import (
    EngineBuild,
    Event,
    Finished,
    FinishReason,
    Notice,
    PromptProgress,
    Reasoning,
    Text,
    TextWasReasoning,
    Timing,
    Usage,
    failed_of,
)
from lockhouse.core.reasoning import ReasoningSplitter
from lockhouse.core.request import AnswerRequest
from lockhouse.core.stop_matcher import StopMatcher
from lockhouse.engine.process.chat_templates import Prompt
from lockhouse.engine.process.constraint import Constraint
from lockhouse.engine.process.model import Logits, Vocabulary
from lockhouse.engine.process.sampling import Sampler, draw_seed
from lockhouse.engine.process.sequences import common_prefix
from lockhouse.engine.process.thread_governor import usable_processors

_COUNT_S = 0.25  # between counts of tokens for whoever shows a rate
_LOOP_TOKENS, _LONGEST_PERIOD = 320, 81  # at least four rounds before it counts as a loop
# Text goes out at most this often. Each message wakes other processes; where every core computes,
# one thread of the computation has to make room for that, and all the others wait for it.
_GATHER_S, _GATHER_AT_FULL_LOAD_S = 0.04, 0.08


class Job:
    """From a request to its last event."""

    def __init__(
        self,
        request: AnswerRequest,
        prompt: Prompt,
        vocabulary: Vocabulary,
        send: Callable[[Event], None],
        *,
        submitted_at: float,
        constraint: Constraint | None = None,
    ) -> None:
        """Raises InvalidInput for a bias that cannot be used."""
        self.request = request
        self.send = send
        self.cancelled = False
        self._over = False  # its closing event was sent
        self.tokens = list(prompt.tokens)  # prompt and answer: what the cache should hold
        self.prompt_tokens = len(prompt.tokens)
        self.cached_tokens = 0
        self.done = 0  # tokens of ``tokens`` that are in the cache
        self.sequence = -1
        self.exact = request.sampling.seed is not None
        self.seed = request.sampling.seed if request.sampling.seed is not None else draw_seed()
        self.ended: FinishReason | None = None
        self.threads = 0
        self._vocabulary = vocabulary
        self._sampler = Sampler(vocabulary, request.sampling, seed=self.seed, constraint=constraint)
        self._sampler.accept_prompt(self.tokens)
        self._splitter = ReasoningSplitter(
            prompt=prompt.ending,
            own=prompt.family,
            asked="\n".join(turn.content for turn in request.turns),
        )
        self._is_prompted = self._splitter.inside  # in a trace that the prompt has opened
        self._sampler.constrain(wanted=not self._is_prompted)
        self._stops = StopMatcher(request.stop)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._budget = 0 if prompt.must_answer else request.reasoning_budget
        self._thinking = prompt.thinking
        self._forced: list[int] = []  # tokens that are written whatever the model wants
        self._prescribed: list[int] = []  # tokens that the form of the answer wants next
        self._has_form = False  # the newest token follows a schema
        self._answer_now = False
        self._completion_tokens = 0
        self._reasoning_tokens = 0
        self._text: list[str] = []
        self._trace: list[str] = []
        self._sent_at = self._counted_at = 0.0
        self._submitted_at = submitted_at
        self._reading_since = 0.0
        self._first_token_at = 0.0

    # -- the prompt --------------------------------------------------------------------------

    @property
    def reading(self) -> bool:
        """Whether more than the newest token is still to be computed."""
        return self._first_token_at == 0.0

    @property
    def wanted_from(self) -> int:
        """The first position whose logits are wanted."""
        return len(self.tokens) - 1

    def begin(self, sequence: int, cached: int) -> None:
        """A sequence was found, with the first ``cached`` tokens already in it."""
        self.sequence, self.done = sequence, cached
        if not self.reading:
            return  # it had begun, and had to make room for a while
        self.cached_tokens = cached
        self._reading_since = time.perf_counter()
        self.send(PromptProgress(cached, self.prompt_tokens, cached))

    def read(self, count: int) -> None:
        """So many more tokens are in the cache."""
        self.done += count
        if self.reading and self.done < len(self.tokens):
            self.send(PromptProgress(self.done, self.prompt_tokens, self.cached_tokens))

    # -- the answer --------------------------------------------------------------------------

    def take(self, logits: Logits) -> None:
        """Choose the next token from the logits of the last one, and what is sure to follow."""
        for token in self._next(logits):
            if self._first_token_at == 0.0:
                self._first_token_at = time.perf_counter()
            self._take_token(token)
            if self.ended is not None:
                return
        if self._is_complete():
            self.ended = "stop"

    def _next(self, logits: Logits) -> Iterator[int]:
        if self._forced:
            self._has_form = False
            yield self._forced.pop(0)
            return
        self._has_form = self._follows_schema()
        self._prescribed = self._sampler.forced()
        if not self._prescribed and not self._sampler.is_complete:
            yield self._sampler.pick(logits)
            self._prescribed = self._sampler.forced()  # the form may apply from here on
            self._has_form = self._follows_schema()
        while self._prescribed:
            yield self._prescribed.pop(0)

    def _follows_schema(self) -> bool:
        """Not only a grammar, which may spell out a trace before the answer."""
        return self._sampler.is_constrained and self.request.json_schema is not None

    def _is_complete(self) -> bool:
        """Whether the form of the answer lets nothing follow what was written."""
        return not self._prescribed and self._sampler.is_complete

    def _take_token(self, token: int) -> None:
        if self._vocabulary.ends(token):
            self.ended = "stop"
            return
        self.tokens.append(token)
        self._completion_tokens += 1
        if self.request.max_tokens is None and self._repeats():
            self.ended = "length"
            self.send(
                Notice(
                    "repeats",
                    "The model had begun to repeat itself without end, so the answer was stopped. "
                    "Ask in other words, or raise the repeat penalty.",
                )
            )
            return
        if self._splitter.inside:
            self._reasoning_tokens += 1
        self._write(token)
        self._mind_budget()
        limit = self.request.max_tokens
        if self.ended is None and limit is not None and self._completion_tokens >= limit:
            self.ended = "stop" if self._is_complete() else "length"

    def replace_prompt(self, tokens: list[int], *, forget_written: int = 0) -> int:
        """Put another prompt before what was written, without its first ``forget_written``
        tokens; returns how many tokens stay in place."""
        new = tokens + self.tokens[self.prompt_tokens + forget_written :]
        same = common_prefix(self.tokens[: self.done], new)
        self.tokens, self.prompt_tokens, self.done = new, len(tokens), same
        return same

    def answer_now(self) -> None:
        """End the trace at the next token."""
        self._answer_now = True

    def flush(self, *, now: bool = False) -> None:
        """Send gathered text when it is time."""
        if not (self._text or self._trace):
            return
        clock = time.perf_counter()
        if now or clock - self._sent_at >= self._gather_s():
            self._sent_at = clock
            if self._trace:
                self.send(Reasoning("".join(self._trace)))
                self._trace.clear()
            text = "".join(self._text)
            self._text.clear()
            if text:
                self.send(Text(text))
            if clock - self._counted_at >= _COUNT_S:
                self._counted_at = clock
                self.send(self._usage())

    def _gather_s(self) -> float:
        return _GATHER_S if self.threads < usable_processors() else _GATHER_AT_FULL_LOAD_S

    def _repeats(self) -> bool:
        """Whether nothing new has come for long: the same few tokens over and over."""
        if self._completion_tokens < _LOOP_TOKENS or self._completion_tokens % 32:
            return False
        recent = self.tokens[-_LOOP_TOKENS:]
        return any(recent[:-period] == recent[period:] for period in range(1, _LONGEST_PERIOD))

    def _write(self, token: int) -> None:
        if self._has_form:  # whatever a value spells is text
            self._put("text", self._utf8.decode(self._vocabulary.piece(token)))
            return
        plain = self._vocabulary.plain(token)
        if plain and plain not in self._splitter.marks and not self._utf8.getstate()[0]:
            self._route(plain)
            return
        piece = self._vocabulary.piece(token)
        is_control = self._vocabulary.is_control(token)
        is_mark = piece.decode("utf-8", "replace") in self._splitter.marks
        if is_control and not is_mark:
            return  # a control token without words for the user
        self._route(self._utf8.decode(piece), special=is_mark, hidden=is_control)

    def _route(self, text: str, *, special: bool = False, hidden: bool = False) -> None:
        if not text:
            return
        for kind, part in self._splitter.feed(text, special=special, hidden=hidden):
            self._mind_late_trace()
            self._put(kind, part)
        self._mind_late_trace()
        if self._is_prompted and not self._splitter.inside:
            self._is_prompted = False
            self._sampler.constrain(wanted=True)

    def _mind_late_trace(self) -> None:
        """The trace ended without having begun: all text so far was reasoning."""
        if self._splitter.trace_without_opening:
            self._splitter.trace_without_opening = False
            self._text.append(self._stops.finish())
            self.flush(now=True)
            self.send(TextWasReasoning())
            self._reasoning_tokens = self._completion_tokens

    def _put(self, kind: str, part: str) -> None:
        if self.ended is not None:
            return
        if kind == "reasoning":
            if self._text:
                self.flush(now=True)
            self._trace.append(part)
            return
        if self._trace:
            self.flush(now=True)
        ready, stopped = self._stops.feed(part)
        if ready:
            self._text.append(ready)
        if stopped:
            self.ended = "stop"

    def _mind_budget(self) -> None:
        over = self._budget is not None and self._reasoning_tokens >= self._budget
        if self._splitter.inside and (self._answer_now or over) and not self._forced:
            self._forced = self._vocabulary.tokenize(self._splitter.ending, special=True)
            why = "asked to answer" if self._answer_now else "its budget was used up"
            if self._budget == 0 and not self._answer_now:
                why = "thinking is off"
            self.send(Notice("reasoning_ended", f"The model stopped reasoning: {why}."))

    # -- the end -----------------------------------------------------------------------------

    def finish(
        self,
        reason: FinishReason,
        *,
        build: EngineBuild,
        template_sha256: str,
        context_length: int,
        settings: dict[str, object],
    ) -> None:
        """Send what is left and the closing event. Does nothing when one was sent."""
        if self._over:
            return
        self._over = True
        stopped, self.ended = self.ended, None  # what was held back may still go out
        if not self._stops.met:
            last = self._splitter.feed(self._utf8.decode(b"", final=True))
            for kind, piece in (*last, *self._splitter.finish()):
                self._put(kind, piece)
        self.ended = stopped
        self._text.append(self._stops.finish())
        self.flush(now=True)
        self.send(
            Finished(
                reason,
                usage=self._usage(),
                timing=self._timing(),
                parameters=self._parameters(settings),
                engine=build,
                template_sha256=template_sha256,
                threads=self.threads,
                context_length=context_length,
            )
        )
        self._sampler.close()

    def fail(self, error: LockhouseError) -> None:
        """Send what came and the error, unless it is over."""
        if self._over:
            return
        self._over = True
        self.flush(now=True)
        self.send(failed_of(error))
        self._sampler.close()

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=self._completion_tokens,
            reasoning_tokens=self._reasoning_tokens,
        )

    def _timing(self) -> Timing:
        now = time.perf_counter()
        first = self._first_token_at or now
        reading_s = max(first - self._reading_since, 1e-9) if self._reading_since else 0.0
        writing_s = max(now - first, 1e-9)
        read = self.prompt_tokens - self.cached_tokens
        return Timing(
            first_token_s=round(first - self._submitted_at, 6),
            total_s=round(now - self._submitted_at, 6),
            prompt_tokens_per_s=round(read / reading_s, 2) if reading_s else 0.0,
            tokens_per_s=round(max(self._completion_tokens - 1, 0) / writing_s, 2),
        )

    def _parameters(self, settings: dict[str, object]) -> dict[str, object]:
        chosen: dict[str, object] = msgspec.to_builtins(self.request.sampling)
        request = self.request
        return {
            **chosen,
            "seed": self.seed,
            "max_tokens": request.max_tokens,
            "stop": list(request.stop),
            "grammar": request.grammar,
            "json_schema": request.json_schema,
            "thinking": "off" if self._budget == 0 else self._thinking or None,
            "reasoning_budget": request.reasoning_budget,
            "when_full": request.when_full,
            **settings,
        }
