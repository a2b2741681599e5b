"""Forwarding as it is seen: the sheet, the composer's line, the head's mark, "Ask this of…".

One object beside the Chat page, which only tells it what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QPoint, QRect, QSize, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.chat.text_attachments import Attachment, attached
from lockhouse.core.errors import LockhouseError
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.forwarding import SendIntent
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.target_picker import Destination, TargetPopup
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.jobs import JobHandle
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.outbound import words
from lockhouse.ui.outbound.sent_dialog import SentDialog
from lockhouse.ui.outbound.sheet import OutboundSheet
from lockhouse.ui.outbound.values import SendOptions, Shown
from lockhouse.ui.theme import Theme

_ESTIMATE_PAUSE_MS = 350


class ForwardView(QObject):
    """Shows where messages go, and asks before they go."""

    way_wanted = Signal(str, str)  # WayOn, provider's name
    noticed = Signal(str)

    def __init__(
        self,
        chat: ChatController,
        composer: Composer,
        head: PageHead,
        thread: TranscriptModel,
        theme: Theme,
        over: QWidget,
    ) -> None:
        super().__init__(over)
        self._chat = chat
        self._composer = composer
        self._head = head
        self._thread = thread
        self._theme = theme
        self._over = over
        self._local: tuple[Destination, ...] = ()
        self._default = ""
        self._shown: Shown | None = None
        self._door: tuple[object, ...] = ()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_ESTIMATE_PAUSE_MS)
        self._pause.timeout.connect(self._estimate)
        forwarding = chat.forwarding
        forwarding.listed.connect(lambda _: self.show_choice())
        forwarding.sheet_wanted.connect(self._open_sheet)
        forwarding.estimated.connect(self._show_estimate)
        composer.target_chosen.connect(self._choose)
        composer.way_wanted.connect(self.way_wanted)
        composer.draft_changed.connect(self._pause.start)
        composer.document_wanted.connect(self.ask_about_document)
        head.destination_pressed.connect(lambda: composer.open_picker(head.destination))
        chat.runs.ended.connect(lambda _: self._pause.start())

    # -- where the next message goes --------------------------------------------------------

    def show_targets(self, targets: Sequence[TargetInfo]) -> None:
        """Who can answer on this machine; the first of all is the default."""
        self._default = targets[0].name if targets else ""
        self._local = tuple(
            Destination(info, sees=False) for info in targets if info.kind == "local"
        )
        self._chat.forwarding.here = frozenset(one.info.name for one in self._local)
        self.show_choice()

    def follow_network(self, view: NetworkView) -> None:
        """Another door may be open. What is only counted changes nothing here."""
        door = (view.way, view.hosts)
        if door != self._door:
            self._door = door
            self._chat.forwarding.refresh()

    def show_choice(self) -> None:
        """Another conversation, another target, or other targets to choose from."""
        forwarding = self._chat.forwarding
        forwarding.look_up(self._chat.target)
        chosen = forwarding.full_name(self._chat.target) or self._default
        self._composer.set_destinations((*self._local, *forwarding.destinations), chosen)
        self._thread.offer_selection(offered=bool(forwarding.destinations))
        self._shown = None
        self._say()
        self._pause.start()

    def choose(self, name: str) -> None:
        """That target answers from now on."""
        self._chat.set_target(name)
        self.show_choice()

    def _choose(self, destination: Destination) -> None:
        self._chat.forwarding.take_up(destination)
        self.choose(destination.info.name)

    def _say(self) -> None:
        """In the head and in the composer."""
        found = self._composer.destination
        info = found.info if found else None
        if found is None or info is None or not found.is_remote:
            name = "This machine answers" if info else "Nobody can answer yet"
            self._head.show_destination("On this machine" if info else "No model", "cpu", name)
            self._composer.line.say("")
            return
        host = words.host_name(info.host)
        is_leaving = words.leaves(info)
        mark = "arrow-up-right" if is_leaving else "house"
        line = f"Goes to {host}"
        where = "" if is_leaving else ", this machine's own server"
        sentence = f"The next message goes to {host}{where}"
        shown = f"Would go to {host} · {found.obstacle.word}" if found.obstacle else line
        self._head.show_destination(
            shown,
            mark,
            sentence,
            leaves=is_leaving,
        )
        if found.obstacle is not None:
            self._composer.line.say(found.obstacle.message, icon="lock", way=found.obstacle.way)
            return
        if self._shown is not None and (self._composer.draft.strip() or self._composer.images):
            self._say_estimate(self._shown, mark)
            return
        self._composer.line.say(line, icon=mark)

    def _say_estimate(self, shown: Shown, mark: str) -> None:
        outbound = shown.outbound
        line = words.destination_line(outbound.host, outbound.estimate, outbound.zone)
        ceiling = outbound.estimate.ceiling.amount if outbound.estimate else None
        near = [limit for limit in shown.money.with_ceiling(ceiling) if limit.is_near]
        if near:
            told = words.limit_words(near[0])
            self._composer.line.say(f"{line} · {told}", icon="triangle-alert", way="limits")
        else:
            self._composer.line.say(line, icon=mark)

    def _estimate(self) -> None:
        found, text = self._composer.destination, self._composer.draft
        images = self._composer.images
        if found is None or not found.is_remote or found.obstacle is not None:
            return
        if not text.strip() and not images:
            self._shown = None
            self._say()
            return
        tasks, opened = self._chat.tasks, self._chat.conversation

        def draft(_wish: SendOptions) -> AnswerRequest:
            return tasks.request(opened, text, images)

        self._chat.forwarding.estimate(found.info.name, draft)

    def _show_estimate(self, target: str, shown: Shown | None) -> None:
        """Of whom was chosen when it was asked for; another one is told of by another estimate."""
        found = self._composer.destination
        if found is not None and found.info.name == target:
            self._shown = shown
            self._say()

    # -- the sheet --------------------------------------------------------------------------

    def _open_sheet(self, passage: SendIntent) -> None:
        forwarding = self._chat.forwarding
        found = forwarding.destination(passage.target)
        title = (found.info.provider_title or found.info.name) if found else passage.target
        provider = passage.target.partition("/")[0]
        sheet = OutboundSheet(self._theme, title, passage.subject, self._over.window())
        waiting: list[JobHandle] = []

        def prepare(wish: SendOptions) -> None:
            for handle in waiting:
                handle.cancel()
            waiting[:] = [forwarding.prepare(passage, wish, sheet.show_request, fail)]

        def fail(error: LockhouseError) -> None:
            sheet.show_problem(error.message, error.hint, ())

        sheet.wished.connect(prepare)
        sheet.send_wanted.connect(
            lambda outbound, always: forwarding.send(passage, sheet.wish, outbound, always=always)
        )
        sheet.local_wanted.connect(lambda: forwarding.keep_local(passage, sheet.wish))
        sheet.edit_wanted.connect(self._composer.edit.setFocus)
        sheet.way_wanted.connect(lambda way: self.way_wanted.emit(way, provider))
        sheet.copied.connect(self.noticed)

        def end() -> None:
            for handle in waiting:
                handle.cancel()
            sheet.deleteLater()

        sheet.finished.connect(lambda _: end())
        sheet.show()
        sheet.focus_first()
        prepare(sheet.wish)

    # -- single tasks -----------------------------------------------------------------------

    def ask_about_turn(self, message_id: str) -> None:
        """That question, or the question of that answer, to somebody elsewhere."""
        message = self._thread.message(message_id)
        if message is None:
            return
        before = self._has_before(message)
        self._pick(
            "Ask this of…",
            lambda target: self._chat.tasks.turn(message, target, has_before=before),
        )

    def ask_about_selection(self, text: str) -> None:
        """What is selected in the transcript."""
        if text.strip():
            self._ask_about("selection", Attachment("the selection", text.strip()))

    def ask_about_document(self, document: Attachment) -> None:
        """A file that is attached, or went along with a question."""
        self._ask_about("document", document)

    def ask_about_file(self, message_id: str, number: int) -> None:
        """One of the files of a message."""
        message = self._thread.message(message_id)
        files = attached(message.content)[0] if message else ()
        if number < len(files):
            self.ask_about_document(files[number])

    def ask_for_the_rest(self, message_id: str) -> None:
        """What began elsewhere goes on there, so that its mark stays true."""
        message = self._thread.message(message_id)
        if message is not None:
            self._chat.tasks.rest(message, has_before=self._has_before(message))

    def ask_alone(self, message_id: str) -> None:
        """That question once more to who was asked, by itself unless more is wanted."""
        message = self._thread.message(message_id)
        if message is not None and message.target is not None:
            before = self._has_before(message)
            self._chat.tasks.turn(message, message.target.name, has_before=before)

    def show_sent(self, message_id: str) -> None:
        """What left for that answer."""

        def show(requests: tuple[SentRequest, ...]) -> None:
            dialog = SentDialog(self._theme, requests, self._over.window())
            dialog.finished.connect(dialog.deleteLater)
            dialog.show()

        self._chat.forwarding.show_sent(message_id, show)

    def _ask_about(self, kind: str, material: Attachment) -> None:
        before = bool(self._thread.messages)
        self._pick(
            f"Ask about {material.name}",
            lambda target: self._chat.tasks.text(
                "document" if kind == "document" else "selection",
                material,
                target,
                has_before=before,
            ),
        )

    def _has_before(self, message: Message) -> bool:
        messages = self._thread.messages
        question = message.id if message.role == "user" else message.parent_id
        return bool(self._chat.system.strip()) or bool(messages and messages[0].id != question)

    def _pick(self, title: str, take: Callable[[str], None]) -> None:
        """Choose who is asked, the last one first."""
        if not self._chat.answers.is_free():
            return
        forwarding = self._chat.forwarding
        popup = TargetPopup(
            self._theme,
            forwarding.destinations,
            self._over,
            title=title,
            remote_only=True,
            recent=forwarding.recent,
        )

        def chosen(destination: Destination) -> None:
            forwarding.take_up(destination)
            if destination.obstacle is None:
                take(destination.info.name)

        popup.chosen.connect(chosen)
        popup.way_wanted.connect(self.way_wanted)
        popup.open_at(_anchor(self._over))


def _anchor(over: QWidget) -> QRect:
    """What was pressed: by the keyboard the widget in focus, else where the pointer is."""
    focus = QApplication.focusWidget()
    pointer = QCursor.pos()
    if focus is not None and bool(focus.property("ring")):
        return QRect(focus.mapToGlobal(QPoint(0, 0)), focus.size())
    window = QRect(over.mapToGlobal(QPoint(0, 0)), over.size())
    at = pointer if window.contains(pointer) else window.center()
    return QRect(at, QSize(1, 1))
