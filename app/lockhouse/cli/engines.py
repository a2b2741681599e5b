"""``lockhouse engines``: the loaded models of this home, whichever program loaded them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
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
@click.argument("model", required=False, shell_complete=models_here)
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


@click.command(short_help="Load a model into memory.")
@click.argument("model", shell_complete=models_here)
@as_json
def load(cli: CliContext, model: str) -> None:
    """Load MODEL into memory, so that the next question is answered at once.

    It stays until it was idle for some minutes (setting engine_idle_s), or until it is unloaded.
    """
    from lockhouse.core.messages import Turn
    from lockhouse.core.request import AnswerRequest

    status = output.StatusLine()
    with cli.workspace() as workspace:
        target = workspace.targets.local.get(model)
        status.show(f"Loading {target.info.name}")
        try:
            target.count_tokens(AnswerRequest(turns=(Turn("user", "Hello"),)))
        finally:
            status.clear()
        path = target.spec.model_path
        loaded = next(each for each in workspace.engines.list() if each.model_path == path)
    memory = output.size(loaded.memory_bytes)
    output.write_result(
        describe(loaded),
        f"{loaded.model_name} is loaded: {memory}, context {loaded.context_length:,} tokens."
        f" It is unloaded after {loaded.idle_limit_s:,.0f} s without a question.",
    )


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
