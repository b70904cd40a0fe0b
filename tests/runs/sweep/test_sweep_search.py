"""Searches: the same at any number of workers, pruned by the folds, taken up where they stopped; on a cluster too."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from distributed import LocalCluster

from furrow.ground.experiments import list_experiments
from furrow.ground.overrides import Dimension
from furrow.training.search import SCHEDULER, SearchError
from furrow.trials.ask import Asker
from furrow.trials.edit import with_entry
from furrow.trials.recorder import Finished
from furrow.trials.trial import History, Result, Shared, Task, pruned_at
from furrow.trials.workers import Failure, Workers, on_processes

from .conftest import sweeping

ROOT = Path(__file__).resolve().parents[3]
SPACE = (
    "model.learning_rate=tag(log,interval(0.001,0.5))",
    "model.max_leaf_nodes=int(interval(3,31))",
)
Told = dict[int, tuple[tuple[str, ...], str, float | None]]


def told(found: Iterator[Finished]) -> Told:
    return {one.trial.number: (one.trial.overrides, one.state, one.score) for one in found}


def test_a_search_is_the_same_at_any_number_of_workers_and_goes_on_where_it_stopped(
    project: Path, tmp_path: Path
) -> None:
    """Trials that fall behind are given up; neither they nor the others are run a second time."""
    options = {"search": "tpe", "trials": 14}
    first = sweeping(project, *SPACE, **options, jobs=1).run()
    cut = list(islice(first, 9))
    first.close()
    assert not any(one.again for one in cut)
    again = list(sweeping(project, *SPACE, **options, jobs=2).run())
    assert len(again) == 14
    assert sum(one.again for one in again) >= 9
    states = [one.state for one in again]
    assert "pruned" in states
    assert "done" in states
    assert len(list_experiments(project)) == states.count("done")
    whole = list(sweeping(project, *SPACE, **options, jobs=2).run())
    assert all(one.again for one in whole)
    assert told(iter(whole)) == told(iter(again))
    assert told(iter(cut)).items() <= told(iter(whole)).items()
    (project / ".furrow/pruned.jsonl").write_text('{"key": "half a li')
    after = list(sweeping(project, *SPACE, **options, jobs=2).run())
    assert told(iter(after)) == told(iter(whole))


def test_an_experiment_that_searches_by_itself_is_searched_in_trials(project: Path) -> None:
    table = project / "conf/experiments.yaml"
    shutil.copy(ROOT / "conf/experiment/gbm_search.yaml", project / "conf/experiment")
    table.write_text(with_entry(table.read_text(), "gbm_search", "full", where="experiments.yaml"))
    options = {"experiment": "gbm_search", "search": "tpe", "trials": 2}
    found = list(
        sweeping(
            project, "model.learning_rate=interval(0.1,0.3)", "model.max_iter=3", **options
        ).run()
    )
    assert [one.state for one in found] == ["done", "done"]
    assert all(one.trial.config.search is None for one in found)


@pytest.mark.long
def test_the_order_in_which_trials_end_does_not_count(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(project, tmp_path / "other", symlinks=True))
    words = (*SPACE, "model.max_iter=5")
    straight = told(sweeping(project, *words, search="tpe", trials=14, jobs=1).run())

    @contextmanager
    def backwards(shared: Shared, count: int) -> Iterator[Workers]:
        """The real workers, whose results come the last one first."""
        with on_processes(shared, count) as workers:
            yield Backwards(workers)

    monkeypatch.setattr("furrow.trials.sweep.on_processes", backwards)
    found = list(sweeping(other, *words, search="tpe", trials=14, jobs=2).run())
    assert [one.trial.number for one in found] != sorted(one.trial.number for one in found)
    assert told(iter(found)) == straight
    assert "pruned" in {one.state for one in found}
    monkeypatch.undo()
    assert all(one.again for one in sweeping(other, *words, search="tpe", trials=14, jobs=1).run())


@dataclass
class Backwards:
    workers: Workers

    def run(self, tasks: Iterable[tuple[int, Task]]) -> Iterator[tuple[int, Result | Failure]]:
        yield from reversed(list(self.workers.run(tasks)))


def test_the_declared_space_is_searched_when_the_command_varies_nothing(project: Path) -> None:
    found = list(sweeping(project, "model.max_iter=3", search="tpe", trials=2).run())
    assert {part.split("=")[0] for part in found[0].trial.overrides} == {
        "++model.learning_rate", "++model.max_leaf_nodes", "++model.min_samples_leaf", "++model.l2_regularization",
        "++model.max_features",
    }  # fmt: skip
    assert all(one.state == "done" for one in found)


@pytest.mark.long
def test_a_cluster_comes_to_the_same_trials(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler and two worker processes; afterwards this machine's own workers have nothing left to do."""
    held = ("model.early_stopping=true", "model.max_leaf_nodes=7")
    words = ("model.learning_rate=0.1,0.3", "+model.scoring=nonsense,loss", *held)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        monkeypatch.setenv(SCHEDULER, cluster.scheduler_address)
        found = list(sweeping(project, *words, engine="cluster").run())
    assert sorted(one.state for one in found) == ["done", "done", "failed", "failed"]
    monkeypatch.delenv(SCHEDULER)
    local = list(sweeping(project, *words).run())
    assert [one.again for one in local if one.state == "done"] == [True, True]
    fresh = list(
        sweeping(
            project, "model.learning_rate=0.1", "model.max_leaf_nodes=7", "seed=5", engine="local"
        ).run()
    )
    assert fresh[0].state == "done"
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:9")
    with pytest.raises(SearchError, match="no Dask scheduler answers"):
        list(sweeping(project, "seed=77", engine="cluster").run())


def test_asked_and_told_the_same_it_asks_the_same() -> None:
    space = {"a": Dimension(low=0.001, high=1.0, log=True), "b": Dimension(low=1, high=9, integer=True, step=2),
             "c": Dimension(choices=("x", "y")), "d": Dimension(low=0.0, high=1.0)}  # fmt: skip

    def ask() -> list[tuple[str, ...]]:
        asker = Asker(space, sampler="tpe", seed=3, direction="minimize")
        found = []
        for number in range(12):
            (asked,) = asker.ask(1)
            found.append(asked)
            asker.tell(
                number, float(number % 5) if number % 4 else None, (1.0,) if number % 3 else ()
            )
        return found

    one = ask()
    assert one == ask()
    assert len(set(one)) > 8
    assert {part[1] for part in one} <= {f"b={value}" for value in (1, 3, 5, 7, 9)}
    with pytest.raises(SearchError, match="sampler 'tpee'"):
        Asker(space, sampler="tpee", seed=3, direction="minimize")


def test_a_trial_is_given_up_when_it_is_worse_than_the_median_of_five() -> None:
    steps = tuple((0.4 + place / 100, 0.45) for place in range(5))
    assert pruned_at((0.43, 0.9), History("log_loss", "minimize", steps)) == 0
    assert pruned_at((0.41, 0.9), History("log_loss", "minimize", steps)) is None
    assert pruned_at((0.9,), History("log_loss", "minimize", steps[:4])) is None
    assert pruned_at((0.41,), History("roc_auc", "maximize", steps)) == 0


def test_pruned_trials_are_kept_beside_the_repository(project: Path) -> None:
    found = list(sweeping(project, *SPACE, search="random", trials=12).run())
    pruned = [one for one in found if one.state == "pruned"]
    assert pruned
    lines = [
        json.loads(line) for line in (project / ".furrow/pruned.jsonl").read_text().splitlines()
    ]
    assert {line["trial"] for line in lines} == {one.trial.name for one in pruned}
    assert not {one.name for one in list_experiments(project)} & {line["trial"] for line in lines}
