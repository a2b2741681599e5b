"""Forms are checked in bounded time, and GBNF means the same as in llama.cpp."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from llguidance import LLTokenizer, TokenizerWrapper

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.engine.process.answer_form import _Bytes, matcher_of


@pytest.fixture(scope="module")
def forms() -> Iterator[AnswerForms]:
    made = AnswerForms()
    yield made
    made.close()


def _nested(depth: int) -> dict[str, Any]:
    defs: dict[str, Any] = {
        f"d{n}": {"properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}, "required": ["a"]}
        for n in range(depth)
    }
    return {"$defs": {**defs, f"d{depth}": {"type": "null"}}, "$ref": "#/$defs/d0"}


_HOSTILE: dict[str, Any] = {
    "references one within another": _nested(1000),
    "a multiple of a large number": {"type": "integer", "multipleOf": 123456789},
    "half a character": {"const": "\ud800"},
    "too many names": {"enum": [f"name {n}" for n in range(20_000)]},
    "arrays in arrays": json.loads('{"items":' * 150 + "{}" + "}" * 150),
    "a product of alternatives": {
        "allOf": [
            {"anyOf": [{"properties": {f"p{n}": {"type": kind}}} for kind in ("null", "string")]}
            for n in range(18)
        ]
    },
    "itself": {"$ref": "#"},
    "a pattern to the third power": {"pattern": "((a{1,1000}){1,1000}){1,1000}"},
    "not JSON's": {"minimum": float("inf")},
}


@pytest.mark.parametrize("name", list(_HOSTILE))
def test_hostile_schemas_are_refused_and_harm_nobody(forms: AnswerForms, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        forms.check(json_schema=json.dumps(_HOSTILE[name]), is_followed=True)
    assert refused.value.code == "schema_invalid"
    assert refused.value.hint
    forms.check(json_schema='{"type": "string"}', is_followed=True)


def test_a_check_ends_when_it_is_no_longer_wanted(forms: AnswerForms) -> None:
    cancel = CancelToken()
    endless = json.dumps({"type": "integer", "multipleOf": 99999989})
    threading.Timer(0.3, cancel.cancel).start()
    with pytest.raises(Cancelled):
        forms.check(json_schema=endless, is_followed=True, cancel=cancel)
    forms.check(json_schema='{"type": "string"}', is_followed=True)


_GRAMMARS: list[tuple[str, list[str], list[str]]] = [
    ('root ::= "yes" | "no"', ["yes", "no"], ["", "y", "yesno", "Yes"]),
    ('root ::= [a-z]+ "b"', ["ab", "bb", "aabbb"], ["b", "a", "ba"]),
    ('root ::= ("ab" "x")? [a-z]* "z"', ["abxz", "abz", "z", "abxabz"], ["abx", "Z"]),
    ('root ::= "a"{2,3} "b"{0,} c{2}\nc ::= "c" # two\n', ["aacc", "aaabbbcc"], ["acc", "aac"]),
    ("root ::= [^a-c\\]\\\\] .", ["d\n", "😀é"], ["ad", "]d", "\\d", "d"]),
    ('root ::= "\\x41\\u00e9\\U0001F600\\n\\"\\\\" [\\t-]', ['Aé😀\n"\\\t', 'Aé😀\n"\\-'], ["A"]),
    ("root ::= [-a] [a-] [+\\-.]", ["-a+", "a--", "aa."], ["bb+", "aa,"]),
    ('root ::= expr\nexpr ::= term | expr "+" term\nterm ::= [0-9]+', ["1", "1+23"], ["1+", "+"]),
    ('root ::= a-b | a_b\na-b ::= "1"\na_b ::= "2"', ["1", "2"], ["3"]),
    ('root ::= "a" (\n  "b" |\n  "c"\n)\n', ["ab", "ac"], ["a"]),
    ('root ::= | "a"', ["", "a"], ["b"]),
    ('root ::= "(" root ")" | "x"', ["x", "((x))"], ["(x", "x)"]),
]


@pytest.mark.parametrize("number", range(len(_GRAMMARS)))
def test_a_grammar_accepts_what_it_says(number: int) -> None:
    grammar, accepted, refused = _GRAMMARS[number]
    for text in accepted:
        assert _accepts(grammar, text), text
    for text in refused:
        assert not _accepts(grammar, text), text


@pytest.mark.parametrize(
    ("grammar", "named"),
    [
        ("", "named root"),
        ('a ::= "b"', "named root"),
        ("root ::= (", "not closed"),
        ("root ::= )", "line 1"),
        ('root ::= "a"\nroot ::= "b"', "two rules named root"),
        ('root ::=\n"a" foo', "foo, which line 2"),
        ("root ::= root", "no text fits"),
        ("root ::= [z-a]", "line 1"),
        ("root ::= []", "line 1"),
        ("root ::= *", "line 1"),
        ('root ::= "a', "line 1"),
        ('root ::= "\\q"', "line 1"),
        ('root ::= "\\ud800"', "line 1"),
        ('root ::= "a"{3,2}', "line 1"),
        ('root ::= "a"{,}', "line 1"),
        ('root ::= "a"{9999}', "2,000 times"),
        ("root ::= <think>", "<think>"),
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, "nests more than 200"),
        ('root ::= "' + "a" * 200_000 + '"', "100,000 characters"),
    ],
)
def test_a_grammar_that_cannot_be_used_is_told_with_its_place(
    forms: AnswerForms, grammar: str, named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        forms.check(grammar=grammar, json_schema=None, is_followed=True)
    assert refused.value.code == "grammar_invalid"
    assert named in refused.value.message


def test_a_grammar_may_name_tokens_by_their_number(forms: AnswerForms) -> None:
    grammar = 'root ::= <[97]> "b" <[49000]>?'
    forms.check(grammar=grammar, json_schema=None, is_followed=True)
    assert _accepts('root ::= <[97]> "b"', "ab")
    assert not _accepts('root ::= <[97]> "b"', "bb")


def _accepts(grammar: str, text: str) -> bool:
    matcher, _ = matcher_of(
        LLTokenizer(TokenizerWrapper(_Bytes()), slices=[]), grammar=grammar, json_schema=None
    )
    data = list(text.encode())
    return bool(matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting())
