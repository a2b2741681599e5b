"""JSON schemas as they are given: text of bounded size and depth, one JSON object."""

from __future__ import annotations

import json
from typing import Any

from lockhouse.core.errors import InvalidInput

MOST_BYTES = 100_000
_DEEPEST = 100  # arrays and objects in each other
_KEYWORDS = frozenset(
    ("$ref", "allOf", "anyOf", "const", "enum", "items", "oneOf", "properties", "required")
)


def parse_schema(text: str) -> dict[str, Any]:
    """The schema that a text holds.

    Raises InvalidInput for what is no JSON object, or too large or too deep to be followed, and
    for references that leave it.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise schema_error(f"has more than {MOST_BYTES:,} bytes")
    try:
        schema = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(schema, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise schema_error("has half a character, a surrogate without the other") from error
    except (ValueError, RecursionError) as error:
        raise schema_error(f"is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise schema_error("must be an object", hint="Wrap it in { }.")
    wrapped = schema.get("schema", schema.get("json_schema"))
    if isinstance(wrapped, dict) and not _KEYWORDS.intersection(schema):
        raise schema_error(
            "is wrapped, as APIs take it, and says nothing itself",
            hint="Give the object under “schema” alone.",
        )
    parts: list[Any] = [schema]
    for _ in range(_DEEPEST):
        parts = [
            inner
            for part in parts
            for inner in (part.values() if isinstance(part, dict) else part)
            if isinstance(inner, dict | list)
        ]
        if not parts:
            return schema
    raise schema_error(f"nests more than {_DEEPEST} levels deep")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def schema_error(problem: str, *, hint: str = "") -> InvalidInput:
    """The error of a schema that cannot be used; ``problem`` goes on after "The JSON schema"."""
    return InvalidInput(
        f"The JSON schema {problem.rstrip('.')}.",
        hint=hint or "Leave it out of the schema, or say it in the question.",
        code="schema_invalid",
    )
