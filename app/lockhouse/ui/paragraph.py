"""Plain text on several lines, with the line height of its role, and long names on one line.

QLabel puts lines as close as the font allows, which is too close to read, and never breaks a word:
the name of a file would make a panel wider than its window. Hides the layout of the lines and how
text is selected; everything else, names for screen readers included, stays QLabel's.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QSizePolicy, QWidget

from lockhouse.ui.theme.tokens import TYPE

_SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse
_LEAST_EMS = 8  # as narrow as a column of text may get


class Paragraph(QLabel):
    """Wraps at its width, in the middle of a word where it must; as high as its lines."""

    def __init__(self, text: str, ratio: float, parent: QWidget | None = None) -> None:
        """``ratio`` of line height to font size."""
        super().__init__(text, parent)
        self._ratio = ratio
        self._known: tuple[tuple[object, ...], QTextLayout] | None = None
        self._anchor = self._cursor = 0  # the ends of what is selected
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def setText(self, text: str) -> None:
        self._anchor = self._cursor = 0
        super().setText(text)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        margins = self.contentsMargins()
        room = max(1, width - margins.left() - margins.right())
        lines = self._lay_out(room).lineCount()
        return round(lines * self._line_height()) + margins.top() + margins.bottom()

    def sizeHint(self) -> QSize:
        wide = super().sizeHint().width()
        return QSize(wide, self.heightForWidth(wide))

    def minimumSizeHint(self) -> QSize:
        margins = self.contentsMargins()
        least = min(super().minimumSizeHint().width(), _LEAST_EMS * self.font().pixelSize())
        high = round(self._line_height()) + margins.top() + margins.bottom()
        return QSize(least, high)

    def paintEvent(self, _event: QPaintEvent) -> None:
        area = self.contentsRect()
        layout = self._lay_out(max(1, area.width()))
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        layout.draw(painter, QPointF(area.left(), self._top(layout)), self._marked())

    # -- selecting --------------------------------------------------------------------------

    @property
    def selection(self) -> str:
        """What is selected."""
        first, last = sorted((self._anchor, self._cursor))
        return self.text()[first:last]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._may_select(event):
            self._select(self._place(event), self._place(event))
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.is_selectable and event.buttons() & Qt.MouseButton.LeftButton:
            self._select(self._anchor, self._place(event))
        else:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._may_select(event):
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if not self._may_select(event):
            super().mouseDoubleClickEvent(event)
            return
        layout, at = self._lay_out(max(1, self.contentsRect().width())), self._place(event)
        words = QTextLayout.CursorMode.SkipWords
        start = layout.previousCursorPosition(layout.nextCursorPosition(at), words)
        end = layout.nextCursorPosition(start, words)
        picked = self.text()[start:end]
        self._select(start, start + len(picked.rstrip()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.is_selectable and event.matches(QKeySequence.StandardKey.Copy) and self.selection:
            self.copy()
        elif self.is_selectable and event.matches(QKeySequence.StandardKey.SelectAll):
            self._select(0, len(self.text()))
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._select(0, 0)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.is_selectable:
            super().contextMenuEvent(event)
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy", self.copy).setEnabled(bool(self.selection))
        menu.addAction("Select all", lambda: self._select(0, len(self.text())))
        menu.popup(event.globalPos())

    def copy(self) -> None:
        """Put what is selected on the clipboard, as it was written."""
        QApplication.clipboard().setText(self.selection)

    @property
    def is_selectable(self) -> bool:
        """Whether its text can be selected and copied."""
        return bool(self.textInteractionFlags() & _SELECTABLE)

    def _may_select(self, event: QMouseEvent) -> bool:
        return self.is_selectable and event.button() == Qt.MouseButton.LeftButton

    def _select(self, anchor: int, cursor: int) -> None:
        self._anchor, self._cursor = anchor, cursor
        self.update()

    def _place(self, event: QMouseEvent) -> int:
        """The place in the text that is under the pointer."""
        area = self.contentsRect()
        layout = self._lay_out(max(1, area.width()))
        number = int((event.position().y() - self._top(layout)) // self._line_height())
        line = layout.lineAt(min(max(number, 0), layout.lineCount() - 1))
        return line.xToCursor(event.position().x() - area.left())

    def _marked(self) -> list[QTextLayout.FormatRange]:
        first, last = sorted((self._anchor, self._cursor))
        if first == last:
            return []
        style = QTextCharFormat()
        style.setBackground(self.palette().brush(QPalette.ColorRole.Highlight))
        style.setForeground(self.palette().brush(QPalette.ColorRole.HighlightedText))
        marked = QTextLayout.FormatRange()
        marked.start, marked.length, marked.format = first, last - first, style
        return [marked]

    # -- laying out -------------------------------------------------------------------------

    def _top(self, layout: QTextLayout) -> float:
        area = self.contentsRect()
        if self.alignment() & Qt.AlignmentFlag.AlignTop:
            return float(area.top())
        return area.top() + max(0.0, (area.height() - layout.lineCount() * self._line_height()) / 2)

    def _line_height(self) -> float:
        return self.font().pixelSize() * self._ratio

    def _lay_out(self, width: int) -> QTextLayout:
        """The lines at that width; asked several times for each."""
        key = (width, self.text(), self.font().key(), self.alignment())
        if self._known is None or self._known[0] != key:
            self._known = (key, self._made_layout(width))
        return self._known[1]

    def _made_layout(self, width: int) -> QTextLayout:
        layout = QTextLayout(self.text().replace("\n", "\u2028"), self.font())
        option = QTextOption(self.alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        height = self._line_height()
        layout.beginLayout()
        count = 0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, count * height + (height - line.height()) / 2))
            count += 1
        layout.endLayout()
        return layout


class Elided(QLabel):
    """One line of plain text that is shortened where there is no room for all of it."""

    def __init__(
        self,
        text: str,
        *,
        role: str = "body",
        ink: str = "",
        name: str = "",
        at: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> None:
        super().__init__(text)
        self._at = at
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setProperty("ink", ink)
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area = self.contentsRect()
        shown = self.fontMetrics().elidedText(self.text(), self._at, area.width())
        painter.drawText(area, self.alignment() | Qt.AlignmentFlag.AlignVCenter, shown)


def ratio_of(role: str) -> float:
    """Line height divided by font size of a role; that of body for other names."""
    style = next((style for name, style in TYPE.items() if name == role), TYPE["body"])
    return style.line_height / style.size
