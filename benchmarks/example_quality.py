"""How good the examples' models are: the champion and `furrow try CHAMPION --auto` beside FLAML, on the same rows.

    python -m benchmarks.example_quality [PROBLEM ...] [--minutes 1]

The training sets are those that the project's stages made, and the columns those that its models
see. Both searches are given what is known before the first tested row, and what each chooses there
is fitted again for each fold of the project's split, to what was known before it. Both have so many
minutes of the processor, on two cores, and count these alone: their clocks are set so, for a busy
machine shortens the wall's. FLAML has as many as Furrow's whole command took where those are more.
Judged by the gate's metric as `furrow runs diff` does: a paired
bootstrap of the problem's blocks. The claim: Furrow's is not surely worse (the interval of the
difference reaches 0). Runs in .venv-peers (`make bench`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.figures import Figure, found
from furrow.history.paired_test import About, Difference, compare
from furrow.layout import CHAMPION, PREDICTIONS, SCREENED, run_file, training_set
from furrow.training import config, dataset
from furrow.training.champions import read_champions
from furrow.training.fit import input_columns
from furrow.training.judging import judging_of
from furrow.training.rolling import joined, predict
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "returned": "returns",
    "redeemed": "shop",
    "spend": "shop",
    "next_department": "shop",
    "department_sales": "shop",
}
"""Problems, and whose they are."""
CORES, SEED = 2, 1
COUNTING = """import runpy, sys, time
time.perf_counter = time.process_time  # of each worker, which is forked
runpy.run_module("furrow", run_name="__main__", alter_sys=True)"""


@dataclass(frozen=True)
class World:
    """A problem of a project that was run."""

    project: Path
    problem: str

    @cached_property
    def champion(self) -> Any:
        return read_champions((self.project / CHAMPION).read_bytes())[self.problem]

    @cached_property
    def declared(self) -> config.Experiment:
        return config.load(self.project / run_file(self.champion.experiment, "config.yaml"))

    @cached_property
    def training(self) -> dataset.TrainingSet:
        service = self.declared.features.service
        return dataset.load(self.project / training_set(self.problem, service), self.declared)

    @cached_property
    def champions(self) -> pd.DataFrame:
        """The predictions that the champion's stage stored."""
        return pd.read_parquet(self.project / PREDICTIONS / f"{self.champion.experiment}.parquet")

    def difference(self, peer: pd.DataFrame, ours: pd.DataFrame) -> Difference:
        """Ours minus the peer's, by the gate's metric."""
        problem = self.declared.problem
        judging = judging_of(self.declared, ours)
        split = problem.split
        about = About(problem.task, problem.block, split.at, split.timezone, judging)
        found = compare(peer, ours, about=about)
        assert (found.rows, found.relabelled) == (len(ours), 0), found
        return next(one for one in found.differences if one.metric == self.champion.metric)


def called(project: Path, *words: str) -> tuple[str, float]:
    """What a program says, and the processor's seconds that it took."""
    environment = {**os.environ, "FURROW_TRUST": "1", "DVC_NO_ANALYTICS": "1"}
    before = os.times()
    done = subprocess.run(
        words, cwd=project, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    now = os.times()
    used = now.children_user + now.children_system - before.children_user - before.children_system
    return done.stdout, used


def searched(world: World, minutes: float) -> tuple[pd.DataFrame, float, str]:
    """Predictions of what `furrow try --auto` chose, the processor's seconds, and what it is.

    It begins anew: what earlier searches recorded is forgotten.
    """
    name, python = str(world.champion.experiment), sys.executable
    called(world.project, python, "-m", "dvc", "exp", "remove", "--all-commits", "--quiet")
    (world.project / SCREENED).unlink(missing_ok=True)
    each = ("--jobs", str(CORES), "--minutes", str(minutes / CORES))
    said, used = called(
        world.project, python, "-c", COUNTING, "try", name, "--auto", *each, "--json"
    )
    best = json.loads(said)["trials"][0]
    shown, _ = called(
        world.project, python, "-m", "furrow", "runs", "show", best["trial"], "--json"
    )
    file = f"{json.loads(shown)['commit']}:{run_file(name, 'config.yaml')}"
    place = world.project / ".furrow/chosen.yaml"
    place.write_text(called(world.project, "git", "show", file)[0])
    chosen, training = config.load(place), world.training
    parts = [predict(chosen, training, fold)[0] for fold in training.folds(chosen.seed)]
    return joined(parts), used, " ".join(best["overrides"]) or "as declared"


@contextmanager
def processors_clock() -> Iterator[None]:
    """`time.time` counts this process's processor seconds: a budget that a busy machine can't shorten."""
    clock, began, used = time.time, time.time(), time.process_time()
    time.time = lambda: began + time.process_time() - used
    try:
        yield
    finally:
        time.time = clock


def peer(world: World, seconds: float, split: str) -> tuple[pd.DataFrame, float, str]:
    """FLAML's predictions in the form of Furrow's, the processor's seconds of its search, and what it chose."""
    from flaml import AutoML  # noqa: PLC0415 - where it is installed

    training, problem = world.training, world.declared.problem
    task = load_task(problem.task)
    rows = training.frame[input_columns(world.declared, training.features)]
    words = [name for name in rows.columns if rows[name].dtype.kind not in "biuf"]
    rows = rows.astype(dict.fromkeys(words, "category"))
    target = task.target(training.frame[problem.label], problem, training.classes)
    number = task.estimator == "regressor"
    asked: dict[str, Any] = {
        "task": "regression" if number else "classification",
        "metric": "mae" if number else "log_loss",
        "n_jobs": CORES, "seed": SEED, "verbose": 0, "mlflow_logging": False, "split_type": split,
    }  # fmt: skip
    if split == "time":
        asked["eval_method"] = "holdout"
    folds = training.folds(world.declared.seed)
    began = time.process_time()
    search = AutoML()
    first = folds[0].train_rows
    with processors_clock():
        search.fit(rows.iloc[first], target[first], time_budget=seconds, **asked)
    used = time.process_time() - began
    best = search.best_estimator
    start = {best: search.best_config}
    parts = []
    for fold in folds:
        again = search
        if fold is not folds[0]:
            again = AutoML()
            again.fit(
                rows.iloc[fold.train_rows], target[fold.train_rows], time_budget=-1, max_iter=1,
                estimator_list=[best], starting_points=start, **asked,
            )  # fmt: skip
        parts.append(_told(again, rows.iloc[fold.test_rows], world))
    outputs = task.outputs(np.concatenate(parts), None, training.classes)
    return world.champions.assign(**outputs), used, f"{best} {search.best_config}"


def _told(model: Any, rows: pd.DataFrame, world: World) -> NDArray[np.float64]:
    if load_task(world.declared.problem.task).estimator == "regressor":
        return np.asarray(model.predict(rows), dtype=np.float64)
    said = np.asarray(model.predict_proba(rows), dtype=np.float64)
    if not world.training.classes:
        return said[:, 1]
    spread = np.zeros((len(said), len(world.training.classes)))
    spread[:, np.asarray(model.classes_, dtype=int)] = said
    return spread


def main() -> None:
    """Each problem: search, fit, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("problems", nargs="*", choices=[*EXAMPLES, []], metavar="PROBLEM")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--split", default="auto", help="FLAML's split_type: auto or time")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in asked.problems or EXAMPLES:
        project = ROOT / "build/examples" / EXAMPLES[name]
        if not (project / CHAMPION).is_file():
            subprocess.run(
                [sys.executable, ROOT / "tools/run_example.py", project.name], check=True
            )
        told(World(project, name), asked.minutes, asked.split)


def told(world: World, minutes: float, split: str) -> None:
    """Search by both, print the differences and the claims."""
    chosen, used, what = searched(world, minutes)
    theirs, spent, best = peer(world, max(60 * minutes, used), split)
    print(
        f"{world.problem}: {len(theirs):,} rows tested; furrow {used:.0f} CPU s, FLAML {spent:.0f}"
    )
    print(f"  furrow chose {what}\n  FLAML chose {best}")
    kinds = {f"champion {world.champion.experiment}": world.champions, "try --auto": chosen}
    for kind, ours in kinds.items():
        one = world.difference(theirs, ours)
        assert None not in (one.low, one.high), one
        difference = one.after - one.before
        print(f"  {kind} minus FLAML: {difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})")
        reach = one.before / (one.before + difference - one.low)  # held where the low end is <= 0
        claim = f"{world.problem}: {kind}, not surely worse"
        found(Figure(claim, one.metric, one.after, one.before, "FLAML", reach))


if __name__ == "__main__":
    main()
