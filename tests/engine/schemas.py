"""Random schemas as people write them, and what becomes of each: a valid answer, or a refusal.

    PYTHONPATH=app python -m tests.engine.schemas 1000 [FOLDER]

FOLDER may hold the public test vectors of JSON Schema (lists of groups with ``schema`` and
``tests``): each of their schemas is followed or refused likewise, and none of their invalid
instances may be allowed. Nothing is computed: tokens are drawn from those that are allowed.
"""

from __future__ import annotations

import collections
import json
import random
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
from numpy.typing import NDArray

from lockhouse.core.errors import InvalidInput
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.process.constraint import Constraint, ConstraintFactory
from lockhouse.engine.process.model import Vocabulary
from lockhouse.engine.process.native import lib, start_backend
from lockhouse.library.starter import starter_model

_MOST_TOKENS = 250
_NAMES = ("id", "name", "a b", "a-b", "a_b", "größe", "ключ", 'say "x"', "back\\slash", "😀", "x.y")
_VALUES = ("", "x\\y", "a\nb", 'a"b', "süß", "日本", "👍", "tab\t", "\x01", "{}", "null", "</s>")
_PATTERNS = (
    r"^\d+$", r"^[\w-]{1,12}$", r"\S", r"^(https:\/\/)?x\.com$", r"^(?:ab|cd)+$", r"^[äöü]{1,3}$",
    r"^#[0-9a-fA-F]{6}$", r"^\([0-9]{3}\) [0-9]{3}$", r"^.{2,5}$", r"^[^\s\"]+$", "^$", r"[A-Z]\d?",
    r"^\p{Lu}\p{Ll}*$", r"^\u0041+$", "(?=a)b", r"^(a)\1$", r"\bword\b",
)  # fmt: skip
_FORMATS = (
    "date",
    "time",
    "date-time",
    "email",
    "ipv4",
    "uuid",
    "uri",
    "hostname",
    "int32",
    "byte",
)


@cache
def starter_vocabulary() -> Vocabulary:
    """The starter model's tokens, without its weights."""
    start_backend()
    parameters = lib.llama_model_default_params()
    parameters.vocab_only = True
    model = lib.llama_model_load_from_file(str(starter_model()).encode(), parameters)
    return Vocabulary(lib.llama_model_get_vocab(model))


@cache
def factory() -> ConstraintFactory:
    """Of the constraints over them."""
    return ConstraintFactory(starter_vocabulary())


@cache
def _ending() -> NDArray[np.bool_]:
    """Which tokens begin with what ends a string, an object, an array or the answer."""
    vocabulary = starter_vocabulary()
    return np.array(
        [
            vocabulary.ends(token) or vocabulary.piece(token).strip(b" ,")[:1] in (b'"', b"}", b"]")
            for token in range(vocabulary.size)
        ]
    )


def constraint(schema: Any) -> Constraint:
    """For one answer to a schema. Raises InvalidInput."""
    asked = AnswerRequest((Turn("user", "x"),), json_schema=json.dumps(schema))
    made = factory().constraint(asked)
    assert made is not None
    return made


def drawn(held: Constraint, chance: random.Random) -> str | None:
    """A text of allowed tokens, with those that end things often; None when it got too long."""
    vocabulary = starter_vocabulary()
    pieces: list[bytes] = []
    for _ in range(_MOST_TOKENS):
        prescribed = held._matcher.compute_ff_bytes()  # what the form leaves no choice about
        forced = [*map(vocabulary.piece, held.accept_forced())]
        assert prescribed.startswith(b"".join(forced)), (prescribed, forced)
        pieces += forced
        if held.is_complete:
            break
        allowed = held.allowed()
        ending = allowed[_ending()[allowed]]
        token = int(chance.choice(ending if len(ending) and chance.random() < 0.4 else allowed))
        assert held.allows(token)
        if vocabulary.ends(token):
            break
        held.accept(token)
        pieces.append(vocabulary.piece(token))
    else:
        return None
    return b"".join(pieces).decode()


def outcome(schema: Any, seed: int, answers: int = 3) -> str:
    """ "valid", "cut" or "refused: why"; raises AssertionError for an answer that does not fit."""
    chance = random.Random(seed)
    texts: list[str | None] = []
    try:
        texts = [drawn(constraint(schema), chance) for _ in range(answers)]
    except InvalidInput as refused:
        if refused.code not in ("schema_invalid", "form_stuck"):
            raise
        return f"refused: {refused.message}"
    validator = jsonschema_rs.validator_for(schema)
    for text in texts:
        assert text is None or validator.is_valid(json.loads(text)), (schema, text)
    return "cut" if texts.count(None) == len(texts) else "valid"


def schema_of(chance: random.Random, depth: int = 0, names: tuple[str, ...] = ()) -> Any:
    """A random schema; ``names`` are definitions that it may refer to."""
    if depth == 0:
        names = ("node", "other thing") if chance.random() < 0.4 else ()
        schema = schema_of(chance, 1, names)
        if names and isinstance(schema, dict):
            defs = {name: schema_of(chance, 2, names[:1]) for name in names}
            schema = {**schema, "$defs": defs}
        return schema
    kinds = [_string, _number, _integer, _choice, _plain]
    if depth < 4:
        kinds += [_object, _object, _array, _combined]
    if names and depth > 1:
        kinds.append(lambda *_: {"$ref": f"#/$defs/{chance.choice(names).replace(' ', '%20')}"})
    if chance.random() < 0.03:
        return {chance.choice(("not", "contains")): {"type": "null"}}
    schema = chance.choice(kinds)(chance, depth, names)
    if chance.random() < 0.2:
        schema["description"] = "What it is."
    return schema


def _string(chance: random.Random, _depth: int, _names: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    drawn = chance.random()
    if drawn < 0.3:
        schema["pattern"] = chance.choice(_PATTERNS)
    elif drawn < 0.5:
        schema["format"] = chance.choice(_FORMATS)
    else:
        schema["maxLength"] = chance.choice((0, 1, 7, 30))
        schema["minLength"] = chance.choice((0, 0, 1, 2))
    return schema


def _number(chance: random.Random, _depth: int, _names: tuple[str, ...]) -> dict[str, Any]:
    low = chance.choice((-1e3, -0.5, 0, 0.25, 1e6))
    schema: dict[str, Any] = {"type": "number", "minimum": low}
    if chance.random() < 0.7:
        schema[chance.choice(("maximum", "exclusiveMaximum"))] = low + chance.choice((0.5, 1, 99))
    return schema


def _integer(chance: random.Random, _depth: int, _names: tuple[str, ...]) -> dict[str, Any]:
    low = chance.choice((-100, -1, 0, 18, 2**31, 9007199254740993))
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": low + 47}
    if chance.random() < 0.3:
        schema["multipleOf"] = chance.choice((1, 2, 5, 7))
    return schema


def _choice(chance: random.Random, _depth: int, _names: tuple[str, ...]) -> dict[str, Any]:
    values: list[Any] = chance.sample(_VALUES, 3)
    if chance.random() < 0.4:
        values += [1, None, True, 2.5, {"a": [1]}]
    return {"enum": values} if chance.random() < 0.7 else {"const": values[0]}


def _plain(chance: random.Random, _depth: int, _names: tuple[str, ...]) -> dict[str, Any]:
    return chance.choice(
        (
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"], "maxLength": 5},
            {"type": ["integer", "boolean"]},
        )
    ).copy()  # type: ignore[return-value]


def _object(chance: random.Random, depth: int, names: tuple[str, ...]) -> dict[str, Any]:
    chosen = chance.sample(_NAMES, chance.randint(0, 4))
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: schema_of(chance, depth + 1, names) for name in chosen},
        "required": [name for name in chosen if chance.random() < 0.7],
    }
    drawn = chance.random()
    if drawn < 0.6:
        schema["additionalProperties"] = False
    elif drawn < 0.8:
        schema["additionalProperties"] = schema_of(chance, depth + 1, names)
    if chance.random() < 0.1:
        schema["patternProperties"] = {"^x-": schema_of(chance, depth + 1, names)}
    if chance.random() < 0.05:
        schema["minProperties"] = 1
    return schema


def _array(chance: random.Random, depth: int, names: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": schema_of(chance, depth + 1, names)}
    schema["maxItems"] = chance.randint(1, 4)
    if chance.random() < 0.5:
        schema["minItems"] = chance.randint(0, schema["maxItems"])
    if chance.random() < 0.2:
        schema["prefixItems"] = [schema_of(chance, depth + 1, names)]
    if chance.random() < 0.05:
        schema["uniqueItems"] = True
    return schema


def _combined(chance: random.Random, depth: int, names: tuple[str, ...]) -> dict[str, Any]:
    word = chance.choice(("anyOf", "anyOf", "oneOf", "allOf"))
    return {word: [schema_of(chance, depth + 1, names) for _ in range(2)]}


def main() -> None:
    """Print what became of them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seen: collections.Counter[str] = collections.Counter()
    for seed in range(count):
        seen[checked_outcome(schema_of(random.Random(seed)), seed).split(":")[0]] += 1
    print(f"{count} random schemas: {dict(seen)}")
    for folder in map(Path, sys.argv[2:]):
        print_vectors(folder)


def checked_outcome(schema: Any, seed: int) -> str:
    """The same as :func:`outcome`, or "INVALID" with the case printed."""
    try:
        return outcome(schema, seed)
    except (AssertionError, jsonschema_rs.ValidationError) as error:
        print(f"INVALID, seed {seed}: {error}")
        return "INVALID"


def print_vectors(folder: Path) -> None:
    """The same for public test vectors."""
    seen: collections.Counter[str] = collections.Counter()
    refused: collections.Counter[str] = collections.Counter()
    instances: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.rglob("*.json")):
        for number, group in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            if not isinstance(group["schema"], dict):
                continue
            told = checked_outcome(group["schema"], number)
            seen[told.split(":")[0]] += 1
            if told.startswith("refused"):
                refused[told[:60]] += 1
                continue
            for test in group["tests"]:
                allowed = allows(group["schema"], test["data"])
                verdict = "valid" if test["valid"] else "invalid"
                instances[f"{verdict} and {'allowed' if allowed else 'not allowed'}"] += 1
                if allowed and not test["valid"] and "format" not in path.parts:
                    print("ALLOWED:", path.name, group["description"], "|", test["description"])
    print(f"{folder}: {dict(seen)}; instances {dict(instances)}")
    for why, times in refused.most_common(40):
        print(f"  {times:4} {why}")


def allows(schema: Any, value: Any) -> bool:
    """Whether an answer may be this value, written as answers are."""
    held = constraint(schema)
    try:
        held.follow(json.dumps(value, ensure_ascii=False))
    except InvalidInput:
        return False
    return bool(held._matcher.is_accepting())


if __name__ == "__main__":
    main()
