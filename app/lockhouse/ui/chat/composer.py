"""Where a question is written: text, files, target, context meter, send and stop, the queue."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse import seal
from lockhouse.answer.targets import TargetInfo
from lockhouse.chat.attached import Attachment, attached, with_attachments
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.ui.chat.attachments import read_attachment
from lockhouse.ui.chat.composer_edit import ComposerEdit
from lockhouse.ui.chat.composer_parts import Chip, ContextMeter, SendButton
from lockhouse.ui.chat.values import QueueState
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.parts import icon_button, make_menu
from lockhouse.ui.picker import PickerButton
from lockhouse.ui.theme import Theme, repolish

_CHARACTERS_PER_TOKEN = 3.6  # for the meter only; the engine counts exactly when it reads


class Composer(QFrame):
    """One per Chat page; told which conversation it writes into by its user."""

    sent = Signal(str)
    stop_wanted = Signal()
    target_chosen = Signal(str)
    draft_changed = Signal()
    queued_edit_wanted = Signal(str)  # id of a waiting message
    queued_drop_wanted = Signal(str)
    settings_wanted = Signal()
    models_dropped = Signal(object)  # list[Path]
    failed = Signal(object)  # LockhouseError

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._attachments: list[Attachment] = []
        self._targets: tuple[TargetInfo, ...] = ()
        self._target = ""
        self._running = False
        self._recall = ""
        self._used = 0
        self._total = 0
        self._cut_oldest = False
        self._is_loading = False
        self.setObjectName("composer")
        self.setAccessibleName("Composer")
        self._make_parts()
        self._lay_out()
        self._follow()

    def _make_parts(self) -> None:
        theme = self._theme
        self.edit = ComposerEdit(theme)
        sealed = seal.state() == "kernel"
        self.edit.setPlaceholderText(
            "Ask anything. Nothing leaves this machine." if sealed else "Ask anything"
        )
        self._chips = QWidget()
        self._chips.setObjectName("chips")
        self._chip_row = FlowLayout(self._chips, spacing=theme.px(6))
        self._attach = icon_button(theme, "paperclip", "Attach a text file", name="attach")
        self._picker = PickerButton(theme, "box")
        self._picker.setObjectName("target_picker")
        self._picker.hide()  # until it is known who can answer
        self._tune = icon_button(
            theme, "sliders-horizontal", "Instructions and parameters of this chat", name="tune"
        )
        self.meter = ContextMeter(theme)
        self.send_button = SendButton(theme)

    def _lay_out(self) -> None:
        px = self._theme.px
        column = QVBoxLayout(self)
        column.setContentsMargins(px(16), px(12), px(8), px(8))
        column.setSpacing(px(8))
        column.addWidget(self._chips)
        column.addWidget(self.edit)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(8))
        row.addSpacing(-px(8))
        row.addWidget(self._attach)
        row.addWidget(self._picker)
        row.addWidget(self._tune)
        row.addStretch(1)
        row.addWidget(self.meter)
        row.addSpacing(px(4))
        row.addWidget(self.send_button)
        column.addLayout(row)
        self._chips.hide()

    def _follow(self) -> None:
        self.edit.textChanged.connect(self._text_changed)
        self.edit.send_wanted.connect(self._send)
        self.edit.recall_wanted.connect(lambda: self.edit.put_text(self._recall))
        self.edit.files_dropped.connect(self.take_files)
        self.edit.focus_changed.connect(self._show_focus)
        self._attach.clicked.connect(self._choose_files)
        self._picker.clicked.connect(self._show_targets)
        self._tune.clicked.connect(self.settings_wanted)
        self.send_button.clicked.connect(self._press_send)
        self._update_button()
        self._say_target()

    # -- what the page sets -----------------------------------------------------------------

    def load(self, draft: str) -> None:
        """Begin writing into another conversation, from its draft."""
        self._is_loading = True
        files, start = attached(draft)
        self._attachments[:] = files
        self.edit.setPlainText(draft[start:])
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)
        self._is_loading = False
        self._queue = QueueState("")
        self._rebuild_chips()

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        return (self.edit, self._attach, self._picker, self._tune, self.send_button)

    @property
    def draft(self) -> str:
        """What is typed or attached and not sent, in the form in which it would be sent."""
        return with_attachments(self.edit.toPlainText(), self._attachments)

    def set_running(self, *, running: bool) -> None:
        """Whether the conversation is being answered."""
        if running != self._running:
            self._running = running
            self._update_button()

    def set_recall(self, text: str) -> None:
        """What Up brings back: the words, not the files that went along."""
        self._recall = text[attached(text)[1] :]

    def take_back(self, text: str) -> None:
        """A message that was not sent, with its files, before what is typed now."""
        files, start = attached(text)
        self._attachments += files
        typed, words = self.edit.toPlainText(), text[start:]
        self.edit.put_text(f"{typed}\n{words}" if typed.strip() else words)
        self._rebuild_chips()
        self._show_meter()

    def set_targets(self, targets: tuple[TargetInfo, ...], chosen: str) -> None:
        """Who can answer, and who will. "" is the first, the default."""
        self._targets = targets
        self._target = chosen
        self._say_target()
        self._picker.show()

    def set_context(self, used: int, total: int, *, cut_oldest: bool) -> None:
        """What the conversation takes already, without what is typed."""
        self._used, self._total, self._cut_oldest = used, total, cut_oldest
        self._show_meter()

    def set_queue(self, queue: QueueState) -> None:
        """What waits to be sent."""
        self._queue = queue
        self._rebuild_chips()

    def take_files(self, paths: list[Path]) -> None:
        """Attach text files; models go to the one who imports them."""
        models = [path for path in paths if path.suffix.lower() == ".gguf"]
        if models:
            self.models_dropped.emit(models)
        for path in paths:
            if path in models:
                continue
            try:
                self._attachments.append(read_attachment(path))
            except InvalidInput as error:
                self._tell(error)
        self._rebuild_chips()
        self._show_meter()
        self.draft_changed.emit()

    # -- inside -----------------------------------------------------------------------------

    _queue = QueueState("")

    def _tell(self, error: LockhouseError) -> None:
        self.failed.emit(error)

    def _press_send(self) -> None:
        if self.send_button.stops:
            self.stop_wanted.emit()
        else:
            self._send()

    def _send(self) -> None:
        text = with_attachments(self.edit.toPlainText().strip(), self._attachments)
        if not text.strip():
            return
        self._attachments.clear()
        self.edit.clear()
        self._rebuild_chips()
        self.sent.emit(text)
        self.edit.setFocus()

    def _text_changed(self) -> None:
        self._update_button()
        self._show_meter()
        if not self._is_loading:
            self.draft_changed.emit()

    def _update_button(self) -> None:
        has_text = bool(self.edit.toPlainText().strip() or self._attachments)
        self.send_button.show_stop(stops=self._running and not has_text)
        self.send_button.setEnabled(self._running or has_text)

    def _show_meter(self) -> None:
        typed = len(self.edit.toPlainText()) + sum(len(file.text) for file in self._attachments)
        used = self._used + round(typed / _CHARACTERS_PER_TOKEN)
        self.meter.show_use(used, self._total, cut_oldest=self._cut_oldest)
        self._drop_meter_when_narrow()

    def _drop_meter_when_narrow(self) -> None:
        self.meter.setVisible(self._total > 0 and self.width() > self._theme.px(420))

    def _choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Attach text files", str(Path.home()))
        self.take_files([Path(name) for name in names])

    def _say_target(self) -> None:
        chosen = next((one for one in self._targets if one.name == self._target), None)
        if chosen is None and not self._target and self._targets:
            chosen = self._targets[0]
        words = (chosen.title or chosen.name) if chosen else (self._target or "No model")
        self._picker.setText(words)
        spoken = f"Model: {words}" if chosen else "Choose a model"
        self._picker.setAccessibleName(spoken)
        where = "leaves this machine" if chosen and chosen.leaves_machine else "on this machine"
        detail = f"{chosen.detail}, {where}" if chosen and chosen.detail else where
        self._picker.setToolTip(f"{words}: {detail}" if chosen else spoken)
        self._picker.updateGeometry()
        self._picker.update()

    def _show_targets(self) -> None:
        menu = make_menu(self)
        menu.setObjectName("target_menu")
        group = QActionGroup(menu)
        for number, target in enumerate(self._targets):
            title = (target.title or target.name).replace("&", "&&")
            words = f"{title}    {target.detail}" if target.detail else title
            action = QAction(words, menu)
            action.setCheckable(True)
            is_chosen = target.name == self._target or (not self._target and number == 0)
            action.setChecked(is_chosen)
            action.triggered.connect(
                lambda _checked=False, name=target.name: self.target_chosen.emit(name)
            )
            group.addAction(action)
            menu.addAction(action)
        if not self._targets:
            menu.addAction("No model on this machine yet").setEnabled(False)
        origin = self._picker.mapToGlobal(self._picker.rect().topLeft())
        origin.setY(origin.y() - menu.sizeHint().height() - 4)
        menu.popup(origin)

    def _rebuild_chips(self) -> None:
        self._chip_row.clear()
        for entry in self._queue.waiting:
            files, start = attached(entry.text)
            names = ", ".join(file.name for file in files)
            words = entry.text[start:] if start < len(entry.text) else names
            chip = Chip(self._theme, "clock", words, editable=True)
            chip.edit_wanted.connect(lambda key=entry.id: self.queued_edit_wanted.emit(key))
            chip.remove_wanted.connect(lambda key=entry.id: self.queued_drop_wanted.emit(key))
            self._chip_row.addWidget(chip)
        for file in self._attachments:
            chip = Chip(self._theme, "file-text", file.name, editable=False)
            chip.remove_wanted.connect(lambda gone=file: self._detach(gone))
            self._chip_row.addWidget(chip)
        self._chips.setVisible(self._chip_row.count() > 0)
        self._update_button()

    def _detach(self, file: Attachment) -> None:
        if file in self._attachments:
            self._attachments.remove(file)
        self._rebuild_chips()
        self._show_meter()
        self.draft_changed.emit()

    def _show_focus(self) -> None:
        self.setProperty("active", self.edit.hasFocus())
        repolish(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._drop_meter_when_narrow()

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.edit.setFocus(Qt.FocusReason.MouseFocusReason)
