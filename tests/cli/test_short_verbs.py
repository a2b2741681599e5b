"""The verbs that users of other programs type, what goes on, and what was asked before."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import Command

TWO = ("--max-tokens", "2")


def test_short_verbs_do_what_the_long_commands_do(shared: Command) -> None:
    long = shared("models", "list", "--json").json
    assert shared("ls", "--json").json == long
    name = long[0]["name"]
    told = shared("run", name, "Say", "hello.", *TWO, "--json").json
    assert told["target"]["name"] == name
    assert [one["model_name"] for one in shared("ps", "--json").json] == [name]
    piped = shared("run", name, *TWO, stdin=b"Say hello.")
    assert piped.code == 0
    assert piped.text.strip()
    assert (
        shared("rm", name, "--dry-run").code == shared("models", "remove", name, "--dry-run").code
    )
    refused = shared("pull", "org/repo", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (4, "sealed")


def test_a_verb_that_has_another_name_here_is_named(shared: Command) -> None:
    for typed, meant in (
        ("list", "models list"),
        ("stop", "models unload"),
        ("show", "models show"),
    ):
        refused = shared(typed)
        assert refused.code == 2
        assert f"Did you mean: lockhouse {meant}" in refused.err


def test_a_short_name_of_a_model_leads_to_the_hub(shared: Command) -> None:
    for command in ("pull", "run"):
        refused = shared(command, "qwen3:0.6b", stdin=b"Hi")
        assert refused.code in (2, 3)
        assert "lockhouse models search qwen3" in refused.err
    assert "Qwen3-0.6B-GGUF" in shared("pull", "qwen3:0.6b").err
    assert shared("models", "ls", "--json").json == shared("models", "list", "--json").json
    assert "Did you mean: lockhouse --help" in shared("help").err


def test_a_model_is_loaded_and_unloaded_by_command(lockhouse: Command) -> None:
    name = lockhouse("ls", "--json").json[0]["name"]
    assert lockhouse("ps", "--json").json == []
    loaded = lockhouse("models", "load", name, "--json").json
    assert loaded["state"] == "ready"
    assert [one["id"] for one in lockhouse("ps", "--json").json] == [loaded["id"]]
    assert lockhouse("models", "unload", name, "--json").json == {"stopped": 1}
    assert lockhouse("ps", "--json").json == []
    assert lockhouse("models", "load", "nothing").code == 3


def test_the_last_conversation_goes_on(lockhouse: Command) -> None:
    nothing = lockhouse("ask", "-c", "Hello")
    assert nothing.code == 3
    assert "no conversation yet" in nothing.err
    first = lockhouse("ask", "My name is Ada.", *TWO, "--json").json["conversation_id"]
    second = lockhouse("ask", "Hello", *TWO, "--json").json["conversation_id"]
    assert lockhouse("ask", "-c", "And?", *TWO, "--json").json["conversation_id"] == second
    lockhouse("ask", "--chat", first, "And?", *TWO)
    assert lockhouse("ask", "--continue", "And?", *TWO, "--json").json["conversation_id"] == first
    assert lockhouse("chat", "-c", *TWO, stdin=b"And now?\n").code == 0
    kept = lockhouse("chats", "show", first, "--json").json["messages"]
    assert [one["content"] for one in kept if one["role"] == "user"][-1] == "And now?"
    assert lockhouse("ask", "-c", "--chat", first, "Hi").code == 2
    assert lockhouse("ask", "-c", "--no-save", "Hi").code == 2


def test_the_last_questions_are_shown_with_their_answers(lockhouse: Command) -> None:
    assert "no answer yet" in lockhouse("logs").err
    asked = [f"Question {number}" for number in range(4)]
    answers = [lockhouse("ask", one, *TWO, "--json").json for one in asked]
    shown = lockhouse("logs", "--json").json
    assert [one["question"] for one in shown] == asked[1:]
    assert [one["answer"] for one in shown] == [one["text"] for one in answers[1:]]
    assert [one["conversation_id"] for one in shown] == [
        one["conversation_id"] for one in answers[1:]
    ]
    assert shown[-1]["target"]["kind"] == "local"
    assert shown[-1]["sent"] == []
    lockhouse("ask", "--chat", answers[0]["conversation_id"], "Question 4", *TWO)
    (newest,) = lockhouse("logs", "-n", "1", "--json").json
    assert newest["question"] == "Question 4"
    assert "> Question 4" in lockhouse("logs", "-n", "1").text


def test_a_chat_knows_the_commands_of_ollama(lockhouse: Command) -> None:
    name = lockhouse("ls", "--json").json[0]["name"]
    typed = b'/set system "Be terse."\n/show\nHello\n/clear\nHello again\n/bye\nNever\n'
    told = lockhouse("chat", "-m", name, *TWO, stdin=typed)
    assert told.code == 0
    assert name in told.err
    chats = lockhouse("chats", "list", "--json").json
    assert {(chat["title"], chat["system"]) for chat in chats} == {
        ("Hello", "Be terse."),
        ("Hello again", "Be terse."),
    }


def test_a_profile_holds_a_system_prompt_for_chats_without_one(lockhouse: Command) -> None:
    name = lockhouse("ls", "--json").json[0]["name"]
    prompt = "You are a pirate. Say Arr."
    saved = lockhouse("models", "profile", "save", name, "pirate", "-s", prompt, "--use", "--json")
    assert saved.json[0]["system"] == prompt
    assert f'system "{prompt}"' in lockhouse("models", "profile", "list", name).text
    used = lockhouse("ask", "Hello", *TWO, "--json").json["parameters"]
    assert used["instructions"] == prompt
    own = lockhouse("ask", "Hello", "-s", "Be terse.", *TWO, "--json").json["parameters"]
    assert "instructions" not in own
    plain = lockhouse("ask", "Hello", *TWO, "--json").json["usage"]["prompt_tokens"]
    assert lockhouse("models", "profile", "use", name, "--none").code == 0
    assert lockhouse("ask", "Hello", *TWO, "--json").json["usage"]["prompt_tokens"] != plain


def test_what_an_export_wrote_is_told_as_json(lockhouse: Command, tmp_path: Path) -> None:
    chat = lockhouse("ask", "Hello", *TWO, "--json").json["conversation_id"]
    file = tmp_path / "chat.md"
    told = lockhouse("chats", "export", chat, "-o", file, "--json").json
    assert told == {"conversation_id": chat, "format": "md", "path": str(file)}
    text = lockhouse("chats", "export", chat, "--format", "json", "--json").json["text"]
    assert json.loads(text)
