"""What goes along with a message: pictures, and a button for each file that shows its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QPushButton, QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript.values import AttachedFile, ShownPicture
from lockhouse.ui.widgets import IconButton

_MIDDLE = Qt.TextElideMode.ElideMiddle
_PICTURE_SIDE = 96
Loader = Callable[[str, Callable[[QImage], None]], None]


class Thumbnail(QWidget):
    """A thumbnail. Name and size are its tool tip and accessible name."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._picture = QImage()
        self.sha256 = ""

    def show_picture(self, picture: ShownPicture, load: Loader | None) -> None:
        """Show another picture; it is loaded once."""
        name = f"Picture {picture.name}" if picture.name else "A picture"
        self.setToolTip(f"{name}, {picture.size}")
        self.setAccessibleName(f"{name}, {picture.size}")
        if picture.sha256 == self.sha256:
            return
        self.sha256, self._picture = picture.sha256, QImage()
        self.update()
        if load is not None:
            load(picture.sha256, lambda image: self._take(picture.sha256, image))

    def _take(self, sha256: str, picture: QImage) -> None:
        if sha256 == self.sha256:
            self._picture = picture
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect())
        shape = QPainterPath()
        shape.addRoundedRect(box, px(6), px(6))
        painter.setClipPath(shape)
        painter.fillRect(box, theme.color("active"))
        if self._picture.isNull():
            icon = theme.pixmap("image", 20, "text-3", ratio=self.devicePixelRatioF())
            painter.drawPixmap((self.width() - px(20)) // 2, (self.height() - px(20)) // 2, icon)
            return
        wide, high = self._picture.width(), self._picture.height()
        scale = max(box.width() / wide, box.height() / high)
        drawn = QRectF(0, 0, wide * scale, high * scale)
        drawn.moveCenter(box.center())
        painter.drawImage(drawn, self._picture)


class FileMarks(QWidget):
    """Pictures in rows, files below each other, above the text of the message."""

    toggled = Signal(int)  # number of the file
    forward_wanted = Signal(int)  # likewise: another model is to be asked about it

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._files: tuple[AttachedFile, ...] = ()
        self._marks: list[QPushButton] = []
        self._forwards: list[IconButton] = []
        self._thumbnails: list[Thumbnail] = []
        self._pictures: tuple[ShownPicture, ...] = ()
        self.load: Loader | None = None

    def show_files(
        self,
        files: Sequence[AttachedFile],
        opened: frozenset[int],
        pictures: Sequence[ShownPicture] = (),
    ) -> None:
        """Show these files; ``opened`` are the numbers of those whose text is shown below."""
        self._files, self._pictures = tuple(files), tuple(pictures)
        while len(self._thumbnails) < len(pictures):
            self._thumbnails.append(Thumbnail(self._theme, self))
        for number, thumbnail in enumerate(self._thumbnails):
            thumbnail.setVisible(number < len(pictures))
            if number < len(pictures):
                thumbnail.show_picture(pictures[number], self.load)
        while len(self._marks) < len(files):
            self._marks.append(self._make(len(self._marks)))
        for number, mark in enumerate(self._marks):
            mark.setVisible(number < len(files))
            self._forwards[number].setVisible(number < len(files))
            if number < len(files):
                file, is_open = files[number], number in opened
                mark.setAccessibleName(f"File {file.name}, {file.size}")
                mark.setToolTip("Hide its text" if is_open else "Show its text")
                mark.setChecked(is_open)
                self._forwards[number].set_icon("arrow-up-right", f"Ask about {file.name}…")

    def wide(self) -> int:
        """The preferred width."""
        px = self._theme.px
        widths = [self._wanted(file) + self._beside() for file in self._files]
        row = len(self._pictures) * px(_PICTURE_SIDE + 6) - px(6)
        return max(widths, default=0) if not self._pictures else max(row, *widths, 0)

    def _beside(self) -> int:
        """The width of the button beside a file."""
        return self._theme.px(tokens.COMPACT_HEIGHT + 4)

    def fit(self, width: int) -> int:
        """Lay out for that width; returns the height."""
        px = self._theme.px
        row, gap = px(tokens.COMPACT_HEIGHT), px(4)
        top = self._fit_pictures(width)
        for number, file in enumerate(self._files):
            mark = self._marks[number]
            wanted = min(width - self._beside(), self._wanted(file))
            room = wanted - self._around()
            metrics = QFontMetrics(mark.font())
            tail = f", {file.size}"
            name = metrics.elidedText(
                file.name, _MIDDLE, max(room - metrics.horizontalAdvance(tail), px(24))
            )
            mark.setText((name + tail).replace("&", "&&"))
            mark.setGeometry(0, top + number * (row + gap), wanted, row)
            self._forwards[number].setGeometry(wanted + px(4), top + number * (row + gap), row, row)
        return top + len(self._files) * (row + gap) - (gap if self._files else px(6))

    def _fit_pictures(self, width: int) -> int:
        """Lay out the pictures; returns where the files begin."""
        px = self._theme.px
        side, gap = px(_PICTURE_SIDE), px(6)
        in_a_row = max(1, (width + gap) // (side + gap))
        for number in range(len(self._pictures)):
            row, place = divmod(number, in_a_row)
            self._thumbnails[number].setGeometry(
                place * (side + gap), row * (side + gap), side, side
            )
        return -(-len(self._pictures) // in_a_row) * (side + gap)

    def _around(self) -> int:
        """Width of icon, gaps and frame of a file button."""
        return self._theme.px(16 + 8 + 2 * 12)

    def _wanted(self, file: AttachedFile) -> int:
        font = self._marks[0].font() if self._marks else self.font()
        words = QFontMetrics(font).horizontalAdvance(f"{file.name}, {file.size}")
        return words + self._around() + 2  # two parts may be wider than the whole

    def _make(self, number: int) -> QPushButton:
        mark = QPushButton(self)
        mark.setObjectName(f"file-{number + 1}")
        mark.setProperty("compact", "true")
        mark.setCheckable(True)
        self._theme.bind_icon(mark, "file-text", size=16)
        mark.clicked.connect(lambda _checked=False: self.toggled.emit(number))
        forward = IconButton(self._theme, "arrow-up-right", "Ask about this file…", self)
        forward.setObjectName(f"forward-file-{number + 1}")
        forward.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        forward.clicked.connect(lambda _checked=False: self.forward_wanted.emit(number))
        self._forwards.append(forward)
        return mark
