"""What goes out comes back, other programs' exports come in, and nothing half-way."""

from __future__ import annotations

import json
import os
import random
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Conversation, Conversations, Message, Provenance
from lockhouse.chat.import_export import ImportReport, export, import_file
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.events import Failed, Finished, Usage
from lockhouse.storage.database import Database

TINY = TargetInfo("tiny", "local", title="Tiny 1B", sha256="ab" * 32)
DONE = Finished(
    "stop",
    usage=Usage(5, 0, 9),
    parameters={"temperature": 0.5, "seed": 7},
    model_sha256="cd" * 32,
)
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> ![pixel](https://example.org/p.png)\n\n"
    "[click](javascript:alert(1)) [site](https://example.org) </details></article>\n\n"
    "```html\n<b>code</b>\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
)


def answer(conversations: Conversations, parent: Message, text: str, **wishes: Any) -> Message:
    begun = conversations.begin_answer(parent.conversation_id, parent.id, target=TINY)
    finish = {
        "content": text,
        "reasoning": "",
        "status": "complete",
        "provenance": Provenance(TINY, DONE),
        **wishes,
    }
    return conversations.finish_answer(begun.id, **finish)


@pytest.fixture
def talk(conversations: Conversations) -> Conversation:
    """A conversation with everything in it that can be kept."""
    folder = conversations.create_folder("Travel")
    chat = conversations.create(
        title='A "quoted": title #1', target="tiny", system="Be <brief>.", folder_id=folder.id
    )
    first = conversations.add_user(chat.id, "What is 東京?", parent_id=None)
    one = answer(conversations, first, "A city.", reasoning="Hm, > a city & more\n\n</details> end")
    answer(
        conversations, first, "Half", status="failed", provenance=None, error=Failed("x", "Broke.")
    )
    second = conversations.add_user(chat.id, HOSTILE, parent_id=one.id)
    answer(conversations, second, HOSTILE)
    conversations.edit(second.id, "Edited")
    conversations.select_version(second.id, 0)
    conversations.set_pinned(chat.id, pinned=True)
    conversations.set_label(chat.id, "internal")
    conversations.save_draft(chat.id, "half typed")
    conversations.set_parameters(chat.id, {"temperature": 0.1, "nested": {"a": [1, None]}})
    return conversations.get(chat.id)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Conversations:
    return Conversations(Database(tmp_path / "other" / "o.db", backups=tmp_path / "other" / "b"))


def write(path: Path, content: str | bytes | object) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


# Out


def test_json_out_and_in_again_loses_nothing(
    conversations: Conversations, elsewhere: Conversations, talk: Conversation, tmp_path: Path
) -> None:
    file = write(tmp_path / "talk.json", export(conversations, talk.id, "json"))
    assert import_file(elsewhere, file) == ImportReport(1, 6, [])
    there = elsewhere.get(talk.id)
    folder = elsewhere.folders()[0]
    assert folder.name == "Travel"
    assert there.folder_id == folder.id
    for field in Conversation.__struct_fields__:
        if field != "folder_id":
            assert getattr(there, field) == getattr(talk, field), field
    assert elsewhere.messages(talk.id) == conversations.messages(talk.id)
    assert elsewhere.path(talk.id) == conversations.path(talk.id)
    assert export(elsewhere, talk.id, "json") == export(conversations, talk.id, "json")
    assert elsewhere.search("city")


def test_json_has_the_layout_of_open_webui(
    conversations: Conversations, talk: Conversation
) -> None:
    [written] = json.loads(export(conversations, talk.id, "json"))
    history = written["chat"]["history"]
    assert history["currentId"] == talk.active_leaf_id
    for key, message in history["messages"].items():
        assert message["id"] == key
        assert message["role"] in ("user", "assistant")
        if message["parentId"] is not None:
            assert key in history["messages"][message["parentId"]]["childrenIds"]
    line = [message["id"] for message in written["chat"]["messages"]]
    assert line == [message.id for message in conversations.path(talk.id)]


def test_markdown_says_what_produced_it(conversations: Conversations, talk: Conversation) -> None:
    text = export(conversations, talk.id, "md")
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    facts = {
        name: json.loads(fact) for name, fact in (ln.split(": ", 1) for ln in head.split("\n"))
    }
    assert facts["title"] == talk.title
    assert (facts["model"], facts["sha256"]) == ("tiny", "cd" * 32)
    assert facts["parameters"] == {"temperature": 0.5, "seed": 7}
    assert facts["created"] == talk.created_at.isoformat(timespec="seconds")
    assert '<details type="reasoning">' in body
    trace = body.split('<details type="reasoning">', 1)[1].split("</details>", 1)[0]
    assert "Hm, > a city & more" in trace
    assert trace.rstrip().endswith("end")
    assert "## You\n\nWhat is 東京?\n" in body
    assert "## Tiny 1B" in body


def test_jsonl_is_one_line_of_messages(conversations: Conversations, talk: Conversation) -> None:
    text = export(conversations, talk.id, "jsonl")
    assert text.count("\n") == 1
    messages = json.loads(text)["messages"]
    assert [message["role"] for message in messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert messages[2]["reasoning_content"].startswith("Hm")


class Page(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_holds_no_script_and_fetches_nothing(
    conversations: Conversations, talk: Conversation
) -> None:
    text = export(conversations, talk.id, "html")
    page = Page(text)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "link", "object", "embed", "base", "form", "b"}
    assert "table" in names
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert "src" not in attributes
        assert "style" not in attributes
        if "href" in attributes:
            assert tag == "a"
            assert str(attributes["href"]).startswith("https://")
    style = text.split("<style>", 1)[1].split("</style>", 1)[0]
    assert not re.search(r"url\(|@import|https?:", style)
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert "A &quot;quoted&quot;: title #1" in text
    assert "&lt;script&gt;" in text
    assert "Tiny 1B" in text


def test_an_image_inside_the_text_stays(conversations: Conversations) -> None:
    chat = conversations.create(title="Picture")
    data = "data:image/png;base64,iVBORw0KGgo="
    conversations.add_user(chat.id, f"![dot]({data}) ![svg](data:image/svg+xml,x)", parent_id=None)
    images = [a for tag, a in Page(export(conversations, chat.id, "html")).tags if tag == "img"]
    assert images == [{"alt": "dot", "src": data}]


def test_lines_of_the_user_stay_lines(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "one\ntwo", parent_id=None)
    answer(conversations, first, "three\nfour")
    text = export(conversations, chat.id, "html")
    assert "one<br />\ntwo" in text
    assert "three\nfour" in text


@pytest.mark.parametrize("fmt", ["md", "json", "jsonl", "html"])
def test_an_empty_conversation_can_be_exported(conversations: Conversations, fmt: str) -> None:
    assert export(conversations, conversations.create().id, fmt)


def test_an_unknown_format_is_refused(conversations: Conversations) -> None:
    with pytest.raises(UsageMistake):
        export(conversations, conversations.create().id, "pdf")
    with pytest.raises(NotFound):
        export(conversations, "zz", "md")


# In again


def test_the_same_file_twice_brings_no_doubles(
    conversations: Conversations, elsewhere: Conversations, talk: Conversation, tmp_path: Path
) -> None:
    file = write(tmp_path / "talk.json", export(conversations, talk.id, "json"))
    told = '"A "quoted": title #1" is here already.'
    assert import_file(conversations, file) == ImportReport(0, 0, [told])
    import_file(elsewhere, file)
    assert import_file(elsewhere, file) == ImportReport(0, 0, [told])
    assert len(elsewhere.list()) == 1


def test_a_conversation_that_went_on_is_imported_beside(
    conversations: Conversations, talk: Conversation, tmp_path: Path
) -> None:
    file = write(tmp_path / "talk.json", export(conversations, talk.id, "json"))
    conversations.add_user(talk.id, "More", parent_id=talk.active_leaf_id)
    assert import_file(conversations, file).conversations == 1
    ids = {chat.id for chat in conversations.list()}
    assert len(ids) == 2
    [copy] = ids - {talk.id}
    assert [m.content for m in conversations.path(copy)][-1] == HOSTILE
    assert import_file(conversations, file).conversations == 0


def test_a_deleted_conversation_can_be_imported_again(
    conversations: Conversations, talk: Conversation, tmp_path: Path
) -> None:
    file = write(tmp_path / "talk.json", export(conversations, talk.id, "json"))
    conversations.delete([talk.id])
    assert import_file(conversations, file).conversations == 1
    assert len(conversations.list()) == 1


# Other programs

GPT: dict[str, Any] = {
    "title": "Rivers",
    "create_time": 1700000000.5,
    "update_time": 1700000100.0,
    "conversation_id": "gpt-1",
    "current_node": "e",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["s"]},
        "s": {
            "id": "s",
            "parent": "root",
            "message": {
                "author": {"role": "system"},
                "content": {"content_type": "text", "parts": [""]},
                "metadata": {"is_visually_hidden_from_conversation": True},
            },
        },
        "u": {
            "id": "u",
            "parent": "s",
            "message": {
                "author": {"role": "user"},
                "create_time": 1700000001.0,
                "content": {
                    "content_type": "multimodal_text",
                    "parts": [{"content_type": "image_asset_pointer"}, "Which river?"],
                },
            },
        },
        "t": {
            "id": "t",
            "parent": "u",
            "message": {
                "author": {"role": "assistant"},
                "content": {
                    "content_type": "thoughts",
                    "thoughts": [{"summary": "Look", "content": "It is wide."}],
                },
            },
        },
        "tool": {
            "id": "tool",
            "parent": "t",
            "message": {
                "author": {"role": "tool"},
                "content": {"content_type": "execution_output", "text": "42"},
            },
        },
        "a": {
            "id": "a",
            "parent": "tool",
            "message": {
                "author": {"role": "assistant"},
                "create_time": 1700000003.0,
                "content": {"content_type": "text", "parts": ["The Rhine."]},
                "metadata": {"model_slug": "gpt-5"},
            },
        },
        "b": {
            "id": "b",
            "parent": "u",
            "message": {
                "author": {"role": "assistant"},
                "create_time": 1700000002.0,
                "content": {"content_type": "text", "parts": ["The Elbe."]},
            },
        },
        "e": {
            "id": "e",
            "parent": "a",
            "message": {
                "author": {"role": "user"},
                "create_time": 1700000004.0,
                "content": {"content_type": "text", "parts": ["Thanks"]},
            },
        },
    },
}


def check_rivers(conversations: Conversations) -> None:
    [chat] = conversations.list()
    assert chat.title == "Rivers"
    assert chat.created_at.timestamp() == 1700000000.5
    path = conversations.path(chat.id)
    assert [(m.role, m.content) for m in path] == [
        ("user", "Which river?"),
        ("assistant", "The Rhine."),
        ("user", "Thanks"),
    ]
    assert path[1].reasoning.strip() == "It is wide."
    assert (path[1].version_index, path[1].version_count) == (1, 2)
    assert path[1].target is not None
    assert path[1].target.name == "gpt-5"


def test_a_chatgpt_export(conversations: Conversations, tmp_path: Path) -> None:
    file = write(tmp_path / "conversations.json", [GPT])
    report = import_file(conversations, file)
    assert (report.conversations, report.messages) == (1, 4)
    assert report.skipped == ["1 images and other attachments cannot be imported."]
    check_rivers(conversations)
    assert import_file(conversations, file).conversations == 0


@pytest.mark.parametrize(
    "name",
    ["conversations.json", "export/conversations-000.json", "a/conversations__chatgpt.json"],
)
def test_a_zipped_chatgpt_export(conversations: Conversations, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", "{}")
        archive.writestr(name, json.dumps([GPT]))
    import_file(conversations, tmp_path / "export.zip")
    check_rivers(conversations)


def test_a_conversation_without_a_title_gets_one(
    conversations: Conversations, tmp_path: Path
) -> None:
    import_file(conversations, write(tmp_path / "c.json", {**GPT, "title": None}))
    assert [chat.title for chat in conversations.list()] == ["Which river?"]


def webui(**wishes: Any) -> dict[str, Any]:
    messages = {
        "1": {
            "id": "1",
            "parentId": None,
            "childrenIds": ["2", "3"],
            "role": "user",
            "content": "Hi",
            "timestamp": 1700000000,
        },
        "2": {
            "id": "2",
            "parentId": "1",
            "childrenIds": [],
            "role": "assistant",
            "content": '<details type="reasoning" done="true" duration="2">\n<summary>Thought'
            "</summary>\n&gt; A &amp; B\n&gt; C\n</details>\nHello",
            "model": "qwen",
            "timestamp": 1700000001,
        },
        "3": {
            "id": "3",
            "parentId": "1",
            "childrenIds": [],
            "role": "assistant",
            "content": [{"type": "text", "text": "Hey"}],
            "timestamp": 1700000002,
            "done": False,
        },
    }
    chat = {
        "title": "Greeting",
        "models": ["qwen"],
        "history": {"currentId": "2", "messages": messages},
    }
    return {
        "id": "w-1",
        "user_id": "u",
        "title": "Greeting",
        "chat": chat,
        "pinned": True,
        "updated_at": 1700000010,
        "created_at": 1700000000,
        "meta": {"tags": ["x"]},
        **wishes,
    }


def test_an_open_webui_export(conversations: Conversations, tmp_path: Path) -> None:
    assert import_file(conversations, write(tmp_path / "w.json", [webui()])).messages == 3
    [chat] = conversations.list()
    assert (chat.title, chat.pinned) == ("Greeting", True)
    shown = conversations.path(chat.id)[-1]
    assert (shown.content, shown.reasoning) == ("Hello", "A & B\nC")
    assert shown.target is not None
    assert shown.target.name == "qwen"
    other = conversations.select_version(shown.id, 1)
    assert (other.content, other.status) == ("Hey", "cut")


def test_an_old_open_webui_export_without_a_tree(
    conversations: Conversations, tmp_path: Path
) -> None:
    line = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    value = webui(chat={"title": "Line", "messages": line})
    import_file(conversations, write(tmp_path / "w.json", value))
    [chat] = conversations.list()
    assert [m.content for m in conversations.path(chat.id)] == ["One", "Two"]


# Bad files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"title": "\xc3\x28"}',
        b"[" * 100_000,
        b"[1]",
        b"{}",
        b'[{"chat": 5}]',
        b'[{"chat": {}, "id": 5}]',
        b'[{"mapping": {"a": 5}}]',
        b"PK\x03\x04 and no more",
        b'[{"chat": {}, "lockhouse": {"format": 99, "created_at": 0, "updated_at": 0}}]',
    ],
    ids=lambda content: repr(content[:24]),
)
def test_files_that_are_no_exports_say_so(
    conversations: Conversations, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(InvalidInput) as told:
        import_file(conversations, write(tmp_path / "bad.json", content))
    assert "bad.json" in told.value.message
    assert conversations.list() == []


def test_pipes_folders_and_missing_files(conversations: Conversations, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(InvalidInput):
            import_file(conversations, path)
    with pytest.raises(NotFound):
        import_file(conversations, tmp_path / "none")


def test_a_file_that_is_too_large_says_so(conversations: Conversations, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b" " * 5_000_000)
    large = write(tmp_path / "large.json", b" " * 3_000_000)
    one = write(tmp_path / "one.json", [{**GPT, "title": "x" * 3_000_000}])
    for path in (tmp_path / "bomb.zip", large, one):
        with pytest.raises(InvalidInput, match="more than 2 MiB"):
            import_file(conversations, path, max_bytes=2 * 2**20)


def test_a_file_may_be_larger_than_what_is_held_of_it(
    conversations: Conversations, tmp_path: Path
) -> None:
    large = [{**GPT, "conversation_id": f"{number}", "padding": "x" * 9000} for number in range(99)]
    told: list[tuple[int, int]] = []
    report = import_file(
        conversations,
        write(tmp_path / "large.json", large),
        max_bytes=20_000,
        progress=lambda done, total: told.append((done, total)),
    )
    assert report.conversations == 99
    assert told == [(done, 99) for done in range(100)]


def test_a_broken_zip_says_so(conversations: Conversations, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([GPT] * 20))
    whole = (tmp_path / "e.zip").read_bytes()
    chance = random.Random(5)
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(8):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        try:
            import_file(conversations, write(tmp_path / "b.zip", bytes(broken)))
        except InvalidInput:
            continue
    with pytest.raises(InvalidInput):
        import_file(conversations, write(tmp_path / "b.zip", whole[: len(whole) // 2]))


def test_mutated_exports_are_imported_or_refused(
    conversations: Conversations, talk: Conversation, tmp_path: Path
) -> None:
    whole = export(conversations, talk.id, "json").encode()
    chance = random.Random(3)
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            start = chance.randrange(len(broken))
            broken[start : start + chance.randrange(4)] = chance.randbytes(chance.randrange(3))
        try:
            import_file(conversations, write(tmp_path / "m.json", bytes(broken)))
        except InvalidInput:
            continue
    for chat in conversations.list():
        conversations.path(chat.id)
        export(conversations, chat.id, "html")
    assert conversations.database.problems() == []


def test_a_very_long_conversation(
    conversations: Conversations, elsewhere: Conversations, tmp_path: Path
) -> None:
    mapping: dict[str, Any] = {}
    for number in range(5000):
        role = "assistant" if number % 2 else "user"
        content = {"content_type": "text", "parts": [f"Message {number}"]}
        mapping[f"n{number}"] = {
            "parent": f"n{number - 1}" if number else None,
            "message": {"author": {"role": role}, "content": content},
        }
    value = {"title": "Long", "mapping": mapping, "current_node": "n4999", "id": "long"}
    import_file(conversations, write(tmp_path / "long.json", [value]))
    [chat] = conversations.list()
    assert len(conversations.path(chat.id)) == 5000
    file = write(tmp_path / "again.json", export(conversations, chat.id, "json"))
    assert import_file(elsewhere, file).messages == 5000
    assert elsewhere.path(chat.id)[-1].content == "Message 4999"
