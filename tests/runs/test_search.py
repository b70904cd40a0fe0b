"""A declared search: better than its start, the same on every engine, judged on rows it did not see."""

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client

from furrow.errors import FurrowError
from furrow.training.config import Engine, Range, Search
from furrow.training.search import SCHEDULER, search, with_values


@pytest.fixture
def searched(experiment):
    experiment.search = Search(
        space={
            "model.learning_rate": Range(low=0.01, high=0.3, log=True),
            "model.max_leaf_nodes": Range(low=3, high=15, int=True),
            "model.max_features": Range(choices=[0.5, 1.0]),
        },
        trials=8,
        batch=4,
        metric="log_loss",
        rows=2000,
    )
    experiment.engine = Engine(backend="sequential", workers=1, threads=1)
    return experiment


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[str]:
    """A real Dask scheduler and two worker processes on loopback, stopped by their process ids."""
    folder = tmp_path_factory.mktemp("dask")
    env = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "error"}
    script = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    started = [
        subprocess.Popen(
            [*script, "--no-dashboard", "--scheduler-file", str(folder / "scheduler.json")],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    ]  # fmt: skip
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        "--host",
        "127.0.0.1",
        "--nthreads",
        "1",
    ]
    started += [
        subprocess.Popen(
            [*worker, "--no-dashboard", "--local-directory", str(folder), "--scheduler-file", str(folder / "scheduler.json")],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        with Client(scheduler_file=str(folder / "scheduler.json"), timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(20)


def halves(training):
    month = training.frame["month"].to_numpy()
    return training, np.flatnonzero(month < "2013-03"), np.flatnonzero(month == "2013-03"), {}


def test_trials_are_recorded_and_the_best_is_taken(training, searched):
    """Every trial has its number, values and score; the experiment gets the values of the best."""
    best, trials = search(searched, *halves(training))
    assert [trial["number"] for trial in trials] == list(range(8))
    winner = min(trials, key=lambda trial: trial["log_loss"])
    assert {key: best.model[key.split(".")[1]] for key in winner["values"]} == winner["values"]
    assert len({trial["log_loss"] for trial in trials}) > 3
    assert "max_features" not in searched.model


def test_the_same_trials_on_two_processes(training, searched):
    """loky's two worker processes give the trials that this process gives."""
    _, here = search(searched, *halves(training))
    searched.engine = Engine(backend="loky", workers=2, threads=1)
    _, there = search(searched, *halves(training))
    assert here == there


def test_the_same_trials_on_a_cluster(training, searched, cluster, monkeypatch):
    """The declared search runs on a real cluster of two worker processes, unchanged, and finds the same."""
    _, here = search(searched, *halves(training))
    monkeypatch.setenv(SCHEDULER, cluster)
    searched.engine = Engine(backend="dask", workers=2, threads=1)
    with Client(cluster) as client:
        before = client.run(lambda dask_worker: dask_worker.state.executed_count)
    _, there = search(searched, *halves(training))
    with Client(cluster) as client:
        after = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert here == there
    assert len(after) == 2
    assert sum(after.values()) - sum(before.values()) >= 1


def test_no_cluster_there(training, searched, monkeypatch):
    """An address where nobody answers is an error that names it."""
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:9")
    searched.engine = Engine(backend="dask")
    with pytest.raises(FurrowError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        search(searched, *halves(training))


def test_a_search_declared_wrongly(training, searched):
    """Unknown samplers, metrics, keys, backends and empty ranges are errors."""
    rows = halves(training)
    for change, message in [
        ({"sampler": "grid"}, "there are: tpe, random"),
        ({"metric": "auc"}, "search.metric: unknown metric 'auc'"),
        ({"space": {"modell.x": Range(low=0, high=1)}}, "'modell.x' is not a key"),
        ({"space": {"model.learning_rate": Range(low=0.1)}}, "neither choices nor low and high"),
    ]:
        changed = with_values(searched, {f"search.{key}": value for key, value in change.items()})
        with pytest.raises(FurrowError, match=message):
            search(changed, *rows)
    searched.engine = Engine(backend="ray")
    with pytest.raises(FurrowError, match=r"engine\.backend 'ray'"):
        search(searched, *rows)


def test_no_search_is_no_search(training, experiment):
    """An experiment that declares none comes back as it was."""
    assert search(experiment, *halves(training)) == (experiment, [])
