"""The context of a command: the home that was asked for, and access to the services."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from lockhouse.cli.output import keep_choice_of_json

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversations
    from lockhouse.library.models import Models
    from lockhouse.places import Paths
    from lockhouse.storage.database import Database
    from lockhouse.storage.settings import SettingsFile
    from lockhouse.workspace import Workspace

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class CliContext:
    """The context of one run of the command line."""

    home: Path | None

    @property
    def paths(self) -> Paths:
        """Where this home keeps its files."""
        from lockhouse.places import paths_for

        return paths_for(self.home)

    @property
    def settings_file(self) -> SettingsFile:
        """The settings of this home."""
        from lockhouse.storage.settings import SettingsFile

        return SettingsFile(self.paths.settings)

    def workspace(self) -> AbstractContextManager[Workspace]:
        """Open every service, and close them again."""
        from lockhouse.workspace import open_workspace

        workspace = open_workspace(self.home)
        workspace.conversations.purge_deleted()
        return closing(workspace)

    def database(self) -> AbstractContextManager[Database]:
        """Open the database alone, which takes half the time."""
        from lockhouse.places import close_to_others
        from lockhouse.storage.database import Database

        paths = self.paths
        close_to_others(paths)
        return closing(Database(paths.database, backups=paths.backups))

    @contextmanager
    def conversations(self) -> Iterator[Conversations]:
        """Open the conversations alone."""
        from lockhouse.chat.conversations import Conversations

        with self.database() as database:
            conversations = Conversations(database)
            conversations.recover()
            conversations.purge_deleted()
            yield conversations

    @contextmanager
    def models(self) -> Iterator[Models]:
        """Open the models alone."""
        from lockhouse.library.models import Models
        from lockhouse.library.starter import starter_model

        with self.database() as database:
            yield Models(database, self.paths.models, starter_model())


pass_cli = click.make_pass_decorator(CliContext)
json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=keep_choice_of_json,
    help="Print the result as JSON.",
)


def as_json(command: Callable[Concatenate[CliContext, _P], _Result]) -> Callable[_P, _Result]:
    """``--json``, which ``output`` follows, for a command that is given its context."""
    return json_option(pass_cli(command))


class LazyGroup(click.Group):
    """Imports a command only when it is called.

    ``lazy`` names the module that holds each command, under the command's name or its own.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"lockhouse.cli.{self._lazy[cmd_name]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command
