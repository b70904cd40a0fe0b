"""Patterns and SQL of a few characters that would keep a reader busy for ever: they are quick, refused, or end.

A test here that lacks its bound does not fail: it never ends.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from furrow.data import relations
from furrow.data.contract import ContractError, load_contract
from furrow.data.data_check import check
from furrow.features import sql
from furrow.features.lineage import query_lineage
from furrow.ground import dvcignore
from furrow.ground.dvc_stages import read_stages
from furrow.ground.dvcignore import Ignored
from furrow.time_limit import TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.attack
LONG = "a" * 3_000
CATASTROPHIC = ["(a+)+b", "(a|a)*b", "(a|aa)+b", "([a-z]+)*1", "(.*)*(.*)*(.*)*b"]
FOREVER = (
    "(select count(*) from range(100000000) a, range(100000000) b where a.range <> b.range) >= 0"
)


def contract(root: Path, column: str = "word", **more: Any) -> tuple[Path, Any]:
    """A data folder of one table of texts, and its contract."""
    (root / "data").mkdir(exist_ok=True)
    pq.write_table(pa.table({column: [LONG, "short", None]}), root / "data/words.parquet")
    facts = {"type": "string", "nullable": True}
    if "pattern" in more:
        facts["pattern"] = more.pop("pattern")
    table = {"files": "words.parquet", "columns": {column: facts}, **more}
    import yaml  # noqa: PLC0415

    (root / "contract.yaml").write_text(
        yaml.safe_dump({"format": 1, "clock": {"timezone": "UTC"}, "tables": {"words": table}})
    )
    return root / "data", load_contract(root / "contract.yaml")


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_of_a_contract(tmp_path: Path, pattern: str) -> None:
    """Its time grows with the text and no faster; what doesn't match is told, a null is none."""
    (found,) = check(*contract(tmp_path, pattern=pattern)).violations
    assert (found.rule, found.count) == ("pattern", 2)


@pytest.mark.parametrize("pattern", ["(?=a)a", r"(a)\1", "(a{1000}){1000}", "[a", "a{2000}"])
def test_a_pattern_that_has_no_such_bound(tmp_path: Path, pattern: str) -> None:
    """Refused when the contract is read, by name: lookaround, references to groups, giants."""
    with pytest.raises(
        ContractError, match=r"words.columns.word.pattern: not a regular expression"
    ):
        contract(tmp_path, pattern=pattern)


@settings(max_examples=30, deadline=None)
@given(
    text=st.text("ab-\n", max_size=6), pattern=st.sampled_from(["a+", "[ab]*", "a|b", "a.b", ""])
)
def test_the_whole_text_matches(tmp_path_factory: Any, text: str, pattern: str) -> None:
    """As Python's fullmatch has it, line ends and alternatives included."""
    import re  # noqa: PLC0415

    root = tmp_path_factory.mktemp("match")
    folder, made = contract(root, pattern=pattern)
    pq.write_table(pa.table({"word": [text]}), folder / "words.parquet")
    assert bool(check(folder, made)) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize("column", ["(a+)+$", "a(", "x.y", "w[0"])
def test_a_columns_name_is_no_pattern(tmp_path: Path, column: str) -> None:
    """A rule names it in quotes; nothing is searched for by it but itself."""
    rule = {"not_too_long": f'length("{column}") < 100'}
    (found,) = check(*contract(tmp_path, column, rules=rule)).violations
    assert (found.rule, found.count) == ("not_too_long", 1)
    assert column in found.sample[0]


@pytest.mark.parametrize("where", ["rules", "share"])
def test_sql_of_a_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """It ends, and the table whose rules they are is named."""
    monkeypatch.setattr(relations, "LONGEST", 0.5)
    more: dict[str, Any] = {"rules": {"endless": FOREVER}}
    if where == "share":
        more = {"files": "{month}.parquet", "by_partition": {"share": {"endless": {"of": FOREVER}}}}
    folder, made = contract(tmp_path, **more)
    (folder / "words.parquet").rename(folder / "2024-01.parquet") if where == "share" else None
    with pytest.raises(TooLongError, match=r"tables\.words: its rules took more than"):
        check(folder, made)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection: what is raised while it calls others (Hypothesis listens) is lost until a second later."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of hypothesis, at such a depth
@pytest.mark.usefixtures("uncollected")
def test_sql_of_a_feature_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nested beyond measure is refused, what takes for ever to parse or to resolve ends."""
    for text in (f"select {'(' * 600}1{')' * 600}", f"select {'(' * 600}", "select " * 600):
        with pytest.raises(sql.SqlError):
            sql.parse_query(text, origin="t.sql")
    wide = f"select {', '.join(f'c{n} + 1 as d{n}' for n in range(1500))} from t"
    tree = sql.parse_query(wide, origin="t.sql")
    monkeypatch.setattr(sql, "PARSING", 0.01)
    with pytest.raises(TooLongError, match=r"t\.sql: parsing it"):
        sql.parse_query(wide, origin="t.sql")
    with pytest.raises(TooLongError, match="the columns that a query reads"):
        sql.columns_read(tree, {"t": {f"c{n}": "BIGINT" for n in range(1500)}})
    monkeypatch.setattr("furrow.features.lineage.PARSING", 0.01)
    with pytest.raises(TooLongError, match="what the columns of a query are made of"):
        query_lineage(tree, {"t": {f"c{n}": "BIGINT" for n in range(1500)}})


def project(root: Path, ignored: str, name: str = ".dvcignore") -> Path:
    """A DVC project whose file of ignored files says something."""
    (root / ".dvc").mkdir()
    (root / ".dvc/config").touch()
    (root / ".git").mkdir()
    (root / name).write_text(ignored)
    (root / ("a" * 250)).touch()
    return root


HOSTILE = "*a*a*a*a*a*a*a*a*a*a*a*a*b\n"


@settings(max_examples=60, deadline=None)
@given(
    pattern=st.text("ab*?/[]!.", min_size=1, max_size=12).filter(lambda text: text[0] not in "!#/\\" and text.strip()),
    names=st.lists(st.text("ab.", min_size=1, max_size=5).filter(lambda text: text.strip(".")), min_size=1, max_size=3),
)  # fmt: skip
def test_many_stars_mean_what_they_mean(
    tmp_path_factory: Any, pattern: str, names: list[str]
) -> None:
    """By RE2 as by Python, on patterns with as many stars as there may be."""
    pattern = f"*{pattern}*"
    root = tmp_path_factory.mktemp("stars")
    (root / ".dvc").mkdir()
    (root / ".dvcignore").write_text(pattern + "\n")
    try:
        told = GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        return
    path = "/".join(names)
    assert Ignored(root)(str(root / path), folder=False) == told.match_file(path)


def test_patterns_of_dvcignore(tmp_path: Path) -> None:
    """One that shares a name out among twelve stars is quick."""
    root = project(tmp_path, HOSTILE)
    assert not Ignored(root)(str(root / ("a" * 250)), folder=False)
    assert Ignored(root)(str(root / ("a" * 250 + "b")), folder=False)


@pytest.mark.parametrize("name", [".dvcignore", ".gitignore"])
def test_patterns_that_dvc_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Any, name: str
) -> None:
    """DVC matches them as Python does: what reads its stages ends, and says of what."""
    (tmp_path / "p").mkdir()
    git(tmp_path / "p", "init", "-q")
    (tmp_path / "p/.git").rename(tmp_path / "git")
    root = project(tmp_path / "p", HOSTILE, name)
    (root / ".git").rmdir()
    (tmp_path / "git").rename(root / ".git")
    (root / ("a" * 240 + ".dvc")).write_text("outs:\n- path: x\n")
    monkeypatch.setattr(dvcignore, "LONGEST", 0.5)
    with pytest.raises(TooLongError, match="reading its stages and ignored files"):
        read_stages(root, root)


def test_patterns_that_take_others_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those are DVC's own to match; that ends, too."""
    root = project(tmp_path, f"{HOSTILE}!b\n")
    monkeypatch.setattr(dvcignore, "LONGEST", 0.5)
    with pytest.raises(TooLongError, match="its patterns of ignored files"):
        Ignored(root)(str(root / ("a" * 250)), folder=False)
