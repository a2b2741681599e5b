"""All remote targets: by name, as a list, with the models and the health of their servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec

from lockhouse.answer.load_balancer import LoadBalancer, another_may_answer
from lockhouse.answer.remote import RemoteTarget, info_of
from lockhouse.answer.remote_request import RemoteDependencies, map_error
from lockhouse.answer.target import TargetInfo
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.gate import keys
from lockhouse.gate.client import GateClient
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.providers import Provider, Providers, RemoteModel
from lockhouse.gate.remote_requests import ListedModels, ListModels
from lockhouse.gate.sent_requests import Sent

_KEY_STATE_HOLDS_S = 2.0


class EndpointHealth(msgspec.Struct, frozen=True):
    """One server, asked for its models just now.

    ``problem`` says why it is not up, or that it is up and wants a key.
    """

    url: str
    is_up: bool
    latency_s: float = 0.0
    problem: str = ""
    hint: str = ""
    code: str = ""
    checked_at: str = ""


_InfoList = list[TargetInfo]
_ModelList = list[RemoteModel]
_HealthList = list[EndpointHealth]


class RemoteTargets:
    """The models of all providers. Usable from any thread."""

    def __init__(
        self,
        gate: GateClient,
        providers: Providers,
        sent: Sent,
        budget: Budget,
        *,
        most_tokens: Callable[[], int],
        balancer: LoadBalancer | None = None,
    ) -> None:
        """``most_tokens`` is the length of an answer where nobody chose one; 0 is no choice."""
        self._gate = gate
        self._providers = providers
        self._budget = budget
        self._balancer = balancer or LoadBalancer()
        self._lock = threading.Lock()
        self._key_states: dict[str, tuple[float, str]] = {}
        self._dependencies = RemoteDependencies(
            gate, sent, budget, self._balancer, self.key_of, self.key_state, most_tokens
        )

    def get(self, name: str) -> RemoteTarget:
        """The target ``provider/model``. Raises NotFound with near names."""
        head, _, model = name.partition("/")
        provider = self._providers.get(head)
        return RemoteTarget(provider, self._providers.model(head, model), self._dependencies)

    def list(self) -> _InfoList:
        """Every chosen model."""
        known = {provider.name: provider for provider in self._providers.list()}
        return [
            info_of(known[model.provider], model, self._budget)
            for model in self._providers.chosen()
            if model.provider in known
        ]

    def info(self, provider: Provider, model: RemoteModel) -> TargetInfo:
        """What a model of a provider would be as a target, chosen or not."""
        return info_of(provider, model, self._budget)

    def refresh_models(self, name: str) -> _ModelList:
        """Read a provider's list of models and keep it. Raises what was in the way."""
        provider = self._providers.get(name)
        tried: set[str] = set()
        while True:
            with self._balancer.lease(provider.endpoints, without=tried) as url:
                try:
                    found = self._ask(provider, url)
                except LockhouseError as error:
                    tried.add(url)
                    if another_may_answer(error.code):
                        self._balancer.note_down(url)
                    if len(tried) == len(provider.endpoints) or not another_may_answer(error.code):
                        raise map_error(error, provider, self._gate) from error
                else:
                    return self._providers.keep_models(name, found.models)

    def health(
        self, name: str, *, purpose: str = "", cancel: CancelToken | None = None
    ) -> _HealthList:
        """Ask each server of a provider whether it is there, all at the same time.

        ``purpose`` is what the records say of it. Raises Cancelled when it was called off.
        """
        provider, token = self._providers.get(name), cancel or CancelToken()
        purpose = purpose or f"check of {name}"

        def check(url: str) -> EndpointHealth:
            return self._check(provider, url, purpose, token)

        with ThreadPoolExecutor(min(8, len(provider.endpoints)), "health") as pool:
            try:
                return [*pool.map(check, provider.endpoints)]
            except BaseException:  # Ctrl-C: the pool waits for its threads, these for their servers
                token.cancel()
                raise

    def key_state(self, provider: Provider) -> str:
        """What the keyring says; asked again after a moment only. One of ``keys.KeyState``."""
        if provider.key == "none":
            return "none"
        with self._lock:
            asked_at, state = self._key_states.get(provider.name, (0.0, ""))
            if state and time.monotonic() - asked_at < _KEY_STATE_HOLDS_S:
                return state
        state = self._gate.key_states({provider.name: provider.hosts})[provider.name]
        with self._lock:
            self._key_states[provider.name] = (time.monotonic(), state)
        return state

    def forget_key_states(self) -> None:
        """A key was set or removed."""
        with self._lock:
            self._key_states.clear()

    def key_of(self, provider: Provider) -> str:
        """The name of the key that goes along with a request; empty for none.

        A keyring that is locked may be unlocked when the broker looks into it.
        """
        usable = {"set", "session"}
        if provider.key == "required":
            usable |= {"locked", "silent"}
        return provider.name if self.key_state(provider) in usable else ""

    def key_left_at(self, provider: Provider) -> tuple[str, ...]:
        """The hosts that a key of this name was kept for, where they are not the provider's.

        Such a key goes nowhere any more and has to be saved again. Empty where there is none, and
        where the keyring would have to be unlocked to tell.
        """
        if provider.key == "none" or self.key_state(provider) != "none":
            return ()
        try:
            return keys.hosts_of(provider.name)
        except LockhouseError:
            return ()

    def _ask(
        self, provider: Provider, url: str, purpose: str = "", cancel: CancelToken | None = None
    ) -> ListedModels:
        request = ListModels(
            provider.name,
            provider.dialect,
            url,
            key=self.key_of(provider),
            title=provider.title,
        )
        purpose = purpose or f"models of {provider.name}"
        return self._gate.ask(
            request,
            reply_type=ListedModels,
            cancel=cancel,
            purpose=purpose,
            near=provider.near_hosts,
        )

    def _check(
        self, provider: Provider, url: str, purpose: str, cancel: CancelToken
    ) -> EndpointHealth:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            # Some give up an answer to be asked this.
            with self._balancer.lease([url], cancel=cancel):
                found = self._ask(provider, url, purpose, cancel)
        except LockhouseError as error:
            if another_may_answer(error.code) and error.code != "host_not_allowed":
                self._balancer.note_down(url)
            meant = map_error(error, provider, self._gate)
            return EndpointHealth(
                url,
                is_up=error.code == "unauthorized" and not self.key_of(provider),  # it answered
                problem=meant.message,
                hint=meant.hint,
                code=meant.code,
                checked_at=at,
            )
        self._balancer.note_up(url, found.duration_s)
        return EndpointHealth(url, is_up=True, latency_s=found.duration_s, checked_at=at)
