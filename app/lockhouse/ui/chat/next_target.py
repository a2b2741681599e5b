"""Shows who gets the next message: in the head, in the model button and below the message box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.answer.request import Question
from lockhouse.answer.target import TargetInfo
from lockhouse.core.labels import may_go
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.chat.target_picker import Destination
from lockhouse.ui.chat.targets import Targets
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.outbound import words
from lockhouse.ui.outbound.values import Obstacle, Shown
from lockhouse.ui.timers import once

_ESTIMATE_DELAY_MS = 350


class NextTarget(QObject):
    """Follows the open chat, what is typed, and the targets there are."""

    way_wanted = Signal(str, str)  # WayOn, provider's name
    changed = Signal()  # another target may answer now
    thinks = Signal(bool)  # whether there is a switch for thinking

    def __init__(
        self,
        chat: OpenChat,
        targets: Targets,
        composer: Composer,
        head: PageHead,
        messages: TranscriptModel,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._chat = chat
        self._targets = targets
        self._composer = composer
        self._head = head
        self._messages = messages
        self._default = ""
        self._estimated: Shown | None = None
        self._network: tuple[object, ...] = ()
        self._delay = once(self, _ESTIMATE_DELAY_MS, self._estimate)
        targets.listed.connect(self.show_choice)
        targets.estimated.connect(self._show_estimate)
        composer.target_chosen.connect(self._choose)
        composer.thinking_chosen.connect(self._choose_thinking)
        composer.way_wanted.connect(self.way_wanted)
        composer.draft_changed.connect(self._delay.start)
        head.destination_pressed.connect(lambda: composer.open_picker(head.destination))

    def show_targets(self, targets: Sequence[TargetInfo]) -> None:
        """The models on this machine; the first of all targets is the default."""
        self._default = targets[0].name if targets else ""
        self._targets.local = tuple(
            Destination(info, sees=False) for info in targets if info.kind == "local"
        )
        self.show_choice()

    def follow_network(self, view: NetworkView) -> None:
        """Network access may have changed; counters of traffic change nothing here."""
        access = (view.way, view.hosts)
        if access != self._network:
            self._network = access
            self._targets.refresh()

    def show_choice(self) -> None:
        """Another chat, another target, or other targets to choose from."""
        targets = self._targets
        targets.look_up(self._chat.target)
        chosen = targets.full_name(self._chat.target) or self._default
        offered = tuple(self._allowed(one) for one in (*targets.local, *targets.remote))
        self._composer.set_destinations(offered, chosen)
        self._composer.set_thinking(str(self._chat.parameters.get("thinking", "")))
        destination = self._composer.destination
        self.thinks.emit(bool(destination and destination.info.thinking))
        self._messages.offer_selection(offered=bool(targets.remote))
        self._estimated = None
        self._show()
        self._delay.start()
        self.changed.emit()

    def choose(self, name: str) -> None:
        """That target answers from now on."""
        self._chat.set_target(name)
        self.show_choice()

    def update_estimate(self) -> None:
        """The conversation became longer."""
        self._delay.start()

    def _choose(self, destination: Destination) -> None:
        self._targets.add_suggested(destination)
        self.choose(destination.info.name)

    def _choose_thinking(self, choice: str) -> None:
        kept = {key: one for key, one in self._chat.parameters.items() if key != "thinking"}
        self._chat.set_parameters({**kept, "thinking": choice} if choice else kept)

    def _allowed(self, destination: Destination) -> Destination:
        """With the label of the chat as an obstacle, where it forbids this target."""
        label, info = self._chat.label, destination.info
        if info.kind == "local" or may_go(label, info.zone):
            return destination
        host = words.host_name(info.host)
        words_of_label = f"This chat is {label}: nothing of it may be sent to {host}."
        hint = "Choose a model on this machine, or change the label of the chat."
        obstacle = Obstacle("label", f"Not for {label} chats", words_of_label, hint)
        return replace(destination, obstacle=obstacle)

    def _show(self) -> None:
        found = self._composer.destination
        info = found.info if found else None
        if found is None or info is None or not found.is_remote:
            sentence = "A model on this machine answers" if info else "No model is available"
            self._head.show_destination("On this machine" if info else "No model", "cpu", sentence)
            self._composer.line.say("")
            return
        host = words.host_name(info.host)
        is_leaving = words.leaves(info)
        mark = "arrow-up-right" if is_leaving else "house"
        line = f"Goes to {host}"
        where = "" if is_leaving else ", a server on this machine"
        sentence = f"The next message goes to {host}{where}"
        obstacle = found.obstacle.word if found.obstacle else ""
        self._head.show_destination(line, mark, sentence, leaves=is_leaving, obstacle=obstacle)
        if found.obstacle is not None:
            self._composer.line.say(found.obstacle.message, icon="lock", way=found.obstacle.way)
        elif self._estimated and (self._composer.draft.strip() or self._composer.images):
            self._show_cost(self._estimated, mark)
        else:
            self._composer.line.say(line, icon=mark)

    def _show_cost(self, estimated: Shown, mark: str) -> None:
        """What the message would cost, and a limit that it comes close to."""
        outbound = estimated.outbound
        line = words.destination_line(outbound.host, outbound.estimate, outbound.zone)
        ceiling = outbound.estimate.ceiling.amount if outbound.estimate else None
        near = [limit for limit in estimated.money.with_ceiling(ceiling) if limit.is_near]
        if near:
            told = f"{line} · {words.limit_words(near[0])}"
            self._composer.line.say(told, icon="triangle-alert", way="limits")
        else:
            self._composer.line.say(line, icon=mark)

    def _estimate(self) -> None:
        found, text = self._composer.destination, self._composer.draft
        images = self._composer.images
        if found is None or not found.is_remote or found.obstacle is not None:
            return
        if not text.strip() and not images:
            self._estimated = None
            self._show()
            return
        where = self._chat.conversation_id or self._chat.setup
        self._targets.estimate(where, Question(text, images), found.info.name)

    def _show_estimate(self, target: str, shown: Shown | None) -> None:
        """Of the target that was chosen when it was asked for; another one has its own."""
        found = self._composer.destination
        if found is not None and found.info.name == target:
            self._estimated = shown
            self._show()
