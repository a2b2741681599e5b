"""The files of a repository to choose from, one of them recommended for this machine.

Recommended is the best that fits comfortably: the usual balance of size and loss, or a larger
quantization for models so small that there is no memory to save.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.gate.hub import Hub, HubFile, HubRepo, Reference
from lockhouse.library.fit import FitReport, Machine, fit, quality_of
from lockhouse.library.gguf.header import GgufHeader, read_header_start
from lockhouse.library.gguf.layout import NeedMore
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Quality

Loss = Literal["high", "noticeable", "slight", "very slight", "negligible", "none"]

_LOSSES: Final[tuple[tuple[float, Loss], ...]] = (
    (7.9, "negligible"),
    (6.3, "very slight"),
    (4.6, "slight"),
    (3.9, "noticeable"),
)
_USUAL_BITS: Final = 4.85  # of Q4_K_M
_LEAST_BITS: Final = 4.2  # below that, a smaller model is better
_FULL_BITS: Final = 8.6
_USEFUL_CONTEXT: Final = 4096
_SMALL_SHARE: Final = 0.15  # of the memory that is free
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)", re.IGNORECASE)
_FIRST_BYTES: Final = 1 << 20
_MOST_BYTES: Final = 48 << 20
_NOMINAL_BITS: Final = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8": 8.5, "Q6": 6.6, "Q5": 5.6,
                        "Q4": 4.8, "Q3": 3.8, "Q2": 3.0, "Q1": 1.8, "MXFP4": 4.3, "NVFP4": 4.5,
                        "TQ1": 1.7, "TQ2": 2.1}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileChoice:
    """One choice: a file or all parts of a model, with its projector if it has one."""

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    label: str
    quality: Quality
    bits_per_weight: float
    size_bytes: int
    fit: FitReport
    loss: Loss
    recommended: bool = False
    reason: str = ""
    here: bool = False


def choices(
    repo: HubRepo,
    machine: Machine,
    headers: Mapping[str, GgufHeader] | None = None,
    *,
    here: Collection[str] = (),
) -> list[FileChoice]:
    """Every model in the repository, smallest first, with at most one recommended.

    ``headers`` by file name: one is enough, since all files are forms of the same model.
    ``here`` are the sha256 of the files on this machine.
    """
    shape = next((Shape.of(header) for header in (headers or {}).values()), None)
    projector = _projector(repo.files)
    found = [_choice(repo, parts, projector, shape, machine, here) for parts in _models(repo.files)]
    found.sort(key=lambda choice: (choice.size_bytes, choice.label))
    return _with_one_recommended(found, machine)


def pick(found: Sequence[FileChoice], reference: Reference) -> FileChoice:
    """The choice that a reference names; the recommended one when it names none.

    Raises NotFound with the list of choices.
    """
    asked = reference.file or reference.quantization
    suffix = Path(asked).suffix.lower()
    if suffix[1:].isalpha() and suffix != ".gguf":
        raise InvalidInput(
            f"{asked} is not GGUF and cannot be run here.",
            hint=f"See the files that can: lockhouse models get {reference.repo} --dry-run",
        )
    if not found:
        raise NotFound(
            f"{reference.repo} has no GGUF file.",
            hint=f"Search for a repository that has: lockhouse models search"
            f' "{reference.repo.partition("/")[2]}"',
        )
    if reference.file:
        named = [each for each in found if any(file.name == reference.file for file in each.files)]
    elif reference.quantization:
        wanted = reference.quantization.upper()
        named = [each for each in found if each.label.upper() == wanted]
        named = named or [each for each in found if each.label.upper().endswith(wanted)]
    else:
        named = [each for each in found if each.recommended]
    if named:
        return named[0]
    labels = ", ".join(each.label for each in found)
    if not asked:
        raise InvalidInput(
            f"No file of {reference.repo} fits into the memory of this machine.",
            hint=f"Name one to download it anyway: {labels}.",
            code="no_fit",
        )
    raise NotFound(f"{reference.repo} has no {asked}.", hint=f"It has: {labels}.")


def remote_header(
    hub: Hub, repo: HubRepo, file: HubFile, *, cancel: CancelToken | None = None
) -> GgufHeader:
    """The header of a file on the hub; no more of the file is downloaded."""
    count = _FIRST_BYTES
    while True:
        data = hub.start(repo.repo, file.name, repo.revision, count=count, cancel=cancel)
        try:
            return read_header_start(data, file.size_bytes, Path(file.name))
        except NeedMore as more:
            if len(data) < count or count >= _MOST_BYTES:
                raise InvalidInput(f"The header of {file.name} has no end.") from more
            count = min(_MOST_BYTES, max(more.size_bytes, 2 * count))


def smallest(repo: HubRepo) -> HubFile | None:
    """The smallest model file, whose header describes all of them."""
    models = [parts[0] for parts in _models(repo.files)]
    return min(models, key=lambda file: file.size_bytes, default=None)


# Files


def _models(files: Sequence[HubFile]) -> list[tuple[HubFile, ...]]:
    """The files of each complete model, first the one by which it is loaded."""
    groups: dict[str, list[HubFile]] = {}
    for file in files:
        if not file.is_projector and "imatrix" not in file.name.lower():
            groups.setdefault(_SHARD.sub("", file.name), []).append(file)
    whole = []
    for parts in groups.values():
        parts.sort(key=lambda file: file.shard_index)
        if [file.shard_index for file in parts] == list(range(parts[0].shard_count)):
            whole.append(tuple(parts))
    return whole


def _projector(files: Sequence[HubFile]) -> HubFile | None:
    order = {"F16": 0, "BF16": 1}
    found = [file for file in files if file.is_projector and file.shard_count == 1]
    return min(
        found, key=lambda file: (order.get(file.quantization, 2), file.size_bytes), default=None
    )


def _choice(
    repo: HubRepo,
    parts: tuple[HubFile, ...],
    projector: HubFile | None,
    shape: Shape | None,
    machine: Machine,
    here: Collection[str],
) -> FileChoice:
    size = sum(file.size_bytes for file in parts)
    label = parts[0].quantization or _SHARD.sub("", parts[0].name).rpartition("/")[2][:-5]
    bits = size * 8 / repo.parameters if repo.parameters else _nominal_bits(label)
    extra = projector.size_bytes if projector is not None else 0
    known = (
        msgspec.structs.replace(shape, weights_bytes=size)
        if shape is not None
        else Shape.guess(size, repo.parameters, repo.context_length, repo.architecture)
    )
    files = (*parts, projector) if projector is not None else parts
    return FileChoice(
        repo=repo.repo,
        revision=repo.revision,
        files=files,
        label=label,
        quality=quality_of(label, bits),
        bits_per_weight=round(bits, 2),
        size_bytes=size + extra,
        fit=fit(known, machine, projector_bytes=extra),
        loss=_loss(label, bits),
        here=bool(parts[0].sha256) and all(file.sha256 in here for file in parts),
    )


def _loss(label: str, bits: float) -> Loss:
    if label in ("F32", "F16", "BF16"):
        return "none"
    return next((loss for least, loss in _LOSSES if bits >= least), "high")


def _nominal_bits(label: str) -> float:
    name = label.upper().removeprefix("UD-").removeprefix("I")
    return next((bits for form, bits in _NOMINAL_BITS.items() if name.startswith(form)), 16.0)


# Recommendation


def _with_one_recommended(found: list[FileChoice], machine: Machine) -> list[FileChoice]:
    best = _best(found, machine)
    if best is None:
        return found
    reason = _reason(best, machine)
    return [
        replace(each, recommended=True, reason=reason) if each is best else each for each in found
    ]


def _best(found: Sequence[FileChoice], machine: Machine) -> FileChoice | None:
    fitting = [each for each in found if each.fit.word == "fits"]
    fitting = [each for each in fitting if each.fit.largest_context >= _USEFUL_CONTEXT] or fitting
    if not fitting:
        slow = [each for each in found if each.fit.word == "may be slow"]
        return min(slow, key=lambda each: each.size_bytes, default=None)
    small = machine.memory_free_bytes * _SMALL_SHARE
    full = [
        each
        for each in fitting
        if each.fit.needed.weights_bytes <= small and each.bits_per_weight <= _FULL_BITS
    ]
    good = [each for each in full if each.bits_per_weight >= _USUAL_BITS]
    if good:
        return max(good, key=lambda each: each.bits_per_weight)
    usual = [each for each in fitting if each.bits_per_weight >= _LEAST_BITS]
    if usual:
        return min(usual, key=lambda each: (abs(each.bits_per_weight - _USUAL_BITS), each.label))
    return max(fitting, key=lambda each: each.bits_per_weight)


def _reason(best: FileChoice, machine: Machine) -> str:
    loss = "no loss" if best.loss == "none" else f"{best.loss} loss of quality"
    if best.fit.word != "fits":
        return f"The smallest one, and even that may be slow here. {best.fit.reason}"
    context = (
        f" and leaves room for a context of {best.fit.largest_context:,} tokens"
        if best.fit.largest_context
        else ""
    )
    room = best.fit.available_bytes / 1e9
    small = best.fit.needed.weights_bytes <= machine.memory_free_bytes * _SMALL_SHARE
    why = "so small that there is no memory to save" if small else "the usual balance"
    if best.bits_per_weight < _LEAST_BITS:
        why = "the best that fits"
    return f"{why[0].upper()}{why[1:]}: {loss}; it fits into the {room:.1f} GB free{context}."
