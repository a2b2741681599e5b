"""The switch of a model that thinks: on, off, or by effort.

A local model's switch is what its chat template reads: ``enable_thinking``, ``reasoning_effort``
and whatever others call it. It is found in the text of the template, which is never run for it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Thinking = Literal["", "off", "on", "minimal", "low", "medium", "high", "max"]
"""What was chosen; empty leaves it to the model."""

CHOICES: Final[tuple[Thinking, ...]] = ("off", "on", "minimal", "low", "medium", "high", "max")
EFFORTS: Final[tuple[Thinking, ...]] = ("minimal", "low", "medium", "high", "max")
BUDGETS: Final = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "max": 32768}
"""Tokens that stand for an effort where only a budget can be given."""

_Kind = Literal["switch", "effort", "word", "budget"]
_OFF_WORDS = ("off", "none", "no_think", "nothink", "disabled", "disable", "false", "no")
_ON_WORDS = ("on", "enabled", "enable", "think", "true", "yes")
_BLOCK = re.compile(r"\{#.*?#\}|\{[%{](.*?)[%}]\}", re.DOTALL)
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_NAME = re.compile(r"(?<![\w.\x00])[A-Za-z_]\w*\b(?!\s*\()")
_ABOUT = re.compile(r"think|reason", re.IGNORECASE)
# Of traces in earlier turns and the template's own pieces: no switches of the next answer.
_NOT_ABOUT = re.compile(
    r"preserve|keep|clear|drop|truncat|history|past|render|strip|skip|content|prompt|token|text"
    r"|instruct|message|start|begin|end|tag",
    re.IGNORECASE,
)
_SETS = re.compile(r"^\s*-?\s*set\s+([\w\s,.]+?)(?==|\s*-?$)")
_BINDS = re.compile(r"^\s*-?\s*(?:for\s+([\w\s,]+?)\s+in\b|macro\s+\w+\s*\((.*)\))", re.DOTALL)
_TRACES = re.compile(
    r"<think|</think|<mm:think|<seed:think|\[THINK\]|◁think▷|START_THINKING|inner_prefix"
    r"|reasoning_content|<\|channel\|?>|<\|think\||<reasoning>|<thought>|begin_of_thought"
    r"|BEGIN FINAL RESPONSE|message\.thinking"
)
_SOFT = re.compile(r"""['"]/no_?think['"]""")


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    kind: _Kind
    words: tuple[str, ...] = ()  # the values that the template compares it with

    def word(self, among: tuple[str, ...]) -> str | None:
        return next((word for word in self.words if word.lower() in among), None)


@dataclass(frozen=True, slots=True)
class ThinkingSwitch:
    """What a template offers. ``choices`` are in the order of more thinking."""

    _variables: tuple[_Variable, ...] = ()
    _soft: str = ""  # the word that turns it off in a system prompt

    @property
    def choices(self) -> tuple[Thinking, ...]:
        """What can be chosen beside the model's own default; empty without a switch."""
        if not self._variables:
            return ("off", "on") if self._soft else ()
        offs = any(v.kind in ("switch", "budget") or v.word(_OFF_WORDS) for v in self._variables)
        efforts = self._efforts()
        ons = any(v.kind in ("switch", "budget") or v.word(_ON_WORDS) for v in self._variables)
        off: tuple[Thinking, ...] = ("off",) if offs else ()
        on: tuple[Thinking, ...] = ("on",) if ons else ()
        return (*off, *on, *efforts)

    def _efforts(self) -> tuple[Thinking, ...]:
        found: set[str] = set()
        for variable in self._variables:
            if variable.kind == "effort":
                found |= {_effort(word) for word in variable.words if _effort(word)}
                if not variable.words:
                    found |= {"low", "medium", "high"}
            elif variable.kind == "budget":
                found |= {"low", "medium", "high"}
        return tuple(effort for effort in EFFORTS if effort in found)

    def nearest(self, chosen: Thinking) -> Thinking:
        """The choice that comes nearest; empty for off where it cannot be off."""
        given = nearest(chosen, self.choices)
        return "" if chosen == "off" != given else given

    def variables(self, chosen: Thinking, budget: int | None = None) -> dict[str, object]:
        """What the template is given for one of its choices, and for a budget in tokens."""
        found: dict[str, object] = {}
        for variable in self._variables:
            value = self._value(variable, chosen, budget)
            if value is not None:
                found[variable.name] = value
        return found

    def instruction(self, chosen: Thinking) -> str:
        """What to add to the system prompt, for templates that look for words in it."""
        if not self._soft or self._variables or not chosen:
            return ""
        return self._soft if chosen == "off" else self._soft.replace("no_", "").replace("no", "")

    def _value(self, variable: _Variable, chosen: Thinking, budget: int | None) -> object:
        if variable.kind == "budget":
            if chosen == "off":
                return 0
            return budget if budget is not None else BUDGETS.get(chosen)
        if not chosen:
            return None
        if variable.kind == "switch":
            return chosen != "off"
        if variable.kind == "word":
            return variable.word(_OFF_WORDS if chosen == "off" else _ON_WORDS)
        if chosen == "off":
            return variable.word(_OFF_WORDS)
        if chosen == "on":
            return None
        return next((word for word in variable.words if _effort(word) == chosen), chosen)


def writes_reasoning(template: str) -> bool:
    """Whether the model of a chat template thinks, as far as the template tells."""
    return bool(_TRACES.search(template) or switch_of(template).choices)


@functools.lru_cache(maxsize=256)
def switch_of(template: str) -> ThinkingSwitch:
    """The switch of a chat template."""
    if not _ABOUT.search(template):
        return ThinkingSwitch()
    found: dict[str, set[str]] = {}
    bound: set[str] = set()
    for code, strings in _blocks(template):
        target = _SETS.match(code)
        if target:
            _read(code[target.end() :], strings, bound, found)
            names = set(re.findall(r"\w+", target.group(1)))
            for name in names & found.keys():  # its default, which is a value as well
                found[name] |= {s for s in strings if _effort(s)} if _is_default(code) else set()
            bound |= names - found.keys()
            continue
        binds = _BINDS.match(code)
        if binds:
            bound |= set(re.findall(r"\w+", binds.group(1) or binds.group(2) or ""))
        _read(code, strings, bound, found)
    variables = tuple(_variable(name, words) for name, words in found.items())
    soft = _SOFT.search(template)
    return ThinkingSwitch(variables, soft.group()[1:-1] if soft and not variables else "")


def _blocks(template: str) -> Iterator[tuple[str, list[str]]]:
    """The code of a template, block by block, with its strings taken out."""
    for block in _BLOCK.finditer(template):
        code = block.group(1)
        if code is None or (not _ABOUT.search(code) and "macro" not in code):
            continue
        strings: list[str] = []

        def out(match: re.Match[str], strings: list[str] = strings) -> str:
            strings.append(match.group(1) or match.group(2) or "")
            return f"\x00{len(strings) - 1}\x00"

        yield _STRING.sub(out, code), strings


def _read(code: str, strings: list[str], bound: set[str], found: dict[str, set[str]]) -> None:
    """The names that are read in a piece of code, and the strings they are compared with."""
    for match in _NAME.finditer(code):
        name = match.group()
        if name in bound or not _ABOUT.search(name) or _NOT_ABOUT.search(name):
            continue
        after = code[match.end() : match.end() + 400]
        if re.match(r"\s*=(?!=)", after):  # an argument of that name
            continue
        words = found.setdefault(name, set())
        compared = re.match(
            r"(?:\s*\|\s*\w+)*\s*(?:==|!=|(?:not\s+)?in\b)\s*"
            r"(\x00\d+\x00|[\[(](?:\s*\x00\d+\x00\s*,?)*\s*[\])])",
            after,
        )
        if compared:
            words.update(strings[int(at)] for at in re.findall(r"\x00(\d+)\x00", compared.group(1)))


def _is_default(code: str) -> bool:
    return bool(re.search(r"\bif\b.*\bdefined\b.*\belse\b|\|\s*default\b", code, re.DOTALL))


def _variable(name: str, words: set[str]) -> _Variable:
    kind: _Kind = "switch"
    if re.search(r"effort|strength|level", name, re.IGNORECASE):
        kind = "effort"
    elif "budget" in name.lower():
        return _Variable(name, "budget")
    elif any(word.lower() in (*_OFF_WORDS, *_ON_WORDS) for word in words):
        kind = "word"
    return _Variable(name, kind, tuple(sorted(words)))


def _effort(word: str) -> str:
    """The effort that a template's own word stands for; empty for none."""
    low = word.lower()
    return low if low in EFFORTS else "max" if low in ("xhigh", "extra_high", "maximum") else ""


def nearest(chosen: Thinking, choices: tuple[Thinking, ...]) -> Thinking:
    """The choice that comes nearest to what was chosen; empty where there is none.

    Of two efforts as near, the higher; for off the least effort.
    """
    if not choices or not chosen or chosen in choices:
        return chosen if choices else ""
    efforts = [one for one in choices if one in EFFORTS]
    if chosen == "off":
        return efforts[0] if efforts else ""
    if not efforts:
        return "on" if "on" in choices else ""
    at = EFFORTS.index("medium" if chosen == "on" else chosen)
    return min(efforts, key=lambda one: (abs(EFFORTS.index(one) - at), -EFFORTS.index(one)))
