"""Labels that come late, again, otherwise, or not at all: which one a prediction has, and how many have none."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.ground.bounded_parquet import UnpackedError
from furrow.monitoring.labelled_rows import coverage, join_labels
from furrow.monitoring.late_labels import LateLabelError, land, landed, settle
from furrow.training.binomial import wilson
from furrow.training.problem import Problem

_DAY = datetime(2024, 3, 1, tzinfo=UTC)
_PROBLEM = Problem(
    name="churned",
    task="binary",
    entity=["customer"],
    spine="s.sql",
    label="churned",
    known_after="7d",
)


def _at(days: float) -> datetime:
    return _DAY + timedelta(days=days)


def _file(folder: Path, name: str, rows: list[dict], kind: str = "parquet") -> Path:
    path = folder / f"{name}.{kind}"
    frame = pd.DataFrame(rows)
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    return path


def _label(
    customer: object, value: object, *, of: float = 0, known: float = 2, **more: object
) -> dict:
    said = {
        "customer": customer,
        "event_timestamp": _at(of),
        "churned": value,
        "label_timestamp": _at(known),
    }
    return said | more


def _predictions(*rows: tuple[object, float]) -> pd.DataFrame:
    found = [
        {"id": f"p{number}", "customer": who, "time": _at(day), "probability": 0.1 * (number % 10)}
        for number, (who, day) in enumerate(rows)
    ]
    return pd.DataFrame(found, columns=["id", "customer", "time", "probability"])


def _joined(tmp_path: Path, files: list[list[dict]], predictions: pd.DataFrame, *, now: float = 30):
    for number, rows in enumerate(files):
        land(tmp_path / "labels", _file(tmp_path, f"f{number}", rows), _PROBLEM, now=_at(now))
    settled = settle(landed(tmp_path / "labels"), _PROBLEM)
    return settled, join_labels(predictions, settled, _PROBLEM, now=_at(now))


def test_each_file_is_landed_once(tmp_path: Path) -> None:
    """The same file again is no change, under another name too; another is the next one."""
    folder = tmp_path / "labels"
    first = land(folder, _file(tmp_path, "a", [_label(1, 1)]), _PROBLEM, now=_at(3))
    again = land(folder, _file(tmp_path, "b", [_label(1, 1)]), _PROBLEM, now=_at(4))
    other = land(folder, _file(tmp_path, "c", [_label(2, 0)]), _PROBLEM, now=_at(4))
    assert (first.new, again.new, other.new) == (True, False, True)
    assert again.path == first.path
    assert [len(one) for one in landed(folder)] == [1, 1]


def test_files_that_are_landed_at_once(tmp_path: Path) -> None:
    """Each has a number of its own, and the same file is landed once."""
    files = [_file(tmp_path, f"{n % 6}", [_label(n % 6, 1)]) for n in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda one: land(tmp_path / "labels", one, _PROBLEM, now=_DAY), files))
    names = sorted(path.name for path in (tmp_path / "labels").glob("*.parquet"))
    assert [name[:6] for name in names] == [f"{n:06}" for n in range(1, 7)]


def test_a_correction_counts_and_an_older_file_does_not_undo_it(tmp_path: Path) -> None:
    """What was known last holds, whatever the order of landing; of one time, what was landed last."""
    settled, joined = _joined(
        tmp_path,
        [
            [_label(1, 1, known=3), _label(2, 0), _label(3, 0)],
            [_label(1, 0, known=2), _label(2, 1), _label(3, 0)],
        ],
        _predictions((1, 0), (2, 0), (3, 0)),
    )
    assert joined.rows["label"].tolist() == [1, 1, 0]
    assert (settled.corrected, settled.duplicates) == (2, 1)


def test_deleted_contradictory_and_early_labels_are_not_used(tmp_path: Path) -> None:
    """Taken back, said both ways in one file, or known before the prediction: no label, and each is told."""
    _, joined = _joined(
        tmp_path,
        [
            [_label(1, 1), _label(2, 1), _label(2, 0), _label(3, 1, of=5, known=3), _label(4, 1)],
            [_label(1, 1, deleted=True)],
            [_label(4, None, known=4)],
        ],
        _predictions((1, 0), (2, 0), (3, 5), (4, 0)),
    )
    assert joined.rows["label_state"].tolist() == ["deleted", "contradictory", "early", "deleted"]
    assert joined.rows["label"].isna().all()


def test_unlabelled_is_pending_then_missing_and_never_negative(tmp_path: Path) -> None:
    """Before `known_after` a label is waited for, after it is missing; it never counts as one."""
    _, joined = _joined(tmp_path, [[_label(1, 1)]], _predictions((1, 0), (2, 0), (3, 6)), now=8)
    assert joined.rows["label_state"].tolist() == ["labelled", "missing", "pending"]
    assert joined.rows["label"].tolist() == [1, None, None]
    assert joined.known["label"].tolist() == [1]


def test_late_and_unknown_labels_are_told(tmp_path: Path) -> None:
    """A label after `known_after` is used and counted as late; one that nobody predicted is unmatched."""
    _, joined = _joined(tmp_path, [[_label(1, 1, known=20), _label(9, 1)]], _predictions((1, 0)))
    assert (joined.late, joined.unmatched) == (1, 1)
    assert joined.rows["label"].tolist() == [1]


def test_time_says_which_prediction_a_label_is_of(tmp_path: Path) -> None:
    """Of several predictions of one customer each has the label whose moment is nearest; none from too far."""
    _, joined = _joined(
        tmp_path,
        [[_label(1, 1, of=0), _label(1, 0, of=10, known=12)]],
        _predictions((1, 0.1), (1, 9.9), (1, 25)),
        now=40,
    )
    assert joined.rows["label"].tolist() == [1, 0, None]


def test_a_label_of_a_neighbour_is_none(tmp_path: Path) -> None:
    """Of one customer predicted every day, those whose own label has not come wait for it."""
    predictions = _predictions(*((1, hours) for hours in (0, 5, 10, 15)))
    _, joined = _joined(
        tmp_path,
        [[_label(1, 1, of=5, known=11), _label(1, 0, of=10, known=11)]],
        predictions,
        now=12,
    )
    assert joined.rows["label"].tolist() == [None, 1, 0, None]
    assert joined.states["labelled"] == 2


def test_labels_without_a_moment_belong_to_what_came_before_them(tmp_path: Path) -> None:
    """With label_timestamp alone: the predictions up to `known_after` before it."""
    rows = [{"customer": 1, "churned": 1, "label_timestamp": _at(5)}]
    _, joined = _joined(tmp_path, [rows], _predictions((1, 0), (1, 6), (1, -9)), now=40)
    assert joined.rows["label"].tolist() == [1, None, None]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_other_files_and_ids(tmp_path: Path, kind: str) -> None:
    """CSV and JSON lines are read alike; the id of a prediction is enough of a key."""
    rows = [
        {"id": "p1", "churned": True, "label_timestamp": _at(1).isoformat()},
        {"id": "px", "churned": False},
    ]
    rows[1]["label_timestamp"] = rows[0]["label_timestamp"]
    land(tmp_path / "labels", _file(tmp_path, "f", rows, kind), _PROBLEM, now=_at(3))
    settled = settle(landed(tmp_path / "labels"), _PROBLEM)
    joined = join_labels(_predictions((1, 0), (2, 0)), settled, _PROBLEM, now=_at(30))
    assert joined.rows["label"].tolist() == [None, 1]
    assert joined.unmatched == 1


def test_keys_meet_whatever_type_a_file_gave_them(tmp_path: Path) -> None:
    """7, 7.0 and "7" are one customer."""
    _, joined = _joined(
        tmp_path,
        [[_label("7", 1)]],
        _predictions((7, 0)),
    )
    assert joined.rows["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"customer": 1, "event_timestamp": _DAY}], "no column 'churned'"),
        ([{"churned": 1, "event_timestamp": _DAY}], "no column 'customer'"),
        ([{"customer": 1, "churned": 1}], "no column 'event_timestamp'"),
        ([_label(1, "1"), _label(2, "maybe")], "'maybe' in row 2"),
        (
            [{**_label(1, 1), "label_timestamp": None}, _label(2, 1)],
            "null in 1 rows, first in row 1",
        ),
        ([{**_label(1, 1), "event_timestamp": "yesterday"}], "holds no times"),
    ],
)
def test_what_is_no_label_lands_nothing(tmp_path: Path, rows: list[dict], said: str) -> None:
    """A missing column, a word for a number, a missing or senseless time: an error that says where, and nothing landed."""
    with pytest.raises(LateLabelError, match=said):
        land(tmp_path / "labels", _file(tmp_path, "f", rows), _PROBLEM, now=_at(3))
    assert landed(tmp_path / "labels") == []


def test_no_file_and_no_rows(tmp_path: Path) -> None:
    """Nothing landed, nothing predicted, a file that is none."""
    settled = settle([], _PROBLEM)
    assert join_labels(_predictions((1, 0)), settled, _PROBLEM, now=_at(30)).states == {
        "missing": 1
    }
    assert join_labels(_predictions(), settled, _PROBLEM, now=_at(30)).states == {}
    (tmp_path / "x.parquet").write_bytes(b"PAR1 torn")
    for name in ("x.parquet", "x.xlsx", "gone.csv"):
        with pytest.raises(LateLabelError):
            land(tmp_path / "labels", tmp_path / name, _PROBLEM, now=_at(3))


def test_coverage_and_delay_by_slice_and_score(tmp_path: Path) -> None:
    """Where labels of high scores are missing, the shares differ, and it is said; the delay is that of what came."""
    predictions = _predictions(*((number, 0) for number in range(200)))
    predictions["region"] = ["north", "south"] * 100
    came = [
        _label(n, 0, known=2)
        for n in range(200)
        if predictions["probability"][n] < 0.65 or n % 20 == 7
    ]
    _, joined = _joined(tmp_path, [came], predictions)
    found = {
        (one.by, one.value): one for one in coverage(joined, ["region", "nosuch"], "probability")
    }
    whole = found["all", ""]
    assert (whole.due, whole.labelled) == (200, len(came))
    assert whole.low < whole.share < whole.high
    assert whole.delay == (2 * 86400.0, 2 * 86400.0)
    assert found["score", "fifth 1"].share == 1
    assert found["score", "fifth 5"].share < 0.5
    assert found["score", "fifth 5"].uneven
    assert {by for by, _ in found} == {"all", "region", "score"}


def test_wilson_is_what_tables_say() -> None:
    """Of 1 in 10, and of nothing."""
    assert wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.attack
def test_labels_that_mean_very_much(tmp_path: Path) -> None:
    """A key of a megabyte that stands once in the file and in each of its rows is refused; a column beside it is not read."""
    count = 20_000
    code = pa.nulls(count, pa.int32()).fill_null(0)
    long = pa.DictionaryArray.from_arrays(code, pa.array(["x" * (1 << 20)]))
    moment = pa.nulls(count, pa.int64()).fill_null(0).cast(pa.timestamp("us", "UTC"))
    label = pa.nulls(count, pa.int8()).fill_null(0)
    columns = {"customer": long, "event_timestamp": moment, "churned": label}
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False)
    with pytest.raises(UnpackedError, match=r"labels\.parquet unpacks to too many bytes"):
        land(tmp_path / "landed", path, _PROBLEM, now=_DAY)
    assert not list((tmp_path / "landed").glob("*.parquet"))
    columns |= {"customer": pa.array(range(count)), "note": long}
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False)
    assert land(tmp_path / "landed", path, _PROBLEM, now=_DAY).rows == count
