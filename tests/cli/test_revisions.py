"""Revisions by command, against a hub on loopback: seen, compared before a change, rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.hub.content import Blob, commit_of
from tests.hub.server import HubServer

REPO, FILE = "org/Tiny-GGUF", "tiny-Q4_1.gguf"
WORD, OTHER = b"helpful AI assistant", b"careful AI companion"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def lockhouse(tmp_path: Path, environment: dict[str, str], hub: HubServer) -> Command:
    command = Command(tmp_path / "home", {**environment, "HF_ENDPOINT": hub.url})
    hosts = [word for host in hub.hosts for word in ("--host", host)]
    assert command("unseal", *hosts).code == 0
    return command


def test_a_newer_revision_is_compared_before_it_comes_and_rolled_back_after(
    lockhouse: Command, hub: HubServer
) -> None:
    starter = starter_model()
    assert starter is not None
    hub.add(REPO, {FILE: Blob(starter)}, card={"license": "apache-2.0"})
    got = lockhouse("models", "get", f"{REPO}:Q4_1", "--yes", "--json").json
    name, first = got["name"], got["source"]["revision"]
    assert lockhouse("models", "diff", name, "--newer", "--json").json == []

    changed = starter.read_bytes().replace(WORD, OTHER, 1)
    second = commit_of("second")
    hub.repos[REPO].commits[second] = {FILE: Blob(changed)}
    before = hub.sent_bytes
    found = lockhouse("models", "diff", name, "--newer", "--json").json
    assert hub.sent_bytes - before < len(changed) // 4, "only the header comes"
    assert [each["kind"] for each in found] == ["template", "content"]
    assert OTHER.decode() in found[0]["after"]
    assert WORD.decode() in found[0]["before"]

    lockhouse("models", "alias", "mine", name)
    taken = lockhouse("models", "get", f"{REPO}:Q4_1", "--yes", "--json").json
    assert taken["source"]["revision"] == second
    assert lockhouse("models", "show", "mine", "--json").json["path"] == taken["path"]
    assert lockhouse("models", "diff", "mine", first[:8], "--json").json == found
    back = lockhouse("models", "use", "mine", first[:8], "--json").json
    assert (back["path"], back["sha256"]) == (got["path"], got["sha256"])
    kept = lockhouse("models", "revisions", "mine", "--json").json
    assert {each["revision"]: each["current"] for each in kept} == {first: True, second: False}
    assert lockhouse("models", "diff", "mine", "--json").code == 2
