"""The sequences of a context's cache: which answer gets which, and what of it is used again.

A sequence keeps its tokens after an answer, so the next turn of the same conversation reads only
what is new. What this hides: finding the longest prefix that is already there, copying it where
another answer is using it, and which kinds of model cannot go back or keep a window only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lockhouse.engine.process.model import Context, Model

_WORTH_KEEPING = 0.5  # share of a sequence that must match before it is cut back
_WORTH_COPYING = 16  # tokens


@dataclass(slots=True)
class _Sequence:
    """One sequence, the tokens whose state it holds, and whether an answer is using it."""

    id: int
    tokens: list[int] = field(default_factory=list)
    is_busy: bool = False
    used_at: float = 0.0


class Sequences:
    """All sequences of one context. For the thread that computes."""

    def __init__(self, model: Model, context: Context) -> None:
        self._model = model
        self._context = context
        self._all = [_Sequence(number) for number in range(context.sequences)]

    def take(self, tokens: list[int], *, most_reused: int, exact: bool) -> tuple[int, int] | None:
        """A sequence for these tokens, and how many of them it holds already; None when there is
        no room beside what is busy.

        At most ``most_reused`` of those are used again; the others are computed, for their logits.
        ``exact``: as in a new context, so that nothing of the past changes a rounding. Only while
        nothing is busy.
        """
        free = [sequence for sequence in self._all if not sequence.is_busy]
        if not free:
            return None
        if exact:
            self._context.clear()
            for sequence in free:
                sequence.tokens = []
            free[0].is_busy = True
            return free[0].id, 0
        shared, source = max(
            ((common_prefix(sequence.tokens, tokens), sequence) for sequence in self._all),
            key=lambda pair: (pair[0], not pair[1].is_busy),
        )
        chosen = source
        if source.is_busy or shared < _WORTH_KEEPING * len(source.tokens):
            chosen = min(free, key=lambda s: (bool(s.tokens), s.used_at))
        shared = self._usable(source, min(shared, most_reused))
        if chosen is source:
            shared = self.cut_back(chosen.id, shared)
        else:
            shared = 0 if shared < _WORTH_COPYING else shared
            self.cut_back(chosen.id, 0)
        if not self._make_room(len(tokens) - shared, (chosen, source)):
            return None
        if chosen is not source and shared:
            self._context.copy_prefix(source.id, chosen.id, shared)
        chosen.tokens = tokens[:shared]
        chosen.is_busy = True
        return chosen.id, shared

    def extend(self, number: int, tokens: list[int]) -> None:
        """These tokens were computed."""
        self._all[number].tokens += tokens

    def cut_back(self, number: int, length: int) -> int:
        """Forget all but the first tokens; how many are left.

        None are where the model cannot go back, and its state is further than that.
        """
        if not self._context.forget(number, length):
            self._context.forget(number)
            length = 0
        del self._all[number].tokens[length:]
        return length

    def release(self, number: int) -> None:
        """Its answer is over: what it holds may be used again, or dropped."""
        sequence = self._all[number]
        self.cut_back(number, len(sequence.tokens))
        sequence.is_busy, sequence.used_at = False, time.monotonic()

    def drop_idle(self) -> bool:
        """Forget all that no answer is using; whether there was anything."""
        idle = self._idle()
        for sequence in idle:
            self.cut_back(sequence.id, 0)
        return bool(idle)

    # -- inside ----------------------------------------------------------------------------

    def _usable(self, source: _Sequence, shared: int) -> int:
        """How much of a prefix can really be taken over from what the cache still holds."""
        if shared <= 0 or (source.is_busy and not self._model.rewindable):
            return 0
        if not self._model.rewindable:
            return shared if shared == len(source.tokens) else 0
        if self._model.window > 0:
            oldest = self._context.first_position(source.id)
            if oldest > max(0, shared - self._model.window):
                return 0
        return shared

    def _make_room(self, needed: int, keep: tuple[_Sequence, ...]) -> bool:
        """Drop idle sequences, oldest first, until so many cells are free."""
        idle = sorted((s for s in self._idle() if s not in keep), key=lambda s: s.used_at)
        while self._free_cells() < needed and idle:
            self.cut_back(idle.pop(0).id, 0)
        return self._free_cells() >= needed or not any(s.is_busy for s in self._all)

    def _idle(self) -> list[_Sequence]:
        return [sequence for sequence in self._all if not sequence.is_busy and sequence.tokens]

    def _free_cells(self) -> int:
        return self._context.length - sum(len(sequence.tokens) for sequence in self._all)


def common_prefix(left: list[int], right: list[int]) -> int:
    """How many tokens two lists begin with alike."""
    most = min(len(left), len(right))
    if left[:most] == right[:most]:
        return most
    low, high = 0, most  # halving compares slices in C instead of tokens in Python
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
