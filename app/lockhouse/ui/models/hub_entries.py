"""What Discover shows: search results, an opened repository, the bundled catalogue."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lockhouse.gate.hub import HubFile, HubModel, HubRepo
from lockhouse.library.catalogue import Entry as CatalogueEntry
from lockhouse.library.file_choice import FileChoice, choices
from lockhouse.library.fit import Machine, fit
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Fit, ModelInfo
from lockhouse.ui import formatting
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
class Query:
    """What to search for. Empty parts let everything through."""

    words: str = ""
    licence: str = ""
    capability: str = ""
    language: str = ""


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
class SearchResult:
    """The results of a search."""

    query: Query
    entries: tuple[HubEntry, ...]


@dataclass(frozen=True, slots=True)
class OpenedRepository:
    """A repository with its choices of files."""

    repo: HubRepo
    choices: tuple[FileChoice, ...]


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
    found = tuple(
        dataclasses.replace(choice, here=choice.files[0].sha256 in hashes)
        for choice in choices(repo, machine)
    )
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
