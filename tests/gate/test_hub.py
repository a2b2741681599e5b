"""The broker's answers about a hub, from the real client library and a loopback hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, NotFound
from lockhouse.gate.broker.hub import quantization_of
from lockhouse.gate.hub import Hub
from lockhouse.gate.hub_requests import FetchFile
from lockhouse.gate.protocol import RemoteFailure
from tests.hub.content import ALWAYS, Blob, Fault, commit_of
from tests.hub.direct import DirectGate
from tests.hub.server import TOKEN, HubServer

CARD = b"---\nlicense: mit\ntags:\n- x\n---\n# A model\n\nWords.\n"
CONTENT = os.urandom(3 << 20)


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        yield hub


@pytest.fixture
def hub(server: HubServer) -> Hub:
    return Hub(DirectGate(server.url))


def test_search_goes_through_all_pages_in_order(server: HubServer, hub: Hub) -> None:
    server.page = 7
    for number in range(20):
        server.add(f"org/Model-{number}-GGUF", {"m.gguf": b"GGUF"}, downloads=number)
    assert [model.downloads for model in hub.search("model")] == list(range(19, -1, -1))
    assert len(hub.search("model", limit=10)) == 10
    assert hub.search("nothing of the kind") == []


def test_search_by_licence_language_and_ability(server: HubServer, hub: Hub) -> None:
    server.add("a/German-GGUF", {"m.gguf": b""}, card={"license": "mit", "language": ["de"]})
    server.add("a/Seeing-GGUF", {"m.gguf": b""}, pipeline_tag="image-text-to-text")
    server.add("a/Thinking-GGUF", {"m.gguf": b""}, tags=("reasoning",))
    assert [model.repo for model in hub.search("", license="mit")] == ["a/German-GGUF"]
    assert [model.repo for model in hub.search("", language="de")] == ["a/German-GGUF"]
    assert [model.repo for model in hub.search("", capability="vision")] == ["a/Seeing-GGUF"]
    assert [model.repo for model in hub.search("", capability="reasoning")] == ["a/Thinking-GGUF"]


def test_a_repository_with_everything_that_is_said_of_it(server: HubServer, hub: Hub) -> None:
    files = {
        "README.md": CARD,
        "m-Q4_K_M.gguf": CONTENT,
        "m-Q8_0-00001-of-00002.gguf": CONTENT[:100],
        "m-Q8_0-00002-of-00002.gguf": CONTENT[:50],
        "mmproj-F16.gguf": b"GGUF",
        "../../evil.gguf": b"GGUF",
        "model.safetensors": b"x",
    }
    repo = server.add(
        "org/Model-GGUF", dict(files),
        gguf={"total": 7, "architecture": "llama", "context_length": 4096},
        card={"license": "other", "license_name": "own-1.0", "license_link": "https://x.example/l",
              "base_model": ["org/Model"], "language": ["en", "de"]},
        pipeline_tag="text-generation", gated="auto",
    )  # fmt: skip
    found = hub.repo("org/Model-GGUF")
    assert found.revision == repo.main
    assert (found.license, found.license_url) == ("own-1.0", "https://x.example/l")
    assert (found.parameters, found.architecture, found.context_length) == (7, "llama", 4096)
    assert (found.base_model, found.languages, found.gated) == ("org/Model", ("en", "de"), "auto")
    assert set(found.capabilities) == {"chat", "vision"}
    by_name = {file.name: file for file in found.files}
    assert set(by_name) == set(files) - {"README.md", "../../evil.gguf", "model.safetensors"}
    blob = repo.commits[repo.main]["m-Q4_K_M.gguf"]
    assert by_name["m-Q4_K_M.gguf"].sha256 == blob.sha256
    assert by_name["m-Q4_K_M.gguf"].size_bytes == len(CONTENT)
    second = by_name["m-Q8_0-00002-of-00002.gguf"]
    assert (second.shard_index, second.shard_count, second.quantization) == (1, 2, "Q8_0")
    assert by_name["mmproj-F16.gguf"].is_projector


def test_a_revision_and_what_is_not_there(server: HubServer, hub: Hub) -> None:
    repo = server.add("org/Model-GGUF", {"m-Q8_0.gguf": CONTENT})
    first = repo.main
    repo.commits[commit_of("second")] = {"m-Q4_0.gguf": Blob(CONTENT[:10])}
    assert [file.name for file in hub.repo("org/Model-GGUF").files] == ["m-Q4_0.gguf"]
    assert [file.name for file in hub.repo("org/Model-GGUF", first).files] == ["m-Q8_0.gguf"]
    for name, revision in (("org/Model-GGUF", "nowhere"), ("org/none", "main"), ("a b", "main")):
        with pytest.raises(NotFound):
            hub.repo(name, revision)


@pytest.mark.parametrize(
    "pose",
    [
        {"id": "../../../home"},
        {"id": "/etc/cron.d"},
        {"id": "org/.."},
        {"id": "one"},
        {"sha": "../../../../tmp"},
        {"sha": "main"},
        {"sha": ""},
    ],
)
def test_a_hub_cannot_name_a_folder_elsewhere(
    server: HubServer, hub: Hub, pose: dict[str, str]
) -> None:
    server.add("org/Model-GGUF", {"m-Q8_0.gguf": CONTENT}).poses_as = pose
    with pytest.raises(RemoteFailure) as caught:
        hub.repo("org/Model-GGUF")
    assert caught.value.code == "hub_answer_invalid"


def test_the_card_comes_without_its_metadata_and_cut(server: HubServer, hub: Hub) -> None:
    repo = server.add("org/Model-GGUF", {"README.md": CARD})
    assert hub.card("org/Model-GGUF", repo.main) == "# A model\n\nWords."
    bare = server.add("org/Bare-GGUF", {"m.gguf": b""})
    assert hub.card("org/Bare-GGUF", bare.main) == ""
    # Written so that a search for the end of its metadata would not come to one.
    blank = server.add("org/Blank-GGUF", {"README.md": b"---" + b"\n" * (250 << 10)})
    assert hub.card("org/Blank-GGUF", blank.main) == "---"
    long = server.add("org/Long-GGUF", {"README.md": b"x" * (900 << 10)})
    assert len(hub.card("org/Long-GGUF", long.main)) == 256 << 10


@pytest.mark.parametrize("always", [0, ALWAYS], ids=["ranges", "no ranges"])
def test_the_start_of_a_file(server: HubServer, hub: Hub, always: int) -> None:
    blob = Blob(CONTENT, faults=[Fault("no range", times=always)])
    repo = server.add("org/Model-GGUF", {"m.gguf": blob})
    assert hub.start("org/Model-GGUF", "m.gguf", repo.main, count=70_000) == CONTENT[:70_000]
    assert hub.start("org/Model-GGUF", "m.gguf", repo.main, count=1 << 25) == CONTENT


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_told_at_once(server: HubServer, hub: Hub, status: int) -> None:
    server.add("org/Model-GGUF", {"m.gguf": b""})
    server.busy = [(status, 90)]
    with pytest.raises(RemoteFailure) as told:
        hub.search("model")
    assert (told.value.status, told.value.retry_after_s) == (status, 90)
    assert len(server.requests) == 1, "the library would wait and try again by itself"


def test_a_token_opens_what_is_gated(server: HubServer, hub: Hub) -> None:
    repo = server.add("org/Gated-GGUF", {"m.gguf": CONTENT}, gated="auto")
    with pytest.raises(RemoteFailure) as refused:
        hub.start("org/Gated-GGUF", "m.gguf", repo.main, count=10)
    assert (refused.value.code, refused.value.status) == ("gated", 401)
    known = Hub(DirectGate(server.url, token=TOKEN))
    assert known.start("org/Gated-GGUF", "m.gguf", repo.main, count=10) == CONTENT[:10]
    with_token = [each for each in server.requests if "authorization" in each.headers]
    assert {each.port for each in with_token} == {"hub"}, "the token went to the other host"


def fetch_request(server: HubServer, start: int, end: int, write_at: int) -> FetchFile:
    repo = server.repos["org/Model-GGUF"]
    return FetchFile(
        repo.name, "m.gguf", repo.main, len(CONTENT), repo.commits[repo.main]["m.gguf"].sha256,
        start, end, write_at, idle_timeout_s=0.5,
    )  # fmt: skip


def test_a_part_is_written_where_it_belongs(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.add("org/Model-GGUF", {"m.gguf": CONTENT})
    path = tmp_path / "part"
    path.write_bytes(b"-" * 100)
    seen: list[int] = []
    with path.open("r+b") as file:
        request = fetch_request(server, 1000, 50_000, 100)
        ended = hub.fetch(request, file.fileno(), progress=seen.append)
    assert (ended.end, ended.written_bytes) == ("complete", 49_000)
    assert path.read_bytes() == b"-" * 100 + CONTENT[1000:50_000]
    assert seen[-1] == 49_000


def test_no_part_beyond_the_file_is_asked_for(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.add("org/Model-GGUF", {"m.gguf": CONTENT})
    request = fetch_request(server, 0, len(CONTENT) + 1, 0)
    with (tmp_path / "part").open("wb") as file, pytest.raises(InvalidInput):
        hub.fetch(request, file.fileno(), progress=lambda _: None)
    assert not server.requests


def test_a_wish_to_stop_ends_a_fetch(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.add("org/Model-GGUF", {"m.gguf": Blob(CONTENT, faults=[Fault("drip", 0, 100_000)])})
    cancel = CancelToken()
    with (tmp_path / "part").open("wb") as file, pytest.raises(Cancelled):
        hub.fetch(
            fetch_request(server, 0, len(CONTENT), 0),
            file.fileno(),
            progress=lambda _: cancel.cancel(),
            cancel=cancel,
        )
    assert CONTENT.startswith((tmp_path / "part").read_bytes())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("model-IQ2_XXS.gguf", "IQ2_XXS"),
        ("model.Q8_0.gguf", "Q8_0"),
        ("model-UD-Q4_K_XL-00001-of-00003.gguf", "UD-Q4_K_XL"),
        ("Q5_K_S/model-Q5_K_S.gguf", "Q5_K_S"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("model-fp16.gguf", "F16"),
        ("model-bf16.gguf", "BF16"),
        ("model.gguf", ""),
        ("Qwen3-8B.gguf", ""),
    ],
)
def test_the_form_that_a_name_states(name: str, form: str) -> None:
    assert quantization_of(name) == form


def test_a_token_that_the_hub_refuses_keeps_nothing_public_away(
    server: HubServer, tmp_path: Path
) -> None:
    server.add("org/Open-GGUF", {"m-Q4_K_M.gguf": CONTENT, "README.md": CARD})
    server.add("org/Own-GGUF", {"m-Q4_K_M.gguf": CONTENT}, private=True)
    for number, first in enumerate(("repo", "card", "start", "fetch")):
        hub = Hub(DirectGate(server.url, token=f"hf_a_wrong_one_{number}"))
        revision = server.repos["org/Open-GGUF"].main
        file = ("org/Open-GGUF", "m-Q4_K_M.gguf", revision)
        if first == "repo":
            assert hub.repo("org/Open-GGUF").token_refused
        elif first == "card":
            assert hub.card("org/Open-GGUF", revision).startswith("# A model")
        elif first == "start":
            assert hub.start(*file, count=10) == CONTENT[:10]
        else:
            request = FetchFile(*file, len(CONTENT), server.repos["org/Open-GGUF"].commits[revision]
                                ["m-Q4_K_M.gguf"].sha256, 0, 100, 0)  # fmt: skip
            with (tmp_path / "part").open("wb") as part:
                fetched = hub.fetch(request, part.fileno(), progress=lambda _: None)
            assert fetched.end == "complete"
        with pytest.raises(NotFound) as raised:
            hub.repo("org/Own-GGUF")
        assert "lockhouse keys set huggingface" in raised.value.hint
        tokens = [each.headers.get("authorization", "") for each in server.requests]
        assert sum(bool(token) for token in tokens) == number + 1, "sent once, then left out"
    assert not Hub(DirectGate(server.url)).repo("org/Open-GGUF").token_refused
