"""Holding an answer to its form, token by token, with llguidance.

A :class:`Constraint` says which tokens may come next and which must. What must come needs no
computing: those tokens are read with the next one, as a prompt is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lockhouse.core.errors import InvalidInput
from lockhouse.engine.process.answer_form import ALLOWS_NOTHING, matcher_of
from lockhouse.engine.process.model import Vocabulary

if TYPE_CHECKING:
    from lockhouse.core.request import AnswerRequest

_PROBE = "\n"  # where a tokenizer puts a space before every text, it stands between them


class ConstraintFactory:
    """Makes the constraints of one model's answers. Usable from any thread."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._tokenizer: Any = None

    def constraint(self, request: AnswerRequest) -> Constraint | None:
        """For a request with a form; it has followed what the answer begins with.

        Raises InvalidInput for a form that cannot be followed.
        """
        if request.grammar is None and request.json_schema is None:
            return None
        with self._lock:  # made once: half a second for 150,000 tokens
            if self._tokenizer is None:
                self._tokenizer = _tokenizer_of(self._vocabulary)
        matcher, _ = matcher_of(self._tokenizer, request.grammar, request.json_schema)
        constraint = Constraint(self._vocabulary, self._tokenizer, matcher)
        if request.prefill:
            constraint.follow(request.prefill)
        return constraint


class Constraint:
    """The form of one answer, and how far the answer is."""

    def __init__(self, vocabulary: Vocabulary, tokenizer: Any, matcher: Any) -> None:
        """``tokenizer`` and ``matcher`` are llguidance's."""
        self._vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._matcher = matcher

    @property
    def is_complete(self) -> bool:
        """Whether nothing may follow."""
        return bool(self._matcher.is_stopped())

    def allows(self, token: int) -> bool:
        """Whether a token may come next; one that ends the answer, whether it may end."""
        if self._vocabulary.ends(token):
            return bool(self._matcher.is_accepting())
        return bool(self._matcher.validate_tokens([token]) == 1)

    def allowed(self) -> NDArray[np.int64]:
        """All tokens that may come next, in order. Raises InvalidInput when there is none."""
        mask = self._matcher.compute_bitmask()
        self._require_working()
        bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
        found: NDArray[np.int64] = bits[: self._vocabulary.size].nonzero()[0]
        if not len(found):
            raise _stuck("allows no further token")
        return found

    def accept(self, token: int) -> None:
        """It came next, and was allowed."""
        if not self._matcher.consume_token(token):
            self._require_working()

    def accept_forced(self) -> list[int]:
        """The tokens that must come next whatever the model wants, taken as come.

        They are the model's own spelling of the text that the form prescribes, as far as nothing
        that may follow could be joined to it.
        """
        tokens: list[int] = self._matcher.compute_ff_tokens()
        if not tokens:
            self._require_working()
            return []
        taken = self._matcher.try_consume_tokens(tokens)
        self._require_working()
        return tokens[:taken]

    def follow(self, text: str) -> None:
        """The answer begins with this text. Raises InvalidInput when it may not."""
        if not self._matcher.consume_tokens(self._tokenizer.greedy_tokenize(text)):
            raise InvalidInput(
                "The answer so far does not have the form that is asked for.",
                hint="Ask again instead of going on with it.",
                code="form_not_begun",
            )

    def _require_working(self) -> None:
        if self._matcher.is_error():
            is_end = ALLOWS_NOTHING in self._matcher.get_error()
            raise _stuck(
                "allows nothing further" if is_end else "is too ambiguous or too complex from here"
            )


def _stuck(problem: str) -> InvalidInput:
    return InvalidInput(
        f"The form of the answer {problem}.",
        hint="Make the schema or the grammar simpler, and check that each part can end.",
        code="form_stuck",
    )


class _Spelling:
    """A vocabulary as llguidance reads it. Tokens that are no text begin with a byte 255."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        pieces = [vocabulary.piece(token) for token in range(vocabulary.size)]
        no_text = [token for token in range(vocabulary.size) if not vocabulary.is_text(token)]
        for token in no_text:
            pieces[token] = b"\xff" + pieces[token]
        self.tokens = pieces
        self.special_token_ids = no_text
        self.eos_token_id = vocabulary.eos if vocabulary.eos >= 0 else no_text[0]
        self.bos_token_id = vocabulary.bos if vocabulary.bos >= 0 else None
        self._vocabulary = vocabulary
        first = vocabulary.tokenize("a", special=False)
        self._adds_space = bool(first) and vocabulary.piece(first[0])[:1] == b" "

    def __call__(self, text: str | bytes) -> list[int]:
        """The model's own tokens of a text, without the space that some put before it."""
        plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
        if not self._adds_space:
            return self._vocabulary.tokenize(plain, special=False)
        before = self._vocabulary.tokenize(_PROBE, special=False)
        tokens = self._vocabulary.tokenize(_PROBE + plain, special=False)
        return tokens[len(before) :] if tokens[: len(before)] == before else []


def _tokenizer_of(vocabulary: Vocabulary) -> Any:
    from llguidance import LLTokenizer, TokenizerWrapper

    spelling = _Spelling(vocabulary)
    ends = [token for token in spelling.special_token_ids if vocabulary.ends(token)]
    wrapper = TokenizerWrapper(spelling)
    return LLTokenizer(wrapper, n_vocab=vocabulary.size, eos_token=ends or None)
