"""Plain text on several lines, with the line height of its role.

QLabel puts lines as close as the font allows, which is too close to read. Hides the layout of
the lines; everything else, names for screen readers included, stays QLabel's.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from lockhouse.ui.theme.tokens import TYPE

_SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse


class Paragraph(QLabel):
    """Wraps at its width and requests the height it needs."""

    def __init__(self, text: str, ratio: float, parent: QWidget | None = None) -> None:
        """``ratio`` of line height to font size."""
        super().__init__(text, parent)
        self._ratio = ratio
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if self._is_labels_own():
            return super().heightForWidth(width)
        margins = self.contentsMargins()
        room = max(1, width - margins.left() - margins.right())
        lines = self._lay_out(room)[1]
        return round(lines * self._line_height()) + margins.top() + margins.bottom()

    def sizeHint(self) -> QSize:
        wide = super().sizeHint().width()
        return QSize(wide, self.heightForWidth(wide))

    def minimumSizeHint(self) -> QSize:
        if self._is_labels_own():
            return super().minimumSizeHint()
        return QSize(super().minimumSizeHint().width(), round(self._line_height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_labels_own():
            super().paintEvent(event)
            return
        area = self.contentsRect()
        layout, lines = self._lay_out(max(1, area.width()))
        height = lines * self._line_height()
        top = area.top() + max(0.0, (area.height() - height) / 2)
        if self.alignment() & Qt.AlignmentFlag.AlignTop:
            top = area.top()
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        layout.draw(painter, QPointF(area.left(), top))

    def _is_labels_own(self) -> bool:
        """Text that can be selected is laid out and painted by QLabel."""
        return bool(self.textInteractionFlags() & _SELECTABLE)

    def _line_height(self) -> float:
        return self.font().pixelSize() * self._ratio

    def _lay_out(self, width: int) -> tuple[QTextLayout, int]:
        layout = QTextLayout(self.text().replace("\n", "\u2028"), self.font())
        option = QTextOption(self.alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask)
        option.setWrapMode(QTextOption.WrapMode.WordWrap)
        layout.setTextOption(option)
        height = self._line_height()
        layout.beginLayout()
        count = 0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, count * height + (height - line.height()) / 2))
            count += 1
        layout.endLayout()
        return layout, max(1, count)


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
