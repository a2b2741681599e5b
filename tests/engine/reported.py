"""What llama.cpp reports when a model is really loaded the way an engine loads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
Question = tuple[int, str]  # context length, type of the cache
_LOAD = """
import json, re, sys
from pathlib import Path
from lockhouse.engine.process import native
from lockhouse.engine.protocol import LoadSettings
lib, lines = native.lib, []
native.start_backend()
@lib.llama_log_callback
def keep(level, text, data):
    lines.append(text.decode("utf-8", "replace"))
lib.llama_log_set(keep, None)
path, questions = sys.argv[1], json.loads(sys.argv[2])
settings = LoadSettings(extra_buffers=sys.argv[3] == "yes")
model = native.load_model(Path(path), settings, lambda _: True)
def total(pattern):
    return sum(float(size) for size in re.findall(pattern + r" *= *([0-9.]+) MiB", "".join(lines)))
mapped = total(r"CPU_Mapped model buffer size")
repacked = total(r"(?:CPU_REPACK|AMX) model buffer size")
for context_length, kv_type in questions:
    lines.clear()
    settings = LoadSettings(kv_type=kv_type)
    context = lib.llama_init_from_model(
        model, native.context_parameters(settings, context_length, threads=1)
    )
    assert context, "".join(lines)[-1000:]
    lib.llama_free(context)
    print(json.dumps({
        "weights": mapped, "repacked": repacked,
        "kv": total("KV buffer size"), "recurrent": total("RS buffer size"),
        "compute": total("compute buffer size"), "output": total("output buffer size"),
    }))
"""


def reported(path: Path, questions: list[Question]) -> list[dict[str, float]]:
    """Sizes of its buffers in MiB, as its log has them, for each question."""
    for extra_buffers in ("yes", "no"):  # the latter where llama.cpp ends itself over them
        done = subprocess.run(
            [sys.executable, "-c", _LOAD, str(path), json.dumps(questions), extra_buffers],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(APP)},
            check=False,
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
