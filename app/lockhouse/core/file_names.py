"""Names of files whose bytes are no UTF-8: they can be read, but not written down as text."""

from __future__ import annotations

import os
from pathlib import Path

from lockhouse.core.errors import InvalidInput


def as_text(path: Path, what: str, hint: str) -> str:
    """The path as text for another process. Raises InvalidInput for bytes that are no UTF-8."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise InvalidInput(
            f"{what} cannot be used: its path is not valid UTF-8 ({shown}).",
            hint=hint,
            code="invalid_utf8",
        ) from error
    return text
