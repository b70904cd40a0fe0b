"""Definitions that Feast accepts and nobody should are told as problems."""

from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.features.build import compile_manifest
from furrow.features.definition_check import check_definitions
from furrow.features.json_reader import ManifestError
from furrow.features.sql import SqlError

Edit = Callable[[Path, str, str], None]


def problems(root: Path) -> list[str]:
    return [str(problem) for problem in check_definitions(compile_manifest(root / "features"))]


def test_sound_definitions_have_no_problems(small: Path) -> None:
    """The small repository is as it should be."""
    assert problems(small) == []


def test_the_example_s_definitions_have_no_problems() -> None:
    """So are this repository's own."""
    assert (
        check_definitions(compile_manifest(Path(__file__).resolve().parents[2] / "features")) == []
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("views.py", '    ttl=timedelta(days=2),\n', "", "carrier_day.ttl: is not declared"),
        ("views.py", 'description="Lateness of a carrier on the day before",\n', "", "carrier_day.description: is missing"),
        ("services.py", 'owner="ops@example.com", description="What is', 'description="What is', "basic.owner: is missing"),
        ("computed.py", '    owner="ops@example.com",\n', "", "airport_pressure.owner: is missing"),
        ("views.py", "tables/carrier_day.parquet", "tables/carrier_days.parquet", "no SQL builds ../build/tables/carrier_days"),
        ("services.py", "features=[carrier_day]", "features=[]", "basic: serves no features"),
        ("services.py", "[carrier_day, traffic", "[carrier_day, carrier_day, traffic", "full: takes the view carrier_day twice"),
        (
            "services.py",
            '[carrier_day, traffic[["mean_delay"]]',
            '[traffic[["mean_delay"]], traffic[["mean_delay"]].with_name("again")',
            "",
        ),
        (
            "views.py",
            'name="carrier_late", dtype=Float64',
            'name="mean_delay", dtype=Float64',
            "",
        ),
        ("computed.py", 'name="pressure", dtype', 'name="mean_delay", dtype', "makes 'mean_delay' out of an input of the same name"),
        (
            "views.py",
            "../build/tables/carrier_day.parquet",
            "../build/tables/traffic.parquet",
            "",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_its_place(
    small: Path, edit: Edit, file: str, old: str, new: str, said: str
) -> None:
    """Each problem names the definition and the field, and says what to write; one name in two views is none."""
    edit(small / "features" / file, old, new)
    found = problems(small)
    assert any(said in problem for problem in found) if said else not found
    assert all("\n  " in problem for problem in found)


def test_two_views_on_the_same_columns_of_one_table(small: Path) -> None:
    """Two views that claim one table's columns are a problem; two that share a table are not."""
    views = small / "features" / "views.py"
    text = views.read_text()
    twin = 'twin = FeatureView(name="twin", entities=[origin], ttl=timedelta(hours=6), source=traffic_source,\n'
    twin += '    schema=[Field(name="{}", dtype=Int64)], owner="a", description="b")\n'
    views.write_text(text + twin.format("departures"))
    assert "traffic and twin claim ../build/tables/traffic.parquet" in problems(small)[0]
    views.write_text(text + twin.format("cancelled"))
    assert problems(small) == []


def test_two_files_that_claim_one_table_are_refused(small: Path) -> None:
    """Also where they differ in case or folder only."""
    other = small / "features" / "tables" / "air" / "Traffic.sql"
    other.parent.mkdir()
    other.write_text("SELECT 1 AS x\n")
    with pytest.raises(SqlError) as caught:
        compile_manifest(small / "features")
    assert (
        "tables/air/Traffic.sql and tables/traffic.sql: both claim the feature table"
        in caught.value.message
    )


def test_tables_that_read_one_another_are_refused(small: Path) -> None:
    """A feature table can't be built from itself."""
    tables = small / "features" / "tables"
    (tables / "a.sql").write_text("SELECT x FROM b\n")
    (tables / "b.sql").write_text("SELECT x FROM a\n")
    with pytest.raises(SqlError, match="read one another"):
        compile_manifest(small / "features")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../elsewhere.parquet", "file:///etc/passwd"])
def test_a_source_outside_the_repository_is_refused(small: Path, edit: Edit, path: str) -> None:
    """The message names the view."""
    edit(small / "features" / "views.py", "../build/tables/carrier_day.parquet", path)
    with pytest.raises(FurrowError, match=r"feature view 'carrier_day': source: .* leads out of"):
        compile_manifest(small / "features")


def test_an_absolute_source_inside_the_repository_is_made_relative(small: Path, edit: Edit) -> None:
    """The manifest is the same as if it had been written relative."""
    before = compile_manifest(small / "features")
    edit(
        small / "features" / "views.py",
        "../build/tables/carrier_day.parquet",
        f"{small}/build/tables/carrier_day.parquet",
    )
    assert compile_manifest(small / "features") == before


def test_an_odd_name_is_refused(small: Path, edit: Edit) -> None:
    """What the manifest could not be read back with is an error when it is made."""
    edit(small / "features" / "views.py", 'name="departures"', 'name="left / right"')
    with pytest.raises(ManifestError, match="is not a name"):
        compile_manifest(small / "features")


def test_sql_that_is_wrong_names_file_and_line(small: Path, edit: Edit) -> None:
    """A typo in SQL is found when it is compiled."""
    edit(small / "features" / "tables" / "traffic.sql", "WHERE departure", "WHRE departure")
    with pytest.raises(SqlError, match=r"traffic\.sql: line \d+"):
        compile_manifest(small / "features")


def test_on_demand_code_that_does_not_run_by_itself_is_refused(small: Path, edit: Edit) -> None:
    """It is found when it is compiled, not when it is served."""
    edit(
        small / "features" / "on_demand.py",
        "UNUSED = 3",
        'UNUSED = 3\nLATE = globals()["UNUSED"] * 5',
    )
    with pytest.raises(
        FurrowError, match="'airport_pressure': its code does not run by itself: KeyError"
    ):
        compile_manifest(small / "features")
