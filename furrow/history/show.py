"""Everything about one run, from Git and from what this machine knows besides."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git, is_bare
from furrow.ground.kept_here import why_not_kept
from furrow.ground.project_place import project_prefix, project_root
from furrow.history.artifacts import Output, outputs
from furrow.history.raw_data import raw_data
from furrow.history.run_diff import NOT_CODE, changed_files
from furrow.history.trial_trailers import is_trial, tried
from furrow.training import journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from furrow.history.load import Run

__all__ = ["Details", "curves", "describe", "patch"]


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a run.

    Attributes:
        run: RUN.
        commit: Full id of the commit asked for.
        made_by: The commit that last changed the run's folder, as {"commit", "date", "author",
            "subject"}.
        parent: First parent of that commit; None for a first commit.
        config: The resolved config.
        metrics: By name.
        intervals: By metric.
        slices: One mapping per value of each slice.
        features: Service, digest and names.
        data: The version of the raw data.
        outputs: What DVC keeps of the run: its model and predictions. Of a trial it keeps nothing.
        trial: What `furrow try` wrote down beside the files: overrides, seconds; empty when it did
            not make the run.
        record: The rest of record.json.
        environment: What it was made with.
        resources: The journal's lines for the stages that made it here: seconds, CPU seconds, peak
            memory.
        code: Files that the commit which made it changed: path, lines added, lines deleted.
        replays: Replays of those commits: whether the note holds against the objects, the status of
            the run's own stages and of all, where, when, by what environment.
        problems: What of the run's files is missing or malformed.
    """

    run: str
    commit: str
    made_by: dict[str, str]
    parent: str | None
    config: dict[str, Any]
    metrics: dict[str, float]
    intervals: dict[str, Any]
    slices: list[dict[str, Any]]
    features: dict[str, Any]
    data: Output | None
    outputs: tuple[Output, ...]
    trial: dict[str, Any]
    record: dict[str, Any]
    environment: dict[str, Any]
    resources: tuple[dict[str, Any], ...]
    code: tuple[tuple[str, int | None, int | None], ...]
    replays: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]


def describe(run: Run, replays: Callable[[Run, str], list[dict[str, Any]]]) -> Details:
    """Gather what is known of a run.

    A damaged file is reported among the problems, the others are shown.

    Args:
        run: The run.
        replays: What is known of its replays, given the run and the commit that made it
            (`furrow.replay.run_replays.replays_of`).

    Returns:
        All of it.
    """
    problems: list[str] = []

    def read(attribute: str, nothing: Any) -> Any:
        try:
            return getattr(run, attribute)
        except FurrowError as exc:
            problems.append(exc.message)
            return nothing

    record = read("record", {})
    made_by, parent = _made_by(run)
    kept = _outputs(run, problems)
    environment = record.get("environment")
    return Details(
        run=str(run),
        commit=run.commit,
        made_by=made_by,
        parent=parent,
        config=read("config", {}),
        metrics=read("metrics", {}),
        intervals=read("intervals", {}),
        slices=read("slices", []),
        features={
            "service": record.get("service"),
            "digest": record.get("features_digest"),
            "names": record.get("features") or [],
        },
        data=raw_data(run.repo, run.commit) if kept else None,
        outputs=tuple(
            kept[path] for path in _bulk(run.name) if path in kept and not is_trial(record)
        ),
        trial=tried(run.repo, run.commit, run.name) if is_trial(record) else {},
        record={
            key: value for key, value in record.items() if key not in {"environment", "features"}
        },
        environment=environment if isinstance(environment, dict) else {},
        resources=tuple(_resources(run, record)),
        code=changed_files(run.repo, parent or _nothing(run.repo), made_by["commit"])
        if made_by
        else (),
        replays=tuple(replays(run, made_by.get("commit", ""))),
        problems=tuple(problems),
    )


def _bulk(name: str) -> tuple[str, ...]:
    return (layout.model(name), layout.predictions(name))


def _nothing(repo: Path) -> str:
    """The id of the empty tree, in the repository's hash."""
    return git(repo, "hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()


def _outputs(run: Run, problems: list[str]) -> dict[str, Output]:
    try:
        return outputs(run.repo, run.commit)
    except FurrowError as exc:
        problems.append(exc.message)
        return {}


def _made_by(run: Run) -> tuple[dict[str, str], str | None]:
    """The newest commit that changed the run's folder, and its first parent."""
    folder = f"{project_prefix(run.repo)}{layout.RUNS}/{run.name}"
    output = git(
        run.repo, "log", "-1", "--first-parent", "--encoding=UTF-8",
        "--format=%H%x00%cI%x00%an%x00%s%x00%P", run.commit, "--", f":(top,literal){folder}",
    )  # fmt: skip
    parts = output.decode(errors="replace").rstrip("\n").split("\0")
    if len(parts) < 5:
        return {}, None
    parents = parts[4].split()
    made_by = dict(zip(("commit", "date", "author", "subject"), parts, strict=False))
    return made_by, parents[0] if parents and _there(run.repo, parents[0]) else None


def _there(repo: Path, commit: str) -> bool:
    """Whether a commit is in this clone, which may be shallow."""
    return git(repo, "cat-file", "-t", commit, ok=(0, 128)).strip() == b"commit"


def _resources(run: Run, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Journal lines of the stages that made these very predictions here.

    The newest of each stage.
    """
    root = common_dir(run.repo).parent if is_bare(run.repo) else project_root(run.repo)
    lines = [] if why_not_kept(root) else journal.read(root)
    sha256 = record.get("predictions_sha256")
    made = [
        n for n, line in enumerate(lines) if sha256 and line.get("predictions_sha256") == sha256
    ]
    if not made:
        return []
    found = [lines[made[-1]]]
    later = (line for line in lines[made[-1] + 1 :] if line.get("stage") == f"evaluate@{run.name}")
    return [*found, *[line for line, _ in zip(later, range(1), strict=False)]]


def curves(run: Run) -> dict[str, list[dict[str, str]]]:
    """Rows of the run's plots/NAME.csv by name; and of NAME.tsv, as loggers of DVC write them."""
    found = {}
    for path in sorted(run.files):
        name, dot, kind = path.removeprefix("plots/").rpartition(".")
        if path.startswith("plots/") and dot and kind in {"csv", "tsv"}:
            text = run.text(path)
            if text is not None and name not in found:
                between = "," if kind == "csv" else "\t"
                found[name] = list(csv.DictReader(io.StringIO(text), delimiter=between))
    return found


def patch(run: Run, details: Details) -> str:
    """The code's changes in the commit that made the run, as a patch."""
    if not details.made_by:
        return ""
    before = details.parent or _nothing(run.repo)
    arguments = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
    output = git(run.repo, *arguments, before, details.made_by["commit"], "--", ":/", *NOT_CODE)
    return output.decode(errors="replace")
