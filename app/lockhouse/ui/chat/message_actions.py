"""What a reader does with one message of the transcript, and who carries it out: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, QPoint, QRect, QSize, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from lockhouse.chat.conversations import Message
from lockhouse.chat.text_attachments import Attachment
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui.chat.asking import Asking
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.target_picker import Destination, TargetPopup
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.transcript_model import TranscriptModel, files_of
from lockhouse.ui.outbound.request_box import SentDialog
from lockhouse.ui.outbound.words import host_name
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.values import TranscriptAction

Handler = Callable[[TranscriptAction], None]


class MessageActions(QObject):
    """Acts on :class:`TranscriptAction`; what only the page can do, it announces."""

    details_wanted = Signal(str)  # id of a message
    target_wanted = Signal()  # another model is to be chosen for the chat
    way_wanted = Signal(str, str)  # WayOn, provider's name
    leaving = Signal(object)  # before that: what to do when the chat is shown again
    noticed = Signal(str)

    def __init__(
        self,
        chat: OpenChat,
        asking: Asking,
        targets: Targets,
        messages: TranscriptModel,
        theme: Theme,
        over: QWidget,
    ) -> None:
        super().__init__(over)
        self._chat = chat
        self._asking = asking
        self._targets = targets
        self._messages = messages
        self._theme = theme
        self._over = over
        self._handlers: Mapping[str, Handler] = {
            "regenerate": self._again,
            "retry_safer": lambda action: asking.again(action.message_id, safer=True),
            "continue": self._resume,
            "previous_version": lambda action: asking.select_version(action.message_id, -1),
            "next_version": lambda action: asking.select_version(action.message_id, +1),
            "branch": lambda action: chat.branch(action.message_id),
            "answer_now": lambda _: asking.answer_now(),
            "details": lambda action: self.details_wanted.emit(action.message_id),
            "copy": self._tell_copied,
            "edit": self._edit,
            "forward": lambda action: self.ask_about_message(action.message_id),
            "forward_selection": lambda action: self.ask_about_selection(action.text),
            "forward_file": self._ask_about_file,
            "ask_local": lambda action: asking.again(action.message_id, here=True),
            "ask_alone": lambda action: self._ask_alone(action.message_id),
            "choose_target": lambda _: self.target_wanted.emit(),
            "show_sent": lambda action: self.show_sent(action.message_id),
            "key": self._follow_way,
            "network": self._follow_way,
            "limits": self._follow_way,
            "providers": self._follow_way,
        }

    def act(self, action: TranscriptAction) -> None:
        """Carry it out."""
        handler = self._handlers.get(action.kind)
        if handler is not None:
            handler(action)

    def ask_about_message(self, message_id: str) -> None:
        """Ask another model that question, or the question of that answer."""
        if message := self._messages.message(message_id):
            before = self._has_before(message)
            self._pick(
                "Ask another model",
                lambda target: self._asking.ask_turn(message, target, has_before=before),
            )

    def ask_about_selection(self, text: str) -> None:
        """Ask another model about the text that is selected in the transcript."""
        if text.strip():
            self._ask_about(Attachment("the selection", text.strip()), is_document=False)

    def ask_about_document(self, document: Attachment) -> None:
        """Ask another model about a file that is attached, or was sent with a question."""
        self._ask_about(document, is_document=True)

    def show_sent(self, message_id: str) -> None:
        """What was sent for that answer."""

        def show(requests: tuple[SentRequest, ...]) -> None:
            SentDialog(self._theme, requests, self._over.window()).show_once()

        self._targets.read_sent(message_id, show)

    # -- inside -----------------------------------------------------------------------------

    def _again(self, action: TranscriptAction) -> None:
        """A single task of another model that failed is asked there again, and confirmed again."""
        message = self._messages.message(action.message_id)
        info = message.target if message else None
        is_other = (
            info is not None
            and info.kind != "local"
            and info.name != self._targets.full_name(self._chat.target)
        )
        if message is not None and message.status == "failed" and is_other:
            self._ask_alone(message.id)
        else:
            self._asking.again(action.message_id)

    def _ask_alone(self, message_id: str) -> None:
        message = self._messages.message(message_id)
        if message is not None and message.target is not None:
            before = self._has_before(message)
            self._asking.ask_turn(message, message.target.name, has_before=before)

    def _resume(self, action: TranscriptAction) -> None:
        if message := self._messages.message(action.message_id):
            self._asking.resume(message, has_before=self._has_before(message))

    def _edit(self, action: TranscriptAction) -> None:
        if message := self._messages.message(action.message_id):
            self._asking.edit(message, action.text, send=action.send)

    def _ask_about_file(self, action: TranscriptAction) -> None:
        message = self._messages.message(action.message_id)
        files = files_of(message) if message else ()
        if int(action.text) < len(files):
            self.ask_about_document(files[int(action.text)])

    def _follow_way(self, action: TranscriptAction) -> None:
        message = self._messages.message(action.message_id)
        provider = message.target.provider if message and message.target else ""
        self.way_wanted.emit(action.kind, provider or "")

    def _tell_copied(self, action: TranscriptAction) -> None:
        """An answer that is copied keeps its source in view."""
        message = self._messages.message(action.message_id)
        info = message.target if message else None
        if info is None or info.kind == "local":
            self.noticed.emit("Copied")
        elif message is not None and message.is_imported:
            self.noticed.emit("Copied. This answer was imported")
        else:
            self.noticed.emit(f"Copied. This answer came from {host_name(info.host)}")

    def _ask_about(self, material: Attachment, *, is_document: bool) -> None:
        before = bool(self._messages.messages)
        self._pick(
            f"Ask another model about {material.name}",
            lambda target: self._asking.ask_about(
                "document" if is_document else "selection", material, target, has_before=before
            ),
        )

    def _has_before(self, message: Message) -> bool:
        """Whether there is a conversation before it that could be sent too."""
        messages = self._messages.messages
        question = message.id if message.role == "user" else message.parent_id
        return bool(self._chat.system.strip()) or bool(messages and messages[0].id != question)

    def _pick(self, title: str, ask: Callable[[str], None]) -> None:
        """Choose the model to ask; the last one used comes first."""
        if not self._asking.is_free():
            return
        targets = self._targets
        popup = TargetPopup(
            self._theme,
            lambda: targets.remote,
            self._over,
            title=title,
            remote_only=True,
            recent=targets.recent,
        )

        def chosen(destination: Destination) -> None:
            targets.add_suggested(destination)
            if destination.obstacle is None:
                ask(destination.info.name)

        popup.chosen.connect(chosen)
        popup.way_wanted.connect(lambda *_: self.leaving.emit(lambda: self._pick(title, ask)))
        popup.way_wanted.connect(self.way_wanted)
        targets.listed.connect(popup.refill)
        popup.open_at(_anchor(self._over))


def _anchor(over: QWidget) -> QRect:
    """What was pressed: with the keyboard the widget in focus, else where the pointer is."""
    focus = QApplication.focusWidget()
    pointer = QCursor.pos()
    if focus is not None and bool(focus.property("ring")):
        return QRect(focus.mapToGlobal(QPoint(0, 0)), focus.size())
    window = QRect(over.mapToGlobal(QPoint(0, 0)), over.size())
    at = pointer if window.contains(pointer) else window.center()
    return QRect(at, QSize(1, 1))
