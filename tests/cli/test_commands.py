"""The commands around the conversation: listing, finding, moving, settings, status, doctor."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockhouse.cli.doctor import CHECKS
from tests.cli.command import Command
from tests.library.hostile import U32, small_model, u32


@pytest.fixture(scope="module")
def asked(shared: Command) -> str:
    """The id of a conversation of two turns."""
    first = shared(
        "ask",
        "What is the capital of France? Answer in one sentence.",
        "--temperature",
        "0",
        "--json",
    ).json
    identity = str(first["conversation_id"])
    shared("ask", "And of Italy?", "--chat", identity, "--max-tokens", "9")
    return identity


def test_conversations_are_listed_shown_and_found(shared: Command, asked: str) -> None:
    listed = {chat["id"]: chat for chat in shared("chats", "list", "--json").json}
    assert listed[asked]["message_count"] == 4
    assert listed[asked]["title"] == "What is the capital of France? Answer in one sentence."
    assert asked in shared("chats", "list").text
    shown = shared("chats", "show", asked[:14], "--json").json
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"] * 2
    assert shown["messages"][1]["provenance"]["finished"]["parameters"]["temperature"] == 0
    hits = shared("chats", "search", "paris", "--json").json
    assert any(hit["conversation_id"] == asked and "Paris" in hit["snippet"] for hit in hits)
    assert all("\x02" not in hit["snippet"] for hit in hits)
    assert shared("chats", "search", '"; DROP TABLE messages', "--json").json == []


def test_a_conversation_is_deleted_restored_and_renamed(shared: Command) -> None:
    identity = shared("ask", "Hi", "--max-tokens", "2", "--json").json["conversation_id"]
    deleted = shared("chats", "delete", identity)
    assert "Hidden. Erased for good 30 days from now." in deleted.err
    assert shared("chats", "show", identity).code == 3
    assert [chat["id"] for chat in shared("chats", "list", "--deleted", "--json").json] == [
        identity
    ]
    assert shared("chats", "restore", identity[:15]).code == 0
    assert shared("chats", "rename", identity, "A greeting", "--json").json["title"] == "A greeting"


def test_a_conversation_travels_as_json_and_reads_as_markdown(
    shared: Command, lockhouse: Command, asked: str, tmp_path: Path
) -> None:
    file = tmp_path / "chat.json"
    assert shared("chats", "export", asked, "--format", "json", "-o", str(file)).code == 0
    report = lockhouse("chats", "import", file, "--json").json
    assert report["conversations"] == 1
    assert report["messages"] == 4
    there = lockhouse("chats", "list", "--json").json[0]
    moved = lockhouse("chats", "show", there["id"], "--json").json["messages"]
    original = shared("chats", "show", asked, "--json").json["messages"]
    assert [m["content"] for m in moved] == [m["content"] for m in original]
    assert "Paris" in shared("chats", "export", asked, "--format", "md").text
    assert "<html" in shared("chats", "export", asked, "--format", "html").text.lower()
    for line in shared("chats", "export", asked, "--format", "jsonl").text.splitlines():
        json.loads(line)


def test_a_model_is_imported_where_it_lies(lockhouse: Command, tmp_path: Path) -> None:
    starter = Path(lockhouse("models", "list", "--json").json[0]["path"])
    file = tmp_path / "my-model.gguf"
    file.symlink_to(starter)
    assert lockhouse("models", "import", file, "--dry-run").code == 0
    assert len(lockhouse("models", "list", "--json").json) == 1
    outcome = lockhouse("models", "import", file, "--json")
    assert outcome.code == 0
    assert outcome.json[0]["action"] in {"registered", "already there"}
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    refused = lockhouse("models", "import", broken, "--json")
    assert refused.code == 3
    assert refused.json[0]["action"] == "refused"


def test_a_folder_of_good_and_bad_files_ends_with_a_summary(
    lockhouse: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    starter = Path(lockhouse("models", "list", "--json").json[0]["path"])
    small_model(starter).write(folder / "good.gguf")
    (folder / "shortcut.gguf").symlink_to(starter)
    (folder / "broken.gguf").write_bytes(b"GGUF")
    outcome = lockhouse("models", "import", folder)
    assert outcome.code == 0
    assert outcome.text.splitlines()[-1] == "1 imported, 1 already here, 1 refused"
    assert "shortcut.gguf: already here as smollm2-135m-instruct" in outcome.text
    (refusal,) = outcome.err.splitlines()
    assert refusal.startswith(f"refused: {folder / 'broken.gguf'}: ")
    assert lockhouse("models", "import", folder, folder / "broken.gguf").code == 3
    for path in folder.iterdir():
        if path.name != "broken.gguf":
            path.unlink()
    nothing = lockhouse("models", "import", folder)
    assert (nothing.code, nothing.text) == (3, "0 imported, 1 refused\n")


def test_a_model_that_is_gone_is_marked_in_the_list(lockhouse: Command, tmp_path: Path) -> None:
    assert "STATE" not in lockhouse("models", "list").text
    starter = Path(lockhouse("models", "list", "--json").json[0]["path"])
    path = small_model(starter).write(tmp_path / "gone.gguf")
    lockhouse("models", "import", path)
    path.unlink()
    listed = lockhouse("models", "list")
    assert "STATE" in listed.text.splitlines()[0]
    assert any(line.split()[:2] == ["gone", "missing"] for line in listed.text.splitlines())
    assert "no longer there" in listed.err


def test_models_and_targets_have_the_keys_of_the_contract(shared: Command) -> None:
    model = shared("models", "list", "--json").json[0]
    assert set(model) >= {
        "name", "aliases", "path", "files", "size_bytes", "sha256", "verified_at", "architecture",
        "parameters", "quantization", "bits_per_weight", "context_length", "capabilities",
        "license", "source", "owner", "pinned", "fit",
    }  # fmt: skip
    assert shared("models", "show", model["name"], "--json").json["path"] == model["path"]
    target = shared("targets", "list", "--json").json[0]
    assert target["name"] == model["name"]
    assert target["leaves_machine"] is False


def test_settings_come_from_the_file_and_the_variable_goes_before(lockhouse: Command) -> None:
    assert lockhouse("settings", "get", "temperature").text == "0.7\n"
    assert lockhouse("settings", "set", "temperature", "0.2").code == 0
    assert lockhouse("settings", "get", "temperature", "--json").json["value"] == 0.2
    assert lockhouse("settings", "get", "temperature", LOCKHOUSE_TEMPERATURE="1").text == "1.0\n"
    names = {setting["name"] for setting in lockhouse("settings", "list", "--json").json}
    assert {"theme", "temperature", "engine_idle_s"} <= names
    assert json.loads((lockhouse.home / "settings.json").read_text())["temperature"] == 0.2


def test_a_setting_for_loading_says_when_it_takes_effect(lockhouse: Command) -> None:
    for name, value in {"context_length": "4096", "threads": "2", "kv_type": "q8_0",
                        "parallel_answers": "2", "engine_idle_s": "60"}.items():  # fmt: skip
        assert (
            "when a model is loaded the next time" in lockhouse("settings", "set", name, value).err
        )
    assert "loaded" not in lockhouse("settings", "set", "top_k", "5").err


def test_settings_shape_the_answer_unless_an_option_does(shared: Command) -> None:
    asked = ("ask", "Hi", "--max-tokens", "2", "--no-save", "--json")
    assert shared(*asked, LOCKHOUSE_TOP_K="5").json["parameters"]["top_k"] == 5
    given = shared(*asked, "--top-k", "9", LOCKHOUSE_TOP_K="5")
    assert given.json["parameters"]["top_k"] == 9


def test_engines_are_shared_shown_and_ended(lockhouse: Command) -> None:
    assert lockhouse("engines", "list", "--json").json == []
    lockhouse("ask", "Hi", "--max-tokens", "2")
    second = lockhouse("ask", "Hi", "--max-tokens", "2", "--json").json
    running = lockhouse("engines", "list", "--json").json
    assert len(running) == 1
    assert "CLIENTS: programs that use the model now" in lockhouse("engines", "list").err
    assert second["timing"]["load_s"] < running[0]["idle_limit_s"]
    status = lockhouse("status", "--json").json
    assert status["sealed"] is True
    assert [engine["pid"] for engine in status["engines"]] == [running[0]["pid"]]
    assert status["memory"]["available_bytes"] > 0
    assert lockhouse("engines", "stop", running[0]["model_name"], "--json").json["stopped"] == 1
    assert lockhouse("engines", "list", "--json").json == []


def test_paths_lie_beneath_the_home_and_asking_for_them_makes_none(
    environment: dict[str, str], tmp_path: Path
) -> None:
    fresh = Command(tmp_path / "fresh", environment)
    places = fresh("paths", "--json").json
    assert all(Path(place).is_relative_to(fresh.home) for place in places.values())
    assert not fresh.home.exists()


def test_nothing_is_written_outside_the_home(lockhouse: Command, tmp_path: Path) -> None:
    elsewhere = tmp_path / "user"
    elsewhere.mkdir()
    done = lockhouse(
        "ask", "Hi", "--max-tokens", "2",
        HOME=str(elsewhere), XDG_CACHE_HOME=str(elsewhere / "c"), TMPDIR=str(elsewhere),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert list(elsewhere.iterdir()) == []


def test_the_doctor_finds_this_machine_fit_and_names_what_is_not(lockhouse: Command) -> None:
    report = lockhouse("doctor", "--json")
    checks = {check["name"]: check for check in report.json["checks"]}
    assert report.code == 0, checks
    assert set(checks) == set(CHECKS)
    assert {check["state"] for check in checks.values()} <= {"ok", "warn"}
    assert checks["engine"]["state"] == "ok"
    (lockhouse.home / "lockhouse.db").write_bytes(b"damaged" * 1000)
    broken = lockhouse("doctor")
    assert broken.code == 1
    assert "fail  database" in broken.text


def test_bench_measures_both_speeds(shared: Command) -> None:
    result = shared("bench", "--runs", "1", "--prompt-tokens", "64", "--tokens", "8", "--json").json
    assert result["prompt_tokens_per_s"] > 0
    assert result["tokens_per_s"] > 0
    assert result["prompt_tokens"] >= 64
    assert len(result["runs"]) == 1
    assert shared("chats", "search", "lighthouse", "--json").json == []


def test_every_command_explains_itself(lockhouse: Command) -> None:
    overview = lockhouse("--help")
    assert overview.code == 0
    for name in ("ask", "chat", "chats", "models", "targets", "engines", "settings", "status",
                 "bench", "doctor", "paths"):  # fmt: skip
        assert f"  {name}" in overview.text
        told = lockhouse(name, "--help")
        assert told.code == 0
        assert told.text.startswith("Usage: lockhouse")


def test_what_is_heavy_is_not_loaded_for_what_is_light(environment: dict[str, str]) -> None:
    """Start-up is a feature: asking for a path must not load the engine's or the window's world."""
    code = (
        "import sys; from lockhouse.launcher import main;"
        "main(['--home', '/nonexistent', 'paths']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {"PySide6", "llama_cpp", "numpy", "jinja2", "huggingface_hub", "sqlcipher3", "psutil",
             "sqlite_utils", "keyring", "asyncio", "socket"}  # fmt: skip
    assert not heavy & set(done.stderr.split())


def test_the_list_of_chats_does_not_wait_for_the_engine(
    environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import sys; from lockhouse.cli.main import main;"
        f"main(['--home', {str(tmp_path / 'home')!r}, 'chats', 'list']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {"lockhouse.engine.pool", "lockhouse.library.models", "numpy", "psutil", "asyncio",
             "multiprocessing"}  # fmt: skip
    assert not heavy & set(done.stderr.split())


def test_hosts_that_an_unsealing_closes_are_named(lockhouse: Command) -> None:
    assert "No longer open" not in lockhouse("unseal", "--host", "one.example").err
    assert "No longer open" not in lockhouse("unseal", "--host", "two.example", "--add").err
    changed = lockhouse("unseal", "--host", "two.example").err
    assert "No longer open: one.example:443" in changed


def test_an_empty_default_model_is_said_to_be_the_starter_model(lockhouse: Command) -> None:
    changed = lockhouse("settings", "set", "default_target", "")
    assert changed.err == "default_target is now empty: the starter model is used.\n"


def test_a_later_part_of_a_split_model_names_the_first(lockhouse: Command, tmp_path: Path) -> None:
    starter = Path(lockhouse("models", "list", "--json").json[0]["path"])
    later = small_model(starter)
    later.entries.clear()  # as llama.cpp splits: all but the first say nothing of the model
    later.set("split.no", U32, u32(1))
    later.set("split.count", U32, u32(3))
    later.lay_out()
    part = later.write(tmp_path / "big-00002-of-00003.gguf")
    refused = lockhouse("models", "import", part)
    assert refused.code == 3
    assert "big-00002-of-00003.gguf is part 2 of 3. " in refused.err
    assert "Import the first part: big-00001-of-00003.gguf" in refused.err


def test_conversations_are_erased_for_good_from_the_terminal(lockhouse: Command) -> None:
    for word in ("zebrafish", "quagmire", "heliotrope"):
        assert lockhouse("ask", f"Say {word}.", "--max-tokens", "2").code == 0
    chats = {chat["title"]: chat["id"] for chat in lockhouse("chats", "list", "--json").json}
    ids = [next(id_ for title, id_ in chats.items() if word in title)
           for word in ("zebrafish", "quagmire", "heliotrope")]  # fmt: skip
    assert lockhouse("chats", "delete", ids[1], ids[2]).code == 0
    hidden = lockhouse("chats", "list", "--deleted", "--json").json
    assert {one["id"] for one in hidden} == set(ids[1:])
    erased = lockhouse("chats", "delete", "--for-good", ids[0], ids[1])
    assert "Erased for good" in erased.err
    assert lockhouse("chats", "list", "--json").json == []
    assert "No deleted conversation" in lockhouse("chats", "restore", ids[1]).err
    with sqlite3.connect(lockhouse.home / "lockhouse.db") as database:  # as if 31 days had passed
        old = (datetime.now(UTC) - timedelta(days=31)).isoformat()
        database.execute("UPDATE conversations SET deleted_at = ? WHERE id = ?", [old, ids[2]])
    assert lockhouse("chats", "list", "--deleted", "--json").json == []
    kept = b"".join(path.read_bytes() for path in lockhouse.home.glob("lockhouse.db*"))
    for word in (b"zebrafish", b"quagmire", b"heliotrope"):
        assert word not in kept
