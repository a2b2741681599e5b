"""What the Chat page shows before the first question: models that are ready, and suggestions."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from lockhouse import seal
from lockhouse.ui import formatting
from lockhouse.ui.chat.cards import CardButton, CardRow, IconLabel
from lockhouse.ui.frame_parts import hairline, label, push_button
from lockhouse.ui.models.model_text import fit_pill
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill

COLUMN_WIDTH = 760
_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as the first screen offers it."""

    name: str
    title: str
    detail: str
    size_bytes: int
    memory_bytes: int = 0
    included: bool = False
    fit: str = ""
    owner: str = ""  # the program that owns the folder it is in, "" for Lockhouse and the user


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A first question that a small model can answer."""

    icon: str
    title: str
    line: str
    prompt: str


SUGGESTIONS = (
    Suggestion(
        "pencil",
        "Make it friendlier",
        "“Send me the file by noon.”",
        "Rewrite this sentence so that it sounds friendly: “Send me the file by noon.”",
    ),
    Suggestion(
        "list",
        "List five ideas",
        "for a rainy Sunday at home",
        "List five ideas for a rainy Sunday at home.",
    ),
    Suggestion(
        "lightbulb",
        "Explain in two sentences",
        "why the sky is blue",
        "Explain in two sentences why the sky is blue.",
    ),
)


def suggestion_row(theme: Theme, chosen: object) -> QWidget:
    """The three suggestions; ``chosen`` is called with the prompt of one."""
    assert callable(chosen)
    cards = []
    for number, suggestion in enumerate(SUGGESTIONS, start=1):
        card = CardButton(theme, suggestion.icon, suggestion.title, suggestion.line)
        card.setObjectName(f"suggestion_{number}")
        card.clicked.connect(lambda _checked=False, text=suggestion.prompt: chosen(text))
        cards.append(card)
    return CardRow(theme, cards)


class FirstStart(QScrollArea):
    """One screen for someone who has never used the program."""

    start_wanted = Signal(str)  # name of a target
    import_wanted = Signal()
    get_wanted = Signal()
    all_wanted = Signal()
    prompt_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._starter: ModelCard | None = None
        self._others: tuple[ModelCard, ...] = ()
        self.setObjectName("first_start")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.changed.connect(self._rebuild)
        self._rebuild()

    def show_models(self, starter: ModelCard | None, others: tuple[ModelCard, ...]) -> None:
        """The models on this machine."""
        if (starter, others) != (self._starter, self._others):
            self._starter, self._others = starter, others
            self._rebuild()

    def _rebuild(self) -> None:
        px = self._theme.px
        page = QWidget()
        column = self._column_of(page)
        ready = self._starter is not None or bool(self._others)
        column.addWidget(
            label(
                "A model is ready on this machine" if ready else "Bring a model to this machine",
                role="display",
                wrap=True,
            )
        )
        column.addSpacing(px(8))
        column.addWidget(
            label(
                "No account and no network needed. Lockhouse starts sealed, so nothing you type "
                "can leave."
                if seal.state() == "kernel"
                else "No account and no network needed.",
                role="reading",
                ink="2",
                wrap=True,
            )
        )
        column.addSpacing(px(24))
        if self._starter is not None:
            column.addWidget(self._starter_card(self._starter))
            column.addSpacing(px(24))
        if self._others:
            column.addWidget(self._heading_of_others())
            column.addSpacing(px(8))
            column.addWidget(self._model_rows())
            column.addSpacing(px(12))
        network = "Asks before it connects to the network"
        files = "GGUF from a disk or USB stick, or drop it here"
        get = self._card("get_model", "download", "Get a model…", network, self.get_wanted)
        take = self._card("import_model", "file-input", "Import a file…", files, self.import_wanted)
        column.addWidget(CardRow(self._theme, [get, take]))
        if ready:
            self._add_suggestions(column)
        column.addStretch(2)
        self.setWidget(page)

    def _column_of(self, page: QWidget) -> QVBoxLayout:
        """The column in the middle of the page."""
        px = self._theme.px
        page.setObjectName("first_start_page")
        sides = QHBoxLayout(page)
        sides.setContentsMargins(px(24), px(32), px(24), px(32))
        middle = QWidget()
        middle.setMaximumWidth(px(COLUMN_WIDTH))
        sides.addStretch(1)
        sides.addWidget(middle, 1000)
        sides.addStretch(1)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addStretch(1)
        return column

    def _add_suggestions(self, column: QVBoxLayout) -> None:
        px = self._theme.px
        column.addSpacing(px(24))
        column.addWidget(label("Try one of these", role="strong"))
        column.addSpacing(px(8))
        column.addWidget(suggestion_row(self._theme, self.prompt_chosen.emit))

    def _starter_card(self, starter: ModelCard) -> QFrame:
        theme, px = self._theme, self._theme.px
        card = QFrame()
        card.setObjectName("starter_card")
        card.setProperty("tone", "card")
        card.setProperty("chosen", "true")
        row = QHBoxLayout(card)
        row.setContentsMargins(px(16), px(16), px(16), px(16))
        row.setSpacing(px(16))
        row.addWidget(IconLabel(theme, "box", 20, "accent-text", tile=True))
        words = QVBoxLayout()
        words.setSpacing(px(2))
        name = QHBoxLayout()
        name.setSpacing(px(8))
        name.addWidget(label(starter.title, role="page-title"))
        if starter.included:
            name.addWidget(Pill(theme, "Included", tone="accent"))
        name.addStretch(1)
        words.addLayout(name)
        line = f"Small and quick: short questions, rewriting, lists. {_figures(starter)}"
        words.addWidget(label(line, ink="2", wrap=True))
        row.addLayout(words, 1)
        start = push_button(theme, "Start chatting", name="start_chatting", kind="primary")
        start.clicked.connect(lambda: self.start_wanted.emit(""))
        row.addWidget(start)
        return card

    def _heading_of_others(self) -> QWidget:
        heading = QWidget()
        row = QHBoxLayout(heading)
        row.setContentsMargins(0, 0, 0, 0)
        if all(model.owner for model in self._others):
            row.addWidget(label("Found in other programs’ folders", role="strong"))
        else:
            row.addWidget(label("Also on this machine", role="strong"))
        row.addStretch(1)
        if any(model.owner for model in self._others):
            row.addWidget(label("Used in place, never changed", role="small", ink="2"))
        return heading

    def _model_rows(self) -> QFrame:
        px = self._theme.px
        card = QFrame()
        card.setObjectName("other_models")
        card.setProperty("tone", "card")
        column = QVBoxLayout(card)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        grid = QGridLayout()
        grid.setContentsMargins(px(16), 0, px(12), 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        shown = self._others[:_MOST_ROWS]
        for number, model in enumerate(shown):
            if number:
                grid.addWidget(hairline(), 2 * number - 1, 0, 1, 6)
            self._add_row(grid, 2 * number, model, number + 1)
        column.addLayout(grid)
        more = len(self._others) - len(shown)
        if more > 0:
            column.addWidget(hairline())
            column.addWidget(self._more_row(more))
        return card

    def _add_row(self, grid: QGridLayout, at: int, model: ModelCard, number: int) -> None:
        theme = self._theme
        grid.setRowMinimumHeight(at, theme.px(44))
        grid.addWidget(label(model.title, role="medium"), at, 0)
        grid.addWidget(label(model.detail, ink="2"), at, 1)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        grid.addWidget(label(formatting.size(model.size_bytes), ink="2"), at, 2, right)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if model.fit:
            word, icon, tone = fit_pill(model.fit)
            grid.addWidget(Pill(theme, word, icon=icon, tone=tone), at, 3, left)
        if model.owner:
            grid.addWidget(Pill(theme, model.owner), at, 4, left)
        use = push_button(
            theme, "Use", name=f"use_{number}", compact=True, spoken=f"Use {model.title}"
        )
        use.clicked.connect(lambda _checked=False, name=model.name: self.start_wanted.emit(name))
        grid.addWidget(use, at, 5)

    def _more_row(self, more: int) -> QWidget:
        px = self._theme.px
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(px(16), px(4), px(8), px(4))
        row.addWidget(label(f"{more:,} more", ink="2"))
        row.addStretch(1)
        show = push_button(self._theme, "Show all", name="show_all_models", kind="link")
        show.clicked.connect(self.all_wanted)
        row.addWidget(show)
        return line

    def _card(
        self, name: str, icon: str, title: str, line: str, pressed: SignalInstance
    ) -> CardButton:
        card = CardButton(self._theme, icon, title, line, chevron=True)
        card.setObjectName(name)
        card.clicked.connect(pressed)
        return card


def _figures(model: ModelCard) -> str:
    size = formatting.size(model.size_bytes)
    if not model.memory_bytes:
        return f"{size}."
    return f"{size}, uses {formatting.size(model.memory_bytes)} of memory."


class EmptyChat(QWidget):
    """A new chat of someone who has used the program before."""

    prompt_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("empty_chat")
        sides = QHBoxLayout(self)
        sides.setContentsMargins(px(24), 0, px(24), 0)
        middle = QWidget()
        middle.setMaximumWidth(px(COLUMN_WIDTH))
        sides.addStretch(1)
        sides.addWidget(middle, 1000)
        sides.addStretch(1)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        column.addStretch(3)
        column.addWidget(label("New chat", role="title"))
        column.addWidget(
            label(
                "Type a question below, attach a text file, or try one of these.",
                role="reading",
                ink="2",
                wrap=True,
            )
        )
        column.addSpacing(px(12))
        column.addWidget(suggestion_row(theme, self.prompt_chosen.emit))
        column.addStretch(4)
