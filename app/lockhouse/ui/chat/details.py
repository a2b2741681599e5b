"""The right panel of the Chat page: details of an answer, and the settings of the chat."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication, QFrame, QGridLayout, QStackedWidget, QWidget

from lockhouse.chat.conversations import Message
from lockhouse.core.events import Finished
from lockhouse.ui import formatting
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.parameters import parameter_name, parameter_value
from lockhouse.ui.chat.prompt_panel import PromptPanel
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button, scrolling
from lockhouse.ui.layouts import LEFT, STRETCH, TOP, Part, column, holding, row
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
    """One line of the details: ``exact`` is copied, ``value`` shown; none where it is empty."""

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
        close = icon_button(theme, "x", "Close the panel", self.closed, name="close_details")
        px = theme.px
        bar = holding(row(theme, self._choice, STRETCH, close, margins=(16, 0, 8, 0)))
        bar.setFixedHeight(px(47))
        self._stack = QStackedWidget()
        self._facts_area = scrolling(QWidget(), "facts_area")
        self._stack.addWidget(self._facts_area)
        self._stack.addWidget(scrolling(self.prompt, "prompt_area"))
        column(theme, bar, hairline(), (self._stack, 1), on=self)
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
        parts: list[Part] = []
        if not groups:
            words = "Choose Details under an answer to see how it came about."
            parts.append(label(words, ink="3", wrap=True))
        for group in groups:
            if parts:
                parts += [6, hairline(), 6]
            parts += [label(group.title, role="strong"), self._grid(group)]
            if group.has_sent:
                sent = push_button(
                    self._theme, "Show what was sent", self.sent_wanted,
                    name="show_sent", compact=True,
                )  # fmt: skip
                parts.append((sent, LEFT))
        inside = holding(column(self._theme, *parts, STRETCH, gap=6, margins=(16, 16)))
        inside.setObjectName("facts")
        self._facts_area.setWidget(inside)

    def _grid(self, group: FactGroup) -> QGridLayout:
        px = self._theme.px
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(2))
        grid.setColumnStretch(1, 1)
        for number, fact in enumerate(group.facts):
            role = "code-small" if fact.mono else "body"
            value = label(fact.value, role=role, wrap=True, selectable=True)
            value.setAccessibleName(f"{fact.key}: {fact.exact or fact.value}")
            if not fact.key:
                grid.addWidget(value, number, 0, 1, 3)
                continue
            key = label(fact.key, ink="3", wrap=True)
            key.setFixedWidth(px(_KEY_WIDTH))  # the values of all groups stand in one line
            grid.addWidget(key, number, 0, TOP)
            grid.addWidget(value, number, 1, TOP)
            has_copy = bool(fact.exact and fact.mono)
            height = px(tokens.COMPACT_HEIGHT if has_copy else _ROW_HEIGHT)
            grid.setRowMinimumHeight(number, height)
            for words in (key, value):  # the first line of each is in the middle of the button
                words.ensurePolished()
                line = round(words.minimumSizeHint().height())
                words.setContentsMargins(0, max(0, (height - line) // 2), 0, 0)
            if has_copy:
                grid.addWidget(self._copy_button(fact), number, 2, TOP)
        return grid

    def _copy_button(self, fact: Fact) -> QWidget:
        def copy() -> None:
            QApplication.clipboard().setText(fact.exact)
            self.copied.emit(f"Copied {fact.key.lower()}")

        return icon_button(self._theme, "copy", f"Copy {fact.key.lower()}", copy, size=14)


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
        composer: Composer,
    ) -> None:
        super().__init__(panel)
        self._composer = composer
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
        chosen = self._composer.destination
        instructions = chosen.info.instructions if chosen else ""
        self._panel.prompt.show_chat(self._chat, self._settings.current, instructions)

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
    is_ours = is_ours and not message.is_imported
    has_sent = is_remote and is_ours and not message.is_edited  # its previous version shows it
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
    known = (replace(one, facts=tuple(fact for fact in one.facts if fact.value)) for one in groups)
    return tuple(group for group in known if group.facts)


def _answer_facts(message: Message) -> tuple[Fact, ...]:
    count, error = message.version_count, message.error
    ended = _STATUS_WORDS.get(message.status, "")
    if message.provenance is not None and message.status != "cut":
        ended = _FINISH_WORDS[message.provenance.finished.finish_reason]
    return (
        Fact("Written", formatting.full_time(message.created_at.isoformat())),
        Fact("Version", f"{message.version_index + 1} of {count}" if count > 1 else ""),
        Fact("Ended", ended),
        Fact("Error", error.message if error else "", error.code if error else ""),
    )


def _token_facts(finished: Finished) -> tuple[Fact, ...]:
    usage, context = finished.usage, finished.context_length
    return (
        Fact("Prompt", f"{usage.prompt_tokens:,}"),
        Fact("Cached", f"{usage.cached_tokens:,}"),
        Fact("Answer", f"{usage.completion_tokens:,}"),
        Fact("Reasoning", f"{usage.reasoning_tokens:,}" if usage.reasoning_tokens else ""),
        Fact("Context", f"{context:,}" if context else ""),
    )


def _cost_facts(message: Message) -> tuple[Fact, ...]:
    """Money for a remote target, energy for a local one."""
    finished = message.provenance.finished if message.provenance else None
    info = message.provenance.target if message.provenance else message.target
    cost = finished.cost if finished else message.error.cost if message.error else None
    if cost is not None:
        told = formatting.money(cost.amount, cost.currency)
        words = f"about {told} (estimated)" if cost.is_estimate else told
    elif info is not None and info.kind == "api":
        words = "Not known: this model has no known price"
    else:
        words = "No cost" if info is not None else ""
    energy_j = finished.energy_j if finished else None
    energy = "" if energy_j is None else f"{formatting.joules(energy_j)}, measured on this machine"
    exact = f"{cost.amount:f} {cost.currency}" if cost else ""
    return Fact("Cost", words, exact), Fact("Energy", energy)


def _time_facts(finished: Finished) -> tuple[Fact, ...]:
    timing = finished.timing
    reading, writing = timing.prompt_tokens_per_s, timing.tokens_per_s
    return (
        Fact("Loading", formatting.seconds(timing.load_s) if timing.load_s >= 0.01 else ""),
        Fact("First token", formatting.seconds(timing.first_token_s)),
        Fact("Total", formatting.seconds(timing.total_s)),
        Fact("Reading", formatting.speed(reading) if reading > 0 else ""),
        Fact("Writing", formatting.speed(writing) if writing > 0 else ""),
    )


def _parameter_facts(finished: Finished) -> tuple[Fact, ...]:
    seed = str(finished.parameters.get("seed", ""))
    others = (
        Fact(parameter_name(name), parameter_value(name, value))
        for name, value in finished.parameters.items()
        if name != "seed" and value not in (None, "", [], {})
    )
    return Fact("Seed", seed, seed, mono=True), *others


def _origin_facts(message: Message) -> tuple[Fact, ...]:
    """For a remote target also its provider and host, and the hash of what was sent."""
    info = message.provenance.target if message.provenance else message.target
    finished = message.provenance.finished if message.provenance else None
    if info is None:
        return (Fact("Author", "Not a model"),)
    facts = [Fact("Model", info.title or info.name)]
    if info.kind != "local":
        host = (finished.host if finished else "") or info.host
        facts += [
            Fact("Provider", info.provider_title),
            Fact("Host", host_name(host), host),
            Fact("Model reported", finished.model if finished else ""),
            _hash("Sent hash", finished.sent_sha256 if finished else ""),
        ]
    facts.append(Fact("Kind", info.detail))
    if finished is None:
        return tuple(facts)
    engine = f"{finished.engine.name} {finished.engine.version}".strip()
    return (
        *facts,
        _hash("Model hash", finished.model_sha256 or info.sha256),
        _hash("Template", finished.template_sha256),
        Fact("Engine", engine if info.kind == "local" else ""),
        _hash("Build", finished.engine.build),
        Fact("Threads", str(finished.threads) if finished.threads else ""),
        Fact("Left this machine", "Yes" if leaves(info) else "No"),
    )


def _hash(key: str, digest: str | None) -> Fact:
    return Fact(key, formatting.short_hash(digest) if digest else "", digest or "", mono=True)
