"""Does the engine that was built here work on this processor? Tried before it is trusted.

Runs in a process of its own, because the ways in which a build can be wrong (an instruction the
processor lacks, a miscompiled matrix kernel) end the process.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse import seal
from lockhouse.core.errors import EngineCrashed
from lockhouse.core.json_decoding import decoded
from lockhouse.engine.checkup import SelfTestRequest, SelfTestResult
from lockhouse.engine.process.jobs import Report
from lockhouse.engine.protocol import Proved

if TYPE_CHECKING:
    from lockhouse.engine.process.model import Context, Model

# Sizes in bytes of llama.cpp's structures as this release's C headers have them (x86_64,
# aarch64). A binding that disagrees would hand garbage to native code.
_STRUCTURES = {
    "llama_model_params": 80,
    "llama_context_params": 160,
    "llama_batch": 56,
    "llama_token_data": 12,
    "llama_token_data_array": 32,
}
_TOKENS = 4


def prove(_request: bytes, _report: Report) -> Proved:
    """Try to get out of this process in every way."""
    return Proved(tuple(seal.self_test()))


def answer(request: bytes, _report: Report) -> SelfTestResult:
    """Load the model, read a prompt, write a few tokens. Raises EngineCrashed with the fault."""
    from lockhouse.engine.process.model import AbortFlag, Context, Model
    from lockhouse.engine.process.native import build, load_model, start_backend, system_info
    from lockhouse.engine.protocol import LoadSettings

    asked = decoded(request, SelfTestRequest)
    _check_structures()
    start_backend()
    settings = LoadSettings(extra_buffers=asked.extra_buffers, parallel=1)
    model = Model(
        load_model(Path(asked.model_path), settings, lambda _fraction: True),
        extra_buffers=settings.extra_buffers,
    )
    context = Context(model, settings, context_length=256, threads=1, abort=AbortFlag())
    text = b"".join(model.vocabulary.piece(token) for token in _write(model, context))
    return SelfTestResult(build().build, system_info(), text.decode("utf-8", "replace"))


def _check_structures() -> None:
    from lockhouse.engine.process.native import lib

    for name, expected in _STRUCTURES.items():
        found = ctypes.sizeof(getattr(lib, name))
        if found != expected:
            raise EngineCrashed(f"{name} has {found} bytes instead of {expected}")


def _write(model: Model, context: Context) -> list[int]:
    tokens = model.vocabulary.tokenize("The quick brown fox jumps over the", special=False)
    written: list[int] = []
    while len(written) < _TOKENS:
        start = 0 if not written else len(tokens) + len(written) - 1
        batch = tokens if not written else written[-1:]
        rows = [(token, start + i, 0, i == len(batch) - 1) for i, token in enumerate(batch)]
        code = context.decode(rows)
        if code:
            raise EngineCrashed(f"decoding returned {code}")
        logits = context.logits(len(rows) - 1)
        if not bool((logits == logits).all()):
            raise EngineCrashed("the engine computes nothing that is a number")
        written.append(int(logits.argmax()))
    return written
