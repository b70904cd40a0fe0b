"""The same runs of one repository, listed by Furrow, DVC, MLflow and plain Git. Whole commands.

    python -m benchmarks.runs_peers /tmp/peers [--commits 400] [--mlflow PYTHON]

Furrow is timed without an index (cold) and with one (warm). DVC and MLflow are held against the
warm one.

MLflow is no dependency of Furrow: its Python is this one if it has it (`make bench`), or
the one given. Bytecode of all is
compiled first. `git cat-file --batch` gets the ids of the blobs that Furrow reads, and does nothing
with them.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks import runs_repo
from benchmarks.figures import Cost, Figure, command_cost, found

MLFLOW = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
started = time.perf_counter()
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
if len(sys.argv) > 2:
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient
    client = MlflowClient()
    experiment = client.create_experiment("runs")
    for line in open(sys.argv[2]):
        found = json.loads(line)
        run = client.create_run(experiment)
        metrics = [Metric(key, value, 0, 0) for key, value in found["metrics"].items()]
        client.log_batch(run.info.run_id, metrics, [Param(k, str(v)[:500]) for k, v in found["params"].items()])
else:
    query = time.perf_counter()
    frame = mlflow.search_runs(experiment_names=["runs"], max_results=50_000)
    print(len(frame), round(time.perf_counter() - query, 3))
"""

FURROW = """
import time
from importlib.util import find_spec
from pathlib import Path
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
times = []
for _ in range(20):
    started = time.perf_counter()
    list_runs(Path.cwd(), Selection(everything=True), Query(limit=50))
    times.append(time.perf_counter() - started)
print(min(times))
"""


def timed(
    *command: str, cwd: Path, repeat: int, stdin: bytes | None = None, before: object = None
) -> float:
    """The median of some whole commands, in seconds."""
    times = []
    for _ in range(repeat):
        if callable(before):
            before()
        started = time.perf_counter()
        subprocess.run(
            command,
            cwd=cwd,
            check=True,
            input=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def beside(number: int) -> dict[str, str]:
    """What a commit of this project holds beside its runs: its stages once, and a dvc.lock with hashes of its own."""
    lock = re.sub(
        r"md5: ([0-9a-f]{32})",
        lambda found: f"md5: {runs_repo.digest(number, found[1])[:32]}",
        read("dvc.lock"),
    )
    if number:
        return {"dvc.lock": lock}
    stages = ("dvc.yaml", "conf/experiments.yaml", "features/manifest.json", "runs/pipeline.json")
    return {
        "dvc.lock": lock,
        ".dvc/config": "",
        ".dvc/.gitignore": "/tmp\n/cache\n",
        **{n: read(n) for n in stages},
    }


def read(path: str) -> str:
    """A file of this repository."""
    return (Path(__file__).parent.parent / path).read_text(encoding="utf-8")


def make(folder: Path, commits: int) -> Path:
    """Commits that re-run seven experiments, with the stages and locks of this project."""
    repo = folder / "repo"
    if not repo.exists():
        bare = folder / "runs.git"
        runs_repo.make(bare, commits=commits, trials=0, beside=beside)
        subprocess.run(["git", "clone", "-q", str(bare), str(repo)], check=True)
    return repo


def agree(repo: Path, shown: bytes) -> int:
    """How many runs DVC shows, each with the metrics that Furrow lists for it.

    Raises:
        SystemExit: They differ.
    """
    listed = subprocess.run(
        [runs_repo.FURROW, "runs", "--all", "--json", "--columns", "*"],
        cwd=repo, check=True, capture_output=True,
    ).stdout  # fmt: skip
    ours = {}
    for run in json.loads(listed)["runs"]:
        ours[run["commit"], run["experiment"]] = {
            name: run[name] for name in (*runs_repo.METRICS, "rows")
        }
    theirs = {}
    for row in json.loads(shown):
        for path, value in (
            ((row.get("data", row) or {}).get("metrics") or {}).items()
            if row["rev"] != "workspace"
            else ()
        ):
            if "data" in value:  # DVC lists each declared experiment, those without a run here, too
                theirs[row["rev"], path.split("/")[1]] = value["data"]
    if ours != theirs:
        raise SystemExit(f"they differ: {len(ours)} runs here, {len(theirs)} there")
    return len(ours)


def blobs(repo: Path) -> bytes:
    """Ids of the metrics, configs and records of every revision."""
    listed = subprocess.run(
        ["git", "rev-list", "--all", "--objects", "--", "runs"],
        cwd=repo,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = ("metrics.json", "config.yaml", "record.json")
    return "".join(f"{line.split()[0]}\n" for line in listed if line.endswith(wanted)).encode()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commits", type=int, default=400)
    parser.add_argument("--mlflow", type=Path, help="Python of an environment with MLflow.")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    compileall.compile_dir(str(Path(__file__).parent.parent / "furrow"), quiet=2)
    repo = make(arguments.folder, arguments.commits)
    repeat = arguments.repeat
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    listing = (runs_repo.FURROW, "runs", "--all", "--limit", "50")
    cold = timed(
        *listing,
        cwd=repo,
        repeat=3,
        before=lambda: shutil.rmtree(repo / ".git/furrow", ignore_errors=True),
    )
    warm = timed(*listing, cwd=repo, repeat=repeat * 2)
    print(f"furrow runs --all: {cold:.3f} s cold, {warm:.3f} s warm")
    inside = float(
        subprocess.run(
            [sys.executable, "-c", FURROW], cwd=repo, check=True, capture_output=True
        ).stdout
    )
    print(f"the same inside a process: {inside:.4f} s")
    python = timed(sys.executable, "-c", "pass", cwd=repo, repeat=repeat * 2)
    print(f"python -c pass: {python:.3f} s")
    cat = timed("git", "cat-file", "--batch", cwd=repo, repeat=repeat, stdin=blobs(repo))
    print(
        f"git cat-file --batch: {cat:.3f} s; {cat / warm:.1f} x warm, {cat / inside:.1f} x inside a process"
    )
    show = (runs_repo.DVC, "exp", "show", "-A", "--json")
    dvc_cold = timed(
        *show,
        cwd=repo,
        repeat=1,
        before=lambda: shutil.rmtree(repo / ".dvc/tmp", ignore_errors=True),
    )
    dvc_warm = timed(*show, cwd=repo, repeat=3)
    print(
        f"dvc exp show -A --json: {dvc_cold:.2f} s cold ({dvc_cold / cold:.0f} x), {dvc_warm:.2f} s warm",
        end="",
    )
    print(f" ({dvc_warm / warm:.0f} x)")
    shown = subprocess.run(show, cwd=repo, check=True, capture_output=True).stdout
    print(f"both show the same metrics of {agree(repo, shown):,} runs")
    ours, theirs = command_cost(listing, repo, repeat=repeat), command_cost(show, repo, repeat=1)
    tell("a list of all runs, whole command", ours, theirs, "dvc exp show -A", 30)
    mlflow = arguments.mlflow or (Path(sys.executable) if find_spec("mlflow") else None)
    if mlflow:
        tell(
            "a list of all runs, whole command",
            ours,
            peer(mlflow, arguments.folder, repo, warm),
            "mlflow.search_runs",
            8,
        )


def tell(claim: str, ours: Cost, theirs: Cost, peer: str, reach: float) -> None:
    """Keep a figure for the table."""
    found(Figure(claim, "CPU s", ours.cpu, theirs.cpu, peer, reach, (ours.wall, theirs.wall)))


def peer(python: Path, folder: Path, repo: Path, warm: float) -> Cost:
    """MLflow on the same runs, in its own SQLite store."""
    store = f"sqlite:///{folder}/mlflow.db"
    if not (folder / "mlflow.db").exists():
        listed = subprocess.run(
            [runs_repo.FURROW, "runs", "--all", "--json", "--columns", "*"],
            cwd=repo, check=True, capture_output=True,
        ).stdout  # fmt: skip
        value = json.loads(listed)
        places = {column["name"]: column["from"] for column in value["columns"]}
        with (folder / "runs.jsonl").open("w") as handle:
            for run in value["runs"]:
                metrics = {k: v for k, v in run.items() if places[k] == "metric" and v is not None}
                params = {k: v for k, v in run.items() if places[k] == "config" and v is not None}
                handle.write(json.dumps({"metrics": metrics, "params": params}) + "\n")
        subprocess.run([python, "-c", MLFLOW, store, folder / "runs.jsonl"], cwd=folder, check=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([python, "-c", MLFLOW, store], cwd=folder, check=True, env=environment)
    whole = timed(str(python), "-c", MLFLOW, store, cwd=folder, repeat=3)
    print(f"mlflow.search_runs: {whole:.2f} s ({whole / warm:.0f} x)")
    return command_cost((str(python), "-c", MLFLOW, store), folder, repeat=2)


if __name__ == "__main__":
    main()
