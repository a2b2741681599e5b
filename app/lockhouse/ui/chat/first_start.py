"""What the Chat page shows before the first question: models that are ready, and suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)

from lockhouse import seal
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import IconLabel, IconTile, hairline, label, push_button
from lockhouse.ui.layouts import LEFT, RIGHT, STRETCH, Part, Stretch, column, holding, row
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


class CardButton(QPushButton):
    """The whole card is pressed."""

    def __init__(
        self, theme: Theme, icon: str, title: str, line: str, *, chevron: bool = False
    ) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(f"{title.rstrip('…')}: {line}")
        self.setAutoDefault(False)
        words = column(
            theme, label(title, role="medium"), label(line, role="caption", ink="3"), gap=2
        )
        mark = IconLabel(theme, icon, 20 if chevron else 16)
        end = (IconLabel(theme, "chevron-right", 16),) if chevron else ()
        margins = (14, 10, 12, 10)
        row(theme, mark, (words, 1), *end, gap=12, margins=margins, on=self)
        for part in self.findChildren(QLabel):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        return layout.sizeHint() if layout else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width() // 2, self.sizeHint().height())


class CardRow(QWidget):
    """Cards side by side, one below the other where their words would be cut."""

    def __init__(
        self, theme: Theme, cards: Sequence[CardButton], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._cards = tuple(cards)
        self._box = row(theme, *((card, 1) for card in cards), gap=12)
        self.setLayout(self._box)

    def minimumSizeHint(self) -> QSize:
        narrowest = max(card.minimumSizeHint().width() for card in self._cards)
        return QSize(narrowest, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        count = len(self._cards)
        each = (self.width() - (count - 1) * self._theme.px(12)) // count
        is_wide = all(card.sizeHint().width() <= each for card in self._cards)
        direction = (
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )
        if direction != self._box.direction():
            self._box.setDirection(direction)
            self._box.setSpacing(self._theme.px(12 if is_wide else 8))
            self.updateGeometry()


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


def in_the_middle(theme: Theme, *parts: Part, gap: int = 0, above: int = 0) -> QHBoxLayout:
    """A column of limited width in the middle of a page."""
    middle = holding(column(theme, *parts, gap=gap))
    middle.setMaximumWidth(theme.px(COLUMN_WIDTH))
    return row(theme, STRETCH, (middle, 1000), STRETCH, margins=(24, above))


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
        theme.changed.connect(self._retheme)
        self._rebuild()

    def show_models(self, starter: ModelCard | None, others: tuple[ModelCard, ...]) -> None:
        """The models on this machine."""
        if (starter, others) != (self._starter, self._others):
            self._starter, self._others = starter, others
            self._rebuild()

    def _retheme(self) -> None:
        """It is made anew when it is shown: mostly it never is again."""
        self._is_stale = True
        if self.isVisible():
            self._rebuild()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._rebuild()

    def _rebuild(self) -> None:
        self._is_stale = False
        theme = self._theme
        ready = self._starter is not None or bool(self._others)
        heading = "A model is ready on this machine" if ready else "Bring a model to this machine"
        about = "No account and no network needed."
        if seal.state() == "kernel":
            about += " Lockhouse starts sealed, so nothing you type can leave."
        parts: list[Part] = [
            label(heading, role="display", wrap=True),
            8,
            label(about, role="reading", ink="2", wrap=True),
            24,
        ]
        if self._starter is not None:
            parts += [self._starter_card(self._starter), 24]
        if self._others:
            parts += [self._heading_of_others(), 8, self._model_rows(), 12]
        network = "Asks before it connects to the network"
        files = "GGUF from a disk or USB stick, or drop it here"
        get = self._card("get_model", "download", "Get a model…", network, self.get_wanted)
        take = self._card("import_model", "file-input", "Import a file…", files, self.import_wanted)
        parts.append(CardRow(theme, [get, take]))
        if ready:
            suggestions = suggestion_row(theme, self.prompt_chosen.emit)
            parts += [24, label("Try one of these", role="strong"), 8, suggestions]
        page = holding(in_the_middle(theme, STRETCH, *parts, Stretch(2), above=32))
        page.setObjectName("first_start_page")
        self.setWidget(page)

    def _starter_card(self, starter: ModelCard) -> QFrame:
        theme = self._theme
        card = QFrame()
        card.setObjectName("starter_card")
        card.setProperty("tone", "card")
        card.setProperty("chosen", "true")
        tile = IconTile(theme, "box", 20, "accent-text", "accent-soft")
        pill = (Pill(theme, "Included", tone="accent"),) if starter.included else ()
        name = row(theme, label(starter.title, role="page-title"), *pill, STRETCH, gap=8)
        line = f"Small and quick: short questions, rewriting, lists. {_figures(starter)}"
        words = column(theme, name, label(line, ink="2", wrap=True), gap=2)
        start = push_button(
            theme, "Start chatting", lambda: self.start_wanted.emit(""),
            name="start_chatting", kind="primary",
        )  # fmt: skip
        row(theme, tile, (words, 1), start, gap=16, margins=(16, 16), on=card)
        return card

    def _heading_of_others(self) -> QWidget:
        owned = [bool(model.owner) for model in self._others]
        words = "Found in other programs’ folders" if all(owned) else "Also on this machine"
        note = label("Used in place, never changed", role="small", ink="2")
        return holding(
            row(self._theme, label(words, role="strong"), STRETCH, *((note,) if any(owned) else ()))
        )

    def _model_rows(self) -> QFrame:
        px = self._theme.px
        card = QFrame()
        card.setObjectName("other_models")
        card.setProperty("tone", "card")
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
        more = len(self._others) - len(shown)
        rest = (hairline(), self._more_row(more)) if more else ()
        column(self._theme, grid, *rest, margins=(1, 1), on=card)
        return card

    def _add_row(self, grid: QGridLayout, at: int, model: ModelCard, number: int) -> None:
        theme = self._theme
        grid.setRowMinimumHeight(at, theme.px(44))
        grid.addWidget(label(model.title, role="medium"), at, 0)
        grid.addWidget(label(model.detail, ink="2"), at, 1)
        grid.addWidget(label(formatting.size(model.size_bytes), ink="2"), at, 2, RIGHT)
        if model.fit:
            word, icon, tone = fit_pill(model.fit)
            grid.addWidget(Pill(theme, word, icon=icon, tone=tone), at, 3, LEFT)
        if model.owner:
            grid.addWidget(Pill(theme, model.owner), at, 4, LEFT)
        use = push_button(
            theme, "Use", lambda: self.start_wanted.emit(model.name),
            name=f"use_{number}", compact=True, spoken=f"Use {model.title}",
        )  # fmt: skip
        grid.addWidget(use, at, 5)

    def _more_row(self, more: int) -> QWidget:
        show = push_button(
            self._theme, "Show all", self.all_wanted, name="show_all_models", kind="link"
        )
        words = label(f"{more:,} more", ink="2")
        return holding(row(self._theme, words, STRETCH, show, margins=(16, 4, 8, 4)))

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
        self.setObjectName("empty_chat")
        about = "Type a question below, attach a file, or try one of these."
        self.setLayout(
            in_the_middle(
                theme,
                Stretch(3),
                label("New chat", role="title"),
                label(about, role="reading", ink="2", wrap=True),
                12,
                suggestion_row(theme, self.prompt_chosen.emit),
                Stretch(4),
                gap=4,
            )
        )
