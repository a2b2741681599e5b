"""One transfer from beginning to end: room, files, names, and its entry in the library.

Part files lie in a hidden folder of the transfer's own beneath the models folder; only when all
of them have the right hash do they get their names, the one by which a model is found last.
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, NoRoom
from lockhouse.gate.hub import Hub, HubFile
from lockhouse.library.file_copy import Meter, move_in, told
from lockhouse.library.file_download import FileDownload, Patience, Report, Wanted
from lockhouse.library.model_info import Source
from lockhouse.library.models import Models
from lockhouse.library.transfer_rows import Row, TransferRows, Verified

PARTS_FOLDER: Final = ".downloads"
_SPARE_BYTES: Final = 64 << 20  # a disk is never filled to its last byte
_SHORT_COMMIT: Final = 12


class TransferWorker:
    """Carries transfers into one models folder."""

    def __init__(
        self, rows: TransferRows, hub: Hub, models: Models, folder: Path, patience: Patience
    ) -> None:
        self._rows = rows
        self._hub = hub
        self._models = models
        self._folder = folder
        self._patience = patience

    def carry(self, row: Row, report: Report, cancel: CancelToken) -> None:
        """Do what is left of a transfer. Raises Cancelled or LockhouseError; what came stays."""
        base = self._base(row, report, cancel)
        if row.destination != base:
            self._rows.update(row.id, destination=base)
        parts = self.parts_folder(row.id)
        try:
            parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise told(error, parts) from error
        self._check_room(row, base)
        verified = dict(row.verified)
        before = 0
        for file in row.files:
            found = self._ready(row, base, file, verified)
            if found is None:
                found = self._fetch(row, file, _behind(report, before), cancel)
            if verified.get(file.name) != found:
                verified[file.name] = found
                self._rows.update(row.id, verified=verified)
            before += file.size_bytes
            report(before, before, checking=False)
        self._give_names(row, base)
        self._register(row, base, verified)
        shutil.rmtree(parts, ignore_errors=True)

    def parts_folder(self, id: str) -> Path:  # noqa: A002 - the field's own name
        """Where the parts of a transfer lie."""
        return self._folder / PARTS_FOLDER / id

    def done_bytes(self, row: Row) -> int:
        """How much of it is on the disk."""
        if row.state == "done":
            return row.size_bytes
        done = 0
        for file in row.files:
            part = self._part(row, file)
            with suppress(OSError):
                done += min(part.stat().st_size, file.size_bytes)
                continue
            if row.destination is not None and (row.destination / file.name).is_file():
                done += file.size_bytes
        return done

    def forget(self, row: Row) -> None:
        """Delete what came of it, never a finished file."""
        shutil.rmtree(self.parts_folder(row.id), ignore_errors=True)

    def sweep(self, ids: set[str]) -> None:
        """Delete part files that no transfer knows."""
        with suppress(OSError):
            for folder in (self._folder / PARTS_FOLDER).iterdir():
                if folder.name not in ids and re.fullmatch(r"[0-9a-f]{12}", folder.name):
                    shutil.rmtree(folder, ignore_errors=True)

    def _part(self, row: Row, file: HubFile) -> Path:
        return self.parts_folder(row.id) / f"{file.name.replace('/', '__')}.part"

    # Names

    def _base(self, row: Row, report: Report, cancel: CancelToken) -> Path:
        """The folder for its files: the repository's, or where other content has their names
        already, one for this commit in it."""
        plain = self._folder / row.repo.repo
        for base in (plain, plain / row.repo.revision[:_SHORT_COMMIT]):
            if all(self._is_free(base / file.name, file, report, cancel) for file in row.files):
                return base
        raise InvalidInput(
            f"{plain} holds other files of the same names.",
            hint="Rename or remove them, then resume the transfer.",
            code="exists",
        )

    def _is_free(self, path: Path, file: HubFile, report: Report, cancel: CancelToken) -> bool:
        """Whether the name is free, or is that of this very file."""
        if not path.exists():
            return not path.is_symlink()
        if not path.is_file() or path.stat().st_size != file.size_bytes or not file.sha256:
            return False

        def tell(done: int, _: int) -> None:
            report(file.size_bytes, done, checking=True)

        return self._models.sha256(path, progress=tell, cancel=cancel) == file.sha256

    def _check_room(self, row: Row, base: Path) -> None:
        missing = sum(_missing(each, self._part(row, each), base / each.name) for each in row.files)
        free = shutil.disk_usage(self._folder).free
        if missing and missing + _SPARE_BYTES > free:
            raise NoRoom(
                f"{missing / 1e9:.2f} GB have to come, and {free / 1e9:.2f} GB are free on the"
                f" disk of {self._folder}.",
                hint="Free some space, then resume it, or choose a smaller file.",
                code="disk_full",
            )

    # Files

    def _ready(
        self, row: Row, base: Path, file: HubFile, verified: dict[str, Verified]
    ) -> Verified | None:
        """What is known of a file that needs no more work."""
        part, known = self._part(row, file), verified.get(file.name)
        if known is not None and part.is_file() and _stamped(part, known.sha256) == known:
            return known
        path = base / file.name
        if not part.exists() and path.is_file():  # found to be this very file by _base
            return _stamped(path, file.sha256)
        return None

    def _fetch(self, row: Row, file: HubFile, report: Report, cancel: CancelToken) -> Verified:
        part = self._part(row, file)
        download = FileDownload(
            self._hub,
            Wanted(row.repo.repo, row.repo.revision, file),
            part,
            report=report,
            cancel=cancel,
            patience=self._patience,
        )
        return _stamped(part, download.run())

    def _give_names(self, row: Row, base: Path) -> None:
        """The file by which the model is found gets its name last."""
        for file in (*row.files[1:], row.files[0]):
            part, path = self._part(row, file), base / file.name
            if not part.exists() and path.is_file():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise told(error, path.parent) from error
            move_in(part, path, Meter(file.size_bytes, None, None))

    def _register(self, row: Row, base: Path, verified: dict[str, Verified]) -> None:
        first = row.files[0]
        source = Source(
            repo=row.repo.repo,
            revision=row.repo.revision,
            file=first.name,
            url=f"{row.repo.url}/blob/{row.repo.revision}/{first.name}" if row.repo.url else "",
        )
        self._models.register_download(
            [base / file.name for file in row.files],
            source=source,
            license=row.repo.license,
            sha256s={file.name: verified[file.name].sha256 for file in row.files},
        )


def _missing(file: HubFile, part: Path, path: Path) -> int:
    if path.is_file():
        return 0
    with suppress(OSError):
        return max(0, file.size_bytes - part.stat().st_size)
    return file.size_bytes


def _stamped(path: Path, sha256: str) -> Verified:
    status = path.stat()
    return Verified(sha256, status.st_size, status.st_mtime_ns)


def _behind(report: Report, before: int) -> Report:
    """Reports of one file as reports of the whole transfer."""

    def tell(done_bytes: int, checked_bytes: int, *, checking: bool) -> None:
        report(before + done_bytes, before + checked_bytes, checking=checking)

    return tell
