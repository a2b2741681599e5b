"""GBNF, the grammars of llama.cpp, as grammars of llguidance.

GBNF knows no words: each character is matched for itself. Llguidance first cuts a text into the
longest words it can and would lose answers that GBNF allows, so every character becomes a word of
its own here; equally long words are all followed. Nothing calls itself, whatever is nested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lockhouse.core.errors import InvalidInput

MOST_CHARACTERS = 100_000
_DEEPEST_GROUP = 200
_LONGEST_REPEAT = 2_000  # as in llama.cpp
_TOKENS = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
      | (?P<name>[A-Za-z0-9_-]++)
      | (?P<defines>::=)
      | "(?P<literal>(?:\\.|[^"\\])*+)"
      | \[(?P<characters>(?:\\.|[^\]\\])*+)\]
      | \{[ ]*(?P<least>[0-9]{1,9})?[ ]*(?P<comma>,)?[ ]*(?P<most>[0-9]{1,9})?[ ]*\}
      | (?P<token>!?<[^<>\n]*>)
      | (?P<sign>[.()|*+?])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = re.compile(
    r'\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([nrt"\\\[\]^-]))|([^\\])',
    re.DOTALL,
)
_TOKEN_ID = re.compile(r"<\[[0-9]{1,7}\]>")  # as in llama.cpp, and in llguidance
_SHORT = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(slots=True)
class _Group:
    """Alternatives that are being read: those that are complete, and the parts of the last."""

    complete: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def end_alternative(self) -> None:
        self.complete.append(" ".join(self.parts) or '""')
        self.parts = []

    def text(self) -> str:
        self.end_alternative()
        return " | ".join(self.complete)


def without_numbers(grammar: str) -> str:
    """The grammar with another token for each that it names by number, as any vocabulary has it.

    For a check that does not know the model's.
    """
    return _TOKEN_ID.sub("<[97]>", grammar)


def to_lark(grammar: str) -> str:
    """The same grammar in Lark's notation, as llguidance reads it. Raises InvalidInput."""
    if len(grammar) > MOST_CHARACTERS:
        raise refused(f"it has more than {MOST_CHARACTERS:,} characters")
    return _Reader(grammar).lark()


def refused(why: str, hint: str = "A GBNF grammar needs a rule named root.") -> InvalidInput:
    """The error of a grammar that cannot be used."""
    return InvalidInput(f"The grammar cannot be used: {why}.", hint=hint, code="grammar_invalid")


class _Reader:
    def __init__(self, grammar: str) -> None:
        self._grammar = grammar
        self._tokens = self._read_tokens()
        self._names: dict[str, str] = {"root": "start"}
        self._used: dict[str, int] = {"root": 0}  # and where
        self._rules: dict[str, str] = {}

    def lark(self) -> str:
        at = 0
        while at < len(self._tokens):
            if not self._begins_rule(at):
                raise self._wrong(at)
            name = self._tokens[at]["name"]
            if name in self._rules:
                raise refused(f"it has two rules named {name[:40]}")
            at = self._rule(name, at + 2)
        for name, place in self._used.items():
            if name not in self._rules:
                line = self._grammar.count("\n", 0, place) + 1
                where = "" if name == "root" else f", which line {line} refers to"
                raise refused(f"it has no rule named {name[:40]}{where}")
        rules = (f"{self._name(name)}: {text}" for name, text in self._rules.items())
        return "%llguidance {}\n" + "\n".join(rules) + "\n"

    def _read_tokens(self) -> list[re.Match[str]]:
        tokens, at = [], 0
        while at < len(self._grammar):
            found = _TOKENS.match(self._grammar, at)
            if found is None:
                raise self._wrong_at(at)
            if found.lastgroup != "blank":
                tokens.append(found)
            at = found.end()
        return tokens

    def _begins_rule(self, at: int) -> bool:
        following = self._tokens[at : at + 2]
        return [one.lastgroup for one in following] == ["name", "defines"]

    def _rule(self, name: str, at: int) -> int:
        """Read a rule's body; returns where the next rule begins."""
        groups = [_Group()]
        while at < len(self._tokens) and not self._begins_rule(at):
            if not self._read_sign(at, groups):
                groups[-1].parts.append(self._item(at))
            if len(groups) > _DEEPEST_GROUP:
                raise refused(
                    f"it nests more than {_DEEPEST_GROUP} groups in each other",
                    "Give the inner ones rules of their own.",
                )
            at += 1
        if len(groups) > 1:
            raise refused(f"a group in the rule {name[:40]} is not closed")
        self._rules[name] = groups[0].text()
        return at

    def _read_sign(self, at: int, groups: list[_Group]) -> bool:
        """Take what changes the groups or the last part; False for a part."""
        token = self._tokens[at]
        parts = groups[-1].parts
        sign = token["sign"] or ""
        if sign == "(":
            groups.append(_Group())
        elif sign == ")":
            if len(groups) == 1:
                raise self._wrong(at)
            inner = groups.pop().text()
            groups[-1].parts.append(f"({inner})")
        elif sign == "|":
            groups[-1].end_alternative()
        elif sign == "." or (not sign and not token[0].startswith("{")):
            return False
        elif not parts:
            raise self._wrong(at)
        else:
            parts[-1] = f"({parts[-1]}){sign or self._repeat(at)}"
        return True

    def _repeat(self, at: int) -> str:
        token = self._tokens[at]
        least, most = token["least"], token["most"]
        if least is None and most is None:
            raise self._wrong(at)
        low = int(least or 0)
        high = int(most) if most is not None else None if token["comma"] else low
        if max(low, high or 0) > _LONGEST_REPEAT:
            raise refused(f"it repeats something more than {_LONGEST_REPEAT:,} times")
        if high is None:
            return f"{{{low},}}"
        if high < low:
            raise self._wrong(at)
        return f"{{{low},{high}}}"

    def _item(self, at: int) -> str:
        token = self._tokens[at]
        if token["literal"] is not None:
            codes = self._codes(token["literal"], token.start("literal"))
            return " ".join(f"/{_code(code)}/" for code in codes) or '""'
        if token["characters"] is not None:
            return self._class(token["characters"], token.start("characters"))
        if token["name"]:
            self._used.setdefault(token["name"], token.start())
            return self._name(token["name"])
        if token["token"]:
            if _TOKEN_ID.fullmatch(token["token"]):
                return str(token["token"])
            raise refused(
                f"it names the token {token['token'][:40]}; only text and numbers can be followed",
                "Write the text that is wanted, between quotes, or the token's number: <[42]>.",
            )
        if token["sign"] == ".":
            return "/(?s:.)/"
        raise self._wrong(at)

    def _name(self, name: str) -> str:
        return self._names.setdefault(name, f"r{len(self._names)}")

    def _class(self, body: str, start: int) -> str:
        negated = body.startswith("^")
        pieces = list(self._pieces(body[negated:], start + negated))
        if not pieces:
            raise self._wrong_at(start)
        ranges, at = [], 0
        while at < len(pieces):
            code = last = pieces[at][0]
            if at + 2 < len(pieces) and pieces[at + 1] == (0x2D, False):
                last = pieces[at + 2][0]
                at += 2
            if last < code:
                raise self._wrong_at(start)
            ranges.append(_code(code) if code == last else f"{_code(code)}-{_code(last)}")
            at += 1
        return f"/[{'^' if negated else ''}{''.join(ranges)}]/"

    def _codes(self, text: str, start: int) -> list[int]:
        return [code for code, _ in self._pieces(text, start)]

    def _pieces(self, text: str, start: int) -> list[tuple[int, bool]]:
        """Characters of a literal or a class, each with whether it was escaped."""
        pieces, at = [], 0
        while at < len(text):
            found = _ESCAPES.match(text, at)
            if found is None:
                raise self._wrong_at(start + at)
            digits = found[1] or found[2] or found[3]
            plain = _SHORT.get(found[4] or "", found[4]) or found[5]
            code = int(digits, 16) if digits else ord(plain)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._wrong_at(start + at)
            pieces.append((code, found[5] is None))
            at = found.end()
        return pieces

    def _wrong(self, at: int) -> InvalidInput:
        return self._wrong_at(self._tokens[at].start())

    def _wrong_at(self, place: int) -> InvalidInput:
        line = self._grammar.count("\n", 0, place) + 1
        shown = self._grammar[place : place + 20].split("\n", maxsplit=1)[0]
        return refused(f"line {line} cannot be read at “{shown}”")


def _code(code: int) -> str:
    return f"\\x{{{code:X}}}"
