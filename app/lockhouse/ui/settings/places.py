"""What the Settings page tells besides the fields: folders, and what this program is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or file of this home, as the page lists it."""

    words: str
    path: Path


@dataclass(frozen=True, slots=True)
class About:
    """What this program is."""

    version: str
    engine: str
