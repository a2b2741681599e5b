"""seal, unseal, status and keys, as their users meet them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse import seal
from lockhouse.gate.network import Network
from lockhouse.gate.records import RecordFilter, Records
from lockhouse.storage.database import Database
from tests.gate.conftest import ClientProgram
from tests.gate.web import Web

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new home."""
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    """The home's, looked at beside the commands."""
    database = Database(home / "lockhouse.db", backups=home / "backups")
    yield database
    database.close()


def test_a_new_home_is_sealed_and_says_so(lockhouse: Run) -> None:
    told = json.loads(lockhouse("status", "--json").stdout)
    assert told["sealed"] is True
    assert told["network"]["mode"] == "sealed"
    assert told["network"]["brokers"] == []


def test_unseal_says_plainly_what_it_opens(lockhouse: Run, home: Path) -> None:
    opened = lockhouse("unseal")
    assert opened.returncode == 0
    for host in ("huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443"):
        assert f"  {host}\n" in opened.stderr
    assert "restart a window" in opened.stderr
    told = json.loads(lockhouse("status", "--json").stdout)
    assert told["sealed"] is False
    assert told["network"]["hosts"] == ["huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443"]
    assert "sealed:" in lockhouse("seal").stderr.lower()
    assert not Network(home / "network.json").state().is_open


def test_unseal_for_hosts_of_ones_own(lockhouse: Run, home: Path) -> None:
    network = Network(home / "network.json")
    assert lockhouse("unseal", "--host", "10.0.0.5:8080", "--lan").returncode == 0
    assert (network.state().hosts, network.state().lan_hosts) == ((), ("10.0.0.5:8080",))
    assert lockhouse("unseal", "--add", "--host", "10.0.0.6:80").returncode == 0
    assert network.state().all_hosts == ("10.0.0.6:80", "10.0.0.5:8080")
    told = lockhouse("unseal", "--host", "example.org", "--proxy", "http://10.0.0.1:3128", "--json")
    assert json.loads(told.stdout)["hosts"] == ["example.org:443"]
    assert network.state().proxy == "http://10.0.0.1:3128"


def test_unseal_for_a_provider_by_its_name(lockhouse: Run, home: Path) -> None:
    network = Network(home / "network.json")
    opened = lockhouse("unseal", "--for", "openai", "--json")
    assert json.loads(opened.stdout)["hosts"] == ["api.openai.com:443"]
    assert network.state().hosts == ("api.openai.com:443",)  # and no hub beside it
    assert lockhouse("unseal", "--add", "--for", "anthropic").returncode == 0
    assert network.state().hosts == ("api.openai.com:443", "api.anthropic.com:443")
    nobody = lockhouse("unseal", "--for", "antropic")
    assert nobody.returncode == 3
    assert "anthropic" in nobody.stderr  # what was meant
    assert network.state().hosts == ("api.openai.com:443", "api.anthropic.com:443")


def test_records_are_listed_searched_and_pruned(lockhouse: Run) -> None:
    assert lockhouse("unseal", "--for", "openai").returncode == 0
    assert lockhouse("seal").returncode == 0
    listed = json.loads(lockhouse("records", "list", "--json").stdout)
    assert [row["kind"] for row in listed] == ["sealed", "unsealed"]
    found = json.loads(lockhouse("records", "list", "OpenAI", "--json").stdout)
    assert [row["number"] for row in found] == [1]
    assert lockhouse("records", "prune", "--older-than", "30").returncode == 2  # nobody to ask
    pruned = lockhouse("records", "prune", "--older-than", "30", "--yes", "--json")
    assert json.loads(pruned.stdout) == {"removed": 0}


def test_unseal_for_a_mirror(lockhouse: Run, home: Path) -> None:
    assert lockhouse("unseal", HF_ENDPOINT="https://mirror.example/hub").returncode == 0
    state = Network(home / "network.json").state()
    assert (state.hosts, state.endpoint) == (("mirror.example:443",), "https://mirror.example/hub")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "https://example.org"),
        ("--host", "*"),
        ("--lan",),
        ("--lan", "--host", "10.0.0.5", "--proxy", "http://10.0.0.1:3128"),
        ("--proxy", "http://me:secret@10.0.0.1:3128"),
    ],
)
def test_what_cannot_be_opened(lockhouse: Run, home: Path, arguments: tuple[str, ...]) -> None:
    refused = lockhouse("unseal", *arguments)
    assert refused.returncode == 2
    assert not (home / "network.json").exists()


def test_sealing_works_with_a_database_that_does_not(lockhouse: Run, home: Path) -> None:
    lockhouse("unseal")
    (home / "lockhouse.db").write_bytes(b"no database" * 100)
    sealed = lockhouse("seal")
    assert sealed.returncode == 0
    assert "could not be recorded" in sealed.stderr
    assert not Network(home / "network.json").state().is_open


def test_a_damaged_state_is_told_and_written_anew(lockhouse: Run, home: Path) -> None:
    home.mkdir()
    (home / "network.json").write_text("{")
    assert "network.json is damaged" in lockhouse("status").stdout
    assert lockhouse("seal").returncode == 0
    assert "network.json is damaged" not in lockhouse("status").stdout


def test_the_proof_holds_while_a_broker_is_there(
    lockhouse: Run, home: Path, environment: dict[str, str], database: Database
) -> None:
    with Web() as web:
        assert lockhouse("unseal", "--host", web.host).returncode == 0
        program = ClientProgram(home, environment)
        try:
            assert program.reach(web.url("/text"))["status"] == 200
            told = json.loads(lockhouse("status", "--prove", "--json").stdout)
            assert [one["program_pid"] for one in told["network"]["brokers"]] == [
                program.process.pid
            ]
            assert all(stopped for _, stopped, _ in program.ask("self-test")["probes"])
        finally:
            program.close()
    assert told["proof"]["holds"] is True, told["proof"]
    assert told["proof"]["missing"] == []
    rows = told["proof"]["rows"]
    assert {row["process"] for row in rows} == {
        "this command", "a window", "a process confined like an engine", "the broker",
    }  # fmt: skip
    by_level = {(row["process"], row["attempt"]): row["level"] for row in rows}
    assert by_level["a window", "io_uring"] == "kernel"
    assert by_level["the broker", "A request to a host that is not listed"] == "python"
    if seal.landlock_version() >= seal.LANDLOCK_WITH_PORTS:
        assert by_level["the broker", "A port that is not listed, from native code"] == "sandbox"
    kinds = [kept.record.kind for kept in Records(database).search(RecordFilter(("proved",)))]
    assert kinds == ["proved"]


# --- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"]
)
def test_without_a_keyring_no_key_is_kept(lockhouse: Run, home: Path, backend: str) -> None:
    refused = lockhouse(
        "keys", "set", "huggingface", stdin="hf_secret\n", PYTHON_KEYRING_BACKEND=backend
    )
    assert refused.returncode == 7
    assert "no keyring" in refused.stderr
    listed = lockhouse("keys", "list", PYTHON_KEYRING_BACKEND=backend)
    assert "none" in listed.stdout
    assert "keys cannot be saved" in listed.stderr


@pytest.mark.parametrize("key", ["", "two words", "gr\u00fc\u00df", "x" * 5000])
def test_what_is_no_key(lockhouse: Run, key: str) -> None:
    refused = lockhouse("keys", "set", "huggingface", stdin=f"{key}\n")
    assert refused.returncode == 3
    assert "key" in refused.stderr


def test_a_key_is_never_an_argument(lockhouse: Run) -> None:
    assert lockhouse("keys", "set", "huggingface", "hf_secret").returncode == 2
    assert lockhouse("keys", "set", "nobody", stdin="hf_secret\n").returncode == 3
    assert lockhouse("keys", "remove", "huggingface").returncode == 3
