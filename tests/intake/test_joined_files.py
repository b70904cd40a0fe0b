"""Which files are one table, and how what their folders say becomes columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.intake.dialect import IntakeError
from furrow.intake.file_patterns import pattern_of
from furrow.intake.given import find_given
from furrow.intake.hive_folders import before_parts, part_keys
from furrow.intake.joined_files import joined_files
from furrow.intake.landed import land
from furrow.intake.project_data import given_of
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import look, plan_init

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """A file of some rows, of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        timed = [{**row, "at": datetime.fromisoformat(row["at"])} for row in rows]
        pq.write_table(pa.Table.from_pylist(timed), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")


def events(month: int, rows: int = 5) -> list[dict[str, Any]]:
    return [{"id": month * 100 + n, "at": f"2024-0{month}-0{n + 1}T10:00:00Z"} for n in range(rows)]


LAYOUTS = {
    "readings/month=2024-0{n}/part-0.{ext}": ("readings", "readings/month=*/*.{ext}"),
    "readings/year=2024/month={n}/part-{n}-af{n}.{ext}": (
        "readings",
        "readings/year=2024/month=*/*.{ext}",
    ),
    "readings/2024-0{n}/part-0.{ext}": ("readings", "readings/*/part-0.{ext}"),
    "lake/2024/0{n}/sales.{ext}": ("sales", "lake/2024/*/sales.{ext}"),
    "lake/m0{n}/sales-2024-0{n}.{ext}": ("sales", "lake/m*/sales-*.{ext}"),
    "ev-2024-0{n}.{ext}": ("ev", "ev-*.{ext}"),
    "ev_2024_0{n}.{ext}": ("ev", "ev_*.{ext}"),
}


@pytest.mark.parametrize("ext", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_one_table(tmp_path: Path, layout: str, ext: str) -> None:
    """Parts in folders, and months, are one table of any kind of file; its pattern takes the next one."""
    name, pattern = (one.format(ext=ext) for one in LAYOUTS[layout])
    for n in (1, 2, 3):
        write(tmp_path / "in" / layout.format(n=n, ext=ext), events(n))
    (given,) = find_given([f"{tmp_path}/in"])
    assert (given.name, len(given.places)) == (name, 3)
    assert pattern_of(given.places) == f"{tmp_path}/in/{pattern}"
    first = land(given, tmp_path / "all.parquet")
    assert (first.rows, list(first.columns)) == (15, ["id", "at"])
    write(tmp_path / "in" / layout.format(n=4, ext=ext), events(4))
    later = given_of(tmp_path / "in", name, [pattern])
    assert land(later, tmp_path / "all.parquet", columns=first.columns).rows == 20


@pytest.mark.parametrize("ext", ["csv", "jsonl", "parquet"])
def test_what_folders_say_is_a_column(tmp_path: Path, ext: str) -> None:
    """A key that no file has and that is no time is taken in, in a type that holds all of its values."""
    for place in ("region=north/line=1", "region=north/line=2", "region=s%C3%BCd/line=x7"):
        write(tmp_path / "out" / place / f"part-0.{ext}", events(1))
    (given,) = find_given([f"{tmp_path}/out/*/*/*"])
    landed = land(given, tmp_path / "out.parquet")
    kinds = {"id": "int64", "at": "timestamp", "region": "string", "line": "string"}
    assert (landed.name, landed.columns) == ("out", kinds)
    table = pq.read_table(landed.path)
    assert table["region"].to_pylist() == ["north"] * 10 + ["süd"] * 5
    assert table["line"].to_pylist() == ["1"] * 5 + ["2"] * 5 + ["x7"] * 5
    assert not land(given, landed.path, columns=landed.columns).changed


def test_a_day_of_folders_is_a_moment(tmp_path: Path) -> None:
    """Where no column of moments is in the files, the day of the folder is one."""
    for day in ("2024-01-05", "2024-01-06"):
        write(tmp_path / f"rows/dt={day}/x.csv", [{"id": day[-1], "value": 2}])
    (given,) = find_given([f"{tmp_path}/rows"])
    landed = land(given, tmp_path / "rows.parquet", timezone="Europe/Berlin")
    assert landed.columns == {"id": "int64", "value": "int64", "dt": "timestamp"}
    found = pq.read_table(landed.path)["dt"].to_pylist()
    assert found == [datetime(2024, 1, 4, 23, tzinfo=UTC), datetime(2024, 1, 5, 23, tzinfo=UTC)]


def test_folders_that_are_no_parts() -> None:
    """Only folders right above the file, and only KEY=VALUE."""
    assert part_keys("/home/user=ann/data/x.csv") == {}
    assert part_keys("s3://b/t/a=1/b=x%20y/x.csv") == {"a": "1", "b": "x y"}
    assert before_parts("s3://b/t/a=1/b=x%20y/x.csv") == "s3://b/t"
    assert part_keys("x=1.csv") == {}


def test_other_files_are_no_parts_of_it(tmp_path: Path) -> None:
    """Other columns, and other names, are other tables."""
    write(tmp_path / "a/2023/sales.csv", events(1))
    write(tmp_path / "a/2024/sales.csv", events(2))
    write(tmp_path / "a/2024/staff.csv", events(3))
    write(tmp_path / "a/2025/sales.csv", [{"other": 1}, {"other": 2}])
    found = joined_files(str(one) for one in sorted((tmp_path / "a").rglob("*.csv")))
    assert [(one.name, len(one.places)) for one in found] == [
        ("sales", 2),
        ("sales", 1),
        ("staff", 1),
    ]


@pytest.mark.parametrize("ext", ["csv", "parquet"])
@pytest.mark.parametrize("place", ["ev_2024_0{n}", "lake/2024/0{n}/sales", "ev/month={n}/part-0"])
def test_columns_in_another_order(tmp_path: Path, place: str, ext: str) -> None:
    """They are one table all the same, each value under its name."""
    for month in (1, 2):
        rows = events(month)
        turned = [dict(reversed(row.items())) for row in rows] if month == 2 else rows
        write(tmp_path / f"{place.format(n=month)}.{ext}", turned)
    (given,) = find_given([str(tmp_path)])
    landed = land(given, tmp_path / "out/landed.parquet")
    found = pq.read_table(landed.path)
    assert found["id"].to_pylist() == [row["id"] for month in (1, 2) for row in events(month)]
    assert landed.columns["at"] == "timestamp"


def test_json_of_months_need_not_have_the_same_fields(tmp_path: Path) -> None:
    """The columns are those of all files; a field that no file has any more is told."""
    write(tmp_path / "ev_2024_01.jsonl", [{"id": 1, "by": {"os": "a"}}, {"id": 2}])
    write(tmp_path / "ev_2024_02.jsonl", [{"id": 3, "by": {"os": "b", "app": 1}, "ok": True}])
    write(tmp_path / "ev_2024_03.jsonl", [{"id": 4, "by": {"app": 2.5}, "ok": "no"}])
    (given,) = find_given([f"{tmp_path}/*.jsonl"])
    landed = land(given, tmp_path / "ev.parquet")
    assert pq.read_table(landed.path).to_pylist() == [
        {"id": 1, "by_os": "a", "by_app": None, "ok": None},
        {"id": 2, "by_os": None, "by_app": None, "ok": None},
        {"id": 3, "by_os": "b", "by_app": 1.0, "ok": "true"},
        {"id": 4, "by_os": None, "by_app": 2.5, "ok": "no"},
    ]
    assert not land(given, landed.path, columns=landed.columns).changed
    with pytest.raises(IntakeError, match="no file of ev has gone"):
        land(given, landed.path, columns={**landed.columns, "gone": "int64"})


def test_a_project_of_parts_names_their_pattern(tmp_path: Path) -> None:
    """What `furrow init` writes lands the next part, too."""
    for n in (1, 2):
        rows = [
            {"visit_id": 100 * n + i, "day": f"2024-0{n}-{i % 28 + 1:02d}", "missed": i % 2}
            for i in range(40)
        ]
        write(tmp_path / f"visits/month=2024-0{n}/part-0.csv", rows)
    looked = look([f"{tmp_path}/visits"], tmp_path / "landed")
    asked = Asked(predict="missed", about="visit", at="day", known_after="1d", test="0.2")
    plan = plan_init(tmp_path, looked, asked, now=datetime.now(UTC))
    assert '"visits": ["visits/month=*/*.csv"],' in plan.texts["pipelines/ingest.py"]
