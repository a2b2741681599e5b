"""``lockhouse run MODEL [PROMPT]``: a chat, or one question, as users of Ollama type it."""

from __future__ import annotations

import sys
from typing import Any

import click

from lockhouse.cli import output
from lockhouse.cli.ask import ask
from lockhouse.cli.chat import chat
from lockhouse.cli.completion import targets_here
from lockhouse.cli.context import json_option
from lockhouse.cli.options import remote_options, sampling_options


@click.command()
@click.argument("model", shell_complete=targets_here)
@click.argument("words", metavar="[PROMPT]", nargs=-1)
@click.option("-s", "--system", metavar="SYSTEM", help="System prompt.")
@remote_options
@sampling_options
@json_option
@click.pass_context
def run(ctx: click.Context, /, model: str, words: tuple[str, ...], **given: Any) -> Any:
    """Chat with MODEL. With a PROMPT, or something on standard input, ask that and leave.

    The same as lockhouse chat -m MODEL and lockhouse ask -m MODEL, which have more options.
    """
    if words or output.is_json() or not output.is_terminal(sys.stdin):
        return ctx.invoke(ask, prompt=" ".join(words) or None, target=model, **given)
    return ctx.invoke(chat, target=model, **given)
