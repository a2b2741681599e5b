"""How good a model's form is, and whether this machine has the memory for it, in plain words."""

from __future__ import annotations

from typing import Final

from lockhouse.library.model_info import Fit, Quality

_UNQUANTIZED: Final = ("F32", "F16", "BF16")
_LARGE_BITS: Final = 6.5
_BALANCED_BITS: Final = 4.2
_COMFORTABLE: Final = 0.6
_POSSIBLE: Final = 0.9


def quality_of(quantization: str, bits_per_weight: float) -> Quality:
    """The word for how much was given up to make the file smaller."""
    if quantization in _UNQUANTIZED:
        return "Original"
    if bits_per_weight >= _LARGE_BITS:
        return "Large"
    return "Balanced" if bits_per_weight >= _BALANCED_BITS else "Small"


def fit_of(needed_bytes: int) -> Fit:
    """Whether a model that takes so much memory runs on this machine, others set aside."""
    import psutil  # only where models are listed

    share = needed_bytes / max(1, psutil.virtual_memory().total)
    if share <= _COMFORTABLE:
        return "fits"
    return "may be slow" if share <= _POSSIBLE else "won't fit"
