"""``lockhouse ask``: the answer, its JSON, its conversation, and where the question comes from."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Command
from tests.documents import pdf

FRANCE = "What is the capital of France? Answer in one sentence."
LONG = "Tell me the history of the lighthouse in all its detail."

KEYS = {
    "text", "reasoning", "finish_reason", "target", "usage", "timing", "cost", "parameters",
    "engine", "conversation_id", "message_id", "left_machine",
}  # fmt: skip


def test_the_answer_under_json_has_every_key_of_the_contract(shared: Command) -> None:
    answer = shared("ask", FRANCE, "--temperature", "0", "--json").json
    assert "Paris" in answer["text"]
    assert set(answer) >= KEYS
    assert answer["finish_reason"] == "stop"
    assert answer["reasoning"] is None
    assert answer["cost"] is None
    assert answer["left_machine"] is False
    assert set(answer["target"]) >= {"name", "kind", "sha256", "provider"}
    assert answer["target"]["kind"] == "local"
    assert len(answer["target"]["sha256"]) == 64
    assert set(answer["usage"]) == {
        "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens",
    }  # fmt: skip
    assert answer["usage"]["prompt_tokens"] > 0
    assert answer["usage"]["completion_tokens"] > 0
    assert set(answer["timing"]) == {
        "load_s", "first_token_s", "total_s", "prompt_tokens_per_s", "tokens_per_s",
    }  # fmt: skip
    assert set(answer["engine"]) == {"name", "version", "build"}
    assert answer["parameters"]["temperature"] == 0
    assert isinstance(answer["parameters"]["seed"], int)


def test_a_second_command_goes_on_with_the_conversation_and_reads_only_what_is_new(
    shared: Command,
) -> None:
    first = shared("ask", FRANCE, "--temperature", "0", "--json").json
    engines = shared("engines", "list", "--json").json
    second = shared(
        "ask", "And of Italy?", "--chat", first["conversation_id"], "--temperature", "0", "--json"
    ).json
    assert second["conversation_id"] == first["conversation_id"]
    assert "Rome" in second["text"]
    assert second["usage"]["cached_tokens"] >= first["usage"]["prompt_tokens"]
    after = shared("engines", "list", "--json").json
    assert [engine["pid"] for engine in after] == [engine["pid"] for engine in engines]


def test_the_same_seed_says_the_same_twice(shared: Command) -> None:
    asked = ("ask", "Invent a name for a ship.", "--seed", "7", "--temperature", "1", "--json")
    first, second = shared(*asked).json, shared(*asked).json
    assert first["text"] == second["text"]
    assert first["parameters"]["seed"] == 7
    other = shared(*asked[:2], "--seed", "8", "--temperature", "1", "--json").json
    assert other["text"] != first["text"]


def test_plain_text_goes_to_standard_output_and_nothing_else_does(shared: Command) -> None:
    outcome = shared("ask", FRANCE, "--temperature", "0")
    assert outcome.code == 0
    assert outcome.text.endswith(".\n")
    assert "Paris" in outcome.text
    assert "\x1b" not in outcome.text + outcome.err
    assert outcome.err == ""


def test_every_event_is_a_line_under_jsonl(shared: Command) -> None:
    lines = shared("ask", FRANCE, "--temperature", "0", "--jsonl").lines
    kinds = [line["type"] for line in lines]
    assert kinds[-2:] == ["usage", "finished"]
    assert "prompt_progress" in kinds
    assert "Paris" in "".join(line["text"] for line in lines if line["type"] == "text")
    assert lines[-1]["finish_reason"] == "stop"
    assert lines[-1]["conversation_id"]


def test_the_question_can_come_from_a_pipe(shared: Command) -> None:
    for arguments in (("ask", "-"), ("ask",)):
        outcome = shared(*arguments, "--temperature", "0", stdin=FRANCE.encode())
        assert "Paris" in outcome.text


def test_the_prompt_comes_first_and_what_is_piped_after_it(shared: Command) -> None:
    answer = shared(
        "ask",
        "Which city is named here?",
        "--json",
        "--max-tokens",
        "3",
        stdin=b"I live in Oslo.\n",
    ).json
    messages = shared("chats", "show", answer["conversation_id"], "--json").json["messages"]
    assert messages[0]["content"] == "Which city is named here?\n\nI live in Oslo."


def test_a_pdf_goes_along_as_text_with_its_pages(shared: Command, tmp_path: Path) -> None:
    report = pdf(tmp_path / "report.pdf", "Boats are built of oak.", "Sails are of linen.")
    done = shared("ask", "Read this.", "--attach", report, "--json", "--max-tokens", "3").json
    asked = shared("chats", "show", done["conversation_id"], "--json").json["messages"][0]
    assert "[Page 2]\nSails are of linen." in asked["content"]


def test_attached_files_stand_behind_the_prompt_in_fences_they_cannot_close(
    shared: Command, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("The code is ```42```.\n")
    answer = shared("ask", "Read this.", "--attach", notes, "--json", "--max-tokens", "3").json
    messages = shared("chats", "show", answer["conversation_id"], "--json").json["messages"]
    expected = "Read this.\n\nnotes.txt:\n````\nThe code is ```42```.\n````"
    assert messages[0]["content"] == expected


def test_nothing_is_kept_without_saving(lockhouse: Command) -> None:
    answer = lockhouse("ask", "Hello", "--no-save", "--json", "--max-tokens", "3").json
    assert answer["conversation_id"] is None
    assert answer["message_id"] is None
    assert lockhouse("chats", "list", "--json").json == []


def test_a_label_is_kept_with_the_conversation(shared: Command) -> None:
    answer = shared("ask", "Hi", "--label", "confidential", "--json", "--max-tokens", "2").json
    kept = shared("chats", "show", answer["conversation_id"], "--json").json
    assert kept["label"] == "confidential"


def test_an_answer_to_a_schema_fits_it(shared: Command, tmp_path: Path) -> None:
    schema = tmp_path / "city.json"
    schema.write_text(
        json.dumps(
            {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "maxLength": 20},
                    "size": {"enum": ["small", "large"]},
                },
                "required": ["city", "size"],
                "additionalProperties": False,
            }
        )
    )
    for seed in ("1", "2", "3"):
        outcome = shared(
            "ask", "Describe Paris.", "--schema", schema, "--seed", seed, "--max-tokens", "60"
        )
        answer = json.loads(outcome.text)
        assert set(answer) == {"city", "size"}
        assert answer["size"] in {"small", "large"}


def test_an_answer_to_a_grammar_is_in_its_language(shared: Command, tmp_path: Path) -> None:
    grammar = tmp_path / "yes.gbnf"
    grammar.write_text('root ::= "yes" | "no"\n')
    assert shared("ask", "Is water wet?", "--grammar", grammar).text in {"yes\n", "no\n"}


def test_the_answer_ends_before_a_stop_text(shared: Command) -> None:
    counting = "Count from 1 to 20, separated by commas."
    answer = shared("ask", counting, "--stop", ",", "--temperature", "0", "--json").json
    assert answer["finish_reason"] == "stop"
    assert "," not in answer["text"]


def test_the_limit_of_tokens_is_kept_and_told(shared: Command) -> None:
    answer = shared("ask", LONG, "--max-tokens", "5", "--json").json
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_the_system_prompt_is_part_of_the_conversation(shared: Command) -> None:
    answer = shared("ask", "Hi", "-s", "Answer in French.", "--json", "--max-tokens", "3").json
    kept = shared("chats", "show", answer["conversation_id"], "--json").json
    assert kept["system"] == "Answer in French."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_answer_and_keeps_what_came(
    shared: Command, number: signal.Signals
) -> None:
    came = ""
    event: dict[str, Any] = {}
    with shared.start("ask", LONG, "--seed", "3", "--jsonl") as running:
        assert running.stdout is not None
        was_sent = False
        for line in running.stdout:
            event = json.loads(line)
            came += event["text"] if event["type"] == "text" else ""
            if len(came) > 40 and not was_sent:
                running.send_signal(number)
                was_sent = True
    assert running.returncode == 128 + number
    assert event["finish_reason"] == "cancelled"
    kept = shared("chats", "show", event["conversation_id"], "--json").json["messages"][-1]
    assert kept["status"] == "cancelled"
    assert kept["content"] == came


def last_message(lockhouse: Command) -> dict[str, Any]:
    """The last message of the newest conversation."""
    newest = lockhouse("chats", "list", "--json").json[0]
    messages = lockhouse("chats", "show", newest["id"], "--json").json["messages"]
    assert isinstance(messages[-1], dict)
    return messages[-1]


def test_an_interrupt_leaves_the_text_that_was_printed(shared: Command) -> None:
    with shared.start("ask", LONG, "--seed", "3") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        text = running.stdout.read(30)
        running.send_signal(signal.SIGINT)
        text += running.stdout.read()
        said = running.stderr.read()
    assert running.returncode == 130
    assert said == b""
    assert last_message(shared)["content"].strip() == text.decode().strip()


def test_a_reader_that_leaves_early_is_no_error(shared: Command) -> None:
    with shared.start("ask", LONG, "--seed", "3") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        said = running.stderr.read()
    assert said == b""
    message = last_message(shared)
    assert message["status"] == "cancelled"
    assert message["content"]


def test_a_killed_command_keeps_what_it_had_shown_and_marks_it_as_cut(shared: Command) -> None:
    came = ""
    with shared.start("ask", LONG, "--seed", "3", "--jsonl") as running:
        assert running.stdout is not None
        for line in running.stdout:
            event = json.loads(line)
            came += event["text"] if event["type"] == "text" else ""
            # Kept within half a second: by then there is more than the first words.
            if event["type"] == "text" and last_message(shared)["content"]:
                running.kill()
                break
        running.stdout.read()
    message = last_message(shared)
    assert message["status"] == "cut"
    assert message["content"]
    assert message["content"].startswith(came) or came.startswith(message["content"])


def test_commands_at_the_same_time_share_the_model_and_lose_nothing(lockhouse: Command) -> None:
    first = lockhouse.start("ask", FRANCE, "--json", "--max-tokens", "20")
    others = [
        lockhouse.start("ask", f"Count to {n}.", "--json", "--max-tokens", "20") for n in "45"
    ]
    answers = []
    for running in (first, *others):
        with running:
            out, err = running.communicate()
            assert running.returncode == 0, err
            answers.append(json.loads(out))
    assert len(lockhouse("engines", "list", "--json").json) == 1
    kept = {chat["id"] for chat in lockhouse("chats", "list", "--json").json}
    assert kept == {answer["conversation_id"] for answer in answers}


def test_closed_streams_are_no_error(shared: Command) -> None:
    line = shared.line("ask", "Hi", "--max-tokens", "2")
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        script = f'exec "$@" {closing}'
        done = subprocess.run(
            ["sh", "-c", script, "sh", *line],
            env=shared.environment,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), closing


def test_a_model_can_be_named_by_hash_and_by_file(shared: Command) -> None:
    model = shared("models", "list", "--json").json[0]
    short = ("--json", "--max-tokens", "2")
    known = shared("ask", "Hi", "-m", model["path"], *short).json["target"]["sha256"]
    assert shared("ask", "Hi", "-m", known[:10], *short).json["target"]["name"] == model["name"]
