"""Every colour, type role and size of the look, without Qt.

Hides nothing on purpose: it is the one place where a colour is written as hex and a size as a
number. Colours are named by what they are for and exist twice, light and dark, under the same
names. ``CONTRAST_PAIRS`` lists which text may stand on which background; a test computes the
ratios, so that a changed colour that can no longer be read does not pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Scheme = Literal["light", "dark"]

LIGHT: Final[dict[str, str]] = {
    # backgrounds and lines
    "bg-0": "#EEEBE7",
    "bg-1": "#F6F4F1",
    "bg-2": "#FDFCFA",
    "surface": "#FFFFFF",
    "hover": "#F0EEE9",
    "active": "#E7E3DD",
    "bubble": "#EFEDE8",
    "track": "#DEDAD2",
    "border": "#E2DFD8",
    "border-strong": "#CCC8BF",
    # text
    "text-1": "#1E1C19",
    "text-2": "#55514A",
    "text-3": "#69645C",
    # accent, selection, focus
    "accent": "#0B6472",
    "accent-hover": "#08525E",
    "on-accent": "#FFFFFF",
    "accent-text": "#0A5B68",
    "accent-soft": "#D9EBEC",
    "accent-tint": "#EEF6F6",
    "selection": "#C4E0E3",
    "focus": "#0B6472",
    # status, always with an icon and a word
    "success": "#21653A",
    "success-soft": "#DDEEDF",
    "warning": "#7D4E00",
    "warning-soft": "#F8E9C9",
    "warning-tint": "#FCF5E6",
    "danger": "#A8261D",
    "danger-soft": "#F9E0DC",
    # code
    "code-bg": "#F6F4F0",
    "code-text": "#2A2723",
    "syn-keyword": "#8A2F6B",
    "syn-string": "#2C6A37",
    "syn-comment": "#6B665D",
    "syn-number": "#97480C",
    "syn-function": "#0A5B68",
    "syn-type": "#4A4FA3",
    # memory bar
    "mem-weights": "#0B6472",
    "mem-cache": "#62A9B3",
    "mem-compute": "#123B42",
    "mem-other": "#8C867C",
}

DARK: Final[dict[str, str]] = {
    "bg-0": "#141312",
    "bg-1": "#1A1817",
    "bg-2": "#1F1D1C",
    "surface": "#272524",
    "hover": "#2B2927",
    "active": "#35322F",
    "bubble": "#2E2B27",
    "track": "#3B3734",
    "border": "#332F2D",
    "border-strong": "#4B4642",
    "text-1": "#ECE9E3",
    "text-2": "#B8B3A9",
    "text-3": "#A19C92",
    "accent": "#54B4C0",
    "accent-hover": "#6CC3CE",
    "on-accent": "#062328",
    "accent-text": "#7CCBD5",
    "accent-soft": "#17363B",
    "accent-tint": "#1B2A2B",
    "selection": "#1F4B52",
    "focus": "#54B4C0",
    "success": "#7CC796",
    "success-soft": "#1D3526",
    "warning": "#E3B25C",
    "warning-soft": "#3B2E15",
    "warning-tint": "#2A2318",
    "danger": "#F2938A",
    "danger-soft": "#44231F",
    "code-bg": "#191816",
    "code-text": "#DDD9D1",
    "syn-keyword": "#DB9CC5",
    "syn-string": "#93C79B",
    "syn-comment": "#989287",
    "syn-number": "#E3A778",
    "syn-function": "#7CCBD5",
    "syn-type": "#AEB2EE",
    "mem-weights": "#54B4C0",
    "mem-cache": "#2B727C",
    "mem-compute": "#C4EAED",
    "mem-other": "#8F897E",
}

PALETTES: Final[dict[Scheme, dict[str, str]]] = {"light": LIGHT, "dark": DARK}

_GROUNDS: Final = (
    "bg-0",
    "bg-1",
    "bg-2",
    "surface",
    "hover",
    "active",
    "bubble",
    "accent-tint",
    "code-bg",
)
_TEXT: Final = 4.5
_MARK: Final = 3.0

# (text or mark, what it stands on, lowest ratio allowed)
CONTRAST_PAIRS: Final[tuple[tuple[str, str, float], ...]] = (
    *((ink, ground, _TEXT) for ink in ("text-1", "text-2", "text-3") for ground in _GROUNDS),
    *((ink, ground, _TEXT) for ink in ("accent-text",) for ground in (*_GROUNDS, "accent-soft")),
    *(("focus", ground, _MARK) for ground in _GROUNDS),
    *(("accent", ground, _MARK) for ground in _GROUNDS),
    *((ink, "code-bg", _TEXT) for ink in ("code-text", "syn-keyword", "syn-string")),
    *((ink, "code-bg", _TEXT) for ink in ("syn-comment", "syn-number", "syn-function")),
    *(
        (ink, ground, _TEXT)
        for ink in ("success", "warning", "danger")
        for ground in ("bg-0", "bg-1", "bg-2", "surface", "hover", "active", f"{ink}-soft")
    ),
    ("syn-type", "code-bg", _TEXT),
    ("on-accent", "accent", _TEXT),
    ("on-accent", "accent-hover", _TEXT),
    ("text-1", "selection", _TEXT),
    ("text-1", "warning-tint", _TEXT),
    ("text-1", "danger-soft", _TEXT),
    ("text-2", "danger-soft", _TEXT),
    ("text-2", "warning-tint", _TEXT),
    ("warning", "warning-tint", _TEXT),
    ("bg-2", "warning", _TEXT),
    ("mem-weights", "track", _MARK),
    ("mem-compute", "track", _MARK),
)


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours written as ``#RRGGBB``."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


TypeRole = Literal[
    "caption", "body", "reading", "h1", "h3", "title", "display", "code", "code-small"
]


@dataclass(frozen=True, slots=True)
class TypeStyle:
    """One role of the type scale, in pixels at zoom 1."""

    size: int
    line_height: int
    weight: int = 400
    letter_spacing: float = 0.0
    mono: bool = False


TYPE: Final[dict[TypeRole, TypeStyle]] = {
    "caption": TypeStyle(12, 16),
    "body": TypeStyle(13, 20),
    "reading": TypeStyle(14, 22),
    "h1": TypeStyle(20, 28, 600, -0.2),
    "h3": TypeStyle(16, 24, 600),
    "title": TypeStyle(20, 28, 600, -0.2),
    "display": TypeStyle(28, 36, 600, -0.5),
    "code": TypeStyle(13, 20, mono=True),
    "code-small": TypeStyle(12, 16, mono=True),
}

TEXT_FAMILY: Final = "Inter"
CODE_FAMILY: Final = "JetBrains Mono"
# Tried in order for scripts and emoji the bundled fonts lack; missing ones are skipped by Qt.
FALLBACK_FAMILIES: Final = (
    "Noto Sans",
    "Segoe UI",
    "Apple SD Gothic Neo",
    "Noto Sans CJK SC",
    "Noto Color Emoji",
    "Segoe UI Emoji",
    "Apple Color Emoji",
    "DejaVu Sans",
    # Bundled, for systems without fonts of these scripts.
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Droid Sans Fallback",
    "NanumGothicCoding",
)

# Sizes in pixels at zoom 1.
RADIUS_CONTROL: Final = 6
RADIUS_CARD: Final = 10
RADIUS_SMALL: Final = 4

COMPACT_HEIGHT: Final = 28
PILL_HEIGHT: Final = 20

RAIL_WIDTH: Final = 56
TRANSCRIPT_WIDTH: Final = 760
BUBBLE_WIDTH: Final = 560
