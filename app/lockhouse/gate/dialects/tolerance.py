"""Reads what a server sends that is not quite what its dialect says.

Only where strict decoding failed, so an answer in order costs nothing more. A field of another
type is converted where its meaning is plain, and left out where it is not. Halves of characters
stay as they are in a text; :class:`CharacterJoiner` joins them with the halves that follow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from lockhouse.core.events import Reasoning, Text
from lockhouse.gate.remote_requests import RemoteEvent

_StructT = TypeVar("_StructT", bound=msgspec.Struct)
_NEVER_UTF_8 = re.compile(rb"[\xc0\xc1\xf5-\xff]")
_UNFIT: Any = object()


def read_tolerantly(data: bytes, kind: type[_StructT], needed: Collection[str]) -> _StructT:
    """The value of that type in nearly any JSON. Raises msgspec.DecodeError.

    ``needed`` are fields that nothing can be read without: they must have their type.
    """
    if _NEVER_UTF_8.search(data):
        raise msgspec.DecodeError("it is not text in UTF-8")
    try:
        # Halves of characters, NaN and Infinity are read; bytes that are cut become halves too.
        value = json.loads(data.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error
    for name in needed:
        given = value.get(name) if isinstance(value, dict) else None
        if given is not None and _fitted(given, inspect.type_info(list[Any])) is _UNFIT:
            raise msgspec.DecodeError(f"{name} is no list")
    found = _fitted(value, inspect.type_info(kind))
    if found is _UNFIT:
        raise msgspec.DecodeError("it is no object of this kind")
    fitted: _StructT = found
    return fitted


def _fitted(value: Any, kind: inspect.Type) -> Any:
    """The value as that type; ``_UNFIT`` where it cannot be."""
    match kind:
        case inspect.UnionType():
            options = (_fitted(value, option) for option in kind.types)
            return next((found for found in options if found is not _UNFIT), _UNFIT)
        case inspect.StructType():
            return _struct(value, kind)
        case inspect.ListType():
            if not isinstance(value, list):
                return _UNFIT
            items = (_fitted(item, kind.item_type) for item in value)
            return [item for item in items if item is not _UNFIT]
        case inspect.DictType():
            return value if isinstance(value, dict) else _UNFIT
        case inspect.NoneType():
            return None if value is None else _UNFIT
        case inspect.AnyType():
            return value
    if isinstance(value, bool):
        return value if isinstance(kind, inspect.BoolType) else _UNFIT
    return _scalar(value, kind)


def _struct(value: Any, kind: inspect.StructType) -> Any:
    if not isinstance(value, dict):
        return _UNFIT
    fields = {}
    for field in kind.fields:
        found = _fitted(value.get(field.encode_name), field.type)
        if found is not _UNFIT:
            fields[field.name] = found
        elif field.required:
            return _UNFIT
    return kind.cls(**fields)


def _scalar(value: Any, kind: inspect.Type) -> Any:
    """Numbers as text and text as numbers."""
    if not isinstance(value, str | int | float):
        return _UNFIT
    if isinstance(kind, inspect.StrType):
        return str(value)
    try:
        if isinstance(kind, inspect.DecimalType):
            return Decimal(str(value))
        if isinstance(kind, inspect.IntType):
            return int(value)
        if isinstance(kind, inspect.FloatType):
            return number if math.isfinite(number := float(value)) else _UNFIT
    except (ValueError, OverflowError, InvalidOperation):
        pass
    return _UNFIT


# --- characters in halves --------------------------------------------------------------------

# The beginning of a character at the very end: half a pair, or bytes of UTF-8 as Python keeps
# those that it cannot decode.
_BEGUN = re.compile(
    "(?:[\ud800-\udbff]|[\udcc2-\udcdf]|[\udce0-\udcef][\udc80-\udcbf]?"
    "|[\udcf0-\udcf4][\udc80-\udcbf]{0,2})\\Z"
)
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class CharacterJoiner:
    """Joins the halves of characters that a server has sent in two pieces."""

    def __init__(self) -> None:
        self._begun = ""

    def joined(self, events: Iterable[RemoteEvent]) -> list[RemoteEvent]:
        """The same events with whole characters only; half a one at the end is held back."""
        found: list[RemoteEvent] = []
        for event in events:
            if isinstance(event, Text | Reasoning):
                text, self._begun = _divided(self._begun + event.text)
                if text:
                    found.append(type(event)(text))
            else:
                found.append(event)
        return found


def whole_characters(text: str) -> str:
    """The text with halves joined, and replaced where the other half is missing."""
    text = _NO_BYTE.sub("\ufffd", _paired(text))
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _paired(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _divided(text: str) -> tuple[str, str]:
    """Its whole characters, and the beginning of one at its end."""
    text = _paired(text)  # first: the second half of a pair can look like a byte
    begun = _BEGUN.search(text)
    at = begun.start() if begun is not None else len(text)
    return whole_characters(text[:at]), text[at:]
