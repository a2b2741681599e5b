"""The context of a command: the home that was asked for, and access to the services."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from lockhouse.cli import output
from lockhouse.cli.output import keep_choice_of_json

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversations
    from lockhouse.library.models import Models
    from lockhouse.places import Paths
    from lockhouse.storage.database import Database
    from lockhouse.storage.settings import SettingsFile
    from lockhouse.workspace import Workspace

_BACKUP_AFTER = timedelta(days=1)
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

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open every service, and close them again."""
        from lockhouse.workspace import open_workspace

        with closing(open_workspace(self.home)) as workspace:
            _tell_if_unwritable(workspace.database)
            workspace.conversations.purge_deleted()
            yield workspace
            _back_up(workspace.database)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open the database alone, which takes half the time."""
        from lockhouse.places import close_to_others
        from lockhouse.storage.database import Database

        paths = self.paths
        close_to_others(paths)
        with closing(Database(paths.database, backups=paths.backups)) as database:
            _tell_if_unwritable(database)
            yield database
            _back_up(database)

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


def _tell_if_unwritable(database: Database) -> None:
    if database.unwritable is not None:
        output.note(f"note: {database.unwritable.message} You can read; nothing is saved.")


def _back_up(database: Database) -> None:
    """Once a day, after a command has done its work."""
    from lockhouse.storage.read_only import if_writable

    with if_writable():
        database.backup_when_due(_BACKUP_AFTER)


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


# Short names within a group, which its help does not list.
_SHORT = {"ls": "list", "rm": "remove", "pull": "get", "delete": "remove", "download": "get"}


class LazyGroup(click.Group):
    """Imports a command only when it is called.

    ``lazy`` names the module that holds each command, under the command's name, or the name behind
    a colon.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            found = super().get_command(ctx, cmd_name)
            other = _SHORT.get(cmd_name, "")
            return self.get_command(ctx, other) if found is None and other else found
        place, _, name = self._lazy[cmd_name].partition(":")
        module = importlib.import_module(f"lockhouse.cli.{place}")
        command = getattr(module, name or cmd_name)
        assert isinstance(command, click.Command)
        return command
