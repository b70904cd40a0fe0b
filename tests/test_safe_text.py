"""Text from outside commands neither a terminal nor a page, and JSON stays exact."""

import csv
import io
import json
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furrow import safe_text

WILD = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from("\x1b[]()<>|*_`@#=+-\t\r\n\x9b\x07\u202e\u2066\u2028\x85\u200bab1.:/ "),
    max_size=60,
)
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(WILD)
def test_a_line_is_one_visible_line(text):
    """No control of any kind is left, C1, bidirectional and separators included, and nothing visible is lost."""
    shown = safe_text.line(text)
    assert not {unicodedata.category(char) for char in shown} & INVISIBLE
    assert len(shown) == len(text)
    assert all(
        after == before for before, after in zip(text, shown, strict=True) if before.isprintable()
    )
    assert len(shown.splitlines()) <= 1


@given(WILD)
def test_a_block_keeps_line_feeds_and_tabs_alone(text):
    """Of all controls, two stay."""
    shown = safe_text.block(text)
    assert {char for char in shown if unicodedata.category(char) in INVISIBLE} <= {"\n", "\t"}
    assert safe_text.block(shown) == shown


@given(
    st.recursive(
        WILD | st.integers() | st.booleans() | st.none(),
        lambda of: st.dictionaries(WILD, of, max_size=3),
    )
)
def test_json_is_exact_and_inert(value):
    """What is read back is the value; what is printed has no control."""
    text = safe_text.json_text(value)
    assert json.loads(text) == value
    assert not {unicodedata.category(char) for char in text.replace("\n", "")} & INVISIBLE


@given(WILD)
def test_a_csv_cell_is_no_formula(text):
    """A spreadsheet reads text as text; numbers stay numbers."""
    (row,) = csv.reader(io.StringIO(safe_text.csv_text([[text, -1.5, None]]), newline=""))
    assert row[1:] == ["-1.5", ""]
    first = row[0].lstrip(' "')[:1]
    if first and first in "=+-@\t\n":
        float(row[0])


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        " =1",
        '"=1',
        "＝1",
        "\n=1",
        "=HYPERLINK(1)",
    ],
)
def test_known_formulas(text):
    """Those that are known to be taken for formulas."""
    assert safe_text.csv_cell(text).startswith("'")


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))


@given(WILD)
def test_html_holds_no_tag_and_keeps_its_attribute(text):
    """Text stays text, between tags and in an attribute."""
    seen = Seen()
    seen.feed(f'<i title="{safe_text.html_text(text)}">{safe_text.html_text(text)}</i>')
    assert [tag for tag, _ in seen.tags] == ["i"]
    assert [name for name, _ in seen.tags[0][1]] == ["title"]
    assert "\u202e" not in safe_text.html_text(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("roc_auc", "roc_auc"),
        ("a **b**", "a \\*\\*b\\*\\*"),
        ("[x](y)", "\\[x\\](y)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("a|b", "a\\|b"),
        ("# top", "\\# top"),
        ("1. one", "1\\. one"),
        ("```", "\\`\\`\\`"),
        ("-0.5", "-0.5"),
    ],
)
def test_markdown_words(text, shown):
    """Markup is escaped, and plain words stay plain."""
    assert safe_text.markdown_text(text) == shown


@pytest.mark.parametrize(
    "text", ["@team look", "see #12", "https://evil.example", "www.evil.example"]
)
def test_markdown_mentions_nobody_and_links_nowhere(text):
    """An invisible joiner stands where a mention, a reference or a bare address would begin."""
    assert "\N{WORD JOINER}" in safe_text.markdown_text(text)


@given(WILD)
def test_a_code_span_ends_where_it_should(text):
    """Its fence is longer than any run of backticks in it, and it is one line that no cell ends."""
    span = safe_text.markdown_code(text)
    fence = len(span) - len(span.lstrip("`"))
    inner = span[fence:-fence]
    assert "`" * fence not in inner.strip("` ") or inner.count("`" * fence) == 0
    assert "\n" not in span
    assert "|" not in inner.replace("\\|", "")
