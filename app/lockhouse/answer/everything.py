"""Everything that can answer: models on this machine by their names, all others by provider.

A name with a provider before its first slash is one elsewhere; nothing else ever is. What
nobody chose stays on this machine or on its own network.
"""

from __future__ import annotations

from collections.abc import Callable

from lockhouse.answer.local import LocalTargets
from lockhouse.answer.remotes import RemoteTargets
from lockhouse.answer.targets import Target, TargetInfo
from lockhouse.core.errors import NotFound, PolicyRefused


class AllTargets:
    """The directory of one home: see :class:`lockhouse.answer.directory.TargetDirectory`."""

    def __init__(
        self, local: LocalTargets, remote: RemoteTargets, chosen: Callable[[], str]
    ) -> None:
        """``chosen`` is the name of the default target in the settings; empty for none."""
        self.local = local
        self.remote = remote
        self._chosen = chosen

    def get(self, name: str) -> Target:
        """By name, alias, hash prefix or path, or as ``provider/model``; "" is the default."""
        if not name:
            return self.default()
        if self.remote.knows(name):
            return self.remote.get(name)
        try:
            return self.local.get(name)
        except NotFound:
            head, slash, _ = name.partition("/")
            if slash and head and not name.endswith(".gguf") and head[0] not in "./~":
                self.remote.get(name)  # which says that there is no such provider
            raise

    def default(self) -> Target:
        """The chosen target, or else the first local one. Never an API."""
        chosen = self._chosen()
        if not self.remote.knows(chosen):
            return self.local.default()
        target = self.remote.get(chosen)
        if target.provider.zone == "cloud":
            raise PolicyRefused(
                f"{chosen} is set as the default, and an API answers only where it was chosen.",
                hint=f"Choose it for this question: -m {chosen}. "
                'Or go back: lockhouse settings set default_target ""',
                code="not_chosen",
            )
        return target

    def list(self) -> list[TargetInfo]:
        """All of them, the default one first."""
        found = [*self.local.list(), *self.remote.list()]
        chosen = self._chosen()
        if self.remote.knows(chosen):
            found.sort(key=lambda info: info.name != chosen)
        return found
