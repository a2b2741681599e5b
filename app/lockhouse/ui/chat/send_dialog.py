"""Confirms what is sent from a chat: one dialog at a time, and only over the chat it belongs to."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from lockhouse.answer.permission import AnswerHere, Proposal, Send
from lockhouse.core.errors import LockhouseError
from lockhouse.ui.chat.asking import Asking, Confirmation
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.values import AnswerEnded
from lockhouse.ui.jobs import JobHandle, Jobs
from lockhouse.ui.outbound.sheet import OutboundSheet
from lockhouse.ui.outbound.values import SendOptions, Shown
from lockhouse.ui.theme import Theme


class SendDialogs(QObject):
    """Shows a dialog for each :class:`Confirmation`.

    One of a chat that is not open waits until that chat is opened again. One of a new chat that
    was left is declined: its text still stands in the message box.
    """

    edit_wanted = Signal()
    way_wanted = Signal(str, str)  # WayOn, provider's name
    leaving = Signal(object)  # before that: what to do when the chat is shown again
    noticed = Signal(str)

    def __init__(
        self,
        chat: OpenChat,
        asking: Asking,
        targets: Targets,
        jobs: Jobs,
        theme: Theme,
        over: QWidget,
    ) -> None:
        super().__init__(over)
        self._chat = chat
        self._asking = asking
        self._targets = targets
        self._jobs = jobs
        self._theme = theme
        self._over = over
        self._held: dict[str, Confirmation] = {}  # by key of the chat
        self._sheets: dict[str, OutboundSheet] = {}
        asking.confirmation_wanted.connect(self._take)
        asking.runs.ended.connect(self._drop)

    def _take(self, confirmation: Confirmation) -> None:
        if confirmation.chat == self._chat.key:
            self._open(confirmation)
        elif self._chat.id_of(confirmation.chat):
            self._held[confirmation.chat] = confirmation
        else:
            self._asking.decline(confirmation)

    def show_held(self) -> None:
        """The chat was opened: what had to wait for that is shown now."""
        held = self._held.pop(self._chat.key, None)
        if held is not None:
            self._open(held)

    def _drop(self, ended: AnswerEnded) -> None:
        """It was withdrawn: nothing is left to confirm."""
        self._held.pop(ended.conversation_id, None)
        if sheet := self._sheets.pop(ended.conversation_id, None):
            sheet.reject()

    def _open(self, confirmation: Confirmation) -> None:
        proposal, asked = confirmation.proposal, confirmation.asked
        info = proposal.info
        title = info.provider_title or info.name
        sheet = OutboundSheet(self._theme, title, asked.subject, self._over.window())
        self._sheets[confirmation.chat] = sheet
        current = [proposal]  # the one that is shown
        jobs: list[JobHandle] = []

        def prepare(options: SendOptions) -> None:
            for handle in jobs:
                handle.cancel()

            def work() -> tuple[Proposal, Shown]:
                question = asked.revised(options)
                made = proposal if question == proposal.question else proposal.revised(question)
                return made, self._targets.shown(made)

            jobs[:] = [self._jobs.run(work, show, fail)]

        def show(made: tuple[Proposal, Shown]) -> None:
            current[:] = [made[0]]
            sheet.show_request(made[1])

        def fail(error: LockhouseError) -> None:
            sheet.show_problem(error.message, error.hint)

        def end(result: int) -> None:
            for handle in jobs:
                handle.cancel()
            self._sheets.pop(confirmation.chat, None)
            if result == QDialog.DialogCode.Rejected:  # otherwise the reply follows
                self._asking.decline(confirmation)
            sheet.deleteLater()

        sheet.wished.connect(prepare)
        sheet.send_wanted.connect(
            lambda _, always: confirmation.reply(Send(current[0], always=always))
        )
        here = self._chat.target
        sheet.local_wanted.connect(lambda: confirmation.reply(AnswerHere(current[0], here)))
        sheet.edit_wanted.connect(self.edit_wanted)
        retry = partial(self._asking.retry, asked)
        sheet.way_wanted.connect(lambda _: self.leaving.emit(retry))
        sheet.way_wanted.connect(lambda way: self.way_wanted.emit(way, info.provider or ""))
        sheet.copied.connect(self.noticed)
        sheet.finished.connect(end)
        sheet.show()
        sheet.focus_first()
        prepare(sheet.wish)
