"""``lockhouse engines``: the loaded models of this home, whichever program loaded them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import NotFound

if TYPE_CHECKING:
    from lockhouse.engine.protocol import EngineStatus


@click.group()
def engines() -> None:
    """List and unload loaded models. Each runs in an engine process of its own."""


@engines.command("list")
@as_json
def list_engines(cli: CliContext) -> None:
    """List loaded models with their clients, memory and idle time."""
    with cli.workspace() as workspace:
        running = workspace.engines.list()
    if not output.wrote_json([describe(engine) for engine in running]):
        write_engines(running)


@engines.command(short_help="Unload a model, or all.")
@click.argument("model", required=False)
@as_json
def stop(cli: CliContext, model: str | None) -> None:
    """Unload MODEL, or all models, and free the memory."""
    with cli.workspace() as workspace:
        running = workspace.engines.list()
        named = {name for e in running for name in (e.model_name, e.model_path, e.id)}
        if model is not None and model not in named:
            path = workspace.models.get(model).path
            if not any(engine.model_path == str(path) for engine in running):
                raise NotFound(f"{model} is not loaded.", hint="See: lockhouse engines list")
        stopped = workspace.engines.stop(model)
    text = f"Unloaded: {output.count(stopped, 'model')}" if stopped else "No model was loaded."
    output.write_result({"stopped": stopped}, text)


def describe(engine: EngineStatus) -> dict[str, object]:
    """An engine for ``--json``."""
    described = output.plain(engine)
    described.pop("type", None)
    assert isinstance(described, dict)
    return described


def write_engines(running: Sequence[EngineStatus]) -> None:
    """Write a table of engines."""
    if not running:
        output.note("No model is loaded.")
        return
    output.write_table(
        ("MODEL", "STATE", "PID", "CLIENTS", "ACTIVE", "IDLE s", "CONTEXT", "MEMORY"),
        [
            (
                engine.model_name,
                engine.state,
                str(engine.pid),
                engine.clients,
                engine.active,
                round(engine.idle_s),
                engine.context_length,
                output.size(engine.memory_bytes),
            )
            for engine in running
        ],
    )
    output.note(
        "CLIENTS: programs that use the model now. An open window counts and keeps it loaded."
    )
