"""Names, descriptions and categories written from right to left, in a real browser: whole, side by side, each in its own direction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from furrow.web.export_site import export
from furrow.web.site import Site

from .conftest import commit, made, run_files, shared_files
from .test_in_browser import browser as browser  # noqa: PLC0414
from .test_in_browser import page as page  # noqa: PLC0414

if TYPE_CHECKING:
    from pathlib import Path

HEBREW, ARABIC = "מודל_עצים", "نموذج_خطي"
SAID = "מודל עצים על 12 עמודות (גרסה 2), טוב יותר מ-GBM ב-3.5%."
"""A description whose number, brackets and Latin word stand wrong where its direction is taken for another."""
CATEGORIES = ("תל אביב (מרכז)", "القاهرة 2", "JFK")

MEASURE = """() => {
  const rtl = /[\\u0590-\\u08ff]/, wrong = [];
  const own = (el) => [...el.childNodes].filter((n) => n.nodeType === 3 && rtl.test(n.data));
  let seen = 0;
  for (const el of document.querySelectorAll('main *, header *')) {
    if (!own(el).length || !el.getClientRects().length || el.closest('details:not([open])')) continue;
    const box = (el.closest('td,th,dd,h1,h2,figcaption,p,pre,svg') || el).getBoundingClientRect();
    seen += 1;
    for (const text of own(el)) {
      const range = document.createRange();
      range.selectNodeContents(text);
      for (const at of range.getClientRects())
        if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
          wrong.push(['cut', text.data]);
    }
    if (el.closest('svg')) continue;
    let up = el, held = false;
    for (; up && up.tagName !== 'MAIN'; up = up.parentElement)
      held = held || ['isolate', 'plaintext'].includes(getComputedStyle(up).unicodeBidi);
    if (!held) wrong.push(['not isolated', el.tagName, el.textContent.slice(0, 60)]);
  }
  const groups = [...document.querySelectorAll('tr, .facts div')].map((el) => [...el.children]);
  for (const svg of document.querySelectorAll('svg')) groups.push([...svg.querySelectorAll('text')]);
  for (const group of groups) {
    const boxes = group.filter((el) => el.textContent.trim() && el.getClientRects().length)
      .map((el) => [el, el.getBoundingClientRect()]);
    boxes.forEach(([one, a], at) => boxes.slice(at + 1).forEach(([other, b]) => {
      if (!rtl.test(one.textContent + other.textContent)) return;
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        wrong.push(['overlap', one.textContent, other.textContent]);
    }));
  }
  return [seen, wrong, document.documentElement.scrollWidth];
}"""
"""Of all text from right to left: whether it lies in its box, is isolated, and overlaps nothing beside it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as files, of a project whose people write from right to left."""
    folder = made(tmp_path_factory.mktemp("rtl") / "פרויקט")
    files: dict[str, str] = shared_files(HEBREW, [HEBREW, ARABIC])
    for name, rate in ((HEBREW, 0.1), (ARABIC, 0.2)):
        files |= run_files(name, {"roc_auc": 0.8 - rate, "log_loss": 0.4 + rate}, rate)
        about = (
            f"name: {name}\ndescription: {json.dumps(SAID)}\nmodel:\n  name: m\n  rate: {rate}\n"
        )
        slices = [
            {"slice": "origin", "value": one, "rows": 5, "log_loss": 0.4} for one in CATEGORIES
        ]
        important = "".join(f"{one},0.{at}\n" for at, one in enumerate(CATEGORIES, 3))
        files |= {
            f"runs/{name}/config.yaml": about,
            f"runs/{name}/slices.json": json.dumps(slices),
            f"runs/{name}/card.md": f"# {name}\n{SAID}\n",
            f"runs/{name}/plots/importance.csv": f"feature,importance\n{important}",
        }
    commit(folder, files, SAID)
    out = folder.parent / "site"
    export(Site(folder, live=False), "", out)
    return out


@pytest.mark.parametrize("width", [320, 1280])
def test_right_to_left_text_is_whole_and_isolated(site: Path, page: Any, width: int) -> None:
    """On each page with such a text, on a telephone and on a desk."""
    page.set_viewport_size({"width": width, "height": 800})
    found, seen = {}, {}
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        seen[file.name], wrong, wide = page.evaluate(MEASURE)
        if wrong or wide > width:
            found[file.name] = (wide, wrong[:6])
    assert found == {}
    assert sum(count > 0 for count in seen.values()) >= 5, seen


def test_a_sentence_reads_from_its_own_side(site: Path, page: Any) -> None:
    """The full stop of a Hebrew sentence is at its left end, though the page is English."""
    page.goto((site / "index.html").as_uri())
    told = 0
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        told += page.evaluate(
            """(said) => [...document.querySelectorAll('main *')].filter((el) =>
                el.childNodes.length === 1 && el.textContent.trim() === said && el.getClientRects().length
              ).map((el) => {
                const node = el.firstChild, range = document.createRange(), start = node.data.indexOf(said);
                const at = (place) => { range.setStart(node, place); range.setEnd(node, place + 1); return range.getBoundingClientRect(); };
                const stop = at(start + said.length - 1), percent = at(start + said.length - 2);
                if (stop.left > percent.left) throw new Error(`${document.URL} ${el.tagName}.${el.className}`);
                return 1;
              }).length""",
            SAID,
        )
    assert told > 0


LABELS = """() => [document.documentElement.scrollWidth, [...document.querySelectorAll('svg')].map((svg) => {
  const own = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].map((text) => {
    const box = text.getBoundingClientRect();
    return [text.textContent, Math.round(box.left - own.left), Math.round(box.right - own.left)];
  });
})]"""
"""How wide a page is, and from where to where each label of its charts goes within its chart."""


def test_charts_in_a_page_from_right_to_left(site: Path, page: Any) -> None:
    """A browser or a notebook may turn the whole page round: labels stay beside their axes, nothing is beyond the edge."""
    labels = 0
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        wide, before = page.evaluate(LABELS)
        page.evaluate("document.documentElement.dir = 'rtl'")
        turned, after = page.evaluate(LABELS)
        assert (turned, after) == (wide, before), file.name
        labels += sum(map(len, before))
    assert labels > 20
