"""The bindings to llama.cpp: the low-level ones, without the package around them.

``import llama_cpp`` would also load its chat layer, Jinja and a disk cache that Lockhouse does
not use; a bare package object with the same search path gives the bindings alone, in a third of
the time. Everything above works with the typed wrappers of ``model.py``.
"""

from __future__ import annotations

import collections
import ctypes
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import EngineBuild
from lockhouse.engine.protocol import LoadSettings

_LOG_LINES = 40
_LOAD_MMAP = 1
_KV_TYPES = {"f16": 1, "q8_0": 8}  # ggml_type


def _bindings() -> Any:
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError("llama-cpp-python is not installed")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["llama_cpp"] = package
    import llama_cpp.llama_cpp as bindings

    return bindings


os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # ggml_abort would start gdb
lib: Any = _bindings()

log_tail: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
_level_continued, _level_warning = 5, 3
_last_level = [0]  # a continued line has the level of the line before


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, text: bytes, _data: object) -> None:
    """Keep what explains a failure, and leave it in the engine's log for a crash."""
    if level != _level_continued:
        _last_level[0] = level
    if _last_level[0] >= _level_warning:
        line = text.decode("utf-8", "replace")
        log_tail.append(line.rstrip("\n"))
        os.write(2, line.encode())


def start_backend() -> None:
    """Route the native log and initialise llama.cpp. Once per process."""
    lib.llama_log_set(_on_log, None)
    lib.llama_backend_init()


def load_model(path: Path, settings: LoadSettings, on_progress: Callable[[float], bool]) -> Any:
    """The C handle of a loaded model. ``on_progress`` gets 0..1, returns False to give up.

    Apart from the typed wrappers because it needs nothing but the bindings: an engine loads its
    model while it imports the rest. Raises InvalidInput when llama.cpp does not take the file.
    """
    parameters = lib.llama_model_default_params()
    parameters.load_mode = _LOAD_MMAP
    parameters.use_extra_bufts = settings.extra_buffers
    parameters.check_tensors = settings.check_tensors

    @lib.llama_progress_callback  # type: ignore[untyped-decorator]
    def progress(fraction: float, _data: object) -> bool:
        return on_progress(fraction)

    parameters.progress_callback = progress
    handle = lib.llama_model_load_from_file(str(path).encode(), parameters)
    if not handle:
        raise InvalidInput(
            f"llama.cpp cannot load {path.name}: {why() or 'no reason given'}.",
            hint="The file may be damaged or too new for this engine; get it again.",
            code="model_rejected",
        )
    return handle


def context_parameters(settings: LoadSettings, context_length: int, *, threads: int) -> Any:
    """What a context is made with; a plan that is to be true is made with the same."""
    parameters = lib.llama_context_default_params()
    parameters.n_ctx = context_length
    parameters.n_ubatch = max(32, min(settings.batch, context_length))
    parameters.n_batch = parameters.n_ubatch
    parameters.n_seq_max = settings.parallel
    parameters.n_outputs_max = settings.parallel
    parameters.kv_unified = True
    parameters.swa_full = False  # layers with a window keep the window, not all
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.flash_attn_type = -1 if settings.flash_attention else 0
    parameters.type_k = parameters.type_v = _KV_TYPES[settings.kv_type]
    parameters.no_perf = True
    return parameters


class _Breakdown(ctypes.Structure):
    """A ``std::map`` from buffer type to sizes, as libstdc++ lays it out."""

    _fields_ = (
        ("compare", ctypes.c_void_p),
        ("color", ctypes.c_size_t),
        ("root", ctypes.c_void_p),
        ("leftmost", ctypes.c_void_p),
        ("rightmost", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
    )


class _BreakdownNode(ctypes.Structure):
    _fields_ = (
        ("color", ctypes.c_size_t),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("buffer_type", ctypes.c_void_p),
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


def breakdown(context: Any) -> tuple[int, int, int] | None:
    """Bytes of weights, caches and working buffers, planned or real; None where nobody can say.

    The function has no C interface yet (llama-ext.h says it is to get one): it is looked up by
    its C++ name, and only where that library's map is known to look like this.
    """
    name = "_Z26llama_get_memory_breakdownPK13llama_context"
    if sys.platform != "linux" or not hasattr(lib._lib, name):  # noqa: SLF001 - its own handle
        return None
    function = lib._lib[name]  # noqa: SLF001
    function.argtypes, function.restype = (ctypes.c_void_p,), _Breakdown
    found = function(context)
    nodes, weights, caches, working = [found.root], 0, 0, 0
    while nodes:
        address = nodes.pop()
        if address:
            node = _BreakdownNode.from_address(address)
            weights, caches, working = (
                weights + node.model,
                caches + node.context,
                working + node.compute,
            )
            nodes += [node.left, node.right]
    return weights, caches, working


def why() -> str:
    """The native lines that tell why the last call failed, shortest useful form."""
    lines = [line.strip() for line in log_tail if line.strip() not in ("", ".")]
    return "; ".join(lines[-3:])[:400]


def library_folder() -> Path:
    """Where the native libraries lie."""
    return Path(sys.modules["llama_cpp"].__path__[0]) / "lib"


def build() -> EngineBuild:
    """Which llama.cpp this is: the package's version and a digest of what was compiled."""
    digest = hashlib.sha256()
    for path in sorted(library_folder().glob("lib*.so")) or sorted(library_folder().iterdir()):
        if path.is_file():
            digest.update(path.read_bytes())
    version = lib.llama_version().decode() if hasattr(lib, "llama_version") else ""
    return EngineBuild(
        version=importlib.metadata.version("llama-cpp-python"),
        build=f"{version}+{digest.hexdigest()[:12]}",
    )


def system_info() -> str:
    """The processor features this build uses, as llama.cpp prints them."""
    return str(lib.llama_print_system_info().decode())


def as_c_string(text: str) -> bytes:
    """UTF-8 for a C call; a NUL would cut the string, so it becomes a replacement mark."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace")
