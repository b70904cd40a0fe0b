"""The palette of series: neighbors differ for eyes that lack one kind of cone, in light and in dark."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from furrow.drawing.page_shell import stylesheet
from furrow.drawing.plots import HUES

LEAST = 12.0
"""CIE 1976 distance between neighbors in L*a*b*; 2.3 is just to be noticed side by side (Mahy 1994)."""

EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""On linear RGB: Machado, Oliveira and Fernandes 2009, table 1, severity 1.0."""

XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""Of linear sRGB (IEC 61966-2-1)."""


def _seen(color: str, eye: str) -> np.ndarray:
    """A color in L*a*b* (CIE 1976, white of D65), as an eye sees it."""
    coded = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(EYES[eye]) @ linear, 0, 1)
    parts = XYZ @ linear / XYZ.sum(axis=1)
    x, y, z = np.where(parts > (6 / 29) ** 3, np.cbrt(parts), parts * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _palettes() -> dict[str, list[str]]:
    """The colors of series, in light and in dark, in their order."""
    found = re.findall(r"--s(\d):(#[0-9a-f]{6})", stylesheet())
    assert len(found) == 2 * HUES
    light, dark = found[:HUES], found[HUES:]
    assert [name for name, _ in light] == [name for name, _ in dark] == [*map(str, range(HUES))]
    return {"light": [one for _, one in light], "dark": [one for _, one in dark]}


def _dashes() -> list[str]:
    """How the line of each series is dashed; empty for a whole one."""
    found = dict(
        re.findall(
            r"svg \.s(\d)\{stroke:var\(--s\d\)(?:;stroke-dasharray:([\d ]+))?\}", stylesheet()
        )
    )
    return [found[str(at)] for at in range(HUES)]


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbors_and_equal_dashes_differ(scheme: str, eye: str) -> None:
    """Each series from the next, the last from the first, and from all whose lines are dashed alike."""
    colors, dashes = _palettes()[scheme], _dashes()
    gaps = {
        f"s{one} and s{other}": float(
            np.linalg.norm(_seen(colors[one], eye) - _seen(colors[other], eye))
        )
        for one, other in combinations(range(HUES), 2)
        if other - one in {1, HUES - 1} or dashes[one] == dashes[other]
    }
    assert {name: round(gap, 1) for name, gap in gaps.items() if gap < LEAST} == {}


def test_the_simulation_is_one() -> None:
    """Gray stays gray for every eye, and a red and a green of one lightness become alike without red cones."""
    for eye in EYES:
        assert np.abs(_seen("#808080", eye)[1:]).max() < 0.5
    red, green = "#b06a40", "#7d8040"
    usual = np.linalg.norm(_seen(red, "all cones") - _seen(green, "all cones"))
    assert np.linalg.norm(_seen(red, "deuteranopia") - _seen(green, "deuteranopia")) < usual / 2
