"""``lockhouse models fit``: whether a model fits into the memory of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber

if TYPE_CHECKING:
    from lockhouse.engine.protocol import KvType
    from lockhouse.library.fit import FitReport, Machine
    from lockhouse.library.gguf.header import GgufHeader
    from lockhouse.workspace import Workspace


@click.command(short_help="Check whether a model fits into memory.")
@click.argument("model", shell_complete=models_here)
@click.option("--ctx", type=WholeNumber(1), help="Context length in tokens.")
@click.option(
    "--kv-type", type=click.Choice(["f16", "q8_0"]), default=None, help="Type of the KV cache."
)
@as_json
def fit(cli: CliContext, model: str, ctx: int | None, kv_type: KvType | None) -> None:
    """Check whether MODEL (a name, an alias, a hash prefix or a file) fits into memory.

    The figures are measured by llama.cpp without loading the model; where that is not possible,
    they are estimated from the header of the file, which is then stated.
    """
    with cli.workspace() as workspace:
        header, projector_bytes = _header(workspace, model)
        machine, report, chosen = _report(workspace, header, projector_bytes, ctx, kv_type)
    total = report.needed.total_bytes
    if output.wrote_json(
        {"model": model, "total_bytes": total, **output.plain(report), "machine": machine}
    ):
        return
    output.write_line(f"{report.word}: {report.reason}")
    output.write_facts(_facts(report, machine))
    if ctx is None:
        output.write_line(f"Default context: {chosen}")


def _header(workspace: Workspace, model: str) -> tuple[GgufHeader, int]:
    """The header of a file, or of a model in the library with the size of its projector."""
    from lockhouse.library.gguf.header import read_header

    path = Path(model).expanduser()
    if path.is_file():
        return read_header(path), 0
    found = workspace.models.get(model)
    projector = found.projector
    size = projector.stat().st_size if projector is not None and projector.is_file() else 0
    return read_header(found.path), size


def _report(
    workspace: Workspace,
    header: GgufHeader,
    projector_bytes: int,
    ctx: int | None,
    kv_type: KvType | None,
) -> tuple[Machine, FitReport, str]:
    from lockhouse.engine.protocol import LoadSettings
    from lockhouse.library.fit import choose_context, machine_now, planned_memory
    from lockhouse.library.fit import fit as judged
    from lockhouse.library.gguf.memory import LoadShape

    settings = LoadSettings(
        kv_type=kv_type or workspace.settings.kv_type, parallel=workspace.settings.parallel_answers
    )
    load, machine = LoadShape.of(settings), machine_now(workspace.engines, workspace.planner)
    choice = choose_context(header, machine, load, projector_bytes=projector_bytes)
    context_length = ctx or workspace.settings.context_length or choice.context_length
    planned = planned_memory(
        workspace.planner, header, context_length, settings, projector_bytes=projector_bytes
    )
    report = judged(
        header,
        machine,
        context_length=context_length,
        load=load,
        projector_bytes=projector_bytes,
        planned=planned,
    )
    return machine, report, choice.reason


def _facts(report: FitReport, machine: Machine) -> dict[str, object]:
    needed = report.needed
    facts: dict[str, object] = {
        "weights": output.size(needed.weights_bytes),
        "KV cache": output.size(needed.kv_bytes) if needed.kv_bytes else None,
        "state": output.size(needed.recurrent_bytes) if needed.recurrent_bytes else None,
        "compute buffers": output.size(needed.compute_bytes + needed.output_bytes),
        "projector": output.size(needed.projector_bytes) if needed.projector_bytes else None,
        "engine": output.size(needed.process_bytes),
        "total": output.size(needed.total_bytes)
        + ("" if needed.exact else ", estimated from the header"),
        "free": output.size(report.available_bytes),
        "largest context": f"{report.largest_context:,} tokens"
        if report.largest_context
        else "none fits",
    }
    for name, size_bytes in machine.loaded:
        facts[f"used by {name}"] = output.size(size_bytes)
    return {name: value for name, value in facts.items() if value is not None}
