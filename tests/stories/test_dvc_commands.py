"""DVC's own commands work on the repository, and tell the truth."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import commit, edit, repro, run

pytestmark = pytest.mark.story


@pytest.mark.long
def test_metrics_params_and_plots(flights):
    """`dvc metrics show` and `diff`, `dvc params diff` and `dvc plots show` say what the files say."""
    shown = json.loads(run(flights, "dvc", "metrics", "show", "--json").stdout)
    on_disk = json.loads((flights / "runs/gbm/metrics.json").read_text())
    assert shown[""]["data"]["runs/gbm/metrics.json"]["data"] == on_disk

    with (flights / "conf/experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.05}\n")
    repro(flights)
    now = json.loads((flights / "runs/gbm/metrics.json").read_text())
    changed = json.loads(run(flights, "dvc", "metrics", "diff", "--json").stdout)
    assert set(changed) == {"runs/gbm/metrics.json"}
    assert changed["runs/gbm/metrics.json"]["roc_auc"]["old"] == on_disk["roc_auc"]
    assert changed["runs/gbm/metrics.json"]["roc_auc"]["new"] == now["roc_auc"]
    params = json.loads(run(flights, "dvc", "params", "diff", "--json").stdout)
    assert params["runs/gbm/config.yaml"]["model.learning_rate"] == {
        "old": 0.1,
        "new": 0.05,
        "diff": -0.05,
    }

    run(flights, "dvc", "plots", "show", "-o", "plots")
    page = (flights / "plots/index.html").read_text()
    for name in ("roc", "pr", "calibration", "importance"):
        assert f"runs_gbm_plots_{name}_csv" in page
    importance = (flights / "runs/gbm/plots/importance.csv").read_text().splitlines()
    assert importance[0] == "feature,importance"
    assert importance[1].split(",")[0] in page


@pytest.mark.long
def test_exp_run_with_a_set_param(flights):
    """`dvc exp run -S` on a resolved config trains that experiment with the value, and `exp show` shows both."""
    before = json.loads((flights / "runs/gbm/metrics.json").read_text())
    done = run(
        flights,
        "dvc",
        "exp",
        "run",
        "-n",
        "slower",
        "-S",
        "runs/gbm/config.yaml:model.learning_rate=0.05",
    )
    text = done.stdout + done.stderr
    assert "Running stage 'train@gbm'" in text
    assert "Running stage 'train@gbm_schedule'" not in text
    after = json.loads((flights / "runs/gbm/metrics.json").read_text())
    assert after["log_loss"] != before["log_loss"]
    shown = json.loads(run(flights, "dvc", "exp", "show", "--json").stdout)
    experiment = shown[1]["experiments"][0]["revs"][0]
    assert experiment["name"] == "slower"
    data = experiment["data"]
    assert data["params"]["runs/gbm/config.yaml"]["data"]["model"]["learning_rate"] == 0.05
    assert data["metrics"]["runs/gbm/metrics.json"]["data"]["log_loss"] == after["log_loss"]
    baseline = shown[1]["data"]
    assert baseline["metrics"]["runs/gbm/metrics.json"]["data"]["log_loss"] == before["log_loss"]


@pytest.mark.long
def test_a_misspelt_param_is_refused(flights):
    """A key that the estimator lacks fails the stage with what was meant, and the record stays."""
    before = (flights / "runs/gbm/metrics.json").read_text()
    setting = "runs/gbm/config.yaml:+model.learnin_rate=0.05"
    done = run(flights, "dvc", "exp", "run", "-S", setting, check=False)
    assert done.returncode != 0
    assert "did you mean 'learning_rate'?" in done.stdout + done.stderr
    run(flights, "git", "checkout", "-q", "runs", "dvc.lock")
    run(flights, "dvc", "checkout", "-q")
    assert (flights / "runs/gbm/metrics.json").read_text() == before


def test_a_violated_contract_stops_everything(flights):
    """Bad rows stop `dvc repro` at validate; tables, training sets, runs and the champion are as they were."""
    path = flights / "data/flights/2013-02.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("distance")
    broken = pa.array([-5, *table["distance"].to_pylist()[1:]], pa.int32())
    run(flights, "dvc", "unprotect", "data")
    pq.write_table(table.set_column(place, table.schema.field(place), broken), path)
    before = {one: one.read_bytes() for one in (flights / "build/tables").iterdir()}
    done = run(flights, "dvc", "repro", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "distance" in text
    assert "2013-02.parquet" in text
    assert {one: one.read_bytes() for one in (flights / "build/tables").iterdir()} == before
    assert (
        run(flights, "git", "status", "--porcelain", "runs/gbm", "runs/champion.json").stdout == ""
    )


@pytest.mark.long
def test_a_needless_and_a_missing_dependency(flights):
    """compile holds dvc.yaml against the SQL, and says which line to write."""
    dependency = (
        "      - build/tables/tail_legs.parquet\n      - build/tables/weather_origin.parquet\n"
    )
    edit(flights / "dvc.yaml", dependency, "      - build/tables/weather_origin.parquet\n")
    edit(flights / "conf/model/gbm.yaml", "max_iter: 8", "max_iter: 9")
    done = run(flights, "dvc", "repro", check=False)
    assert done.returncode != 0
    assert "add to its deps: - build/tables/tail_legs.parquet" in done.stdout + done.stderr


@pytest.mark.long
def test_a_commit_checks_out_whole(flights):
    """An older commit's results come back with `git checkout` and `dvc checkout`, without training."""
    with (flights / "conf/experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.05}\n")
    repro(flights)
    commit(flights, "slower")
    run(flights, "git", "checkout", "-q", "HEAD~1")
    run(flights, "dvc", "checkout", "-q")
    assert repro(flights).ran == set()
