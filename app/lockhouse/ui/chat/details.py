"""The right panel of the Chat page: details of an answer, and the settings of the chat."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.core.events import Finished
from lockhouse.ui import formatting
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.parameters import parameter_name, parameter_value
from lockhouse.ui.chat.prompt_panel import PromptPanel
from lockhouse.ui.chat.transcript_model import TranscriptModel, is_edited
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button
from lockhouse.ui.outbound.words import host_name, leaves
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.widgets import SegmentedControl

PANEL_MIN_WIDTH = 280
_KEY_WIDTH = 124
_ROW_HEIGHT = 24
_FINISH_WORDS = {
    "stop": "The model ended its answer",
    "length": "A limit was reached",
    "cancelled": "Stopped by you",
    "error": "Ended in an error",
}
_STATUS_WORDS = {
    "cut": "Interrupted: the program ended while it was written",
    "cancelled": "Stopped by you",
    "failed": "Ended in an error",
    "streaming": "Being written",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the details: ``exact`` is copied, ``value`` shown."""

    key: str
    value: str
    exact: str = ""
    mono: bool = False


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts under a heading."""

    title: str
    facts: tuple[Fact, ...]
    has_sent: bool = False  # what was sent for this answer can be shown


def scrolling(inside: QWidget, name: str) -> QScrollArea:
    """The widget in an area that scrolls up and down only."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inside)
    return area


class DetailsPanel(QFrame):
    """Two views: details of one answer, and the settings of the chat."""

    closed = Signal()
    copied = Signal(str)  # what was put on the clipboard, in words
    sent_wanted = Signal()  # what was sent for this answer

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("details_panel")
        self.setAccessibleName("Details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(PANEL_MIN_WIDTH)
        self.prompt = PromptPanel(theme)
        self._choice = SegmentedControl(
            "Panel", (("details", "Answer details"), ("prompt", "Chat settings"))
        )
        self._choice.setObjectName("panel_choice")
        self._choice.selected.connect(self.show_view)
        close = icon_button(theme, "x", "Close the panel", name="close_details")
        close.clicked.connect(self.closed)
        px = theme.px
        bar = QWidget()
        bar.setFixedHeight(px(47))
        head = QHBoxLayout(bar)
        head.setContentsMargins(px(16), 0, px(8), 0)
        head.addWidget(self._choice)
        head.addStretch(1)
        head.addWidget(close)
        self._stack = QStackedWidget()
        self._facts_area = scrolling(QWidget(), "facts_area")
        self._stack.addWidget(self._facts_area)
        self._stack.addWidget(scrolling(self.prompt, "prompt_area"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(hairline())
        column.addWidget(self._stack, 1)
        self.show_facts(())

    def show_view(self, key: str) -> None:
        """ "details" or "prompt"."""
        self._choice.set_current(key)
        self._stack.setCurrentIndex(1 if key == "prompt" else 0)

    @property
    def view(self) -> str:
        """Which of the two is shown."""
        return self._choice.current()

    def show_facts(self, groups: tuple[FactGroup, ...]) -> None:
        """Another answer's details."""
        px = self._theme.px
        inside = QWidget()
        inside.setObjectName("facts")
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(6))
        if not groups:
            column.addWidget(
                label(
                    "Choose Details under an answer to see how it came about.", ink="3", wrap=True
                )
            )
        for number, group in enumerate(groups):
            if number:
                column.addSpacing(px(6))
                column.addWidget(hairline())
                column.addSpacing(px(6))
            column.addWidget(label(group.title, role="strong"))
            column.addLayout(self._grid(group))
            if group.has_sent:
                sent = push_button(
                    self._theme, "Show what was sent", name="show_sent", compact=True
                )
                sent.clicked.connect(self.sent_wanted)
                column.addWidget(sent, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self._facts_area.setWidget(inside)

    def _grid(self, group: FactGroup) -> QGridLayout:
        px = self._theme.px
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(2))
        grid.setColumnStretch(1, 1)
        for row, fact in enumerate(group.facts):
            value = label(fact.value, role="code-small" if fact.mono else "body", wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(f"{fact.key}: {fact.exact or fact.value}")
            if not fact.key:
                grid.addWidget(value, row, 0, 1, 3)
                continue
            key = label(fact.key, ink="3")
            key.setWordWrap(True)  # by the label itself, in lines as high as those of the value
            key.setFixedWidth(px(_KEY_WIDTH))  # the values of all groups stand in one line
            top = Qt.AlignmentFlag.AlignTop
            grid.addWidget(key, row, 0, top)
            grid.addWidget(value, row, 1, top)
            has_copy = bool(fact.exact and fact.mono)
            height = px(tokens.COMPACT_HEIGHT if has_copy else _ROW_HEIGHT)
            grid.setRowMinimumHeight(row, height)
            for words in (key, value):  # the first line of each is in the middle of the button
                words.ensurePolished()
                line = words.fontMetrics().height()
                words.setContentsMargins(0, max(0, (height - line) // 2), 0, 0)
            if has_copy:
                grid.addWidget(self._copy_button(fact), row, 2, top)
        return grid

    def _copy_button(self, fact: Fact) -> QWidget:
        button = icon_button(self._theme, "copy", f"Copy {fact.key.lower()}", size=14)

        def copy() -> None:
            QApplication.clipboard().setText(fact.exact)
            self.copied.emit(f"Copied {fact.key.lower()}")

        button.clicked.connect(copy)
        return button


class Details(QObject):
    """Decides which answer the panel tells about; fills it only while it is open."""

    def __init__(
        self,
        chat: OpenChat,
        thread: TranscriptModel,
        settings: SettingsStore,
        panel: DetailsPanel,
        columns: ThreeColumns,
        head: PageHead,
    ) -> None:
        super().__init__(panel)
        self._chat = chat
        self._thread = thread
        self._settings = settings
        self._panel = panel
        self._columns = columns
        self._head = head
        self._wanted = ""  # id of a message; "" is the last answer
        self.shown = ""  # id of the message that is shown
        columns.list_shown.connect(lambda _: self._follow_columns())
        columns.details_shown.connect(lambda _: self._follow_columns())
        panel.closed.connect(lambda: columns.show_details(shown=False))
        panel.prompt.system_changed.connect(chat.set_system)
        panel.prompt.parameters_changed.connect(chat.set_parameters)

    def toggle(self) -> None:
        """Open or close it."""
        if self._columns.details_visible:
            self._columns.show_details(shown=False)
        else:
            self.open("details")

    def open(self, view: str) -> None:
        """Open it with one of its views."""
        self._panel.show_view(view)
        self.show_settings()
        self.show_facts()
        self._columns.show_details(shown=True)

    def show_answer(self, message_id: str) -> None:
        """Open it with the details of that answer."""
        self._wanted = message_id
        self.open("details")

    def forget(self) -> None:
        """Another chat: show the last answer."""
        self._wanted = ""

    def show_facts(self) -> None:
        """Show what is known of the answer now."""
        message = self._thread.message(self._wanted) or self._thread.last("assistant")
        self.shown = message.id if message else ""
        if self._columns.details_visible or message is None:
            self._panel.show_facts(facts_of(message) if message else ())

    def show_settings(self) -> None:
        """Show what this chat sets, and the settings in force otherwise."""
        chat = self._chat
        self._panel.prompt.show_chat(chat, self._settings.current)

    def _follow_columns(self) -> None:
        columns = self._columns
        self._head.show_panels(
            list_shown=columns.list_visible, details_shown=columns.details_visible
        )
        if columns.details_visible:
            self.show_facts()


def facts_of(message: Message) -> tuple[FactGroup, ...]:
    """Everything that is known about how an answer came about; a remote target comes first."""
    groups = [FactGroup("Answer", _answer_facts(message))]
    is_remote = message.target is not None and message.target.kind != "local"
    is_ours = message.target is not None and bool(message.target.provider)
    has_sent = is_remote and is_ours and not is_edited(message)  # its previous version shows it
    origin = FactGroup("Source", _origin_facts(message), has_sent=has_sent)
    if is_remote:
        groups.append(origin)
    if message.provenance is not None or (message.error and message.error.cost is not None):
        groups.append(FactGroup("Cost", _cost_facts(message)))
    if message.provenance is not None:
        finished = message.provenance.finished
        groups.append(FactGroup("Tokens", _token_facts(finished)))
        groups.append(FactGroup("Time", _time_facts(finished)))
        groups.append(FactGroup("Parameters", _parameter_facts(finished)))
    if message.role == "assistant" and not is_remote:
        groups.append(origin)
    if message.error is not None and message.error.details:
        lines = message.error.details.strip()
        groups.append(FactGroup("Last lines of the engine", (Fact("", lines, lines, mono=True),)))
    return tuple(group for group in groups if group.facts)


def _answer_facts(message: Message) -> tuple[Fact, ...]:
    facts = [Fact("Written", f"{message.created_at.astimezone():%d %b %Y, %H:%M:%S}")]
    if message.version_count > 1:
        number = message.version_index + 1
        facts.append(Fact("Version", f"{number} of {message.version_count}"))
    if message.provenance is not None and message.status != "cut":
        reason = message.provenance.finished.finish_reason
        facts.append(Fact("Ended", _FINISH_WORDS[reason]))
    elif message.status in _STATUS_WORDS:
        facts.append(Fact("Ended", _STATUS_WORDS[message.status]))
    if message.error is not None:
        facts.append(Fact("Error", message.error.message, message.error.code))
    return tuple(facts)


def _token_facts(finished: Finished) -> tuple[Fact, ...]:
    usage = finished.usage
    facts = [
        Fact("Prompt", f"{usage.prompt_tokens:,}"),
        Fact("Cached", f"{usage.cached_tokens:,}"),
        Fact("Answer", f"{usage.completion_tokens:,}"),
    ]
    if usage.reasoning_tokens:
        facts.append(Fact("Reasoning", f"{usage.reasoning_tokens:,}"))
    if finished.context_length:
        facts.append(Fact("Context", f"{finished.context_length:,}"))
    return tuple(facts)


def _cost_facts(message: Message) -> tuple[Fact, ...]:
    """Money for a remote target, energy for a local one."""
    finished = message.provenance.finished if message.provenance else None
    info = message.provenance.target if message.provenance else message.target
    cost = finished.cost if finished else message.error.cost if message.error else None
    facts = []
    if cost is not None:
        told = formatting.money(cost.amount, cost.currency)
        exact = f"{cost.amount:f} {cost.currency}"
        facts.append(Fact("Cost", f"about {told} (estimated)" if cost.is_estimate else told, exact))
    elif info is not None and info.kind == "api":
        facts.append(Fact("Cost", "Not known: this model has no known price"))
    elif info is not None:
        facts.append(Fact("Cost", "No cost"))
    if finished is not None and finished.energy_j is not None:
        facts.append(
            Fact("Energy", f"{formatting.joules(finished.energy_j)}, measured on this machine")
        )
    return tuple(facts)


def _time_facts(finished: Finished) -> tuple[Fact, ...]:
    timing = finished.timing
    facts = []
    if timing.load_s >= 0.01:
        facts.append(Fact("Loading", formatting.seconds(timing.load_s)))
    facts.append(Fact("First token", formatting.seconds(timing.first_token_s)))
    facts.append(Fact("Total", formatting.seconds(timing.total_s)))
    if timing.prompt_tokens_per_s > 0:
        facts.append(Fact("Reading", formatting.speed(timing.prompt_tokens_per_s)))
    if timing.tokens_per_s > 0:
        facts.append(Fact("Writing", formatting.speed(timing.tokens_per_s)))
    return tuple(facts)


def _parameter_facts(finished: Finished) -> tuple[Fact, ...]:
    facts = []
    if "seed" in finished.parameters:
        seed = str(finished.parameters["seed"])
        facts.append(Fact("Seed", seed, seed, mono=True))
    for name, value in finished.parameters.items():
        if name == "seed" or value in (None, "", [], {}):
            continue
        facts.append(Fact(parameter_name(name), parameter_value(name, value)))
    return tuple(facts)


def _origin_facts(message: Message) -> tuple[Fact, ...]:
    info = message.provenance.target if message.provenance else message.target
    if info is None:
        return (Fact("Author", "Not a model"),)
    facts = [Fact("Model", info.title or info.name)]
    if info.kind != "local":
        facts += _remote_facts(message, info)
    if info.detail:
        facts.append(Fact("Kind", info.detail))
    if message.provenance is None:
        return tuple(facts)
    finished = message.provenance.finished
    sha256 = finished.model_sha256 or info.sha256
    if sha256:
        facts.append(Fact("Model hash", formatting.short_hash(sha256), sha256, mono=True))
    if finished.template_sha256:
        template = finished.template_sha256
        facts.append(Fact("Template", formatting.short_hash(template), template, mono=True))
    engine = finished.engine
    if info.kind == "local":
        facts.append(Fact("Engine", f"{engine.name} {engine.version}".strip()))
    if engine.build:
        build = engine.build
        facts.append(Fact("Build", formatting.short_hash(build), build, mono=True))
    if finished.threads:
        facts.append(Fact("Threads", str(finished.threads)))
    facts.append(Fact("Left this machine", "Yes" if leaves(info) else "No"))
    return tuple(facts)


def _remote_facts(message: Message, info: TargetInfo) -> list[Fact]:
    """The provider and host, the name of the model there, and the hash of what was sent."""
    finished = message.provenance.finished if message.provenance else None
    facts = []
    if info.provider_title:
        facts.append(Fact("Provider", info.provider_title))
    host = (finished.host if finished else "") or info.host
    if host:
        facts.append(Fact("Host", host_name(host), host))
    if finished is not None and finished.model:
        facts.append(Fact("Model reported", finished.model))
    if finished is not None and finished.sent_sha256:
        digest = finished.sent_sha256
        facts.append(Fact("Sent hash", formatting.short_hash(digest), digest, mono=True))
    return facts
