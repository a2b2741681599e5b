"""``lockhouse models fit``: for a model of the library and for a file."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import Command
from tests.library.synthetic import SHAPES, write


def test_a_model_is_judged_with_the_numbers(lockhouse: Command) -> None:
    told = lockhouse("models", "fit", "smollm2")
    assert told.code == 0, told.err
    assert told.text.startswith("fits: It takes 0.")
    assert "8,192 tokens" in told.text
    assert "largest context" in told.text
    result = lockhouse("models", "fit", "smollm2", "--ctx", "2048", "--kv-type", "q8_0", "--json")
    assert result.json["word"] == "fits"
    assert result.json["context_length"] == 2048
    assert result.json["needed"]["exact"]
    assert result.json["needed"]["kv_bytes"] == 25_067_520
    assert result.json["machine"]["memory_total_bytes"] > result.json["total_bytes"]


def test_a_file_that_is_not_in_the_library_is_judged_too(
    lockhouse: Command, tmp_path: Path
) -> None:
    path = write(SHAPES["recurrent"](), tmp_path / "state.gguf")
    told = lockhouse("models", "fit", path)
    assert told.code == 0, told.err
    assert "state" in told.text
    assert "cache" not in told.text
    huge = lockhouse("models", "fit", path.with_name("missing.gguf"))
    assert huge.code == 3


def test_what_cannot_fit_is_told(lockhouse: Command) -> None:
    told = lockhouse("models", "fit", "smollm2", "--ctx", "16000000")
    assert told.code == 0, told.err
    assert told.text.startswith("won't fit: ")
    refused = lockhouse("models", "fit", "smollm2", "--ctx", "0")
    assert refused.code == 2
