"""The way from the chat to a target: straight on, or only after the person has looked.

What goes to a model of this machine passes at once. What goes elsewhere passes where that was
allowed for good; otherwise, and always for a single task, a sheet shows the exact request first,
and what is sent then is that very buffer. No widgets in here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from lockhouse.answer.targets import Target
from lockhouse.core.answering import AnswerRequest
from lockhouse.core.errors import LockhouseError
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.sent import SentRequest
from lockhouse.ui.chat.destinations import Destination
from lockhouse.ui.chat.elsewhere import Elsewhere
from lockhouse.ui.jobs import Failure, JobHandle, Jobs, ignore
from lockhouse.ui.outbound.values import Shown, Subject, Wish

Answerer = Callable[[], str | Target]  # called on the thread of the answer
Draft = Callable[[Wish], AnswerRequest]  # called on a job's thread


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that wants to go to a target. ``must_ask``: the sheet comes in any case.

    ``go`` starts the answer, by whoever answers; ``local`` is who answers on this machine, None
    where only the target itself can.
    """

    target: str
    subject: Subject
    draft: Draft
    go: Callable[[Answerer, Wish], None]
    local: Answerer | None
    must_ask: bool = False


class Forwarding(QObject):
    """Knows who is elsewhere; lets nothing pass that the person has not seen or allowed."""

    listed = Signal(object)  # tuple[Destination, ...]
    sheet_wanted = Signal(object)  # Passage
    estimated = Signal(object)  # Shown, or None where nothing can be told
    failed = Signal(object)  # LockhouseError

    def __init__(self, elsewhere: Elsewhere, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._elsewhere = elsewhere
        self._jobs = jobs
        self._passing = False
        self._estimate: JobHandle | None = None
        self.destinations: tuple[Destination, ...] = ()
        self.recent: tuple[str, ...] = ()  # names of targets, last used first

    # -- who there is -----------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again: keys, doors, providers or chosen models may be others."""

        def work() -> tuple[tuple[Destination, ...], tuple[str, ...]]:
            return self._elsewhere.destinations(), self._elsewhere.recent()

        def take(found: tuple[tuple[Destination, ...], tuple[str, ...]]) -> None:
            if found != (self.destinations, self.recent):
                self.destinations, self.recent = found
                self.listed.emit(self.destinations)

        self._jobs.run(work, take, ignore)

    def destination(self, target: str) -> Destination | None:
        """The target elsewhere of that name."""
        return next((one for one in self.destinations if one.info.name == target), None)

    def is_elsewhere(self, target: str) -> bool:
        """Whether a name means a target elsewhere, as far as is known."""
        head, slash, _ = target.partition("/")
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

    def pass_on(self, passage: Passage) -> None:
        """Let it go, or show it first. What waits for an answer to that is not asked twice."""
        name = passage.target
        if not self.is_elsewhere(name):
            passage.go(lambda: name, Wish())
            return
        if self._passing:
            return
        if passage.must_ask:
            self.sheet_wanted.emit(passage)
            return
        self._passing = True

        def take(allowed: bool) -> None:  # noqa: FBT001 - the outcome of the job
            self._passing = False
            if allowed:
                passage.go(lambda: name, Wish())
            else:
                self.sheet_wanted.emit(passage)

        def fail(error: LockhouseError) -> None:
            self._passing = False
            self.failed.emit(error)

        self._jobs.run_in_order(lambda: self._elsewhere.may_send(name), take, fail)

    def prepare(
        self, passage: Passage, wish: Wish, done: Callable[[Shown], None], failed: Failure
    ) -> JobHandle:
        """Make the exact request. Nothing is sent."""

        def work() -> Shown:
            shown = self._elsewhere.shown(passage.target, passage.draft(wish))
            return shown if passage.local else replace(shown, local_title="")

        return self._jobs.run(work, done, failed)

    def send(self, passage: Passage, wish: Wish, outbound: Outbound, *, always: bool) -> None:
        """The person has seen this buffer and wants it sent."""

        def allowed(_: object) -> None:
            passage.go(lambda: self._elsewhere.sending(outbound), wish)

        if always:
            self._jobs.run_in_order(
                lambda: self._elsewhere.allow(outbound), allowed, self.failed.emit
            )
        else:
            allowed(None)

    def keep_local(self, passage: Passage, wish: Wish) -> None:
        """The same, answered on this machine."""
        if passage.local is not None:
            passage.go(passage.local, wish)

    # -- telling ----------------------------------------------------------------------------

    def estimate(self, target: str, draft: Draft) -> None:
        """What sending this would cost; only the latest question is answered."""
        if self._estimate is not None:
            self._estimate.cancel()
        self._estimate = self._jobs.run(
            lambda: self._elsewhere.estimated(target, draft(Wish())),
            self.estimated.emit,
            lambda _: self.estimated.emit(None),
        )

    def show_sent(self, message_id: str, take: Callable[[tuple[SentRequest, ...]], None]) -> None:
        """What was sent for an answer."""
        self._jobs.run(lambda: self._elsewhere.sent_for(message_id), take, self.failed.emit)
