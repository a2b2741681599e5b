"""Reading JSON into values, from any thread.

msgspec prepares what it knows of a type at its first use, in steps between which other threads
run; one that then reads the same type finds it half made, and the process dies of a null pointer
(seen with 0.21 at the start of a window). So types are prepared one at a time here, and used only
when they are complete.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

_ValueT = TypeVar("_ValueT")
_Data = bytes | bytearray | memoryview | msgspec.Raw | str
_preparing = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a type or a union, complete."""
    found = _decoders.get(kind)
    if found is None:
        with _preparing:
            found = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    return found


@overload
def decoded(data: _Data, kind: type[_ValueT]) -> _ValueT: ...


@overload
def decoded(data: _Data, kind: Any) -> Any: ...


def decoded(data: _Data, kind: Any) -> Any:
    """The value of that type in some JSON. Raises msgspec.DecodeError."""
    return decoder_of(kind).decode(data)


def converted(value: object, kind: type[_ValueT]) -> _ValueT:
    """The value of that type in what JSON was read as. Raises msgspec.ValidationError."""
    decoder_of(kind)  # prepares what msgspec.convert would, half a step at a time
    return msgspec.convert(value, kind)
