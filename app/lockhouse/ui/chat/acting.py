"""What a reader does with one message, and who carries it out: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.forward_view import ForwardView
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.outbound.words import host_name
from lockhouse.ui.transcript.values import TranscriptAction

Handler = Callable[[TranscriptAction], None]


class Acting:
    """Acts on :class:`TranscriptAction`; what only the page can do, the page gives."""

    def __init__(
        self,
        chat: ChatController,
        forward: ForwardView,
        thread: TranscriptModel,
        *,
        say: Callable[[str], None],
        show_details: Callable[[str], None],
        choose_target: Callable[[], None],
    ) -> None:
        self._chat = chat
        self._thread = thread
        self._forward = forward
        self._say = say
        self._handlers: Mapping[str, Handler] = {
            "regenerate": self._again,
            "retry_safer": lambda action: chat.answers.retry_safer(action.message_id),
            "continue": lambda action: forward.ask_for_the_rest(action.message_id),
            "previous_version": lambda action: chat.versions.select(action.message_id, -1),
            "next_version": lambda action: chat.versions.select(action.message_id, +1),
            "branch": lambda action: chat.versions.branch(action.message_id),
            "answer_now": lambda _: chat.answers.answer_now(),
            "details": lambda action: show_details(action.message_id),
            "copy": self._tell_copied,
            "edit": self._edit,
            "forward": lambda action: forward.ask_about_turn(action.message_id),
            "forward_selection": lambda action: forward.ask_about_selection(action.text),
            "forward_file": self._ask_about_file,
            "ask_local": lambda action: chat.tasks.on_this_machine(action.message_id),
            "ask_alone": lambda action: forward.ask_alone(action.message_id),
            "choose_target": lambda _: choose_target(),
            "show_sent": lambda action: forward.show_sent(action.message_id),
            "key": self._show_way,
            "network": self._show_way,
            "limits": self._show_way,
            "providers": self._show_way,
        }

    def act(self, action: TranscriptAction) -> None:
        """Carry it out."""
        handler = self._handlers.get(action.kind)
        if handler is not None:
            handler(action)

    def _is_from_elsewhere(self, message_id: str) -> bool:
        """Whether somebody gave it to whom the conversation does not go."""
        message = self._thread.message(message_id)
        info = message.target if message else None
        if info is None or info.kind == "local":
            return False
        return info.name != self._chat.forwarding.full_name(self._chat.target)

    def _again(self, action: TranscriptAction) -> None:
        """Of a single task that failed elsewhere: there again, and looked at again."""
        message = self._thread.message(action.message_id)
        has_failed = message is not None and message.status == "failed"
        if has_failed and self._is_from_elsewhere(action.message_id):
            self._forward.ask_alone(action.message_id)
        else:
            self._chat.answers.regenerate(action.message_id)

    def _edit(self, action: TranscriptAction) -> None:
        message = self._thread.message(action.message_id)
        if message is not None:
            self._chat.versions.edit(message, action.text, send=action.send)

    def _ask_about_file(self, action: TranscriptAction) -> None:
        self._forward.ask_about_file(action.message_id, int(action.text))

    def _show_way(self, action: TranscriptAction) -> None:
        message = self._thread.message(action.message_id)
        provider = message.target.provider if message and message.target else ""
        self._forward.way_wanted.emit(action.kind, provider or "")

    def _tell_copied(self, action: TranscriptAction) -> None:
        """Where an answer came from is said when it is taken elsewhere."""
        message = self._thread.message(action.message_id)
        info = message.target if message else None
        if info is None or info.kind == "local":
            self._say("Copied")
        else:
            self._say(f"Copied. This answer came from {host_name(info.host)}")
