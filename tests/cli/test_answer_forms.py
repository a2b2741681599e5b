"""Answers to a schema or a grammar: what is promised is kept, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .command import Command
from .test_errors import refused


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _chain(value: Any) -> bool:
    """Whether it is a chain of nodes, as the recursive schema wants it."""
    while value is not None:
        if not isinstance(value["v"], int):
            return False
        value = value["next"]
    return True


_NODE = {
    "type": "object",
    "properties": {
        "v": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]},
    },
    "required": ["v", "next"],
    "additionalProperties": False,
}
_FITTING: list[tuple[dict[str, Any], Any]] = [
    (_closed(e={"enum": ["x\\y"]}), lambda a: a["e"] == "x\\y"),
    (_closed(e={"enum": ["a\nb"]}), lambda a: a["e"] == "a\nb"),
    (_closed(e={"enum": ['a"b']}), lambda a: a["e"] == 'a"b'),
    (_closed(e={"enum": ["😀", "né"]}), lambda a: a["e"] in ("😀", "né")),
    (_closed(n={"type": "integer", "minimum": 18, "maximum": 65}), lambda a: 18 <= a["n"] <= 65),
    (_closed(poem={"type": "string", "maxLength": 90}), lambda a: len(a["poem"]) <= 90),
    (_closed(x={"enum": ["a", None], "type": ["string", "null"]}), lambda a: a["x"] in ("a", None)),
    (_closed(x={"description": "free", "maxLength": 9, "type": "string"}), lambda a: len(a) == 1),
    (_closed(i={"type": "string", "pattern": r"^\d{4}$"}), lambda a: a["i"].isdecimal()),
    (_closed(i={"type": "string", "pattern": r"\S", "maxLength": 8}), lambda a: a["i"].strip()),
    (_closed(i={"type": "string", "pattern": r"^[\w-]{1,8}$"}), lambda a: " " not in a["i"]),
    (
        _closed(u={"type": "string", "pattern": r"^(https:\/\/)?x\.com$"}),
        lambda a: a["u"] in ("x.com", "https://x.com"),
    ),
    (
        {"$defs": {"N": {**_NODE, "properties": {**_NODE["properties"], "v": {"const": 1}}}},
         "anyOf": [{"$ref": "#/$defs/N"}]},
        _chain,
    ),
    (
        {"$defs": {"S": {"properties": {"a": {"const": 7}}, "required": ["a"]}},
         "allOf": [{"$ref": "#/$defs/S"}, {"type": "object", "additionalProperties": False,
                                           "properties": {"a": True}}]},
        lambda a: a == {"a": 7},
    ),
    (_closed(**{"a b": {"const": 1}, "a-b": {"const": "two"}}),
     lambda a: a == {"a b": 1, "a-b": "two"}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(_FITTING)))
def test_an_answer_fits_its_schema_or_is_told_as_cut(
    shared: Command, tmp_path: Path, number: int
) -> None:
    schema, fits = _FITTING[number]
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    done = shared(
        "ask", "Write the JSON. Mind the sea.", "--schema", tmp_path / "schema.json",
        "--seed", "3", "--max-tokens", "100", "--no-save", "--json",
    )  # fmt: skip
    if done.code == 0:
        assert fits(json.loads(done.json["text"])), done.json["text"]
        assert done.json["finish_reason"] == "stop"
    else:
        assert done.json["error"]["code"] == "answer_cut"
        assert done.json["finish_reason"] == "length"


def test_a_cut_answer_to_a_schema_is_no_success(shared: Command, tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text(
        json.dumps(_closed(story={"type": "string", "minLength": 500}))
    )
    asked = ("ask", "A story.", "--schema", tmp_path / "long.json", "--max-tokens", "20")
    told = shared(*asked, "--json")
    assert told.code == 3
    assert told.json["error"]["code"] == "answer_cut"
    assert told.json["finish_reason"] == "length"
    assert told.json["text"].startswith('{"story": "')
    shown = shared(*asked)
    assert shown.code == 3
    assert shown.err.count("was cut after 20 tokens") == 1
    assert shown.text.startswith('{"story": "')
    kept = shared("chats", "show", told.json["conversation_id"], "--json").json
    assert kept["messages"][-1]["content"] == told.json["text"]


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"not": {"type": "null"}}, "“not”"),
        ({"type": "array", "uniqueItems": True}, "“uniqueItems”"),
        ({"if": {"type": "null"}, "then": {}}, "“if”"),
        ({"type": "array", "contains": {"type": "null"}}, "“contains”"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "“oneOf”"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"type": "string", "pattern": "(a)\\1"}, "backreferences"),
        ({"$ref": "https://example.invalid/x.json"}, "example.invalid"),
        ({"$ref": "#/$defs/nowhere"}, "/$defs/nowhere"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "minimum (5)"),
        ({"type": "strin"}, "strin"),
        ({"x-guidance": {"lenient": True}, "not": {}}, "“not”"),
    ],
)
def test_what_cannot_be_followed_is_named_before_a_model_is_loaded(
    lockhouse: Command, tmp_path: Path, schema: dict[str, Any], named: str
) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    error = refused(lockhouse("ask", "Hi", "--schema", tmp_path / "schema.json", "--json"), 3)
    assert error["code"] == "schema_invalid"
    assert named in error["message"]
    assert lockhouse("engines", "list", "--json").json == []


def test_a_format_that_is_not_enforced_is_told(shared: Command, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(
        json.dumps(_closed(n={"const": 5, "format": "int64"}, d={"const": 1}))
    )
    done = shared("ask", "Hi", "--schema", tmp_path / "schema.json")
    assert json.loads(done.text) == {"n": 5, "d": 1}
    assert "“int64” is not enforced" in done.err


def test_a_cut_answer_to_a_grammar_is_told(shared: Command, tmp_path: Path) -> None:
    (tmp_path / "long.gbnf").write_text('root ::= [a-z ]{400} "."\n')
    done = shared("ask", "Hi", "--grammar", tmp_path / "long.gbnf", "--max-tokens", "5")
    assert "was cut after 5 tokens" in done.err
