"""What every command is handed: the home that was asked for, and the way to the services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lockhouse.chat.conversations import Conversations
    from lockhouse.library.models import Models
    from lockhouse.places import Paths
    from lockhouse.storage.database import Database
    from lockhouse.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CliContext:
    """The command line of one run."""

    home: Path | None

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open every service, and close them again."""
        from lockhouse.workspace import open_workspace

        workspace = open_workspace(self.home)
        try:
            yield workspace
        finally:
            workspace.close()

    @contextmanager
    def conversations(self) -> Iterator[Conversations]:
        """The conversations alone: without the engine's world they open in half the time."""
        from lockhouse.chat.conversations import Conversations

        with self._database() as database:
            conversations = Conversations(database)
            conversations.recover()
            yield conversations

    @contextmanager
    def models(self) -> Iterator[Models]:
        """The models alone, likewise."""
        from lockhouse.library.models import Models
        from lockhouse.library.starter import starter_model
        from lockhouse.places import paths_for

        with self._database() as database:
            yield Models(database, paths_for(self.home).models, starter_model())

    def paths(self) -> Paths:
        """Where this home keeps its things."""
        from lockhouse.places import paths_for

        return paths_for(self.home)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database alone."""
        with self._database() as database:
            yield database

    @contextmanager
    def _database(self) -> Iterator[Database]:
        from lockhouse.places import paths_for
        from lockhouse.storage.database import Database

        paths = paths_for(self.home)
        database = Database(paths.database, backups=paths.backups)
        try:
            yield database
        finally:
            database.close()


pass_door = click.make_pass_decorator(CliContext)
as_json = click.option("--json", "is_json", is_flag=True, help="Print the result as JSON.")
