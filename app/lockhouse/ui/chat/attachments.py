"""Text files and pictures that are attached to a question.

Pictures are made small enough, and everything a file holds besides the picture itself (where and
with what it was taken) is removed before it can be sent. How a text file stands in a question is
told in ``chat.text_attachments``. Reading runs on any thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, Signal
from PySide6.QtGui import QColorSpace, QImage, QImageReader

from lockhouse.chat.image_metadata import holds_more
from lockhouse.chat.text_attachments import Attachment
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.messages import Image
from lockhouse.engine.documents import read_document
from lockhouse.ui import formatting
from lockhouse.ui.jobs import Failure, Jobs, ignore

MAX_TEXT_BYTES = 400_000
MAX_SIDE = 2048  # pixels; larger pictures only cost more
MAX_BYTES = 4_000_000
MAX_FILE_BYTES = 60_000_000
MAX_PICTURES = 10
THUMBNAIL_SIDE = 96

_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
SUFFIXES = tuple(f".{kind}" for kind in _TYPES)


def read_attachment(path: Path) -> Attachment:
    """Read a text file; InvalidInput tells why it cannot be attached."""
    if not path.is_file():
        raise InvalidInput(f"{path.name} is not a file.", hint="Attach a file.")
    data = _read(path, MAX_TEXT_BYTES, "Attach the part that the question is about.")
    if b"\0" in data:
        raise InvalidInput(
            f"{path.name} is not a text file.",
            hint="Plain text, Markdown, code, CSV, PDF and Word files (DOCX) work.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return Attachment(path.name, text)


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture as it will be sent. ``note`` says how it was changed."""

    image: Image
    width: int
    height: int
    note: str
    thumbnail: QImage

    @property
    def words(self) -> str:
        """1280 × 800, 212 kB; and how it was changed."""
        told = f"{self.width} × {self.height}, {formatting.size(len(self.image.data))}"
        return f"{told}; {self.note}" if self.note else told


def is_picture(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def read_picture(path: Path) -> PreparedPicture:
    """Read a picture file; InvalidInput tells why it cannot be attached."""
    return prepare_picture(_read(path, MAX_FILE_BYTES, "Make it smaller first."), path.name)


def _read(path: Path, most: int, hint: str) -> bytes:
    try:
        if path.stat().st_size > most:
            raise InvalidInput(f"{path.name} is larger than {formatting.size(most)}.", hint=hint)
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name} could not be read: {error.strerror}.") from error


def prepare_picture(data: bytes, name: str) -> PreparedPicture:
    """A picture from its bytes."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAutoTransform(True)
    media_type = _TYPES.get(reader.format().toStdString())
    if media_type is None:
        raise InvalidInput(
            f"{name} is not a supported picture.", hint="PNG, JPEG, WebP and GIF work."
        )
    picture = reader.read()
    if picture.isNull():
        raise InvalidInput(f"{name} cannot be read: {reader.errorString()}.")
    too_large = max(picture.width(), picture.height()) > MAX_SIDE or len(data) > MAX_BYTES
    has_extra = holds_more(data, media_type)
    if not too_large and not has_extra:
        image = Image(media_type, data, name)
        return PreparedPicture(image, picture.width(), picture.height(), "", _small(picture))
    return _rewritten(picture, name, scaled=too_large, cleaned=has_extra)


def from_clipboard(picture: QImage) -> PreparedPicture:
    """A picture that was pasted and has no file."""
    too_large = max(picture.width(), picture.height()) > MAX_SIDE
    return _rewritten(picture, "pasted.png", scaled=too_large, cleaned=False)


def _rewritten(picture: QImage, name: str, *, scaled: bool, cleaned: bool) -> PreparedPicture:
    notes = []
    before = picture.size()
    if scaled and max(picture.width(), picture.height()) > MAX_SIDE:
        picture = _fitted(picture, QSize(MAX_SIDE, MAX_SIDE))
    media_type, data = _written(picture)
    while len(data) > MAX_BYTES and min(picture.width(), picture.height()) > 64:
        picture = _fitted(picture, picture.size() * 0.75)
        media_type, data = _written(picture)
    if picture.size() != before:
        notes.append(f"scaled down from {before.width()} × {before.height()}")
    if cleaned:
        notes.append("metadata removed")
    image = Image(media_type, data, name)
    return PreparedPicture(
        image, picture.width(), picture.height(), ", ".join(notes), _small(picture)
    )


def _fitted(picture: QImage, most: QSize) -> QImage:
    return picture.scaled(
        most,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )


def _written(picture: QImage) -> tuple[str, bytes]:
    """Without anything besides the picture: texts and the screen's own colours are not written."""
    if picture.colorSpace().isValid():
        picture = picture.convertedToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
        picture.setColorSpace(QColorSpace())
    bare = picture.convertToFormat(
        QImage.Format.Format_RGBA8888 if picture.hasAlphaChannel() else QImage.Format.Format_RGB888
    )
    for key in bare.textKeys():
        bare.setText(key, "")
    lossless = bare.hasAlphaChannel() or bare.width() * bare.height() < 600_000
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not bare.save(buffer, "PNG" if lossless else "JPEG", 90):  # type: ignore[call-overload]
        raise InvalidInput("The picture could not be converted.")
    return ("image/png" if lossless else "image/jpeg"), bytes(buffer.data().data())


def _small(picture: QImage) -> QImage:
    side = THUMBNAIL_SIDE * 2  # for screens with small pixels
    is_large = max(picture.width(), picture.height()) > side
    return _fitted(picture, QSize(side, side)) if is_large else picture


class DocumentFiles(QObject):
    """Reads PDF and Word files, each in a process of its own."""

    ready = Signal(str, object)  # key of the chat it is for, Attachment
    failed = Signal(object)  # LockhouseError
    reading = Signal(object)  # tuple[str, ...]: paths of those that are being read

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._cancels: dict[str, CancelToken] = {}  # by path

    def take(self, path: Path, chat: str) -> None:
        """Read it, for the chat of that key."""
        key = str(path)
        if key in self._cancels:
            return
        cancel = self._cancels[key] = CancelToken()

        def work() -> Attachment:
            return Attachment(path.name, read_document(path, cancel=cancel).marked())

        def end() -> bool:
            """Whether it was wanted until now."""
            is_wanted = self._cancels.get(key) is cancel
            if is_wanted:
                del self._cancels[key]
                self._tell()
            return is_wanted

        def done(attachment: Attachment) -> None:
            if end():
                self.ready.emit(chat, attachment)

        def fail(error: LockhouseError) -> None:
            if end():
                self.failed.emit(error)

        self._tell()
        self._jobs.run(work, done, fail)

    def stop(self, path: str) -> None:
        """Do not attach that one."""
        if (cancel := self._cancels.pop(path, None)) is not None:
            cancel.cancel()
            self._tell()

    def _tell(self) -> None:
        self.reading.emit(tuple(self._cancels))


class Pictures(QObject):
    """Reads pictures on another thread than the window's."""

    ready = Signal(str, object)  # key of the chat it is for, PreparedPicture
    failed = Signal(object)  # LockhouseError

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs

    def take(self, source: Path | QImage, chat: str) -> None:
        """Read a file, or a picture from the clipboard, for the chat of that key."""

        def work() -> PreparedPicture:
            return read_picture(source) if isinstance(source, Path) else from_clipboard(source)

        self._jobs.run(work, lambda ready: self.ready.emit(chat, ready), self.failed.emit)

    def prepare_all(
        self,
        kept: tuple[Image, ...],
        take: Callable[[tuple[PreparedPicture, ...]], None],
        failed: Failure,
    ) -> None:
        """Pictures that were prepared before; one that cannot be read any more is left out."""
        if not kept:
            take(())
            return

        def work() -> tuple[PreparedPicture, ...]:
            found = []
            for image in kept:
                with contextlib.suppress(InvalidInput):
                    found.append(prepare_picture(image.data, image.name))
            return tuple(found)

        self._jobs.run(work, take, failed)

    def thumbnail(self, load: Callable[[], Image], take: Callable[[QImage], None]) -> None:
        """Of a picture that is kept."""

        def work() -> QImage:
            kept = load()
            return prepare_picture(kept.data, kept.name).thumbnail

        self._jobs.run(work, take, ignore)
