"""Scores of a Parquet file's rows, part by part.

Any size in bounded memory, and what a kill left is gone on with.

Features come from the point-in-time join as of each row's event_timestamp, or from the online
store. The model scores through the same predictor as a server does, whose bits don't depend on what
other rows stand beside a row. Each part is a file of its own in `.OUT.parts/` until all are there;
the result has the same bytes however often it was interrupted.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.features.given_features import given_features
from furrow.features.manifest import load as load_manifest
from furrow.files import FileError, canonical_json, read_json, sha256_file, write_bytes, write_json
from furrow.ground.bounded_parquet import open_bounded
from furrow.layout import FEATURES
from furrow.models.predict import field_types
from furrow.models.request import complete
from furrow.serving.batch_csv import TEXTS, parquet_of
from furrow.serving.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from furrow.models.predict import Model

__all__ = ["BatchError", "Job", "score_file"]

TIME = "event_timestamp"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PARTS = {True: 5_000, False: 100_000}
"""Rows of a part, online and joined: a join has a cost of its own."""


class BatchError(FurrowError):
    """Rows that can't be scored as they are."""


@dataclass(frozen=True)
class Job:
    """What is scored, and where to.

    Attributes:
        model: From `furrow.models.predict.open_model`.
        rows: Keys and request fields, and event_timestamp where features are joined; other columns
            are carried along.
        out: The result: the same rows in the same order, with the prediction's columns.
        online: Whether features come from the online store, as of now.
        part_rows: Rows of a part; the usual number, if 0.
        given: The file that a person named, where rows is a copy of it; for messages.
    """

    model: Model
    rows: Path
    out: Path
    online: bool = False
    part_rows: int = 0
    given: Path | None = None

    @property
    def size(self) -> int:
        """Rows of a part."""
        return self.part_rows or PARTS[self.online]


def score_file(job: Job, *, advance: Callable[[int], None] = lambda _: None) -> int:
    """Score every row of a file.

    Args:
        job: What is scored.
        advance: Is told of rows that are done.

    Returns:
        How many rows there are.

    Raises:
        BatchError: The file can't be read, or lacks a column that the model needs.
        UnpackedError: Some of its rows mean more than is held at a time.
        FurrowError: Features can't be read or joined.
    """
    if job.out.suffix.lower() in TEXTS:
        raise BatchError(
            f"{job.out} would not be what it is called: scores are written as Parquet",
            hint=f"--out {job.out.with_suffix('.parquet')}",
        )
    types = field_types(job.model.root, job.model.service) | _may_give(job.model)
    with parquet_of(job.rows, job.out, types, TIME) as rows:
        return _score(replace(job, rows=rows, given=job.rows), advance)


def _score(job: Job, advance: Callable[[int], None]) -> int:
    with ExitStack() as opened:
        try:
            file = opened.enter_context(open_bounded(job.rows))
        except (OSError, pa.ArrowException) as exc:
            raise BatchError(
                f"{job.given or job.rows} can't be read: {exc}", hint="give Parquet, CSV or TSV"
            ) from exc
        ahead = _checked(job, file.schema)
        folder = _parts_folder(job)
        score = _Online(job) if job.online else _Joined(job)
        paths, done = [], 0
        try:
            for number, rows in enumerate(file.parts(job.size)):
                path = folder / f"{number:06}.parquet"
                if not path.exists():
                    write_bytes(path, _parquet(score.part(_with_ahead(rows, ahead), rows)))
                paths.append(path)
                done += rows.num_rows
                advance(rows.num_rows)
        finally:
            score.close()
        _put_together(job, paths, file.schema)
    shutil.rmtree(folder)
    return done


class _Joined:
    """Scores with features joined as of each row's event_timestamp."""

    def __init__(self, job: Job) -> None:
        self._model = job.model

    def part(self, rows: pa.Table, carried: pa.Table) -> pa.Table:
        """Some rows with their scores."""
        # only the past needs Feast
        from furrow.ground.feast.retrieve import historical_features  # noqa: PLC0415

        bundle = self._model.bundle
        may_give = _may_give(self._model)
        bare = rows.select([name for name in rows.column_names if name not in may_give])
        joined = historical_features(self._model.root / FEATURES, self._model.service, bare)
        inputs = {
            column["name"]: _values(joined.column(column["name"]), column["dtype"])
            for column in bundle.facts["columns"]
        }
        for column in bundle.facts["columns"]:
            if (name := column["name"]) in may_give and name in rows.column_names:
                inputs[name] = _values(rows.column(name), column["dtype"])
        return _with_outputs(carried, bundle.outputs(inputs))

    def close(self) -> None:
        """Nothing is open."""


class _Online:
    """Scores with what the online store holds, through the scorer that servers have."""

    def __init__(self, job: Job) -> None:
        bundle = job.model.bundle
        digest = {str(bundle.facts["service"]): str(bundle.facts["features_digest"])}
        self._scorer = Scorer(bundle, FeatureClient.open(job.model.root / FEATURES, expect=digest))

    def part(self, rows: pa.Table, carried: pa.Table) -> pa.Table:
        """Some rows with their scores."""
        known = [name for name in rows.column_names if name in self._scorer.fields.fields]
        return _with_outputs(carried, self._scorer.outputs(rows.select(known).to_pylist()))

    def close(self) -> None:
        """Let go of the store."""
        self._scorer.close()


def _checked(job: Job, schema: pa.Schema) -> dict[str, Any]:
    """Hold a file's columns against what the model needs.

    The fields that hang on the moment, as spans.

    Raises:
        BatchError: A column is missing, or event_timestamp is no time.
    """
    filled = complete(job.model.root, {}, _EPOCH, ())
    ahead = {name: moment - _EPOCH for name, moment in filled.items() if name not in schema.names}
    missing = [one for one in job.model.needs() if one not in schema.names and one not in ahead]
    if not job.online and TIME not in schema.names:
        missing.append(TIME)
    if missing:
        hint = f"the model needs {', '.join(job.model.needs())}"
        if TIME in missing:
            hint = "each row's prediction time; or read the online store as of now: --online"
        raise BatchError(f"{job.given or job.rows} has no column {', '.join(missing)}", hint=hint)
    if TIME in schema.names and not pa.types.is_timestamp(schema.field(TIME).type):
        kind = schema.field(TIME).type
        raise BatchError(
            f"{job.given or job.rows}: {TIME} is {kind}, no time", hint="write it as a timestamp"
        )
    return ahead


def _with_ahead(rows: pa.Table, ahead: dict[str, Any]) -> pa.Table:
    """Rows with the fields that hang on the moment."""
    moment = pa.timestamp("us", "UTC")
    for name, span in ahead.items():
        if TIME in rows.column_names:
            column = rows.column(TIME)
            zoned = column.cast(pa.timestamp("us", column.type.tz))
            start = zoned if column.type.tz else pc.assume_timezone(zoned, "UTC")
            value = pc.add(start.cast(moment), pa.scalar(span, pa.duration("us")))
        else:
            value = pa.array([datetime.now(UTC) + span] * rows.num_rows, moment)
        rows = rows.append_column(name, value)
    return rows


def _parts_folder(job: Job) -> Path:
    """The folder of parts; emptied if it holds those of another job."""
    folder = job.out.parent / f".{job.out.name}.parts"
    facts = job.model.bundle.facts
    mine = {
        "rows": sha256_file(job.rows),
        "model": facts["model_sha256"],
        "features": facts["features_digest"],
        "online": job.online,
        "size": job.size,
    }
    try:
        same = canonical_json(read_json(folder / "job.json")) == canonical_json(mine)
    except FileError:
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / "job.json", mine)
    return folder


def _may_give(model: Model) -> dict[str, str]:
    """The features that rows may give, and their types."""
    return given_features(load_manifest(model.root / FEATURES), model.service)


def _values(column: pa.ChunkedArray, dtype: str) -> Any:
    """A joined column as the model takes it: numbers with NaN for null, or text."""
    if dtype in ("object", "string", "str"):
        return column.to_pylist()
    return pc.cast(column, pa.float64(), safe=False).fill_null(np.nan).to_numpy()


def _with_outputs(rows: pa.Table, outputs: dict[str, Any]) -> pa.Table:
    for name, values in outputs.items():
        numbers = np.asarray(values, dtype=np.float64)
        rows = rows.append_column(name, pa.array(numbers, mask=~np.isfinite(numbers)))
    return rows


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _put_together(job: Job, paths: list[Path], schema: pa.Schema) -> None:
    """The parts as one file, which is there whole or not at all."""
    whole = pq.read_schema(paths[0]) if paths else schema
    about = {
        "furrow.model": str(job.model.bundle.facts["model_sha256"]),
        "furrow.run": job.model.name,
    }
    whole = whole.with_metadata({**(whole.metadata or {}), **about})
    half = job.out.with_name(f".{job.out.name}.half")
    with pq.ParquetWriter(half, whole, compression="zstd") as writer:
        for path in paths:
            writer.write_table(pq.read_table(path).cast(whole))
    half.replace(job.out)
