"""Who may be asked what: every label, every kind of target, allowed before or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from lockhouse.answer.permission import (
    Allowed,
    AskFirst,
    Permissions,
    Proposal,
    Refused,
    Send,
    refuse_unconfirmed,
)
from lockhouse.answer.request import Question
from lockhouse.answer.session import Answers, Session
from lockhouse.answer.target import Target
from lockhouse.core import labels
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import PolicyRefused
from lockhouse.core.events import Finished, Text
from lockhouse.core.labels import LABELS, Label
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms
from tests.answer.remote import RemoteAccess, question
from tests.chat.targets import Scripted, saying
from tests.remote.server import RemoteServer

# By hand, and not from the rule: which target each label reaches.
MAY: dict[Label, set[str]] = {
    "public": {"here", "loopback/small", "office/small", "api/small"},
    "internal": {"here", "loopback/small", "office/small"},
    "confidential": {"here", "loopback/small"},
}
TARGETS = ("here", "loopback/small", "office/small", "api/small")
MODES = ("nothing allowed", "allowed for good", "confirmed by a person", "a task")


class Everyone:
    """A model here, a server of this machine, one of the office, and an API."""

    def __init__(self, home: RemoteAccess) -> None:
        self.home = home
        self.here = Scripted("here", saying(Text("Here."), Finished("stop")))
        permissions = Permissions(home.providers, lambda: home.consents, lambda: home.budget)
        self.answers = Answers(self, permissions, AnswerForms())

    def get(self, name: str) -> Target:
        return self.here if name == "here" else self.home.remotes.get(name)

    def on_this_machine(self, preferred: str = "") -> Target:
        return self.here


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as started:
        yield started


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory, server: RemoteServer) -> Iterator[Everyone]:
    with RemoteAccess(tmp_path_factory.mktemp("home"), [server]) as home:
        home.add("loopback", server.endpoint)
        home.add("office", "http://192.168.7.7:8000/v1")
        home.add("api", "https://api.example.com/v1", zone="cloud", title="An API")
        for name in TARGETS[1:]:
            home.model(name)
        yield Everyone(home)


def labelled(label: Label) -> AnswerRequest:
    return msgspec.structs.replace(question("Where?"), label=label)


def decided(everyone: Everyone, label: Label, name: str, mode: str) -> Proposal:
    api = everyone.home.providers.get("api")
    if mode == "allowed for good":
        everyone.home.consents.give(api)
    else:
        everyone.home.consents.withdraw("api")
    asked = Question("Where?", must_confirm=mode == "a task")
    return everyone.answers.propose(asked, name, lambda _: labelled(label))


def wrong_cases(everyone: Everyone) -> list[tuple[str, str, str]]:
    """Every case in which the decision is another one than the table above has."""
    wrong = []
    for label, name, mode in itertools.product(LABELS, TARGETS, MODES):
        proposal = decided(everyone, label, name, mode)
        refused = isinstance(proposal.decision, Refused)
        if refused == (name in MAY[label]) or (refused and proposal.outbound is not None):
            wrong.append((label, name, mode))
    return wrong


def test_every_label_reaches_only_what_it_may(everyone: Everyone) -> None:
    assert wrong_cases(everyone) == []


@pytest.mark.parametrize("label", ["internal", "confidential"])
def test_a_wrong_rule_would_be_found(
    everyone: Everyone, monkeypatch: pytest.MonkeyPatch, label: Label
) -> None:
    monkeypatch.setitem(labels._FARTHEST, label, "cloud")
    found = wrong_cases(everyone)
    assert {(one, name) for one, name, _ in found} >= {(label, "api/small")}
    assert {mode for _, _, mode in found} == set(MODES)


def test_nothing_overrides_a_label(everyone: Everyone, server: RemoteServer) -> None:
    """Neither a consent for good nor a person who says yes."""
    everyone.home.consents.give(everyone.home.providers.get("api"))
    before = len(server.requests)

    def yes(proposal: Proposal, _cancel: CancelToken) -> Send:
        return Send(proposal, always=True)

    for label, name in (("confidential", "api/small"), ("internal", "api/small")):
        with pytest.raises(PolicyRefused) as refused:
            opened(everyone, [name], label, yes)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.exit_code) == ("label", 8)
        assert label in refused.value.message
    assert len(server.requests) == before


def test_a_question_that_is_changed_while_it_is_shown_is_judged_again(
    everyone: Everyone,
) -> None:
    everyone.home.consents.withdraw("api")
    requests = {"plain": labelled("public"), "more": labelled("confidential")}

    def draft(asked: Question) -> AnswerRequest:
        return requests[asked.text]

    def change(proposal: Proposal, _cancel: CancelToken) -> Send:
        assert isinstance(proposal.decision, AskFirst)
        return Send(proposal.revised(Question("more")))

    with pytest.raises(PolicyRefused, match="confidential"):
        everyone.answers.open(
            Question("plain"), ["api/small"], draft, confirm=change, cancel=CancelToken()
        )


def test_a_label_that_is_raised_while_the_request_is_shown_holds(
    everyone: Everyone, server: RemoteServer
) -> None:
    everyone.home.consents.withdraw("api")
    labels_now: list[Label] = ["public"]

    def raise_label(proposal: Proposal, _cancel: CancelToken) -> Send:
        labels_now[0] = "confidential"  # in another window
        return Send(proposal)

    before = len(server.requests)
    with pytest.raises(PolicyRefused, match="confidential"):
        everyone.answers.open(
            Question("Where?"),
            ["api/small"],
            lambda _: labelled(labels_now[0]),
            confirm=raise_label,
            cancel=CancelToken(),
        )
    assert len(server.requests) == before


def test_what_stays_here_needs_no_question(everyone: Everyone) -> None:
    for label in LABELS:
        proposal = decided(everyone, label, "here", "nothing allowed")
        assert proposal.decision == Allowed()
        assert proposal.outbound is None


def opened(
    everyone: Everyone, names: Sequence[str], label: Label = "public", confirm: object = None
) -> Session:
    return everyone.answers.open(
        Question("Where?"),
        names,
        lambda _: labelled(label),
        confirm=confirm or refuse_unconfirmed,  # type: ignore[arg-type]
        cancel=CancelToken(),
    )


def test_one_that_may_not_be_asked_keeps_nobody_else_from_answering(everyone: Everyone) -> None:
    everyone.home.consents.withdraw("api")
    session = opened(everyone, ["api/small", "here", "loopback/small"], "confidential")
    told: dict[int, str] = {}
    for place, event in session.answers():
        if isinstance(event, Text):
            told[place] = told.get(place, "") + event.text
    assert set(told) == {1, 2}
    assert told[1] == "Here."
    refused = session.proposals[0]
    assert not isinstance(refused, Proposal)
    assert refused.error.code == "label"


def test_the_turns_of_the_request_are_what_is_proposed(everyone: Everyone) -> None:
    proposal = decided(everyone, "public", "loopback/small", "nothing allowed")
    assert proposal.request.turns == (Turn("user", "Where?"),)
    assert proposal.outbound is not None
    assert b"Where?" in proposal.outbound.body


def test_the_label_of_a_home_survives_a_kill(tmp_path: Path) -> None:
    from lockhouse.workspace import open_workspace

    with_label = open_workspace(tmp_path / "home")
    chat = with_label.conversations.create(label="confidential")
    user = with_label.conversations.add_user(chat.id, "Secret.", parent_id=None)
    branch = with_label.conversations.branch(user.id)
    with_label.close()
    again = open_workspace(tmp_path / "home")
    for one in (chat.id, branch.id):  # what branches off inherits it
        assert again.turns.draft(one, Question("More")).label == "confidential"
        for task in ("turn", "selection", "document"):  # and so does every single task
            asked = Question("More", task=task, alone=True)
            assert again.turns.draft(one, asked).label == "confidential"
    again.close()
