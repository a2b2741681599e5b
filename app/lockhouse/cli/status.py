"""``lockhouse status``: the seal, what is loaded, and how much memory is left."""

from __future__ import annotations

import click

from lockhouse import seal
from lockhouse.cli import output
from lockhouse.cli.door import Door, as_json, pass_door

SEAL_WORDS = {
    "kernel": "sealed by the kernel: no process of Lockhouse can open a connection",
    "python": "sealed in Python only: this system offers nothing stronger",
    "none": "not sealed",
}


@click.command(short_help="Show the seal, loaded models and memory.")
@as_json
@pass_door
def status(door: Door, *, is_json: bool) -> None:
    """Show whether anything could leave this machine, what is loaded, and the memory."""
    import psutil

    from lockhouse.cli.engines import describe, write_engines

    level = seal.state()
    with door.workspace() as workspace:
        running = workspace.engines.list()
        home = workspace.paths.home
    memory = psutil.virtual_memory()
    if is_json:
        output.write_json(
            {
                "sealed": level != "none",
                "seal": level,
                "engines": [describe(engine) for engine in running],
                "memory": {
                    "total_bytes": memory.total,
                    "available_bytes": memory.available,
                    "engines_bytes": sum(engine.memory_bytes for engine in running),
                },
                "home": home,
            }
        )
        return
    output.write_facts(
        {
            "network": SEAL_WORDS[level],
            "memory": f"{output.size(memory.available)} of {output.size(memory.total)} available",
            "home": home,
        }
    )
    write_engines(running)
