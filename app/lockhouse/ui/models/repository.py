"""A repository: what it is, and its files in groups, with one recommended."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from lockhouse.library.file_choice import FileChoice
from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import (
    IconLabel,
    hairline,
    label,
    push_button,
    scrolling,
    small_button,
)
from lockhouse.ui.layouts import (
    LEFT,
    RIGHT,
    STRETCH,
    TOP,
    add,
    clear,
    column,
    holding,
    replace,
    row,
)
from lockhouse.ui.models import model_text
from lockhouse.ui.models.discover_controller import GROUPS, OpenedRepository
from lockhouse.ui.models.transfer_controller import MOVING
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, Pill

_HUB = "https://huggingface.co"
_ONLINE_NOTE = (
    "Each file is verified against the publisher’s SHA-256 before it can be used. Interrupted "
    "downloads resume."
)
_OFFLINE_NOTE = (
    "Download the file on a computer with network access, copy it to this one, and drop it on this "
    "window. Then compare the SHA-256 in its details with the publisher’s."
)
# Widths of the columns, and from which width of the row on they are shown.
_FILE, _BITS, _MARK, _DOWNLOAD, _MEMORY, _FIT, _LOSS = range(7)
_WIDTHS = {_FILE: 80, _BITS: 48, _DOWNLOAD: 80, _MEMORY: 88, _FIT: 136, _LOSS: 104}
_SHOWN_FROM = {_BITS: 492, _MARK: 620, _MEMORY: 560, _FIT: 444, _LOSS: 700}


def download_link(choice: FileChoice) -> str:
    """Where the first file of a choice can be downloaded by hand."""
    name = quote(choice.files[0].name) if choice.files else ""
    return f"{_HUB}/{choice.repo}/resolve/{choice.revision or 'main'}/{name}"


class _TableRow(QFrame):
    """Cells that stand below each other in all rows; three of them only where there is room."""

    def __init__(self, theme: Theme, cells: Sequence[QWidget], end: QWidget) -> None:
        """``end`` is the button at the right, or the space for it."""
        super().__init__()
        self._theme = theme
        self._cells = list(cells)
        px = theme.px
        line = self._line = row(theme, margins=(16, 0))
        for number, part in enumerate(cells):
            cell = part
            if number in (_DOWNLOAD, _MEMORY) and isinstance(cell, QLabel):
                cell.setAlignment(RIGHT)
            if number in (_DOWNLOAD, _MARK):
                line.addStretch(1)
            if number == _FIT:
                cell = self._cells[number] = holding(
                    row(theme, (cell, LEFT), margins=(24, 0, 0, 0))
                )
            if number in _WIDTHS:
                cell.setFixedWidth(px(_WIDTHS[number]))
            line.addWidget(cell)
        line.addWidget(end)
        self._column = column(theme, line, on=self)

    def minimumSizeHint(self) -> QSize:
        """Narrower than its cells: some of them are hidden then."""
        return QSize(self._theme.px(240), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = event.size().width() / self._theme.scale
        for number, least in _SHOWN_FROM.items():
            self._cells[number].setVisible(width >= least)


def _make_header(theme: Theme, button_width: int) -> QWidget:
    titles = ("File", "Bits", "", "Download", "Memory", "Fit", "Quality loss")
    cells = [label(title, role="caption-strong", ink="3") for title in titles]
    end = QWidget()
    end.setFixedWidth(button_width)
    header = _TableRow(theme, cells, end)
    header.setFixedHeight(theme.px(32))
    return header


def _make_group(theme: Theme, quality: str, about: str) -> QWidget:
    px = theme.px
    words = (
        label(quality, role="strong"),
        (Elided(about, ink="2", at=Qt.TextElideMode.ElideRight), 1),
    )
    group = holding(row(theme, *words, gap=8, margins=(16, 8, 16, 0)))
    group.setFixedHeight(px(41))
    return group


class _FileRow(_TableRow):
    """One choice of files, with its button."""

    def __init__(
        self, theme: Theme, choice: FileChoice, *, offline: bool, button_width: int
    ) -> None:
        self.choice = choice
        self._verb = "Copy link" if offline else "Get"
        if not offline and choice.fit.word == "won't fit":
            self._verb = "Get anyway"
        loud = choice.recommended and not offline
        size = formatting.size(choice.size_bytes)
        self.button = small_button(
            theme,
            self._verb,
            name=f"get_{choice.label}",
            kind="primary" if loud else "",
            icon="download" if loud else "",
            spoken=f"{self._verb} {choice.label}, {size}",
        )
        fit, icon, tone = model_text.fit_pill(choice.fit.word)
        mark: QWidget = QWidget()
        if choice.recommended:
            mark = Pill(theme, "Recommended", icon="star", tone="accent")
        cells = (
            label(choice.label, role="code"),
            label(f"{choice.bits_per_weight:.1f}", ink="2"),
            mark,
            label(size),
            label(formatting.size(choice.fit.needed.total_bytes), ink="2"),
            Pill(theme, fit, icon=icon, tone=tone),
            label(choice.loss, ink="2"),
        )
        end = holding(row(theme, (self.button, RIGHT)))
        end.setFixedSize(button_width, theme.px(40))
        super().__init__(theme, cells, end)
        if choice.recommended:
            self.setProperty("tone", "recommended")  # with a bar of 2 px at the left
            self._line.setContentsMargins(theme.px(16) - 2, 0, theme.px(16), 0)
        if choice.recommended and choice.reason:
            reason = label(choice.reason, role="caption", ink="2", wrap=True)
            reason.setContentsMargins(theme.px(16) - 2, 0, theme.px(16), theme.px(8))
            self._column.addWidget(reason)
        self.setToolTip("\n".join(part for part in (choice.reason, choice.fit.reason) if part))
        self.setAccessibleName(
            f"{choice.label}, {choice.quality}, {size}, {fit}, quality loss {choice.loss}"
            + (f". Recommended: {choice.reason}" if choice.recommended else "")
        )

    def show_state(self, state: str) -> None:
        """What the button says instead of its verb; "" is the verb again."""
        self.button.setText(state or self._verb)
        self.button.setEnabled(not state)


class RepositoryView(QWidget):
    """Title, facts, files."""

    get_wanted = Signal(object)  # FileChoice
    card_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: list[_FileRow] = []
        self.setObjectName("repository")
        px = theme.px
        self._title = label("", role="title", wrap=True, name="repository_title")
        self._facts_box = QWidget()
        self._facts = FlowLayout(self._facts_box, spacing=px(16))
        self._card_button = push_button(
            theme, "Model card", self.card_wanted, name="repository_card"
        )
        titles = column(theme, self._title, self._facts_box, gap=4)
        self._notes = column(theme, gap=12)
        self._files = QWidget()
        self._foot = label("", role="caption", ink="2", wrap=True)
        icon = IconLabel(theme, "shield-check", 14)
        self._column = column(
            theme,
            row(theme, (titles, 1), (self._card_button, TOP), gap=12),
            self._notes,
            self._files,
            row(theme, (icon, TOP), (self._foot, 1), gap=8),
            STRETCH,
            gap=12,
            margins=(16, 12, 16, 16),
        )
        column(theme, scrolling(holding(self._column), "repository_area"), on=self)

    def show_repository(self, opened: OpenedRepository, *, offline: bool) -> None:
        """Show a repository. ``offline``: its files can only be copied here by hand."""
        self._title.setText(model_text.plain_title(opened.repo.repo))
        self._card_button.setVisible(not offline)
        self._foot.setText(_OFFLINE_NOTE if offline else _ONLINE_NOTE)
        self._show_facts(opened)
        self._show_notes(opened)
        files = self._make_files(opened, offline=offline)
        self._files = replace(self._column, self._files, files)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Which of the files are being downloaded."""
        known = {(one.repo, file.name): one for one in transfers for file in one.files}
        for line in self._rows:
            names = [(line.choice.repo, file.name) for file in line.choice.files]
            one = next((known[name] for name in names if name in known), None)
            if one is None or one.state == "done":
                line.show_state("Installed" if one is not None or line.choice.here else "")
            else:
                share = one.done_bytes / one.size_bytes if one.size_bytes else 0.0
                moves = one.state in MOVING
                line.show_state(formatting.percent(share) if moves else one.state.capitalize())

    def _show_facts(self, opened: OpenedRepository) -> None:
        self._facts.clear()
        repo = opened.repo
        parameters = model_text.parameter_count(repo.parameters)
        context = f"{formatting.tokens(repo.context_length)} context" if repo.context_length else ""
        for shown in (
            repo.repo.partition("/")[0],
            f"{parameters} parameters" if parameters else "",
            context,
            model_text.licence_name(repo.license),
        ):
            if shown:
                self._facts.addWidget(label(shown, ink="2"))
        if repo.revision:
            revision = label(f"Revision {repo.revision[:7]}", ink="2")
            revision.setToolTip(repo.revision)
            revision.setAccessibleName(f"Revision {repo.revision}")
            self._facts.addWidget(revision)
        self._facts_box.updateGeometry()

    def _show_notes(self, opened: OpenedRepository) -> None:
        clear(self._notes)
        notes = []
        if opened.repo.gated:
            hint = (
                "Accept its terms on its web page with your account, then store an access token: "
                "lockhouse keys set huggingface"
            )
            notes.append(("This model is gated: its owner approves downloads.", hint))
        if not opened.choices:
            hint = "Look for a repository of the same name that ends in GGUF."
            notes.append(("This repository has no GGUF files.", hint))
        for message, hint in notes:
            self._notes.addWidget(Banner(self._theme, "info", message, hint=hint))

    def _make_files(self, opened: OpenedRepository, *, offline: bool) -> QWidget:
        theme = self._theme
        button_width = theme.px(116 if offline else 100)
        self._rows = []
        lines = column(theme, _make_header(theme, button_width), margins=(1, 1))
        for quality, about in GROUPS:
            choices = [one for one in opened.choices if one.quality == quality]
            if choices:
                add(theme, lines, hairline(), _make_group(theme, quality, about))
            for choice in choices:
                if choice is not choices[0]:
                    lines.addWidget(hairline())
                line = _FileRow(theme, choice, offline=offline, button_width=button_width)
                line.button.clicked.connect(
                    lambda _checked=False, chosen=choice: self.get_wanted.emit(chosen)
                )
                self._rows.append(line)
                lines.addWidget(line)
        card = QFrame()
        card.setProperty("tone", "card")
        card.setVisible(bool(opened.choices))
        card.setLayout(lines)
        return card
