"""`furrow data check` and `furrow data profile`."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from furrow.cli.main import run
from pipelines.ingest import ingest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landed") / "data"
    ingest(folder, through=1)
    return folder


@pytest.fixture
def project(month: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(month, tmp_path / "data")
    shutil.copytree(ROOT / "conf/data", tmp_path / "conf/data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_passes_and_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 0; with --json the report."""
    assert run(["data", "check"]) == 0
    assert "data keeps its contract" in capsys.readouterr().out
    assert run(["data", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_check_fails_with_a_sample(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule, count, file, rows and the next step, and exit code 1; the same in JSON."""
    path = project / "data/planes.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(6, "seats", table["seats"].cast("float64")), path)
    (project / "data/weather/2013-01.parquet").write_bytes(b"PAR1")
    assert run(["data", "check"]) == 1
    said = capsys.readouterr().out
    assert "planes.seats: column_type" in said
    assert "weather: unreadable_file" in said
    assert "Next: " in said
    assert run(["data", "check", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {v["rule"] for v in report["violations"]} == {"column_type", "unreadable_file"}


def test_other_places_can_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--data-dir and --contract; what is not there is an error with exit code 1."""
    (project / "data").rename(project / "raw")
    (project / "conf/data/contract.yaml").rename(project / "c.yaml")
    assert run(["data", "check", "--data-dir", "raw", "--contract", "c.yaml"]) == 0
    assert run(["data", "check", "--data-dir", "raw"]) == 1
    assert "cannot read the contract conf/data/contract.yaml" in capsys.readouterr().err
    assert run(["data", "check", "--contract", "c.yaml"]) == 1
    assert "no data" in capsys.readouterr().err


def test_profile_prints_and_draws(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of columns for each table, and the page where it is said to be."""
    assert run(["data", "profile"]) == 0
    said = capsys.readouterr().out
    assert "flights: 27,004 rows, 2013-01 to 2013-01" in said
    assert "scheduled_departure" in said
    assert "Drawn in build/profile.html" in said
    assert (project / "build/profile.html").read_text().startswith("<!doctype html>")
    assert run(["data", "profile", "--json", "--out", "p.html"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["name"] == "flights"
    assert (project / "p.html").exists()


def test_profile_into_a_place_that_cannot_be_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with the path."""
    (project / "build").write_text("a file")
    assert run(["data", "profile"]) == 1
    assert "cannot write build/profile.html" in capsys.readouterr().err
