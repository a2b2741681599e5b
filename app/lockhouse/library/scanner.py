"""Finds all models: scans the folders, reads headers, and joins identical copies.

Hides the order of folders, the cache of headers, names for models that were never named,
projectors in the folder of their model, and that identical files are one model at several places.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.core.thinking import switch_of
from lockhouse.library.container_stores import look_into_containers
from lockhouse.library.external_folders import owner_of, shape_of
from lockhouse.library.external_stores import (
    FoundFile,
    files_beneath,
    is_model_name,
    look_into,
)
from lockhouse.library.fit import Machine, fit_of, machine_now, quality_of
from lockhouse.library.folders import Folders
from lockhouse.library.gguf.header import GgufHeader, read_header
from lockhouse.library.gguf.layout import shown
from lockhouse.library.gguf.loadable import shard_paths
from lockhouse.library.gguf.memory import estimate_memory
from lockhouse.library.inventory import Hashed, Inventory, Stamp, size_of, stamp_of
from lockhouse.library.model_info import (
    OWN,
    Facts,
    FoundFolder,
    ModelInfo,
    Place,
    Source,
    Speed,
    State,
)
from lockhouse.library.model_names import Names, family_of, plain_name, plain_title, slug
from lockhouse.library.profiles import Profiles
from lockhouse.library.projectors import ProjectorIndex, projection_length, projector_beside
from lockhouse.library.revisions import RevisionRow, Revisions

_ORDINARY_CONTEXT: Final = 8192
_ADAPTER: Final = (
    "It is made of a base model and an adapter (LoRA), and adapters cannot be applied here. "
    "Merge the two first, or use the base model."
)
_NOT_MODELS: Final = ("mmproj", "adapter", "imatrix", "vocab")
_SMALLEST_SHARE: Final = 0.005
_KEPT_TOGETHER: Final = 200


class Copy(msgspec.Struct, frozen=True):
    """One of the identical files of a model, described by itself."""

    file: FoundFile
    info: ModelInfo

    @property
    def weights(self) -> tuple[Path, ...]:
        """Its own files, without the projector, which other models may share."""
        return tuple(path for path in self.info.files if path != self.info.projector)


class ListedModel(msgspec.Struct, frozen=True):
    """A model and all its copies. The first copy is the one that is used."""

    info: ModelInfo
    copies: tuple[Copy, ...]
    kind: str = ""  # tells models apart that are made of the same file

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all copies."""
        return tuple(copy.info.name for copy in self.copies)

    def at(self, copy: Copy) -> ListedModel:
        """The model at one of its places, for a user who named that file."""
        if len(self.copies) == 1:
            return self
        others = tuple(place for place in self.info.places if place.path != copy.info.path)
        info = msgspec.structs.replace(
            copy.info,
            name=self.info.name,
            aliases=self.info.aliases,
            pinned=self.info.pinned,
            active_profile=self.info.active_profile,
            places=(*copy.info.places, *others),
        )
        return ListedModel(info, (copy,))


class Records:
    """What the database knows about files, read once for one scan."""

    def __init__(self, inventory: Inventory, revisions: Revisions, profiles: Profiles) -> None:
        self.registered = {entry.path: entry for entry in inventory.registered()}
        self.facts = inventory.facts()
        self.hashes = inventory.hashes()
        self.uses = inventory.uses()
        self.profiles = profiles.active()
        self.revisions = revisions.by_path()
        self.aliases: dict[Path, tuple[str, ...]] = {}
        for alias, path in inventory.aliases().items():
            self.aliases[path] = (*self.aliases.get(path, ()), alias)


class Scan(msgspec.Struct, frozen=True):
    """What was read from a file. Without facts, ``problem`` says why."""

    stamp: Stamp | None
    facts: Facts | None
    problem: str = ""


@dataclass(eq=False, repr=False)
class Scanner:
    """Scans folders for models. Keeps nothing but the cache of headers."""

    _inventory: Inventory
    _folders: Folders
    _revisions: Revisions
    _profiles: Profiles
    _starter: Path | None

    def models(self) -> list[ListedModel]:
        """The starter model, ours by name, other programs', then those left in place by age."""
        records = Records(self._inventory, self._revisions, self._profiles)
        files = list(self._files(records))
        scans = self._scan_all(files, records)
        facts_at = {file.path: scan.facts for file, scan in zip(files, scans, strict=True)}
        projectors = ProjectorIndex(facts_at.items())
        names = Names({entry.name for entry in records.registered.values()})
        machine = machine_now()
        listed: list[ListedModel] = []
        kinds, given = _kinds_of(files), set[str]()
        for file, scan in zip(files, scans, strict=True):
            entry = records.registered.get(file.path)
            facts = scan.facts
            if file.origin == "beside":
                continue  # a projector, if anything
            if facts is not None and facts.kind in _NOT_MODELS and entry is None:
                continue
            if file.origin == "found" and facts is None:
                continue  # another program may be writing it; it is shown when it can be read
            kind = kinds[file.path, file.preset.key] if file.preset is not None else ""
            if entry is not None and not kind and entry.name not in given:
                name = entry.name
            else:
                name = names.give(_plain(file, facts), _form(facts))
            given.add(name)
            projector = file.projector or projectors.projector_for(file.path, facts)
            projector_facts = facts_at.get(projector) if projector is not None else None
            hashed = records.hashes.get(file.path)
            info = describe(file, name, scan, hashed, projector, projector_facts, machine)
            if not kind:
                info = _with_records(info, file, records)
            elif _has_own_template(file, files):
                info = msgspec.structs.replace(info, has_own_template=True)
            listed.append(ListedModel(info, (Copy(file, info),), kind))
        return _merged(listed, records.hashes)

    def at_path(self, path: Path, taken: Iterable[str]) -> ModelInfo:
        """The model in a file that no scan has found."""
        header = read_header(path)
        scan = Scan(stamp_of(path), facts_of(header))
        file = FoundFile(path, "not imported", owner_of(path, self._folders.found()))
        projector = projector_beside(path, header)
        projector_facts = facts_of(read_header(projector)) if projector is not None else None
        name = Names(set(taken)).give(_plain(file, scan.facts), _form(scan.facts))
        hashed = self._inventory.hash_of(path)
        return describe(file, name, scan, hashed, projector, projector_facts, machine_now())

    def _files(self, records: Records) -> Iterator[FoundFile]:
        """Every file once, ours first, without revisions that are not in use."""
        passed: set[Path] = set()
        unused = _unused_revisions(records.revisions)
        for file in self._everywhere(records):
            if file.path in passed and file.preset is None:
                continue  # several of Ollama's models may be made of one file
            if file.path in unused and file.origin != "starter":
                continue
            passed.add(file.path)
            row = records.revisions.get(file.path)
            if row is not None:
                file = msgspec.structs.replace(  # noqa: PLW2901 - the same, with its source
                    file, source=row.source, license=row.license or file.license
                )
            yield file

    def _everywhere(self, records: Records) -> Iterator[FoundFile]:
        if self._starter is not None:
            yield FoundFile(self._starter, "starter", OWN)
        is_own = self._folders.ownership()
        twins = self._folders.moving()
        for folder in self._folders.own():
            for each in look_into(shape) if (shape := shape_of(folder)) else ():
                yield msgspec.structs.replace(each, origin="own", owner=OWN)
            for path in self._own_files(folder, records.facts):
                if is_own(path) and not _is_being_moved(path, twins):
                    yield FoundFile(path, "own", OWN)
        for found in self._folders.found():
            yield from (each for each in _look_into(found) if not is_own(each.path))
        for path, entry in records.registered.items():
            mine = is_own(path)
            yield FoundFile(path, "own" if mine else "in place", OWN if mine else entry.owner)
        for folder in dict.fromkeys(path.parent for path in records.registered):
            for path in files_beneath(folder, depth=0):
                if "mmproj" in path.name.lower() and is_model_name(path.name):
                    yield FoundFile(path, "beside", OWN)

    def _own_files(self, folder: Path, cached: Mapping[Path, object]) -> Iterator[Path]:
        if not folder.is_dir():  # its disk is not connected: its models are listed as missing
            yield from (path for path in cached if path.is_relative_to(folder))
            return
        for path in files_beneath(folder):
            if is_model_name(path.name):
                yield path

    def _scan_all(self, files: Sequence[FoundFile], records: Records) -> list[Scan]:
        scans = []
        fresh: list[tuple[Path, Stamp, Facts]] = []
        for file in files:
            cached = records.facts.get(file.path)
            scan = _scan(file.path, cached)
            scans.append(scan)
            if scan.stamp and scan.facts and (cached is None or cached[0] != scan.stamp):
                fresh.append((file.path, scan.stamp, scan.facts))
            if len(fresh) >= _KEPT_TOGETHER:  # a first scan that is interrupted is not lost
                self._inventory.keep_facts(fresh)
                fresh = []
        if fresh:
            self._inventory.keep_facts(fresh)
        return scans


def _look_into(found: FoundFolder) -> Iterator[FoundFile]:
    is_container = found.layout in ("docker", "ramalama")
    return look_into_containers(found) if is_container else look_into(found)


def _unused_revisions(rows: Mapping[Path, RevisionRow]) -> set[Path]:
    """Revisions that are not in use, as long as the one in use has not been deleted."""
    lines = {row.line for path, row in rows.items() if row.current and path.exists()}
    return {path for path, row in rows.items() if not row.current and row.line in lines}


def _scan(path: Path, cached: tuple[Stamp, Facts] | None) -> Scan:
    """Read a file, unless what is cached is of the same state of it."""
    try:
        stamp = Stamp.of(path.stat())
    except FileNotFoundError:
        problem = f"{shown(path)} is no longer there."
        return Scan(None, cached[1] if cached else None, problem)
    except OSError as error:
        return Scan(None, None, f"{shown(path)} cannot be read: {error.strerror}.")
    if cached is not None and cached[0] == stamp:
        return Scan(stamp, cached[1])
    try:
        return Scan(stamp, facts_of(read_header(path)))
    except LockhouseError as error:
        return Scan(stamp, None, error.message)


def _is_being_moved(path: Path, moves: Sequence[tuple[Path, Path]]) -> bool:
    """Whether a file is the new copy of one that is still at its old place."""
    return any(
        path.is_relative_to(target) and os.path.lexists(source / path.relative_to(target))
        for source, target in moves
    )


def facts_of(header: GgufHeader) -> Facts:
    """The facts that a list needs, of all parts of the model together."""
    parts = shard_paths(header)
    headers = [header] + [read_header(path) for path in parts[1:] if path.is_file()]
    parameters = sum(each.parameter_count for each in headers)
    weights_bytes = sum(each.weights_bytes for each in headers)
    context_length = min(_ORDINARY_CONTEXT, header.context_length or _ORDINARY_CONTEXT)
    estimate = estimate_memory(header, context_length)
    link = header.key_values.get("general.license.link")
    return Facts(
        kind=header.kind,
        title=header.name,
        architecture=header.architecture,
        parameters=parameters,
        quantization=header.quantization or next((h.quantization for h in headers[1:]), ""),
        bits_per_weight=round(weights_bytes * 8 / parameters, 3) if parameters else 0.0,
        context_length=header.context_length,
        capabilities=header.capabilities,
        license=header.license,
        source_url=header.source_url,
        part=header.split_index,
        parts=tuple(path.name for path in parts) if len(parts) > 1 else (),
        memory_bytes=estimate.total_bytes,
        family=family_of(f"{header.name} {header.base_model}", header.architecture),
        license_url=link if isinstance(link, str) else "",
        base_model=header.base_model,
        tensor_types=tensor_shares(headers),
        thinking=switch_of(header.chat_template).choices,
        embedding_length=header.embedding_length,
        projection_length=projection_length(header),
    )


def tensor_shares(headers: Iterable[GgufHeader]) -> tuple[tuple[str, float], ...]:
    """The share of each tensor type in the weights, the largest first, without tiny ones."""
    counted: dict[str, int] = {}
    for header in headers:
        for tensor in header.tensors:
            counted[tensor.type_name] = counted.get(tensor.type_name, 0) + tensor.elements
    total = sum(counted.values()) or 1
    largest_first = sorted((-count / total, name) for name, count in counted.items())
    return tuple(
        (name, round(-part, 4)) for part, name in largest_first if -part >= _SMALLEST_SHARE
    )


# Descriptions


def describe(
    file: FoundFile,
    name: str,
    scan: Scan,
    hashed: Hashed | None,
    projector: Path | None,
    projector_facts: Facts | None,
    machine: Machine,
) -> ModelInfo:
    """The description of a model from its files alone."""
    path, facts = file.path, scan.facts or Facts()
    if file.origin == "starter" and hashed is not None and hashed.stamp != scan.stamp:
        hashed = None  # set-up wrote it again; it is hashed when it is next used
    files = tuple(path.with_name(part) for part in facts.parts) or (path,)
    stamps = [scan.stamp] if len(files) == 1 else [stamp_of(each) for each in files]
    current = hashed if hashed is not None and hashed.stamp == scan.stamp else None
    state, problem = _state(path, files, stamps, scan, hashed)
    if state == "ready" and file.preset is not None and file.preset.adapter:
        state, problem = "unusable", _ADAPTER
    size_bytes = sum(each.size_bytes for each in stamps if each is not None)
    capabilities = facts.capabilities
    extra = 0
    if projector is not None:
        extra = size_of(projector)
        more = projector_facts.capabilities if projector_facts is not None else ("vision",)
        capabilities = tuple(dict.fromkeys((*capabilities, *more)))
    return ModelInfo(
        name=name,
        path=path,
        files=files if projector is None else (*files, projector),
        size_bytes=size_bytes + extra,
        sha256=current.sha256 if current is not None else file.sha256 or None,
        verified_at=current.hashed_at if current is not None else None,
        architecture=facts.architecture,
        parameters=facts.parameters,
        quantization=facts.quantization,
        bits_per_weight=facts.bits_per_weight,
        context_length=facts.context_length,
        capabilities=capabilities,
        thinking=facts.thinking,
        license=facts.license or file.license,
        source=file.source or (Source(url=facts.source_url) if facts.source_url else None),
        owner=OWN if file.origin in ("starter", "own") else file.owner,
        fit=fit_of(facts.memory_bytes + extra, machine) if scan.facts is not None else None,
        title=plain_title(path.stem, facts.title or file.name),
        quality=quality_of(facts.quantization, facts.bits_per_weight),
        included=file.origin == "starter",
        state=state,
        problem=problem,
        family=facts.family,
        projector=projector,
        places=(Place(path, file.owner),),
        license_url=facts.license_url,
        base_model=facts.base_model,
        tensor_types=facts.tensor_types,
        preset=file.preset,
    )


def _has_own_template(file: FoundFile, files: Sequence[FoundFile]) -> bool:
    """Whether another model of the same file has another template."""
    own = file.preset.template if file.preset is not None else ""
    others = {each.preset.template for each in files if each.path == file.path and each.preset}
    return bool(own) and others != {own}


def _kinds_of(files: Sequence[FoundFile]) -> dict[tuple[Path, str], str]:
    """What tells apart the models that are made of one file, by path and key of the preset.

    Empty for the plain one of each, which is equal to the same file elsewhere; any other is a
    model of its own.
    """
    kinds: dict[tuple[Path, str], str] = {}
    plain: dict[Path, str] = {}
    for file in files:
        if file.preset is not None:
            key = file.preset.key
            is_first = file.preset.is_plain and plain.setdefault(file.path, key) == key
            kinds[file.path, key] = "" if is_first else key
    return kinds


def _state(
    path: Path,
    files: Sequence[Path],
    stamps: Sequence[Stamp | None],
    scan: Scan,
    hashed: Hashed | None,
) -> tuple[State, str]:
    if not scan.problem and None in stamps:
        gone = sum(each is None for each in stamps)
        return "missing", f"{gone} of its {len(files)} parts are no longer there."
    if scan.problem:
        return "missing" if scan.stamp is None else "damaged", scan.problem
    if hashed is None:
        return "ready", ""
    if hashed.stamp != scan.stamp:
        at = hashed.hashed_at[:10]
        return "changed", f"{shown(path)} was written to after it was verified on {at}."
    if hashed.changed_from:
        return "changed", f"The content of {shown(path)} changed after it was verified."
    return "ready", ""


def _with_records(info: ModelInfo, file: FoundFile, records: Records) -> ModelInfo:
    """The description, completed with what the database knows."""
    used_at, speed = records.uses.get(file.path, (None, None))
    entry, row = records.registered.get(file.path), records.revisions.get(file.path)
    return msgspec.structs.replace(
        info,
        aliases=records.aliases.get(file.path, ()),
        pinned=entry is not None and entry.pinned,
        last_used_at=used_at,
        speed=speed,
        active_profile=records.profiles.get(file.path, ""),
        newer_revision=row.newer if row is not None else "",
        added_at=entry.added_at if entry is not None else row.added_at if row else "",
    )


def _plain(file: FoundFile, facts: Facts | None) -> str:
    given = slug(file.name)
    return given or plain_name(file.path.stem, facts.title if facts is not None else "")


def _form(facts: Facts | None) -> str:
    return facts.quantization if facts is not None else ""


# Identical copies


def _merged(listed: Sequence[ListedModel], hashes: Mapping[Path, Hashed]) -> list[ListedModel]:
    """Join identical files into one model: those with one inode, and those with one hash."""
    by_mark: dict[object, int] = {}
    groups: list[list[ListedModel]] = []
    for each in listed:
        found = [mark for mark in _marks(each.info, hashes) if mark is not None]
        marks = [(each.kind, mark) for mark in found]
        home = next((by_mark[mark] for mark in marks if mark in by_mark), None)
        if home is None:
            home = len(groups)
            groups.append([])
        groups[home].append(each)
        for mark in marks:
            by_mark.setdefault(mark, home)
    return [_as_one(group) if len(group) > 1 else group[0] for group in groups]


def _marks(info: ModelInfo, hashes: Mapping[Path, Hashed]) -> tuple[object, object]:
    """What identical files have in common. A file that is not ready is never joined."""
    if info.state == "missing" and len(info.files) == 1:  # its disk may be away
        gone = hashes.get(info.path)
        return None, (gone.sha256, gone.stamp.size_bytes) if gone is not None else None
    if info.state != "ready":
        return None, None
    weights = [path for path in info.files if path != info.projector]
    try:
        first = weights[0].stat()
    except OSError:
        return None, None
    size_bytes = first.st_size
    inode = (first.st_dev, first.st_ino)
    if len(weights) == 1:
        return inode, (info.sha256, size_bytes) if info.sha256 else None
    known = [hashes.get(path) for path in weights]
    if any(
        each is None or each.stamp != stamp_of(path)
        for each, path in zip(known, weights, strict=True)
    ):
        return inode, None
    return inode, tuple(each.sha256 for each in known if each is not None)


def _as_one(group: Sequence[ListedModel]) -> ListedModel:
    infos = [each.info for each in group]
    here = next((info for info in infos if info.state != "missing"), infos[0])
    first = msgspec.structs.replace(here, name=infos[0].name, included=infos[0].included)
    projector = next((info.projector for info in infos if info.projector), None)
    weights = tuple(path for path in first.files if path != first.projector)
    more = size_of(projector) if projector is not None else 0
    verified = next((info for info in infos if info.verified_at), None)
    used = max((info.last_used_at or "" for info in infos), default="")
    return ListedModel(
        msgspec.structs.replace(
            first,
            aliases=tuple(dict.fromkeys(alias for info in infos for alias in info.aliases)),
            pinned=any(info.pinned for info in infos),
            sha256=first.sha256 or next((info.sha256 for info in infos if info.sha256), None),
            verified_at=first.verified_at or (verified.verified_at if verified else None),
            license=_first(infos, "license"),
            source=_first(infos, "source"),
            projector=projector,
            files=weights if projector is None else (*weights, projector),
            size_bytes=sum(size_of(path) for path in weights) + more,
            capabilities=tuple(dict.fromkeys(one for info in infos for one in info.capabilities)),
            places=tuple(dict.fromkeys(place for info in infos for place in info.places)),
            last_used_at=used or None,
            speed=_latest([info.speed for info in infos]),
            active_profile=_first(infos, "active_profile"),
            newer_revision=_first(infos, "newer_revision"),
        ),
        tuple(copy for each in group for copy in each.copies),
        group[0].kind,
    )


def _first(infos: Sequence[ModelInfo], field: str) -> object:
    values = [getattr(info, field) for info in infos]
    return next((value for value in values if value), values[0])


def _latest(speeds: Sequence[Speed | None]) -> Speed | None:
    measured = [speed for speed in speeds if speed is not None]
    return max(measured, key=lambda speed: speed.measured_at, default=None)
