"""The form that an answer is to have, a JSON schema or a grammar, as llguidance follows it.

Also the process in which forms are checked: compiling a stranger's schema may take any time and
any depth, so it is done there before a model is loaded, and there a finished answer is compared
with its schema. See :mod:`lockhouse.engine.answer_forms` for the other end.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from lockhouse.core.errors import InvalidInput
from lockhouse.core.json_decoding import decoded
from lockhouse.core.json_schema import parse_schema, schema_error
from lockhouse.engine.answer_forms import FormReply, FormRequest
from lockhouse.engine.process.gbnf import refused, to_lark, without_numbers

if TYPE_CHECKING:
    from lockhouse.engine.process.jobs import Report

# One line, as json.dumps writes it: nothing but what the schema leaves open is open, and a model
# cannot fill its answer with white space. \u would let a name be spelled in two ways, so it is
# there for schemas only that have a control character in a name or a value.
_OPTIONS: Any = {
    "coerce_one_of": False,
    "item_separator": ", ",
    "json_allow_general_unicode_escapes": False,
    "json_allowed_escapes": 'nrtbf\\"',
    "key_separator": ": ",
    "lenient": False,
    "whitespace_flexible": False,
}
# Milliseconds for a token, and some hundred megabytes for an answer.
_LIMITS: dict[str, Any] = {
    "max_lexer_states": 100_000,
    "precompute_large_lexemes": False,
    "verbose_errors": False,
}
# What may be under way at one place of an answer. In a schema that is 4 for each property that may
# come next; in a grammar many are ambiguity, with which the time for a token grows.
_MOST_READINGS, _MOST_READINGS_OF_SCHEMA = 300, 8_000
_UNKNOWN_FORMAT = re.compile(r"Unknown format: (.*)")
ALLOWS_NOTHING = "NoExtension"  # in llguidance's own word
_KEYWORDS = re.compile(r"Unimplemented keys: (\[.*\])", re.DOTALL)
_CONTROL = re.compile(r"\\u00(?:[01]|7f)")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LARGEST_EXACT, _LARGEST_SHOWN = 1 << 53, 1 << 80
_SMALLEST = 1e-6  # below zero
_VALUES = ("const", "default", "enum", "examples")  # keywords that hold no schemas
_STACK_BYTES = 2 << 20  # of the check; an engine's threads have more
_REASON_CHARACTERS = 300


def matcher_of(
    tokenizer: Any, grammar: str | None, json_schema: str | None
) -> tuple[Any, tuple[str, ...]]:
    """What follows a form over a vocabulary, both llguidance's, and the names of formats that it
    cannot hold an answer to.

    Raises InvalidInput with the keyword that stands in the way. Other threads run meanwhile.
    """
    from llguidance import LLMatcher, LLParserLimits

    readings = _MOST_READINGS if json_schema is None else _MOST_READINGS_OF_SCHEMA
    limits = LLParserLimits(max_items_in_row=readings, **_LIMITS)

    def compiled(text: str) -> tuple[Any, str]:
        matcher = LLMatcher(tokenizer, text, log_level=0, limits=limits)
        if matcher.is_error() or any(matcher.compute_bitmask()):
            return matcher, matcher.get_error()
        return matcher, ALLOWS_NOTHING

    if json_schema is None:
        matcher, why = compiled(LLMatcher.grammar_from_lark(to_lark(grammar or "")))
        if ALLOWS_NOTHING in why:
            raise refused("no text fits it", "Check that every rule can end.")
        if why:
            raise refused(_first_line(why))
        return matcher, ()
    schema = _exact(parse_schema(json_schema))
    options: Any = dict(_OPTIONS)
    if _CONTROL.search(json.dumps(schema)):
        options["json_allowed_escapes"] += "u"
    ignored: list[str] = []
    while True:
        try:
            text = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=options)
        except ValueError as error:
            raise _refused_schema(str(error)) from error
        matcher, why = compiled(text)
        unknown = _UNKNOWN_FORMAT.match(why)
        if not unknown or unknown[1] in ignored:
            break
        ignored.append(unknown[1])
        schema = _without_format(schema, unknown[1])
    if why:
        raise _refused_schema(why)
    return matcher, tuple(ignored)


def answer(request: bytes, _report: Report) -> FormReply:
    """Check a form, or an answer against its schema."""
    asked = decoded(request, FormRequest)
    outcome: list[FormReply | InvalidInput] = []

    def work() -> None:
        try:
            outcome.append(_compared(asked) if asked.answer is not None else _checked(asked))
        except InvalidInput as error:
            outcome.append(error)

    threading.stack_size(_STACK_BYTES)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    [reply] = outcome
    if isinstance(reply, InvalidInput):
        raise reply
    return reply


def _checked(asked: FormRequest) -> FormReply:
    if asked.json_schema is not None:
        _validator(parse_schema(asked.json_schema))
    if not asked.is_followed:
        return FormReply()
    from llguidance import LLTokenizer, TokenizerWrapper

    tokenizer = LLTokenizer(TokenizerWrapper(_Bytes()), slices=[])
    grammar = without_numbers(asked.grammar) if asked.grammar is not None else None
    _, ignored = matcher_of(tokenizer, grammar, asked.json_schema)
    return FormReply(ignored_formats=ignored)


def _compared(asked: FormRequest) -> FormReply:
    assert asked.json_schema is not None
    import jsonschema_rs

    try:
        value = json.loads(asked.answer or "", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return FormReply(mismatch=f"it is not JSON: {str(error)[:_REASON_CHARACTERS]}")
    validator = _validator(parse_schema(asked.json_schema))
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(str(step) for step in error.instance_path)
        where = f"at {place[:100]}: " if place else ""
        return FormReply(mismatch=where + error.message[:_REASON_CHARACTERS])
    return FormReply()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def _validator(schema: dict[str, Any]) -> Any:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(schema, validate_formats=False, retriever=_fetch_nothing)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(str(step) for step in error.instance_path)
        at = f" at {place[:100]}" if place else ""
        raise schema_error(f"is not valid{at}: {_first_line(error.message)}") from error


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"{uri} is not part of the schema, and nothing is fetched")


class _Bytes:
    """A vocabulary of single bytes: enough to see whether a form allows anything."""

    tokens = (*(bytes([byte]) for byte in range(256)), b"\xff<end>")
    eos_token_id, bos_token_id = 256, None
    special_token_ids = (256,)

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


def _without_format(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy without the keyword ``format`` where it has this value."""

    def copied(part: Any) -> Any:
        if isinstance(part, list):
            return [copied(each) for each in part]
        if isinstance(part, dict):
            return {k: copied(v) for k, v in part.items() if not (k == "format" and v == name)}
        return part

    copy: dict[str, Any] = copied(schema)
    return copy


def _exact(part: Any) -> Any:
    """A copy in which llguidance's numbers are right. Raises InvalidInput where they cannot be.

    It compares numbers as doubles, and takes -0 for less than 0.
    """
    if isinstance(part, list):
        return [_exact(each) for each in part]
    if not isinstance(part, dict):
        return part
    copy = {name: value if name in _VALUES else _exact(value) for name, value in part.items()}
    for name in _BOUNDS:
        bound = copy.get(name)
        if isinstance(bound, int) and abs(bound) > _LARGEST_EXACT:
            digits = str(bound) if abs(bound) < _LARGEST_SHOWN else "of many digits"
            raise schema_error(f"has “{name}” {digits}, which is too large to be compared exactly")
    if copy.get("exclusiveMaximum") == 0 and not isinstance(copy["exclusiveMaximum"], bool):
        del copy["exclusiveMaximum"]
        bound = copy.get("maximum")
        copy["maximum"] = min(bound if isinstance(bound, int | float) else 0, -_SMALLEST)
    return copy


def _refused_schema(why: str) -> InvalidInput:
    """An error that names what stands in the way, of what llguidance says."""
    keywords = _KEYWORDS.search(why)
    if keywords:
        names = ", ".join(f"“{name}”" for name in json.loads(keywords[1])[:8])
        return schema_error(f"uses {names}, which an answer cannot be held to")
    if "oneOf constraints" in why:
        return schema_error(
            "uses “oneOf” with alternatives that may fit at once",
            hint="Use anyOf, or give the alternatives a property with different values.",
        )
    if "regex" in why or "look" in why:
        reason = why.strip().split("\n")[-1].removeprefix("error: ")
        return schema_error(f"has a “pattern” that cannot be followed: {reason[:200]}")
    if "not present in a registry" in why:
        return schema_error("refers to another file; only references within it can be followed")
    if ALLOWS_NOTHING in why:
        return schema_error("cannot be followed: no value fits it, or none of finite length")
    return schema_error(f"cannot be followed: {_first_line(why)}")


def _first_line(why: str) -> str:
    return why.strip().split("\n", maxsplit=1)[0][:_REASON_CHARACTERS]
