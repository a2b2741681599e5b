"""Model files made from the starter model for tests: another template, another place."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

_KEY = b"tokenizer.chat_template"
_STRING = 8


def with_template(starter: Path, target: Path, template: str) -> Path:
    """A copy of the starter model with another chat template and the same weights."""
    data = starter.read_bytes()
    at = data.index(struct.pack("<Q", len(_KEY)) + _KEY) + 8 + len(_KEY)
    (kind,) = struct.unpack_from("<I", data, at)
    assert kind == _STRING
    (length,) = struct.unpack_from("<Q", data, at + 4)
    end = at + 12 + length
    # The weights must stay where they are: pad or cut with a Jinja comment to the same length.
    new = template.encode()
    assert len(new) + 4 <= length, "the template must be shorter than the original"
    new += b"{#" + b" " * (length - len(new) - 4) + b"#}"
    target.write_bytes(data[: at + 12] + new + data[end:])
    return target


def copy_of(starter: Path, target: Path) -> Path:
    """A file of its own that a test may destroy."""
    return Path(shutil.copyfile(starter, target))
