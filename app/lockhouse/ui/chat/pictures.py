"""Pictures that go along with a question, made ready: small enough, and telling nothing else.

Photographs know where and with what they were taken. What a picture carries besides itself is
left out before it can leave. Runs on any thread; hides Qt's reading and writing of pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, Signal
from PySide6.QtGui import QColorSpace, QImage, QImageReader

from lockhouse.chat.image_metadata import holds_more
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.messages import Image
from lockhouse.ui import formatting
from lockhouse.ui.jobs import Failure, Jobs

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_SIDE = 2048  # no provider looks closer; larger ones only cost more
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


@dataclass(frozen=True, slots=True)
class Ready:
    """A picture as it will go along. ``note`` says what was done to it."""

    image: Image
    width: int
    height: int
    note: str
    thumbnail: QImage

    @property
    def words(self) -> str:
        """1280 x 800, 212 kB; and what was done."""
        told = f"{self.width} × {self.height}, {formatting.size(len(self.image.data))}"
        return f"{told}; {self.note}" if self.note else told


def is_picture(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def read_picture(path: Path) -> Ready:
    """A picture file, made ready. InvalidInput tells why it cannot go along."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(
                f"{path.name} is larger than {formatting.size(MAX_FILE_BYTES)}.",
                hint="Make it smaller first.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name} could not be read: {error.strerror}.") from error
    return make_ready(data, path.name)


def make_ready(data: bytes, name: str) -> Ready:
    """A picture from its bytes."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAutoTransform(True)
    media_type = _TYPES.get(reader.format().toStdString())
    if media_type is None:
        raise InvalidInput(
            f"{name} is no picture that can go along.", hint="PNG, JPEG, WebP and GIF can."
        )
    picture = reader.read()
    if picture.isNull():
        raise InvalidInput(f"{name} cannot be read: {reader.errorString()}.")
    too_large = max(picture.width(), picture.height()) > MAX_SIDE or len(data) > MAX_BYTES
    has_extra = holds_more(data, media_type)
    if not too_large and not has_extra:
        image = Image(media_type, data, name)
        return Ready(image, picture.width(), picture.height(), "", _small(picture))
    return _made_again(picture, name, scaled=too_large, cleaned=has_extra)


def from_clipboard(picture: QImage) -> Ready:
    """A picture that was pasted and has no file."""
    too_large = max(picture.width(), picture.height()) > MAX_SIDE
    return _made_again(picture, "pasted.png", scaled=too_large, cleaned=False)


def _made_again(picture: QImage, name: str, *, scaled: bool, cleaned: bool) -> Ready:
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
        notes.append("what else was in the file was left out")
    image = Image(media_type, data, name)
    return Ready(image, picture.width(), picture.height(), ", ".join(notes), _small(picture))


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
        raise InvalidInput("The picture could not be made ready.")
    return ("image/png" if lossless else "image/jpeg"), bytes(buffer.data().data())


def _small(picture: QImage) -> QImage:
    side = THUMBNAIL_SIDE * 2  # for screens with small pixels
    is_large = max(picture.width(), picture.height()) > side
    return _fitted(picture, QSize(side, side)) if is_large else picture


class Pictures(QObject):
    """Reads pictures away from the window's thread."""

    ready = Signal(str, object)  # the chat that it goes into, Ready
    failed = Signal(object)  # LockhouseError

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs

    def take(self, source: Path | QImage, chat: str) -> None:
        """A file, or a picture from the clipboard; reading takes longer than changing the chat."""

        def work() -> Ready:
            return read_picture(source) if isinstance(source, Path) else from_clipboard(source)

        self._jobs.run(work, lambda ready: self.ready.emit(chat, ready), self.failed.emit)

    def make_all_ready(
        self,
        kept: tuple[Image, ...],
        take: Callable[[tuple[Ready, ...]], None],
        failed: Failure,
    ) -> None:
        """Pictures that were made ready before; one that cannot be read any more is left out."""
        if not kept:
            take(())
            return

        def work() -> tuple[Ready, ...]:
            found = []
            for image in kept:
                with contextlib.suppress(InvalidInput):
                    found.append(make_ready(image.data, image.name))
            return tuple(found)

        self._jobs.run(work, take, failed)

    def thumbnail(self, load: Callable[[], Image], take: Callable[[QImage], None]) -> None:
        """Of a picture that is kept."""

        def work() -> QImage:
            kept = load()
            return make_ready(kept.data, kept.name).thumbnail

        def ignore(_error: LockhouseError) -> None:
            """Its mark stays without a picture."""

        self._jobs.run(work, take, ignore)
