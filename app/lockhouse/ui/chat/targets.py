"""The targets that a chat can choose, with what keeps each from answering now.

Providers and their models are looked up in the background; what is known here is for showing.
Whether something may be sent is decided where it is asked, never by these lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Signal

from lockhouse.answer.permission import Allowed, Proposal
from lockhouse.answer.request import Question
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.chat.turns import NewChat
from lockhouse.core.errors import LockhouseError
from lockhouse.gate.providers import Provider
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui.chat.target_picker import Destination
from lockhouse.ui.chat.transcript_model import without_commands
from lockhouse.ui.jobs import JobHandle, Jobs, ignore
from lockhouse.ui.outbound.values import Obstacle, Shown, WayOn
from lockhouse.ui.outbound.words import Money
from lockhouse.ui.timers import OneAtATime
from lockhouse.workspace import Workspace

_HAS_KEY = ("set", "session")
_MOST_RECENT = 40
_CLOSED = {  # short sentences below the message box
    "sealed_meanwhile": "The network was sealed: nothing can be sent.",
    "broker_gone": "The network process stopped. Restart Lockhouse.",
}
_WAYS: dict[str, WayOn] = {
    "key_missing": "key",
    "unauthorized": "key",
    "keyring_locked": "key",
    "sealed": "network",
    "sealed_meanwhile": "network",
    "start_anew": "network",
    "host_not_allowed": "network",
    "budget": "limits",
}


class Targets(QObject):
    """Who can answer: models on this machine, and those of providers and servers."""

    listed = Signal()
    estimated = Signal(str, object)  # target, and Shown or None where nothing can be told
    failed = Signal(object)  # LockhouseError

    def __init__(self, workspace: Workspace, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._jobs = jobs
        self._reading = OneAtATime(self._read)  # a keyring may keep one waiting
        self._estimate: JobHandle | None = None
        self._full_names: dict[str, str] = {}  # of targets that were named otherwise
        self.local: tuple[Destination, ...] = ()
        self.remote: tuple[Destination, ...] = ()
        self.recent: tuple[str, ...] = ()  # names of remote targets, last used first

    # -- the lists --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again: keys, network access, providers or chosen models may have changed."""
        self._reading.want()

    def _read(self) -> None:
        def work() -> tuple[tuple[Destination, ...], tuple[str, ...]]:
            return tuple(self._find_remote()), self._find_recent()

        def take(found: tuple[tuple[Destination, ...], tuple[str, ...]]) -> None:
            if found != (self.remote, self.recent):
                self.remote, self.recent = found
                self._full_names.clear()
                self.listed.emit()
            self._reading.end()

        self._jobs.run(work, take, lambda _: self._reading.end())

    def find(self, target: str) -> Destination | None:
        """The remote target of that name."""
        name = self.full_name(target)
        return next((one for one in self.remote if one.info.name == name), None)

    def full_name(self, target: str) -> str:
        """The name in the lists, of a target that a command may have named in short."""
        return self._full_names.get(target, target)

    def look_up(self, target: str) -> None:
        """Find the full name of a target that is in no list; ``listed`` tells when it came."""
        names = {one.info.name for one in (*self.local, *self.remote)}
        if not target or target in names or target in self._full_names:
            return
        self._full_names[target] = target

        def work() -> str:
            return self._workspace.targets.get(target).info.name

        def take(name: str) -> None:
            if name != target:
                self._full_names[target] = name
                self.listed.emit()

        self._jobs.run(work, take, ignore)

    def is_remote(self, target: str) -> bool:
        """Whether a name may mean a target that is not on this machine, as far as is known."""
        name = self.full_name(target)
        return bool(name) and all(one.info.name != name for one in self.local)

    def add_suggested(self, destination: Destination) -> None:
        """A suggested model was chosen: it is one of the targets from now on."""
        if destination.is_suggested:
            provider, _, model = destination.info.name.partition("/")
            self._jobs.run_in_order(
                lambda: self._workspace.providers.choose(provider, model),
                lambda _: self.refresh(),
                self.failed.emit,
            )

    def resolve(self, target: str, *, is_local: bool = False) -> str | Target:
        """The target to ask, on the thread of the answer; "" stands for the default one.

        The default is looked up here: a choice made meanwhile must not redirect a question.
        """
        targets = self._workspace.targets
        if is_local:
            return targets.on_this_machine(target)
        return target or targets.default()

    # -- what would be sent -----------------------------------------------------------------

    def estimate(self, where: str | NewChat, question: Question, target: str) -> None:
        """What sending this would cost; only the latest question is answered."""
        if self._estimate is not None:
            self._estimate.cancel()

        def work() -> Shown | None:
            outbound = self._workspace.turns.propose(where, question, target=target).outbound
            return Shown(outbound, money=self.money()) if outbound else None

        self._estimate = self._jobs.run(
            work,
            lambda shown: self.estimated.emit(target, shown),
            lambda _: self.estimated.emit(target, None),
        )

    def shown(self, proposal: Proposal) -> Shown:
        """What the send dialog shows; reads the database."""
        assert proposal.outbound is not None
        question = proposal.question
        here = "" if question.images or question.continues else self._local_title()
        return Shown(
            proposal.outbound,
            has_consent=isinstance(proposal.decision, Allowed),
            money=self.money(),
            local_title=here,
            obstacle=self._obstacle_of(proposal),
        )

    def money(self) -> Money:
        """The limits, and what was spent; reads the database."""
        budget = self._workspace.budget
        return Money(budget.limits, budget.spent_today().cost, budget.spent_this_month().cost)

    def read_sent(self, message_id: str, take: Callable[[tuple[SentRequest, ...]], None]) -> None:
        """What was sent for an answer."""
        self._jobs.run(
            lambda: tuple(self._workspace.sent.of_message(message_id)), take, self.failed.emit
        )

    # -- inside -----------------------------------------------------------------------------

    def _obstacle_of(self, proposal: Proposal) -> Obstacle | None:
        """In the words of the lists where they have any; the proposal says if there is one."""
        error, name = proposal.obstacle, proposal.info.provider
        if error is None or not name:
            return None
        provider = self._workspace.providers.get(name)
        states = self._workspace.gate.key_states({provider.name: provider.hosts})
        known = self._obstacle(provider, states.get(provider.name, "none"))
        hint, way = without_commands(error.hint), _WAYS.get(error.code, "")
        return known or Obstacle(error.code, "", error.message, hint, way)

    def _local_title(self) -> str:
        try:
            info = self._workspace.targets.on_this_machine().info
        except LockhouseError:
            return ""
        return info.title or info.name

    def _find_recent(self) -> tuple[str, ...]:
        models = self._workspace.providers.chosen()
        called = {(one.provider, one.name): one.called for one in models}
        names = (
            f"{one.provider}/{called.get((one.provider, one.model), one.model)}"
            for one in self._workspace.sent.list(limit=_MOST_RECENT)
        )
        return tuple(dict.fromkeys(names))

    def _find_remote(self) -> Iterator[Destination]:
        """Every remote target that can answer, or could once a key is set."""
        providers = self._workspace.providers.list()
        states = self._workspace.gate.key_states(
            {provider.name: provider.hosts for provider in providers if provider.key != "none"}
        )
        for provider in providers:
            state = states.get(provider.name, "none")
            has_key = provider.key != "required" or state in _HAS_KEY
            obstacle = self._obstacle(provider, state)
            models = self._workspace.providers.models(provider.name)
            chosen = [model for model in models if model.is_chosen]
            if chosen:
                models = chosen
            elif not has_key or not models:
                yield Destination(_without_model(provider), obstacle)
                continue
            for model in models:
                info = self._workspace.remotes.info(provider, model)
                sees = "vision" in model.capabilities if model.capabilities else None
                yield Destination(info, obstacle, is_suggested=not model.is_chosen, sees=sees)

    def _obstacle(self, provider: Provider, key_state: str) -> Obstacle | None:
        if provider.key == "required" and key_state not in _HAS_KEY:
            return _no_key(provider, key_state)
        return self._closed(provider)

    def _closed(self, provider: Provider) -> Obstacle | None:
        status = self._workspace.gate.status()
        if status.way != "open":
            return Obstacle(
                "sealed",
                "Needs a restart" if status.way == "start_anew" else "Sealed",
                _CLOSED.get(status.way, f"{status.title}. {status.explanation}"),
                "" if status.way == "sealed" else without_commands(status.what_to_do),
                way="network",
            )
        ways = {self._workspace.gate.way_to((host,)) for host in provider.hosts}
        if "open" not in ways and "start_anew" in ways:
            return Obstacle(
                "start_anew",
                "Needs a restart",
                f"{provider.title} needs a restart before it can connect.",
                "Restart Lockhouse.",
                way="network",
            )
        if "open" not in ways:
            return Obstacle(
                "host_not_allowed",
                "No network access",
                f"Network access to {provider.title} is not allowed.",
                f"Allowed now: {', '.join(status.hosts)}.",
                way="network",
            )
        return None


def _no_key(provider: Provider, key_state: str) -> Obstacle:
    if key_state in ("locked", "silent"):
        return Obstacle(
            "keyring_locked",
            "Keyring locked",
            f"The key for {provider.title} is in the keyring, which is locked.",
            "Unlock it, then try again.",
            way="key",
        )
    return Obstacle(
        "key_missing",
        "No key",
        f"There is no key for {provider.title}.",
        "Set one: it is stored in the keyring of this system and nowhere else.",
        way="key",
    )


def _without_model(provider: Provider) -> TargetInfo:
    """A provider of which no model was chosen yet."""
    return TargetInfo(
        name="",
        kind="api" if provider.zone == "cloud" else "lan",
        provider=provider.name,
        leaves_machine=provider.zone == "cloud",
        zone=provider.label_zone(),
        host=provider.hosts[0],
        provider_title=provider.title,
    )
