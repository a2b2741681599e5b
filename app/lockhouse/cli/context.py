"""The context of a command: the home that was asked for, and access to the services."""

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
    from lockhouse.storage.settings import SettingsFile
    from lockhouse.workspace import Workspace


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

        workspace = open_workspace(self.home)
        try:
            yield workspace
        finally:
            workspace.close()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open the database alone, which takes half the time."""
        from lockhouse.places import close_to_others
        from lockhouse.storage.database import Database

        paths = self.paths
        close_to_others(paths)
        database = Database(paths.database, backups=paths.backups)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def conversations(self) -> Iterator[Conversations]:
        """Open the conversations alone."""
        from lockhouse.chat.conversations import Conversations

        with self.database() as database:
            conversations = Conversations(database)
            conversations.recover()
            yield conversations

    @contextmanager
    def models(self) -> Iterator[Models]:
        """Open the models alone."""
        from lockhouse.library.models import Models
        from lockhouse.library.starter import starter_model

        with self.database() as database:
            yield Models(database, self.paths.models, starter_model())


pass_cli = click.make_pass_decorator(CliContext)
as_json = click.option("--json", "is_json", is_flag=True, help="Print the result as JSON.")
