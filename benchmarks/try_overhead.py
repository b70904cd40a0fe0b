"""What a trial costs beyond its training: `furrow try` beside `dvc exp run` and its queue, in one run.

    python -m benchmarks.try_overhead [--trials N] [--experiments N] [--no-peer]

Furrow: a grid on a small training set, one worker; the wall time of the sweep less what the trials
themselves report (fitting, predicting, evaluating), over the number of trials; and the processor
time of the parent, which composes, checks and records them. DVC: `dvc exp run -S` of a stage that
does nothing (`true`), and the same queued and run by `dvc exp run --run-all`: what is left is
overhead. Start-up of the commands is given apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, found
from furrow.ground.experiments import list_experiments
from furrow.training.dataset import seal
from furrow.trials.prepare import Request, prepare

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # the queue is known to hang at times (iterative/dvc#10398)


def training_set(rows: int = 3000) -> pa.Table:
    """Six months of made-up rows with three features."""
    draw = np.random.default_rng(7)
    start = pd.Timestamp("2013-01-01T06:00Z")
    when = start + pd.to_timedelta(np.sort(draw.integers(0, 180 * 86_400, rows)), unit="s")
    a, b, c = draw.normal(size=(3, rows))
    frame = pd.DataFrame(
        {
            "carrier": draw.choice(["UA", "B6"], rows), "flight": np.arange(rows, dtype="int32"),
            "origin": draw.choice(["JFK", "LGA"], rows), "dest": draw.choice(["BOS", "LAX"], rows),
            "tailnum": "N1", "scheduled_departure": when.as_unit("us"), "event_timestamp": when.as_unit("us"),
            "time_of_day": "day", "distance": np.int32(100),
            "late": (draw.random(rows) < 1 / (1 + np.exp(1 - a + b * b))).astype("int8"), "a": a, "b": b, "c": c,
        }
    )  # fmt: skip
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return seal(table, problem="late", service="full", digest="0" * 64, features=["a", "b", "c"])


def run(folder: Path, *command: str, seconds: float | None = None) -> float:
    """Run a command and return its seconds."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=seconds)
    return time.perf_counter() - begun


def project(folder: Path) -> Path:
    """A repository with this one's conf/ and code, and a training set."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("conf", "furrow", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("requirements.lock", "dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "features/spines", folder / "features/spines")
    (folder / "build/training/late").mkdir(parents=True)
    pq.write_table(training_set(), folder / "build/training/late/full.parquet")
    (folder / ".gitignore").write_text("/build/\n/.furrow/\n")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Make a folder a repository with one commit."""
    for command in (("init", "-q"), ("config", "user.name", "b"), ("config", "user.email", "b@example.com"),
                    ("add", "-A"), ("commit", "-qm", "first")):  # fmt: skip
        run(folder, "git", *command)


def furrow(folder: Path, trials: int) -> float:
    """Time a grid of trials; milliseconds a trial beyond its training."""
    begun = time.perf_counter()
    words = (
        f"seed=range(0,{trials})",
        "model.max_iter=2",
        "evaluation.replicates=2",
        "engine.threads=1",
    )
    sweep = prepare(Request(folder, "gbm", words, {"full": "0" * 64}, jobs=1), clock=time.time)
    ready = time.perf_counter()
    processor = time.process_time()
    finished = list(sweep.run())
    ended = time.perf_counter()
    own = time.process_time() - processor
    assert len(list_experiments(folder)) == trials
    work = sum(one.seconds for one in finished)
    print(f"furrow try, to prepare                      {ready - begun:8.3f} s once")
    print(
        f"furrow try, beyond training                 {(ended - ready - work) / trials * 1000:8.1f} ms a trial"
    )
    print(f"furrow try, processor time of the parent    {own / trials * 1000:8.1f} ms a trial")
    print(f"  (a trial's own work was {work / trials * 1000:.0f} ms)")
    return max(ended - ready - work, own) / trials * 1000


def dvc(folder: Path, experiments: int, *, queue: bool) -> float:
    """Time `dvc exp run` and its queue on a stage that does nothing; milliseconds of the former, start-up taken off."""
    program = str(Path(sys.executable).parent / "dvc")
    (folder / "params.yaml").write_text("x: 0\n")
    (folder / "dvc.yaml").write_text("stages:\n  nothing:\n    cmd: 'true'\n    params: [x]\n")
    run(folder, "git", "init", "-q")
    run(folder, program, "init", "-q")
    commit(folder)
    start = min(run(folder, program, "version") for _ in range(2))
    direct = [
        run(folder, program, "exp", "run", "-S", f"x={number + 1}") for number in range(experiments)
    ]
    print(f"dvc version (start-up alone)                {start * 1000:8.1f} ms")
    print(f"dvc exp run                                 {np.median(direct) * 1000:8.1f} ms a trial")
    each = (float(np.median(direct)) - start) * 1000
    if not queue:
        return each
    queued = time.perf_counter()
    for number in range(experiments):
        run(folder, program, "exp", "run", "--queue", "-S", f"x={number + 100}")
    try:
        run(folder, program, "exp", "run", "--run-all", "--jobs", "1", seconds=PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"dvc exp run --queue, --run-all              hung: given up after {PATIENCE:.0f} s")
        return each
    queued = time.perf_counter() - queued
    print(
        f"dvc exp run --queue, --run-all              {queued / experiments * 1000:8.1f} ms a trial"
    )
    return each


def main() -> None:
    """Run both and print what they took."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--trials", type=int, default=40)
    options.add_argument("--experiments", type=int, default=4)
    options.add_argument("--no-peer", action="store_true")
    options.add_argument(
        "--no-queue", action="store_true", help="leave DVC's queue out, which is known to hang"
    )
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("furrow", "dvc"):
            (Path(scratch) / name).mkdir()
        ours = furrow(project(Path(scratch) / "furrow"), chosen.trials)
        if not chosen.no_peer:
            peers = dvc(Path(scratch) / "dvc", chosen.experiments, queue=not chosen.no_queue)
            found(
                Figure("a trial beyond its training", "wall ms", ours, peers, "dvc exp run", 20.0)
            )
    print(f"load of this machine over the last minute   {os.getloadavg()[0]:8.1f}")


if __name__ == "__main__":
    main()
