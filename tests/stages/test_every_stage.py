"""Every stage of a project that is not the example, in this process: from raw data to the champion of each problem."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.files import read_json
from furrow.history.metrics_file import read_metrics
from furrow.layout import CHAMPION, evaluation, predictions, run_file, table, training_set
from furrow.models.bundle import load
from furrow.models.doubts import DoubtfulError
from furrow.models.predict import open_model
from furrow.stages.command import run_stage, say
from furrow.stages.select import select
from furrow.stages.training_set import build
from furrow.stages.validate import validate
from furrow.training.champions import read_champions
from tests.shopproject import EXPERIMENTS, grow, land

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grow(tmp_path_factory.mktemp("shops") / "project")


def test_the_table_and_the_training_sets(grown: Path) -> None:
    rows = pq.read_table(grown / table("day"))
    assert {"visits", "spent_mean", "weekday_cos"} <= set(rows.column_names)
    made = pq.read_table(grown / training_set("again", "full"))
    assert made.num_rows == pq.read_metadata(grown / "data/visits.parquet").num_rows
    assert {"visits", "spent_mean", "spent_spread", "weekday_cos", "again"} <= set(
        made.column_names
    )
    assert "spent" not in made.column_names, "another problem's label"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_run(grown: Path, name: str) -> None:
    """Metrics, a record, predictions of the tested months alone, an evaluation, and a model that opens."""
    problem = EXPERIMENTS[name][0]
    metrics = read_metrics(
        "metrics.json", (grown / run_file(name, "metrics.json")).read_bytes()
    ).values
    assert {"again": "roc_auc", "spent": "mae"}[problem] in metrics
    found = pq.read_table(grown / predictions(name))
    assert 300 < found.num_rows < 700
    assert read_json(grown / evaluation(name))["problem"] == problem
    record = read_json(grown / run_file(name, "record.json"))
    bundle = load(grown / f"build/models/{name}", model_sha256=record["model_sha256"])
    assert bundle is not None


def test_each_problem_has_a_verdict_on_its_runs(grown: Path) -> None:
    champions = read_champions((grown / CHAMPION).read_bytes())
    assert set(champions) == {"again", "spent"}
    assert set(champions["again"].verdicts) == {"boosted", "forest", "line"}
    assert set(champions["spent"].verdicts) == {"amount"}


def test_select_again_says_the_same(grown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (grown / CHAMPION).read_bytes()
    select(grown)
    assert (grown / CHAMPION).read_bytes() == before
    said = capsys.readouterr().out
    assert "problem again" in said
    assert "champion" in said


def test_what_is_not_declared_is_refused(grown: Path) -> None:
    with pytest.raises(FurrowError, match="no problem 'odd'"):
        build(grown, "odd", "full")
    with pytest.raises(FurrowError, match="no feature service 'odd'"):
        build(grown, "again", "odd")


def test_broken_data_stop(grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told, with exit code 1, and nothing is written."""
    land(tmp_path)
    (tmp_path / "conf/data").mkdir(parents=True)
    text = (grown / "conf/data/contract.yaml").read_text().replace("min: 0", "min: 399")
    (tmp_path / "conf/data/contract.yaml").write_text(text)
    assert validate(tmp_path) == 1
    assert "breaks its contract" in capsys.readouterr().out
    assert not (tmp_path / "build").exists()


def test_the_edge_of_a_stage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments, exit codes, errors in a sentence; text of the repository commands no terminal."""

    def fails(root: Path, name: str) -> None:
        raise FurrowError(f"no {name}", hint="name another")

    monkeypatch.setattr("sys.argv", ["x", "gb\x1b[2Jm"])
    with pytest.raises(SystemExit) as ended:
        run_stage("train", "Train.", ("experiment",), fails)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "error: no gb" in said
    assert "\x1b" not in said
    with pytest.raises(SystemExit) as ended:
        run_stage("train", "Train.", ("experiment",), lambda *_: None)
    assert ended.value.code == 0
    say("a\x1bb")
    assert "\x1b" not in capsys.readouterr().out


def test_a_prediction_says_what_speaks_against_it(grown: Path) -> None:
    """Of the past, without Feast: a shop that training saw, and one without any event at a moment after all data."""
    model = open_model(grown, "line")
    moment = datetime(2020, 5, 1, 12, tzinfo=UTC)
    (sure,) = model.predict([{"shop": "north"}], at=moment, strict=True)
    assert sure.doubts == ()
    assert set(sure.status.values()) == {"present"}
    later = moment.replace(year=2021)
    (unsure,) = model.predict([{"shop": "nowhere"}], at=later)
    assert [words in doubt for words, doubt in zip(
        ("after the newest event", "all features are missing", "never seen"), unsure.doubts, strict=True)] == [True] * 3  # fmt: skip
    (expired,) = model.predict([{"shop": "north"}], at=later)
    assert set(expired.status.values()) == {"expired"}
    with pytest.raises(DoubtfulError, match="never seen"):
        model.predict([{"shop": "nowhere"}], at=moment, strict=True)
