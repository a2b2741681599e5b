"""The marks of sources in an answer of ChatGPT: characters of no meaning, with a record beside.

A mark with a known source becomes what ChatGPT shows for it, any other the words that it holds.
"""

from __future__ import annotations

import re

import msgspec

from lockhouse.chat.json_values import list_in, record_in, text_in

_MARK = re.compile("\ue200([^\ue200\ue201]*)\ue201|【[^【】\n]{1,200}】")
_FIELD = "\ue202"
_STRAY = dict.fromkeys(range(0xE200, 0xE207))


def resolved(text: str, references: object) -> str:
    """The text with sources in place of marks."""
    if "\ue200" not in text and "【" not in text:
        return text
    sources: dict[str, str] = {}
    for reference in map(record_in, list_in(references)):
        sources.setdefault(text_in(reference.get("matched_text")), _source(reference))

    def readable(found: re.Match[str]) -> str:
        known = sources.get(found[0])
        if known is not None:
            return known
        return found[0] if found[1] is None else _words(found[1])

    return _MARK.sub(readable, text).translate(_STRAY)


def _source(reference: dict[str, object]) -> str:
    shown = text_in(reference.get("alt"))
    if shown:
        return shown
    items = list_in(reference.get("items"))
    of = record_in(items[0]) if items else reference
    title, url = text_in(of.get("title")), text_in(of.get("url"))
    if url and not any(sign in url for sign in " <>()\n"):
        label = " ".join(title.split()).translate({ord("["): None, ord("]"): None}) or url
        return f"([{label}]({url}))"
    return title


def _words(mark: str) -> str:
    """What a mark says without its source: the name of an entity, the text of a link."""
    kind, _, rest = mark.partition(_FIELD)
    if kind == "entity":
        try:
            fields = list_in(msgspec.json.decode(rest))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return ""
        return text_in(fields[1]) if len(fields) > 1 else ""
    return rest.partition(_FIELD)[0] if kind in ("url", "link") else ""
