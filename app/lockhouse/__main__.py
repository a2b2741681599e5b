"""The launcher and its doors: seal first, then start the one that was asked for.

No argument opens the window, anything else is the command line; the arguments in
``_PRIVATE_DOORS`` start the processes that Lockhouse starts for itself. A packaged program has
no ``python -m``, so they all come through here.
"""

from __future__ import annotations

import sys

from lockhouse import seal

_WINDOW_OPTIONS = ("--smoke",)


def main(argv: list[str] | None = None) -> int:
    """Run one door and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        seal.seal_network()
    except OSError as error:
        print(
            f"lockhouse: the network could not be sealed ({error.strerror}), so nothing was "
            "started. The system may forbid seccomp; run outside that sandbox.",
            file=sys.stderr,
        )
        return 4
    door = arguments[0] if arguments else ""
    if door == "--engine":
        from lockhouse.engine.process.main import run_engine

        return run_engine()
    if door == "--template-renderer":
        from lockhouse.engine.process.template_child import run_renderer

        return run_renderer()
    if door == "--engine-self-test":
        from lockhouse.engine.process.self_test import run_self_test

        return run_self_test(arguments[1:])
    if _wants_window(arguments):
        from lockhouse.ui.app import run

        return run(arguments)
    from lockhouse.cli.main import main as command_line

    return command_line(arguments)


def _wants_window(arguments: list[str]) -> bool:
    """No command named: only ``--home DIR`` and the window's own options."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--home" and rest:
            rest.pop(0)
        elif word not in _WINDOW_OPTIONS and not word.startswith("--home="):
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
