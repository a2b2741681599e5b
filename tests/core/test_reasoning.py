"""Traces and stop strings, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockhouse.core.reasoning import (
    FAMILIES,
    Family,
    ReasoningSplitter,
    opened_by_prompt,
)
from lockhouse.core.stop_matcher import StopMatcher


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
    ("[THINK]hm[/THINK]Yes.", "Yes.", "hm"),
    ("<mm:think>hm</mm:think>Yes.", "Yes.", "hm"),
    ("</mm:think>Yes.", "Yes.", ""),
    ("<think:opensource>hm</think:opensource>Yes.", "Yes.", "hm"),
    ("◁think▷hm◁/think▷Yes.", "Yes.", "hm"),
    ("<|inner_prefix|>hm<|inner_suffix|>Yes.", "Yes.", "hm"),
    (
        "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>",
        "Yes.",
        "hm",
    ),
    ("<|START_TEXT|>Yes.<|END_TEXT|>", "Yes.", ""),
    (
        "<|open|>think<|sep|>hm<|close|>think<|sep|><|open|>response<|sep|>Yes.<|close|>response<|sep|>",
        "Yes.",
        "hm",
    ),
    ("<|think|>hm<|end|><|begin|>assistant<|content|>Yes.<|end|>", "Yes.", "hm"),
    ("<think>\nhm\n</think>\n<answer>\nYes.\n</answer>", "Yes.", "hm\n"),
    ("<think>hm</think><response>Yes.</response>\n", "Yes.", "hm"),
    ("<think>hm</think><answer>a</answer> and b", "a</answer> and b", "hm"),
    (
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant"
            "<|channel|>commentary<|message|>First.<|end|><|channel|>final<|message|>Yes."
        ),
        "First.\n\nYes.",
        "hm",
    ),
    (
        "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
        "",
        "functions.f {}",
    ),
    (
        "<|start|>assistant to=self<|message|>hm<|eom|><|start|>assistant to=user<|message|>Yes.",
        "Yes.",
        "hm",
    ),
    ("<think>a</think>Yes. <think>b</think>", "Yes. <think>b</think>", "a"),
    ("<think>a</think>Yes.\n<think>b</think>No.", "Yes.\nNo.", "a\n\nb"),
    ("The tag </think> ends it.", "The tag </think> ends it.", ""),
    ("It ends with\n</think> as usual.", "It ends with\n</think> as usual.", ""),
    ("Between <think> and\n</think>\nit thinks.", "Between <think> and\n</think>\nit thinks.", ""),
    ('Say "</think>" or (</think>).', 'Say "</think>" or (</think>).', ""),
    ("<think>the </think> tag, then\n</think>Yes.", "Yes.", "the </think> tag, then\n"),
    ("<think>a ` b </think>Yes.", "Yes.", "a ` b "),
    ("<think>```py\nx = 1\n</think>Yes.", "Yes.", "```py\nx = 1\n"),
    ("<think>```\n</think>\n```\nhm</think>Yes.", "Yes.", "```\n</think>\n```\nhm"),
    (
        "A header <|channel|>final<|message|> here.",
        "A header <|channel|>final<|message|> here.",
        "",
    ),
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


PARTS = st.sampled_from(
    [
        *("<think>", "</think>", "[THINK]", "[/THINK]", "<answer>", "</answer>", "<|channel|>"),
        *("analysis", "final", "<|message|>", "<|start|>assistant", "<|end|>", " to=self"),
        *("<|START_RESPONSE|>", "<|END_RESPONSE|>", "`", "```\n", "\n", " ", "a", "the ", '"', "<"),
    ]
)


@given(
    text=st.lists(PARTS, max_size=25).map("".join),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    inside=st.sampled_from([None, FAMILIES[0]]),
)
def test_marks_in_any_order_mean_the_same_at_any_cut(
    text: str, sizes: list[int], inside: Family | None
) -> None:
    cut, whole = split(text, sizes, inside), split(text, [len(text) or 1], inside)
    assert cut == whole


@pytest.mark.parametrize(
    "part", ["a", "`a", "</think> x", "`</think>`", "```x\n</think>\n", "<", "<|channel|>", " \n"]
)
def test_a_very_long_answer_is_split_in_no_time(part: str) -> None:
    text = "<think>" + part * (300_000 // len(part))  # took minutes
    answer, trace, _ = split(text, [4096])
    assert len(answer) + len(trace) > 250_000 or part == " \n"


def test_an_answer_keeps_the_wrapper_that_was_asked_for() -> None:
    splitter = ReasoningSplitter(asked="Put it in <answer> tags.")
    text = "<think>hm</think>\n<answer>Yes.</answer>"
    said = [*splitter.feed(text), *splitter.finish()]
    assert said == [("reasoning", "hm"), ("text", "<answer>Yes.</answer>")]


def test_words_are_marks_only_where_the_template_has_them() -> None:
    text = "Here are my reasoning steps:\nhm\n[BEGIN FINAL RESPONSE]\nYes.\n[END FINAL RESPONSE]"
    own = next(one for one in FAMILIES if one.closing == "[BEGIN FINAL RESPONSE]")
    splitter = ReasoningSplitter(own=own)
    assert [*splitter.feed(text), *splitter.finish()] == [("reasoning", "hm\n"), ("text", "Yes.")]
    assert (
        split("Here are my reasoning steps:\n1. a", [3])[0] == "Here are my reasoning steps:\n1. a"
    )


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


@pytest.mark.parametrize("family", FAMILIES)
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
