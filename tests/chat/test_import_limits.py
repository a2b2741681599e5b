"""No export takes time or memory out of proportion to its size."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.chat.bounded_import import LONGEST, PIECES
from tests.chat.exports import chatgpt, gpt_talk, node, webui, webui_message
from tests.chat.killing import ROOT


def bounded(*arguments: str) -> str:
    """What the process prints; it ends within its limits or by them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chat.bounded_import", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "app"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def thoughts() -> list[Any]:
    """Steps of reasoning without end, and without an answer."""
    step = {"thoughts": [{"summary": "s", "content": "t" * 1000}]}
    return [chatgpt([
        node(f"n{n}", f"n{n - 1}" if n else None, "assistant", None, kind="thoughts", content=step)
        for n in range(20_000)
    ])]  # fmt: skip


def shared_thoughts() -> list[Any]:
    """A long reasoning above each of very many answers."""
    steps = thoughts()[0]["mapping"]
    chain = [steps[f"n{n}"] for n in range(5000)]
    answers = [node(f"a{n}", "n4999", "assistant", f"{n}") for n in range(5000)]
    return [chatgpt([*chain, *answers])]


def answer(text: str) -> list[Any]:
    messages = [webui_message("1", None, "user", text), webui_message("2", "1", "assistant", text)]
    return [webui(messages)]


def one_id() -> list[Any]:
    """Very many conversations under one id."""
    return [{**gpt_talk(f"{number}"), "conversation_id": "same"} for number in range(1500)]


def versions() -> list[Any]:
    """Very many answers to one question, twice, so that they are compared."""
    answers = [webui_message(f"a{n}", "1", "assistant", f"{n}") for n in range(20_000)]
    value = webui([webui_message("1", None, "user", "q"), *answers])
    return [value, value]


OPENING = '<details type="reasoning">'
SHAPES = {
    "steps of reasoning": (thoughts, "1 1"),
    "reasoning above many answers": (shared_thoughts, "1 5000"),
    "spaces": (lambda: answer("a" + " " * 100_000 + "b"), "1 2"),
    "openings": (lambda: answer(OPENING * 21_000), "1 2"),
    "halves of openings": (lambda: answer('<details type="reasoning" ' * 21_000), "1 2"),
    "openings and summaries": (lambda: answer((OPENING + "<summary>") * 15_000), "1 2"),
    "traces": (lambda: answer((OPENING + "x</details> \n ") * 15_000), "1 2"),
    "a long number": (lambda: answer(f"{OPENING}&#{'9' * 90_000};</details>a"), "1 2"),
    "one id": (one_id, "1500 3000"),
    "versions": (versions, "1 20001"),
    "deep": (lambda: [gpt_talk(), json.loads("[" * 900 + "]" * 900)], "1 2"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hostile_export_is_read_within_limits(shape: str, tmp_path: Path) -> None:
    make, told = SHAPES[shape]
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps(make()))
    assert bounded(str(tmp_path / "e.zip")) == told


def test_long_repetitions_are_read_within_limits(tmp_path: Path) -> None:
    values = [answer(piece * (LONGEST // len(piece)) + end)[0] for piece in PIECES for end in "ax"]
    file = tmp_path / "long.json"
    file.write_text(json.dumps([{**value, "id": f"{n}"} for n, value in enumerate(values)]))
    assert bounded(str(file)) == f"{len(values)} {2 * len(values)}"


def test_broken_exports_are_imported_or_refused_within_limits() -> None:
    assert bounded("--fuzz", "1000") == ""
