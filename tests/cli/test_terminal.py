"""What strangers wrote, shown on a real terminal: it is text there, and steers nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command

# Clipboard, title, clear screen, C1 colour and title, marks that reorder, other ends of lines, tag.
STEERING = (
    "\x1b]52;c;cHduZWQ=\x07\x1b]0;T\x07\x1b[2Jevil\x9b31m\x9d0;t\x9c\u202eabc\u200f\u061c"
    "\u2066\u2028\r\x08\x0e\U000e0041"
)
_OWN = re.compile(r"\x1b\[(0|1|2|3[1-3])m|\r\x1b\[2K|\r\n")
_LEFT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0041]"
)
_NAME = "na\x1b]0;T\x07me\x9b31m\u202e"


def on_terminal(command: Command, *arguments: str | bytes | Path) -> str:
    """All that the terminal was sent, output and errors."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command.line(*arguments),
        env={**command.environment, "TERM": "xterm-256color", "COLUMNS": "200"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the last one has closed the terminal
        pass
    os.close(ours)
    running.wait()
    return shown.decode()


@pytest.fixture
def hostile(lockhouse: Command, tmp_path: Path) -> Command:
    """A home with a conversation, a folder and a model whose every word steers."""
    message = {"timestamp": 1, "content": f"{STEERING}word"}
    messages = {
        "m1": {**message, "id": "m1", "role": "user", "parentId": None, "childrenIds": ["m2"]},
        "m2": {
            **message, "id": "m2", "role": "assistant", "parentId": "m1", "childrenIds": [],
            "model": f"{STEERING}model",
        },
    }  # fmt: skip
    chat = {"title": f"{STEERING}T", "history": {"messages": messages, "currentId": "m2"}}
    archive = tmp_path / "chats.json"
    archive.write_text(json.dumps([{"id": "e1", "title": chat["title"], "chat": chat}]))
    assert lockhouse("chats", "import", archive).code == 0
    starter = starter_model()
    assert starter is not None
    folder = tmp_path / f"folder {_NAME}"
    folder.mkdir()
    (folder / f"{_NAME}.gguf").symlink_to(starter)
    assert lockhouse("models", "folders", "add", folder).code == 0
    return lockhouse


def test_nothing_steers_the_terminal(hostile: Command) -> None:
    chat = hostile("chats", "list", "--json").json[0]["id"]
    commands: list[tuple[str, ...]] = [
        ("chats", "list"), ("chats", "show", chat), ("chats", "search", "word"),
        *(("chats", "export", chat, "--format", kind) for kind in ("md", "html", "json", "jsonl")),
        ("chats", "rename", chat, f"{STEERING}new"), ("chats", "show", f"{STEERING}no"),
        ("models", "list"), ("models", "folders", "list"), ("models", "show", _NAME),
        ("ask", "-m", f"{STEERING}no", "Hello"), (f"{STEERING}no",), ("status",),
        ("ask", "-m", _NAME, "Say hello.", "--max-tokens", "4"), ("engines", "list"),
    ]  # fmt: skip
    for words in commands:
        for more in ((), ("--json",)):
            if more and words[:2] == ("chats", "export"):
                continue
            shown = _OWN.sub("", on_terminal(hostile, *words, *more))
            assert shown, words
            assert not _LEFT.search(shown), (words, more, ascii(_LEFT.findall(shown)))


def test_json_means_the_same_with_its_characters_escaped(hostile: Command) -> None:
    (chat,) = hostile("chats", "list", "--json").json
    assert chat["title"].startswith("\x1b]52;c;cHduZWQ=\x07")
    assert "\u202e" in chat["title"]


def test_colours_of_our_own_reach_the_terminal(lockhouse: Command) -> None:
    assert re.search("\x1b\\[32mok  \x1b\\[0m  python", on_terminal(lockhouse, "doctor"))
