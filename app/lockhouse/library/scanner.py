"""Every model there is, found by looking: what lies where, what each header says, what is equal.

Hides the order in which places are looked at, the cache of headers, names for models that were
never named, projectors that lie beside their model, and that equal files are one model with
several places.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.library.external_stores import Seen, files_beneath, is_model_name, look_into
from lockhouse.library.fit import fit_of, machine_now, quality_of
from lockhouse.library.folders import Folders
from lockhouse.library.gguf import GgufHeader, estimate_memory, read_header, shard_paths
from lockhouse.library.gguf.layout import shown
from lockhouse.library.inventory import Hashed, Inventory, Registered, Stamp
from lockhouse.library.model_info import OWN, Facts, ModelInfo, Place, Source, Speed, State
from lockhouse.library.model_names import Names, family_of, plain_name, plain_title, slug
from lockhouse.library.profiles import Profiles
from lockhouse.library.projectors import Shelf, beside, projection_length
from lockhouse.library.revisions import RevisionRow, Revisions
from lockhouse.library.store_locations import owner_of

_ORDINARY_CONTEXT: Final = 8192
_NOT_MODELS: Final = ("mmproj", "adapter", "imatrix", "vocab")
_SMALLEST_SHARE: Final = 0.005
_KEPT_TOGETHER: Final = 200


class Copy(msgspec.Struct, frozen=True):
    """One of the equal files of a model, described by itself."""

    seen: Seen
    info: ModelInfo

    @property
    def weights(self) -> tuple[Path, ...]:
        """Its own files, without the projector, which others may share."""
        return tuple(path for path in self.info.files if path != self.info.projector)


class Listed(msgspec.Struct, frozen=True):
    """A model, and every copy of it. The first one is the one that is used."""

    info: ModelInfo
    copies: tuple[Copy, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that one of its copies has or would have."""
        return tuple(copy.info.name for copy in self.copies)

    def at(self, copy: Copy) -> Listed:
        """The model as it is at one of its places: who names a file means that file."""
        if len(self.copies) == 1:
            return self
        others = tuple(place for place in self.info.places if place.path != copy.info.path)
        info = with_changes(
            copy.info,
            name=self.info.name,
            aliases=self.info.aliases,
            pinned=self.info.pinned,
            active_profile=self.info.active_profile,
            places=(*copy.info.places, *others),
        )
        return Listed(info, (copy,))


class Remembered:
    """What the database knows of files, read once for one listing."""

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


class Listing:
    """Looks, and tells what it saw. Keeps nothing but the cache of headers."""

    def __init__(
        self,
        inventory: Inventory,
        folders: Folders,
        revisions: Revisions,
        profiles: Profiles,
        starter: Path | None,
    ) -> None:
        self._inventory = inventory
        self._folders = folders
        self._revisions = revisions
        self._profiles = profiles
        self._starter = starter

    def models(self) -> list[Listed]:
        """The starter model, ours by name, other programs', then those left in place by age."""
        known = Remembered(self._inventory, self._revisions, self._profiles)
        seen = list(self._seen(known))
        looked = self._look_at_all(seen, known)
        facts_at = {each.path: facts for each, (_, facts, _) in zip(seen, looked, strict=True)}
        shelf = Shelf(facts_at.items())
        names = Names({entry.name for entry in known.registered.values()})
        machine = machine_now()
        listed: list[Listed] = []
        for each, (stamp, facts, problem) in zip(seen, looked, strict=True):
            entry = known.registered.get(each.path)
            if each.origin == "beside":
                continue  # a projector, if anything
            if facts is not None and facts.kind in _NOT_MODELS and entry is None:
                continue
            if each.origin == "found" and facts is None:
                continue  # another program may be at work on it; it is shown when it can be read
            name = entry.name if entry else names.give(_plain(each, facts), _form(facts))
            projector = each.projector or shelf.projector_for(each.path, facts)
            info = describe(each, facts, stamp, known.hashes.get(each.path), problem, projector)
            if projector is not None:
                info = _lent(info, facts_at.get(projector))
            info = _completed(info, name, each, entry, known)
            if facts is not None:
                extra = _size_of(projector)
                info = with_changes(info, fit=fit_of(facts.memory_bytes + extra, machine))
            listed.append(Listed(info, (Copy(each, info),)))
        return _merged(listed, known.hashes)

    def at_path(self, path: Path, taken: Iterable[str]) -> ModelInfo:
        """The model in a file that was not found by looking."""
        header = read_header(path)
        facts = facts_of(header)
        status = path.stat()
        seen = Seen(path, "not imported", owner_of(path, self._folders.found()))
        projector = beside(path, header)
        known = self._inventory.hash_of(path)
        info = describe(seen, facts, Stamp.of(status), known, "", projector)
        fit = fit_of(facts.memory_bytes + _size_of(projector), machine_now())
        name = Names(set(taken)).give(_plain(seen, facts), facts.quantization)
        if projector is not None:
            info = _lent(info, facts_of(read_header(projector)))
        return with_changes(info, name=name, owner=seen.owner, fit=fit)

    # Looking

    def _seen(self, known: Remembered) -> Iterator[Seen]:
        """Every file once, ours before anyone else's; older revisions stay in the background."""
        passed: set[Path] = set()
        older = _in_the_background(known.revisions)
        for each in self._everywhere(known):
            if each.path in passed or (each.path in older and each.origin != "starter"):
                continue
            passed.add(each.path)
            row = known.revisions.get(each.path)
            if row is not None:
                each = msgspec.structs.replace(  # noqa: PLW2901 - the same, with its source
                    each, source=row.source, license=row.license or each.license
                )
            yield each

    def _everywhere(self, known: Remembered) -> Iterator[Seen]:
        if self._starter is not None:
            yield Seen(self._starter, "starter", OWN)
        is_own = self._folders.ownership()
        twins = self._folders.moving()
        for folder in self._folders.own():
            for path in self._own_files(folder, known.facts):
                if is_own(path) and not _moves_yet(path, twins):
                    yield Seen(path, "own", OWN)
        for found in self._folders.found():
            for each in look_into(found):
                if is_own(each.path):
                    continue
                yield each
        for path, entry in known.registered.items():
            mine = is_own(path)
            yield Seen(path, "own" if mine else "in place", OWN if mine else entry.owner)
        for folder in dict.fromkeys(path.parent for path in known.registered):
            for path in files_beneath(folder, depth=0):
                if "mmproj" in path.name.lower() and is_model_name(path.name):
                    yield Seen(path, "beside", OWN)

    def _own_files(self, folder: Path, cached: Mapping[Path, object]) -> Iterator[Path]:
        if not folder.is_dir():  # its disk is away: what was there is missing, not forgotten
            yield from (path for path in cached if path.is_relative_to(folder))
            return
        for path in files_beneath(folder):
            if is_model_name(path.name):
                yield path

    def _look_at_all(
        self, seen: Sequence[Seen], known: Remembered
    ) -> list[tuple[Stamp | None, Facts | None, str]]:
        looked = []
        fresh: list[tuple[Path, Stamp, Facts]] = []
        for each in seen:
            stamp, facts, problem, is_new = _look(each.path, known.facts.get(each.path))
            looked.append((stamp, facts, problem))
            if is_new and stamp is not None and facts is not None:
                fresh.append((each.path, stamp, facts))
            if len(fresh) >= _KEPT_TOGETHER:  # a first look that is cut short is not lost
                self._inventory.keep_facts(fresh)
                fresh = []
        if fresh:
            self._inventory.keep_facts(fresh)
        return looked


def _in_the_background(rows: Mapping[Path, RevisionRow]) -> set[Path]:
    """Revisions that are not in force, as long as the one that is has not been deleted."""
    lines = {row.line for path, row in rows.items() if row.current and path.exists()}
    return {path for path, row in rows.items() if not row.current and row.line in lines}


def _look(
    path: Path, cached: tuple[Stamp, Facts] | None
) -> tuple[Stamp | None, Facts | None, str, bool]:
    """Stamp and facts of a file, what is wrong with it, and whether its header was read."""
    try:
        stamp = Stamp.of(path.stat())
    except FileNotFoundError:
        return None, cached[1] if cached else None, f"{shown(path)} is no longer there.", False
    except OSError as error:
        return None, None, f"{shown(path)} cannot be read: {error.strerror}.", False
    if cached is not None and cached[0] == stamp:
        return stamp, cached[1], "", False
    try:
        return stamp, facts_of(read_header(path)), "", True
    except LockhouseError as error:
        return stamp, None, error.message, False


def _moves_yet(path: Path, moves: Sequence[tuple[Path, Path]]) -> bool:
    """Whether a file is the new copy of one that has not gone from its old place yet."""
    return any(
        path.is_relative_to(target) and os.path.lexists(source / path.relative_to(target))
        for source, target in moves
    )


def facts_of(header: GgufHeader) -> Facts:
    """What a listing needs of a header, all parts of the model taken together."""
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
        embedding_length=header.embedding_length,
        projection_length=projection_length(header),
    )


def tensor_shares(headers: Iterable[GgufHeader]) -> tuple[tuple[str, float], ...]:
    """The share of the weights that each tensor type has, the largest first; crumbs left out."""
    counted: dict[str, int] = {}
    for header in headers:
        for tensor in header.tensors:
            counted[tensor.type_name] = counted.get(tensor.type_name, 0) + tensor.elements
    total = sum(counted.values()) or 1
    shares = sorted(((name, count / total) for name, count in counted.items()), key=_largest_first)
    return tuple((name, round(share, 4)) for name, share in shares if share >= _SMALLEST_SHARE)


def _largest_first(pair: tuple[str, float]) -> tuple[float, str]:
    return -pair[1], pair[0]


# Describing


def describe(
    seen: Seen,
    facts: Facts | None,
    stamp: Stamp | None,
    hashed: Hashed | None,
    problem: str,
    projector: Path | None,
) -> ModelInfo:
    """What is known of a file, without the name it has here."""
    path, known = seen.path, facts or Facts()
    if seen.origin == "starter" and hashed is not None and hashed.stamp != stamp:
        hashed = None  # set-up writes it anew; it is hashed again when it is next used
    files = tuple(path.with_name(name) for name in known.parts) or (path,)
    stamps = [stamp] if len(files) == 1 else [_stamp(each) for each in files]
    current = hashed is not None and hashed.stamp == stamp
    state, problem = _state(path, files, stamps, stamp, hashed, problem)
    size_bytes = sum(each.size_bytes for each in stamps if each is not None)
    if projector is not None:
        files = (*files, projector)
        size_bytes += _size_of(projector)
    return ModelInfo(
        name="",
        path=path,
        files=files,
        size_bytes=size_bytes,
        sha256=hashed.sha256 if hashed is not None and current else seen.sha256 or None,
        verified_at=hashed.hashed_at if hashed is not None and current else None,
        architecture=known.architecture,
        parameters=known.parameters,
        quantization=known.quantization,
        bits_per_weight=known.bits_per_weight,
        context_length=known.context_length,
        capabilities=known.capabilities,
        license=known.license or seen.license,
        source=seen.source or (Source(url=known.source_url) if known.source_url else None),
        title=plain_title(path.stem, known.title or seen.name),
        quality=quality_of(known.quantization, known.bits_per_weight),
        state=state,
        problem=problem,
        family=known.family,
        projector=projector,
        places=(Place(path, seen.owner),),
        license_url=known.license_url,
        base_model=known.base_model,
        tensor_types=known.tensor_types,
    )


def _state(
    path: Path,
    files: Sequence[Path],
    stamps: Sequence[Stamp | None],
    stamp: Stamp | None,
    hashed: Hashed | None,
    problem: str,
) -> tuple[State, str]:
    if not problem and None in stamps:
        gone = sum(each is None for each in stamps)
        return "missing", f"{gone} of its {len(files)} parts are no longer there."
    if problem:
        return "missing" if stamp is None else "damaged", problem
    if hashed is None:
        return "ready", ""
    if hashed.stamp != stamp:
        at = hashed.hashed_at[:10]
        return "changed", f"{shown(path)} was written to after it was verified on {at}."
    if hashed.changed_from:
        return "changed", f"The content of {shown(path)} changed after it was verified."
    return "ready", ""


def _lent(info: ModelInfo, projector: Facts | None) -> ModelInfo:
    """What a model can do with its projector: see, as a rule, or hear."""
    more = projector.capabilities if projector is not None else ("vision",)
    return with_changes(info, capabilities=tuple(dict.fromkeys((*info.capabilities, *more))))


def _completed(
    info: ModelInfo, name: str, seen: Seen, entry: Registered | None, known: Remembered
) -> ModelInfo:
    used_at, speed = known.uses.get(seen.path, (None, None))
    row = known.revisions.get(seen.path)
    return with_changes(
        info,
        name=name,
        aliases=known.aliases.get(seen.path, ()),
        owner=OWN if seen.origin in ("starter", "own") else seen.owner,
        pinned=entry is not None and entry.pinned,
        included=seen.origin == "starter",
        last_used_at=used_at,
        speed=speed,
        active_profile=known.profiles.get(seen.path, ""),
        newer_revision=row.newer if row is not None else "",
        added_at=entry.added_at if entry is not None else row.added_at if row else "",
    )


def with_changes(info: ModelInfo, **changes: object) -> ModelInfo:
    """The same model, some of it replaced."""
    return msgspec.structs.replace(info, **changes)


def _stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path.stat())
    except OSError:
        return None


def _size_of(path: Path | None) -> int:
    stamp = _stamp(path) if path is not None else None
    return stamp.size_bytes if stamp is not None else 0


def _plain(seen: Seen, facts: Facts | None) -> str:
    given = slug(seen.name)
    return given or plain_name(seen.path.stem, facts.title if facts is not None else "")


def _form(facts: Facts | None) -> str:
    return facts.quantization if facts is not None else ""


# Equal files


def _merged(listed: Sequence[Listed], hashes: Mapping[Path, Hashed]) -> list[Listed]:
    """Equal files as one model: those with one inode, and those with one hash."""
    by_mark: dict[object, int] = {}
    groups: list[list[Listed]] = []
    for each in listed:
        marks = [mark for mark in _marks(each.info, hashes) if mark is not None]
        home = next((by_mark[mark] for mark in marks if mark in by_mark), None)
        if home is None:
            home = len(groups)
            groups.append([])
        groups[home].append(each)
        for mark in marks:
            by_mark.setdefault(mark, home)
    return [_as_one(group) if len(group) > 1 else group[0] for group in groups]


def _marks(info: ModelInfo, hashes: Mapping[Path, Hashed]) -> tuple[object, object]:
    """What is the same for equal files. A file that is not as it should be is like no other."""
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
        each is None or each.stamp != _stamp(path)
        for each, path in zip(known, weights, strict=True)
    ):
        return inode, None
    return inode, tuple(each.sha256 for each in known if each is not None)


def _as_one(group: Sequence[Listed]) -> Listed:
    first = group[0].info
    infos = [each.info for each in group]
    verified = next((info for info in infos if info.verified_at), None)
    used = max((info.last_used_at or "" for info in infos), default="")
    return Listed(
        with_changes(
            first,
            aliases=tuple(dict.fromkeys(alias for info in infos for alias in info.aliases)),
            pinned=any(info.pinned for info in infos),
            sha256=first.sha256 or next((info.sha256 for info in infos if info.sha256), None),
            verified_at=first.verified_at or (verified.verified_at if verified else None),
            license=_first(infos, "license"),
            source=_first(infos, "source"),
            projector=first.projector,
            places=tuple(place for info in infos for place in info.places),
            last_used_at=used or None,
            speed=_latest([info.speed for info in infos]),
            active_profile=_first(infos, "active_profile"),
            newer_revision=_first(infos, "newer_revision"),
        ),
        tuple(copy for each in group for copy in each.copies),
    )


def _first(infos: Sequence[ModelInfo], field: str) -> object:
    values = [getattr(info, field) for info in infos]
    return next((value for value in values if value), values[0])


def _latest(speeds: Sequence[Speed | None]) -> Speed | None:
    measured = [speed for speed in speeds if speed is not None]
    return max(measured, key=lambda speed: speed.measured_at, default=None)
