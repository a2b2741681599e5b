"""Markers of list items: bullets, numbers, check boxes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen

from lockhouse.ui.transcript.styles import Styles


def paint_marker(
    painter: QPainter, styles: Styles, marker: str, at: QPointF, top: float, height: float
) -> None:
    """The marker of a list item left of ``at`` (x: where its text starts, y: middle of letters)."""
    theme, px = styles.theme, styles.theme.px
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color("text-2"))
    if marker in ("•", "◦", "▪"):
        size = 2.5 * theme.scale
        centre = QPointF(at.x() - px(14), at.y())
        if marker == "▪":
            painter.drawRect(QRectF(centre.x() - 2, centre.y() - 2, 4, 4))
        elif marker == "•":
            painter.drawEllipse(centre, size, size)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.color("text-2"), 1))
            painter.drawEllipse(centre, size, size)
    elif marker in ("☐", "☑"):
        box = QRectF(at.x() - px(19), at.y() - px(6.5), px(13), px(13))
        painter.setPen(QPen(theme.color("text-3"), 1))
        painter.setBrush(theme.color("accent" if marker == "☑" else "surface"))
        painter.drawRoundedRect(box, 3, 3)
        if marker == "☑":
            ratio = painter.device().devicePixelRatio()
            tick = theme.pixmap("check", 12, "on-accent", ratio=ratio)
            painter.drawPixmap(box.topLeft() + QPointF(px(0.5), px(0.5)), tick)
    else:
        painter.setFont(theme.font("reading", tabular=True))
        painter.setPen(theme.color("text-2"))
        width = QFontMetricsF(painter.font()).horizontalAdvance(marker)
        painter.drawText(QPointF(at.x() - px(6) - width, round(top + height * 0.8)), marker)
