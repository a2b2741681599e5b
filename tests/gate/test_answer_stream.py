"""Answers of providers through a real broker: what is sent, what comes, and every fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput
from lockhouse.core.events import Notice, Reasoning, Text, Usage
from lockhouse.core.messages import ToolCall, Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.client import GateClient
from lockhouse.gate.dialects import dialect
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import (
    Answered,
    DialectName,
    ListedModels,
    ListModels,
    RemoteEvent,
    SendAnswerRequest,
)
from tests.remote.open_home import OpenHome
from tests.remote.replies import Call, Fault, Reply
from tests.remote.server import RemoteServer

KEY = "sk-the-right-one-0123456789"
WHOLE = "Grüße from elsewhere 🏔️."
DIALECTS: tuple[DialectName, ...] = ("openai", "anthropic", "gemini")


@dataclass(frozen=True, slots=True)
class Scene:
    """An open home with a server for each dialect, and one that nobody may be sent to."""

    gate: GateClient
    servers: dict[DialectName, RemoteServer]
    elsewhere: RemoteServer
    home: OpenHome

    def provider(self, name: DialectName) -> Provider:
        return Provider(name, name.title(), name, "cloud", (self.servers[name].endpoint,))

    def request(self, name: DialectName, model: str = "small", **more: object) -> SendAnswerRequest:
        spoken, provider = dialect(name), self.provider(name)
        body = spoken.body(
            provider, model, AnswerRequest((Turn("user", "Hi"),), left_open=OPEN), max_tokens=100
        )
        url = provider.endpoints[0] + spoken.path(model)
        request = SendAnswerRequest(
            name, name, url, spoken.headers(provider), body, name, title=provider.title
        )
        limits = {"first_token_s": 10.0, "idle_s": 10.0, "total_s": 20.0, "attempts": 1}
        return type(request)(**{**_fields(request), **limits, **more})  # type: ignore[arg-type]


OPEN = ("temperature", "top_p", "top_k", "min_p")


def _fields(request: SendAnswerRequest) -> dict[str, object]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(RemoteServer(name, KEY)) for name in DIALECTS}
        elsewhere = stack.enter_context(RemoteServer())
        hosts = [server.host for server in servers.values()]
        home = stack.enter_context(OpenHome(tmp_path_factory.mktemp("answers") / "home", hosts))
        for name, server in servers.items():
            home.gate.use_key(name, KEY, [server.host])
        yield Scene(home.gate, servers, elsewhere, home)
        assert "Traceback" not in home.log()
        assert KEY not in home.log()


@pytest.fixture
def scene(made: Scene) -> Scene:
    """The same, its servers as new."""
    for server in (*made.servers.values(), made.elsewhere):
        server.reply, server.gone_at = Reply(), 0.0
        server.requests.clear()
        server.faults.clear()
        server.stalled.clear()
        server.gone.clear()
    return made


@dataclass(slots=True)
class Outcome:
    """What came, and how it ended."""

    events: list[RemoteEvent]
    answered: Answered | None = None
    error: RemoteFailure | None = None
    duration_s: float = 0.0

    def of(self, kind: type) -> list[RemoteEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text))

    @property
    def code(self) -> str:
        return self.error.code if self.error else ""


def ask(gate: GateClient, request: SendAnswerRequest, cancel: CancelToken | None = None) -> Outcome:
    outcome, began = Outcome([]), time.monotonic()
    stream = gate.stream(request, event_type=RemoteEvent, cancel=cancel)
    try:
        while True:
            outcome.events.append(next(stream))
    except StopIteration as end:
        outcome.answered = msgspec.json.decode(end.value, type=Answered)
    except RemoteFailure as error:
        outcome.error = error
    outcome.duration_s = time.monotonic() - began
    return outcome


# --- what leaves ---------------------------------------------------------------------------

SENT: dict[DialectName, tuple[str, list[tuple[str, str]], bytes]] = {
    "openai": (
        "/v1/chat/completions",
        [("authorization", f"Bearer {KEY}")],
        (
            b'{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true,'
            b'"stream_options":{"include_usage":true},"max_tokens":100}'
        ),
    ),
    "anthropic": (
        "/v1/messages",
        [("anthropic-version", "2023-06-01"), ("x-api-key", KEY)],
        (
            b'{"model":"small","max_tokens":100,"messages":[{"role":"user","content":"Hi"}],'
            b'"stream":true}'
        ),
    ),
    "gemini": (
        "/v1beta/models/small:streamGenerateContent?alt=sse",
        [("x-goog-api-key", KEY)],
        (
            b'{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],'
            b'"generationConfig":{"maxOutputTokens":100}}'
        ),
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_exactly_these_bytes_and_headers_leave(scene: Scene, name: DialectName) -> None:
    """Whoever the user is, whatever the machine: the same for everyone but the key."""
    path, of_dialect, body = SENT[name]
    assert ask(scene.gate, scene.request(name)).text == WHOLE
    (sent,) = scene.servers[name].requests
    assert (sent.method, sent.path, sent.body) == ("POST", path, body)
    assert sorted((key.lower(), value) for key, value in sent.headers) == sorted(
        [
            ("accept", "text/event-stream"),
            ("accept-encoding", "identity"),
            ("connection", "keep-alive"),
            ("content-length", str(len(body))),
            ("content-type", "application/json"),
            ("host", scene.servers[name].host),
            ("user-agent", "lockhouse"),
            *of_dialect,
        ]
    )


@pytest.mark.parametrize("name", DIALECTS)
def test_a_list_of_models_is_asked_for_as_plainly(scene: Scene, name: DialectName) -> None:
    server = scene.servers[name]
    request = ListModels(name, name, server.endpoint, name)
    listed = scene.gate.ask(request, reply_type=ListedModels)
    assert [model.name for model in listed.models] == ["small", "large"]
    assert listed.duration_s > 0
    (sent,) = server.requests
    of_dialect = {"openai": {"authorization"}, "gemini": {"x-goog-api-key"}}
    assert {key.lower() for key, _ in sent.headers} == {
        "host", "accept", "accept-encoding", "connection", "user-agent",
        *of_dialect.get(name, {"x-api-key", "anthropic-version"}),
    }  # fmt: skip
    assert sent.body == b""


def test_the_buffer_is_sent_as_it_is(scene: Scene) -> None:
    """Not decoded and written again: odd white space and order survive."""
    odd = b'{ "stream" : true,\n\t"model":"small", "messages":[] , "\xc3\xa9":1.50 }'
    ask(scene.gate, scene.request("openai", body=odd))
    assert scene.servers["openai"].requests[0].body == odd


def test_more_than_can_be_sent_is_told_before(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="MiB") as caught:
        ask(scene.gate, scene.request("openai", body=b"x" * (49 << 20)))
    assert caught.value.code == "too_large"
    assert scene.servers["openai"].requests == []


def test_a_key_goes_to_its_own_host_only(scene: Scene) -> None:
    """Another provider's key is not taken along, and a host without a key gets none."""
    url = scene.request("anthropic").url
    told = ask(scene.gate, scene.request("openai", url=url)).error
    assert told is not None
    assert (told.code, told.status) == ("unauthorized", 401)
    assert "lockhouse keys set openai" in told.hint
    assert scene.servers["anthropic"].requests == []


def test_a_host_that_is_not_listed_gets_nothing(scene: Scene) -> None:
    url = f"{scene.elsewhere.endpoint}/chat/completions"
    assert ask(scene.gate, scene.request("openai", url=url, key="")).code == "host_not_allowed"
    assert scene.elsewhere.requests == []


# --- what comes ----------------------------------------------------------------------------

FULL = Reply(
    reasoning=("Let me", " think."),
    calls=(Call("call_a", "look_up", '{"word":"Grüße"}'), Call("call_b", "now", "{}")),
    prompt_tokens=1200,
    cached_tokens=1000,
    completion_tokens=70,
    reasoning_tokens=40,
)


@pytest.mark.parametrize("name", DIALECTS)
def test_text_reasoning_calls_and_counts_mean_the_same_everywhere(
    scene: Scene, name: DialectName
) -> None:
    scene.servers[name].reply = FULL
    outcome = ask(scene.gate, scene.request(name))
    assert outcome.text == WHOLE
    assert "".join(event.text for event in outcome.of(Reasoning)) == "Let me think."
    assert outcome.of(ToolCall) == [
        ToolCall("call_a", "look_up", '{"word":"Grüße"}'),
        ToolCall("call_b", "now", "{}"),
    ]
    answered = outcome.answered
    assert answered is not None
    assert answered.finish_reason == "tool_calls"
    assert answered.usage == Usage(1200, 1000, 70, 40) == outcome.of(Usage)[-1]
    assert answered.model.startswith("small-")
    assert answered.response_id
    assert 0 < answered.first_byte_s <= answered.first_token_s <= answered.total_s


def test_what_was_written_to_a_cache_belongs_to_the_prompt(scene: Scene) -> None:
    scene.servers["anthropic"].reply = Reply(
        prompt_tokens=1000, cached_tokens=300, cache_write_tokens=500
    )
    answered = ask(scene.gate, scene.request("anthropic")).answered
    assert answered is not None
    assert answered.usage == Usage(1000, 300, 9, 0)
    assert answered.cache_write_tokens == 500


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("fault", ["split-utf8", "cr", "comments", "no-usage"])
def test_what_is_odd_but_allowed_is_read(scene: Scene, name: DialectName, fault: str) -> None:
    outcome = ask(scene.gate, scene.request(name, f"fault-{fault}"))
    assert (outcome.text, outcome.code) == (WHOLE, "")
    assert outcome.answered is not None
    assert (outcome.answered.usage is None) == (fault == "no-usage")


def test_the_connection_is_used_again(scene: Scene) -> None:
    for _ in range(3):
        assert ask(scene.gate, scene.request("openai")).text == WHOLE
    assert len({sent.port for sent in scene.servers["openai"].requests}) == 1


# --- faults --------------------------------------------------------------------------------

# Per fault: the code, and whether text has come by then.
FAULTS = {
    "400": ("not_accepted", False),
    "401": ("unauthorized", False),
    "402": ("no_credit", False),
    "403": ("forbidden", False),
    "404": ("model_not_found", False),
    "408": ("timed_out", False),
    "413": ("too_large", False),
    "429": ("rate_limited", False),
    "500": ("remote_failed", False),
    "503": ("overloaded", False),
    "529": ("overloaded", False),
    "context": ("context_too_long", False),
    "quota": ("no_credit", False),
    "blocked": ("content_refused", False),
    "refused": ("content_refused", True),
    "reset-before": ("connection_lost", False),
    "reset-middle": ("connection_lost", True),
    "cut": ("connection_lost", True),
    "no-end": ("connection_lost", True),
    "malformed": ("bad_stream", True),
    "empty": ("connection_lost", False),
    "not-sse": ("bad_stream", False),
    "huge-line": ("bad_stream", True),
    "wrong-type": ("bad_stream", False),
    "redirect": ("redirected", False),
    "error-first": ("", False),
    "error-inside": ("", True),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_in_its_error(scene: Scene, name: DialectName, fault: str) -> None:
    """With what came before it, what happened and what to do; and never asked twice."""
    server = scene.servers[name]
    outcome = ask(scene.gate, scene.request(name, f"fault-{fault}", attempts=3, most_wait_s=0.0))
    code, has_text = FAULTS[fault]
    of_dialect = "remote_failed" if name == "openai" else "overloaded"
    assert outcome.code == (code or of_dialect)
    assert bool(outcome.text) == has_text
    assert WHOLE.startswith(outcome.text)
    assert outcome.answered is None
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert outcome.error.hint
    if fault not in ("context", "reset-before"):
        told = outcome.error.message + outcome.error.hint
        assert name.title() in told or fault == "huge-line"
    if fault.isdecimal() and not (name == "gemini" and fault == "401"):
        assert outcome.error.status == int(fault)
    assert KEY not in outcome.error.message + outcome.error.hint
    assert len(server.asked()) == 1


@pytest.mark.parametrize(
    ("fault", "limits", "code"),
    [
        ("stall-before", {"first_token_s": 0.3}, "stalled"),
        ("stall-head", {"first_token_s": 0.3}, "stalled"),
        ("stall-middle", {"idle_s": 0.3}, "stalled"),
        ("drip", {"idle_s": 5.0, "total_s": 0.5}, "timed_out"),
        ("stall-middle", {"total_s": 0.5}, "timed_out"),
        ("stall-before", {"total_s": 0.5}, "timed_out"),
    ],
)
@pytest.mark.parametrize("name", DIALECTS)
def test_silence_ends_at_its_own_limit(
    scene: Scene, name: DialectName, fault: str, limits: dict[str, float], code: str
) -> None:
    outcome = ask(scene.gate, scene.request(name, f"fault-{fault}", attempts=3, **limits))
    assert outcome.code == code
    assert bool(outcome.text) == (fault in ("stall-middle", "drip"))
    assert outcome.duration_s >= min(limits.values())
    assert len(scene.servers[name].asked()) == 1


def test_signs_of_life_are_no_first_token(scene: Scene) -> None:
    """A proxy that sends comments while nothing answers does not hold the line for ever."""
    scene.servers["openai"].faults.append(Fault("comments-only"))
    outcome = ask(scene.gate, scene.request("openai", first_token_s=0.3, idle_s=5.0))
    assert outcome.code == "stalled"
    assert outcome.text == ""


@pytest.mark.parametrize("name", DIALECTS)
def test_of_a_list_only_what_can_be_shown_and_kept_is_taken(
    scene: Scene, name: DialectName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes a list may write anything into it, and a program keeps it."""
    server = scene.servers[name]
    listed = {
        "a/" * 100_000: {},
        "turned\u202eround": {},
        "two\nlines": {},
        "small": {"max_input_tokens": -5, "max_model_len": -5, "inputTokenLimit": -5},
        **{f"m{number}": {"max_tokens": 10**30} for number in range(6000)},
    }
    monkeypatch.setattr(server, "models", listed)
    request = ListModels(name, name, server.endpoint, name)
    found = scene.gate.ask(request, reply_type=ListedModels).models
    assert [model.name for model in found[:2]] == ["small", "m0"]
    assert len(found) == 5000
    assert all(0 <= model.context_length < 1 << 40 for model in found)
    assert all(0 <= model.max_output_tokens < 1 << 40 for model in found)


def test_a_server_of_ones_own_network_is_near_however_it_was_opened(tmp_path: Path) -> None:
    """Here as a host of the internet, which any name could lead to."""
    host = "203.0.113.7:443"
    request = ListModels("office", "openai", f"https://{host}/v1", timeout_s=1.0)
    with OpenHome(tmp_path / "home", [host]) as home, pytest.raises(RemoteFailure) as caught:
        home.gate.ask(request, reply_type=ListedModels, near=(host,))
    assert caught.value.code == "host_not_allowed"
    assert "local network" in caught.value.message


def test_a_redirect_is_named_and_not_followed(scene: Scene) -> None:
    scene.servers["openai"].faults.append(Fault("redirect", to=f"{scene.elsewhere.endpoint}/x"))
    outcome = ask(scene.gate, scene.request("openai"))
    assert outcome.code == "redirected"
    assert outcome.error is not None
    assert scene.elsewhere.host in outcome.error.message
    assert scene.elsewhere.requests == []


def test_a_wrong_key_is_not_shown_even_when_the_provider_quotes_it(scene: Scene) -> None:
    said = f"We do not know the secret {KEY}, friend"
    scene.servers["openai"].faults += [
        Fault("500", retry_after="0.05", said=said),
        Fault("400", said=said),
    ]
    outcome = ask(scene.gate, scene.request("openai", attempts=2))
    (notice,) = outcome.of(Notice)
    assert isinstance(notice, Notice)
    assert outcome.error is not None
    for told in (notice.message, outcome.error.message):
        assert "We do not know the secret" in told
        assert KEY not in told


# --- again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALECTS)
def test_what_passes_is_asked_again_as_long_as_the_provider_says(
    scene: Scene, name: DialectName
) -> None:
    server = scene.servers[name]
    server.faults += [Fault("429", retry_after="0.2"), Fault("529", retry_after="0.1")]
    outcome = ask(scene.gate, scene.request(name, attempts=3, most_wait_s=5.0))
    assert outcome.text == WHOLE
    assert outcome.duration_s >= 0.3
    notices = outcome.of(Notice)
    assert [event.code for event in notices if isinstance(event, Notice)] == ["waiting"] * 2
    assert len(server.asked()) == 3
    assert len({sent.body for sent in server.asked()}) == 1


def test_a_connection_that_breaks_before_the_answer_is_made_again(scene: Scene) -> None:
    scene.servers["openai"].faults.append(Fault("reset-before"))
    assert ask(scene.gate, scene.request("openai", attempts=2)).text == WHOLE
    assert len(scene.servers["openai"].asked()) == 2


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (Fault("429", retry_after="60"), 1),  # longer than anybody wants to wait
        (Fault("quota"), 1),
        (Fault("401"), 1),
        (Fault("404"), 1),
        (Fault("400"), 1),
        (Fault("500", retry_after="0.01"), 3),
    ],
)
def test_what_does_not_pass_is_not_asked_again(scene: Scene, fault: Fault, asked: int) -> None:
    server = scene.servers["openai"]
    server.faults += [fault] * 3
    outcome = ask(scene.gate, scene.request("openai", attempts=3, most_wait_s=1.0))
    assert len(server.asked()) == asked
    assert outcome.error is not None
    assert outcome.error.retry_after_s == float(fault.retry_after or 0)
    if fault.retry_after == "60":
        assert "60 s" in outcome.error.hint


# --- taking it back ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["stall-before", "stall-head", "stall-middle"])
@pytest.mark.parametrize("name", DIALECTS)
def test_taking_it_back_ends_the_connection(scene: Scene, name: DialectName, fault: str) -> None:
    server, cancel = scene.servers[name], CancelToken()
    ended: list[object] = []

    def answer() -> None:
        try:
            ended.append(ask(scene.gate, scene.request(name, f"fault-{fault}"), cancel))
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=answer)
    thread.start()
    assert server.stalled.wait(10)
    cancel.cancel()
    assert server.gone.wait(10)
    thread.join()
    assert isinstance(ended[0], Cancelled)


def test_taking_it_back_ends_a_wait(scene: Scene) -> None:
    scene.servers["openai"].faults += [Fault("429", retry_after="30")] * 3
    cancel, began = CancelToken(), time.monotonic()
    stream = scene.gate.stream(
        scene.request("openai", attempts=3, most_wait_s=60.0, total_s=90.0),
        event_type=RemoteEvent,
        cancel=cancel,
    )
    assert isinstance(next(stream), Notice)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(stream)
    assert time.monotonic() - began < 25  # not the 30 seconds it was asked to wait
    assert ask(scene.gate, scene.request("anthropic")).text == WHOLE


def test_closing_the_stream_takes_it_back(scene: Scene) -> None:
    stream = scene.gate.stream(
        scene.request("openai", "fault-stall-middle"), event_type=RemoteEvent
    )
    assert isinstance(next(stream), Text)
    stream.close()
    assert scene.servers["openai"].gone.wait(10)
