"""How fast 100,000 runs are indexed, listed, filtered, sorted, and kept up with. Whole commands.

    python -m benchmarks.runs_index /tmp/runs-bench

Makes (once) a bare clone with 10,000 commits that re-run seven experiments each and 30,000 trials
under refs/exps/: 100,000 different runs. Then measures, each as a process from start to end:

- the first index: `furrow runs --all --limit 50` with none there; 10,000 runs a second are the
  goal;
- the newest 50, filters and sorts, with the index there; 0.3 s are the goal;
- the same after 2,000 new trials came in; 0.5 s are the goal.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks import runs_repo
from benchmarks.figures import Figure, command_cost, found

QUESTIONS = {
    "newest 50": [],
    "filter": ["--where", "roc_auc > 0.75 and model = 'gbm'"],
    "filter config, sort metric": [
        "--where",
        "model.learning_rate < 0.1 and roc_auc > 0.7",
        "--sort=-roc_auc",
    ],
    "filter record and date": ["--where", "rows.train > 1000 and date > '2021'", "--sort=-pr_auc"],
    "filter text": ["--where", "subject like '%77%' and features.service = 'full'"],
    "sort by metric": ["--sort=-roc_auc"],
    "sort by config": ["--sort=model.max_iter,name"],
    "sort by author, metric": ["--sort=author,-log_loss"],
}


def whole_command(repo: Path, *arguments: str) -> float:
    """Seconds of `furrow runs --all --limit 50 ...` as a process, from start to end."""
    command = [runs_repo.FURROW, "runs", "--all", "--limit", "50", *arguments]
    started = time.perf_counter()
    subprocess.run(
        command, cwd=repo, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=30_000)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    compileall.compile_dir(str(Path(__file__).parent.parent / "furrow"), quiet=2)
    bare = arguments.folder / f"runs-{arguments.commits}-{arguments.trials}.git"
    if not bare.exists():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        runs_repo.make(bare, commits=arguments.commits, trials=arguments.trials)
    repo = arguments.folder / "work.git"
    shutil.rmtree(repo, ignore_errors=True)
    shutil.copytree(bare, repo, ignore=shutil.ignore_patterns("furrow"))
    runs = arguments.commits * len(runs_repo.EXPERIMENTS) + arguments.trials
    print(f"{runs:,} runs; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")

    first = []
    for _ in range(2):
        shutil.rmtree(repo / "furrow", ignore_errors=True)
        first.append(whole_command(repo))
    print(f"first index: {min(first):.1f} s, {runs / min(first):,.0f} runs/s (goal 10,000)")
    print(f"index: {(repo / 'furrow/runs.sqlite').stat().st_size / 1e6:.0f} MB")
    for name, question in QUESTIONS.items():
        times = [whole_command(repo, *question) for _ in range(arguments.repeat)]
        print(f"{name}: {statistics.median(times):.3f} s, best {min(times):.3f} s (goal 0.3)")
    runs_repo.add_trials(repo, 2_000, start=arguments.trials)
    print(f"2,000 new trials: {whole_command(repo):.3f} s (goal 0.5)")
    started = arguments.commits
    runs_repo.add_commits(repo, 286, start=started)
    print(f"2,002 new runs on main: {whole_command(repo):.3f} s (goal 0.5)")
    times = [whole_command(repo) for _ in range(arguments.repeat)]
    print(f"newest 50 again: {statistics.median(times):.3f} s (goal 0.3)")
    own = command_cost((runs_repo.FURROW, "runs"), repo, repeat=arguments.repeat)
    found(
        Figure(
            f"furrow runs on {runs:,} runs",
            "CPU s",
            own.cpu,
            0.15,
            "the limit",
            1.0,
            (own.wall, 0.15),
        )
    )


if __name__ == "__main__":
    main()
