"""The presets in resources/providers.json."""

from __future__ import annotations

import json

from lockhouse.bundled import resource
from lockhouse.gate.providers import Provider, _checked, presets, zone_of


def test_a_preset_is_as_right_as_what_a_person_adds() -> None:
    fields = set(Provider.__struct_fields__)
    for entry in json.loads(resource("providers.json").read_bytes())["providers"]:
        assert set(entry) <= fields, f"{entry['name']}: {set(entry) - fields}"
    every = presets().providers
    assert len({preset.name for preset in every}) == len(every)
    for preset in every:
        assert preset.is_preset
        assert _checked(preset) == preset
        assert zone_of(preset.endpoints) == preset.zone
