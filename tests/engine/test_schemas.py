"""Random schemas and grammars: a valid answer or a refusal, and nothing that is invalid."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockhouse.core.errors import InvalidInput
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms

from .schemas import allows, constraint, drawn, factory, outcome, schema_of, starter_vocabulary

_SAMPLE = 150
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text("ab\\\"{", max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ("type", "properties", "items", "anyOf", "allOf", "oneOf", "$ref", "$defs", "required",
             "pattern", "enum", "const", "minimum", "maxLength", "minItems", "not", "format")
        ),
        inner | st.sampled_from(("object", "array", "string", "#", "#/$defs/type", "(a|b)*")),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def test_random_schemas_are_followed_or_refused() -> None:
    told = [outcome(schema_of(random.Random(seed)), seed, answers=1) for seed in range(_SAMPLE)]
    assert told.count("valid") > _SAMPLE // 2
    assert any(one.startswith("refused") for one in told)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "integer", "exclusiveMaximum": 0, "minimum": -2}, -1, True),
        ({"type": "number", "exclusiveMaximum": 0, "minimum": -2}, -0.5, True),
        ({"type": "number", "exclusiveMaximum": 0, "minimum": -2}, -0.0, False),
        ({"properties": {"a": {"const": 1}}}, {"a": 1}, True),
        ({"properties": {"a": {"const": 1}}}, {"a": 2}, False),
        ({"type": "string", "pattern": r"^\w$"}, "é", False),
        ({"type": "string", "pattern": r"^[^a]$"}, "\n", True),
        ({"type": "string", "minLength": 1, "maxLength": 1}, "😀", True),
        ({"type": "string", "minLength": 2}, "😀", False),
        ({"enum": ["x\\y", 'a"b', "a\nb", "\x01"]}, "\x01", True),
    ],
)
def test_what_is_allowed_is_what_the_schema_says(schema: object, value: object, fits: bool) -> None:
    assert allows(schema, value) is fits


def test_a_name_cannot_be_spelled_so_that_its_schema_is_passed_by() -> None:
    held = constraint({"properties": {"a": {"type": "integer"}}})
    with pytest.raises(InvalidInput):
        held.follow('{"\\u0061": "x"')


def test_forced_tokens_are_the_models_own() -> None:
    schema = {
        "type": "object",
        "properties": {"first name": {"const": "a"}},
        "required": ["first name"],
        "additionalProperties": False,
    }
    held = constraint(schema)
    vocabulary = starter_vocabulary()
    text = '{"first name": "a"}'
    assert drawn(held, random.Random(1)) == text
    again = constraint({"const": "the lighthouse keeper"})
    assert again.accept_forced() == vocabulary.tokenize('"the lighthouse keeper"', special=False)
    assert again.is_complete


@pytest.fixture(scope="module")
def forms() -> Iterator[AnswerForms]:
    made = AnswerForms()
    yield made
    made.close()


def _refusal(forms: AnswerForms, **form: str | None) -> str:
    """The code of the error with which a form is refused, or with which drawing gets stuck."""
    try:
        forms.check(**{"json_schema": None, **form}, is_followed=True)  # type: ignore[arg-type]
        held = factory().constraint(AnswerRequest((Turn("user", "x"),), **form))  # type: ignore[arg-type]
        assert held is not None
        drawn(held, random.Random(1))
    except InvalidInput as refused:
        return refused.code
    return ""


_FUZZED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@_FUZZED
@given(schema=_JSON)
def test_anything_given_as_a_schema_is_followed_or_refused(
    forms: AnswerForms, schema: object
) -> None:
    told = _refusal(forms, json_schema=json.dumps(schema))
    assert told in ("", "schema_invalid", "form_stuck")
    if not told:
        assert not outcome(schema, 1, answers=1).startswith("refused: The JSON schema")


@_FUZZED
@given(
    text=st.text('root ab::=|()[]^-."\\x{}0129,*+?\n#é' + string.ascii_lowercase[:3], max_size=40)
)
def test_anything_given_as_a_grammar_is_followed_or_refused(forms: AnswerForms, text: str) -> None:
    for grammar in (text, f"root ::= {text}"):
        assert _refusal(forms, grammar=grammar) in ("", "grammar_invalid", "form_stuck")
