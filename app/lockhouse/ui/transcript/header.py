"""The line above an answer: which model gave it, and where it ran."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.values import TranscriptMessage
from lockhouse.ui.widgets.pills import PillTone, paint_pill, pill_width

NOTHING_SENT = "Nothing sent"
IMPORTED = "Imported"
TOP, HEIGHT = 18, 20
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


def paint_header(
    painter: QPainter, theme: Theme, message: TranscriptMessage, column: QRect
) -> None:
    """Name, detail and badge; the badge of what left this machine is always shown."""
    px = theme.px
    left, top, height = float(column.x()), px(TOP), px(HEIGHT)
    badge = message.badge
    icon = _icon(message)
    wide = pill_width(theme, badge, icon) + px(8) if badge else 0
    pieces = (
        (message.header_name or "Answer", theme.font("body", weight=600), "text-1"),
        (message.header_detail, theme.font("caption"), "text-2"),
    )
    for words, font, ink in pieces:
        room = column.right() - left - (wide if message.leaves else 0)
        if not words or room < px(24):
            continue
        painter.setFont(font)
        painter.setPen(theme.color(ink))
        metrics = QFontMetricsF(font)
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
        width = metrics.horizontalAdvance(shown)
        painter.drawText(QRectF(left, top, width + 1, height), _MIDDLE, shown)
        left += width + px(8)
    if badge and (message.leaves or left + wide - px(8) < column.right()):
        tone: PillTone = "warning" if message.leaves else "neutral"
        left = paint_pill(painter, theme, QPointF(left, top), badge, icon, tone).right() + px(8)
    if message.remark:
        painter.setFont(theme.font("caption"))
        painter.setPen(theme.color("text-3"))
        room = column.right() - left
        metrics = QFontMetricsF(painter.font())
        shown = metrics.elidedText(message.remark, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(left, top, room, height), _MIDDLE, shown)


def _icon(message: TranscriptMessage) -> str:
    """An icon, so that neither colour nor word carries the meaning alone."""
    if message.badge == IMPORTED:
        return "file-input"
    if message.leaves:
        return "arrow-up-right"
    if message.is_served:
        return "house"
    return "lock" if message.badge == NOTHING_SENT else "cpu"
