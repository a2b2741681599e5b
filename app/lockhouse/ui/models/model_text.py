"""Text about a model, the same in the table, the details panel and the dialogs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from lockhouse.library.model_info import OWN, ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.widgets import PillTone

_FIT: dict[str, tuple[str, str, PillTone]] = {
    "fits": ("Fits", "check", "success"),
    "may be slow": ("May be slow", "gauge", "warning"),
    "won't fit": ("Won’t fit", "x", "danger"),
}
_LICENCES = {
    "apache-2.0": "Apache 2.0",
    "mit": "MIT",
    "gpl-3.0": "GPL 3.0",
    "agpl-3.0": "AGPL 3.0",
    "bsd-3-clause": "BSD 3-Clause",
    "cc-by-4.0": "CC BY 4.0",
    "cc-by-sa-4.0": "CC BY-SA 4.0",
    "cc-by-nc-4.0": "CC BY-NC 4.0",
    "cc0-1.0": "CC0 1.0",
    "llama2": "Llama 2",
    "llama3": "Llama 3",
    "llama3.1": "Llama 3.1",
    "llama3.2": "Llama 3.2",
    "llama3.3": "Llama 3.3",
    "gemma": "Gemma",
    "openrail": "OpenRAIL",
    "other": "Other",
}


def fit_pill(fit: str | None) -> tuple[str, str, PillTone]:
    """Text, icon and tone of the pill for a fit."""
    return _FIT.get(fit or "", ("Unknown", "minus", "neutral"))


def model_pill(model: ModelInfo) -> tuple[str, str, PillTone]:
    """The same for an installed model; a problem with its file comes first."""
    if model.state == "missing":
        return "Missing", "x", "danger"
    if model.state == "damaged":
        return "Damaged", "triangle-alert", "danger"
    if model.state == "unusable":
        return "Can’t load", "x", "danger"
    return fit_pill(model.fit)


def folder_name(model: ModelInfo) -> str:
    """Whose folder the file is in."""
    return "Included" if model.included else owner_name(model.owner)


def owner_name(owner: str) -> str:
    """The program that a folder belongs to."""
    if owner == OWN:
        return "Lockhouse"
    return "Other folder" if owner in ("", "user") else owner


def folder_icon(model: ModelInfo) -> str:
    """A house for Lockhouse's own folder, a linked folder for another program's, else a folder."""
    if model.included or model.owner == OWN:
        return "house"
    return "folder" if model.owner in ("", "user") else "folder-symlink"


def verified_text(model: ModelInfo, now: dt.datetime) -> tuple[str, str, str]:
    """Text, icon and ink: when the file was last found unchanged."""
    if model.state == "changed":
        return "Changed", "triangle-alert", "danger"
    moment = formatting.moment_of(model.verified_at)
    if moment is None:
        return "Not yet", "circle-dashed", "text-3"
    return formatting.day(moment, now), "circle-check", "success"


def used_text(model: ModelInfo, now: dt.datetime) -> str:
    """When the model last answered."""
    moment = formatting.moment_of(model.last_used_at)
    if moment is None:
        return "Never"
    when = formatting.day(moment, now)
    return when if when == "Yesterday" else formatting.short_time(moment, now)


def licence_name(licence: str) -> str:
    """The usual name of a licence, from its identifier."""
    return _LICENCES.get(licence.lower(), licence)


def parameter_count(count: int) -> str:
    """135M, 7.6B."""
    if count <= 0:
        return ""
    if count < 999_500_000:
        return f"{count / 1e6:.0f}M"
    billions = count / 1e9
    return f"{billions:.0f}B" if billions >= 99.5 else f"{billions:.1f}B".replace(".0B", "B")


def home_relative(path: Path) -> str:
    """The path with ~ for the home folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def rate(bytes_per_s: float) -> str:
    """38.2 MB/s."""
    if bytes_per_s < 1e6:
        return f"{formatting.size(bytes_per_s)}/s"
    if bytes_per_s < 999.5e6:
        return f"{bytes_per_s / 1e6:.1f}{formatting.NBSP}MB/s"
    return f"{bytes_per_s / 1e9:.1f}{formatting.NBSP}GB/s"


def time_left(seconds: float) -> str:
    """6 s left, 2 min 22 s left, 3 h 5 min left."""
    if 600 <= seconds < 3600:
        return f"{round(seconds / 60)}{formatting.NBSP}min left"
    if seconds < 3600:
        return f"{formatting.seconds(max(1.0, round(seconds))).replace('.0', '')} left"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours}{formatting.NBSP}h {rest}{formatting.NBSP}min left"


def progress_text(done_bytes: int, size_bytes: int) -> str:
    """8.9 of 14.3 GB, in the unit of the whole."""
    whole = formatting.size(size_bytes)
    unit = whole.rpartition(formatting.NBSP)[2]
    scale = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    done = done_bytes / scale
    shown = f"{done:.1f}" if unit in ("GB", "TB") else f"{done:.0f}"
    return f"{shown} of {whole}"


def plain_title(repo: str, title: str = "") -> str:
    """A repository's name as a title: without its owner and without GGUF."""
    name = title or repo.rpartition("/")[2]
    for ending in ("-GGUF", "-gguf", "_GGUF", " GGUF", ".GGUF"):
        name = name.removesuffix(ending)
    return name.replace("-", " ").replace("_", " ").strip() or repo
