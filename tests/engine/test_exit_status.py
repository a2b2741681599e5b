"""Exit statuses in words, on every system."""

from __future__ import annotations

import signal

import pytest

from lockhouse.engine import exit_status


@pytest.mark.parametrize(
    ("return_code", "log", "cause"),
    [
        (-signal.SIGSEGV, "", "bad_access"),
        (-signal.SIGABRT, "", "aborted"),
        (-signal.SIGABRT, "terminate called after throwing 'std::bad_alloc'", "no_memory"),
        (-signal.SIGBUS, "", "model_file_changed"),
        (-signal.SIGILL, "", "illegal_instruction"),
        (-signal.SIGKILL, "", "killed"),
        (0xC0000005, "", "bad_access"),
        (0xC0000409, "", "aborted"),
        (0xC000001D, "", "illegal_instruction"),
        (0xC0000135, "", "missing_library"),
        (-0x3FFFFFFB, "", "bad_access"),  # the same as a signed number
        (3, "", "exit"),
        (None, "", "unknown"),
    ],
)
def test_causes(return_code: int | None, log: str, cause: str) -> None:
    found = exit_status.explain(return_code, log)
    assert found.cause == cause
    assert found.message.endswith(".")
    assert found.hint


def test_an_assertion_is_quoted() -> None:
    log = "x\n/src/ggml.c:1234: GGML_ASSERT(n_tokens <= n_batch) failed\n"
    assert "n_tokens <= n_batch" in exit_status.explain(-signal.SIGABRT, log).message
