"""Colours that everybody can see, by the contrast of WCAG 2.2."""

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from dashboard.chart import Theme

CONFIG = tomllib.loads((Path(__file__).parents[2] / "dashboard" / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
PALETTE = CONFIG["chartCategoricalColors"]


def luminance(colour: str) -> float:
    """The relative luminance of a colour, by WCAG."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_the_highest_contrast():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("colour", PALETTE)
def test_every_mark_of_a_chart_stands_out(mode, colour):
    assert contrast(colour, CONFIG[mode]["backgroundColor"]) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_beside_charts_can_be_read(mode):
    colours = CONFIG[mode]
    shown = Theme(colours["backgroundColor"], colours["textColor"], colours["borderColor"], "", ())
    assert contrast(shown.muted, shown.paper) >= 4.5


def test_no_two_models_have_nearly_the_same_colour():
    for one, other in combinations(PALETTE, 2):
        parts = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (one, other)]
        assert sum((a - b) ** 2 for a, b in zip(*parts, strict=True)) ** 0.5 > 50, (one, other)
