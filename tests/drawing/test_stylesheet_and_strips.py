"""One stylesheet for pages and reports, whose hash a browser holds it to; and what happened when, as rows of cells."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from xml.etree import ElementTree as ET

from furrow.drawing.page_shell import alone, policy_of, stylesheet
from furrow.drawing.strips import MOST_ROWS, strips


def test_a_document_alone_names_its_style_by_hash() -> None:
    """A browser applies the style by the policy's hash, and nothing else runs or loads."""
    text = alone("<x>", "<p>words</p>")
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style == stylesheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in html.unescape(text)
    assert policy_of(style) in html.unescape(text)
    assert "<title>&lt;x&gt;</title>" in text
    assert "</style" not in style
    assert "@import" not in style
    assert "url(" not in style


def test_cells_stand_where_it_was_so() -> None:
    drawn = ET.fromstring(strips(["a", "b", "c"], {"<x>": [True, False, True]}, title="t&t"))
    cells = list(drawn.iter("rect"))
    assert [one.find("title").text for one in cells] == ["<x>: a", "<x>: c"]  # type: ignore[union-attr]
    assert float(cells[0].get("x", 0)) < float(cells[1].get("x", 0))


def test_strips_are_bounded() -> None:
    """However many rows there are, so many are drawn; of nothing nothing is."""
    many = strips(["w"] * 60, {f"f{n}": [True] * 60 for n in range(500)}, title="t")
    assert many.count("<rect") == MOST_ROWS * 60
    assert strips([], {}, title="t") == ""
