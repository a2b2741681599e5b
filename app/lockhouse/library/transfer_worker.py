"""Does the work of one transfer: checks room, downloads files, names them, registers the model.

Part files lie in a hidden folder of their transfer beneath the models folder. They get their names
only when all of them have the right hash; the file by which a model is found is named last.
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput
from lockhouse.gate.hub import Hub, HubFile
from lockhouse.library.file_copy import PARTS_FOLDER, Meter, check_room, map_os_error, move_in
from lockhouse.library.file_download import FileDownload, RemoteFile, Report, RetryPolicy
from lockhouse.library.model_info import Source
from lockhouse.library.models import Models
from lockhouse.library.transfer_rows import Row, TransferRows, Verified

_SHORT_COMMIT: Final = 12
_MAKE_ROOM: Final = "Free some space, then resume it, or choose a smaller file."
_THEN_RESUME: Final = "then resume it. What was downloaded is kept."


class TransferWorker:
    """Carries out transfers into the main models folder."""

    def __init__(self, rows: TransferRows, hub: Hub, models: Models, retry: RetryPolicy) -> None:
        self._rows = rows
        self._hub = hub
        self._models = models
        self._retry = retry

    def run(self, row: Row, report: Report, cancel: CancelToken) -> None:
        """Do what is left of a transfer. Raises Cancelled or LockhouseError; parts are kept."""
        try:
            with self._models.main_folder_kept():
                self._run(row, report, cancel)
        except OSError as error:
            raise map_os_error(error, self._parts_folder(row), _THEN_RESUME) from error

    def _run(self, row: Row, report: Report, cancel: CancelToken) -> None:
        base = self._base(row, report, cancel)
        if row.destination != base:
            self._rows.update(row.id, destination=base)
        self._prepare_parts_folder(row, base)
        verified = dict(row.verified)
        before = 0
        for file in row.files:
            found = self._finished(row, base, file, verified)
            if found is None:
                found = self._download(row, file, _offset(report, before), cancel)
            if verified.get(file.name) != found:
                verified[file.name] = found
                self._rows.update(row.id, verified=verified)
            before += file.size_bytes
            report(before, before, checking=False)
        self._give_names(row, base, report, cancel)
        self._register(row, base, verified)
        self.delete_parts(row)

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

    def delete_parts(self, row: Row) -> None:
        """Delete the part files of a transfer, never a finished file."""
        shutil.rmtree(self._parts_folder(row), ignore_errors=True)

    def delete_orphaned_parts(self) -> None:
        """Delete part files of transfers that no longer exist.

        A transfer is in the table before it has a folder. So the folders are listed first: what
        another process begins meanwhile is not among them.
        """
        try:
            folders = list((self._models.main_folder / PARTS_FOLDER).iterdir())
        except OSError:
            return
        ids = self._rows.ids()
        for folder in folders:
            if folder.name not in ids and re.fullmatch(r"[0-9a-f]{12}", folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _parts_folder(self, row: Row) -> Path:
        return self._models.main_folder / PARTS_FOLDER / row.id

    def _part(self, row: Row, file: HubFile) -> Path:
        return self._parts_folder(row) / f"{file.name.replace('/', '__')}.part"

    # Places

    def _base(self, row: Row, report: Report, cancel: CancelToken) -> Path:
        """The folder for its files: the repository's, or one for this commit inside it where
        other files have their names already."""
        plain = self._models.main_folder / row.repo.repo
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

    def _prepare_parts_folder(self, row: Row, base: Path) -> None:
        """Make the folder for parts, unless the disk is full."""
        parts = self._parts_folder(row)
        parts.mkdir(parents=True, exist_ok=True)
        missing = sum(_missing(each, self._part(row, each), base / each.name) for each in row.files)
        if missing:
            check_room(parts, missing, hint=_MAKE_ROOM)

    # Files

    def _finished(
        self, row: Row, base: Path, file: HubFile, verified: dict[str, Verified]
    ) -> Verified | None:
        """What is known of a file that needs no more work."""
        part, known = self._part(row, file), verified.get(file.name)
        if known is not None and part.is_file() and _verified(part, known.sha256) == known:
            return known
        path = base / file.name
        if not part.exists() and path.is_file():  # found to be this very file by _base
            return _verified(path, file.sha256)
        return None

    def _download(self, row: Row, file: HubFile, report: Report, cancel: CancelToken) -> Verified:
        part = self._part(row, file)
        remote = RemoteFile(row.repo.repo, row.repo.revision, file)
        download = FileDownload(
            self._hub, remote, part, report=report, cancel=cancel, retry=self._retry
        )
        return _verified(part, download.run())

    def _give_names(self, row: Row, base: Path, report: Report, cancel: CancelToken) -> None:
        """The file by which the model is found gets its name last."""
        for file in (*row.files[1:], row.files[0]):
            part, path = self._part(row, file), base / file.name
            if not part.exists() and path.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                move_in(part, path, Meter(file.size_bytes, None, None))
            except InvalidInput:
                # Another transfer of the repository may have downloaded the same file, usually
                # the projector, since the names were looked at.
                if not (path.is_file() and self._is_free(path, file, report, cancel)):
                    raise
                part.unlink()

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
            asked_at=row.added_at,
            sha256s={file.name: verified[file.name].sha256 for file in row.files},
        )


def _missing(file: HubFile, part: Path, path: Path) -> int:
    if path.is_file():
        return 0
    with suppress(OSError):
        return max(0, file.size_bytes - part.stat().st_size)
    return file.size_bytes


def _verified(path: Path, sha256: str) -> Verified:
    status = path.stat()
    return Verified(sha256, status.st_size, status.st_mtime_ns)


def _offset(report: Report, before: int) -> Report:
    """Turns reports of one file into reports of the whole transfer."""

    def tell(done_bytes: int, checked_bytes: int, *, checking: bool) -> None:
        report(before + done_bytes, before + checked_bytes, checking=checking)

    return tell
