"""Searches the hub and opens repositories, without widgets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, UsageMistake
from lockhouse.engine.pool import EnginePool
from lockhouse.gate.hub import Hub, Reference, parse_reference
from lockhouse.library.catalogue import catalogue
from lockhouse.library.file_choice import FileChoice, choices
from lockhouse.library.fit import machine_now
from lockhouse.library.model_info import ModelInfo
from lockhouse.ui.jobs import JobHandle, Jobs, ignore
from lockhouse.ui.markdown import Block, parse
from lockhouse.ui.models.hub_entries import (
    HubEntry,
    OpenedRepository,
    Query,
    SearchResult,
    catalogue_entry,
    entry_of,
    installed_hashes,
    installed_repos,
)


class DiscoverController(QObject):
    """The hub as the window sees it. A newer request cancels the one before."""

    found = Signal(object)  # SearchResult
    opened = Signal(object)  # OpenedRepository
    catalogue_read = Signal(object)  # tuple[tuple[HubEntry, OpenedRepository], ...]
    card_read = Signal(str, object)  # repository, blocks of its card
    failed = Signal(object)  # LockhouseError

    def __init__(
        self,
        hub: Hub,
        engines: EnginePool,
        models: Callable[[], tuple[ModelInfo, ...]],
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._hub = hub
        self._engines = engines
        self._models = models
        self._jobs = jobs
        self._asked: dict[str, tuple[JobHandle, CancelToken]] = {}

    def search(self, query: Query) -> None:
        """Search for repositories."""
        models = self._models()

        def read(cancel: CancelToken) -> SearchResult:
            found = self._hub.search(
                query.words,
                license=query.licence,
                capability=query.capability,  # type: ignore[arg-type] # one of the offered words
                language=query.language,
                cancel=cancel,
            )
            machine, here = machine_now(self._engines), installed_repos(models)
            return SearchResult(query, tuple(entry_of(model, machine, here) for model in found))

        self._ask("search", read, self.found.emit)

    def open(self, reference: Reference) -> None:
        """Open a repository, and find out which of its files would run here."""
        models = self._models()

        def read(cancel: CancelToken) -> OpenedRepository:
            repo = self._hub.repo(reference.repo, reference.revision, cancel=cancel)
            found = choices(repo, machine_now(self._engines))
            return OpenedRepository(repo, _marked(found, models))

        self._ask("open", read, self.opened.emit)

    def read_card(self, repo: str, revision: str) -> None:
        """Read the model card of a repository."""

        def read(cancel: CancelToken) -> tuple[Block, ...]:
            return parse(self._hub.card(repo, revision, cancel=cancel))

        self._ask("card", read, lambda blocks: self.card_read.emit(repo, blocks))

    def read_catalogue(self) -> None:
        """Read the bundled catalogue, without network access."""
        models = self._models()

        def read() -> tuple[tuple[HubEntry, OpenedRepository], ...]:
            machine = machine_now(self._engines)
            repos, hashes = installed_repos(models), installed_hashes(models)
            return tuple(catalogue_entry(one, machine, repos, hashes) for one in catalogue().models)

        self._jobs.run(read, self.catalogue_read.emit, ignore)

    def stop(self) -> None:
        """Cancel all requests."""
        for key in list(self._asked):
            self._drop(key)

    def _ask(
        self, key: str, work: Callable[[CancelToken], object], done: Callable[[object], None]
    ) -> None:
        self._drop(key)
        cancel = CancelToken()

        def read() -> object:
            if cancel.cancelled:
                raise Cancelled
            return work(cancel)

        self._asked[key] = (self._jobs.run(read, done, self.failed.emit), cancel)

    def _drop(self, key: str) -> None:
        if key in self._asked:
            handle, cancel = self._asked.pop(key)
            handle.cancel()
            cancel.cancel()


def reference_in(text: str) -> Reference | None:
    """The repository that a pasted link or name stands for; None for words to search for."""
    if "/" not in text or " " in text.strip():
        return None
    try:
        return parse_reference(text)
    except UsageMistake:
        return None


def _marked(found: Sequence[FileChoice], models: tuple[ModelInfo, ...]) -> tuple[FileChoice, ...]:
    """The same choices, with those marked that are on this machine."""
    here = installed_hashes(models)
    return tuple(
        dataclasses.replace(
            choice,
            here=choice.here
            or all(file.sha256 in here for file in choice.files if not file.is_projector),
        )
        for choice in found
    )
