"""Labels: how far the words of a conversation may travel. No setting overrides them.

A label is chosen by a person and inherited: whatever is made of several parts has the highest of
their labels. The whole rule is one small table, so that every case of it can be enumerated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from lockhouse.core.errors import PolicyRefused

Label = Literal["public", "internal", "confidential"]
Zone = Literal["local", "lan", "cloud"]  # this machine, the own network, anywhere

LABELS: tuple[Label, ...] = get_args(Label)  # from the lowest to the highest
ZONES: tuple[Zone, ...] = get_args(Zone)  # from the nearest to the farthest

_FARTHEST: dict[Label, Zone] = {"public": "cloud", "internal": "lan", "confidential": "local"}
_OUTSIDE: dict[Zone, tuple[str, str]] = {  # of a farthest zone: what lies beyond, what to do
    "local": ("not on this machine", "Choose a model on this machine."),
    "lan": (
        "outside your own network",
        "Choose a model on this machine, or a server on your own network.",
    ),
}


def may_go(label: Label, zone: Zone) -> bool:
    """Whether something with this label may be sent to a target in this zone."""
    return ZONES.index(zone) <= ZONES.index(_FARTHEST[label])


def highest(labels: Iterable[Label]) -> Label:
    """The label of what is made of parts with these labels; public where there are none."""
    return max(labels, key=LABELS.index, default="public")


def require_label(label: Label, zone: Zone, host: str) -> None:
    """Raise PolicyRefused "label" when ``label`` may not go to ``host``, which is in ``zone``."""
    if may_go(label, zone):
        return
    where, hint = _OUTSIDE[_FARTHEST[label]]
    raise PolicyRefused(
        f"Nothing was sent: this conversation is labelled {label}, and {host} is {where}.",
        hint=hint,
        code="label",
    )
