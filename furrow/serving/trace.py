"""Tracing a prediction.

The commit, data, config, run and rows that it was made of, and its score made again.
"""

from __future__ import annotations

import math
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.manifest import ManifestError, parse
from furrow.files import sha256_bytes, sha256_file
from furrow.ground.git import show
from furrow.ground.trust import require_trust
from furrow.history.bring_output import bring_output
from furrow.history.raw_data import is_raw, raw_outputs
from furrow.history.signed_tags import vouching_tag
from furrow.layout import (
    BUNDLE_JSON,
    DVC_LOCK,
    MANIFEST,
    METRICS_JSON,
    RECORD_JSON,
    RUN_CONFIG,
    model,
    run_file,
)
from furrow.models.open_bundle import open_bundle
from furrow.models.registry import MODEL, name_of
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.replay.note_verify import verify
from furrow.serving.deployment_state import state_folders
from furrow.serving.log_reader import find_record
from furrow.serving.trace_rows import SourceRow, source_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["Trace", "TraceError", "find_logged", "trace"]


class TraceError(FurrowError):
    """A prediction that can't be traced."""


@dataclass(frozen=True)
class Trace:
    """All that a prediction was made of.

    Attributes:
        record: As it was logged.
        run: The training run's name.
        config: The path of its resolved config in the commit, and the sha256 of the text; empty
            where the commit has none.
        data: What the commit says of its data: the hash by DVC-tracked path.
        metrics: The run's.
        replays: Of the commit: each verdict that a note gives, and whether the note holds.
        rows: The source rows of its features.
        again: The prediction made again; None where that couldn't be.
        equal: Whether it is the logged one, bit for bit.
        missing: What could not be told, and why.
    """

    record: PredictionRecord
    run: str
    config: tuple[str, str] = ("", "")
    data: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    replays: list[dict[str, Any]] = field(default_factory=list)
    rows: list[SourceRow] = field(default_factory=list)
    again: dict[str, float | None] | None = None
    equal: bool | None = None
    missing: list[str] = field(default_factory=list)


def find_logged(root: Path, identity: str, log: Path | None = None) -> PredictionRecord:
    """A logged prediction.

    Args:
        root: The project: the logs of its servers are looked through.
        identity: The prediction's id.
        log: The log's folder, where it lies elsewhere.

    Raises:
        TraceError: It is in none of them, or no id.
    """
    folders = [log] if log else [one / "log" for one in state_folders(root)]
    for folder in folders:
        try:
            found = find_record(folder, identity)
        except ValueError as exc:
            raise TraceError(
                f"{identity!r} is not a prediction's id", hint="it is a UUIDv7"
            ) from exc
        if found is not None:
            return found
    looked = ", ".join(map(str, folders)) or "no log is here"
    raise TraceError(
        f"the prediction {identity} is not logged ({looked})",
        hint=(
            "name the log: furrow trace ID --log FOLDER; it may have been sampled out, or be"
            " too old"
        ),
    )


def trace(root: Path, record: PredictionRecord) -> Trace:
    """Find out what a prediction was made of, and make it again.

    Args:
        root: Any clone of its project.
        record: As it was logged.

    Returns:
        What could be found; what could not is in `missing`, never passed over.
    """
    run, missing = name_of(record.version), []
    facts: dict[str, Any] = {}
    if record.commit:
        for part in (_config, _data, _metrics, _replays):
            try:
                facts |= part(root, record.commit, run)
            except (FurrowError, ParseError) as exc:
                missing.append(str(exc).splitlines()[0])
    else:
        missing.append("the model is of no registered version: there is no commit to ask")
    try:
        facts["rows"] = _rows(root, record)
    except FurrowError as exc:
        missing.append(exc.message)
    try:
        again = _again(root, record, run)
        facts |= {"again": again, "equal": _bits(again) == _bits(record.prediction)}
    except FurrowError as exc:
        missing.append(f"the score was not made again: {exc.message}")
    return Trace(record, run, missing=missing, **facts)


def _config(root: Path, commit: str, run: str) -> dict[str, Any]:
    path = run_file(run, RUN_CONFIG)
    content = show(root, commit, path)
    if content is None:
        raise TraceError(f"{commit[:10]} has no {path}")
    return {"config": (path, sha256_bytes(content))}


def _data(root: Path, commit: str, _run: str) -> dict[str, Any]:
    """What data the commit was made of.

    Its raw data, as its .dvc files name them and its stages read them; where there are none in data/,
    every folder that its stages read and no other stage wrote.
    """
    found = {path: one.md5 for path, one in raw_outputs(root, commit).items()}
    raw = bool(found)
    lock = parse_yaml(show(root, commit, DVC_LOCK) or b"", DVC_LOCK) or {}
    stages = list((lock.get("stages") or {}).values())
    made = {out.get("path") for stage in stages for out in stage.get("outs") or ()}
    for stage in stages:
        for dep in stage.get("deps") or ():
            known = dep.get("path") in made or (raw and not is_raw(str(dep.get("path"))))
            if not known and str(dep.get("md5", "")).endswith(".dir"):
                found.setdefault(str(dep["path"]), str(dep["md5"]))
    return {"data": dict(sorted(found.items()))}


def _metrics(root: Path, commit: str, run: str) -> dict[str, Any]:
    path = run_file(run, METRICS_JSON)
    value = parse_json(show(root, commit, path) or b"null", path)
    if not isinstance(value, dict):
        raise TraceError(f"{commit[:10]} has no {path}")
    return {"metrics": value}


def _replays(root: Path, commit: str, _run: str) -> dict[str, Any]:
    found = [
        {
            "verdict": one.verdict.status if one.verdict else "unreadable",
            "holds": bool(one),
            "problems": list(one.problems),
        }
        for one in verify(root, commit)
    ]
    return {"replays": found}


def _rows(root: Path, record: PredictionRecord) -> list[SourceRow]:
    """The source rows, if the tables here are of the definitions that the prediction was made with."""
    path = root / MANIFEST
    try:
        manifest = parse(path.read_bytes(), origin=str(path))
    except (OSError, ManifestError) as exc:
        raise TraceError(f"no source rows: {str(exc).splitlines()[0]}") from exc
    service = manifest.services.get(record.service)
    if service is None or service.digest != record.features_digest:
        raise TraceError(
            f"no source rows: the features here are of other definitions than {record.service}"
            f" {record.features_digest[:12]} (check out {record.commit[:10] or 'its commit'})"
        )
    return source_rows(path.parent, manifest, record)


def _again(root: Path, record: PredictionRecord, run: str) -> dict[str, float | None]:
    """The prediction for what the model saw."""
    with tempfile.TemporaryDirectory(prefix="furrow-trace-") as scratch:
        folder = next(_bundles(root, record, run), None)
        if folder is None:
            if not record.commit:
                raise TraceError(f"no bundle here has the model {record.model_sha256[:12]}…")
            folder = Path(scratch) / "bundle"
            bring_output(root, model(run), record.commit, folder)
            if sha256_file(folder / MODEL) != record.model_sha256:
                raise TraceError(
                    f"what DVC has for {record.version} is not the model that answered"
                )
        scores = _scores(root, record, run)
        if not scores and not vouching_tag(root, record.model_sha256):
            require_trust(
                root, f"the model {record.version} is a pickle, which runs code when it is opened"
            )
        bundle = open_bundle(
            folder, model_sha256=record.model_sha256, predictor_sha256=scores or None
        )
    gone = [one["name"] for one in bundle.facts["columns"] if one["name"] in record.redacted]
    if gone:
        raise TraceError(f"what the model saw was redacted: {', '.join(gone)}")
    outputs = bundle.outputs(bundle.inputs([record.features], {}))
    numbers = {name: float(values[0]) for name, values in outputs.items()}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _bundles(root: Path, record: PredictionRecord, run: str) -> Iterator[Path]:
    """Bundles of the model on this machine: what servers brought, and the work tree's own."""
    for folder in (*_brought(root), root / model(run)):
        path = folder / MODEL
        if path.is_file() and sha256_file(path) == record.model_sha256:
            yield folder


def _brought(root: Path) -> list[Path]:
    return [one for place in state_folders(root) for one in sorted(place.glob("versions/*"))]


def _scores(root: Path, record: PredictionRecord, run: str) -> str:
    """The hash of the model's portable form, from the commit.

    Of a model without one from its own bundle.
    """
    if record.commit:
        path = run_file(run, RECORD_JSON)
        value = parse_json(show(root, record.commit, path) or b"{}", path)
        return str(value.get("predictor_sha256") or "")
    for folder in _bundles(root, record, run):
        value = parse_json((folder / BUNDLE_JSON).read_bytes(), folder / BUNDLE_JSON)
        return str(value.get("predictor_sha256") or "")
    return ""


def _bits(prediction: Any) -> dict[str, bytes | None]:
    return {
        name: None if value is None else struct.pack("<d", value)
        for name, value in prediction.items()
    }
