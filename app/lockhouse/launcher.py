"""The launcher: seals the process, then starts the part of the program that was asked for.

No argument opens the window, anything else is the command line; private arguments start the
processes that Lockhouse starts for itself. A packaged program has no ``python -m``, so they all
come through here. Every one of them seals itself, the broker alone excepted; it is started here,
before the seal, and only where the home allows network access.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from pathlib import Path
from typing import NoReturn

from lockhouse import processes, seal
from lockhouse.cli import COMPLETION

_INTERRUPTED = 130
_WINDOW_OPTIONS = ("--smoke",)
_PRIVATE = ("--engine", "--job", "--template-renderer", "--prove")
# Commands that ask nobody for anything; all others may.
_WITHOUT_BROKER = (
    "bench", "chats", "completion", "costs", "doctor", "engines", "keys", "ledger", "logs", "paths",
    "ps", "records", "seal", "settings", "status", "unseal",
)  # fmt: skip
# Commands that ask a hub first thing; their broker gets ready while they do.
_ASK_HUB_AT_ONCE = (
    ("models", "card"), ("models", "get"), ("models", "search"), ("models", "updates"), ("pull",),
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run one part of the program and return its exit code."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # while modules are still being loaded
        return _INTERRUPTED


def _run(arguments: list[str]) -> int:
    part = arguments[0] if arguments else ""
    processes.be_private()
    if part == "--broker":
        from lockhouse.gate.broker.process import run_broker

        return run_broker(arguments[1:])
    _say_where_connected(seal.close_inherited(map(int, arguments[1:2]) if part == "--job" else ()))
    if _wants_window(arguments) and "--smoke" not in arguments:
        processes.stay_to_restart([*processes.own_command(), *arguments])
    if part not in _PRIVATE:
        start_broker(arguments)
    try:
        seal.seal_network()
    except OSError as error:
        print(
            f"lockhouse: the network could not be sealed ({error.strerror}), so nothing was "
            "started. The system may forbid seccomp; run outside that sandbox.",
            file=sys.stderr,
        )
        return 4
    if part == "--engine":
        from lockhouse.engine.process.main import run_engine

        return run_engine()
    if part == "--template-renderer":
        from lockhouse.engine.process.template_renderer import run_renderer

        return run_renderer()
    if part == "--job":
        from lockhouse.engine.process.jobs import run_job

        return run_job(arguments[1:])
    if part == "--prove":
        return prove(arguments[1:])
    if _wants_window(arguments):
        return _open_window(arguments)
    from lockhouse.cli.main import main as command_line

    return command_line(arguments)


def _open_window(arguments: list[str]) -> int:
    """The window; where the system cannot show one, a sentence that says what to do instead."""
    from lockhouse.core.errors import InvalidInput
    from lockhouse.places import paths_for
    from lockhouse.ui import no_display

    if no_display.is_hopeless():
        return no_display.say("there is no display")
    try:
        home = _home_and_rest(arguments)[0]
        paths_for(Path(home) if home else None)
    except InvalidInput as error:
        sys.stderr.write(f"lockhouse: {error.message}\n  {error.hint}\n")
        return error.exit_code
    try:
        from lockhouse.ui.app import run
    except ImportError as error:
        return no_display.say_missing(error)
    return _leave(run(arguments))


def _say_where_connected(descriptors: list[int]) -> None:
    names = ("standard input", "standard output", "standard error")
    for fd in descriptors:
        print(
            f"lockhouse: {names[fd]} is a network connection. The seal cannot hold back what "
            "goes through it.",
            file=sys.stderr,
        )


def _leave(code: int) -> NoReturn:
    """End the window's process once all is stored, without Python's own tidying up.

    That ends threads which still work, on a hash or a silent keyring, wherever they come back to
    Python; below C++ that is the end of the process by SIGABRT instead (seen with Python 3.11).
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # there are none below a desktop's launcher on Windows
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)


def prove(arguments: list[str]) -> int:
    """``window|command``: the self-test in a process of that kind."""
    import json
    from dataclasses import asdict

    if arguments == ["window"]:
        from lockhouse.ui import no_display

        try:
            from lockhouse.ui.startup import load_qt
        except ImportError as error:
            return no_display.say_missing(error)
        load_qt()
    print(json.dumps([asdict(probe) for probe in seal.self_test()]))
    return 0


def _names_a_provider(arguments: list[str]) -> bool:
    """Whether one is asked for by name, as in ``-m provider/model``."""
    return any(
        flag in ("-m", "--model") and "/" in value for flag, value in itertools.pairwise(arguments)
    )


def start_broker(arguments: list[str]) -> None:
    """The process that may connect, where the home is open and this part may need it."""
    home, rest = _home_and_rest(arguments)
    asks_nobody = bool(rest) and rest[0] in _WITHOUT_BROKER and not _asks_all_the_same(rest)
    if COMPLETION in os.environ:
        return
    if rest and (asks_nobody or not {"-h", "--help"}.isdisjoint(rest)):
        return
    from lockhouse.core.errors import InvalidInput
    from lockhouse.places import paths_for

    try:
        paths = paths_for(Path(home) if home else None)
        if paths.network.exists():
            from lockhouse.gate import broker_launch

            soon: broker_launch.FirstRequest = ""
            if tuple(rest[:2]) in _ASK_HUB_AT_ONCE or tuple(rest[:1]) in _ASK_HUB_AT_ONCE:
                soon = "hub"
            elif rest[:1] in (["ask"], ["chat"]) and _names_a_provider(rest):
                soon = "answer"
            broker_launch.start_broker(paths.network, paths.run, paths.logs, soon=soon)
    except InvalidInput:
        return  # of which the part that was asked for tells
    except OSError as error:
        print(
            f"lockhouse: the network is open, but its broker could not be started ({error}), so "
            "this program runs sealed.",
            file=sys.stderr,
        )


def _asks_all_the_same(rest: list[str]) -> bool:
    """A key that is tested is shown to its provider; the self-test looks at a broker too."""
    return rest[:2] == ["keys", "test"] or (rest[0] == "status" and "--prove" in rest)


def _wants_window(arguments: list[str]) -> bool:
    """No command named: only ``--home DIR`` and the window's own options."""
    return COMPLETION not in os.environ and all(
        word in _WINDOW_OPTIONS for word in _home_and_rest(arguments)[1]
    )


def _home_and_rest(arguments: list[str]) -> tuple[str, list[str]]:
    """What ``--home`` before the command names, and the arguments without it."""
    home, rest = "", list(arguments)
    words = []
    while rest:
        word = rest.pop(0)
        if word == "--home" and rest:
            home = rest.pop(0)
        elif word.startswith("--home="):
            home = word.removeprefix("--home=")
        else:
            words.append(word)
            if not word.startswith("-"):
                break
    return home, [*words, *rest]
