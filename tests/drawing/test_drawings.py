"""Drawings of numbers and graphs: bounded, finite, escaped."""

from __future__ import annotations

import html
import math
import re

import pytest

from furrow.ci.outcome import Measure
from furrow.drawing.charts import bars, lines, spark
from furrow.drawing.curves import curves, intervals
from furrow.drawing.graphs import Node, graph
from furrow.drawing.page_shell import alone, stylesheet
from furrow.drawing.plots import plot, thinned
from furrow.drawing.round_ticks import rounded_up, ticks
from furrow.history.shown_values import cell, strict
from furrow.serving.environment_facts import served_here
from furrow.web.explore_page import front
from furrow.web.key_importance import FEWEST, importance


def test_thinning_keeps_the_ends_and_the_extremes() -> None:
    points = [(float(n), math.sin(n / 50)) for n in range(100_000)]
    points[70_001] = (70_001.0, 9.0)
    points[70_003] = (70_003.0, -9.0)
    kept = thinned(points, 400)
    assert len(kept) <= 400
    assert kept == sorted(kept)
    assert {points[0], points[-1], points[70_001], points[70_003]} <= set(kept)
    assert thinned(points[:5], 400) == points[:5]


@pytest.mark.parametrize(
    "values",
    [
        [0.0, math.nan, 1.0],
        [math.inf, 1.0, 2.0],
        [5.0, 5.0],
        [1e308, -1e308],
        [0.0, 5e-324],
        [1e-300, 1e-300],
    ],
)
def test_what_is_drawn_is_finite(values: list[float]) -> None:
    drawn = plot(
        {"<b>": [(float(at), value) for at, value in enumerate(values)]}, title="<i>", up="&"
    )
    assert not re.search(r"nan|inf", drawn.replace("infer", ""))
    assert "<b>" not in drawn
    assert "<i>" not in drawn
    assert len(drawn) < 20_000


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((-0.28, 7.28), ["0", "2", "4", "6"]),
        ((0.79862, 0.79866), ["0.79862", "0.79863", "0.79864", "0.79865", "0.79866"]),
        ((0.0, 25_000.0), ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]),
    ],
)
def test_ticks_are_round_and_told_apart(ends: tuple[float, float], said: list[str]) -> None:
    drawn = plot({"a": [(0.0, ends[0]), (1.0, ends[1])]}, title="t")
    found = re.findall(r'text-anchor="end">([^<]*)<', drawn)
    assert set(said[1:-1]) <= set(found)
    assert len(found) == len(set(found))


def test_a_million_points_are_as_small_as_a_thousand() -> None:
    many = plot({"a": [(float(n), float(n % 97)) for n in range(100_000)]}, title="t")
    assert len(many) < 40_000
    assert plot({"a": []}, title="t") == ""
    assert (
        plot({str(n): [(0.0, 1.0), (1.0, n)] for n in range(80)}, title="t").count("<polyline")
        == 50
    )


def test_a_graph_stands_in_layers() -> None:
    """Each node right of all that it reads; no line for what another way says; a circle is drawn, not followed for ever."""
    nodes = [
        Node("c", "run", ("a", "b")),
        Node("a"),
        Node("b", "", ("a", "gone")),
        Node('"><x', "on load=1"),
    ]
    drawn = graph(nodes, title="t")
    place = {
        name: float(x)
        for name, x in re.findall(
            r"<title>(\w+)[:<].*?<rect class=\"node[^\"]*\" x=\"(\d+)\"", drawn
        )
    }
    assert place["a"] < place["b"] < place["c"]
    assert drawn.count('class="edge"') == 2, "a reaches c by way of b"
    assert "<x" not in drawn
    assert 'class="node"' in drawn
    assert graph([Node("a", "", ("b",)), Node("b", "", ("a",))], title="t").count("<rect") == 2
    assert graph([], title="t") == ""


def test_charts_and_curves_are_of_the_same_house() -> None:
    assert bars(["a"], [1.0], text=str, title="t").startswith("<svg")
    assert curves("roc", {"after": ((0.0, 0.0), (1.0, 1.0))}).startswith("<svg")


def test_the_front_holds_what_nothing_beats() -> None:
    points = [("a", 1.0, 1.0), ("b", 2.0, 0.5), ("c", 0.5, 0.9), ("d", 2.0, 0.4), ("e", 1.0, 1.0)]
    assert [name for name, *_ in front(points, 1, 1)] == ["b", "a"]
    assert [name for name, *_ in front(points, -1, 1)] == ["c", "a"]


def test_the_key_that_matters_is_found() -> None:
    """fANOVA over runs: the key that makes the metric first; too few runs say nothing."""
    rate = [n / 40 for n in range(40)]
    noise = [float((n * 7) % 11) for n in range(40)]
    found = importance(
        {"noise": noise, "rate": rate, "same": [1.0] * 40}, [one * one for one in rate]
    )
    assert found[0][0] == "rate"
    assert found[0][1] > 0.6
    assert {name for name, _ in found} == {"rate", "noise"}
    assert importance({"rate": rate[: FEWEST - 1]}, rate[: FEWEST - 1]) == []
    assert importance({}, rate) == []


def test_values_for_people_and_for_json(tmp_path) -> None:
    assert cell(0.123456) == "0.1235"
    assert cell(math.nan) == "NaN"
    assert strict([math.inf, {"a": -math.inf}]) == ["Infinity", {"a": "-Infinity"}]
    assert served_here(tmp_path) == []


def test_an_axis_has_round_numbers() -> None:
    """Of intervals too, whatever lies between; and an axis from zero has a round half."""
    drawn = intervals([("gbm", Measure("m", 0.7013, (0.6917, 0.7111), 0.7219, None))], metric="m")
    assert re.findall(r'text-anchor="middle">([\d.]+)<', drawn) == ["0.69", "0.70", "0.71", "0.72"]
    assert [text for _, text in ticks(0.69, 0.73, 5)] == ["0.69", "0.70", "0.71", "0.72", "0.73"]
    assert [rounded_up(value) for value in (0, 0.3, 2, 2.1, 27_004, 41_000)] == [
        1,
        0.4,
        2,
        4,
        40_000,
        60_000,
    ]


def test_labels_stand_off_their_line() -> None:
    """Above a peak and below a dip."""
    drawn = lines(["a", "b", "c"], [1, 4, 1], text=str, title="t")
    places = [float(y) for y in re.findall(r'class="value[^"]*" x="[\d.]+" y="([\d.]+)"', drawn)]
    points = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)]
    assert [place > point for place, point in zip(places, points, strict=True)] == [
        True,
        False,
        True,
    ]


def test_tails_are_hollow() -> None:
    drawn = spark([1, 5, 2], title="t", tails=(False, True))
    assert re.findall(r'class="(\w+)" x', drawn) == ["full", "full", "tail"]


def test_a_page_alone_loads_nothing() -> None:
    """The title is text, the style is the site's, and it may load nothing else."""
    page = alone("<b>", "<p>x</p>")
    assert "<title>&lt;b&gt;</title>" in page
    assert stylesheet() in page
    assert "default-src 'none'" in html.unescape(page)
    assert "url(" not in stylesheet()
    assert "@import" not in stylesheet()
