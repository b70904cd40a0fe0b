"""Scores of a folder of Parquet files.

Each by the function that scores one, on the workers of an engine.

What is larger than a machine wants to wait for lies in many files; a worker of this machine, of a
Dask cluster or of Spark opens the model and scores a whole one. On a cluster the workers see the
same folders and have Furrow. Results that are there and whole are kept: a kill loses at most the
files it hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import joblib
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.ground.hydra import ConfigError, compose, structured
from furrow.layout import ENGINES
from furrow.models.predict import open_model
from furrow.serving.batch_scores import BatchError, Job, score_file
from furrow.serving.batch_spark import BACKEND, on_spark
from furrow.training.config import Engine
from furrow.training.search import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["FolderJob", "engine_named", "score_folder"]


_PLAIN = {"local": Engine(), BACKEND: Engine(BACKEND, threads=1)}


@dataclass(frozen=True)
class FolderJob:
    """What is scored, and where to.

    Attributes:
        root: The project.
        experiment: The run whose model scores.
        rows: A folder of Parquet files, each as `batch_scores.Job` takes it.
        out: The folder of results: a file for each, of the same name.
        online: Whether features come from the online store, as of now.
        sha256: The model's hash, known from outside the repository; empty for none.
    """

    root: Path
    experiment: str
    rows: Path
    out: Path
    online: bool = False
    sha256: str = ""


def engine_named(root: Path, name: str) -> Engine:
    """An option of conf/engine; `local` and `spark` need no file.

    Raises:
        ConfigError: There is none of that name, or it says what can't be meant.
    """
    folder = root / ENGINES
    declared = {path.stem for path in folder.glob("*.yaml")}
    if name not in declared:
        if name in _PLAIN:
            return _PLAIN[name]
        known = ", ".join(sorted({*declared, *_PLAIN}))
        raise ConfigError(f"there is no engine {name!r}", hint=f"there are: {known} ({ENGINES})")
    # the option alone: what else a run's config asks for says nothing of where work is done
    chosen = compose(folder, name, [])
    found: Engine = structured(Engine, chosen.get("engine", chosen), where=ENGINES, conf=folder)
    return found


def score_folder(
    job: FolderJob, on: Engine, *, advance: Callable[[int], None] = lambda _: None
) -> int:
    """Score every file of a folder.

    Args:
        job: What is scored.
        on: Where.
        advance: Is told of each file that is done, with its rows.

    Returns:
        How many rows there are.

    Raises:
        BatchError: There is no Parquet file, or one can't be scored.
        SearchError: The engine can't be reached.
    """
    files = sorted(job.rows.glob("*.parquet"))
    if not files:
        raise BatchError(f"{job.rows} has no Parquet file", hint="give a folder of *.parquet")
    job.out.mkdir(parents=True, exist_ok=True)
    model = open_model(job.root, job.experiment, sha256=job.sha256)
    digest = str(model.bundle.facts["model_sha256"])
    left = [one for one in files if job.online or not _is_done(job.out / one.name, one, digest)]
    total = sum(int(pq.read_metadata(one).num_rows) for one in files if one not in left)
    advance(total)
    for count in _counts(job, [one.name for one in left], on):
        total += count
        advance(count)
    return total


def _counts(job: FolderJob, names: list[str], on: Engine) -> Iterator[int]:
    """Score files where the engine says; the rows of each, as it is done."""
    if on.backend == BACKEND:
        yield from on_spark(partial(_score, job), names, on)
        return
    with engine(on):
        parallel = joblib.Parallel(return_as="generator_unordered")
        yield from parallel(joblib.delayed(_score)(job, name) for name in names)


def _score(job: FolderJob, name: str) -> int:
    """One file, by whoever works."""
    model = open_model(job.root, job.experiment, sha256=job.sha256)
    return score_file(Job(model, job.rows / name, job.out / name, job.online))


def _is_done(out: Path, rows: Path, digest: str) -> bool:
    """Whether a result is of this model, newer than its rows, and as long."""
    if not out.is_file() or out.stat().st_mtime < rows.stat().st_mtime:
        return False
    try:
        made = pq.read_metadata(out)
        about = made.metadata or {}
        same = about.get(b"furrow.model", b"") == digest.encode()
        return bool(same and made.num_rows == pq.read_metadata(rows).num_rows)
    except (OSError, pa.ArrowException):
        return False
