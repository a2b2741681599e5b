"""Traces and stop strings, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockhouse.core.reasoning import (
    FAMILIES,
    Family,
    ReasoningSplitter,
    StopMatcher,
    opened_by_prompt,
)


def split(text: str, sizes: list[int], inside: Family | None = None) -> tuple[str, str, bool]:
    """(text, reasoning, whether the trace was never opened), fed in pieces of these sizes."""
    splitter = ReasoningSplitter(inside)
    parts = {"text": "", "reasoning": ""}
    late = False
    at = 0
    turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        turn += 1
        for kind, piece in splitter.feed(text[at : at + size]):
            if splitter.trace_without_opening:
                splitter.trace_without_opening = False
                parts["reasoning"], parts["text"], late = parts["text"], "", True
            parts[kind] += piece
        at += size
    for kind, piece in splitter.finish():
        parts[kind] += piece
    return parts["text"], parts["reasoning"], late or splitter.trace_without_opening


CASES = [
    ("<think>\nhm\n</think>\n\nYes.", "Yes.", "hm\n"),
    ("<Thought>hm</Thought>Yes.", "Yes.", "hm"),
    ("<seed:think>hm</seed:think>Yes.", "Yes.", "hm"),
    (
        "<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>Yes.<|end_of_solution|>",
        "Yes.",
        "hm",
    ),
    (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
        "Yes.",
        "hm",
    ),
    ("<|channel|>final<|message|>Yes.<|return|>", "Yes.", ""),
    ("<|channel>thought\nhm<channel|>Yes.", "Yes.", "hm"),
    ("<|think|>hm<|end|><|content|>Yes.", "Yes.", "hm"),
    ("Plain a < b and <b>bold</b>.", "Plain a < b and <b>bold</b>.", ""),
    ("In code: `<think>` stays.", "In code: `<think>` stays.", ""),
    ("```\n<think>\n```\ndone", "```\n<think>\n```\ndone", ""),
    ("~~~xml\n</think>\n~~~\ndone", "~~~xml\n</think>\n~~~\ndone", ""),
    ("Say <think> in mid-line.", "Say <think> in mid-line.", ""),
    (
        "<think>a `</think>` b\n```\n</think>\n```\nc</think>Yes.",
        "Yes.",
        "a `</think>` b\n```\n</think>\n```\nc",
    ),
    ("<think>never closed", "", "never closed"),
    ("First.\n<think>again</think>Second.", "First.\nSecond.", "again"),
    ("ends with <thi", "ends with <thi", ""),
]


@pytest.mark.parametrize(("text", "answer", "trace"), CASES)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=8))
def test_every_family_however_it_is_cut(
    text: str, answer: str, trace: str, sizes: list[int]
) -> None:
    assert split(text, sizes)[:2] == (answer, trace)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_a_trace_that_was_never_opened(sizes: list[int]) -> None:
    assert split("I wonder.\n</think>\nYes.", sizes) == ("Yes.", "I wonder.\n", True)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_a_trace_the_prompt_has_opened(sizes: list[int]) -> None:
    assert split("hm</think>\n\nYes.", sizes, FAMILIES[0]) == ("Yes.", "hm", False)


@given(
    text=st.text(alphabet="ab<>`|/\nthink", max_size=60),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_nothing_depends_on_where_pieces_end(text: str, sizes: list[int]) -> None:
    assert split(text, sizes) == split(text, [1])


def test_a_mark_written_as_one_token_counts_even_in_code() -> None:
    splitter = ReasoningSplitter()
    list(splitter.feed("<think>", special=True))
    pieces = [*splitter.feed("```\nopen fence"), *splitter.feed("</think>", special=True)]
    pieces += [*splitter.feed("Yes."), *splitter.finish()]
    assert "".join(piece for kind, piece in pieces if kind == "text") == "Yes."


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.closing])
def test_an_opened_prompt_is_recognised(family: Family) -> None:
    found = opened_by_prompt(f"<|assistant|>{family.opening}\n")
    assert found is not None
    assert found.closing == family.closing


@given(
    text=st.text(alphabet="abc\n", max_size=80),
    stop=st.text(alphabet="abc\n", min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
)
def test_stop_strings_cut_exactly_there(text: str, stop: str, sizes: list[int]) -> None:
    matcher = StopMatcher((stop, "ZZZ"))
    shown, at, turn, met = "", 0, 0, False
    while at < len(text) and not met:
        size = sizes[turn % len(sizes)]
        turn += 1
        ready, met = matcher.feed(text[at : at + size])
        shown += ready
        at += size
    shown += matcher.finish()
    where = text.find(stop)
    assert met == (where >= 0)
    assert shown == (text if where < 0 else text[:where])
