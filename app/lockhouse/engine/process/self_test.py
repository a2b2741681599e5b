"""Does the engine that was built here work on this processor? Tried before it is trusted.

Runs in a process of its own, because the ways in which a build can be wrong (an instruction the
processor lacks, a miscompiled matrix kernel) end the process. Prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

from lockhouse import seal

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


def confine_like_an_engine() -> None:
    """What an engine keeps, without its model."""
    seal.confine_files(
        read=[Path("/proc"), Path("/sys"), Path("/etc")],
        run=seal.program_files(),
        write=[Path("/dev/null"), Path("/dev/urandom")],
    )


def run_self_test(arguments: list[str]) -> int:
    """``MODEL_PATH extra|plain``: load, read a prompt, write a few tokens."""
    from lockhouse.engine.process.model import AbortFlag, Context, Model
    from lockhouse.engine.process.native import build, lib, load_model, start_backend, system_info
    from lockhouse.engine.protocol import LoadSettings

    path, mode = Path(arguments[0]), arguments[1]
    for name, expected in _STRUCTURES.items():
        found = ctypes.sizeof(getattr(lib, name))
        if found != expected:
            print(json.dumps({"problem": f"{name} has {found} bytes instead of {expected}"}))
            return 1
    start_backend()
    settings = LoadSettings(extra_buffers=mode == "extra", parallel=1)
    model = Model(load_model(path, settings, lambda _fraction: True))
    context = Context(model, settings, context_length=256, threads=1, abort=AbortFlag())
    tokens = model.vocabulary.tokenize("The quick brown fox jumps over the", special=False)
    written: list[int] = []
    while len(written) < _TOKENS:
        start = 0 if not written else len(tokens) + len(written) - 1
        batch = tokens if not written else written[-1:]
        rows = [(token, start + i, 0, i == len(batch) - 1) for i, token in enumerate(batch)]
        code = context.decode(rows)
        if code:
            print(json.dumps({"problem": f"decoding returned {code}"}))
            return 1
        logits = context.logits(len(rows) - 1)
        if not bool((logits == logits).all()):
            print(json.dumps({"problem": "the engine computes nothing that is a number"}))
            return 1
        written.append(int(logits.argmax()))
    text = b"".join(model.vocabulary.piece(token) for token in written)
    print(
        json.dumps(
            {
                "build": build().build,
                "features": system_info(),
                "text": text.decode("utf-8", "replace"),
            }
        )
    )
    sys.stdout.flush()
    return 0
