"""What the chat asks of providers and servers, in one place and without a widget.

Everything here may wait for the disk or the keyring: call it on a job's thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from lockhouse.answer.remote import info_of
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.core.errors import LockhouseError
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.providers import Provider
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui.chat.target_picker import Destination
from lockhouse.ui.outbound.values import Obstacle, Shown
from lockhouse.ui.outbound.words import Money
from lockhouse.workspace import Workspace

_HAS_KEY = ("set", "session")
_RECENT = 40
_CLOSED = {  # one line under what is typed: the gate's own words are about its processes
    "sealed_meanwhile": "The network was sealed: nothing can be sent.",
    "broker_gone": "The way out of this window has ended: nothing can be sent.",
}


class RemoteAccess:
    """Providers, what they need, what would be sent to them and what was."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def destinations(self) -> tuple[Destination, ...]:
        """Everyone elsewhere who can answer, or could once a key is set."""
        return tuple(self._destinations())

    def obstacle(self, provider: Provider) -> Obstacle | None:
        """What is in the way of a provider now."""
        state = self._workspace.gate.key_states({provider.name: provider.hosts})
        return self._obstacle(provider, state.get(provider.name, "none"))

    def shown(self, target: str, request: AnswerRequest) -> Shown:
        """Exactly what would be sent, and what has to be known to decide."""
        remote = self._workspace.remotes.get(target)
        outbound = remote.preview(request)
        return Shown(
            outbound,
            has_consent=self._workspace.consents.given(remote.provider),
            money=self.money(),
            local_title=self._local_title(),
            obstacle=self.obstacle(remote.provider),
        )

    def estimated(self, target: str, request: AnswerRequest) -> Shown:
        """The same while it is being typed: without a look at the keyring."""
        remote = self._workspace.remotes.get(target)
        return Shown(remote.preview(request), money=self.money())

    def default(self) -> Target:
        """Who answers where nobody was chosen. Never an API."""
        return self._workspace.targets.default()

    def full_name(self, target: str) -> str:
        """The name in the lists; the same where nobody is called so."""
        try:
            return self._workspace.targets.get(target).info.name
        except LockhouseError:
            return target

    def may_pass(self, target: str) -> tuple[str, bool]:
        """Its full name, and whether something may go there without a question.

        Where nobody is called so, nothing can leave: whoever is asked then says what is wrong.
        """
        try:
            found = self._workspace.targets.get(target)
        except LockhouseError:
            return target, True
        provider = found.info.provider
        if provider is None:
            return found.info.name, True
        given = self._workspace.consents.given(self._workspace.providers.get(provider))
        return found.info.name, given

    def allow(self, outbound: Outbound) -> None:
        """Send to that provider without a question from now on."""
        self._workspace.consents.give(self._workspace.providers.get(outbound.provider))

    def take_up(self, info: TargetInfo) -> None:
        """Put a suggested model among the targets."""
        provider, _, model = info.name.partition("/")
        self._workspace.providers.choose(provider, model)

    def money(self) -> Money:
        """The limits, and what was spent."""
        budget = self._workspace.budget
        return Money(budget.limits, budget.spent_today().cost, budget.spent_this_month().cost)

    def recent(self) -> tuple[str, ...]:
        """The targets that were sent something, last used first."""
        sent = self._workspace.sent.list(limit=_RECENT)
        models = self._workspace.providers.chosen()
        called = {(one.provider, one.name): one.called for one in models}
        names = (
            f"{one.provider}/{called.get((one.provider, one.model), one.model)}" for one in sent
        )
        return tuple(dict.fromkeys(names))

    def sent_for(self, message_id: str) -> tuple[SentRequest, ...]:
        """What was sent for an answer."""
        return tuple(self._workspace.sent.of_message(message_id))

    # Inside

    def _destinations(self) -> Iterator[Destination]:
        providers = self._workspace.providers.list()
        states = self._workspace.gate.key_states(
            {provider.name: provider.hosts for provider in providers if provider.key != "none"}
        )
        for provider in providers:
            state = states.get(provider.name, "none")
            obstacle = self._obstacle(provider, state)
            models = self._workspace.providers.models(provider.name)
            chosen = [model for model in models if model.is_chosen]
            has_key = provider.key != "required" or state in _HAS_KEY
            if chosen:
                models = chosen
            elif not has_key or not models:
                yield Destination(_bare(provider), obstacle)
                continue
            for model in models:
                info = info_of(provider, model, self._workspace.budget)
                sees = "vision" in model.capabilities if model.capabilities else None
                yield Destination(info, obstacle, is_suggested=not model.is_chosen, sees=sees)

    def _obstacle(self, provider: Provider, key_state: str) -> Obstacle | None:
        if provider.key == "required" and key_state not in _HAS_KEY:
            return _no_key(provider, key_state)
        return self._closed(provider)

    def _closed(self, provider: Provider) -> Obstacle | None:
        status = self._workspace.gate.status()
        if status.way != "open":
            word = "Opens with the next start" if status.way == "start_anew" else "Sealed"
            return Obstacle(
                "sealed",
                word,
                _CLOSED.get(status.way, f"{status.title}. {status.explanation}"),
                "" if status.way == "sealed" else status.what_to_do,
                way="network",
            )
        ways = {self._workspace.gate.way_to((host,)) for host in provider.hosts}
        if "open" not in ways and "start_anew" in ways:
            return Obstacle(
                "start_anew",
                "Opens with the next start",
                f"The broker of this window may not use the port of {provider.title}.",
                "Quit Lockhouse and start it again: then it can be reached.",
                way="network",
            )
        if "open" not in ways:
            return Obstacle(
                "host_not_allowed",
                "Closed",
                f"The door is not open for {provider.title}.",
                f"Only these can be reached: {', '.join(status.hosts)}.",
                way="network",
            )
        return None

    def _local_title(self) -> str:
        try:
            info = self._workspace.targets.local.default().info
        except LockhouseError:
            return ""
        return info.title or info.name


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
        "Set one: it is kept in the keyring of this system and goes nowhere else.",
        way="key",
    )


def _bare(provider: Provider) -> TargetInfo:
    """A provider of which no model can be taken yet."""
    return TargetInfo(
        name="",
        kind="api" if provider.zone == "cloud" else "lan",
        provider=provider.name,
        leaves_machine=provider.zone == "cloud",
        host=provider.hosts[0],
        provider_title=provider.title,
    )
