"""The entry of the command line, and the one place where errors become text and exit codes."""

from __future__ import annotations

import errno
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal

import click

import lockhouse
from lockhouse.cli import output
from lockhouse.cli.context import CliContext, LazyGroup
from lockhouse.core.errors import (
    Cancelled,
    InvalidInput,
    LockhouseError,
    NoRoom,
    StorageError,
    UsageMistake,
)

BUG = 70
_NOT_WRITTEN = "output_not_written"
READER_LEFT = 141  # as a shell reports a program that wrote to a closed pipe
_ISSUES = "Please report it with the lines above; they contain no prompt and no answer."
_QUOTING = 'Put words that belong together in quotes: "like these". '

# name: (module[:name in it], what it does)
_COMMANDS = {
    "ask": ("ask", "Ask a model one question."),
    "bench": ("bench", "Measure the speed of a model on this machine."),
    "chat": ("chat", "Chat with a model in the terminal."),
    "chats": ("chats", "List, search, export and import conversations."),
    "completion": ("completion", "Print a script that completes commands in a shell."),
    "costs": ("costs", "Show API costs and set limits."),
    "doctor": ("doctor", "Diagnose problems and suggest fixes."),
    "engines": ("engines", "List and unload loaded models."),
    "keys": ("keys", "Store API keys in the system keyring."),
    "ledger": ("ledger", "Show what was sent to providers, byte for byte."),
    "logs": ("logs", "Show the last questions and answers."),
    "models": ("models", "Find, get, import and manage models."),
    "paths": ("paths", "Show where files are stored."),
    "records": ("records", "Show the record of network requests."),
    "seal": ("gate", "Block all network access."),
    "settings": ("settings", "Show and change settings."),
    "status": ("status", "Show network access, loaded models and memory."),
    "targets": ("targets", "List, add and check what can answer."),
    "transfers": ("downloads", "Show and manage downloads."),
    "unseal": ("gate", "Allow network access to listed hosts."),
}
# What users of other programs type: the same commands by a short name.
_SHORTCUTS = {
    "run": ("run", "Chat with a model, or ask it one question: run MODEL [PROMPT]"),
    "ls": ("models:list_models", "models list"),
    "ps": ("engines:list_engines", "engines list"),
    "pull": ("downloads:get", "models get"),
    "rm": ("models:remove", "models remove"),
}
_ALL = {**_COMMANDS, **_SHORTCUTS}
# What they type that has another name here.
_MEANT = {
    "add": "models import",
    "config": "settings list",
    "cp": "models alias",
    "create": "models profile save",
    "delete": "models remove",
    "download": "models get",
    "export": "chats export",
    "fit": "models fit",
    "get": "models get",
    "help": "--help",
    "history": "logs",
    "import": "models import",
    "list": "models list",
    "load": "models load",
    "login": "keys set huggingface",
    "logout": "keys remove huggingface",
    "prompt": "ask",
    "search": "models search",
    "show": "models show",
    "stop": "models unload",
    "unload": "models unload",
    "update": "models updates",
    "verify": "models verify",
    "version": "--version",
}


class _Commands(LazyGroup):
    """Lists its commands without importing them, and suggests the one that was meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_ALL)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, listed in (("Commands", _COMMANDS), ("Short for", _SHORTCUTS)):
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, text) in listed.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _ALL and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], [*_ALL, *_MEANT], n=1)
            meant = _MEANT.get(near[0], near[0]) if near else ""
            hint = f"Did you mean: lockhouse {meant}" if near else "See: lockhouse --help"
            raise UsageMistake(f"There is no command {args[0]!r}.", hint=hint)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    lazy={name: module for name, (module, _) in _ALL.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command the window opens. Network access is blocked until you allow it.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Store everything in DIR (also: LOCKHOUSE_HOME).",
)
@click.version_option(lockhouse.__version__, message="Lockhouse %(version)s")
@click.pass_context
def commands(ctx: click.Context, home: Path | None) -> None:
    """Open-weight models on your own machine, sealed from the network."""
    ctx.obj = CliContext(home)


def main(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    output.prepare_streams()
    shape = _error_shape(argv)
    try:
        outcome = commands.main(args=argv, prog_name="lockhouse", standalone_mode=False)
        code = outcome if isinstance(outcome, int) else 0
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    except SystemExit:
        if not type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            raise
        code = _reader_left()  # click has noticed it
    except (Cancelled, KeyboardInterrupt, click.Abort):
        code = Cancelled.exit_code
    except LockhouseError as error:
        code = _report(error, shape)
    except click.exceptions.NoArgsIsHelpError as nothing_asked:
        output.write_line(nothing_asked.format_message())
        code = 0
    except click.ClickException as error:
        code = _report(_from_click(error), shape)
    except MemoryError:
        code = _report(NoRoom("This machine has no memory left.", code="out_of_memory"), shape)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug, reported as one
        known = _known(error, argv)
        is_unwritten = known is not None and known.code == _NOT_WRITTEN
        code = _report(known or _bug(error), "text" if is_unwritten else shape)
    return code


def _error_shape(argv: list[str]) -> Literal["text", "json", "jsonl"]:
    """The form in which to report errors, even when the arguments cannot be parsed."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    if "--jsonl" in options:
        return "jsonl"
    return "json" if "--json" in options else "text"


def _known(error: Exception, argv: list[str]) -> LockhouseError | None:
    """What a person can meet, though it was mapped nowhere: it may happen at any word."""
    if isinstance(error, UnicodeEncodeError):
        return _not_utf8(argv)
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENAMETOOLONG:
        name = str(error.filename or "")
        return InvalidInput(f"{name[:60]}… is too long for the name of a file.")
    return _not_written()


def _not_written() -> LockhouseError | None:
    """Whether standard output takes nothing any more: on a full disk, what waits still fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        output.silence(sys.stdout)
        return StorageError(
            f"The output could not be written: {error.strerror}.",
            hint="Free some space, or write it to another disk.",
            code=_NOT_WRITTEN,
        )
    return None


def _bug(error: Exception) -> LockhouseError:
    import traceback

    output.note("".join(traceback.format_exception(error)))
    return LockhouseError(f"This is a bug: {type(error).__name__}.", hint=_ISSUES, code="bug")


def _not_utf8(argv: list[str]) -> LockhouseError | None:
    """Bytes that are no UTF-8 arrive as halves of characters, which no text can hold."""
    word = next((word for word in argv if _has_half(word)), None)
    if word is None:
        return None
    return InvalidInput(
        f"This is not valid UTF-8: {word}",
        hint="Only names of files may be other bytes.",
        code="invalid_utf8",
    )


def _has_half(word: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in word)


def _from_click(error: click.ClickException) -> LockhouseError:
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx is not None else "lockhouse"
        quoting = _QUOTING if _looks_unquoted(error) else ""
        return UsageMistake(error.format_message(), hint=f"{quoting}See: {path} --help")
    return InvalidInput(error.format_message())


def _looks_unquoted(error: click.UsageError) -> bool:
    """Whether a command that takes a text was given its words one by one."""
    if error.ctx is None or not error.message.startswith("Got unexpected extra argument"):
        return False
    return any(isinstance(param, click.Argument) for param in error.ctx.command.params)


def _report(error: LockhouseError, shape: Literal["text", "json", "jsonl"]) -> int:
    shown: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    try:
        if shape == "json":
            output.write_json({"error": shown, **getattr(error, "kept", {})})
        elif shape == "jsonl" and not getattr(error, "was_shown", False):
            output.write_json_line({"type": "failed", **shown, "exit_code": error.exit_code})
        elif shape == "text":
            output.note(f"lockhouse: {error.message}")
            if error.hint:
                output.note(textwrap.indent(error.hint, "  "))
    except BrokenPipeError:
        _reader_left()
    except OSError:
        if _not_written() is None:
            raise
        output.note(f"lockhouse: {error.message}")
    return error.exit_code


def _reader_left() -> int:
    """The reader of standard output has gone."""
    output.silence(sys.stdout)
    return READER_LEFT
