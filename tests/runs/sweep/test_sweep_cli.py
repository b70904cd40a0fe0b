"""The commands: what they print, on which stream, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path


def test_try_adopt_and_watch_tell_what_happened_and_what_is_next(project: Path, run: Callable) -> None:
    done = run(project, "furrow", "try", "gbm", "model.max_leaf_nodes=1,7", "model.max_iter=3", code=1)
    assert "failed  model.max_leaf_nodes=1" in done.stderr
    assert "1/2" in done.stderr
    assert "2/2" in done.stderr
    assert "1 done, 1 failed" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("next: `furrow adopt gbm-"))
    trial = line.split()[3]
    again = run(project, "furrow", "try", "gbm", "model.max_leaf_nodes=7", "model.max_iter=3", "--json")
    (found,) = json.loads(again.stdout)["trials"]
    assert found["trial"] == trial
    assert found["recorded_before"]
    adopted = run(project, "furrow", "adopt", trial, "as", "gbm_small")
    assert "wrote conf/experiment/gbm_small.yaml" in adopted.stdout
    assert "next: `dvc repro`" in adopted.stdout
    refused = run(project, "furrow", "adopt", trial, "as", "gbm_small", code=1)
    assert "already" in refused.stderr
    run(project, "furrow", "adopt", trial, "gbm_small", "as", code=2)
    watched = run(project, "furrow", "runs", "watch", "--once", "try@gbm")
    assert "log_loss" in watched.stdout
    assert "ended" in watched.stdout
    plain = json.loads(run(project, "furrow", "runs", "watch", "--json").stdout)
    assert plain[0]["run"] == "try@gbm"
    assert plain[0]["curves"]["log_loss"]["rows"] == 1
    unknown = run(project, "furrow", "try", "gmb", code=1)
    assert "did you mean 'gbm'" in unknown.stderr
    missing = run(project, "furrow", "runs", "watch", "nothing", code=1)
    assert "no curves of 'nothing'" in missing.stderr


def test_help_is_quick_to_load(project: Path, run: Callable) -> None:
    """The commands' modules leave scikit-learn, pandas and Feast alone until there is something to do."""
    text = (
        "import sys\nimport furrow.cli.try_, furrow.cli.adopt, furrow.cli.runs_watch\n"
        "print([name for name in ('sklearn', 'pandas', 'feast', 'optuna', 'numpy') if name in sys.modules])"
    )
    assert run(project, "python", "-c", text).stdout.strip() == "[]"
