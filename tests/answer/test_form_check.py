"""A finished answer is compared with its schema, whoever gave it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lockhouse.answer.form_check import with_form_checked
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import (
    Event,
    Failed,
    Finished,
    Notice,
    StartOver,
    Text,
    TextWasReasoning,
    Usage,
)
from lockhouse.core.messages import ToolCall, Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms

_SCHEMA = json.dumps({"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}}})
_END = Finished("stop", usage=Usage(completion_tokens=7))


@pytest.fixture(scope="module")
def forms() -> Iterator[AnswerForms]:
    made = AnswerForms()
    yield made
    made.close()


def _checked(
    forms: AnswerForms, *events: Event, schema: str = _SCHEMA, prefill: str = ""
) -> list[Event]:
    request = AnswerRequest((Turn("user", "Hi"),), json_schema=schema, prefill=prefill)
    return list(with_form_checked(iter(events), request, forms, CancelToken()))


@pytest.mark.parametrize("pieces", [('{"a": ', "3}"), (' {"a":\n3.0}\n',), ("{}",)])
def test_what_fits_goes_through(forms: AnswerForms, pieces: tuple[str, ...]) -> None:
    events = (*map(Text, pieces), _END)
    assert _checked(forms, *events) == list(events)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 4}', "at a: 4 is greater than"),
        ("[1]", "not of type"),
        ('```json\n{"a": 1}\n```', "not JSON"),
        ('{"a": 1', "not JSON"),
        ("", "not JSON"),
        ('{"a": NaN}', "NaN"),
        ("[" * 5000, "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_what_does_not_fit_is_an_error(forms: AnswerForms, text: str, problem: str) -> None:
    failed = _checked(forms, Text(text), _END)[-1]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.exit_code) == ("answer_not_valid", 3)
    assert problem in failed.message
    assert failed.finished == _END  # how it came about is not lost


def test_an_answer_that_was_cut_is_told_as_cut(forms: AnswerForms) -> None:
    cut = Finished("length", usage=Usage(completion_tokens=1200))
    _, notice, end = _checked(forms, Text('{"a": '), cut)
    assert isinstance(notice, Notice)
    assert (notice.code, end) == ("form_cut", cut)
    assert "1,200 tokens" in notice.message
    assert _checked(forms, Text('{"a": 2}'), cut)[-1] == cut  # complete all the same


def test_only_what_counts_as_the_answer_is_checked(forms: AnswerForms) -> None:
    for void in (StartOver("Another server goes on."), TextWasReasoning()):
        assert _checked(forms, Text("Hm."), void, Text("{}"), _END)[-1] == _END
    assert _checked(forms, Text('": 1}'), _END, prefill='{"a')[-1] == _END
    call = ToolCall("1", "look", "{}")
    assert _checked(forms, call, _END)[-1] == _END
    cancelled = Finished("cancelled")
    assert _checked(forms, Text("{"), cancelled)[-1] == cancelled


def test_a_schema_that_is_none_asks_nobody(forms: AnswerForms) -> None:
    def never() -> Iterator[Event]:
        raise AssertionError("the target was asked")
        yield

    request = AnswerRequest((Turn("user", "Hi"),), json_schema='{"type": 5}')
    [failed] = with_form_checked(never(), request, forms, CancelToken())
    assert isinstance(failed, Failed)
    assert failed.code == "schema_invalid"
