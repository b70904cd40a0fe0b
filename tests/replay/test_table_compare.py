"""Two versions of a table: what differs is named by row, column and size; what a tolerance allows is within it."""

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.ground import bounded_parquet
from furrow.replay.file_compare import compare
from furrow.replay.replay_settings import Settings, Tolerance
from furrow.replay.replay_verdict import DIFFERENT, TOLERATED
from furrow.replay.table_compare import compare_tables

BEFORE = pd.DataFrame({"id": [1, 2, 3], "x": [0.5, 1.5, None], "name": ["a", "b", "c"]})


def written(frame: pd.DataFrame, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "csv":
        frame.to_csv(stream, index=False)
    else:
        frame.to_parquet(stream, index=False)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("after", "said"),
    [
        (BEFORE.assign(x=[0.5, 1.75, None]), "column x: 1 of 3 rows differ, by up to 0.25; row 1 (id=2, name=b) 1.5 → 1.75"),
        (BEFORE.drop(columns="name"), "column name: recorded, not replayed"),
        (BEFORE.assign(more=1), "column more: replayed, not recorded"),
        (BEFORE.iloc[:2], "rows: 3 recorded, 2 replayed; only recorded: 3,nan,c"),
        (BEFORE.iloc[[1, 0, 2]], "the same rows in another order"),
    ],
)  # fmt: skip
def test_what_differs(kind: str, after: pd.DataFrame, said: str) -> None:
    found = compare_tables(kind, "t", written(BEFORE, kind), written(after, kind), Settings())
    assert found.status == DIFFERENT
    assert said in " | ".join(found.differences).replace("3,None,c", "3,nan,c")


def test_a_tolerance_and_a_type() -> None:
    """Within what is declared for the path; another type of a column is a difference of its own."""
    settings = Settings(tolerances=[Tolerance(path="t", absolute=0.3)])
    after = BEFORE.assign(x=[0.5, 1.75, None])
    assert (
        compare_tables("csv", "t", written(BEFORE, "csv"), written(after, "csv"), settings).status
        == TOLERATED
    )
    kinds = compare_tables(
        "parquet",
        "t",
        written(BEFORE, "parquet"),
        written(BEFORE.assign(id=[1.0, 2.0, 3.0]), "parquet"),
        settings,
    )
    assert kinds.differences[0] == "column id: recorded int64, replayed double"
    with pytest.raises(ValueError, match=r"."):
        compare_tables("parquet", "t", b"no table", b"no table", settings)


@pytest.mark.attack
def test_what_a_stage_made_that_means_very_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to more than is read is not compared by content, and says so."""
    monkeypatch.setattr(bounded_parquet, "WHOLE", 10 << 20)
    code = pa.nulls(100, pa.int32()).fill_null(0)
    long = pa.DictionaryArray.from_arrays(code, pa.array(["x" * (1 << 19)]))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"name": long}), sink, compression="zstd", store_schema=False)
    found = compare("t.parquet", written(BEFORE, "parquet"), bytes(sink.getvalue()), Settings())
    assert found.status == DIFFERENT
    assert "not comparable by content" in found.differences[0]
