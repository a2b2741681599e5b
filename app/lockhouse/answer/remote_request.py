"""One request to a provider: budget reserved, recorded, sent, read, and settled.

Hides what can happen in between: that one of several equal servers ends and another takes over,
that a server refuses a field or counts nothing, that the reader stops or leaves, and what is paid
for then. Each request that leaves has a row of its own among those that were sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lockhouse.answer.load_balancer import FailoverStream, LoadBalancer, another_may_answer
from lockhouse.answer.target import TargetInfo
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, LockhouseError, NetworkRefused
from lockhouse.core.events import (
    Cost,
    EngineBuild,
    Event,
    Finished,
    FinishReason,
    Notice,
    Reasoning,
    Text,
    TextWasReasoning,
    Timing,
    Usage,
    failed_of,
)
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import ToolCall
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.client import CUT_OFF, GateClient
from lockhouse.gate.costs.budget import Budget, Reservation
from lockhouse.gate.dialects.field_refusals import alternative_to
from lockhouse.gate.dialects.provider_errors import Recipient, given_up, says_nothing
from lockhouse.gate.network import allows, host_of, split_host
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import (
    Answered,
    Counted,
    CountPrompt,
    RemoteEvent,
    SendAnswerRequest,
)
from lockhouse.gate.sent_requests import Sent, purpose_of

# Seconds until the first token, and between two. A server on the own network may have to load
# a model first, and reads prompts slowly.
_PATIENCE_S = {"cloud": (120.0, 60.0), "lan": (600.0, 120.0)}
_MOST_GIVEN_UP = 10  # by equal servers that somebody else keeps busy
_KEYRING_WORDS = {
    "locked": "Waiting for the keyring to be unlocked: it asks for its password in a window.",
    "silent": "Waiting for the keyring, which does not answer.",
}


@dataclass(frozen=True, slots=True)
class RemoteDependencies:
    """What every remote target needs to answer.

    ``key_of`` names the key that goes along, ``key_state`` is one of ``keys.KeyState``.
    """

    gate: GateClient
    sent: Sent
    budget: Budget
    balancer: LoadBalancer
    key_of: Callable[[Provider], str]
    key_state: Callable[[Provider], str]
    most_tokens: Callable[[], int]


@dataclass(slots=True)
class RemoteRequest:
    """One request on its way, from the reservation to the last event."""

    provider: Provider
    info: TargetInfo
    outbound: Outbound
    dependencies: RemoteDependencies
    request: AnswerRequest
    cancel: CancelToken
    stream: FailoverStream = field(default_factory=FailoverStream)
    tool_calls: list[ToolCall] = field(default_factory=list)
    usage: Usage | None = None  # the last that was told
    url: str = ""
    started: float = field(default_factory=time.perf_counter)
    first_token_s: float = 0.0
    sent_id: int = 0
    is_settled: bool = False
    times_given_up: int = 0
    has_changed: bool = False  # a field that was refused was left out
    reservation: Reservation = field(init=False)

    def __post_init__(self) -> None:
        """Make room and write it down. Raises before anything leaves."""
        outbound, dependencies = self.outbound, self.dependencies
        require_open(dependencies.gate, self.provider, outbound.endpoints)
        require_key(self.provider, has_key=outbound.has_key)
        self.reservation = dependencies.budget.reserve(
            self.provider, outbound.model, outbound.body, task=outbound.task
        )
        try:
            self.sent_id = dependencies.sent.keep(outbound, message_id=self.request.message_id)
        except LockhouseError:
            dependencies.budget.release(self.reservation)
            raise

    def run(self) -> Iterator[Event]:
        """The events, one Finished or Failed at the end."""
        try:
            yield from self._waiting_for_keyring()
            answered = yield from self._from_one_of_them()
            yield from self.tool_calls
            yield self._finished(answered)
        except Cancelled:
            cost = self._settle("cancelled")
            yield self._end("cancelled", self.usage or Usage(), "", cost)
        except LockhouseError as error:
            meant = map_error(error, self.provider, self.dependencies.gate)
            cost = self._settle(error.code, nothing_came=self._is_free(error))
            yield failed_of(meant, cost=cost)
        finally:
            if not self.is_settled:  # the reader went away
                self._settle("cancelled")

    def _waiting_for_keyring(self) -> Iterator[Notice]:
        """What the wait is for, where the key has to be unlocked first: that can take a minute."""
        if not self.outbound.has_key:
            return
        words = _KEYRING_WORDS.get(self.dependencies.key_state(self.provider))
        if words is not None:
            yield Notice("waiting", f"{words} Nothing is sent before.")

    # -- servers -----------------------------------------------------------------------------------

    def _from_one_of_them(self) -> Generator[Event, None, Answered]:
        urls, tried = self.outbound.endpoints, set[str]()
        while True:
            with self.dependencies.balancer.lease(urls, without=tried, cancel=self.cancel) as url:
                self.url = url
                try:
                    return (yield from self._from(url))
                except LockhouseError as error:
                    if self._may_wait_for(error, url):
                        continue
                    if (notice := self._changed(error)) is not None:
                        yield notice
                        self._require_wanted()
                        continue
                    if not another_may_answer(error.code):
                        raise
                    wait_s = error.retry_after_s if isinstance(error, RemoteFailure) else 0.0
                    self.dependencies.balancer.note_down(url, wait_s=wait_s)
                    tried.add(url)
                    if len(tried) == len(urls):
                        raise
                    failure = error
                    self._close_row(error.code)
            self._require_wanted()
            yield self._changing(failure)
            self._require_wanted()

    def _require_wanted(self) -> None:
        """Raises Cancelled: whoever stops between two servers wants no other asked."""
        if self.cancel.cancelled:
            raise Cancelled

    def _may_wait_for(self, error: LockhouseError, url: str) -> bool:
        """Whether to ask the same servers again, one question at a time."""
        if error.code != "given_up":
            return False
        self.times_given_up += 1
        self._close_row(error.code)
        self._begin_again()
        return self.times_given_up <= _MOST_GIVEN_UP

    def _changed(self, error: LockhouseError) -> Notice | None:
        """Once, leave out what a server refuses by its name, and say so; None where it cannot."""
        if self.has_changed or not isinstance(error, RemoteFailure):
            return None
        found = alternative_to(self.outbound.body, self.provider, error)
        if found is None:
            return None
        self.has_changed = True
        self._close_row(error.code)
        self.outbound = msgspec.structs.replace(self.outbound, body=found.body)
        said = error.message.rstrip(".")
        return Notice(
            "field_refused",
            f"{said}. It was asked again {found.change}. "
            f"To do so always: lockhouse targets set {self.provider.name} {found.setting}",
        )

    # -- rows of what was sent ---------------------------------------------------------------------

    def _open_row(self, url: str) -> None:
        """The request that leaves now has a row of its own."""
        if not self.sent_id:
            self.sent_id = self.dependencies.sent.keep(
                self.outbound, host=host_of(url), message_id=self.request.message_id
            )

    def _close_row(self, outcome: str) -> None:
        """It is over, and another one follows."""
        self.dependencies.sent.settle(self.sent_id, outcome, host=host_of(self.url))
        self.sent_id = 0

    def _begin_again(self) -> None:
        self.stream.begin_again()
        self.tool_calls.clear()
        self.usage = None

    def _changing(self, failure: LockhouseError) -> Notice:
        self._begin_again()
        when = "" if self.stream.is_empty else " in mid-answer"
        return Notice(
            "server_changed",
            f"{host_of(self.url)} failed{when} ({failure.message.rstrip('.')}); another of the "
            "equal servers is asked.",
        )

    def _from(self, url: str) -> Generator[Event, None, Answered]:
        """What one server answers."""
        self._open_row(url)
        outbound, balancer = self.outbound, self.dependencies.balancer
        first_token_s, idle_s = _PATIENCE_S[outbound.zone]
        overlaps, is_shared = balancer.overlaps(url), balancer.in_flight(url) > 1
        request = SendAnswerRequest(
            provider=outbound.provider,
            dialect=outbound.dialect,
            url=url + outbound.path,
            headers=outbound.headers,
            body=outbound.body,
            key=outbound.provider if outbound.has_key else "",
            first_token_s=first_token_s,
            idle_s=idle_s,
            attempts=1 if len(outbound.endpoints) > 1 else 3,
            title=outbound.provider_title,
            label=self.request.label,
            max_tokens=outbound.max_tokens,
        )
        stream = self.dependencies.gate.stream(
            request,
            event_type=RemoteEvent,
            cancel=self.cancel,
            purpose=purpose_of(self.info.name, self.sent_id),
            near=self.provider.near_hosts,
        )
        try:
            answered = yield from self._read(stream)
        finally:
            stream.close()
        if not answered.has_reason:
            is_shared = is_shared or overlaps != balancer.overlaps(url)
            yield from self._without_reason(url, is_shared=is_shared)
            if not answered.pieces and not self.tool_calls:
                raise says_nothing(Recipient(outbound.provider, outbound.provider_title))
        balancer.note_up(url, answered.first_byte_s)
        yield from self.stream.end()
        if answered.usage is None and self.usage is None:
            self.usage = self._counted(answered)
        return answered

    def _without_reason(self, url: str, *, is_shared: bool) -> Iterator[Notice]:
        """An answer ended without a reason: a habit of its server, or it was dropped.

        Some own servers drop one as soon as the next question comes. Where nothing else was asked
        meanwhile, it is a habit. Otherwise equal servers are asked again: raises RemoteFailure.
        """
        balancer, outbound = self.dependencies.balancer, self.outbound
        if not is_shared:
            balancer.note_no_reason(url)
        if outbound.zone != "lan" or balancer.gives_no_reason(url):
            return
        balancer.note_single(url)
        title = outbound.provider_title
        if len(outbound.endpoints) > 1:
            raise given_up(Recipient(outbound.provider, title))
        yield Notice(
            "may_be_cut",
            f"{title} gave no reason for the end of the answer, and was asked something else "
            "meanwhile: the answer may be cut. From now on it is asked one question at a time.",
        )

    def _counted(self, answered: Answered) -> Usage | None:
        """The tokens of an answer whose server counted nothing while it streamed.

        Each piece of an answer is one token. Where that was chosen for this server, it is asked
        to count the same prompt, which is a request of its own.
        """
        outbound, provider = self.outbound, self.provider
        if outbound.zone != "lan" or outbound.dialect != "openai" or not answered.pieces:
            return None
        if not provider.counts_tokens:
            return Usage(completion_tokens=answered.pieces)
        body = decoded(outbound.body, dict[str, Any])
        body.pop("stream_options", None)
        limit = "max_tokens" if "max_tokens" in body else provider.max_tokens_field
        body.update({"stream": False, limit: 1})
        asked = msgspec.structs.replace(outbound, body=msgspec.json.encode(body), max_tokens=1)
        sent = self.dependencies.sent
        sent_id = sent.keep(asked, host=host_of(self.url), message_id=self.request.message_id)
        request = CountPrompt(
            outbound.provider,
            self.url + outbound.path,
            asked.body,
            key=outbound.provider if outbound.has_key else "",
            title=outbound.provider_title,
            label=self.request.label,
        )
        try:
            counted = self.dependencies.gate.ask(
                request,
                reply_type=Counted,
                cancel=self.cancel,
                purpose=purpose_of(self.info.name, sent_id, what="token count"),
                near=provider.near_hosts,
            )
            sent.settle(sent_id, "ok")
        except (LockhouseError, Cancelled) as error:
            counted = Counted()  # the answer is there; its prompt stays uncounted
            sent.settle(sent_id, getattr(error, "code", "cancelled"))
        return Usage(counted.prompt_tokens, completion_tokens=answered.pieces)

    def _read(self, stream: Generator[Any, None, bytes]) -> Generator[Event, None, Answered]:
        while True:
            try:
                event = next(stream)
            except StopIteration as end:
                return decoded(end.value, Answered)
            yield from self._take(event)

    def _take(self, event: RemoteEvent) -> list[Any]:
        if isinstance(event, Text | Reasoning):
            if not self.first_token_s:
                self.first_token_s = time.perf_counter() - self.started
            return list(self.stream.take(event))
        if isinstance(event, TextWasReasoning):
            return list(self.stream.relabel())
        if isinstance(event, ToolCall):  # handed on at the end: they cannot be taken back
            self.tool_calls.append(event)
            return []
        if isinstance(event, Usage):
            self.usage = event
        return [event]

    # -- ends --------------------------------------------------------------------------------------

    def _settle(
        self, outcome: str, answered: Answered | None = None, *, nothing_came: bool = False
    ) -> Cost | None:
        """Put what it cost in place of what was reserved. ``nothing_came``: it is given back."""
        self.is_settled = True
        budget, cost = self.dependencies.budget, None
        usage = (answered.usage if answered else None) or self.usage
        if nothing_came or not self.url:  # nobody was asked
            budget.release(self.reservation)
        else:
            calls = sum(len(call.arguments.encode()) for call in self.tool_calls)
            cost = budget.settle(
                self.reservation,
                usage,
                cache_write_tokens=answered.cache_write_tokens if answered else 0,
                reported_cost=answered.reported_cost if answered else "",
                received_bytes=self.stream.received_bytes + calls,
                is_complete=answered is not None,
            )
        host = host_of(self.url) if self.url else ""
        if self.sent_id:  # else nothing left since the last one was over
            self.dependencies.sent.settle(self.sent_id, outcome, host=host, usage=usage, cost=cost)
        return cost

    def _is_free(self, error: LockhouseError) -> bool:
        """Whether it is certain that nothing was computed, and so nothing is paid for."""
        came = self.stream.received_bytes or self.tool_calls or self.usage is not None
        return not came and _nothing_came_of(error)

    def _finished(self, answered: Answered) -> Finished:
        cost = self._settle("ok", answered)
        reason: FinishReason = "length" if answered.finish_reason == "length" else "stop"
        return self._end(reason, answered.usage or self.usage or Usage(), answered.model, cost)

    def _end(self, reason: FinishReason, usage: Usage, model: str, cost: Cost | None) -> Finished:
        total_s = time.perf_counter() - self.started
        writing_s = total_s - self.first_token_s
        per_second = (
            usage.completion_tokens / writing_s if self.first_token_s and writing_s > 0 else 0.0
        )
        return Finished(
            reason,
            usage=usage,
            timing=Timing(
                first_token_s=round(self.first_token_s, 4),
                total_s=round(total_s, 4),
                tokens_per_s=round(per_second, 2),
            ),
            parameters=parameters_of(self.outbound.body),
            engine=EngineBuild(name=self.outbound.provider_title),
            context_length=self.info.context_length,
            cost=cost,
            host=host_of(self.url or self.outbound.endpoints[0]),
            model=model or self.outbound.model,
            sent_sha256=self.outbound.sha256,
        )


def require_key(provider: Provider, *, has_key: bool) -> None:
    """Raises InvalidInput where a provider wants a key and there is none."""
    if provider.key == "required" and not has_key:
        raise InvalidInput(
            f"There is no key for {provider.title}.",
            hint=f"Save its key: lockhouse keys set {provider.name}",
            code="key_missing",
        )


def _nothing_came_of(error: LockhouseError) -> bool:
    """Whether an error before the first word means that nothing was computed."""
    if isinstance(error, RemoteFailure):
        never_left = ("host_not_allowed", "dns", "connection_refused", "network_unreachable", "tls")
        return error.status >= 400 or error.code in never_left
    return error.code != CUT_OFF


# What is no setting: what was said, to whom, and in which form it comes back.
_NO_SETTINGS = frozenset(
    {
        "contents", "messages", "model", "response_format", "stream", "stream_options", "system",
        "systemInstruction", "system_instruction", "tools",
    }
)  # fmt: skip


def parameters_of(body: bytes) -> dict[str, object]:
    """The settings in a body, without anything that was said."""
    value = decoded(body, dict[str, Any])
    return {name: setting for name, setting in value.items() if name not in _NO_SETTINGS}


def require_open(gate: GateClient, provider: Provider, endpoints: Iterable[str]) -> None:
    """Raises NetworkRefused where nothing could leave now. Of equal servers, one is enough."""
    ways = {gate.way_to([host_of(url)]) for url in endpoints}
    if "open" in ways:
        return
    if "not_listed" in ways:
        hosts = ", ".join(provider.hosts)
        raise NetworkRefused(
            f"Nothing was sent: network access does not include {hosts}.",
            code="host_not_allowed",
        )
    raise gate.why_closed()


def map_error(error: LockhouseError, provider: Provider, gate: GateClient) -> LockhouseError:
    """The same error with what to do about it for this very provider."""
    if error.code not in ("sealed", CUT_OFF, "host_not_allowed"):
        return error
    way = gate.way_to(provider.hosts)
    if way == "not_listed" or (way == "start_anew" and not _is_listed(gate, provider)):
        hint = f"Allow it too: lockhouse unseal --add --for {provider.name}"
    elif way in ("sealed", "sealed_meanwhile", "damaged"):
        hint = f"Allow it for {provider.title} alone: lockhouse unseal --for {provider.name}"
    else:
        return error
    if gate.status().way not in ("sealed", "open"):
        hint += ". Then restart this program."
    return type(error)(error.message, hint=hint, code=error.code)


def _is_listed(gate: GateClient, provider: Provider) -> bool:
    listed = gate.state.all_hosts
    return all(allows(listed, *split_host(host)) for host in provider.hosts)
