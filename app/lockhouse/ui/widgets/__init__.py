"""Small widgets that more than one page uses.

Pill and KeyCap (labels with a background), MemoryBar, Meter and ThinBar (amounts), Spinner
(activity), Switch, CheckBox and SegmentedControl (choices), IconButton (28 x 28, always named),
Banner (what happened and what to do). Each has an accessible name and follows the theme.
"""

from __future__ import annotations

from lockhouse.ui.widgets.banner import Banner, BannerTone
from lockhouse.ui.widgets.buttons import IconButton
from lockhouse.ui.widgets.choices import CheckBox, SegmentedControl, Switch, paint_box
from lockhouse.ui.widgets.meters import MemoryBar, MemoryPart, Meter, ThinBar
from lockhouse.ui.widgets.pills import KeyCap, Pill, PillTone
from lockhouse.ui.widgets.spinner import Spinner

__all__ = [
    "Banner",
    "BannerTone",
    "CheckBox",
    "IconButton",
    "KeyCap",
    "MemoryBar",
    "MemoryPart",
    "Meter",
    "Pill",
    "PillTone",
    "SegmentedControl",
    "Spinner",
    "Switch",
    "ThinBar",
    "paint_box",
]
