"""Sweeps: every trial recorded at once, with what it took, and none run twice."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from furrow.ground.experiments import list_experiments
from furrow.history import listing, named_run
from furrow.history.load import NoSuchRunError
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.trials.recorder import Finished

from .conftest import recorded, sweeping

GRID = ("model.learning_rate=0.05,0.3", "model.max_leaf_nodes=7,15,31")


def summary(found: list[Finished]) -> dict[str, tuple[tuple[str, ...], str, float | None]]:
    return {one.trial.name: (one.trial.overrides, one.state, one.score) for one in found}


@pytest.fixture(scope="module")
def done(original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Finished]]:
    """A project on which the grid was run."""
    root = Path(
        shutil.copytree(original, tmp_path_factory.mktemp("done") / "project", symlinks=True)
    )
    patch = pytest.MonkeyPatch()
    for kind in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{kind}_NAME", "Ada Test")
        patch.setenv(f"GIT_{kind}_EMAIL", "ada@example.com")
    found = list(sweeping(root, *GRID).run())
    patch.undo()
    return root, found


@pytest.fixture
def again(done: tuple[Path, list[Finished]], tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(done[0], tmp_path / "project", symlinks=True))


def test_a_grid_is_every_combination_each_recorded_with_what_it_took(
    done: tuple[Path, list[Finished]],
) -> None:
    root, found = done
    assert len(found) == 6
    assert all(one.state == "done" and not one.again for one in found)
    experiments = recorded(root)
    assert set(experiments) == {one.trial.name for one in found}
    for one in found:
        trailers = experiments[one.trial.name].trailers
        assert float(trailers["Furrow-Seconds"]) == pytest.approx(one.seconds, abs=0.001)
        assert len(trailers["Furrow-Predictions"]) == 64
        assert json.loads(trailers["Furrow-Overrides"]) == list(one.trial.overrides)
        assert "Furrow-Cpu-Seconds" in trailers


def test_a_trial_is_the_base_with_its_declaration_and_its_run(
    done: tuple[Path, list[Finished]], git: Callable[..., str]
) -> None:
    """Nothing else of the tree changes; durations stay out of it."""
    root, found = done
    one = found[0]
    commit = recorded(root)[one.trial.name].commit
    changed = git(root, "diff", "--name-only", "HEAD", commit).split()
    assert set(changed) <= {
        "conf/experiment/gbm.yaml", "conf/experiments.yaml", "runs/gbm/config.yaml", "runs/gbm/metrics.json",
        "runs/gbm/intervals.json", "runs/gbm/slices.json", "runs/gbm/record.json", "runs/gbm/plots/roc.csv",
        "runs/gbm/plots/pr.csv", "runs/gbm/plots/calibration.csv",
    }  # fmt: skip
    assert git(root, "rev-parse", f"{commit}^") == git(root, "rev-parse", "HEAD")
    assert json.loads(git(root, "show", f"{commit}:runs/gbm/metrics.json")) == one.metrics
    assert "seconds" not in git(root, "show", f"{commit}:runs/gbm/record.json")
    assert "learning_rate: 0.05" in git(root, "show", f"{commit}:conf/experiment/gbm.yaml")
    assert not git(root, "status", "--porcelain")


def test_the_same_command_runs_nothing_twice(
    again: Path, done: tuple[Path, list[Finished]]
) -> None:
    before = recorded(again)
    found = list(sweeping(again, *GRID).run())
    assert all(one.again for one in found)
    assert summary(found) == summary(done[1])
    assert recorded(again) == before


def test_a_commit_that_changes_nothing_that_counts_has_the_trials_too(
    again: Path, git: Callable[..., str]
) -> None:
    """They are recorded on the new commit without being run; one that changes the environment counts."""
    (again / "README.md").write_text("words\n")
    git(again, "add", "README.md")
    git(again, "commit", "-qm", "words")
    found = list(sweeping(again, *GRID).run())
    assert all(one.again for one in found)
    head = git(again, "rev-parse", "HEAD")
    assert {one.baseline for one in list_experiments(again)} > {head}
    assert len(list_experiments(again)) == 12
    trailers = recorded(again)[found[0].trial.name].trailers
    assert float(trailers["Furrow-Seconds"]) > 0
    (again / "requirements.lock").write_text("changed\n")
    assert not any(
        one.again
        for one in sweeping(again, "model.learning_rate=0.05", "model.max_leaf_nodes=7").run()
    )


def test_what_the_work_tree_changes_is_in_the_trial(project: Path, git: Callable[..., str]) -> None:
    path = project / "conf/model/gbm.yaml"
    path.write_text(path.read_text().replace("max_iter: 12", "max_iter: 5"))
    (one,) = sweeping(project, "seed=3").run()
    assert one.trial.config.model["max_iter"] == 5
    commit = recorded(project)[one.trial.name].commit
    assert "max_iter: 5" in git(project, "show", f"{commit}:conf/model/gbm.yaml")
    assert "conf/model/gbm.yaml" in git(project, "status", "--porcelain")


def test_a_trial_is_a_run_by_its_name(done: tuple[Path, list[Finished]]) -> None:
    """Alone, as a revision, and in the list."""
    root, found = done
    trial = found[0].trial
    alone = named_run.run(trial.name, repo=root)
    assert alone.name == "gbm"
    assert (
        alone.commit
        == recorded(root)[trial.name].commit
        == named_run.run(f"gbm@{trial.name}", repo=root).commit
    )
    assert alone.config["model"]["learning_rate"] == trial.config.model["learning_rate"]
    listed = listing.list_runs(root, Selection(everything=True), Query(columns=("run",)))
    named = listed.named(run for (run,) in listed.answer.rows)
    assert {f"gbm@{one.trial.name}" for one in found} == set(named.values())
    assert all(run.startswith("gbm@") for run in named)
    with pytest.raises(NoSuchRunError):
        named_run.run(f"{trial.name}x", repo=root)


def test_the_threads_of_a_fit_count_and_its_workers_do_not(project: Path) -> None:
    def again(*words: str) -> bool:
        (one,) = sweeping(project, "model.max_iter=3", *words).run()
        return one.again

    assert not again()
    assert again("engine.workers=1")
    assert not again("engine.threads=3")


def test_what_only_a_fitted_model_can_say_is_not_the_trials(
    project: Path, git: Callable[..., str]
) -> None:
    said = ["runs/gbm/card.md", "runs/gbm/plots/importance.csv"]
    for path in said:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("of the model before\n")
    git(project, "add", "-f", *said)
    git(project, "commit", "-q", "-m", "A run")
    (one,) = sweeping(project, "model.max_iter=3").run()
    held = git(
        project,
        "ls-tree",
        "-r",
        "--name-only",
        recorded(project)[one.trial.name].commit,
        "runs/gbm",
    ).split()
    assert "runs/gbm/metrics.json" in held
    assert not set(said) & set(held)


def test_a_short_name_that_another_trial_has_is_left_to_it(
    project: Path, git: Callable[..., str]
) -> None:
    (one,) = sweeping(project, "model.max_iter=3").run()
    commit = recorded(project)[one.trial.name].commit
    ref = git(project, "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{one.trial.name}")
    message = f"another\n\nFurrow-Trial: {'0' * 64}\n"
    other = git(project, "commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-m", message)
    git(project, "update-ref", ref, other)
    (two,) = sweeping(project, "model.max_iter=3").run()
    assert not two.again
    assert two.trial.name.startswith(one.trial.name)
    assert recorded(project)[one.trial.name].commit == other
    assert recorded(project)[two.trial.name].trailers["Furrow-Trial"] == two.trial.digest
    (again,) = sweeping(project, "model.max_iter=3").run()
    assert again.again
    assert again.trial.name == two.trial.name


@pytest.mark.timeout(120)
def test_a_process_that_has_fitted_before_can_try(project: Path) -> None:
    """Its OpenMP threads are not in the workers, which wait for none of them."""
    with threadpool_limits(2):
        HistGradientBoostingClassifier(max_iter=3).fit(
            [[float(n)] for n in range(5000)], [n % 2 for n in range(5000)]
        )
    (one,) = sweeping(project, "model.max_iter=3", "engine.threads=2", jobs=1).run()
    assert one.state == "done"


def test_equal_trials_are_run_once(project: Path) -> None:
    found = list(sweeping(project, "model.learning_rate=0.3,0.30,3e-1", jobs=1).run())
    assert [one.again for one in found] == [False, True, True]
    assert len({one.score for one in found}) == 1
    assert len(recorded(project)) == 1


def test_groups_vary_too(project: Path, git: Callable[..., str]) -> None:
    found = list(sweeping(project, "calibration=none,sigmoid", "model.max_iter=3").run())
    assert {one.trial.config.calibration.method for one in found} == {"none", "sigmoid"}
    sigmoid = next(one for one in found if one.trial.config.calibration.method == "sigmoid")
    text = git(
        project, "show", f"{recorded(project)[sigmoid.trial.name].commit}:conf/experiment/gbm.yaml"
    )
    assert "- override /calibration: sigmoid" in text


def test_a_trial_that_fails_is_told_and_the_others_go_on(project: Path) -> None:
    held = ("model.early_stopping=true", "model.max_iter=3")
    found = list(sweeping(project, "+model.scoring=nonsense,loss", *held).run())
    states = {one.trial.overrides: one for one in found}
    assert states[("+model.scoring=loss",)].state == "done"
    failed = states[("+model.scoring=nonsense",)]
    assert failed.state == "failed"
    assert "nonsense" in failed.message
    assert len(recorded(project)) == 1


COST = """
import numpy as np

def cost(rows):
    return rows.mean(np.where(rows.label == 1, 5.0, 1.0) * np.abs(rows.label - rows.column("probability")))
"""


def test_a_metric_of_the_projects_own(project: Path, git: Callable[..., str]) -> None:
    """Trials are scored by it, record it with its direction, and the best by it comes out best."""
    (project / "pipelines/costs.py").write_text(COST)
    (project / "conf/metrics.yaml").write_text(
        "metrics: {cost: {function: pipelines.costs:cost, direction: minimize, tasks: [binary]}}\n"
    )
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a cost")
    wanted = sweeping(project, "model.max_leaf_nodes=3,31", metric="cost")
    found = {one.trial.overrides: one for one in wanted.run()}
    assert len(found) == 2
    for one in found.values():
        assert one.state == "done"
        commit = recorded(project)[one.trial.name].commit
        assert json.loads(git(project, "show", f"{commit}:runs/gbm/metrics.json"))["cost"] == one.score  # fmt: skip
        record = json.loads(git(project, "show", f"{commit}:runs/gbm/record.json"))
        assert record["directions"] == {"cost": "minimize"}
    assert len({one.score for one in found.values()}) == 2
