"""The way from the chat to a target: straight on, or only after the person has looked.

What goes to a model of this machine passes at once. What goes elsewhere passes where that was
allowed for good; otherwise, and always for a single task, a sheet shows the exact request first,
and what is sent then is that very buffer. No widgets in here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from lockhouse.answer.target import Target
from lockhouse.core.errors import LockhouseError
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui.chat.elsewhere import RemoteAccess
from lockhouse.ui.chat.target_picker import Destination
from lockhouse.ui.jobs import Failure, JobHandle, Jobs, ignore
from lockhouse.ui.outbound.values import SendOptions, Shown, Subject

Answerer = Callable[[], "Chosen"]  # called on the thread of the answer
Draft = Callable[[SendOptions], AnswerRequest]  # called on a job's thread


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who answers; ``approved`` is the buffer that a person saw and wants sent."""

    target: str | Target
    approved: Outbound | None = None


@dataclass(frozen=True, slots=True)
class SendIntent:
    """Something that wants to go to a target. ``must_ask``: the sheet comes in any case.

    ``go`` starts the answer, by whoever answers; ``local`` is who answers on this machine, None
    where only the target itself can. ``is_seen``: whether its chat is looked at; of one that is
    not, nothing is asked and nothing is sent.
    """

    target: str
    subject: Subject
    draft: Draft
    go: Callable[[Answerer, SendOptions], None]
    local: Answerer | None
    must_ask: bool = False
    is_seen: Callable[[], bool] = lambda: True


class Forwarding(QObject):
    """Knows who is elsewhere; lets nothing pass that the person has not seen or allowed."""

    listed = Signal(object)  # tuple[Destination, ...]
    sheet_wanted = Signal(object)  # Passage
    estimated = Signal(str, object)  # target, and Shown or None where nothing can be told
    failed = Signal(object)  # LockhouseError

    def __init__(self, elsewhere: RemoteAccess, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._elsewhere = elsewhere
        self._jobs = jobs
        self._passing = False
        self._reading = self._stale = False
        self._estimate: JobHandle | None = None
        self._full_names: dict[str, str] = {}  # of targets that were named otherwise
        self.here: frozenset[str] = frozenset()  # names of the models of this machine
        self.destinations: tuple[Destination, ...] = ()
        self.recent: tuple[str, ...] = ()  # names of targets, last used first

    # -- who there is -----------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again: keys, doors, providers or chosen models may be others."""

        if self._reading:  # a keyring may keep one waiting: one look at a time
            self._stale = True
            return
        self._reading, self._stale = True, False

        def work() -> tuple[tuple[Destination, ...], tuple[str, ...]]:
            return self._elsewhere.destinations(), self._elsewhere.recent()

        def take(found: tuple[tuple[Destination, ...], tuple[str, ...]]) -> None:
            end()
            if found != (self.destinations, self.recent):
                self.destinations, self.recent = found
                self._full_names.clear()
                self.listed.emit(self.destinations)

        def end(_error: LockhouseError | None = None) -> None:
            self._reading = False
            if self._stale:
                self.refresh()

        self._jobs.run(work, take, end)

    def destination(self, target: str) -> Destination | None:
        """The target elsewhere of that name."""
        name = self.full_name(target)
        return next((one for one in self.destinations if one.info.name == name), None)

    def full_name(self, target: str) -> str:
        """The name in the lists, of a target that a command may have named in short."""
        return self._full_names.get(target, target)

    def look_up(self, target: str) -> None:
        """Find out its full name where the lists have it not; ``listed`` tells when it came."""
        is_listed = any(one.info.name == target for one in self.destinations)
        if not target or is_listed or target in self.here or target in self._full_names:
            return
        self._full_names[target] = target

        def take(name: str) -> None:
            if name != target:
                self._full_names[target] = name
                self.listed.emit(self.destinations)

        self._jobs.run(lambda: self._elsewhere.full_name(target), take, ignore)

    def is_elsewhere(self, target: str) -> bool:
        """Whether a name means a target elsewhere, as far as is known."""
        head, slash, _ = self.full_name(target).partition("/")
        return bool(slash) and any(one.info.provider == head for one in self.destinations)

    def take_up(self, destination: Destination) -> None:
        """A suggested model was taken: it stands among the targets from now on."""
        if destination.is_suggested:
            self._jobs.run_in_order(
                lambda: self._elsewhere.take_up(destination.info),
                lambda _: self.refresh(),
                self.failed.emit,
            )

    # -- passing ----------------------------------------------------------------------------

    def pass_on(self, passage: SendIntent) -> None:
        """Let it go, or show it first. What waits for an answer to that is not asked twice."""
        name = passage.target
        if not name:  # the default itself, and never whom the conversation goes to by then
            passage.go(lambda: Chosen(self._elsewhere.default()), SendOptions())
            return
        if name in self.here:
            passage.go(lambda: Chosen(name), SendOptions())
            return
        if self._passing:
            return
        if passage.must_ask:
            self.sheet_wanted.emit(passage)
            return
        self._passing = True

        def take(found: tuple[str, bool]) -> None:
            self._passing = False
            full_name, is_allowed = found
            if is_allowed:
                passage.go(lambda: Chosen(full_name), SendOptions())
            elif passage.is_seen():
                self.sheet_wanted.emit(replace(passage, target=full_name))

        def fail(error: LockhouseError) -> None:
            self._passing = False
            self.failed.emit(error)

        # Not what is known here decides, but what is so: lists may be older, names shorter.
        self._jobs.run_in_order(lambda: self._elsewhere.may_pass(name), take, fail)

    def prepare(
        self, passage: SendIntent, wish: SendOptions, done: Callable[[Shown], None], failed: Failure
    ) -> JobHandle:
        """Make the exact request. Nothing is sent."""

        def work() -> Shown:
            shown = self._elsewhere.shown(passage.target, passage.draft(wish))
            return shown if passage.local else replace(shown, local_title="")

        return self._jobs.run(work, done, failed)

    def send(
        self, passage: SendIntent, wish: SendOptions, outbound: Outbound, *, always: bool
    ) -> None:
        """The person has seen this buffer and wants it sent."""

        def allowed(_: object) -> None:
            name = f"{outbound.provider}/{outbound.model}"
            passage.go(lambda: Chosen(name, outbound), wish)

        if always:
            self._jobs.run_in_order(
                lambda: self._elsewhere.allow(outbound), allowed, self.failed.emit
            )
        else:
            allowed(None)

    def keep_local(self, passage: SendIntent, wish: SendOptions) -> None:
        """The same, answered on this machine."""
        if passage.local is not None:
            passage.go(passage.local, wish)

    # -- telling ----------------------------------------------------------------------------

    def estimate(self, target: str, draft: Draft) -> None:
        """What sending this would cost; only the latest question is answered."""
        if self._estimate is not None:
            self._estimate.cancel()
        self._estimate = self._jobs.run(
            lambda: self._elsewhere.estimated(target, draft(SendOptions())),
            lambda shown: self.estimated.emit(target, shown),
            lambda _: self.estimated.emit(target, None),
        )

    def show_sent(self, message_id: str, take: Callable[[tuple[SentRequest, ...]], None]) -> None:
        """What was sent for an answer."""
        self._jobs.run(lambda: self._elsewhere.sent_for(message_id), take, self.failed.emit)
