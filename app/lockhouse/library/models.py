"""The models of this machine: the starter model, our own folder, and files left in place.

Which there are is found by looking, so that a file put into the folder by hand is a model and
one that another program deleted is shown as missing. What is remembered in the database is
what cannot be seen: imports, names, aliases, pins and hashes.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError, NotFound, UsageMistake
from lockhouse.library.bringing import Progress, hash_file, sweep
from lockhouse.library.fit import fit_of, quality_of
from lockhouse.library.gguf import GgufHeader, estimate_memory, read_header, shard_paths
from lockhouse.library.gguf.layout import shown
from lockhouse.library.importing import Importer
from lockhouse.library.inventory import Hashed, Inventory, Registered, Stamp
from lockhouse.library.model_info import (
    OWN,
    Facts,
    ImportMode,
    ImportOutcome,
    ModelInfo,
    Removal,
    Source,
    State,
    Verification,
)
from lockhouse.library.naming import plain_name, plain_title, slug, unique_name
from lockhouse.library.owners import owner_of
from lockhouse.storage.database import Database

_MIN_PREFIX: Final = 6
_PREFIX: Final = re.compile(rf"[0-9a-f]{{{_MIN_PREFIX},64}}")
_LATER_SHARD: Final = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_ORDINARY_CONTEXT: Final = 4096
_MAX_CANDIDATES: Final = 8
_NOT_MODELS: Final = ("mmproj", "adapter", "imatrix", "vocab")

Origin = Literal["starter", "own", "in place", "not imported"]
_ModelList = list[ModelInfo]  # the class has a method named list
_OutcomeList = list[ImportOutcome]
_PathList = list[Path]


class Models:
    """All models of one home. Usable from several threads and processes at once."""

    def __init__(self, database: Database, own_folder: Path, starter: Path | None) -> None:
        self._inventory = Inventory(database)
        self._own_folder = own_folder
        self._starter = starter
        sweep(own_folder)

    # Which there are

    def list(self) -> _ModelList:
        """The starter model, those in our folder by name, then those left in place by age."""
        registered = {entry.path: entry for entry in self._inventory.registered()}
        cached = self._inventory.facts()
        hashes = self._inventory.hashes()
        aliases = self._inventory.aliases()
        models: _ModelList = []
        taken = {entry.name for entry in registered.values()}
        for path, origin in self._paths(registered):
            entry = registered.get(path)
            stamp, facts, problem = self._look(path, cached.get(path))
            if facts is not None and facts.kind in _NOT_MODELS and entry is None:
                continue
            name = entry.name if entry else _free_name(path, facts, taken)
            taken.add(name)
            hashed = hashes.get(path)
            if origin == "starter" and hashed is not None and hashed.stamp != stamp:
                hashed = None  # set-up writes it anew; it is hashed again when it is next used
            info = _described(path, facts, stamp, hashed, problem)
            models.append(
                _with(
                    info,
                    name=name,
                    aliases=tuple(alias for alias, target in aliases.items() if target == path),
                    owner=_owner(origin, entry),
                    pinned=entry is not None and entry.pinned,
                    included=origin == "starter",
                )
            )
        return models

    def get(self, name: str) -> ModelInfo:
        """The model of that name or alias, of a sha256 that begins so, or the file at that path.

        Raises NotFound with what is near, InvalidInput when several are meant or when the file
        cannot be used.
        """
        models = self.list()
        for model in models:
            if name == model.name or name in model.aliases:
                return model
        if _is_path(name):
            return self._at_path(Path(name).expanduser(), models)
        wanted = name.lower()
        by_name = [model for model in models if wanted in (model.name, model.path.name.lower())]
        if not by_name and _PREFIX.fullmatch(wanted):
            by_name = [model for model in models if (model.sha256 or "").startswith(wanted)]
        if not by_name and wanted:
            by_name = [model for model in models if model.name.startswith(wanted)]
        same_content = bool(by_name) and by_name[0].sha256 is not None
        same_content &= len({model.sha256 for model in by_name}) == 1
        if len(by_name) == 1 or same_content:
            return by_name[0]
        if by_name:
            raise InvalidInput(
                f'"{name}" could mean {len(by_name)} models.',
                hint=f"Name one of them: {_listed([model.name for model in by_name])}.",
                code="ambiguous",
            )
        raise _no_model(name, models)

    def _paths(self, registered: dict[Path, Registered]) -> Iterator[tuple[Path, Origin]]:
        seen = set()
        if self._starter is not None:
            seen.add(self._starter)
            yield self._starter, "starter"
        for path in self._own_files():
            if path not in seen:
                seen.add(path)
                yield path, "own"
        for path in registered:
            if path not in seen:
                yield path, "own" if self._is_own(path) else "in place"

    def _own_files(self) -> _PathList:
        found = []
        for folder, folders, names in os.walk(self._own_folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.startswith(".") or not name.lower().endswith(".gguf"):
                    continue
                if not _LATER_SHARD.search(name):
                    found.append(Path(folder, name))
        return found

    def _is_own(self, path: Path) -> bool:
        """Whether the file itself, not only a link to it, lies beneath our folder."""
        try:
            inside = path.parent.resolve().relative_to(self._own_folder.resolve())
        except (ValueError, OSError, RuntimeError):
            return False
        return ".." not in inside.parts

    def _at_path(self, path: Path, models: _ModelList) -> ModelInfo:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links are kept as they are
        for model in models:
            if model.path == absolute:
                return model
        header = read_header(path)
        facts = _facts(header)
        status = absolute.stat()
        info = _described(absolute, facts, Stamp.of(status), self._inventory.hash_of(absolute), "")
        taken = {model.name for model in models}
        return _with(info, name=_free_name(absolute, facts, taken), owner=owner_of(absolute))

    def _look(
        self, path: Path, cached: tuple[Stamp, Facts] | None
    ) -> tuple[Stamp | None, Facts | None, str]:
        """Stamp and facts of a file, and what is wrong with it."""
        try:
            stamp = Stamp.of(path.stat())
        except FileNotFoundError:
            return None, cached[1] if cached else None, f"{shown(path)} is no longer there."
        except OSError as error:
            return None, None, f"{shown(path)} cannot be read: {error.strerror}."
        if cached is not None and cached[0] == stamp:
            return stamp, cached[1], ""
        try:
            facts = _facts(read_header(path))
        except LockhouseError as error:
            return stamp, None, error.message
        self._inventory.keep_facts(path, stamp, facts)
        return stamp, facts, ""

    # Content

    def sha256(
        self, path: Path, *, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> str:
        """The sha256 of a file, counted once for each state of it."""
        known = self._inventory.hash_of(path)
        if known is not None and _stamp(path) == known.stamp:
            return known.sha256
        stamp, digest = hash_file(path, progress=progress, cancel=cancel)
        changed_from = None
        if known is not None:
            before = known.changed_from or known.sha256
            changed_from = before if before != digest else None
        self._inventory.keep_hash(path, stamp, digest, changed_from=changed_from)
        return digest

    def verify(
        self, name: str, *, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> Verification:
        """Read the whole file again, tell whether it changed, and take it as it is now."""
        model = self.get(name)
        known = self._inventory.hash_of(model.path)
        stamp, digest = hash_file(model.path, progress=progress, cancel=cancel)
        self._inventory.keep_hash(model.path, stamp, digest)
        previous = (known.changed_from or known.sha256) if known else None
        return Verification(model.name, digest, previous)

    # Changes

    def import_files(
        self,
        paths: Sequence[Path],
        *,
        mode: ImportMode = "in-place",
        dry_run: bool = False,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> _OutcomeList:
        """Make files, or all models in folders, known here. A refused one does not stop the rest.

        Nothing is ever overwritten, and nothing half-written stays, whatever happens.
        """
        importer = Importer(self._inventory, self._own_folder, mode=mode, dry_run=dry_run)
        outcomes = importer.run(paths, known=self.list(), progress=progress, cancel=cancel)
        models = {model.path: model for model in self.list()}
        return [_with_model(outcome, models) for outcome in outcomes]

    def set_alias(self, alias: str, name: str | None) -> None:
        """Let ``alias`` stand for a model, or for nothing when ``name`` is None."""
        if not alias or alias != slug(alias):
            raise UsageMistake(
                f'"{alias}" cannot be an alias.',
                hint=f'Use small letters, digits, dots and hyphens: "{slug(alias) or "fast"}".',
            )
        if name is None:
            self._inventory.set_alias(alias, None)
            return
        model = self.get(name)
        if any(alias == other.name for other in self.list()):
            raise UsageMistake(f'"{alias}" is the name of a model.', hint="Choose another alias.")
        self._inventory.set_alias(alias, model.path)

    def set_pinned(self, name: str, *, pinned: bool) -> ModelInfo:
        """Pin a model, or release it."""
        model = self.get(name)
        self._inventory.set_pinned(model.path, name=model.name, owner=model.owner, pinned=pinned)
        return self.get(model.name)

    def remove(self, name: str, *, delete_file: bool = False) -> Removal:
        """Forget a model that lies elsewhere; delete one of our own when the caller says so.

        A file outside our own folder is never deleted.
        """
        model = self.get(name)
        if model.included:
            raise UsageMistake(
                f"{model.name} comes with Lockhouse and cannot be removed.",
                hint="It takes no room beyond the installation.",
            )
        if not self._is_own(model.path) or model.state == "missing":
            self._inventory.forget(model.path)
            return Removal(model.name)
        if not delete_file:
            raise UsageMistake(
                f"{model.name} lies in Lockhouse's own folder; removing it deletes"
                f" {model.size_bytes >> 20} MB.",
                hint="Confirm it (--yes on the command line).",
                code="needs_confirmation",
            )
        files = tuple(path for path in model.files if self._is_own(path))
        for path in files:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"{path} cannot be deleted: {error.strerror}.",
                    hint="Check who owns the folder.",
                ) from error
        self._inventory.forget(model.path)
        return Removal(model.name, files, model.size_bytes)


def _owner(origin: Origin, entry: Registered | None) -> str:
    return entry.owner if origin == "in place" and entry is not None else OWN


def _stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path.stat())
    except OSError:
        return None


def _facts(header: GgufHeader) -> Facts:
    parts = shard_paths(header)
    headers = [header] + [read_header(path) for path in parts[1:] if path.is_file()]
    parameters = sum(each.parameter_count for each in headers)
    weights_bytes = sum(each.weights_bytes for each in headers)
    context_length = min(_ORDINARY_CONTEXT, header.context_length or _ORDINARY_CONTEXT)
    estimate = estimate_memory(header, context_length)
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
    )


def _described(
    path: Path, facts: Facts | None, stamp: Stamp | None, hashed: Hashed | None, problem: str
) -> ModelInfo:
    known = facts or Facts()
    files = tuple(path.with_name(name) for name in known.parts) or (path,)
    stamps = [_stamp(each) for each in files]
    current = hashed is not None and hashed.stamp == stamp
    state: State = "ready"
    if not problem and None in stamps:
        problem = f"{stamps.count(None)} of its {len(files)} parts are no longer there."
        state = "missing"
    elif problem:
        state = "missing" if stamp is None else "damaged"
    elif hashed is not None and current and hashed.changed_from:
        state = "changed"
        problem = f"The content of {shown(path)} changed after it was verified."
    elif hashed is not None and not current:
        state = "changed"
        problem = f"{shown(path)} was written to after it was verified on {hashed.hashed_at[:10]}."
    return ModelInfo(
        name="",
        path=path,
        files=files,
        size_bytes=sum(each.size_bytes for each in stamps if each is not None),
        sha256=hashed.sha256 if hashed is not None and current else None,
        verified_at=hashed.hashed_at if hashed is not None and current else None,
        architecture=known.architecture,
        parameters=known.parameters,
        quantization=known.quantization,
        bits_per_weight=known.bits_per_weight,
        context_length=known.context_length,
        capabilities=known.capabilities,
        license=known.license,
        source=Source(url=known.source_url) if known.source_url else None,
        fit=fit_of(known.memory_bytes) if facts is not None else None,
        title=plain_title(path.stem, known.title),
        quality=quality_of(known.quantization, known.bits_per_weight),
        state=state,
        problem=problem,
    )


def _with(info: ModelInfo, **changes: object) -> ModelInfo:
    return msgspec.structs.replace(info, **changes)


def _with_model(outcome: ImportOutcome, models: dict[Path, ModelInfo]) -> ImportOutcome:
    if outcome.destination is None or outcome.action == "refused":
        return outcome
    return msgspec.structs.replace(outcome, model=models.get(outcome.destination))


def _free_name(path: Path, facts: Facts | None, taken: set[str]) -> str:
    known = facts or Facts()
    return unique_name(plain_name(path.stem, known.title), known.quantization, taken)


def _is_path(name: str) -> bool:
    separators = os.sep + (os.altsep or "")
    if any(each in name for each in separators):
        return True
    return name.lower().endswith(".gguf") and os.path.lexists(name)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_CANDIDATES
    return ", ".join(names[:_MAX_CANDIDATES]) + (f" and {more} more" if more > 0 else "")


def _no_model(name: str, models: Sequence[ModelInfo]) -> NotFound:
    usable = [model for model in models if model.state == "ready"]
    names = [each for model in usable for each in (model.name, *model.aliases)]
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5) or names
    if near:
        hint = f"There is {_listed(near)}. See all with: lockhouse models list"
    elif models:
        hint = "None of the models is ready. See what is wrong with: lockhouse models list"
    else:
        hint = "No model is installed. Import one with: lockhouse models import FILE.gguf"
    return NotFound(f'There is no model "{name}".', hint=hint)
