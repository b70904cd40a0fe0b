"""Plan and apply on the real repository: reasons in words, exactly the stages that run, kills, what breaks."""

import json
import os
import re
import signal
import subprocess

import pytest

from .conftest import commit, edit, environment, land, repro, run
from .plans import FURROW, planned, stages
from .test_edits import BOTH, EVALUATE, FULL, TABLES, TRAIN, TRAINING

pytestmark = pytest.mark.story


def why(plan: dict, address: str) -> list[str]:
    return next(resource["why"] for resource in plan["resources"] if resource["address"] == address)


def register(folder, name: str, number: str) -> None:
    """A version as `furrow models register` tags it."""
    record = json.loads((folder / f"runs/{name}/record.json").read_text())
    facts = {key: record[key] for key in ("features_digest", "model_sha256", "service")}
    run(folder, "git", "tag", "-a", "-m", f"Register\n\n{json.dumps(facts)}", f"{name}@v{number}")


def killed_at(folder, moment: str) -> bool:
    process = subprocess.Popen(
        [FURROW, "apply"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr or ():
            if f"] {moment} ..." in line:
                os.kill(process.pid, signal.SIGKILL)
                break
        return process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


@pytest.mark.long
def test_a_ttl_from_plan_to_apply(flights):
    """A ttl: why, what it breaks, exactly what runs; killed on the way, applied, and then there is nothing to do."""
    assert not planned(flights, "--no-local")["difference"]
    register(flights, "gbm", "1.0.0")
    (flights / "conf/deployment").mkdir(exist_ok=True)
    (flights / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
    commit(flights, "serve")
    edit(flights / "features/views.py", "ttl=timedelta(hours=3)", "ttl=timedelta(hours=1)")
    plan = planned(flights)
    ttl = next(line for line in why(plan, "views/carrier_day") if "ttl" in line)
    assert ttl == "carrier_day.ttl 3h -> 1h"
    assert ttl in why(plan, "training_sets/late_full")
    assert ttl in why(plan, "experiments/gbm")
    assert stages(plan) == {"compile"} | FULL | BOTH
    assert plan["seconds"] > 0
    (broken,) = plan["breaks"]
    assert (broken["model"], broken["environments"], broken["why"]) == (
        "gbm@v1.0.0",
        ["production"],
        [ttl],
    )
    assert [killed_at(flights, step) for step in ("train@gbm", "registry", "materialize")] == [
        True,
        True,
        True,
    ]
    done = run(flights, FURROW, "apply")
    assert "ended before it was done" in done.stderr
    assert run(flights, FURROW, "plan", "--detailed-exitcode").returncode == 0
    assert run(flights, "dvc", "status", "-q", check=False).returncode == 0
    assert repro(flights).ran == set()
    assert run(flights, FURROW, "features", "verify", "full", "--rows", "500").returncode == 0


@pytest.mark.long
def test_the_plan_is_what_repro_does(flights):
    """A comment, a hyper-parameter and its revert, code, a month: the plan names exactly what `dvc repro` runs."""
    path = flights / "features/tables/tail_legs.sql"
    path.write_text("-- a remark\n\n" + path.read_text())
    assert stages(planned(flights)) == repro(flights).ran == {"compile", "tables_tail_legs"}
    with (flights / "conf/experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.05}\n")
    plan = planned(flights)
    assert why(plan, "experiments/gbm") == ["model.learning_rate 0.1 -> 0.05"]
    assert stages(plan) == repro(flights).ran
    run(flights, "git", "checkout", "-q", "conf")
    plan, done = planned(flights), repro(flights)
    assert (stages(plan), stages(plan, "restore")) == (done.ran, done.cached)
    edit(
        flights / "furrow/stages/evaluate.py",
        '"task": exper',
        '"by": "test",\n                "task": exper',
    )
    plan = planned(flights)
    assert why(plan, "experiments/gbm") == ["code: furrow/stages/evaluate.py"]
    assert stages(plan) == repro(flights).ran
    land(flights, "2013-05")
    plan = planned(flights)
    assert any(
        re.fullmatch(r"flights \+4,\d{3} rows 2013-05", line) for line in why(plan, "data")
    ), why(plan, "data")
    # What `dvc repro` runs then is told by test_edits.test_a_new_month; here it need not be run
    # again.
    assert stages(plan) == {"validate", "select"} | TABLES | TRAINING | TRAIN | EVALUATE
