"""Stages that hang on chance or on the clock: the further runs that tell which, and their limits."""

import pandas as pd
import pytest

from furrow.ground.process import WATCH
from furrow.replay import diagnose as why
from furrow.replay.replay_verdict import IDENTICAL

from .conftest import commit, differences, edit, of, reasons, rerun, run


def test_an_unseeded_model(world, again):
    """The first stage that diverged is train, for want of a seed; what comes after stands on its own."""
    edit(world / "code/train.py", "rate * sum(values)", "rate * sum(values) + random.random()")
    edit(world / "code/train.py", "import json", "import random, json")
    rerun(world)
    verdict = again(world)
    assert not verdict
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"seed"}
    assert "build/models/a/model.json: weight: recorded" in differences(verdict, "train@a")
    assert of(verdict, "evaluate@a").status == IDENTICAL


def test_the_order_of_a_set(world, again):
    """Output that hangs on PYTHONHASHSEED is told from a missing seed."""
    edit(world / "code/train.py", '"a model\\n"', 'str({f"feature{n}" for n in range(40)})')
    rerun(world)
    assert set(reasons(again(world), "train@a")) == {"hash order"}


def test_a_stage_that_writes_the_time(world, again):
    """A time stamp inside an output is recognised as one."""
    edit(world / "code/evaluate.py", "import json", "import time, json")
    edit(world / "code/evaluate.py", '"rows": 3', '"rows": 3, "at": time.time()')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "evaluate@a"
    assert set(reasons(verdict, "evaluate@a")) == {"clock"}
    assert "at: recorded" in differences(verdict, "evaluate@a")


def test_a_stage_that_reads_the_date(world, again, tmp_path):
    """Two replays on one day agree; a run under another date shows that the calendar is an input."""
    edit(world / "code/train.py", "import json", "import datetime, json")
    edit(
        world / "code/train.py",
        "rate * sum(values)",
        "rate * datetime.date.today().toordinal() % 7",
    )
    shift = {
        "PYTHONPATH": str(WATCH),
        "FURROW_WATCH_LOG": str(tmp_path / "log"),
        "FURROW_WATCH_SHIFT": str(-3 * 86_400),
    }
    rerun(world, **shift)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert "another date" in reasons(verdict, "train@a")["clock"]


PANDAS = """import json, sys
import pandas as pd
values = pd.read_csv("build/ready.csv")["value"]
folder = f"build/models/{sys.argv[1]}"
frame = pd.DataFrame({"flight": range(len(values)), "probability": values / 10, "made": FACTOR})
frame.to_parquet(f"{folder}/predictions.parquet")
open(f"{folder}/model.json", "w").write(json.dumps({"weight": int(values.sum())}))
"""


def with_pandas(world, factor="1"):
    """Have train write its predictions as people do."""
    text = PANDAS.replace("FACTOR", factor).replace(
        "values = ", 'os.makedirs(f"build/models/{sys.argv[1]}")\nvalues = ', 1
    )
    (world / "code/train.py").write_text(text.replace("import json, sys", "import json, os, sys"))


@pytest.mark.long
def test_predictions_replaced(world, again):
    """Of a stage that imports pandas: rows and columns are named, and the diagnosis comes to its end."""
    with_pandas(world)
    rerun(world)
    path = world / "build/models/a/predictions.parquet"
    frame = pd.read_parquet(path)
    frame.loc[[0, 2], "probability"] = 0.99
    path.unlink()
    frame.to_parquet(path)
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    verdict = again(world, stage="train@a")
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"replaced"}
    assert "column probability: 2 of 3 rows differ, by up to 0.79" in differences(
        verdict, "train@a"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "now", ["pd.Timestamp.now()", "pd.Timestamp(__import__('datetime').date.today())"]
)
def test_a_stage_that_reads_the_date_with_pandas(world, again, tmp_path, now):
    """The clock of pandas is shifted with Python's."""
    with_pandas(world, f"{now}.toordinal() % 7")
    shift = {"FURROW_WATCH_LOG": str(tmp_path / "log"), "FURROW_WATCH_SHIFT": str(-3 * 86_400)}
    rerun(world, PYTHONPATH=str(WATCH), **shift)
    assert "another date" in reasons(again(world, stage="train@a"), "train@a")["clock"]


HANG = "import os, time\nif os.environ.get('{name}'): time.sleep(99)\nimport json"


@pytest.mark.long
def test_a_further_run_that_does_not_end(world, again, monkeypatch):
    """It is stopped and told, the other runs go on, and the verdict comes."""
    monkeypatch.setattr(why, "FLOOR_SECONDS", 3.0)
    edit(world / "code/train.py", "import json", HANG.format(name="FURROW_WATCH_SHIFT"))
    rerun(world)
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    rerun(world)
    found = reasons(again(world, stage="train@a"), "train@a")
    assert list(found) == ["replaced", "unknown"]
    assert found["unknown"].startswith(
        "train@a runs again with another clock: that did not end within 3 s"
    )


@pytest.mark.long
def test_a_run_that_does_not_end_twice(world, again, monkeypatch, tmp_path):
    """When only the first run ends, no more is said than is known."""
    monkeypatch.setattr(why, "FLOOR_SECONDS", 3.0)
    again_and_again = (
        f"import os, time\nif os.path.exists('{tmp_path}/ran') and 'attempts': time.sleep(99)\n"
    )
    mark = f"if 'furrow-replay' in os.getcwd(): open('{tmp_path}/ran', 'w')\nimport json"
    edit(world / "code/train.py", "import json", again_and_again + mark)
    rerun(world)
    (world / "build/models/a/model.json").unlink()
    (world / "build/models/a/model.json").write_text('{"weight": 99.0}')
    run(world, "dvc", "commit", "-q", "-f", "train@a")
    commit(world, "replaced")
    found = reasons(again(world, stage="train@a"), "train@a")
    assert list(found) == ["unknown"]
    assert found["unknown"].startswith("train@a runs again: that did not end within 3 s")
