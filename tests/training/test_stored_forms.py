"""What training writes to files, read back, in the forms of older versions too: champions, encodings, models, journal."""

import io
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from furrow.training import fit
from furrow.training.champions import Champion, ChampionError, read_champions, to_json, verdict_of
from furrow.training.encoding import Category, Encoding, Number
from furrow.training.export import export
from furrow.training.journal import read, record
from furrow.training.unpickle import unpickled

FIRST = (
    '{"experiment": "gbm", "metrics": {"roc_auc": 0.77}, "gate": {"select": {"metric": "roc_auc"}}, '
    '"model_sha256": "ab", "verdicts": {"gbm": {"passed": true, "failures": []}, "slow": {"passed": false, '
    '"failures": [{"rule": "minimum roc_auc", "value": 0.5, "limit": 0.6, "missing": 0.1}]}}}'
)
"""runs/champion.json as it was before there were problems."""


def test_champions_of_the_first_format() -> None:
    found = read_champions(FIRST)
    assert list(found) == [""]
    assert found[""].experiment == "gbm"
    assert found[""].metric == "roc_auc"
    assert verdict_of(found, "slow")["passed"] is False
    assert verdict_of(found, "none") is None


def test_champions_are_the_same_after_a_file() -> None:
    made = {
        "late": Champion(
            "late",
            "gbm",
            {"mae": 1.0},
            "ab",
            {"select": {"metric": "mae"}},
            {"gbm": {"passed": True}},
            {},
        )
    }
    assert read_champions(json.dumps(to_json(made))) == made
    assert read_champions(None) == {}


@pytest.mark.parametrize(
    "odd",
    ["[]", "{", '{"format": 9}', "{}", '{"format": 2}', '{"verdicts": {"a": 1}}', '{"experiment": 1, "verdicts": {}}',
     '{"experiment": null, "gate": []}'],
)  # fmt: skip
def test_champions_that_are_none(odd: str) -> None:
    with pytest.raises(ChampionError, match=r"runs/champion\.json"):
        read_champions(odd)


def test_an_encoding() -> None:
    """Codes, ones among zeros, missing and unknown texts; numbers filled and scaled, zeros without a sign."""
    made = Encoding((
        Category("c", {"x": 0.0, "y": 1.0}, missing=None, unknown=2.0, width=0),
        Category("d", {"x": 0.0, "y": None}, missing=1.0, unknown=None, width=2),
        Number("n", fill=4.0, mean=1.0, scale=2.0),
    ))  # fmt: skip
    rows = {"c": ["y", None, "?"], "d": ["x", None, "?"], "n": [1.0, np.nan, -1.0]}
    expected = [[1, 1, 0, 0], [np.nan, 0, 1, 1.5], [2, 0, 0, -1]]
    for held in (made, Encoding.from_json(json.loads(json.dumps(made.to_json())))):
        found = held.matrix(pd.DataFrame(rows, dtype=object).astype({"n": float}))
        assert np.array_equal(found, np.array(expected), equal_nan=True)
        assert np.array_equal(held.matrix(rows), found, equal_nan=True)
        assert not np.signbit(found[found == 0]).any()


def test_a_model_pickled_where_its_module_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions had furrow.runs.fit; a pickle that names it opens, and no module is left behind."""
    name = next(
        name
        for name in vars(fit)
        if isinstance(vars(fit)[name], type) and vars(fit)[name].__module__ == fit.__name__
    )
    kind = vars(fit)[name]
    stream = io.BytesIO()
    joblib.dump(kind, stream)
    old = stream.getvalue().replace(b"furrow.training.fit", b"furrow.runs.fit")
    old = old.replace(b"\x13furrow.runs.fit", b"\x0ffurrow.runs.fit")
    assert b"furrow.runs.fit" in old
    assert unpickled(old) is kind
    with pytest.raises(ModuleNotFoundError):
        __import__("furrow.runs.fit")


def test_the_journal(tmp_path: Path) -> None:
    """A line for what ended well, none for what failed; a line cut short is passed over."""
    assert read(tmp_path) == []
    with record(tmp_path, "train@a") as facts:
        facts["predictions_sha256"] = "ab"
    with pytest.raises(RuntimeError), record(tmp_path, "train@b"):
        raise RuntimeError
    with (tmp_path / ".furrow/journal.jsonl").open("a") as handle:
        handle.write('{"stage": "train@c", "sec\n{"odd": 1}\n')
    (line,) = read(tmp_path)
    assert (line["stage"], line["predictions_sha256"]) == ("train@a", "ab")
    assert line["seconds"] >= 0


@pytest.mark.parametrize(
    ("model", "portable"), [(KNeighborsClassifier(1), False), (DecisionTreeClassifier(), False)]
)
def test_what_has_no_portable_form_is_not_exported(model, portable: bool) -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    encode = ColumnTransformer([("numbers", "passthrough", ["x"])])
    pipeline = Pipeline([("encode", encode), ("model", model)]).fit(frame, [0, 0, 1, 1])
    assert (export(pipeline, ["x"], frame) is not None) == portable
