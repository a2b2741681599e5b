"""A program that carries out orders, one a line; started and sealed as the launcher does it.

Standard input has one JSON object a line, standard output one for each that is done.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockhouse import launcher, seal

launcher.start_broker(["models"])
seal.seal_network()

from lockhouse.core.cancellation import CancelToken  # noqa: E402 - the seal comes first
from lockhouse.core.errors import Cancelled, LockhouseError  # noqa: E402
from lockhouse.gate.client import GateClient  # noqa: E402
from lockhouse.gate.hub import Hub  # noqa: E402
from lockhouse.gate.key_test import try_key  # noqa: E402
from lockhouse.gate.network import Network, hub_key_hosts  # noqa: E402
from lockhouse.gate.protocol import Progress, Reach, Reached  # noqa: E402
from lockhouse.gate.records import Records  # noqa: E402
from lockhouse.workspace import Workspace, open_workspace  # noqa: E402

_said = threading.Lock()


def say(**what: Any) -> None:
    with _said:
        print(json.dumps(what), flush=True)


def reach(gate: GateClient, order: dict[str, Any], cancel: CancelToken) -> None:
    files = [os.open(order["to"], os.O_RDWR | os.O_CREAT)] if "to" in order else []
    told = []

    def event(progress: Progress) -> None:
        if not told:
            told.append(progress)
            say(event="progress", id=order["id"])

    request = Reach(order["url"], most_bytes=order.get("most_bytes", 1 << 30))
    try:
        reply = gate.ask(
            request,
            reply_type=Reached,
            files=files,
            events=event,
            event_type=Progress,
            cancel=cancel,
            purpose="test",
        )
        say(id=order["id"], status=reply.status, size_bytes=reply.size_bytes)
    except Cancelled:
        say(id=order["id"], cancelled=True, at=time.monotonic())
    except LockhouseError as error:
        say(
            id=order["id"],
            code=error.code,
            exit_code=error.exit_code,
            message=error.message,
            hint=error.hint,
            retry_after_s=getattr(error, "retry_after_s", 0.0),
        )
    finally:
        for fd in files:
            os.close(fd)


def hub(ask: Callable[[], dict[str, Any]]) -> None:
    try:
        say(**ask())
    except LockhouseError as error:
        say(code=error.code, message=error.message, hint=error.hint)


def use_key(gate: GateClient, key: str) -> None:
    gate.use_key("huggingface", key, hub_key_hosts(gate.state, os.environ))
    say(done=True)


def set_office_key(workspace: Workspace, order: dict[str, Any]) -> None:
    hosts = workspace.providers.get(order["provider"]).hosts
    try:
        say(state=workspace.gate.set_key(order["provider"], order["key"], hosts, purpose="test"))
    except LockhouseError as error:
        say(code=error.code)


def try_office_key(workspace: Workspace, name: str) -> None:
    provider = workspace.providers.get(name)
    state = workspace.gate.key_states({name: provider.hosts})[name]
    try:
        say(models=try_key(workspace.gate, provider).models, state=state)
    except LockhouseError as error:
        say(code=error.code, state=state)


def believe(gate: GateClient, path: str) -> None:
    """Hold another file for the state of the network."""
    gate._network = Network(Path(path))
    say(done=True)


def status(gate: GateClient) -> None:
    found = gate.status()
    say(way=found.way, title=found.title, what_to_do=found.what_to_do)


def records(workspace: Workspace) -> None:
    found = [kept.record for kept in Records(workspace.database).search()]
    rows = [[r.kind, r.host, r.outcome, r.bytes_out, r.bytes_in, r.purpose] for r in found]
    say(records=rows, bytes_out=workspace.gate.bytes_out)


def main() -> None:
    workspace = open_workspace(Path(os.environ["LOCKHOUSE_HOME"]))
    gate = workspace.gate
    cancels: dict[str, CancelToken] = {}

    def begin(order: dict[str, Any]) -> None:
        cancels[order["id"]] = CancelToken()
        threading.Thread(target=reach, args=(gate, order, cancels[order["id"]])).start()

    orders: dict[str, Callable[[dict[str, Any]], None]] = {
        "reach": begin,
        "cancel": lambda order: cancels[order["id"]].cancel(),
        "card": lambda _: hub(lambda: {"card": Hub(gate).card("org/model", "main")}),
        "search": lambda _: hub(lambda: {"found": len(Hub(gate).search("words"))}),
        "use-key": lambda order: use_key(gate, order["key"]),
        "set-key": lambda order: set_office_key(workspace, order),
        "try-key": lambda order: try_office_key(workspace, order["provider"]),
        "believe": lambda order: believe(gate, order["path"]),
        "seal": lambda _: say(ended=gate.seal()),
        "unseal": lambda order: say(hosts=gate.unseal([order["host"]]).hosts),
        "status": lambda _: status(gate),
        "records": lambda _: records(workspace),
        "self-test": lambda _: say(probes=[[p.attempt, p.stopped, p.by] for p in seal.self_test()]),
    }
    say(ready=True, way=gate.status().way)
    for line in sys.stdin:
        order = json.loads(line)
        orders[order["do"]](order)


main()
