"""Which targets there are, and which one a name means."""

from __future__ import annotations

from typing import Protocol

from lockhouse.answer.target import Target, TargetInfo


class TargetDirectory(Protocol):
    """The one place where a name becomes something that answers."""

    def get(self, name: str) -> Target:
        """The target of that name, alias, hash prefix or path; the default one for "".

        Raises NotFound when nothing matches, InvalidInput when the file cannot be used.
        """
        ...

    def default(self) -> Target:
        """The user's chosen target, or else the starter model."""
        ...

    def list(self) -> list[TargetInfo]:
        """All targets, the default one first."""
        ...
