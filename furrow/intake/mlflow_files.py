"""MLflow's store of files.

Mlruns/EXPERIMENT/RUN/{meta.yaml,params,metrics,tags}, and mlruns/models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.intake.mlflow_store import MlflowError, MlflowRun, MlflowStore, MlflowVersion
from furrow.parse import ParseError, read_bytes, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.intake.mlflow_store import Point

__all__ = ["read_files"]

_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MODELS = "models"
LONGEST = {"params": 1 << 20, "tags": 1 << 20, "aliases": 1 << 20, "metrics": 1 << 26}
"""Bytes of one file at the most, by its folder: MLflow cuts a parameter at 6,000 letters."""


def read_files(root: Path) -> MlflowStore:
    """Read a store of files.

    Args:
        root: The folder mlruns.

    Raises:
        MlflowError: It is none.
    """
    if not any(root.glob("*/meta.yaml")):
        raise MlflowError(f"{root} holds no MLflow experiment", hint="give the folder mlruns")
    notes: list[str] = []
    return MlflowStore(_runs(root, notes), _versions(root / _MODELS, notes), notes)


def _runs(root: Path, notes: list[str]) -> Iterator[MlflowRun]:
    for folder, name in _experiments(root, notes):
        deleted = 0
        for place in sorted(folder.iterdir()):
            if _leads_out(place, notes):
                continue
            if not (place / "meta.yaml").is_file() or place.name in {"models", "traces"}:
                if place.is_dir() and (place / "params").is_dir():
                    notes.append(f"run {place.name} of {name} has no meta.yaml: left out")
                continue
            meta = _meta(place, notes)
            if meta is not None and meta.get("lifecycle_stage") == "deleted":
                deleted += 1
            elif meta is not None:
                run = _run(place, meta, name, notes)
                if run is not None:
                    yield run
        if deleted:
            notes.append(f"{deleted} deleted runs of {name}: left out")


def _experiments(root: Path, notes: list[str]) -> Iterator[tuple[Path, str]]:
    """Folder and name of each experiment that isn't deleted."""
    for folder in sorted(root.iterdir()):
        if not (folder / "meta.yaml").is_file() or folder.name == _MODELS:
            continue
        about = None if _leads_out(folder, notes) else _meta(folder, notes)
        if about is None:
            continue
        name = str(about.get("name") or folder.name)
        if about.get("lifecycle_stage") == "deleted":
            notes.append(f"experiment {name} is deleted: left out")
            continue
        yield folder, name


def _meta(folder: Path, notes: list[str]) -> dict[str, Any] | None:
    if _leads_out(folder / "meta.yaml", notes):
        return None
    try:
        value = read_yaml(folder / "meta.yaml")
    except (OSError, ParseError) as exc:
        notes.append(f"{folder.name}/meta.yaml can't be read: {' '.join(str(exc).split())[:120]}")
        return None
    if not isinstance(value, dict):
        notes.append(f"{folder.name}/meta.yaml holds no mapping: left out")
        return None
    return value


def _run(place: Path, meta: dict[str, Any], experiment: str, notes: list[str]) -> MlflowRun | None:
    status = meta.get("status")
    tags = _texts(place / "tags", notes)
    name = str(meta.get("run_name") or tags.get("mlflow.runName") or place.name)
    try:
        return MlflowRun(
            str(meta.get("run_id") or meta.get("run_uuid") or place.name),
            name,
            experiment,
            _STATUS.get(status, str(status)) if isinstance(status, int) else str(status or ""),
            str(meta.get("user_id") or ""),
            int(meta.get("start_time") or 0),
            int(meta["end_time"]) if meta.get("end_time") else None,
            _texts(place / "params", notes),
            _metrics(place, notes),
            tags,
            str(meta.get("artifact_uri") or ""),
        )
    except (OSError, ValueError, TypeError) as exc:
        notes.append(f"run {place.name} of {experiment} can't be read: {exc}")
        return None


def _texts(folder: Path, notes: list[str]) -> dict[str, str]:
    """Files of a folder by path in it: MLflow takes a / in a name for one."""
    found = {}
    for path in _files(folder, notes):
        name = path.relative_to(folder).as_posix()
        if path.stat().st_size > LONGEST[folder.name]:
            notes.append(f"{folder.parent.name}: {folder.name}/{name} is too long: left out")
        else:
            found[name] = read_bytes(path, LONGEST[folder.name]).decode("utf-8", "replace")
    return found


def _files(folder: Path, notes: list[str]) -> Iterator[Path]:
    """The files in a folder and those in it, by name, and none that a link leads to.

    A store may be a stranger's, and what it holds is recorded: a link would record a file of the
    user's.
    """
    if _leads_out(folder, notes) or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path, notes)
        elif not _leads_out(path, notes) and path.is_file():
            yield path


def _leads_out(path: Path, notes: list[str]) -> bool:
    if path.is_symlink():
        notes.append(f"{'/'.join(path.parts[-3:])} is a link: left out")
    return path.is_symlink()


def _metrics(place: Path, notes: list[str]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for name, text in _texts(place / "metrics", notes).items():
        points = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            try:  # moment, value, and since MLflow 1.0 the step; since 3.0 a data set, too
                step = int(words[2]) if len(words) > 2 else 0
                points.append((step, int(words[0]), float(words[1])))
            except (ValueError, IndexError):
                if line.strip():
                    notes.append(f"run {place.name}: line {number} of metric {name} is broken")
        if points:
            found[name] = points
    return found


def _versions(root: Path, notes: list[str]) -> list[MlflowVersion]:
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if not (folder / "meta.yaml").is_file() or _leads_out(folder, notes):
            continue
        aliases = _texts(folder / "aliases", notes)
        for place in sorted(folder.glob("version-*")):
            inside = (place / "meta.yaml").is_file() and not _leads_out(place, notes)
            meta = _meta(place, notes) if inside else None
            if meta is None:
                continue
            number = str(meta.get("version"))
            named = tuple(name for name, of in aliases.items() if of.strip() == number)
            found.append(
                MlflowVersion(
                    str(meta.get("name") or folder.name),
                    int(meta.get("version") or 0),
                    str(meta.get("run_id") or ""),
                    str(meta.get("current_stage") or ""),
                    named,
                    int(meta.get("creation_timestamp") or 0),
                )
            )
    return found
