"""Imports within limits of time and memory; a process of its own, which the kernel ends.

``python -m tests.chat.bounded_import FILE`` imports one file and prints what came in.
``python -m tests.chat.bounded_import --fuzz 300`` tries that many broken exports: each is imported
or refused, and what came in can be read, exported and imported once more.
"""

from __future__ import annotations

import copy
import json
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockhouse.chat.conversations import Conversations
from lockhouse.chat.import_export import export, import_file
from lockhouse.core.errors import InvalidInput
from lockhouse.storage.database import Database
from tests.chat.exports import chatgpt, gpt_talk, node, webui, webui_message, webui_talk

CPU_S = 20  # for one file; what is quadratic takes minutes
EACH_S = 5  # for a broken one
MEMORY_BYTES = 2 << 30
# What strangers write into most, and readers look into.
READ = (
    "content", "parts", "text", "timestamp", "create_time", "created_at", "metadata", "output",
    "parent", "parentId", "files", "thoughts", "lockhouse", "message", "author", 0,
)  # fmt: skip
LONGEST = 60_000  # characters that a piece is repeated to

# What begins a step of a parser, or could.
PIECES = (
    " ", "\n", "\t", "<", ">", "&", "&gt; ", "&#9", "9", "[", "{", '"', "\\", "`", "#", "- ", "1. ",
    '<details type="reasoning"', '<details type="reasoning">', "</details>", "<summary>",
    '<details type="reasoning">x</details>', "\ue200", "\ue200cite\ue202", "\ue201", "【", "】",
    "File a:\n```\n", "\n```\n", "data:;base64,", "\ud83d", "\udc00", "\x00", "é", "\u2028",
)  # fmt: skip

_odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), st.just([]),
    st.just({}), st.text(max_size=20), st.sampled_from(("0001-01-01T00:00:00+14:00", "a", "r")),
    st.lists(st.none() | st.text(max_size=5), max_size=4),
)  # fmt: skip


@st.composite
def _long(draw: st.DrawFn) -> str:
    """A text in which some pieces repeat."""
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3))
    once = "".join(pieces)
    times = draw(st.sampled_from((1, 10, LONGEST // len(once))))
    return draw(st.sampled_from(("", "x", "   "))) + once * times + draw(st.sampled_from(PIECES))


def _whole() -> list[dict[str, Any]]:
    thoughts = {"thoughts": [{"summary": "s", "content": "hm"}]}
    code = {"text": "1+1", "language": "python"}
    own = {"content": "x", "created_at": "2024-01-01T00:00:00Z", "reasoning": "r", "status": "cut"}
    return [
        gpt_talk(),
        webui_talk(),
        chatgpt(
            [
                node("r", None),
                node("u", "r", "user", [{"content_type": "image_asset_pointer"}, "q"], at=1),
                node("t", "u", "assistant", None, kind="thoughts", content=thoughts),
                node("k", "t", "assistant", None, kind="code", content=code, to="python"),
                node("o", "k", "tool", None, kind="execution_output", content={"text": "2"}),
                node("a", "o", "assistant", "answer", metadata={"content_references": [{}]}),
                node("b", "u", "assistant", "other"),
            ]
        ),
        webui(
            [
                webui_message("1", None, "user", "q", files=[{"url": "data:;base64,AA"}]),
                webui_message("2", "1", "assistant", "", output=[{"type": "message"}], error={}),
                webui_message("3", "1", "assistant", [{"text": "a"}], lockhouse=own, done=False),
            ],
            lockhouse={
                "format": 1,
                "created_at": "2024-01-01T00:00:00Z",
                "updated_at": "2024-01-01T00:00:00Z",
                "parameters": {"seed": 1},
            },
        ),
    ]


def _places(value: object) -> list[tuple[Any, Any]]:
    """Every field and entry within a value, and what it stands in."""
    found: list[tuple[Any, Any]] = []
    rest: list[Any] = [value]
    while rest:
        one = rest.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one))
        for key in list(keys):
            found.append((one, key))
            if isinstance(one[key], dict | list):
                rest.append(one[key])
    return found


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """An export with some things changed, left out, or long."""
    whole = copy.deepcopy(draw(st.lists(st.sampled_from(_whole()), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 5))):
        places = _places(whole)
        if not places:
            break
        if draw(st.booleans()):
            places = [place for place in places if place[1] in READ] or places
        inside, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.integers(0, 3)) == 0:
            del inside[key]
        else:
            inside[key] = draw(st.one_of(_odd, _long()))
    text = json.dumps(whole, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((0, 1))))
    written = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(written)))
        written = written[:at] + draw(st.binary(max_size=3)) + written[at + 1 :]
    return written


def opened(folder: Path) -> Conversations:
    """A home of its own."""
    return Conversations(Database(folder / "lockhouse.db", backups=folder / "backups"))


def fuzz(count: int) -> None:
    """Imports that many broken exports."""
    with tempfile.TemporaryDirectory() as folder:
        conversations, again = opened(Path(folder, "one")), opened(Path(folder, "two"))

        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(broken())
        def try_one(written: bytes) -> None:
            file = Path(folder, "broken.json")
            file.write_bytes(written)
            signal.setitimer(signal.ITIMER_VIRTUAL, EACH_S)  # its signal ends the process
            try:
                import_file(conversations, file)
            except InvalidInput:
                return
            for chat in conversations.list():
                conversations.path(chat.id)
                export(conversations, chat.id, "md")
                file.write_text(export(conversations, chat.id, "json"), encoding="utf-8")
                import_file(again, file)
            conversations.delete([chat.id for chat in conversations.list()])
            again.delete([chat.id for chat in again.list()])

        try_one()
        assert conversations.database.problems() == []


def main() -> None:
    """What the arguments ask for, within the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if sys.argv[1] == "--fuzz":
        fuzz(int(sys.argv[2]))
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    with tempfile.TemporaryDirectory() as folder:
        report = import_file(opened(Path(folder)), Path(sys.argv[1]))
    print(report.conversations, report.messages)


if __name__ == "__main__":
    main()
