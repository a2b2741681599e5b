"""One question to one or several targets: permission, answers, fallback, all cancelled as one.

Every question that anything in this program answers goes this way: a conversation, a command
that keeps nothing, a comparison. Hides in which order permission is asked, that what was shown
is what is sent, and the threads when several targets answer at once.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lockhouse.answer.form_check import with_form_checked
from lockhouse.answer.permission import (
    AnswerHere,
    AskFirst,
    Confirm,
    Draft,
    Permissions,
    Proposal,
    Refused,
    refuse_unconfirmed,
)
from lockhouse.answer.request import Question
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, PolicyRefused
from lockhouse.core.events import Event, Failed, Notice, said_something
from lockhouse.engine.answer_forms import AnswerForms

if TYPE_CHECKING:
    from lockhouse.answer.registry import TargetRegistry

# A target that ended so without a word may be replaced by the next one of its session.
_REPLACEABLE = (4, 5, 6)  # exit codes: network, no room, engine crashed


class AnsweredBy(msgspec.Struct, frozen=True, tag="answered_by"):
    """Another target than before answers from here on."""

    target: TargetInfo


SessionEvent = AnsweredBy | Event


@dataclass(frozen=True, slots=True)
class NotAsked:
    """A target of a session that is not asked, and why. The others go on."""

    name: str
    error: LockhouseError


class Session:
    """One question that is permitted. Made by :meth:`Answers.open`."""

    def __init__(
        self,
        proposals: Sequence[Proposal | NotAsked],
        fallback: Sequence[Proposal],
        cancel: CancelToken,
        forms: AnswerForms,
    ) -> None:
        self._forms = forms
        self.proposals = tuple(proposals)
        self.cancel = cancel
        self._fallback = tuple(fallback)

    @property
    def question(self) -> Question:
        """As it was permitted: a person may have changed it while being asked."""
        return self.first.question

    @property
    def first(self) -> Proposal:
        """The first target that is asked. There always is one."""
        return next(one for one in self.proposals if isinstance(one, Proposal))

    def answer(self, *, message_id: str = "") -> Generator[SessionEvent, None, None]:
        """The answer of the first target, one Finished or Failed at the end.

        ``message_id`` is where it is kept. A target that fails without a word is followed by
        the next of the fallback targets, if there are any.
        """
        waiting = list(self._fallback)
        proposal = self.first
        while True:
            failed = yield from self._from(proposal, message_id, is_last=not waiting)
            if failed is None or self.cancel.cancelled:
                return
            before, proposal = proposal, waiting.pop(0)
            yield Notice(
                "target_changed",
                f"{before.info.title or before.info.name} failed ({failed.message.rstrip('.')}); "
                f"{proposal.info.title or proposal.info.name} answers instead.",
            )
            yield AnsweredBy(proposal.info)

    def answers(self, message_ids: Sequence[str] = ()) -> Iterator[tuple[int, SessionEvent]]:
        """The answers of all targets at once, each event with the place of its target.

        Leaving the iterator cancels them all.
        """
        asked = [(n, one) for n, one in enumerate(self.proposals) if isinstance(one, Proposal)]
        events: queue.SimpleQueue[tuple[int, SessionEvent | None]] = queue.SimpleQueue()

        def drain(place: int, proposal: Proposal) -> None:
            try:
                message_id = message_ids[place] if message_ids else ""
                for event in self._events(proposal, message_id):
                    events.put((place, event))
            finally:
                events.put((place, None))

        with ThreadPoolExecutor(len(asked), "answers") as pool:
            running = {place: pool.submit(drain, place, one) for place, one in asked}
            try:
                while running:
                    place, event = events.get()
                    if event is not None:
                        yield place, event
                        continue
                    with contextlib.suppress(Cancelled):
                        running.pop(place).result()  # raises what ended it
            finally:
                if running:
                    self.cancel.cancel()

    def _from(
        self, proposal: Proposal, message_id: str, *, is_last: bool
    ) -> Generator[SessionEvent, None, Failed | None]:
        """One target's events; returns its failure where another one may answer instead."""
        was_heard = False
        for event in self._events(proposal, message_id):
            was_heard = was_heard or said_something(event)
            is_over = is_last or was_heard or self.cancel.cancelled
            if isinstance(event, Failed) and event.exit_code in _REPLACEABLE and not is_over:
                return event
            yield event
        return None

    def _events(self, proposal: Proposal, message_id: str) -> Iterator[Event]:
        request = msgspec.structs.replace(proposal.request, message_id=message_id)
        events = proposal.target.answer(request, self.cancel, approved=proposal.outbound)
        if request.json_schema is None and request.grammar is None:
            return events
        return with_form_checked(events, request, self._forms, self.cancel)


class Answers:
    """Has questions answered. The one service that every way of asking goes through."""

    def __init__(
        self, targets: TargetRegistry, permissions: Permissions, forms: AnswerForms
    ) -> None:
        self._targets = targets
        self._permissions = permissions
        self._forms = forms

    def propose(self, question: Question, target: str | Target, draft: Draft) -> Proposal:
        """What asking would do now. Nothing is kept, asked or sent.

        ``draft`` makes the request of a question; it is called again when a person changes the
        question while being asked.
        """
        found = self._targets.get(target) if isinstance(target, str) else target
        return self._permissions.propose(question, found, draft)

    def open(
        self,
        question: Question,
        targets: Sequence[str | Target],
        draft: Draft,
        *,
        confirm: Confirm = refuse_unconfirmed,
        cancel: CancelToken,
        fallback: Sequence[str | Target] = (),
        by: str = "window",
    ) -> Session:
        """Permission for a question, asked for where it has to be.

        With one target, raises what stands in its way; with several, those that may not be
        asked are told as :class:`NotAsked`, and an error is raised only when none is left.
        Cancelled when a person says no, or the token is cancelled meanwhile. ``by`` is the word
        of the records for a consent that is given.
        """
        found: list[Proposal | NotAsked] = []
        for target in targets:
            try:
                proposal = self.propose(question, target, draft)
                found.append(self._permitted(proposal, confirm, cancel, by))
            except LockhouseError as error:
                found.append(NotAsked(_name(target), error))
            except Cancelled:
                if len(targets) == 1 or cancel.cancelled:
                    raise
                said_no = PolicyRefused("You chose not to send this.", code="not_confirmed")
                found.append(NotAsked(_name(target), said_no))
        refused = [one for one in found if isinstance(one, NotAsked)]
        if len(refused) == len(found):
            raise refused[0].error
        others = [self.propose(question, target, draft) for target in fallback]
        usable = [one for one in others if not isinstance(one.decision, Refused | AskFirst)]
        return Session(found, usable, cancel, self._forms)

    def _permitted(
        self, proposal: Proposal, confirm: Confirm, cancel: CancelToken, by: str
    ) -> Proposal:
        match proposal.decision:
            case Refused(error):
                raise error
            case AskFirst():
                reply = confirm(proposal, cancel)
            case _:
                return proposal
        if cancel.cancelled:
            raise Cancelled
        if isinstance(reply, AnswerHere):
            here = reply.proposal.at(self._targets.on_this_machine(reply.preferred))
            return self._permitted(here, refuse_unconfirmed, cancel, by)
        if isinstance(reply.proposal.decision, Refused):  # the question was changed meanwhile
            raise reply.proposal.decision.error
        reply.proposal.require_label_still()
        if reply.always:
            self._permissions.allow(reply.proposal, by=by)
        return reply.proposal


def _name(target: str | Target) -> str:
    return target if isinstance(target, str) else target.info.name
