"""Source text is the same on every version of Python: that of 3.11's `ast.unparse`."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from furrow.features.canonical_source import source_text

ROOT = Path(__file__).parents[2]
WRITTEN = {
    'f"{a}"': "f'{a}'",
    "f\"it's {a}\"": 'f"it\'s {a}"',
    "f\"{d['k']}\"": "f\"{d['k']}\"",
    "f'{d[\"k\"]!r:>{w}}'": "f\"{d['k']!r:>{w}}\"",
    "f'{a}\\n{b}'": "f'{a}\\n{b}'",
    "f'{{{a}}}'": "f'{{{a}}}'",
    "f'{ {1: 2}[1] }'": "f'{ {1: 2}[1]}'",
    "f'{(lambda x: x)(1)} {a if b else c}'": "f'{(lambda x: x)(1)} {(a if b else c)}'",
    "f'''{a} \"x\" it's\n'''": 'f"""{a} "x" it\'s\\n"""',
    "f'{a=}'": "f'a={a!r}'",
    "f'{a}' 'b' f'{c:.{n}f}'": "f'{a}b{c:.{n}f}'",
    "f'{f\"{a}\"}'": "f\"{f'{a}'}\"",
    "g(f'{a}', 'plain', b'bytes', u'old')": "g(f'{a}', 'plain', b'bytes', u'old')",
    "f'\\x00{a}é'": "f'\\x00{a}é'",
}  # fmt: skip


@pytest.mark.parametrize("source", WRITTEN)
def test_an_f_string(source: str) -> None:
    """As 3.11 writes it, and meaning what it meant."""
    tree = ast.parse(source)
    text = source_text(tree)
    assert text == WRITTEN[source]
    assert ast.dump(ast.parse(text)) == ast.dump(tree)
    assert ast.dump(tree) == ast.dump(ast.parse(source))
    if sys.version_info[:2] == (3, 11):
        assert text == ast.unparse(tree)


def test_what_3_11_can_not_read_is_refused() -> None:
    """Between braces: it is no text that both could run."""
    tree = ast.parse("f'{a}'")
    part = next(node for node in ast.walk(tree) if isinstance(node, ast.FormattedValue))
    part.value = ast.Constant("\\")
    with pytest.raises(ValueError, match="backslash"):
        source_text(tree)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="ast.unparse of 3.11 is the measure")
def test_a_thousand_statements() -> None:
    """Of the tree's own sources: those with f-strings, by themselves, as `ast.unparse` of 3.11 writes them."""
    seen = 0
    for path in sorted((ROOT / "furrow").rglob("*.py"))[::6]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Return | ast.Assign | ast.Raise | ast.Expr) and any(
                isinstance(inner, ast.JoinedStr) for inner in ast.walk(node)
            ):
                assert source_text(node) == ast.unparse(node)
                seen += 1
    assert seen > 200
