"""Searches the hub and opens repositories, without widgets; and what Discover shows of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, UsageMistake
from lockhouse.engine.pool import EnginePool
from lockhouse.gate.hub import Hub, HubFile, HubModel, HubRepo, Reference, parse_reference
from lockhouse.library.catalogue import Entry as CatalogueEntry
from lockhouse.library.catalogue import catalogue
from lockhouse.library.file_choice import FileChoice, choices
from lockhouse.library.fit import Machine, fit, machine_now
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Fit, ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.jobs import JobHandle, Jobs, ignore
from lockhouse.ui.markdown import Block, parse
from lockhouse.ui.models import model_text

_COUNT = re.compile(r"(?<![\w.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z])")
_BITS_OF_A_USUAL_FILE = 4.85
_GUESS_CONTEXT = 8192
_MARKS = (
    ("image-text-to-text", "images"),
    ("vision", "images"),
    ("reasoning", "reasoning"),
    ("tools", "tools"),
    ("function-calling", "tools"),
    ("code", "code"),
    ("feature-extraction", "embeddings"),
    ("sentence-similarity", "embeddings"),
    ("moe", "mixture of experts"),
)
GROUPS = (
    ("Small", "fastest, lower quality"),
    ("Balanced", "close to the original in everyday use"),
    ("Large", "closest to the original, slower"),
    ("Original", "as published, largest"),
)


@dataclass(frozen=True, slots=True)
class HubEntry:
    """One line of the results."""

    repo: str
    title: str
    author: str
    about: str
    licence: str
    downloads: int
    fit: Fit | None
    gated: bool = False
    here: bool = False

    def matches(self, words: Sequence[str]) -> bool:
        """Whether all these lower-case words occur in it."""
        text = f"{self.title} {self.about} {self.author}".casefold()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class OpenedRepository:
    """A repository with its choices of files."""

    repo: HubRepo
    choices: tuple[FileChoice, ...]


Catalogue = tuple[tuple[HubEntry, OpenedRepository], ...]


def entry_of(model: HubModel, machine: Machine, here: Collection[str]) -> HubEntry:
    """A search result, with an estimate of its fit at the usual quantization."""
    known = f"{model.title} {model.repo}"
    parameters = model.parameters or parameters_in(known)
    guess: Fit | None = None
    if parameters:
        size = round(parameters * _BITS_OF_A_USUAL_FILE / 8)
        shape = Shape.guess(size, parameters, model.context_length, model.architecture)
        guess = fit(shape, machine, context_length=_guess_context(model.context_length)).word
    return HubEntry(
        model.repo,
        model_text.plain_title(model.repo, model.title),
        model.author or model.repo.partition("/")[0],
        _about(model, parameters),
        model_text.licence_name(model.license),
        model.downloads,
        guess,
        bool(model.gated),
        model.repo in here,
    )


def _guess_context(trained: int) -> int:
    return min(trained, _GUESS_CONTEXT) if trained else _GUESS_CONTEXT


def _about(model: HubModel, parameters: int) -> str:
    tags = {tag.lower() for tag in model.tags}
    marks = list(dict.fromkeys(word for tag, word in _MARKS if tag in tags))
    parts = []
    if parameters:
        parts.append(f"{model_text.parameter_count(parameters)} parameters")
    if marks:
        parts.append(" and ".join((", ".join(marks[:-1]), marks[-1])) if marks[1:] else marks[0])
    if model.context_length:
        parts.append(f"{formatting.tokens(model.context_length)} context")
    return ", ".join(parts)


def parameters_in(name: str) -> int:
    """The parameter count in a name, such as 7B, 135M, 8x7B; 0 when there is none."""
    found = _COUNT.search(name.lower().replace("-", " "))
    if found is None:
        return 0
    times, figure, unit = found.groups()
    return round(int(times or 1) * float(figure) * (1e9 if unit == "b" else 1e6))


def catalogue_entry(
    entry: CatalogueEntry, machine: Machine, here: Collection[str], hashes: frozenset[str]
) -> tuple[HubEntry, OpenedRepository]:
    """A model of the bundled catalogue in the form of a search result and its repository."""
    files = tuple(
        HubFile(
            form.file
            or f"{model_text.plain_title(entry.repo).replace(' ', '-')}-{form.quantization}.gguf",
            form.size_bytes,
            form.sha256,
            form.quantization,
        )
        for form in entry.forms
    )
    repo = HubRepo(
        entry.repo,
        "",
        entry.license,
        "auto" if entry.gated else "",
        files,
        entry.parameters,
        context_length=entry.context_length,
        languages=entry.languages,
        capabilities=entry.capabilities,
        license_url=entry.license_url,
    )
    found = _marked(choices(repo, machine), hashes)
    best = next((one for one in found if one.recommended), found[0] if found else None)
    about = entry.note or f"{model_text.parameter_count(entry.parameters)} parameters"
    shown = HubEntry(
        entry.repo,
        entry.title,
        entry.publisher,
        about,
        model_text.licence_name(entry.license),
        0,
        best.fit.word if best else None,
        entry.gated,
        entry.repo in here or entry.included,
    )
    return shown, OpenedRepository(repo, found)


def installed_repos(models: tuple[ModelInfo, ...]) -> frozenset[str]:
    """The repositories that models of this machine are from."""
    return frozenset(model.source.repo for model in models if model.source)


def installed_hashes(models: tuple[ModelInfo, ...]) -> frozenset[str]:
    """The hashes of the models of this machine."""
    return frozenset(model.sha256 for model in models if model.sha256)


class DiscoverController(QObject):
    """The hub as the window sees it. A newer request cancels the one before."""

    found = Signal(object)  # tuple[HubEntry, ...]
    opened = Signal(object)  # OpenedRepository
    catalogue_read = Signal(object)  # Catalogue
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

    def search(self, words: str, licence: str, capability: str, language: str) -> None:
        """Search for repositories. What is empty lets everything through."""
        models = self._models()

        def read(cancel: CancelToken) -> tuple[HubEntry, ...]:
            found = self._hub.search(
                words,
                license=licence,
                capability=capability,  # type: ignore[arg-type] # one of the offered words
                language=language,
                cancel=cancel,
            )
            machine, here = machine_now(self._engines), installed_repos(models)
            return tuple(entry_of(model, machine, here) for model in found)

        self._ask("search", read, self.found.emit)

    def open(self, reference: Reference) -> None:
        """Open a repository, and find out which of its files would run here."""
        models = self._models()

        def read(cancel: CancelToken) -> OpenedRepository:
            repo = self._hub.repo(reference.repo, reference.revision, cancel=cancel)
            found = choices(repo, machine_now(self._engines))
            return OpenedRepository(repo, _marked(found, installed_hashes(models)))

        self._ask("open", read, self.opened.emit)

    def read_card(self, repo: str, revision: str) -> None:
        """Read the model card of a repository."""

        def read(cancel: CancelToken) -> tuple[Block, ...]:
            return parse(self._hub.card(repo, revision, cancel=cancel))

        self._ask("card", read, lambda blocks: self.card_read.emit(repo, blocks))

    def read_catalogue(self) -> None:
        """Read the bundled catalogue, without network access."""
        models = self._models()

        def read() -> Catalogue:
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


def _marked(found: Sequence[FileChoice], here: Collection[str]) -> tuple[FileChoice, ...]:
    """The same choices, with those marked whose hashes are on this machine."""
    return tuple(
        dataclasses.replace(
            choice,
            here=choice.here
            or all(file.sha256 in here for file in choice.files if not file.is_projector),
        )
        for choice in found
    )
