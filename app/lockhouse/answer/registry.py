"""All targets by name: models on this machine, and models of providers as ``provider/model``.

A name is a provider's only where a known provider stands before its first slash. What nobody
chose stays on this machine or on its own network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockhouse.answer.local import LocalTarget, LocalTargets
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.core.errors import LockhouseError, NotFound, PolicyRefused, UsageMistake
from lockhouse.gate.providers import Providers
from lockhouse.library.pasted_names import hub_reference

if TYPE_CHECKING:
    from lockhouse.answer.remote import RemoteTarget
    from lockhouse.answer.remote_targets import RemoteTargets
    from lockhouse.library.model_info import ModelInfo

_MOST_NAMED = 5  # in an error


@dataclass(eq=False, repr=False)
class TargetRegistry:
    """All targets of one home: where a name becomes something that answers."""

    local: LocalTargets
    _providers: Providers
    _remote: Callable[[], RemoteTargets]  # called when one is wanted, which most never do
    _chosen: Callable[[], str]  # the name of the default target in the settings; empty for none

    def get(self, name: str) -> Target:
        """By name, alias, hash prefix or path, or as ``provider/model``; "" is the default.

        A provider's name alone means its only chosen model, never a local one that begins so.
        """
        if not name:
            return self.default()
        if self._is_remote(name):
            return self._remote().get(name) if "/" in name else self._of_provider(name)
        try:
            return self.local.get(name)
        except NotFound as error:
            head, slash, _ = name.partition("/")
            if slash and head and not name.endswith(".gguf") and head[0] not in "./~":
                raise self._neither(name, head, error) from error
            raise

    def default(self) -> Target:
        """The chosen target, or else the first local one. Never an API."""
        chosen = self._chosen()
        if not self._is_remote(chosen):
            return self.local.default()
        target = self._remote().get(chosen) if "/" in chosen else self._of_provider(chosen)
        if isinstance(target, LocalTarget):
            return target
        if target.provider.zone == "cloud":
            raise PolicyRefused(
                f"{chosen} is set as the default, and an API answers only where it was chosen.",
                hint=f"Choose it for this question: -m {chosen}. "
                'Or go back: lockhouse settings set default_target ""',
                code="not_chosen",
            )
        return target

    def on_this_machine(self, preferred: str = "") -> LocalTarget:
        """That one where it is a model of this machine, or else the default among those."""
        if preferred and not self._is_remote(preferred):
            return self.local.get(preferred)
        return self.local.default()

    def list(self, installed: Sequence[ModelInfo] | None = None) -> list[TargetInfo]:
        """All of them, the default one first; ``installed`` are the models where they are known."""
        found = self.local.list(installed)
        if self._providers.chosen():
            found += self._remote().list()
        chosen = self._chosen()
        if self._is_remote(chosen):
            with contextlib.suppress(LockhouseError):  # what is set names nothing any more
                first = self.get(chosen).info.name
                found.sort(key=lambda info: info.name != first)
        return found

    def _of_provider(self, name: str) -> LocalTarget | RemoteTarget:
        try:
            local = self.local.get(name)
        except LockhouseError:
            pass
        else:
            if local.is_called(name):
                return local
        models = self._providers.models(name)
        chosen = [model for model in models if model.is_chosen]
        if len(chosen) == 1:
            return self._remote().get(f"{name}/{chosen[0].name}")
        some = [f"{name}/{model.called}" for model in (chosen or models)[:_MOST_NAMED]]
        raise UsageMistake(
            f"{name} is a provider; which of its models?",
            hint=f"Name one: {', '.join(some) or f'{name}/MODEL'}. "
            f"They are listed by: lockhouse targets models {name}",
        )

    def _neither(self, name: str, head: str, error: NotFound) -> NotFound:
        """For what may be a model of a hub that is not here, or a provider that is not known."""
        try:
            self._providers.get(head)
        except NotFound as unknown:
            if hub_reference(name) is None or "Did you mean" in unknown.hint:
                return unknown
            if name.count("/") == 1:
                message = f"{unknown.message.rstrip('.')}, and no model {name} is here."
                return NotFound(message, hint=f"{error.hint}\n{unknown.hint}", code=unknown.code)
        return error

    def _is_remote(self, name: str) -> bool:
        """Whether the name is a provider's, or begins with it and a slash."""
        head = name.partition("/")[0]
        return any(known.name == head for known in self._providers.list())
