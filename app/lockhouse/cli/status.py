"""``lockhouse status``: network access, loaded models, and free memory."""

from __future__ import annotations

import os

import click
import msgspec

from lockhouse import seal
from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.gate import describe as describe_network
from lockhouse.gate.network import Network, NetworkState
from lockhouse.gate.proof import THIS_COMMAND, Proof, level_words, prove, summary
from lockhouse.gate.running_brokers import Broker, Brokers

SEAL_WORDS = {
    "kernel": "sealed by the kernel: neither this process nor the models can open a connection",
    "python": "sealed in Python only: this system offers nothing stronger",
    "none": "not sealed",
}


@click.command()
@click.option(
    "--prove",
    "is_proof",
    is_flag=True,
    help="Test the seal: try to connect in every way from every process.",
)
@as_json
def status(cli: CliContext, *, is_proof: bool) -> None:
    """Show network access, loaded models and free memory."""
    import psutil

    from lockhouse.cli.engines import describe, write_engines

    level = seal.state()
    network = Network(cli.paths.network).state()
    # The one that --prove starts ends with this command: the user does not ask about that.
    running_brokers = Brokers(cli.paths.run).list()
    brokers = [one for one in running_brokers if one.launcher_pid != os.getpid()]
    with cli.workspace() as workspace:
        proof = None
        if is_proof:
            proof = prove(workspace.gate, workspace.engines, process=THIS_COMMAND)
        running = workspace.engines.list()
        home = workspace.paths.home
    memory = psutil.virtual_memory()
    if output.is_json():
        shown = {
            "sealed": level != "none" and not network.is_open,
            "seal": level,
            "network": {**describe_network(network), "brokers": _describe_brokers(brokers)},
            "engines": [describe(engine) for engine in running],
            "memory": {
                "total_bytes": memory.total,
                "available_bytes": memory.available,
                "engines_bytes": sum(engine.memory_bytes for engine in running),
            },
            "home": home,
        }
        if proof is not None:
            shown["proof"] = {**msgspec.to_builtins(proof), "holds": proof.holds}
        output.write_json(shown)
    else:
        free = f"{output.size(memory.available)} of {output.size(memory.total)} available"
        output.write_facts(
            {
                "network": network_words(network),
                "this process": SEAL_WORDS[level],
                "brokers": _broker_words([broker.launcher_pid for broker in brokers]),
                "memory": free,
                "home": home,
            }
        )
        write_engines(running)
        _write_proof(proof)
    if proof is not None and not proof.holds:
        raise click.exceptions.Exit(4)


def _describe_brokers(brokers: list[Broker]) -> list[dict[str, object]]:
    return [
        {
            "pid": broker.pid,
            "program_pid": broker.launcher_pid,
            "since": broker.since,
            "confined": broker.confined,
        }
        for broker in brokers
    ]


def network_words(state: NetworkState) -> str:
    """Network access, in one line."""
    if state.problem:
        return f"sealed, because {state.problem}; to write it again: lockhouse seal"
    if not state.is_open:
        return "sealed: no process can connect to anything"
    near = ", local addresses only" if state.lan else ""
    through = f", through {state.proxy}" if state.proxy else ""
    return f"allowed to {', '.join(state.all_hosts)}{near}{through}"


def _broker_words(program_pids: list[int]) -> str:
    if not program_pids:
        return "none"
    return ", ".join(f"one for program {pid}" for pid in program_pids)


def _write_proof(proof: Proof | None) -> None:
    if proof is None:
        return
    for process in dict.fromkeys(row.process for row in proof.rows):
        output.write_line()
        output.write_line(f"Attempts to connect from {process}:")
        output.write_table(
            ("ATTEMPT", "RESULT", "THE SYSTEM SAID"),
            [
                (
                    row.attempt,
                    f"stopped {level_words(row)}" if row.stopped else "NOT STOPPED",
                    row.error,
                )
                for row in proof.rows
                if row.process == process
            ],
        )
    output.write_line()
    output.write_line(summary(proof))
    for note in proof.notes:
        output.write_line(note)
