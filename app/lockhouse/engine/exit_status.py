"""Why a process died, in words: signals, Windows status codes and llama.cpp's last lines."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, replace

_SAFER = "Try again with safer settings; the conversation is kept."


@dataclass(frozen=True, slots=True)
class ExitCause:
    """A decoded end. ``cause`` is a stable word for tests and scripts."""

    cause: str
    message: str
    hint: str


_WINDOWS = {
    0xC0000005: "SIGSEGV",
    0xC000001D: "SIGILL",
    0xC0000409: "SIGABRT",
    0xC0000017: "NO_MEMORY",
    0xC00000FD: "STACK",
    0xC0000135: "MISSING_LIBRARY",
    0xC0000094: "SIGFPE",
}
# Of the process that is named: {Name} at the beginning of a sentence, {name} within.
_CAUSES = {
    "SIGABRT": ExitCause(
        "aborted", "{Name} stopped itself because a check inside llama.cpp failed.", _SAFER
    ),
    "SIGSEGV": ExitCause("bad_access", "{Name} used memory that is not its own.", _SAFER),
    "SIGBUS": ExitCause(
        "model_file_changed",
        "The model's file was cut short or replaced while it was in use.",
        "Check the file (download or copy it again), then ask once more.",
    ),
    "SIGILL": ExitCause(
        "illegal_instruction",
        "{Name} was built for a newer processor than this one.",
        "Build it again on this machine: run the set-up command with --rebuild.",
    ),
    "SIGFPE": ExitCause("arithmetic", "A calculation inside llama.cpp was impossible.", _SAFER),
    "SIGKILL": ExitCause(
        "killed",
        "The system ended {name}, most often because memory ran out.",
        "Close other programs, choose a smaller context or a smaller model.",
    ),
    "SIGTERM": ExitCause("ended", "{Name} was told to end by another program.", "Ask once more."),
    "NO_MEMORY": ExitCause(
        "no_memory",
        "Memory ran out.",
        "Close other programs, or choose a smaller context or a smaller model.",
    ),
    "STACK": ExitCause("stack", "{Name} ran out of stack.", _SAFER),
    "MISSING_LIBRARY": ExitCause(
        "missing_library", "A library the engine needs is missing.", "Install Lockhouse again."
    ),
}
_ASSERT = re.compile(r"GGML_ASSERT\((.*)\) failed")
# What C++, Python, llama.cpp and the system write when they are given no memory.
_NO_MEMORY = re.compile(
    "bad_alloc|MemoryError|mem_buffer != NULL|insufficient memory|failed to allocate|"
    "unable to allocate|Cannot allocate memory|failed to map segment|Memory allocation still failed"
)


def explain(
    return_code: int | None, log_tail: str = "", *, name: str = "the engine", retry: str = _SAFER
) -> ExitCause:
    """Decode an exit status (negative for a signal, as subprocess gives it).

    ``name`` is what the process is called in the sentence, ``retry`` what to do where nothing
    better is known.
    """
    cause = _cause(return_code, log_tail)
    message = cause.message.replace("{name}", name).replace("{Name}", name[:1].upper() + name[1:])
    return replace(cause, message=message, hint=retry if cause.hint is _SAFER else cause.hint)


def _cause(return_code: int | None, log_tail: str) -> ExitCause:
    signal_name = _name_of(return_code)
    if return_code is not None and signal_name in ("", "SIGABRT") and _NO_MEMORY.search(log_tail):
        return _CAUSES["NO_MEMORY"]
    cause = _CAUSES.get(signal_name)
    if cause is None:
        if return_code is None:
            return ExitCause("unknown", "{Name} ended without leaving a reason.", _SAFER)
        return ExitCause("exit", f"{{Name}} ended with status {return_code}.", _SAFER)
    found = _ASSERT.findall(log_tail)
    if signal_name == "SIGABRT" and found:
        message = f"{{Name}} stopped itself: llama.cpp found that “{found[-1][:120]}” did not hold."
        return replace(cause, message=message)
    return cause


def _name_of(return_code: int | None) -> str:
    if return_code is None:
        return ""
    if -1000 < return_code < 0:  # Windows' codes, taken as signed numbers, lie far below
        try:
            return signal.Signals(-return_code).name
        except ValueError:
            return ""
    return _WINDOWS.get(return_code & 0xFFFFFFFF, "")
