"""Words are used one way: in pages, and in what commands say."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = ("cli", "ci", "clone", "data", "features", "governance", "ground", "history", "models", "monitoring", "plan",
         "proof", "replay", "serving", "stages", "stores", "training")  # fmt: skip
"""Of furrow/: where messages are held to this; the rest follows."""

ONE_WAY = {
    r"hyperparameter": "hyper-parameter",
    r"point in time (join|correct)": "point-in-time",
    r"time ?stamped": "with a time",
    r"feature-(view|service|table)s?\b": "feature view, feature service, feature table",
    r"\bROC-AUC\b|\bAUROC\b": "ROC AUC",
    r"\bondemand\b|\bon demand (view|feature)": "on-demand",
    r"\bwork-tree\b": "work tree",
    r"\b(behaviour|colour|optimise|minimise|maximise|normalise|artefact)": "American spelling",
    r"(?<!here )\b(is|are) no (?:date|time|mapping|name|key|number|list|integer|Int|whole|metric|folder|file|regular)\b": "is not a ...",
}
"""Spellings that are not used, and what is used instead."""
ANY = re.compile("|".join(f"(?:{wrong})" for wrong in ONE_WAY))


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """A module's texts but for its docstrings and what only machines read."""
    source = path.read_text()
    if not ANY.search(source):  # parsing all of them takes seconds
        return
    tree = ast.parse(source)
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)  # docstrings, of constants too
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_spell_one_way(path: Path) -> None:
    """No page has two spellings of a word."""
    text = re.sub(
        r"`[^`\n]*`", "`code`", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    )
    found = {match[0]: use for wrong, use in ONE_WAY.items() for match in re.finditer(wrong, text)}
    assert found == {}


def test_messages_spell_one_way() -> None:
    """No message has, either."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r}: {use}"
        for part in PARTS
        for path in sorted((ROOT / "furrow" / part).rglob("*.py"))
        for line, text in spoken(path)
        for wrong, use in ONE_WAY.items()
        if (match := re.search(wrong, text))
    ]
    assert found == []


def test_the_glossary_is_sorted_and_each_word_stands_once() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/GLOSSARY.md").read_text(), re.MULTILINE)[1:]
    words = [word for word in words if not word.startswith("-")]
    assert words == sorted(set(words), key=str.lower)
    assert len(words) > 30
