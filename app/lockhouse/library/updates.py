"""Checks whether the hub has newer files of downloaded models.

A commit that changes only the page does not count, but the hash of a file: of every part of a
split model, and of the projector.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, NetworkRefused, NotFound
from lockhouse.gate.hub import Hub, HubFile, HubRepo
from lockhouse.library.model_info import ModelInfo
from lockhouse.library.models import Models


class Newer(msgspec.Struct, frozen=True):
    """The current state of a model on the hub. ``file`` is empty when it is no longer there.

    ``changed`` names the files that are newer; ``here_as`` is the revision as which they are on
    this machine already, beside the one in use.
    """

    name: str
    repo: str
    file: str
    revision: str  # on this machine
    newer_revision: str  # "" when the files are the same
    size_bytes: int = 0
    problem: str = ""
    changed: tuple[str, ...] = ()
    here_as: str = ""


def find_newer(
    hub: Hub, models: Models, found: Sequence[ModelInfo], *, cancel: CancelToken | None = None
) -> list[Newer]:
    """Check each model that came from the hub, and record what is newer.

    What is wrong with one repository is its ``problem``, and does not keep the others from being
    checked. Raises NetworkRefused where none could be asked.
    """
    asked: dict[str, HubRepo | LockhouseError] = {}
    checked = []
    for model in found:
        source = model.source
        if source is None or not source.repo or not source.file:
            continue
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        if source.repo not in asked:
            try:
                asked[source.repo] = hub.repo(source.repo, cancel=cancel)
            except LockhouseError as error:
                asked[source.repo] = error
        newer = _compared(models, model, asked[source.repo])
        checked.append(newer)
        if not newer.problem:
            models.note_newer(model.name, newer.newer_revision)
    refusals = [each for each in asked.values() if isinstance(each, NetworkRefused)]
    if refusals and len(refusals) == len(asked):
        raise refusals[0]
    return checked


def _compared(models: Models, model: ModelInfo, repo: HubRepo | LockhouseError) -> Newer:
    source = model.source
    assert source is not None
    here = Newer(model.name, source.repo, source.file, source.revision, "")
    if isinstance(repo, NotFound):
        return msgspec.structs.replace(
            here, file="", problem="The repository is no longer on the hub."
        )
    if isinstance(repo, LockhouseError):
        return msgspec.structs.replace(here, problem=repo.message)
    now = next((file for file in repo.files if file.name == source.file), None)
    if now is None:
        gone = "The newest revision lacks this file."
        return msgspec.structs.replace(here, file="", problem=gone)
    if repo.revision == source.revision:
        return here
    changed = _changed(models, model, repo, now)
    if not changed:
        return here
    kept = [
        each.revision
        for each in models.revisions(model.name)
        if each.revision == repo.revision or (now.sha256 and each.sha256 == now.sha256)
    ]
    return msgspec.structs.replace(
        here,
        newer_revision=repo.revision,
        size_bytes=sum(file.size_bytes for file in changed),
        changed=tuple(file.name for file in changed),
        here_as=kept[-1] if kept and now in changed else "",
    )


def _changed(models: Models, model: ModelInfo, repo: HubRepo, first: HubFile) -> list[HubFile]:
    """The files of the model that the hub has in another state, by hash or else by size."""
    there = {PurePosixPath(file.name).name: file for file in repo.files if file.is_projector}
    beside = PurePosixPath(first.name).parent
    there |= {
        PurePosixPath(file.name).name: file
        for file in repo.files
        if PurePosixPath(file.name).parent == beside
    }
    found = []
    for path in model.files:
        file = there.get(path.name)
        if file is None:
            continue  # a projector of another repository; a part that is gone changes the others
        known = model.sha256 if path == model.path else models.known_sha256(path)
        if known and file.sha256:
            is_same = known == file.sha256
        else:
            is_same = path.exists() and path.stat().st_size == file.size_bytes
        if not is_same:
            found.append(file)
    return found
