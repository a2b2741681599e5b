"""The declared colours: complete in both schemes, and readable."""

from __future__ import annotations

import pytest

from lockhouse.ui.theme import tokens


def test_light_and_dark_name_the_same_colours() -> None:
    assert tokens.LIGHT.keys() == tokens.DARK.keys()


def test_contrast_of_black_on_white_is_the_known_maximum() -> None:
    assert tokens.contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert tokens.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_declared_pair_can_be_read(scheme: tokens.Scheme) -> None:
    palette = tokens.PALETTES[scheme]
    too_weak = [
        f"{front} on {back}: {ratio:.2f} < {least}"
        for front, back, least in tokens.CONTRAST_PAIRS
        if (ratio := tokens.contrast(palette[front], palette[back])) < least
    ]
    assert too_weak == []
    assert len(tokens.CONTRAST_PAIRS) > 80
