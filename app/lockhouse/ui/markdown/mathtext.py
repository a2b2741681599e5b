"""LaTeX formulas as readable Unicode: ``\\frac{a}{b} \\le x^2`` becomes ``a/b ≤ x²``.

Hides pylatexenc and its limits. What cannot be turned into one line of text stays the source, and
the source is always at hand (as a tooltip), so nothing is lost.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pylatexenc.latex2text import LatexNodes2Text

_MAX_CHARS = 2000
_MAX_DEPTH = 40

_ABOVE = dict(
    zip(
        "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ",
        strict=True,
    )
)
_BELOW = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_SCRIPT = re.compile(r"(\\[A-Za-z]+)?([\^_])(?:\{([^{}\\]{1,24})\}|([0-9A-Za-z+\-]))")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]+)\}")
_SIZING = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits|nolimits)(?![A-Za-z])")
# A space after a macro ends its name and is not drawn; around these signs it is wanted.
_RELATION = re.compile(
    r"(\\(?:leq?|geq?|neq?|approx|equiv|sim|cong|propto|in|notin|subset|subseteq|cup|cap|to"
    r"|times|cdot|div|pm|mp|[lL]eftarrow|[rR]ightarrow|implies|iff|mid|land|lor|mapsto)) +"
)
_SPACES = re.compile(r"[ \t]*\n\s*|[ \t]{2,}")
_SIMPLE = re.compile(r"[\w.]+")


@lru_cache(maxsize=512)
def readable(source: str) -> str:
    """The formula in Unicode; the source itself where that is not possible."""
    source = source.strip()
    if len(source) > _MAX_CHARS or _depth(source) > _MAX_DEPTH:
        return source
    text = _SIZING.sub("", source)
    text = _SCRIPT.sub(_script, text)
    text = _RELATION.sub(r"\1{} ", text)
    text = _ROOT.sub(lambda m: f"√{_grouped(m[1])}", text)
    for _ in range(4):
        text, changed = _FRACTION.subn(lambda m: f"{_grouped(m[1])}/{_grouped(m[2])}", text)
        if not changed:
            break
    # imported here: reading its symbol tables takes longer than opening the window
    from pylatexenc.latexwalker import LatexWalkerError

    try:
        text = _converter().latex_to_text(text)
    except (LatexWalkerError, ValueError, IndexError, RecursionError):
        return source
    text = _SPACES.sub(" ", text).strip()
    return text or source


@lru_cache(maxsize=1)
def _converter() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text", keep_comments=True, strict_latex_spaces=False)


def _depth(source: str) -> int:
    depth = deepest = 0
    for char in source:
        if char == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif char == "}":
            depth -= 1
    return max(deepest, source.count("\\begin"), source.count("\\left"))


def _script(match: re.Match[str]) -> str:
    macro, sign, inner = match[1] or "", match[2], match[3] or match[4]
    table = _ABOVE if sign == "^" else _BELOW
    if all(char in table for char in inner):
        raised = "".join(table[char] for char in inner)
        return f"{macro}{{}}{raised}" if macro else raised
    return f"{macro}{sign}({inner})" if len(inner) > 1 else match[0]


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _SIMPLE.fullmatch(text) else f"({text})"
