"""How long an audit, the ML Test Score and the list of a fleet take in a large repository.

    python -m benchmarks.governance_scale [--models N] [--commits N] [--predictions N]

By default 500 models, 100,000 runs (every model in each of 200 commits), 500 versions, and a
prediction log of 10 million records. Each must take less than a minute of processor time; there is
no peer to hold them against.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, found
from furrow.governance.audit import audit
from furrow.governance.audit_page import audit_page
from furrow.governance.fleet import fleet
from furrow.governance.garbage import find_garbage
from furrow.governance.score_history import score_at
from furrow.history.frame import runs
from furrow.proof.trust_policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 60.0
NOW = datetime(2024, 6, 1, tzinfo=UTC)
BEGAN = 1_700_000_000
PEOPLE = b"A <a@example.com>"


def commands(models: int, commits: int) -> Iterator[bytes]:
    """The repository, for `git fast-import`: every model in each commit, and a version of each in the last."""
    sha256 = hashlib.sha256(b"a model").hexdigest()
    fixed = {
        "dvc.yaml": "stages: {}\n",
        "conf/ci.yaml": "branch: main\n",
        "conf/deployment/production.yaml": "model: m1@v1.0.0\n",
        "conf/owners.yaml": "default: {owner: a@example.com}\n",
        "runs/champion.json": json.dumps(
            {
                "experiment": "m1",
                "verdicts": {f"m{n}": {"passed": True, "failures": []} for n in range(models)},
            }
        ),
    }
    record = {"model_sha256": sha256, "problem": "x", "service": "full", "features_digest": "a"}
    for number in range(commits):
        files = {} if number else dict(fixed)
        for n in range(models):
            files[f"runs/m{n}/metrics.json"] = json.dumps({"roc_auc": 0.5 + (number + n) / 5000})
            if not number:
                files[f"runs/m{n}/record.json"] = json.dumps(record)
        yield b"commit refs/heads/main\ncommitter %s %d +0000\n" % (PEOPLE, BEGAN + 60 * number)
        yield b"data 4\nruns\n"
        for path, text in files.items():
            yield b"M 644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text.encode())
    said = f"Register\n\n{json.dumps({'model_sha256': sha256})}".encode()
    for n in range(models):
        yield b"tag m%d@v1.0.0\nfrom refs/heads/main\n" % n
        yield b"tagger %s %d +0000\ndata %d\n%s\n" % (PEOPLE, BEGAN + 60 * commits, len(said), said)


def write_log(folder: Path, predictions: int, commit: str) -> None:
    """A sealed prediction log of ten days."""
    rows = predictions // 10
    for day in range(1, 11):
        sealed = folder / f"sealed/2024-03-{day:02}T00/s"
        sealed.mkdir(parents=True)
        time_of = pa.array([datetime(2024, 3, day, tzinfo=UTC)] * rows, pa.timestamp("us", "UTC"))
        columns = {"version": "m1@v1.0.0", "variant": "main", "commit": commit}
        table = pa.table({"time": time_of, **{name: [one] * rows for name, one in columns.items()}})
        pq.write_table(table, sealed / "m1.parquet")


def processor() -> float:
    """Seconds of a processor of this process and its children."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def main() -> int:
    """Build it, time each; exit 1 if one takes longer than it may."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--models", type=int, default=500)
    options.add_argument("--commits", type=int, default=200)
    options.add_argument("--predictions", type=int, default=10_000_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        git = ("git", "-C", str(root))
        subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
        feed = b"".join(commands(asked.models, asked.commits))
        subprocess.run([*git, "fast-import", "--quiet"], input=feed, check=True)
        subprocess.run([*git, "checkout", "-q", "-f", "main"], check=True)
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, check=True, text=True
        )
        commit = head.stdout.strip()
        write_log(root / ".furrow/serving/production/log", asked.predictions, commit)
        shelf = root / ".dvc/cache/files/md5/aa"
        shelf.mkdir(parents=True)
        (shelf / ("0" * 30)).write_bytes(b"garbage")
        policy = read_policy(root)
        todo: dict[str, Callable[[], object]] = {
            "audit of a year": lambda: audit_page(audit(root, "2024", policy, now=NOW)),
            "audit of a version": lambda: audit_page(audit(root, "m1@v1.0.0", policy, now=NOW)),
            "audit of a deployment": lambda: audit_page(audit(root, "production", policy, now=NOW)),
            "ML Test Score": lambda: score_at(root, commit, now=NOW),
            "fleet": lambda: fleet([root], now=NOW),
            "gc": lambda: find_garbage(root, older=0),
            "runs of all history": lambda: runs(revs="all", repo=root, limit=10),
        }
        held = True
        for words, do in todo.items():
            begun, taken = time.perf_counter(), processor()
            do()
            taken, wall = processor() - taken, time.perf_counter() - begun
            claim = f"{words}, {asked.models * asked.commits:,} runs"
            held &= found(Figure(claim, "s", taken, LIMIT, "at most", 1, (wall, LIMIT))).held
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
