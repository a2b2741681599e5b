"""The hub's key: in a real keyring, read by the broker, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lockhouse.gate.network import Network
from tests.gate.conftest import ClientProgram, told
from tests.gate.web import Web
from tests.planting import planted_python

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., ClientProgram]

KEY = "hf_the_right_one"


def test_a_key_is_kept_used_by_the_broker_and_removed(
    keyring: dict[str, str], lockhouse: Run, start: Start, home: Path, web: Web
) -> None:
    Network(home / "network.json").open([web.host], endpoint=web.url(""))
    assert start(**keyring).ask("card")["code"] == "gated"
    kept = lockhouse("keys", "set", "huggingface", stdin=f"{KEY}\n", **keyring)
    assert kept.returncode == 0, kept.stderr
    listed = lockhouse("keys", "list", "--json", **keyring)
    assert json.loads(listed.stdout)[0]["set"] is True
    assert KEY not in kept.stdout + kept.stderr + listed.stdout + listed.stderr

    program = start(**keyring)
    assert program.ask("card") == {"card": "# The card"}
    broker = Path(f"/proc/{program.broker().pid}")
    for process in (broker, Path(f"/proc/{program.process.pid}")):
        assert KEY.encode() not in told(process.name, "environ")
        assert KEY.encode() not in told(process.name, "cmdline")
    for path in home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path

    assert lockhouse("keys", "remove", "huggingface", **keyring).returncode == 0
    assert program.ask("card")["code"] == "gated"  # at once, for the running broker too
    assert lockhouse("keys", "remove", "huggingface", **keyring).returncode == 3


def test_a_locked_keyring_is_told_and_stands_in_no_other_way(
    keyring: dict[str, str], lockhouse: Run, start: Start, home: Path, web: Web
) -> None:
    Network(home / "network.json").open([web.host], endpoint=web.url(""))
    assert lockhouse("keys", "set", "huggingface", stdin=f"{KEY}\n", **keyring).returncode == 0
    lock = "import secretstorage as s; s.get_default_collection(s.dbus_init()).lock()"
    environment = {**os.environ, **keyring}
    subprocess.run([sys.executable, "-c", lock], env=environment, check=True)
    listed = lockhouse("keys", "list", **keyring)
    assert listed.returncode == 0
    assert "keyring is locked" in listed.stdout
    program = start(**keyring)
    assert program.reach(web.url("/text"))["status"] == 200
    refused = program.ask("card")
    assert refused["code"] == "gated"
    assert "Unlock" in refused["hint"]


PLAIN = """
from pathlib import Path
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 9
    def set_password(self, service, username, password):
        Path("plain.txt").write_text(password)
    def get_password(self, service, username):
        return None
"""


def test_a_keyring_in_plain_text_counts_as_none(lockhouse: Run, tmp_path: Path) -> None:
    refused = lockhouse(
        "keys",
        "set",
        "huggingface",
        stdin=f"{KEY}\n",
        python=planted_python(tmp_path / "python", plain=PLAIN),
        PYTHON_KEYRING_BACKEND="plain.Keyring",
    )
    assert refused.returncode == 7
    assert "no keyring" in refused.stderr
    assert not Path("plain.txt").exists()


def test_a_bus_without_a_keyring_keeps_nothing(bus: dict[str, str], lockhouse: Run) -> None:
    refused = lockhouse("keys", "set", "huggingface", stdin=f"{KEY}\n", **bus)
    assert refused.returncode == 7, refused.stderr
    assert KEY not in refused.stderr


def test_without_a_keyring_a_key_holds_for_the_session(start: Start, home: Path, web: Web) -> None:
    Network(home / "network.json").open([web.host], endpoint=web.url(""))
    program = start()
    assert program.ask("card")["code"] == "gated"
    program.tell("use-key", key=KEY)
    assert program.hear()["done"]
    assert program.ask("card") == {"card": "# The card"}
    assert start().ask("card")["code"] == "gated"  # another program has none
    for path in home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
