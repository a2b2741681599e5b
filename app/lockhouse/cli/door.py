"""What every command is handed: the home that was asked for, and the way to the services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lockhouse.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Door:
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


pass_door = click.make_pass_decorator(Door)
as_json = click.option("--json", "is_json", is_flag=True, help="Print the result as JSON.")
