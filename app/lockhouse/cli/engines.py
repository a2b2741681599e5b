"""``lockhouse engines``: the models that are loaded on this home, whoever loaded them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
from lockhouse.core.errors import NotFound

if TYPE_CHECKING:
    from lockhouse.engine.protocol import EngineStatus


@click.group(short_help="Show and end loaded models.")
def engines() -> None:
    """Loaded models, one engine process each."""


@engines.command("list")
@as_json
@pass_door
def list_engines(door: CliContext, *, is_json: bool) -> None:
    """List loaded models with their clients, memory and idle time."""
    with door.workspace() as workspace:
        running = workspace.engines.list()
    if is_json:
        output.write_json([describe(engine) for engine in running])
    else:
        write_engines(running)


@engines.command()
@click.argument("model", required=False)
@as_json
@pass_door
def stop(door: CliContext, model: str | None, *, is_json: bool) -> None:
    """Unload MODEL, or everything. Its memory is free afterwards."""
    with door.workspace() as workspace:
        running = workspace.engines.list()
        if model is not None and not any(_is_meant(engine, model) for engine in running):
            path = workspace.models.get(model).path
            if not any(engine.model_path == str(path) for engine in running):
                raise NotFound(f"{model} is not loaded.", hint="See: lockhouse engines list")
        stopped = workspace.engines.stop(model)
    if is_json:
        output.write_json({"stopped": stopped})
    elif stopped:
        output.note(f"Ended: {stopped}")
    else:
        output.note("No model was loaded.")


def _is_meant(engine: EngineStatus, name: str) -> bool:
    return name in {engine.model_name, engine.model_path, engine.id}


def describe(engine: EngineStatus) -> dict[str, object]:
    """An engine under ``--json``."""
    told = output.plain(engine)
    told.pop("type", None)
    assert isinstance(told, dict)
    return told


def write_engines(running: Sequence[EngineStatus]) -> None:
    """The engines as a table."""
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
    output.note("CLIENTS: programs that use it now; an open window counts, and keeps it loaded.")
