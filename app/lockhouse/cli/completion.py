"""``lockhouse completion``: a script for the shell, and what could stand where the cursor is.

A shell starts the program for each press of Tab, so what is asked here is little: the names on
this machine, never a network, and nothing at all in a home that does not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockhouse.cli import COMPLETION, output
from lockhouse.cli.context import CliContext
from lockhouse.core.errors import LockhouseError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_Names = Iterable[tuple[str, str]]  # with what is said of each


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script with which SHELL completes commands, options and names.

    \b
    bash, in ~/.bashrc:    eval "$(lockhouse completion bash)"
    zsh, in ~/.zshrc:      eval "$(lockhouse completion zsh)"
    fish:                  lockhouse completion fish > ~/.config/fish/completions/lockhouse.fish
    """
    from click.shell_completion import get_completion_class

    from lockhouse.cli.main import commands

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(commands, {}, "lockhouse", COMPLETION)
    output.write(script.source_template % script.source_vars())


def _completer(
    find: Callable[[CliContext], _Names],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Those names that go on with what was typed; none where the home cannot be read."""

    def complete(
        ctx: click.Context, _parameter: click.Parameter, typed: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        home = ctx.find_root().params.get("home")
        cli = CliContext(Path(home) if home else None)
        try:
            names = dict(find(cli)) if cli.paths.database.exists() else {}
        except (LockhouseError, OSError):
            return []
        return [
            CompletionItem(name, help=said or None)
            for name, said in names.items()
            if name.startswith(typed)
        ]

    return complete


def _models(cli: CliContext) -> _Names:
    with cli.models() as library:
        for model in library.list():
            for name in (model.name, *model.aliases):
                yield name, model.title


def _targets(cli: CliContext) -> _Names:
    from lockhouse.gate.providers import Providers

    yield from _models(cli)
    with cli.database() as database:
        for model in Providers(database).chosen():
            yield f"{model.provider}/{model.called}", "API or server"


def _providers(cli: CliContext) -> _Names:
    from lockhouse.gate.providers import Providers

    with cli.database() as database:
        for provider in Providers(database).list():
            yield provider.name, provider.title


def _chats(cli: CliContext) -> _Names:
    with cli.conversations() as conversations:
        for chat in conversations.list():
            yield chat.id, chat.title


def _settings(cli: CliContext) -> _Names:
    for field in cli.settings_file.fields():
        yield field.name, field.help


models_here = _completer(_models)
targets_here = _completer(_targets)
providers_here = _completer(_providers)
chats_here = _completer(_chats)
settings_here = _completer(_settings)
