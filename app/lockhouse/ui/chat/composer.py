"""The message box: text, attachments, model, context meter, send and stop, the queue."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QWidget

from lockhouse import seal
from lockhouse.answer.target import TargetInfo
from lockhouse.chat.text_attachments import Attachment, attached, with_attachments
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.messages import Image
from lockhouse.core.thinking import CHOICES, Thinking, nearest
from lockhouse.engine.documents import is_document
from lockhouse.ui import formatting
from lockhouse.ui.chat.attachments import (
    MAX_PICTURES,
    PreparedPicture,
    is_picture,
    prepare_picture,
    read_attachment,
)
from lockhouse.ui.chat.composer_edit import ComposerEdit
from lockhouse.ui.chat.composer_parts import (
    CHARACTERS_PER_TOKEN,
    Chip,
    ContextMeter,
    Counted,
    DestinationLine,
    PictureChip,
    ProblemLine,
    SendButton,
)
from lockhouse.ui.chat.parameters import thinking_words
from lockhouse.ui.chat.target_picker import Destination, TargetPopup, mark_words
from lockhouse.ui.chat.values import QueuedQuestion
from lockhouse.ui.choice_button import ChoiceButton, PickerButton
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.outbound.words import host_name, leaves
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import IconButton

_PASTED = "Pasted text"
_SOON_COUNTED = 200  # characters more or less for which the last exact number stays


class Composer(QFrame):
    """One per Chat page; told by its user which conversation it writes into."""

    sent = Signal(str, object)  # text, tuple[Image, ...]; stays until it was taken
    stop_wanted = Signal()
    target_chosen = Signal(object)  # Destination
    thinking_chosen = Signal(str)  # "" is the model's own default
    way_wanted = Signal(str, str)  # WayOn, provider's name
    leaving = Signal(object)  # before that: what to do when the chat is shown again
    destinations_changed = Signal()
    picture_wanted = Signal(object)  # Path or QImage: to be prepared
    document_file_wanted = Signal(object)  # Path: its text is to be read
    reading_stopped = Signal(str)  # path of a file that shall not be read any more
    document_wanted = Signal(object)  # Attachment: another model is to be asked about it
    draft_changed = Signal()
    queued_edit_wanted = Signal(str)  # id of a queued message
    queued_drop_wanted = Signal(str)
    queue_send_wanted = Signal()
    settings_wanted = Signal()
    models_dropped = Signal(object)  # list[Path]

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._attachments: list[Attachment] = []
        self._pictures: list[PreparedPicture] = []
        self._reading: tuple[str, ...] = ()  # paths of files
        self._chat = ""
        self._destinations: tuple[Destination, ...] = ()
        self._target = ""
        self._running = False
        self._recall = ""
        self._used = 0
        self._total = 0
        self._cut_oldest = False
        self._queue: tuple[QueuedQuestion, ...] = ()
        self._is_loading = False
        self._counted: Counted | None = None
        self._tokens: dict[Attachment, int] = {}  # of attached files, as the model counts
        self.revision = 0  # of what is typed and attached
        self.setObjectName("composer")
        self.setAccessibleName("Composer")
        self._make_parts()
        self._lay_out()
        self._follow()

    def _make_parts(self) -> None:
        theme = self._theme
        self.edit = ComposerEdit(theme)
        self._chips = QWidget()
        self._chips.setObjectName("chips")
        self._chip_row = FlowLayout(self._chips, spacing=theme.px(6))
        self._attach = icon_button(
            theme, "paperclip", "Attach files or pictures", self.choose_files, name="attach"
        )
        self._queue_line = self._make_queue_line()
        self.line = DestinationLine(theme)
        self.problem = ProblemLine(theme)
        self._picker = PickerButton(theme, "box")
        self._picker.setObjectName("target_picker")
        self._picker.hide()  # until it is known who can answer
        self._thinking = ChoiceButton(theme, "Thinking of this chat", (), height=28)
        self._thinking.setObjectName("thinking")
        self._thinking.setToolTip("Whether the model thinks before it answers, in this chat")
        self._thinking.hide()  # until a model that has a switch is chosen
        self._tune = icon_button(
            theme, "sliders-horizontal", "Chat settings", self.settings_wanted, name="tune"
        )
        self.meter = ContextMeter(theme)
        self.send_button = SendButton(theme)

    def _make_queue_line(self) -> QWidget:
        """Says that nothing in the queue is sent by itself after an answer was stopped."""
        words = label("Queued messages are waiting.", role="caption", ink="2")
        send = push_button(
            self._theme, "Send now", self.queue_send_wanted,
            name="send_queued", kind="link", compact=True, spoken="Send the queued messages now",
        )  # fmt: skip
        line = holding(row(self._theme, words, send, STRETCH, gap=6))
        line.setObjectName("queue_line")
        line.hide()
        return line

    def _show_queue_line(self) -> None:
        self._queue_line.setVisible(bool(self._queue) and not self._running)

    def _lay_out(self) -> None:
        px = self._theme.px
        left = (-px(8), self._attach, self._picker, self._thinking, self._tune)
        buttons = row(self._theme, *left, STRETCH, self.meter, 4, self.send_button, gap=8)
        parts = (self._chips, self._queue_line, self.problem, self.edit, self.line, buttons)
        column(self._theme, *parts, gap=8, margins=(16, 12, 8, 8), on=self)
        self._chips.hide()

    def _follow(self) -> None:
        self.edit.textChanged.connect(self._text_changed)
        self.edit.send_wanted.connect(self._send)
        self.edit.recall_wanted.connect(lambda: self.edit.put_text(self._recall))
        self.edit.files_dropped.connect(self.take_files)
        self.edit.focus_changed.connect(self._show_focus)
        self.edit.picture_pasted.connect(self._paste_picture)
        self.edit.text_pasted.connect(self._paste_text)
        self._picker.clicked.connect(lambda: self.open_picker(self._picker))
        self._thinking.picked.connect(self.thinking_chosen)
        self.line.way_wanted.connect(self._follow_line)
        self.send_button.clicked.connect(self._press_send)
        self._update_button()
        self._say_target()

    # -- what the page sets -----------------------------------------------------------------

    def load(self, draft: str, conversation_id: str = "") -> None:
        """Begin writing into another conversation, from its draft."""
        self._is_loading = True
        self._chat = conversation_id
        self._pictures = []
        files, start = attached(draft)
        self._attachments[:] = files
        self.edit.setPlainText(draft[start:])
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)
        self._is_loading = False
        self._queue = ()
        self._counted = None
        self.problem.clear()
        self._changed()

    def go_on_in(self, conversation_id: str) -> None:
        """What is typed by now belongs to that conversation."""
        self._chat = conversation_id

    @property
    def chat(self) -> str:
        """The conversation that it writes into; "" is a new one."""
        return self._chat

    @property
    def message(self) -> str:
        """What would be sent now."""
        return with_attachments(self.edit.toPlainText().strip(), self._attachments)

    def clear_sent(self, chat: str, text: str) -> None:
        """That text was sent. What was typed since stays, in that chat or in another one."""
        if chat != self._chat or text != self.message:
            return
        self._attachments.clear()
        self._pictures.clear()
        self.edit.clear()
        self.problem.clear()
        self._changed()
        self.edit.setFocus()

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        parts = (self.edit, self._attach, self._picker, self._thinking, self._tune)
        return (*parts, self.send_button)

    @property
    def draft(self) -> str:
        """What is typed or attached and not sent, in the form in which it would be sent."""
        return with_attachments(self.edit.toPlainText(), self._attachments)

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures that are attached."""
        return tuple(ready.image for ready in self._pictures)

    def set_running(self, *, running: bool) -> None:
        """Whether the conversation is being answered."""
        if running != self._running:
            self._running = running
            self._update_button()
            self._show_queue_line()

    @property
    def is_running(self) -> bool:
        """Whether the conversation is being answered."""
        return self._running

    def set_recall(self, text: str) -> None:
        """What the Up key brings back: the words, not the attachments."""
        self._recall = text[attached(text)[1] :]

    def take_back(self, text: str, images: Sequence[Image] = ()) -> None:
        """A message that was not sent, with its files, before what is typed now."""
        files, start = attached(text)
        self._attachments += files
        self._pictures += [prepare_picture(image.data, image.name) for image in images]
        typed, words = self.edit.toPlainText(), text[start:]
        self.edit.put_text(f"{typed}\n{words}" if typed.strip() else words)
        self._changed()

    def set_destinations(self, destinations: tuple[Destination, ...], chosen: str) -> None:
        """Who can answer, and who will. "" is the first, the default."""
        self._destinations = destinations
        self._target = chosen
        self._say_target()
        self._picker.show()
        self.destinations_changed.emit()

    def set_thinking(self, chosen: str) -> None:
        """What this chat has chosen; shown where the model has a switch for it."""
        found = self.destination
        choices = found.info.thinking if found else ()
        options = [("", "Thinking: default"), *((one, thinking_words(one)) for one in choices)]
        wanted: Thinking = next((one for one in CHOICES if one == chosen), "")
        self._thinking.show_options(options, nearest(wanted, choices))
        self._thinking.setVisible(bool(choices))

    @property
    def destination(self) -> Destination | None:
        """Who gets the next message; None where there is no target of that name."""
        found = [one for one in self._destinations if one.info.name]
        chosen = next((one for one in found if one.info.name == self._target), None)
        if chosen is None and not self._target and found:
            return found[0]
        return chosen

    def add_picture(self, ready: PreparedPicture) -> None:
        """Attach a picture that was prepared, unless it is attached already."""
        if ready.image in self.images:
            return
        if len(self._pictures) >= MAX_PICTURES:
            self.tell(InvalidInput(f"At most {MAX_PICTURES} pictures can be attached."))
            return
        self._pictures.append(ready)
        self._changed()

    def restore_pictures(self, kept: Sequence[PreparedPicture]) -> None:
        """Attach those kept with the draft, before what was added since; none is dropped."""
        images = [ready.image for ready in kept]
        self._pictures = [*kept, *(one for one in self._pictures if one.image not in images)]
        self._rebuild_chips()

    def set_context(self, used: int, total: int, *, cut_oldest: bool) -> None:
        """How much the conversation takes already, without what is typed."""
        self._used, self._total, self._cut_oldest = used, total, cut_oldest
        self._show_meter()

    def show_count(self, counted: Counted | None) -> None:
        """Tokens of what is typed and attached, with the chat before it; None: nobody counted."""
        self._counted = counted
        self._show_meter()
        if counted is not None and counted.revision == self.revision:
            known = dict(zip(self._attachments, counted.files, strict=False))
            if known != self._tokens:
                self._tokens = known
                self._rebuild_chips()

    def tell(self, error: LockhouseError) -> None:
        """Why something could not be attached or sent."""
        self.problem.say(error.message, error.hint)

    def set_queue(self, queue: tuple[QueuedQuestion, ...]) -> None:
        """What is queued."""
        self._queue = queue
        self._rebuild_chips()

    def take_files(self, paths: list[Path]) -> None:
        """Attach files and pictures; model files are imported instead."""
        self.problem.clear()
        models = [path for path in paths if path.suffix.lower() == ".gguf"]
        if models:
            self.models_dropped.emit(models)
        for path in paths:
            if path in models:
                continue
            if is_picture(path) and path.is_file():
                if self._may_see(path.name):
                    self.picture_wanted.emit(path)
                continue
            if is_document(path) and path.is_file():
                self.document_file_wanted.emit(path)
                continue
            try:
                self._attachments.append(read_attachment(path))
            except InvalidInput as error:
                self.tell(error)
        self._changed()

    def _may_see(self, name: str, *, is_attached: bool = False) -> bool:
        """Whether the chosen model accepts pictures; says so where it does not."""
        answerer = self.destination
        if answerer is None or answerer.sees is not False:
            return True
        title = answerer.info.title or answerer.info.name
        outcome = "nothing was sent" if is_attached else f"{name} was not attached"
        then = "send it again, or remove the picture" if is_attached else "attach it again"
        self.tell(
            InvalidInput(
                f"{title} does not accept pictures, so {outcome}.",
                hint=f"Choose a vision model, then {then}.",
                code="no_vision",
            )
        )
        return False

    def add_file(self, file: Attachment) -> None:
        """Attach a text that was read."""
        self._attachments.append(file)
        self._changed()

    def show_reading(self, paths: tuple[str, ...]) -> None:
        """Files whose text is being read, to be attached then."""
        self._reading = paths
        self._rebuild_chips()

    def _paste_text(self, text: str) -> None:
        names = {file.name for file in self._attachments}
        numbered = (f"{_PASTED} {number}" for number in itertools.count(2))
        name = next(one for one in itertools.chain((_PASTED,), numbered) if one not in names)
        self._attachments.append(Attachment(name, text))
        self._changed()

    def _unpaste(self, file: Attachment) -> None:
        """Put a text that was pasted into the message box, to be edited there."""
        self._detach(file)
        self.edit.insertPlainText(file.text)
        self.edit.setFocus()

    def _paste_picture(self, picture: QImage) -> None:
        if self._may_see("the picture"):
            self.picture_wanted.emit(picture)

    # -- inside -----------------------------------------------------------------------------

    def _press_send(self) -> None:
        if self.send_button.stops:
            self.stop_wanted.emit()
        else:
            self._send()

    def _send(self) -> None:
        text = self.message
        if self._reading:
            name = Path(self._reading[0]).name
            self.problem.say(f"{name} is still being read.", "Send again in a moment.")
            return
        if not text.strip() and not self._pictures:
            return
        if self._pictures and not self._may_see("", is_attached=True):
            return
        self.problem.clear()
        self.sent.emit(text, self.images)

    def _text_changed(self) -> None:
        self.revision += 1
        self._update_button()
        self._show_meter()
        if not self._is_loading:
            self.draft_changed.emit()

    def _changed(self) -> None:
        """Something was attached or taken away."""
        self._rebuild_chips()
        self._text_changed()

    def _update_button(self) -> None:
        has_text = bool(self.edit.toPlainText().strip() or self._attachments or self._pictures)
        self.send_button.show_stop(stops=self._running and not has_text)
        self.send_button.setEnabled(self._running or has_text)

    def _show_meter(self) -> None:
        counted, cuts = self._counted, self._cut_oldest
        if counted is None:
            used = self._used + round(self.characters / CHARACTERS_PER_TOKEN)
            self.meter.show_use(used, self._total, cut_oldest=cuts)
        else:
            more = self.characters - counted.characters  # counted in a moment
            used = counted.used + round(more / CHARACTERS_PER_TOKEN)
            exact = counted.is_exact and abs(more) < _SOON_COUNTED
            total = counted.total or self._total
            self.meter.show_use(max(0, used), total, cut_oldest=cuts, is_exact=exact)
        self._drop_meter_when_narrow()

    @property
    def characters(self) -> int:
        """How many are typed and attached as text."""
        return len(self.edit.toPlainText()) + sum(len(file.text) for file in self._attachments)

    @property
    def files(self) -> tuple[Attachment, ...]:
        """The text files that are attached."""
        return tuple(self._attachments)

    def _drop_meter_when_narrow(self) -> None:
        self.meter.setVisible(self._total > 0 and self.width() > self._theme.px(420))

    def choose_files(self) -> None:
        """Ask which files to attach."""
        names, _ = QFileDialog.getOpenFileNames(self, "Attach files or pictures", str(Path.home()))
        self.take_files([Path(name) for name in names])

    def _say_target(self) -> None:
        found = self.destination
        info = found.info if found else None
        words = (info.title or info.name) if info else (self._target or "No model")
        self._picker.setText(words)
        is_leaving = info is not None and leaves(info)
        mark = "box" if info is None or info.kind == "local" else "globe"  # as in the list
        self._picker.set_icon(
            "arrow-up-right" if is_leaving else mark, "warning" if is_leaving else "text-2"
        )
        self._show_placeholder(info)
        spoken = f"Model: {words}" if info else "Choose a model"
        where = "on this machine"
        if info is not None and info.kind != "local":
            where = f"{mark_words(info).lower()}, {host_name(info.host)}"
            spoken = f"{spoken}, {where}"
        self._picker.setAccessibleName(spoken)
        detail = f"{info.detail}, {where}" if info and info.detail else where
        self._picker.setToolTip(f"{words}: {detail}" if info else spoken)
        self._picker.updateGeometry()
        self._picker.update()

    def _show_placeholder(self, info: TargetInfo | None) -> None:
        """Before anything is typed: where it will go."""
        words = "Ask anything"
        if info is not None and leaves(info):
            name = formatting.short_name(info.title or info.name, 24)
            host = formatting.short_name(host_name(info.host), 24)
            words = f"Ask {name}. This goes to {host}."
        elif seal.state() == "kernel" and (info is None or info.kind == "local"):
            words = "Ask anything. Nothing leaves this machine."
        self.edit.setPlaceholderText(words)

    def open_picker(self, anchor: QWidget) -> None:
        """The list of all models, beside that button."""
        chosen = self.destination
        popup = TargetPopup(
            self._theme,
            lambda: self._destinations,
            self,
            current=chosen.info.name if chosen else "",
        )
        popup.chosen.connect(self.target_chosen)
        popup.chosen.connect(lambda _: QTimer.singleShot(0, self.edit, self.edit.setFocus))
        popup.way_wanted.connect(lambda *_: self.leaving.emit(lambda: self.open_picker(anchor)))
        popup.way_wanted.connect(self.way_wanted)
        self.destinations_changed.connect(popup.refill)
        popup.open_at(QRect(anchor.mapToGlobal(anchor.rect().topLeft()), anchor.size()))

    def _follow_line(self, way: str) -> None:
        chosen = self.destination
        self.way_wanted.emit(way, (chosen.info.provider or "") if chosen else "")

    def _rebuild_chips(self) -> None:
        self._chip_row.clear()
        theme, chips = self._theme, self._chip_row
        for entry in self._queue:
            question = entry.question
            files, start = attached(question.text)
            names = [file.name for file in files]
            names += [image.name or "picture" for image in question.images]
            words = question.text[start:] or ", ".join(names)
            edit = partial(self.queued_edit_wanted.emit, entry.id)
            drop = partial(self.queued_drop_wanted.emit, entry.id)
            chips.addWidget(Chip(theme, "clock", words, drop, edit=edit))
        for path in self._reading:
            stop = partial(self.reading_stopped.emit, path)
            chips.addWidget(Chip(theme, "loader-circle", f"Reading {Path(path).name}…", stop))
        has_remote = any(one.is_remote for one in self._destinations)
        for file in self._attachments:
            ask = partial(self.document_wanted.emit, file) if has_remote else None
            drop = partial(self._detach, file)
            tokens = self._tokens.get(file)
            about = "" if tokens is not None else "about "
            many = tokens or round(len(file.text) / CHARACTERS_PER_TOKEN)
            size = f"{about}{formatting.counted(many, 'token')}"
            to_box = partial(self._unpaste, file) if file.name.startswith(_PASTED) else None
            chip = Chip(
                theme, "file-text", file.name, drop,
                edit=to_box, edit_words="Edit", size=size, forward=ask,
            )  # fmt: skip
            chips.addWidget(chip)
        for ready in self._pictures:
            chips.addWidget(PictureChip(theme, ready, partial(self._detach, ready)))
        before: QWidget = self.edit
        for button in self._chips.findChildren(IconButton):
            QWidget.setTabOrder(before, button)
            before = button
        self._chips.setVisible(self._chip_row.count() > 0)
        self._show_queue_line()
        self._update_button()

    def _detach(self, gone: Attachment | PreparedPicture) -> None:
        self._pictures = [one for one in self._pictures if one is not gone]
        self._attachments = [one for one in self._attachments if one is not gone]
        self._changed()

    def _show_focus(self) -> None:
        self.setProperty("active", self.edit.hasFocus())
        repolish(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._drop_meter_when_narrow()

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.edit.setFocus(Qt.FocusReason.MouseFocusReason)
