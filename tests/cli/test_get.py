"""Models from a hub by command: the program, its broker and a loopback hub, all real."""

from __future__ import annotations

import hashlib
import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.hub.content import ALWAYS, Blob, Fault, commit_of
from tests.hub.server import HubServer

MB = 1 << 20
KILLS = int(os.environ.get("LOCKHOUSE_TEST_KILLS", "2"))
REPO = "org/Tiny-GGUF"
GGUF = {"total": 134_515_008, "architecture": "llama", "context_length": 8192}


@pytest.fixture(scope="module")
def model() -> Path:
    path = starter_model()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def sha256(model: Path) -> str:
    return hashlib.sha256(model.read_bytes()).hexdigest()


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def sealed(tmp_path: Path, environment: dict[str, str], hub: HubServer) -> Command:
    return Command(tmp_path / "home", {**environment, "HF_ENDPOINT": hub.url})


@pytest.fixture
def lockhouse(sealed: Command, hub: HubServer) -> Command:
    """A home that may reach the hub and the host it redirects to."""
    hosts = [word for host in hub.hosts for word in ("--host", host)]
    assert sealed("unseal", *hosts).code == 0
    return sealed


def offer(hub: HubServer, model: Path, *faults: Fault, sha256: str) -> None:
    blob = Blob(model, sha256=sha256, faults=list(faults))
    hub.add(REPO, {"tiny-Q4_1.gguf": blob}, gguf=GGUF, card={"license": "apache-2.0"})


def test_a_sealed_home_asks_nobody(sealed: Command, hub: HubServer) -> None:
    for words in (["search", "tiny"], ["get", REPO], ["get", REPO, "--dry-run"]):
        refused = sealed("models", *words, "--json")
        assert refused.code == 4
        assert refused.json["error"]["code"] == "sealed"
        assert "unseal" in refused.json["error"]["hint"]
    assert not hub.requests


def test_search_tells_what_the_hub_has(lockhouse: Command, hub: HubServer) -> None:
    hub.page = 2
    for number in range(5):
        hub.add(f"org{number}/Tiny-{number}-GGUF", {"a-Q4_K_M.gguf": b"GGUF"}, gguf=GGUF,
                card={"license": "mit" if number else "apache-2.0"}, downloads=number)  # fmt: skip
    hub.add("org/Other-GGUF", {"a-Q4_K_M.gguf": b"GGUF"})
    found = lockhouse("models", "search", "tiny", "--license", "mit", "--json").json
    assert [model["repo"] for model in found] == [f"org{n}/Tiny-{n}-GGUF" for n in (4, 3, 2, 1)]
    assert found[0]["license"] == "mit"
    assert found[0]["parameters"] == GGUF["total"]
    assert "org0/Tiny-0-GGUF" in lockhouse("models", "search", "tiny").text
    headers = [request.headers for request in hub.requests]
    assert {header["user-agent"] for header in headers} == {"lockhouse"}


def test_a_model_is_fetched_once_and_answers_to_its_source(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, sha256=sha256)
    plan = lockhouse("models", "get", REPO, "--dry-run", "--json").json
    assert plan["license"] == "apache-2.0"
    assert [(each["label"], each["recommended"]) for each in plan["choices"]] == [("Q4_1", True)]
    assert plan["choices"][0]["fit"]["reason"]
    assert not (lockhouse.home / "models" / REPO).exists()

    fetched = lockhouse("models", "get", f"{REPO}:Q4_1", "--yes", "--json").json
    path = lockhouse.home / "models" / REPO / "tiny-Q4_1.gguf"
    assert path.read_bytes() == model.read_bytes()
    assert (fetched["sha256"], fetched["license"]) == (sha256, "apache-2.0")
    commit = hub.repos[REPO].main
    assert fetched["source"]["repo"] == REPO
    assert fetched["source"]["revision"] == commit

    before = hub.sent_bytes
    again = lockhouse("models", "get", f"{hub.url}/{REPO}/blob/{commit}/tiny-Q4_1.gguf")
    assert again.code == 0
    assert again.text == f"Already downloaded: {path}\n"
    assert "--yes" not in again.err
    assert hub.sent_bytes - before < 8 * MB, "only its header was looked at"
    surely = lockhouse("models", "get", REPO, "--yes")
    assert "already here, hash verified" in surely.text


def test_the_card_of_a_model_is_shown(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    page = b"# Tiny\nMade for tests.\n"
    files = {"tiny-Q4_1.gguf": Blob(model, sha256=sha256), "README.md": Blob(page, lfs=False)}
    hub.add(REPO, files, gguf=GGUF, card={"license": "apache-2.0"})
    assert lockhouse("models", "card", REPO).out == page
    assert lockhouse("models", "get", REPO, "--yes").code == 0
    told = lockhouse("models", "card", f"{REPO}:Q4_1", "--json").json
    assert (told["repo"], told["card"], told["license"]) == (
        REPO,
        page.decode().strip(),
        "apache-2.0",
    )
    hub.add("org/Bare-GGUF", {"a-Q4_1.gguf": Blob(model, sha256=sha256)}, gguf=GGUF)
    assert lockhouse("models", "card", "org/Bare-GGUF").code == 3


def test_a_newer_file_at_the_hub_is_seen_and_kept_beside_the_one_that_is_here(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, sha256=sha256)
    name = lockhouse("models", "get", REPO, "--yes", "--json").json["name"]
    assert "Nothing newer" in lockhouse("models", "updates").err
    repo, first = hub.repos[REPO], hub.repos[REPO].main
    repo.commits[commit_of("page only")] = {"tiny-Q4_1.gguf": repo.commits[first]["tiny-Q4_1.gguf"]}
    (same,) = lockhouse("models", "updates", "--json").json
    assert same["newer_revision"] == ""
    second = commit_of("second")
    other = bytearray(model.read_bytes())
    other[-1] ^= 1
    repo.commits[second] = {"tiny-Q4_1.gguf": Blob(bytes(other))}
    (newer,) = lockhouse("models", "updates", "--json").json
    assert (newer["revision"], newer["newer_revision"]) == (first, second)
    assert lockhouse("models", "show", name, "--json").json["newer_revision"] == second
    fetched = lockhouse("models", "get", f"{REPO}:Q4_1", "--json").json
    assert fetched["source"]["revision"] == second
    revisions = lockhouse("models", "revisions", fetched["name"], "--json").json
    assert [each["revision"] for each in revisions] == [first, second]
    assert the_hash(lockhouse) == sha256


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset", at=40 * MB),
        Fault("wrong bytes", at=60 * MB, length=33),
        Fault("status", at=503, after=2),  # the first two are for the header
    ],
    ids=lambda fault: fault.kind,
)
def test_a_fault_of_the_hub_does_no_harm(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str, fault: Fault
) -> None:
    offer(hub, model, fault, sha256=sha256)
    got = lockhouse("models", "get", REPO, "--yes")
    assert got.code == 0, got.err
    assert the_hash(lockhouse) == sha256


def the_hash(lockhouse: Command) -> str:
    path = lockhouse.home / "models" / REPO / "tiny-Q4_1.gguf"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_cannot_be_had_is_told_with_what_to_do(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    for name, gated in (("org/Gated-GGUF", "auto"), ("org/Approved-GGUF", "manual")):
        hub.add(name, {"a-Q4_1.gguf": Blob(model, sha256=sha256)}, gated=gated)
        refused = lockhouse("models", "get", name, "--yes", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (4, "gated")
        assert "lockhouse keys set huggingface" in refused.json["error"]["hint"]
    missing = lockhouse("models", "get", "org/none", "--json")
    assert (missing.code, missing.json["error"]["code"]) == (3, "not_found")
    offer(hub, model, sha256=sha256)
    for reference, code in ((f"{REPO}:Q8_0", 3), (f"{REPO}@nowhere", 3), ("not a name", 2)):
        assert lockhouse("models", "get", reference, "--yes", "--json").code == code
    hub.busy = [(429, 120)]
    busy = lockhouse("models", "search", "tiny", "--json")
    assert (busy.code, busy.json["error"]["code"]) == (4, "rate_limited")
    assert "120 s" in busy.json["error"]["hint"]


def test_a_redirect_to_a_host_that_is_not_listed_goes_nowhere(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    with HubServer() as other:
        offer(hub, model, Fault("elsewhere", text=other.url, times=ALWAYS), sha256=sha256)
        refused = lockhouse("models", "get", REPO, "--yes", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (4, "host_not_allowed")
        assert not other.requests
    listed = lockhouse("transfers", "list", "--json").json
    assert [each["state"] for each in listed] == ["failed"]


def test_a_file_that_is_not_gguf_is_refused_as_such(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, sha256=sha256)
    refused = lockhouse("models", "get", f"{REPO}:model.safetensors")
    assert refused.code == 3
    assert "model.safetensors is not GGUF and cannot be run here." in refused.err


@pytest.mark.parametrize("name", [REPO, f"hf.co/{REPO}", f"https://huggingface.co/{REPO}"])
def test_a_model_that_is_only_on_the_hub_is_named_with_the_command_to_get_it(
    sealed: Command, name: str
) -> None:
    refused = sealed("models", "show", name)
    assert refused.code == 3
    assert f"No model {name} is here." in refused.err
    assert f"lockhouse models get {name}" in refused.err


def test_a_download_that_another_program_cancels_ends_without_a_bug_report(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, Fault("drip", at=10 * MB, length=MB), sha256=sha256)
    program = lockhouse.start("models", "get", REPO, "--yes")
    until_bytes_came(lockhouse, program, 10 * MB)
    (queued,) = lockhouse("transfers", "list", "--json").json
    assert lockhouse("transfers", "cancel", queued["id"]).code == 0
    _, told = program.communicate()
    assert program.returncode == 4
    assert b"cancelled by another program" in told
    assert not part_bytes(lockhouse)


def test_a_wrong_hash_at_the_hub_is_never_accepted(
    lockhouse: Command, hub: HubServer, model: Path
) -> None:
    offer(hub, model, sha256="0" * 64)
    refused = lockhouse("models", "get", REPO, "--yes", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "hash_mismatch")
    assert not list((lockhouse.home / "models").rglob("*.gguf"))


def test_without_a_terminal_nothing_is_asked(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    files = {f"tiny-{form}.gguf": Blob(model, sha256=sha256) for form in ("Q4_1", "Q8_0")}
    hub.add(REPO, dict(files), gguf=GGUF)
    refused = lockhouse("models", "get", REPO, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "needs_confirmation")


def part_bytes(lockhouse: Command) -> int:
    parts = (lockhouse.home / "models" / ".downloads").rglob("*.part")
    return sum(part.stat().st_size for part in parts)


def until_bytes_came(lockhouse: Command, program: subprocess.Popen[bytes], least: int) -> None:
    while part_bytes(lockhouse) < least:
        assert program.poll() is None, program.stderr
        time.sleep(0.01)


def test_an_interrupt_pauses_and_says_how_to_go_on(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, Fault("drip", at=20 * MB, length=MB), sha256=sha256)
    program = lockhouse.start("models", "get", REPO, "--yes")
    until_bytes_came(lockhouse, program, 20 * MB)
    program.send_signal(signal.SIGINT)
    _, told = program.communicate()
    assert program.returncode == 130
    assert f"lockhouse models get {REPO}".encode() in told
    assert [each["state"] for each in lockhouse("transfers", "list", "--json").json] == ["paused"]
    sent = hub.sent_bytes
    assert lockhouse("models", "get", REPO, "--yes").code == 0
    assert the_hash(lockhouse) == sha256
    assert hub.sent_bytes - sent < model.stat().st_size - 19 * MB + 2 * MB


def test_another_program_pauses_and_the_limit_is_kept(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, Fault("drip", at=10 * MB, length=MB), sha256=sha256)
    program = lockhouse.start("models", "get", REPO, "--yes")
    until_bytes_came(lockhouse, program, 10 * MB)
    assert lockhouse("transfers", "pause").code == 0
    program.communicate()
    assert program.returncode == 4
    assert lockhouse("transfers", "limit", "300M", "--json").json == {
        "speed_limit_bytes_per_s": 300_000_000
    }
    done = lockhouse("transfers", "resume", "--json")
    assert [each["state"] for each in done.json] == ["done"]
    assert the_hash(lockhouse) == sha256


def test_sealing_ends_a_download_and_keeps_what_came(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    offer(hub, model, Fault("drip", at=10 * MB, length=MB), sha256=sha256)
    program = lockhouse.start("models", "get", REPO, "--yes")
    until_bytes_came(lockhouse, program, 10 * MB)
    assert lockhouse("seal").code == 0
    _, told = program.communicate()
    assert program.returncode == 4
    assert b"sealed" in told
    assert part_bytes(lockhouse) >= 10 * MB
    assert lockhouse("transfers", "resume").code == 4
    hosts = [word for host in hub.hosts for word in ("--host", host)]
    assert lockhouse("unseal", *hosts).code == 0
    assert lockhouse("transfers", "resume").code == 0
    assert the_hash(lockhouse) == sha256


def test_kills_at_random_moments_do_no_harm(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    """Each kill is followed by a run that ends with the right file."""
    chance = random.Random(os.environ.get("LOCKHOUSE_TEST_SEED", "kills"))
    path = lockhouse.home / "models" / REPO / "tiny-Q4_1.gguf"
    fast = Fault("drip", at=0, length=120 * MB, times=ALWAYS)
    interrupted = 0
    for number in range(KILLS):
        offer(hub, model, fast, sha256=sha256)
        program = lockhouse.start("models", "get", REPO, "--yes")
        time.sleep(chance.uniform(0.2, 2.2))
        program.kill()
        program.communicate()
        interrupted += 0 < part_bytes(lockhouse) < model.stat().st_size
        assert not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        done = lockhouse("models", "get", REPO, "--yes", "--json")
        assert done.code == 0, (number, done.text)
        assert done.json["sha256"] == sha256
        assert the_hash(lockhouse) == sha256
        assert not part_bytes(lockhouse)
        assert lockhouse("models", "remove", str(path), "--yes").code in (0, 2)
        path.unlink(missing_ok=True)
    assert interrupted or KILLS < 10, "no kill came while bytes did"


def test_a_person_at_a_terminal_is_asked(
    lockhouse: Command, hub: HubServer, model: Path, sha256: str
) -> None:
    files = {f"tiny-{form}.gguf": Blob(model, sha256=sha256) for form in ("Q4_1", "Q8_0")}
    hub.add(REPO, dict(files), gguf=GGUF)
    primary, secondary = pty.openpty()
    program = subprocess.Popen(
        lockhouse.line("models", "get", REPO), env=lockhouse.environment,
        stdin=secondary, stdout=subprocess.PIPE, stderr=secondary,
    )  # fmt: skip
    os.close(secondary)
    shown = b""
    while b"Which one?" not in shown:
        shown += os.read(primary, 4096)
    assert b"recommended" in shown
    os.write(primary, b"Q8_0\n")
    out, _ = program.communicate()
    os.close(primary)
    assert program.returncode == 0
    assert b"hash verified" in out or b"Already downloaded" in out
