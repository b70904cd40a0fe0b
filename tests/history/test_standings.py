"""The order of runs by what the gate asked for, and runs of one result told once."""

from pathlib import Path

import furrow
from furrow.history.folding import SAME, folded
from furrow.history.listing import Listing
from furrow.history.load import Run
from furrow.history.query import Column, Rows
from furrow.history.runs_index import REAL, TEXT
from furrow.history.standings import ADDED, Standing, counting, ranked

COLUMNS = (
    Column("run", "run", "", TEXT),
    Column("mae", "metric", "", REAL),
    Column("rows", "metric", "", REAL),
    Column("model", "run", "", TEXT),
)
ROWS = [("a@1", 3.0, 9, "m"), ("b@1", None, 9, "m"), ("c@1", 2.0, 9, "m"), ("d@1", 1.0, 9, "m")]
GATE = Standing("p", "mae", {}, {"a": "passed", "b": "failed", "c": "champion"}, {"c": (1.5, 2.5)})


def test_the_best_first_then_what_has_no_value_then_what_is_not_judged() -> None:
    found = ranked(Listing(Rows(COLUMNS, ROWS, 4, []), 1, False), [GATE]).answer
    assert [column.name for column in found.columns] == ["run", *ADDED, "mae", "model"]
    assert found.rows == [
        ("c@1", "p", "champion", 1.5, 2.5, 2.0, "m"),
        ("a@1", "p", "passed", None, None, 3.0, "m"),
        ("b@1", "p", "failed", None, None, None, "m"),
        ("d@1", None, None, None, None, 1.0, "m"),
    ]
    assert GATE.way("mae") == -1
    assert GATE.way("rows") == 0
    assert counting(GATE, ["run", "mae", "rows", "model"], ROWS) == ["mae"]


def test_without_a_verdict_the_list_stays_as_it_is() -> None:
    listing = Listing(Rows(COLUMNS, ROWS, 4, []), 1, False)
    assert ranked(listing, []) is listing


def test_only_equal_results_of_one_name_are_folded() -> None:
    """Other metrics over the same predictions, other names, and runs without predictions stay apart."""
    rows = [("a@1", 3.0, 9, "m"), ("a@2", 3.0, 9, "m"), ("a@3", 4.0, 9, "m"), ("b@1", 3.0, 9, "m")]
    results = [("a", "x"), ("a", "x"), ("a", "x"), ("b", "x")]
    found = folded(Rows(COLUMNS, rows, 4, [], results))
    assert found.columns[1].name == SAME
    assert [(row[0], row[1]) for row in found.rows] == [("a@1", 1), ("a@3", None), ("b@1", None)]
    assert found.total == 3
    unknown = Rows(COLUMNS, rows, 4, [], [("a", "")] * 4)
    assert folded(unknown) is unknown


def test_a_run_shows_its_headline(tmp_path: Path) -> None:
    """In Python and in a notebook: the first metrics by the registry's order, markup as text; a damaged run shows none."""
    files: dict[str, bytes | None] = {
        "metrics.json": b'{"rows": 9, "brier": 0.2, "roc_auc": 0.81234}'
    }
    run = Run("gbm", "a" * 40, tmp_path, files)
    assert repr(run) == "<Run gbm@aaaaaaaaaa: roc_auc=0.8123, brier=0.2>"
    assert "<th>roc_auc</th><td>0.8123</td>" in run._repr_html_()
    assert repr(Run("<b>", "a" * 40, tmp_path, {})) == "<Run <b>@aaaaaaaaaa>"
    assert "&lt;b&gt;" in Run("<b>", "a" * 40, tmp_path, {})._repr_html_()
    assert {"runs", "run", "FeatureClient"} <= set(dir(furrow))
