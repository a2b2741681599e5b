"""What a model would take in memory, planned by llama.cpp itself without loading it.

A process of its own, sealed and confined to the model's file, keeps the metadata of one model
for a minute and answers what a context of some length would allocate in about ten milliseconds.
"""

from __future__ import annotations

import msgspec

from lockhouse.engine.protocol import KvType


class PlanRequest(msgspec.Struct, frozen=True, tag="plan"):
    """Plan a load with these settings, as :class:`LoadSettings` has them."""

    model_path: str
    context_length: int
    kv_type: KvType = "f16"
    batch: int = 512
    parallel: int = 4
    flash_attention: bool = True
    extra_buffers: bool = True


class MemoryPlan(msgspec.Struct, frozen=True, tag="memory_plan"):
    """Bytes that llama.cpp would allocate, by what they are for."""

    weights_bytes: int
    kv_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return (
            self.weights_bytes
            + self.kv_bytes
            + self.recurrent_bytes
            + self.compute_bytes
            + self.output_bytes
        )


class Device(msgspec.Struct, frozen=True):
    """A processor that llama.cpp sees."""

    name: str
    description: str
    kind: str  # "CPU", "GPU", "integrated GPU", "accelerator"
    memory_total_bytes: int
    memory_free_bytes: int
    backend: str


class DeviceReport(msgspec.Struct, frozen=True, tag="device_report"):
    """What there is to compute with."""

    devices: tuple[Device, ...]
    features: tuple[str, ...]  # of the processor, in use by this build
    build: str
    backends: tuple[str, ...]
    why_no_gpu: str = ""  # "" when a GPU is used or there is none
