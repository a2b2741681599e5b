"""One odd message costs itself: the rest comes in, and what does not is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockhouse.chat.conversations import Conversations, Message
from lockhouse.chat.import_export import ImportReport, export, import_file
from lockhouse.core.errors import InvalidInput
from lockhouse.core.messages import File
from tests.chat.exports import chatgpt, gpt_talk, node, webui, webui_message, webui_talk

Bring = Callable[..., ImportReport]


@pytest.fixture
def bring(conversations: Conversations, tmp_path: Path) -> Bring:
    """Imports values, or a text as it is."""

    def bring(*values: object, text: str | bytes = "") -> ImportReport:
        file = tmp_path / "c.json"
        written = text or json.dumps(list(values))
        file.write_bytes(written if isinstance(written, bytes) else written.encode())
        return import_file(conversations, file)

    return bring


def titles(conversations: Conversations) -> list[str]:
    return sorted(chat.title for chat in conversations.list())


def shown(conversations: Conversations, title: str = "Odd") -> list[Message]:
    """What the transcript of a conversation shows."""
    [chat] = [chat for chat in conversations.list() if chat.title == title]
    return conversations.path(chat.id)


def words(messages: list[Message]) -> list[str]:
    return [message.content for message in messages]


def _gpt(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = gpt_talk("Odd")
    change(value["mapping"]["a"])
    return value


def _webui(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = webui_talk("Odd")
    change(value["chat"]["history"]["messages"])
    return value


UNREADABLE = {
    "content is null": _gpt(lambda a: a["message"].update(content=None)),
    "message is a number": _gpt(lambda a: a.update(message=5)),
    "webui content is null": _webui(lambda ms: ms["2"].update(content=None)),
    "webui content is a number": _webui(lambda ms: ms["2"].update(content=7)),
    "webui message is null": _webui(lambda ms: ms.update({"2": None})),
}


@pytest.mark.parametrize("odd", UNREADABLE.values(), ids=UNREADABLE)
def test_a_message_that_cannot_be_read_is_named_and_the_rest_comes_in(
    conversations: Conversations, bring: Bring, odd: dict[str, Any]
) -> None:
    report = bring(gpt_talk("Before"), odd, webui_talk("After"))
    assert titles(conversations) == ["After", "Before", "Odd"]
    key = "a" if "mapping" in odd else "2"
    assert report.skipped == [f'In "Odd", 1 message cannot be read: {key}.']
    assert [message.role for message in shown(conversations)] == ["user"]


READABLE = {
    "content without a type": _gpt(lambda a: a["message"]["content"].pop("content_type")),
    "author is null": _gpt(lambda a: a["message"].update(author=None)),
    "parts is a text": _gpt(lambda a: a["message"]["content"].update(parts="answer of Odd")),
    "no author": _gpt(lambda a: a["message"].pop("author")),
    "time is a text": _gpt(lambda a: a["message"].update(create_time="2025-05-01T10:00:00Z")),
    "metadata is a list": _gpt(lambda a: a["message"].update(metadata=[])),
    "recipient is a number": _gpt(lambda a: a["message"].update(recipient=3)),
    "children is a number": _gpt(lambda a: a.update(children=3)),
    "nothing is shown": {**gpt_talk("Odd"), "current_node": None},
    "webui no role": _webui(lambda ms: ms["2"].pop("role")),
    "webui time is a text": _webui(lambda ms: ms["2"].update(timestamp="1700000000")),
    "webui model is a record": _webui(lambda ms: ms["2"].update(model={})),
    "webui own fields are odd": _webui(lambda ms: ms["2"].update(lockhouse={"content": 5})),
}


@pytest.mark.parametrize("odd", READABLE.values(), ids=READABLE)
def test_what_can_be_understood_is_kept(
    conversations: Conversations, bring: Bring, odd: dict[str, Any]
) -> None:
    assert bring(odd, gpt_talk("After")).skipped == []
    path = shown(conversations)
    assert [message.role for message in path] == ["user", "assistant"]
    assert path[-1].content in ("answer of Odd", "answer Odd")


def test_lists_of_models_that_are_null_are_not_needed(
    conversations: Conversations, bring: Bring
) -> None:
    value = webui_talk("Odd")
    value["chat"].update(models=None, system=None, title=None)
    assert bring(value).skipped == []
    assert len(shown(conversations)) == 2


def test_a_message_that_belongs_to_nothing_is_named(
    conversations: Conversations, bring: Bring
) -> None:
    odd = _webui(lambda ms: ms.update({"3": {"content": "partial", "model": "llama3:8b"}}))
    assert bring(odd).skipped == ['In "Odd", 1 message cannot be read: 3.']
    assert words(shown(conversations)) == ["hello Odd", "answer Odd"]


@pytest.mark.parametrize("make", [gpt_talk, webui_talk])
def test_a_circle_is_opened_and_named(
    conversations: Conversations, bring: Bring, make: Callable[[str], dict[str, Any]]
) -> None:
    odd = make("Odd")
    if make is gpt_talk:
        odd["mapping"]["u"]["parent"] = "a"
    else:
        odd["chat"]["history"]["messages"]["1"]["parentId"] = "2"
    report = bring(odd, gpt_talk("After"))
    assert report.skipped == ['In "Odd", messages follow each other in a circle, which was opened.']
    assert [message.role for message in shown(conversations)] == ["user", "assistant"]


def test_links_to_children_stand_in_for_missing_parents(
    conversations: Conversations, bring: Bring
) -> None:
    odd = gpt_talk("Odd")
    for key, child in (("r", "u"), ("u", "a"), ("a", "")):
        del odd["mapping"][key]["parent"]
        odd["mapping"][key]["children"] = [child, 5]
    other = webui_talk("Other")
    messages = other["chat"]["history"]["messages"]
    messages["1"]["childrenIds"] = ["2"]
    messages["2"]["parentId"] = "gone"
    assert bring(odd, other).skipped == []
    assert words(shown(conversations)) == ["hello from Odd", "answer of Odd"]
    assert words(shown(conversations, "Other")) == ["hello Other", "answer Other"]


def test_half_characters_are_replaced_and_pairs_of_halves_joined(
    conversations: Conversations, bring: Bring
) -> None:
    text = json.dumps([gpt_talk("Odd"), gpt_talk("After")])
    assert bring(text=text.replace("answer of Odd", "cut \\ud83d")).skipped == []
    assert words(shown(conversations))[-1] == "cut \ufffd"
    pair = json.dumps([gpt_talk("Pair")]).encode()
    assert bring(text=pair.replace(b"answer of Pair", b"\xed\xa0\xbd\xed\xb8\x80")).skipped == []
    assert words(shown(conversations, "Pair"))[-1] == "\U0001f600"


def test_names_with_half_characters_can_be_kept(conversations: Conversations, bring: Bring) -> None:
    odd = gpt_talk("Odd")
    odd["mapping"]["a"]["message"]["metadata"] = {"model_slug": "MODEL"}
    assert bring(text=json.dumps([odd]).replace("MODEL", "gpt \\ud83d")).conversations == 1
    target = shown(conversations)[-1].target
    assert target is not None
    assert target.name == "gpt \ufffd"


def test_a_conversation_that_is_no_json_costs_itself(
    conversations: Conversations, bring: Bring
) -> None:
    good, deep = json.dumps(gpt_talk("Good")), "[" * 5000 + "]" * 5000
    text = f'[{good}, {{"mapping": x}}, {{"mapping": {{"a": {deep}}}}}, 5, "[", {{}}]'
    report = bring(text=text)
    assert titles(conversations) == ["Good"]
    assert [sentence.split(" in ")[0] for sentence in report.skipped] == [
        f"Conversation {number}" for number in range(2, 6)
    ]


def test_nothing_comes_in_of_a_file_whose_end_is_missing(
    conversations: Conversations, bring: Bring
) -> None:
    whole = json.dumps([gpt_talk("One"), gpt_talk("Two")])
    for text in (whole[:-1], whole[:-30], whole + "]", whole[: len(whole) // 2]):
        with pytest.raises(InvalidInput):
            bring(text=text)
    assert conversations.list() == []


@pytest.mark.parametrize(
    "wrap",
    [
        lambda ones: "\n".join(json.dumps(one) for one in ones),
        lambda ones: json.dumps({one["title"]: one for one in ones}),
        lambda ones: json.dumps({"conversations": ones, "version": {"a": [1]}}),
        lambda ones: json.dumps({"version": 1, "conversations": ones}),
        lambda ones: "\ufeff" + json.dumps(ones, indent=2),
    ],
    ids=["lines", "by id", "wrapped", "wrapped behind", "indented"],
)
def test_other_ways_to_hold_several_conversations(
    conversations: Conversations, bring: Bring, wrap: Callable[[list[Any]], str]
) -> None:
    assert bring(text=wrap([gpt_talk("One"), webui_talk("Two")])).skipped == []
    assert titles(conversations) == ["One", "Two"]


def test_a_conversation_without_an_id_is_found_again(
    conversations: Conversations, bring: Bring
) -> None:
    value = gpt_talk("Nameless")
    del value["conversation_id"]
    assert bring(value).conversations == 1
    assert bring(value).skipped == ['"Nameless" is here already.']


# Dates of strangers


@pytest.mark.parametrize(
    "when",
    [
        10**400, -(10**400), 10**30, 1e308, -1e308, -5, True, "soon", "9" * 5000, "1e400",
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", [], {},
    ],
    ids=lambda when: repr(when)[:30],
)  # fmt: skip
def test_odd_dates_are_no_dates(conversations: Conversations, bring: Bring, when: object) -> None:
    one, two = gpt_talk("One"), webui_talk("Two")
    one.update(create_time=when, update_time=when)
    one["mapping"]["u"]["message"]["create_time"] = when
    two.update(created_at=when, updated_at=when)
    two["chat"]["timestamp"] = when
    two["chat"]["history"]["messages"]["1"]["timestamp"] = when
    assert bring(one, two).conversations == 2
    for chat in conversations.list():
        assert 1970 <= chat.created_at.year < 2200
        assert 1970 <= chat.updated_at.year < 2200
        assert all(1970 <= m.created_at.year < 2200 for m in conversations.messages(chat.id))


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01T00:00:00"]
)
def test_odd_dates_in_our_own_export(conversations: Conversations, bring: Bring, when: str) -> None:
    chat = conversations.create(title="Own")
    conversations.add_user(chat.id, "hi", parent_id=None)
    [value] = json.loads(export(conversations, chat.id, "json"))
    conversations.delete([chat.id])
    value["lockhouse"].update(created_at=when, updated_at=when)
    for message in value["chat"]["history"]["messages"].values():
        message["lockhouse"]["created_at"] = when
    assert bring(value).conversations == 1
    [chat] = conversations.list()
    assert 2024 <= chat.created_at.year < 2200
    assert export(conversations, chat.id, "md")


@pytest.mark.parametrize("when", [1714557600, 1714557600000, 1714557600000000, "1714557600.0",
                                  "2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00"])  # fmt: skip
def test_times_in_all_their_forms(conversations: Conversations, bring: Bring, when: object) -> None:
    value = gpt_talk("Odd")
    value["create_time"] = when
    bring(value)
    [chat] = conversations.list()
    assert chat.created_at.isoformat() == "2024-05-01T10:00:00+00:00"


def test_numbers_without_bounds_in_our_own_fields(
    conversations: Conversations, bring: Bring
) -> None:
    chat = conversations.create(title="Own", parameters={"seed": 1})
    conversations.add_user(chat.id, "hi", parent_id=None)
    text = export(conversations, chat.id, "json").replace('"seed": 1', '"seed": ' + "9" * 300)
    conversations.delete([chat.id])
    assert bring(text=text).conversations == 1
    assert export(conversations, conversations.list()[0].id, "json")


# What stands beside the words


def test_citations_become_readable(conversations: Conversations, bring: Bring) -> None:
    cite, other = "\ue200cite\ue202turn0search1\ue201", "\ue200cite\ue202turn9search9\ue201"
    entity = '\ue200entity\ue202["people","Ada",0]\ue201'
    link = "\ue200url\ue202a page\ue202turn1\ue201"
    old, item = "【4†source】", "\ue200cite\ue202turn2\ue201"
    text = f"One {cite} two{other} and {entity}, {link} {old} {item} \ue203kept\ue204 【as it is】"
    references = [
        {"matched_text": cite, "alt": "([Example](https://example.org))"},
        {"matched_text": old, "alt": "[notes.txt]"},
        {"matched_text": item, "alt": None, "items": [{"title": "A [b]", "url": "https://b.org"}]},
        {"matched_text": 5, "alt": []}, None,
    ]  # fmt: skip
    bring(chatgpt([
        node("u", None, "user", "q"),
        node("a", "u", "assistant", text, metadata={"content_references": references}),
    ], "Odd"))  # fmt: skip
    assert words(shown(conversations))[-1] == (
        "One ([Example](https://example.org)) two and Ada, a page [notes.txt]"
        " ([A b](https://b.org)) kept 【as it is】"
    )


def test_canvas_code_and_output_of_tools_are_kept(
    conversations: Conversations, bring: Bring
) -> None:
    canvas = json.dumps({"name": "Essay", "type": "document", "content": "body of the essay"})
    code = {"text": "print(1+1)", "language": "python"}
    report = bring(chatgpt([
        node("c", None, "user", None, kind="user_editable_context",
             content={"user_profile": "I keep bees", "user_instructions": "Be brief"},
             metadata={"is_visually_hidden_from_conversation": True}),
        node("u1", "c", "user", "plot"),
        node("k", "u1", "assistant", None, kind="code", content=code, to="python"),
        node("o", "k", "tool", None, kind="execution_output", content={"text": "2"}, name="python"),
        node("a1", "o", "assistant", "It is 2."),
        node("u2", "a1", "user", "write"),
        node("v", "u2", "assistant", canvas, to="canmore.create_textdoc"),
        node("w", "v", "tool", "Created.", name="canmore.create_textdoc"),
        node("a2", "w", "assistant", "Written."),
        node("x", "a2", "assistant", None, kind="code", content=code),
        node("h", "x", "system", "secret", metadata={"is_visually_hidden_from_conversation": True}),
        node("p", "h", "assistant", None, kind="a_kind_of_tomorrow"),
        node("u3", "p", "user", [{"content_type": "image_asset_pointer"}, "thanks"]),
    ], "Odd"))  # fmt: skip
    path = shown(conversations)
    assert words(path) == [
        "plot", "It is 2.", "write", "Written.", "```python\nprint(1+1)\n```", "thanks",
    ]  # fmt: skip
    assert path[1].files == (File("python", "print(1+1)"), File("python output", "2"))
    assert path[3].files == (
        File("Essay", "body of the essay"),
        File("canmore.create_textdoc output", "Created."),
    )
    [chat] = conversations.list()
    assert chat.system == "I keep bees\n\nBe brief"
    assert report.skipped == [
        "1 hidden messages of other programs were left out.",
        "2 images and other attachments cannot be imported.",
    ]


def test_a_report_that_a_tool_wrote_last_is_an_answer(
    conversations: Conversations, bring: Bring
) -> None:
    bring(chatgpt([
        node("u", None, "user", "research bees"),
        node("a", "u", "assistant", "I'll start."),
        node("k", "a", "assistant", "{}", to="research.start"),
        node("rep", "k", "tool", "# Bees\nREPORT", name="research.start"),
    ], "Odd"))  # fmt: skip
    path = shown(conversations)
    assert words(path) == ["research bees", "I'll start.", "# Bees\nREPORT"]
    assert path[-1].files == (File("research.start", "{}"),)


def test_thoughts_that_no_answer_followed_are_kept(
    conversations: Conversations, bring: Bring
) -> None:
    thought = {"thoughts": [{"content": "Hm."}, 5, {"content": None}]}
    bring(chatgpt([
        node("u", None, "user", "q"),
        node("t", "u", "assistant", None, kind="thoughts", content=thought),
        node("v", "t", "user", "never mind"),
    ], "Odd"))  # fmt: skip
    path = shown(conversations)
    assert [(m.role, m.content, m.reasoning.strip(), m.status) for m in path] == [
        ("user", "q", "", "complete"),
        ("assistant", "", "Hm.", "cut"),
        ("user", "never mind", "", "complete"),
    ]


def test_what_open_webui_keeps_beside_the_text(conversations: Conversations, bring: Bring) -> None:
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "plan"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "VISIBLE"}]},
    ]
    bring(webui([
        webui_message("1", None, "user", "q"),
        webui_message("2", "1", "assistant", "", output=output, model="m"),
        webui_message("3", "2", "user", "again"),
        webui_message("4", "3", "assistant", "", error={"content": "500: not found"}, model="m"),
    ], "Odd"))  # fmt: skip
    path = shown(conversations)
    assert (path[1].content, path[1].reasoning) == ("VISIBLE", "plan")
    assert path[3].status == "failed"
    assert path[3].error is not None
    assert path[3].error.message == "500: not found"


def test_an_imported_answer_that_a_person_edits_is_that_persons(
    conversations: Conversations, bring: Bring
) -> None:
    bring(webui_talk("Odd"))
    imported = shown(conversations)[-1]
    assert imported.is_imported
    assert conversations.edit(imported.id, "Mine").target is None


@pytest.mark.parametrize("fmt", ["md", "jsonl", "html", "json"])
def test_files_of_a_message_are_in_every_export(conversations: Conversations, fmt: str) -> None:
    chat = conversations.create(title="Own")
    file = File("a <b>", "words of the file")
    conversations.add_user(chat.id, "hi", parent_id=None, parts=[file])
    text = export(conversations, chat.id, fmt)
    assert "words of the file" in text
    assert "a <b>" in text or "a &lt;b&gt;" in text
