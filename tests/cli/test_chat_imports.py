"""``lockhouse chats import`` with files that other programs left odd."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chat.exports import chatgpt, gpt_talk, node, webui_talk
from tests.cli.command import Command


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_what_cannot_be_imported_is_named_on_standard_error(
    lockhouse: Command, tmp_path: Path
) -> None:
    odd = gpt_talk("Odd")
    odd["mapping"]["a"]["message"]["content"] = None
    done = lockhouse("chats", "import", write(tmp_path / "c.json", [odd, webui_talk("Good")]))
    assert (done.code, done.text) == (0, "2 conversations, 3 messages\n")
    assert done.err == 'skipped: In "Odd", 1 message cannot be read: a.\n'


def test_odd_dates_do_not_end_the_import(lockhouse: Command, tmp_path: Path) -> None:
    value = webui_talk("Odd")
    value["created_at"] = 10**400
    value["chat"]["history"]["messages"]["1"]["timestamp"] = 10**400
    own = webui_talk("Own")
    when = "0001-01-01T00:00:00+14:00"
    own["lockhouse"] = {"format": 1, "created_at": when, "updated_at": when}
    done = lockhouse("chats", "import", write(tmp_path / "c.json", [value, own]))
    assert (done.code, done.err) == (0, "")
    assert len(lockhouse("chats", "list").text.splitlines()) == 3


def test_files_of_an_imported_answer_are_shown(lockhouse: Command, tmp_path: Path) -> None:
    code = {"text": "print(1+1)"}
    talk = chatgpt(
        [
            node("u", None, "user", "plot"),
            node("k", "u", "assistant", None, kind="code", content=code, to="python"),
            node("a", "k", "assistant", "Done."),
        ]
    )
    lockhouse("chats", "import", write(tmp_path / "c.json", [talk]))
    [chat] = lockhouse("chats", "list", "--json").json
    shown = lockhouse("chats", "show", chat["id"]).text
    assert "Done.\n(file: python)\nprint(1+1)" in shown
