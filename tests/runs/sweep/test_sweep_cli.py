"""The commands: what they print, on which stream, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def test_try_adopt_and_watch_tell_what_happened_and_what_is_next(
    project: Path, run: Callable
) -> None:
    refused = run(project, "furrow", "try", "gbm", "model.max_leaf_nodes=1,7", code=1)
    assert "model.max_leaf_nodes: 1 is not what" in refused.stderr
    assert "2/2" not in refused.stderr
    held = ("model.early_stopping=true", "model.max_iter=3")
    done = run(project, "furrow", "try", "gbm", "+model.scoring=nonsense,loss", *held, code=1)
    assert "failed  +model.scoring=nonsense" in done.stderr
    assert "1/2" in done.stderr
    alone = run(project, "furrow", "try", "gbm", "+model.scoring=nonsense", *held, code=1)
    assert "failed  gbm: 'nonsense' is not a valid scoring" in alone.stderr
    assert "failed: gbm: 'nonsense' is not a valid scoring" in alone.stderr
    assert "2/2" in done.stderr
    assert "1 done, 1 failed" in done.stdout
    (line,) = (
        line for line in done.stdout.splitlines() if line.startswith("next: `furrow adopt gbm-")
    )
    trial = line.split()[3]
    again = run(project, "furrow", "try", "gbm", "+model.scoring=loss", *held, "--json")
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
    plain = json.loads(run(project, "furrow", "runs", "watch", "--json").stdout)["runs"]
    assert plain[0]["run"] == "try@gbm"
    assert plain[0]["curves"]["log_loss"]["rows"] == 1
    unknown = run(project, "furrow", "try", "gmb", code=1)
    assert "did you mean 'gbm'" in unknown.stderr
    missing = run(project, "furrow", "runs", "watch", "nothing", code=1)
    assert "no curves of 'nothing'" in missing.stderr


@pytest.mark.long
def test_every_folder_of_the_project_will_do(project: Path, run: Callable) -> None:
    """Also where the project is a folder of the repository; what is typed is meant from where it is typed."""
    top = project.parent / "repository"
    top.mkdir()
    project.rename(top / "delays")
    (top / "delays/.git").rename(top / ".git")
    run(top, "git", "add", "-A")
    run(top, "git", "commit", "-qm", "moved")
    project, deep = top / "delays", top / "delays/conf/experiment"
    done = run(deep, "furrow", "try", "gbm", "model.max_iter=3")
    trial = done.stdout.rpartition("next: `furrow adopt ")[2].split()[0]
    assert "1 done" in done.stdout
    run(deep, "furrow", "adopt", trial, "as", "gbm_small")
    assert (project / "conf/experiment/gbm_small.yaml").is_file()
    assert "3 experiments compiled" in run(deep, "furrow", "compile").stdout
    assert (project / "runs/gbm_small/config.yaml").is_file()
    assert "3 experiments" in run(deep, "furrow", "compile", "--check").stdout
    assert "delays" in run(deep, "furrow", "features", "list").stdout
    (project / "runs/champion.json").write_text('{"experiment": "gbm", "verdicts": {}}')
    run(deep, "furrow", "gate")
    assert "--origin" in run(deep, "furrow", "predict", "--help").stdout
    checked = run(deep, "furrow", "data", "check", "--data-dir", "nowhere", code=1)
    assert "no data: nowhere holds none of the contract's files" in checked.stderr
    assert not (deep / "runs").exists()


@pytest.mark.long
def test_outside_a_project_and_before_the_first_commit(
    project: Path, run: Callable, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(project, "git", "checkout", "-q", "--orphan", "new")
    for command in (("try", "gbm"), ("adopt", "gbm-1", "as", "other")):
        outside = run(elsewhere, "furrow", *command, code=1).stderr
        assert "not inside a Git repository" in outside
        assert "manifest" not in outside
        (project / "features/manifest.json").unlink(missing_ok=True)
        unborn = run(project / "conf", "furrow", *command, code=1).stderr
        assert "no commit" in unborn
        assert "manifest" not in unborn
    assert "not inside a Git repository" in run(elsewhere, "furrow", "compile", code=1).stderr


def test_help_is_quick_to_load(project: Path, run: Callable) -> None:
    """The commands' modules leave scikit-learn, pandas and Feast alone until there is something to do."""
    text = (
        "import sys\nimport furrow.cli.try_, furrow.cli.adopt, furrow.cli.runs_watch\n"
        "print([name for name in ('sklearn', 'pandas', 'feast', 'optuna', 'numpy') if name in sys.modules])"
    )
    assert run(project, "python", "-c", text).stdout.strip() == "[]"
