"""Whether a question may go to a target: the one place that decides, for every kind of target.

The order is fixed: the label first, before anything is prepared; then consent; then limits.
Nothing overrides a label, and a model of this machine needs nothing but the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockhouse.answer.request import Question
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, PolicyRefused
from lockhouse.core.labels import require_label
from lockhouse.core.request import AnswerRequest

if TYPE_CHECKING:
    from lockhouse.gate.consents import Consents
    from lockhouse.gate.costs.budget import Budget
    from lockhouse.gate.outbound import Outbound
    from lockhouse.gate.providers import Provider, Providers


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may go."""


@dataclass(frozen=True, slots=True)
class AskFirst:
    """A person has to see the exact request and say yes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not go, and nobody can say yes."""

    error: LockhouseError


Decision = Allowed | AskFirst | Refused
Draft = Callable[[Question], AnswerRequest]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question on its way to one target, with the decision on it. Nothing has been sent.

    ``outbound`` is exactly what would leave, None for a model of this machine. ``obstacle`` is
    what would stop it from being sent now: network access is off, there is no key.
    """

    question: Question
    target: Target
    request: AnswerRequest
    decision: Decision
    outbound: Outbound | None
    obstacle: LockhouseError | None
    _permissions: Permissions
    _draft: Draft

    @property
    def info(self) -> TargetInfo:
        """Who would answer."""
        return self.target.info

    def revised(self, question: Question) -> Proposal:
        """The same target with another question. May wait for the disk and the keyring."""
        return self._permissions.propose(question, self.target, self._draft)

    def require_label_still(self) -> None:
        """Raises PolicyRefused where the label was raised while a person was looking."""
        info = self.info
        require_label(self._draft(self.question).label, info.zone, info.host)

    def at(self, target: Target) -> Proposal:
        """The same question for another target."""
        return self._permissions.propose(self.question, target, self._draft)


@dataclass(frozen=True, slots=True)
class Send:
    """The reply "yes" to the proposal that was shown; ``always`` for this provider from now on."""

    proposal: Proposal
    always: bool = False


@dataclass(frozen=True, slots=True)
class AnswerHere:
    """The reply "no, let a model of this machine answer": the preferred one if it is one."""

    proposal: Proposal
    preferred: str = ""


Reply = Send | AnswerHere
Confirm = Callable[[Proposal, CancelToken], Reply]
"""How a person is asked: implemented by whoever shows the question, called on the thread that
waits for the answer. Raises Cancelled for "no", and once the token is cancelled."""


@dataclass(eq=False, repr=False)
class Permissions:
    """The rules of one home."""

    _providers: Providers
    # Made when they are first needed: most questions stay on this machine.
    _consents: Callable[[], Consents]
    _budget: Callable[[], Budget]

    def propose(self, question: Question, target: Target, draft: Draft) -> Proposal:
        """What asking that target would do, and whether it may.

        Raises NotFound and the like where there is no such target or message, InvalidInput for
        what the target cannot be asked.
        """
        request, info = draft(question), target.info
        try:
            require_label(request.label, info.zone, info.host)
        except PolicyRefused as error:
            refused = Refused(error)
            return Proposal(question, target, request, refused, None, None, self, draft)
        outbound = target.preview(request)
        decision: Decision = Allowed()
        if outbound is not None:
            decision = self._decide(question, self._providers.get(outbound.provider), outbound)
        obstacle = target.obstacle()
        return Proposal(question, target, request, decision, outbound, obstacle, self, draft)

    def allow(self, proposal: Proposal, *, by: str) -> None:
        """Ask no more before something goes to that provider."""
        if proposal.outbound is not None:
            self._consents().give(self._providers.get(proposal.outbound.provider), by=by)

    def _decide(self, question: Question, provider: Provider, outbound: Outbound) -> Decision:
        if question.must_confirm or not self._consents().given(provider):
            return AskFirst()
        try:
            self._budget().require_room(provider, outbound.model, outbound.body)
        except PolicyRefused as error:
            return Refused(error)
        return Allowed()


def consent_needed(proposal: Proposal) -> PolicyRefused:
    """The refusal where nobody has allowed it yet and nobody can be asked."""
    outbound = proposal.outbound
    assert outbound is not None  # what stays on this machine needs no consent
    hosts = ", ".join(outbound.hosts)
    missing = [proposal.obstacle.hint] if proposal.obstacle is not None else []
    allow = f"Allow sending to it: lockhouse targets allow {outbound.provider}"
    return PolicyRefused(
        f"Nothing was sent: sending to {outbound.provider_title} ({hosts}) is not allowed yet.",
        hint="\n".join([*missing, allow]),
        code="consent_needed",
    )


def refuse_unconfirmed(proposal: Proposal, _cancel: CancelToken) -> Reply:
    """Where nobody can be asked, what needs asking is refused."""
    raise consent_needed(proposal)
