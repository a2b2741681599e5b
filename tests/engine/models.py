"""Model files for tests: the starter model with another template, and small ones of other kinds."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lockhouse.library.gguf.header import read_header
from tests.library.synthetic import Plan, hybrid, recurrent, sliding_window, write

WINDOW = 32
_KEY = b"tokenizer.chat_template"
_STRING = 8


def with_template(starter: Path, target: Path, template: str) -> Path:
    """A copy of the starter model with another chat template and the same weights."""
    data = starter.read_bytes()
    at = data.index(struct.pack("<Q", len(_KEY)) + _KEY) + 8 + len(_KEY)
    (kind,) = struct.unpack_from("<I", data, at)
    assert kind == _STRING
    (length,) = struct.unpack_from("<Q", data, at + 4)
    end = at + 12 + length
    # The weights must stay where they are: pad or cut with a Jinja comment to the same length.
    new = template.encode()
    assert len(new) + 4 <= length, "the template must be shorter than the original"
    new += b"{#" + b" " * (length - len(new) - 4) + b"#}"
    target.write_bytes(data[: at + 12] + new + data[end:])
    return target


def copy_of(starter: Path, target: Path) -> Path:
    """A file of its own that a test may destroy."""
    return Path(shutil.copyfile(starter, target))


KINDS: dict[str, Callable[[], Plan]] = {
    "sliding window": lambda: sliding_window(
        layers=6, width=256, inner=512, window=WINDOW, vocabulary=512
    ),
    "recurrent": lambda: recurrent(layers=4, width=256, vocabulary=512),
    "hybrid": lambda: hybrid(layers=6, width=256, inner=512, vocabulary=512),
}


def small_model(kind: str, path: Path, *, seed: int = 1) -> Path:
    """A model of one of the KINDS with random weights, always the same for one seed."""
    return with_random_weights(write(KINDS[kind](), path), seed=seed)


def with_random_weights(path: Path, *, seed: int = 1) -> Path:
    """The same file, with weights where it had holes."""
    header, chance = read_header(path), np.random.default_rng(seed)
    with path.open("r+b") as file:
        for tensor in header.tensors:
            values = _weights(tensor.name, tensor.elements, chance)
            file.seek(header.data_offset + tensor.offset)
            file.write(
                values.astype(np.float32 if tensor.type_name == "F32" else np.float16).tobytes()
            )
    return path


def _weights(name: str, count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Values that keep a network of random weights from growing or dying away."""
    if "norm" in name or name.endswith("ssm_d"):
        return np.ones(count)
    if name.endswith("ssm_a"):  # how fast a state is forgotten
        return -chance.uniform(0.5, 4.0, count)
    return chance.standard_normal(count) * (0.02 if "embd" in name else 0.15)
