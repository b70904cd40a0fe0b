"""The stage `validate`, run as DVC runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from furrow.files import read_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(data: Path) -> Path:
    """A project's folder: data/ and the contract."""
    shutil.copytree(ROOT / "conf/data", data.parent / "conf/data")
    shutil.copy(ROOT / "conf/ci.yaml", data.parent / "conf")
    return data.parent


def validate(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "furrow.stages.validate"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_good_data_leave_a_report_and_the_marker(project: Path) -> None:
    """The marker always says the same; the report is the same bytes under any hash seed."""
    done = validate(project, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    assert "data keeps its contract" in done.stdout
    report, marker = project / "build/validation.json", project / "runs/.validated"
    first = report.read_bytes(), marker.read_bytes()
    assert read_json(report)["passed"] is True
    assert read_json(report)["rows"]["flights"]["2013-02"] == 24_951
    assert validate(project, PYTHONHASHSEED="2").returncode == 0
    assert (report.read_bytes(), marker.read_bytes()) == first


def test_broken_data_stop_here_and_overwrite_nothing(project: Path) -> None:
    """Exit code 1, the verdict with file and field, and the earlier report and marker as they were."""
    for name in ("build/validation.json", "runs/.validated"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("earlier")
    path = project / "data/flights/2013-02.parquet"
    pq.write_table(pq.read_table(path).drop_columns("distance"), path)
    done = validate(project)
    assert done.returncode == 1
    assert "flights.distance: missing_column" in done.stdout
    assert "flights/2013-02.parquet" in done.stdout
    assert "Next: " in done.stdout
    assert (project / "build/validation.json").read_text() == "earlier"
    assert (project / "runs/.validated").read_text() == "earlier"


def test_no_data_and_a_bad_contract_are_errors(project: Path) -> None:
    """Each is one message with the next step, and the exit code is 1."""
    contract = project / "conf/data/contract.yaml"
    good = contract.read_text()
    contract.write_text(good.replace("unique:", "uniqe:"))
    done = validate(project)
    assert done.returncode == 1
    assert "unknown key 'uniqe', did you mean 'unique'" in done.stderr
    contract.write_text(good)
    shutil.rmtree(project / "data")
    done = validate(project)
    assert done.returncode == 1
    assert "no data" in done.stderr
    assert "python -m pipelines.ingest" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "runs").exists()
