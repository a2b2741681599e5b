"""What Discover shows: entries of a search, an opened repository, what one could bring."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lockhouse.gate.hub import HubFile, HubModel, HubRepo
from lockhouse.library.catalogue import Entry as Known
from lockhouse.library.file_choice import FileChoice, choices
from lockhouse.library.fit import Machine, fit
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Fit, ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.models import words

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
    ("Small", "quickest, some quality lost"),
    ("Balanced", "hard to tell from the original in everyday use"),
    ("Large", "closest to the original, slower"),
    ("Original", "as published, the largest"),
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. Empty parts leave everything in."""

    words: str = ""
    licence: str = ""
    capability: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
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


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a search."""

    query: Query
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A repository with its choices; ``machine`` is what they were measured against."""

    repo: HubRepo
    choices: tuple[FileChoice, ...]
    wanted: str = ""  # the file or the quantization that a reference named


def entry_of(model: HubModel, machine: Machine, here: Mapping[str, str]) -> Entry:
    """A search result in words, with a guess of its fit in the usual size."""
    known = f"{model.title} {model.repo}"
    parameters = model.parameters or parameters_in(known)
    guess: Fit | None = None
    if parameters:
        size = round(parameters * _BITS_OF_A_USUAL_FILE / 8)
        shape = Shape.guess(size, parameters, model.context_length, model.architecture)
        guess = fit(shape, machine, context_length=_guess_context(model.context_length)).word
    return Entry(
        model.repo,
        words.plain_title(model.repo, model.title),
        model.author or model.repo.partition("/")[0],
        _about(model, parameters),
        words.licence_words(model.license),
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
        parts.append(f"{words.parameter_words(parameters)} parameters")
    if marks:
        parts.append(" and ".join((", ".join(marks[:-1]), marks[-1])) if marks[1:] else marks[0])
    if model.context_length:
        parts.append(f"{formatting.tokens(model.context_length)} context")
    return ", ".join(parts)


def parameters_in(name: str) -> int:
    """The count that a name tells: 7B, 135M, 8x7B; 0 when it tells none."""
    found = _COUNT.search(name.lower().replace("-", " "))
    if found is None:
        return 0
    times, figure, unit = found.groups()
    return round(int(times or 1) * float(figure) * (1e9 if unit == "b" else 1e6))


def bringable(
    entry: Known, machine: Machine, here: Mapping[str, str], hashes: frozenset[str]
) -> tuple[Entry, Opened]:
    """What the bundled catalogue says of a model, as a search and a look at it would."""
    files = tuple(
        HubFile(
            form.file
            or f"{words.plain_title(entry.repo).replace(' ', '-')}-{form.quantization}.gguf",
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
    about = entry.note or f"{words.parameter_words(entry.parameters)} parameters"
    shown = Entry(
        entry.repo,
        entry.title,
        entry.publisher,
        about,
        words.licence_words(entry.license),
        0,
        best.fit.word if best else None,
        entry.gated,
        entry.repo in here or entry.included,
    )
    return shown, Opened(repo, found)


def here_repos(models: tuple[ModelInfo, ...]) -> dict[str, str]:
    """Repositories that a model of this machine is from, with the model's name."""
    return {model.source.repo: model.name for model in models if model.source and model.source.repo}


def here_hashes(models: tuple[ModelInfo, ...]) -> frozenset[str]:
    """Hashes of what is on this machine."""
    return frozenset(model.sha256 for model in models if model.sha256)
