"""How documents look: text formats, gaps between blocks, markers of list items.

Formats are made from the theme once and shared by all cards.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QTextBlockFormat,
    QTextCharFormat,
)

from lockhouse.ui.markdown import Block, CodeBlock, Paragraph, Run, TableBlock, TextBlock
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import TypeRole

_HEADINGS: dict[str, TypeRole] = {"h1": "h1", "h2": "h3", "h3": "h3", "h4": "reading"}

# What is drawn around inline code needs room; these spaces do not break and are never copied.
PAD = "\u202f\u202f"


class Styles:
    """Formats of runs and paragraphs for the current theme. Replaced when it changes."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._chars: dict[tuple[object, ...], QTextCharFormat] = {}
        self._metrics: dict[tuple[object, ...], QFontMetricsF] = {}
        self._blocks: dict[tuple[object, ...], QTextBlockFormat] = {}
        self.fonts: dict[TypeRole, QFont] = {
            role: theme.font(role) for role in ("reading", "body", "caption", "code")
        }
        self.line = theme.line_height("reading")
        self.indent = theme.px(20)
        self.quote_indent = theme.px(16)

    def char(self, run: Run, base: str, ink: str) -> QTextCharFormat:
        """The format of a run; ``base`` is the paragraph's kind or a type role."""
        link = bool(run.href)
        key = (run.bold, run.italic, run.strike, run.code, run.dim, link, base, ink)
        made = self._chars.get(key)
        if made is None:
            made = self._chars[key] = self._make_char(run, base, ink)
        if not link and not run.tip:
            return made
        made = QTextCharFormat(made)
        if link:
            made.setAnchor(True)
            made.setAnchorHref(run.href)
        made.setToolTip(run.tip)
        return made

    def _make_char(self, run: Run, base: str, ink: str) -> QTextCharFormat:
        heading = base in _HEADINGS
        role: TypeRole = _HEADINGS.get(base, "reading")
        if base in ("caption", "body", "code"):
            role = base  # type: ignore[assignment]
        weight = 600 if run.bold or heading else (500 if base == "caption" else 0)
        if run.code and base != "code":
            font = self.theme.font("code-small")
            font.setPixelSize(round(self.theme.font(role).pixelSize() * 0.93))
            font.setWeight(QFont.Weight(weight or 400))
        else:
            font = self.theme.font(role, weight=weight, tabular=base == "body")
        font.setItalic(run.italic)
        font.setStrikeOut(run.strike)
        made = QTextCharFormat()
        made.setFont(font)
        colour = "accent-text" if run.href else ("text-3" if run.dim else ink)
        made.setForeground(self.theme.color(colour))
        if run.href:
            made.setFontUnderline(False)
        return made

    def metrics(self, run: Run, base: str) -> QFontMetricsF:
        """How wide text of a run is."""
        key = (run.bold, run.italic, run.code, base)
        made = self._metrics.get(key)
        if made is None:
            made = self._metrics[key] = QFontMetricsF(self.char(run, base, "text-1").font())
        return made

    def block(self, paragraph: Paragraph, *, first: bool, step: int) -> QTextBlockFormat:
        mirrored = bool(paragraph.indent or paragraph.quote) and paragraph.is_right_to_left
        key = (
            *(paragraph.kind, paragraph.indent, paragraph.quote, paragraph.tight),
            *(first, step, mirrored),
        )
        made = self._blocks.get(key)
        if made is None:
            made = self._make_block(paragraph, first=first, step=step, mirrored=mirrored)
            self._blocks[key] = made
        return made

    def _make_block(
        self, paragraph: Paragraph, *, first: bool, step: int, mirrored: bool
    ) -> QTextBlockFormat:
        px = self.theme.px
        made = QTextBlockFormat()
        role: TypeRole = _HEADINGS.get(paragraph.kind, "reading")
        height = self.theme.line_height(role)
        fixed = QTextBlockFormat.LineHeightTypes.FixedHeight.value
        made.setLineHeight(height, fixed)
        margin = paragraph.indent * step + paragraph.quote * self.quote_indent
        if mirrored:
            made.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
            made.setRightMargin(margin)
        else:
            made.setLeftMargin(margin)
        if not first:
            made.setTopMargin(px(4) if paragraph.tight else px(8))
        if paragraph.kind == "math" and not paragraph.indent:
            made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        return made

    def fixed_lines(self, role: TypeRole) -> QTextBlockFormat:
        made = QTextBlockFormat()
        fixed = QTextBlockFormat.LineHeightTypes.FixedHeight.value
        made.setLineHeight(self.theme.line_height(role), fixed)
        return made


def gap(before: Block, block: Block) -> int:
    """Pixels between two blocks."""
    if _is_heading(before) or (_is_list(before) and _is_list(block)):
        return 4
    if _is_heading(block):
        return 16
    if isinstance(before, (CodeBlock, TableBlock)) or isinstance(block, (CodeBlock, TableBlock)):
        return 12
    return 10


def _is_list(block: Block) -> bool:
    """Items on both sides of a cut belong to one list."""
    return isinstance(block, TextBlock) and all(each.indent for each in block.paragraphs)


def _is_heading(block: Block) -> bool:
    return isinstance(block, TextBlock) and block.paragraphs[-1].kind in ("h1", "h2", "h3", "h4")


def one_line(block: Block | None) -> str:
    """The text of a short single line, "" for anything longer."""
    if isinstance(block, TextBlock):
        text = "".join(run.text for run in block.paragraphs[0].runs)
        if len(text) < 160 and "\n" not in text and text:
            return text
    return ""


def paint_marker(
    painter: QPainter,
    styles: Styles,
    marker: str,
    at: QPointF,
    top: float,
    height: float,
    *,
    mirrored: bool = False,
) -> None:
    """The marker of a list item before ``at`` (x: where its text starts, y: middle of letters).

    Before is left of it, or right of it where ``mirrored``.
    """
    theme, px = styles.theme, styles.theme.px
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color("text-2"))
    if marker in ("•", "◦", "▪"):
        size = 2.5 * theme.scale
        centre = QPointF(at.x() + (px(14) if mirrored else -px(14)), at.y())
        if marker == "▪":
            painter.drawRect(QRectF(centre.x() - 2, centre.y() - 2, 4, 4))
        elif marker == "•":
            painter.drawEllipse(centre, size, size)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.color("text-2"), 1))
            painter.drawEllipse(centre, size, size)
    elif marker in ("☐", "☑"):
        left = at.x() + (px(6) if mirrored else -px(19))
        box = QRectF(left, at.y() - px(6.5), px(13), px(13))
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
        left = at.x() + px(6) if mirrored else at.x() - px(6) - width
        painter.drawText(QPointF(left, round(top + height * 0.8)), marker)
