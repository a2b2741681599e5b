"""Prompts that fit into the context: built, cut by their oldest turns, or refused with a way on."""

from __future__ import annotations

import dataclasses
import threading

import msgspec

from lockhouse.core.errors import InvalidInput, NoRoom
from lockhouse.core.events import Notice
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.process.chat_templates import Prompt, PromptBuilder


class PromptFitter:
    """Builds prompts for one context. Usable from any thread."""

    def __init__(
        self, builder: PromptBuilder, *, context_length: int, trained_context: int
    ) -> None:
        self._builder = builder
        self._context_length = context_length
        self._trained_context = trained_context
        self._lock = threading.Lock()

    def fit(self, request: AnswerRequest) -> Prompt:
        """The prompt, with room for at least one token of the answer.

        Raises NoRoom when it is too long and may not be cut, InvalidInput when it is empty.
        """
        prompt = self.build(request)
        room = self._context_length - 1
        if len(prompt.tokens) > room and request.when_full == "cut_oldest":
            prompt = self.cut(request, room - max(64, room // 4)) or prompt
        if len(prompt.tokens) > room:
            can_be_cut = request.when_full == "stop" and self.cut(request, room) is not None
            error = NoRoom(
                f"The prompt takes {len(prompt.tokens):,} tokens, and the context holds "
                f"{self._context_length:,}.",
                hint=self._hint(can_be_cut=can_be_cut),
                code="prompt_too_long",
            )
            error.needed_tokens, error.can_be_cut = len(prompt.tokens) + 1, can_be_cut
            raise error
        if not prompt.tokens:
            raise InvalidInput("There is nothing to answer.", hint="Write something first.")
        return prompt

    def build(self, request: AnswerRequest) -> Prompt:
        """The prompt, however long."""
        with self._lock:
            return self._builder.build(
                request.turns,
                request.prefill,
                thinking=request.thinking,
                budget=request.reasoning_budget,
            )

    def cut(self, request: AnswerRequest, room: int) -> Prompt | None:
        """The prompt without its oldest exchanges, within ``room`` tokens; the system turn stays.

        What is left begins with a question: many templates refuse anything else.
        """
        system = tuple(turn for turn in request.turns[:1] if turn.role == "system")
        rest = request.turns[len(system) :]
        begins = [at for at in range(1, len(rest)) if rest[at].role == "user"]
        low, high = 0, len(begins) - 1
        best: Prompt | None = None
        dropped = 0
        while low <= high:  # the fewest dropped turns that fit
            middle = (low + high) // 2
            shorter = msgspec.structs.replace(request, turns=system + rest[begins[middle] :])
            prompt = self.build(shorter)
            if len(prompt.tokens) <= room:
                best, dropped, high = prompt, begins[middle], middle - 1
            else:
                low = middle + 1
        if best is None:
            return None
        turns = "turn" if dropped == 1 else "turns"
        notice = Notice(
            "turns_cut",
            f"The oldest {dropped} {turns} no longer fit into the context of "
            f"{self._context_length:,} tokens and were left out.",
        )
        return dataclasses.replace(best, notices=(*best.notices, notice))

    def _hint(self, *, can_be_cut: bool) -> str:
        """What can help when a prompt is too long here."""
        ways = ["shorten it"]
        if self._context_length < self._trained_context:
            ways.append(f"choose a context length of up to {self._trained_context:,} tokens")
        if can_be_cut:
            ways.append("let the oldest turns be left out")
        if len(ways) == 1:
            ways.append("ask a model with a larger context")
        sentence = ", ".join(ways[:-1]) + " or " + ways[-1]
        return sentence[0].upper() + sentence[1:] + "."
