"""A repository: what it is, and its files in groups with one recommended."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.file_choice import FileChoice
from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.models.discover_values import GROUPS, Opened
from lockhouse.ui.models.transfer_controller import MOVING
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner
from lockhouse.ui.widgets.pills import paint_pill

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ROW, _ROW_RECOMMENDED, _HEAD, _GROUP = 41, 60, 32, 41
_NARROW, _NARROWER = 700, 560


_HOW_IT_COMES = (
    "Every file is checked against the publisher’s SHA-256 before it can be used. "
    "Downloads resume where they stopped."
)
_HOW_TO_BRING = (
    "Fetch the file on a machine that has a network, bring it here on a disk, and drop it on this "
    "window. Its SHA-256 is shown on its page, to be compared with the publisher’s."
)


class _Columns:
    """Where the columns of the files lie, in a table of some width."""

    def __init__(self, theme: Theme, width: int, *, bring: bool) -> None:
        px = theme.px
        drawn = width / theme.scale
        self.file = px(16)
        self.bits = px(96)
        self.mark = px(152)
        right = width - px(132 if bring else 100)  # the button
        self.loss = right - px(110) if drawn >= _NARROW else 0
        self.fit = (self.loss or right) - px(120)
        self.memory = self.fit - px(24) if drawn >= _NARROWER else 0
        self.download = (self.memory - px(88)) if self.memory else self.fit - px(16)


class _FileRow(QWidget):
    """One choice: painted words, and a real button."""

    get_wanted = Signal(object)  # FileChoice

    def __init__(self, theme: Theme, choice: FileChoice, *, last: bool, bring: bool) -> None:
        super().__init__()
        self._theme = theme
        self._last = last
        self._bring = bring
        self.choice = choice
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        loud = choice.recommended and not bring
        self.button = push_button(
            theme,
            self._verb,
            name=f"get_{choice.label}",
            kind="primary" if loud else "",
            icon="download" if loud else "",
            compact=True,
            spoken=f"{self._verb} {choice.label}, {formatting.size(choice.size_bytes)}",
        )
        self.button.setParent(self)
        self.button.clicked.connect(lambda: self.get_wanted.emit(self.choice))
        self.setToolTip("\n".join(part for part in (choice.reason, choice.fit.reason) if part))
        pill = words.fit_pill(choice.fit.word)[0]
        self.setAccessibleName(
            f"{choice.label}, {choice.quality}, {formatting.size(choice.size_bytes)}, {pill}, "
            f"loss {choice.loss}"
            + (f". Recommended: {choice.reason}" if choice.recommended else "")
        )

    @property
    def _verb(self) -> str:
        if self._bring:
            return "Copy address"
        return "Get anyway" if self.choice.fit.word == "won't fit" else "Get"

    def show_state(self, words_shown: str) -> None:
        """What stands on the button instead of Get; "" is Get again."""
        self.button.setText(words_shown or self._verb)
        self.button.setEnabled(not words_shown)
        self._place()

    def sizeHint(self) -> QSize:
        height = _ROW_RECOMMENDED if self._is_tall else _ROW
        return QSize(self._theme.px(320), self._theme.px(height))

    @property
    def _is_tall(self) -> bool:
        return self.choice.recommended and bool(self.choice.reason)

    def _place(self) -> None:
        px = self._theme.px
        size = self.button.sizeHint()
        top = px(6)
        self.button.setGeometry(
            self.width() - px(16) - size.width(), top, size.width(), max(size.height(), px(28))
        )

    def resizeEvent(self, _event: object) -> None:
        self._place()

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        choice = self.choice
        if choice.recommended:
            painter.fillRect(self.rect(), theme.color("accent-tint"))
            painter.fillRect(QRect(0, 0, 2, self.height()), theme.color("accent"))
        if not self._last:
            line = QRect(0, self.height() - 1, self.width(), 1)
            painter.fillRect(line, theme.color("border"))
        at = _Columns(theme, self.width(), bring=self._bring)
        line_height = px(40)
        painter.setFont(theme.font("code", weight=500))
        painter.setPen(theme.color("text-1"))
        room = at.bits - at.file - px(4)
        shown = QFontMetrics(painter.font()).elidedText(
            choice.label, Qt.TextElideMode.ElideMiddle, room
        )
        painter.drawText(QRect(at.file, 0, room, line_height), _LEFT, shown)
        painter.setFont(theme.font("body", tabular=True))
        painter.setPen(theme.color("text-2"))
        painter.drawText(
            QRect(at.bits, 0, px(48), line_height), _LEFT, f"{choice.bits_per_weight:.1f}"
        )
        if choice.recommended and at.download - at.mark > px(190):
            place = QPointF(at.mark, (line_height - px(20)) / 2)
            paint_pill(painter, theme, place, "Recommended", "star", "accent")
            painter.setFont(theme.font("body", tabular=True))
        painter.setPen(theme.color("text-1"))
        download = QRect(0, 0, at.download, line_height)
        painter.drawText(download, _RIGHT, formatting.size(choice.size_bytes))
        painter.setPen(theme.color("text-2"))
        if at.memory:
            needed = formatting.size(choice.fit.needed.total_bytes)
            painter.drawText(QRect(0, 0, at.memory, line_height), _RIGHT, needed)
        if at.loss:
            painter.drawText(QRect(at.loss, 0, px(110), line_height), _LEFT, choice.loss)
        fit = words.fit_pill(choice.fit.word)
        paint_pill(painter, theme, QPointF(at.fit, (line_height - px(20)) / 2), *fit)
        if self._is_tall:
            painter.setFont(theme.font("caption"))
            painter.setPen(theme.color("text-2"))
            room = self.width() - px(32)
            area = QRect(at.file, px(34), room, px(18))
            shown = QFontMetrics(painter.font()).elidedText(
                choice.reason, Qt.TextElideMode.ElideRight, room
            )
            painter.drawText(area, _LEFT, shown)


class _Strip(QWidget):
    """The heads of the columns, or the name of a group."""

    def __init__(
        self, theme: Theme, *, quality: str = "", about: str = "", bring: bool = False
    ) -> None:
        super().__init__()
        self._theme = theme
        self._bring = bring
        self._quality, self._about = quality, about
        self.setFixedHeight(theme.px(_GROUP if quality else _HEAD))
        if quality:
            self.setAccessibleName(f"{quality}: {about}")

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        if self._quality:
            area = self.rect().adjusted(px(16), px(8), -px(16), 0)
            painter.setFont(theme.font("body", weight=600))
            painter.setPen(theme.color("text-1"))
            painter.drawText(area, _LEFT, self._quality)
            wide = QFontMetrics(painter.font()).horizontalAdvance(self._quality)
            painter.setFont(theme.font("body"))
            painter.setPen(theme.color("text-2"))
            painter.drawText(area.adjusted(wide + px(8), 0, 0, 0), _LEFT, self._about)
            return
        at = _Columns(theme, self.width(), bring=self._bring)
        painter.setFont(theme.font("caption", weight=500))
        painter.setPen(theme.color("text-3"))
        height = self.height()
        painter.drawText(QRect(at.file, 0, px(72), height), _LEFT, "File")
        painter.drawText(QRect(at.bits, 0, px(60), height), _LEFT, "Bits")
        painter.drawText(QRect(0, 0, at.download, height), _RIGHT, "Download")
        if at.memory:
            painter.drawText(QRect(0, 0, at.memory, height), _RIGHT, "Memory")
        painter.drawText(QRect(at.fit, 0, px(80), height), _LEFT, "Fit")
        if at.loss:
            painter.drawText(QRect(at.loss, 0, px(80), height), _LEFT, "Loss")
        painter.fillRect(QRect(0, height - 1, self.width(), 1), theme.color("border-strong"))


class _Card(QFrame):
    """The table of files in a rounded frame; the frame is painted over the rows' corners."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(1, 1, 1, 1)
        self.column.setSpacing(0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("border"), 1))
        painter.setBrush(self._theme.color("surface"))
        radius = self._theme.px(10)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


class RepositoryView(QWidget):
    """Title, facts, files."""

    get_wanted = Signal(object)  # FileChoice
    card_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, bring: bool = False) -> None:
        """``bring``: the network is sealed, and files are brought by hand."""
        super().__init__(parent)
        self._theme = theme
        self._bring = bring
        self._rows: list[_FileRow] = []
        self.setObjectName("bringable" if bring else "repository")
        px = theme.px
        self._title = label("", role="title", wrap=True, name="repository_title")
        self._facts_box = QWidget()
        self._facts = FlowLayout(self._facts_box, spacing=px(16))
        self._card_button: QPushButton = push_button(theme, "Model card", name="repository_card")
        self._card_button.clicked.connect(self.card_wanted)
        self._card_button.setVisible(not bring)
        head = QHBoxLayout()
        titles = QVBoxLayout()
        titles.setSpacing(px(4))
        titles.addWidget(self._title)
        titles.addWidget(self._facts_box)
        head.addLayout(titles, 1)
        head.addWidget(self._card_button, 0, Qt.AlignmentFlag.AlignTop)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(px(16), px(12), px(16), px(16))
        self._column.setSpacing(px(12))
        self._column.addLayout(head)
        self._notes = QVBoxLayout()
        self._column.addLayout(self._notes)
        self._files = QWidget()
        self._column.addWidget(self._files)
        self._column.addLayout(self._make_foot())
        self._column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        name = "bringable_area" if self._bring else "repository_area"
        whole.addWidget(scrolling(inside, name))

    def _make_foot(self) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        row = QHBoxLayout()
        row.setSpacing(px(8))
        icon = label("")
        icon.setPixmap(theme.pixmap("shield-check", 14, "text-2"))
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        sentence = _HOW_TO_BRING if self._bring else _HOW_IT_COMES
        row.addWidget(label(sentence, role="caption", ink="2", wrap=True), 1)
        return row

    def show_repository(self, opened: Opened) -> None:
        """Another repository."""
        repo = opened.repo
        self._title.setText(words.plain_title(repo.repo))
        self._show_facts(opened)
        self._show_notes(opened)
        fresh = self._make_files(opened)
        self._column.replaceWidget(self._files, fresh)
        self._files.hide()
        self._files.deleteLater()
        self._files = fresh

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Which of the files are on their way."""
        known = {file.name: one for one in transfers for file in one.files}
        for row in self._rows:
            names = [file.name for file in row.choice.files]
            one = next((known[name] for name in names if name in known), None)
            if one is not None and one.repo == row.choice.repo and one.state != "done":
                share = one.done_bytes / one.size_bytes if one.size_bytes else 0.0
                state = formatting.percent(share) if one.state in MOVING else one.state.capitalize()
                row.show_state(state)
            elif row.choice.here or (one is not None and one.repo == row.choice.repo):
                row.show_state("Here")
            else:
                row.show_state("")

    def _show_facts(self, opened: Opened) -> None:
        theme, px = self._theme, self._theme.px
        self._facts.clear()
        repo = opened.repo
        parameters = words.parameter_words(repo.parameters)
        context = f"{formatting.tokens(repo.context_length)} context" if repo.context_length else ""
        for shown in (
            repo.repo.partition("/")[0],
            f"{parameters} parameters" if parameters else "",
            context,
            words.licence_words(repo.license),
        ):
            if shown:
                self._facts.addWidget(label(shown, ink="2"))
        if repo.revision:
            commit = QWidget()
            row = QHBoxLayout(commit)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(px(6))
            icon = label("")
            icon.setPixmap(theme.pixmap("git-commit-horizontal", 14, "text-3"))
            row.addWidget(icon)
            row.addWidget(label(repo.revision[:7], role="code-small", ink="2"))
            commit.setToolTip(f"Revision {repo.revision}")
            commit.setAccessibleName(f"Revision {repo.revision}")
            self._facts.addWidget(commit)
        self._facts_box.updateGeometry()

    def _show_notes(self, opened: Opened) -> None:
        while self._notes.count():
            item = self._notes.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if opened.repo.gated:
            hint = (
                "Agree to its terms on its page with your account, then store an access token: "
                "lockhouse keys set huggingface"
            )
            note = Banner(
                self._theme, "info", "Its owner asks before files are given out.", hint=hint
            )
            self._notes.addWidget(note)
        if not opened.choices:
            note = Banner(
                self._theme,
                "info",
                "There is no GGUF file in it.",
                hint="Look for a repository of the same name that ends in GGUF.",
            )
            self._notes.addWidget(note)

    def _make_files(self, opened: Opened) -> QWidget:
        self._rows = []
        card = _Card(self._theme)
        if not opened.choices:
            card.hide()
            return card
        card.column.addWidget(_Strip(self._theme, bring=self._bring))
        groups = [
            (quality, about, [one for one in opened.choices if one.quality == quality])
            for quality, about in GROUPS
        ]
        groups = [group for group in groups if group[2]]
        for quality, about, choices in groups:
            card.column.addWidget(_Strip(self._theme, quality=quality, about=about))
            for choice in choices:
                last = choice is groups[-1][2][-1]
                row = _FileRow(self._theme, choice, last=last, bring=self._bring)
                row.get_wanted.connect(self.get_wanted)
                self._rows.append(row)
                card.column.addWidget(row)
        return card
