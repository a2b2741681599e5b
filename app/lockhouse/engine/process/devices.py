"""What there is to compute with: what llama.cpp sees, and what it does not see though it is there.

llama.cpp's own list has only devices that this build can use. What the machine has besides is
read from the system's own lists, so that a graphics processor that stays idle is told, with why.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

from lockhouse.engine.planning import Device, DeviceReport
from lockhouse.engine.process.jobs import Report

_KINDS = {0: "CPU", 1: "GPU", 2: "integrated GPU", 3: "accelerator"}  # ggml_backend_dev_type
_MAKERS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}  # others are pictures of a screen
_DISPLAY_CLASS = 0x03
_FEATURE = re.compile(r"(\w+) = 1\b")
_BACKENDS_FOR = {
    "NVIDIA": ("CUDA", "Vulkan"),
    "AMD": ("ROCm", "HIP", "Vulkan"),
    "Intel": ("SYCL", "Vulkan"),
}
_BUILD_FLAGS = {"NVIDIA": "GGML_CUDA", "AMD": "GGML_VULKAN", "Intel": "GGML_VULKAN"}


def answer(_request: bytes, _report: Report) -> DeviceReport:
    """What is here, for a job."""
    return look()


def look(root: Path = Path("/")) -> DeviceReport:
    """Devices, features and build of the engine in force; ``root`` is where the system lies."""
    from lockhouse.engine.process.native import build, start_backend, system_info

    start_backend()
    devices, backends = _devices()
    graphics = graphics_processors(root)
    return DeviceReport(
        devices=devices,
        features=tuple(_FEATURE.findall(system_info())),
        build=build().build,
        backends=backends,
        graphics=graphics,
        why_no_gpu=why_no_gpu(graphics, devices, backends, root),
    )


def _devices() -> tuple[tuple[Device, ...], tuple[str, ...]]:
    ggml = _ggml()
    devices = []
    for index in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        backend = _text(ggml.ggml_backend_reg_name(ggml.ggml_backend_dev_backend_reg(device)))
        devices.append(
            Device(
                name=_text(ggml.ggml_backend_dev_name(device)),
                description=_text(ggml.ggml_backend_dev_description(device)).strip(),
                kind=_KINDS.get(ggml.ggml_backend_dev_type(device), "other"),
                memory_total_bytes=total.value,
                memory_free_bytes=free.value,
                backend=backend,
            )
        )
    backends = tuple(
        _text(ggml.ggml_backend_reg_name(ggml.ggml_backend_reg_get(index)))
        for index in range(ggml.ggml_backend_reg_count())
    )
    return tuple(devices), backends


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


class _Functions:
    """ggml's device functions, wherever among its libraries they are."""

    def __init__(self, libraries: list[ctypes.CDLL]) -> None:
        self._libraries = libraries
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for name, result, arguments in (
            ("dev_count", ctypes.c_size_t, ()),
            ("dev_get", pointer, (ctypes.c_size_t,)),
            ("dev_name", text, (pointer,)),
            ("dev_description", text, (pointer,)),
            ("dev_type", ctypes.c_int, (pointer,)),
            ("dev_memory", None, (pointer, pointer, pointer)),
            ("dev_backend_reg", pointer, (pointer,)),
            ("reg_count", ctypes.c_size_t, ()),
            ("reg_get", pointer, (ctypes.c_size_t,)),
            ("reg_name", text, (pointer,)),
        ):
            function = self._find(f"ggml_backend_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, f"ggml_backend_{name}", function)

    def _find(self, name: str) -> Any:
        for library in self._libraries:
            if hasattr(library, name):
                return getattr(library, name)
        raise AttributeError(name)

    def __getattr__(self, name: str) -> Any:  # what __init__ did not set is not there
        raise AttributeError(name)


def _ggml() -> _Functions:
    from lockhouse.engine.process.native import library_folder

    folder = library_folder()
    found = [
        path
        for stem in ("ggml", "ggml-base")
        for ending in ("so", "dylib", "dll")
        for path in (folder / f"lib{stem}.{ending}", folder / f"{stem}.{ending}")
        if path.is_file()
    ]
    return _Functions([ctypes.CDLL(str(path)) for path in found])


def graphics_processors(root: Path = Path("/")) -> tuple[str, ...]:
    """Makers and addresses of the graphics processors that could compute: "NVIDIA 0000:01:00.0"."""
    found = []
    for entry in sorted((root / "sys/bus/pci/devices").glob("*")):
        try:
            kind = int((entry / "class").read_text(), 16) >> 16
            maker = _MAKERS.get(int((entry / "vendor").read_text(), 16), "")
        except (OSError, ValueError):
            continue
        if maker and kind == _DISPLAY_CLASS:
            found.append(f"{maker} {entry.name}")
    if not found and any((root / "dev").glob("nvidia[0-9]*")):
        found.append("NVIDIA")  # passed into a container without the list of its bus
    if not found and (root / "dev/kfd").exists():
        found.append("AMD")
    return tuple(found)


def why_no_gpu(
    graphics: tuple[str, ...],
    devices: tuple[Device, ...],
    backends: tuple[str, ...],
    root: Path = Path("/"),
) -> str:
    """Why a graphics processor is not used, where there is one; "" otherwise."""
    if not graphics or any("GPU" in device.kind for device in devices):
        return ""
    maker = graphics[0].split()[0]
    article = "an" if maker[0] in "AEIN" else "a"
    suited = [name for name in backends if name in _BACKENDS_FOR[maker]]
    told = f"This machine has {article} {maker} graphics processor, but "
    if not suited:
        return (
            f"{told}the engine in force was built for {' and '.join(backends) or 'nothing'} only. "
            f"Build it with -D{_BUILD_FLAGS[maker]}=ON to use it."
        )
    nodes = "nvidia[0-9]*" if maker == "NVIDIA" else "dri/renderD*"
    if not any((root / "dev").glob(nodes)):
        return f"{told}its driver is not loaded. Install the maker's driver and start again."
    return (
        f"{told}{suited[0]} finds none that it can use. Its driver may be too old, or this user "
        "may not use it (groups video and render)."
    )
