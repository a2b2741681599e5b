"""Checks whether the hub has newer files of downloaded models.

A commit that changes only the page does not count, but the hash of the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, NotFound
from lockhouse.gate.hub import Hub, HubRepo
from lockhouse.library.model_info import ModelInfo
from lockhouse.library.models import Models


class Newer(msgspec.Struct, frozen=True):
    """The current state of a model on the hub. ``file`` is empty when it is no longer there."""

    name: str
    repo: str
    file: str
    revision: str  # on this machine
    newer_revision: str  # "" when the file is the same
    size_bytes: int = 0
    problem: str = ""


def find_newer(
    hub: Hub, models: Models, found: Sequence[ModelInfo], *, cancel: CancelToken | None = None
) -> list[Newer]:
    """Check each model that came from the hub, and record what is newer."""
    asked: dict[str, HubRepo | None] = {}
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
            except NotFound:
                asked[source.repo] = None
        newer = _compared(model, asked[source.repo])
        checked.append(newer)
        if not newer.problem:
            models.note_newer(model.name, newer.newer_revision)
    return checked


def _compared(model: ModelInfo, repo: HubRepo | None) -> Newer:
    source = model.source
    assert source is not None
    here = Newer(model.name, source.repo, source.file, source.revision, "")
    if repo is None:
        return msgspec.structs.replace(
            here, file="", problem="The repository is no longer on the hub."
        )
    now = next((file for file in repo.files if file.name == source.file), None)
    if now is None:
        gone = "The newest revision lacks this file."
        return msgspec.structs.replace(here, file="", problem=gone)
    if repo.revision == source.revision or (now.sha256 and now.sha256 == model.sha256):
        return here
    return msgspec.structs.replace(here, newer_revision=repo.revision, size_bytes=now.size_bytes)
