"""The bulk behind a run.

Which files dvc.lock names at a commit, and where on this machine they are.

Only files are read (dvc.lock, .dvc files, .dvc/config, the cache): nothing here needs DVC, a work
tree, or a network.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import inside
from furrow.ground.folder_list import folder_list
from furrow.ground.git import common_dir, files_at, is_bare, show
from furrow.ground.hashes import content_path
from furrow.ground.project_place import project_root
from furrow.ground.runcache import cache_folder
from furrow.layout import DVC_CACHE, DVC_LOCK, DVC_YAML, TRAINING, training_set
from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "AbsentError",
    "Output",
    "cached",
    "find_file",
    "listing",
    "lock_stage",
    "outputs",
    "pointed",
    "trained_on",
]

_POINTER = ".dvc"


class AbsentError(FurrowError):
    """A file that DVC keeps is not on this machine."""

    def __init__(self, path: str, what: str, *, hint: str) -> None:
        super().__init__(f"{path} of {what} is not on this machine", hint=hint)
        self.path = path


@dataclass(frozen=True, slots=True)
class Output:
    """A file or folder that DVC keeps.

    Attributes:
        path: From the repository's root.
        md5: DVC's name for the content; ends in ".dir" for a folder.
        size: Bytes, if known.
        files: How many files, for a folder.
    """

    path: str
    md5: str
    size: int | None = None
    files: int | None = None


@lru_cache(maxsize=64)
def yaml_at(repo: Path, commit: str, path: str) -> dict[str, Any]:
    content = show(repo, commit, path)
    if content is None:
        return {}
    try:
        value = parse_yaml(content)
    except ParseError as exc:
        raise FurrowError(
            f"{path} at {commit[:10]} is not valid YAML: {' '.join(str(exc).split())}",
            hint="mend it: `dvc repro` writes it again",
        ) from exc
    return value if isinstance(value, dict) else {}


def lock_stage(repo: Path, commit: str, stage: str) -> dict[str, Any]:
    """What dvc.lock says about a stage at a commit; empty when it says nothing."""
    stages = yaml_at(repo, commit, DVC_LOCK).get("stages")
    found = stages.get(stage) if isinstance(stages, dict) else None
    return found if isinstance(found, dict) else {}


def outputs(repo: Path, commit: str) -> dict[str, Output]:
    """Everything that dvc.lock and .dvc files name as an output at a commit, by path."""
    stages = yaml_at(repo, commit, DVC_LOCK).get("stages")
    entries = [
        entry
        for stage in (stages.values() if isinstance(stages, dict) else ())
        if isinstance(stage, dict)
        for entry in _listed(stage)
    ]
    found = [one for entry in entries if (one := _output(entry, "")) is not None]
    return {one.path: one for one in found} | pointed(repo, commit)


def pointed(repo: Path, commit: str) -> dict[str, Output]:
    """What the .dvc files of a commit name, by path: data that no stage makes.

    Those of a project in a folder of this one are its own.
    """
    found = {}
    for pointer in _pointers(repo, commit):
        said = yaml_at(repo, commit, pointer)
        folder = posixpath.join(posixpath.dirname(pointer), str(said.get("wdir", "")))
        for entry in _listed(said):
            one = _output(entry, folder)
            if one is not None and not one.path.startswith("../"):
                found[one.path] = one
    return found


@lru_cache(maxsize=64)
def _pointers(repo: Path, commit: str) -> tuple[str, ...]:
    paths = files_at(repo, commit)
    others = [path.removesuffix(DVC_YAML) for path in paths if path.endswith(f"/{DVC_YAML}")]
    return tuple(
        path
        for path in paths
        if path.endswith(_POINTER) and not any(path.startswith(one) for one in others)
    )


def _output(entry: Any, folder: str) -> Output | None:
    """An output as a file names it, relative to a folder.

    None of one that is malformed, or of no md5.
    """
    if not isinstance(entry, dict):
        return None
    md5, path = entry.get("md5"), entry.get("path")
    if not isinstance(md5, str) or not isinstance(path, str):
        return None
    whole = posixpath.normpath(posixpath.join(folder, path)) if folder else path
    return Output(whole, md5, entry.get("size"), entry.get("nfiles"))


def _listed(stage: dict[str, Any]) -> list[Any]:
    """A stage's outputs; of one that is malformed none."""
    found = stage.get("outs")
    return found if isinstance(found, list) else []


def _cache_folders(repo: Path) -> list[Path]:
    """DVC's caches that this clone may use: as configured, its own, and the main work tree's."""
    roots = [common_dir(repo).parent]
    if not is_bare(repo):
        roots.insert(0, project_root(repo))
    return list(
        dict.fromkeys(folder for root in roots for folder in (cache_folder(root), root / DVC_CACHE))
    )


def cached(repo: Path, md5: str) -> Path | None:
    """The file in DVC's cache with this content, if it is there."""
    try:
        places = [content_path(folder / "files/md5", md5) for folder in _cache_folders(repo)]
    except FileNotFoundError:  # no name of a content
        return None
    return next((path for path in places if path.is_file()), None)


def listing(repo: Path, output: Output) -> dict[str, str] | None:
    """Files of a folder that DVC keeps, as {path inside: md5}.

    None when the cache lacks the list.
    """
    path = cached(repo, output.md5)
    if path is None:
        return None
    try:
        return folder_list(path.read_bytes())
    except (ValueError, OSError):
        return None


def find_file(repo: Path, commit: str, path: str, *, sha256: str | None, what: str) -> Path:
    """A file of a commit's bulk, from the work tree if it is the same there, else from DVC's cache.

    Args:
        repo: A folder inside the repository.
        commit: The commit.
        path: The file's path from the root.
        sha256: What its content must hash to, if the record says so.
        what: The run, for the error.

    Raises:
        AbsentError: It is nowhere on this machine; the hint says how to get it.
    """
    hint = f"at that commit: `dvc pull {path}`, or for all commits `dvc fetch --all-commits`"
    named = _md5_of(repo, commit, path)
    candidates = [cached(repo, named)] if named else []
    if not is_bare(repo):
        candidates.insert(0, inside(project_root(repo), path))
    for candidate in candidates:
        if candidate is None or not candidate.is_file():
            continue
        if sha256:
            if _hash(candidate, "sha256") == sha256:
                return candidate
        elif named and _hash(candidate, "md5") == named:
            return candidate
    if not named:
        hint = (
            "the commit's dvc.lock does not name it: run its stage, or `furrow replay` the commit"
        )
    raise AbsentError(path, what, hint=hint)


def _md5_of(repo: Path, commit: str, path: str) -> str | None:
    """DVC's name for a file: an output of its own, or inside one that is a folder."""
    known = outputs(repo, commit)
    if path in known:
        return known[path].md5
    for folder, output in known.items():
        if path.startswith(f"{folder}/") and output.md5.endswith(".dir"):
            return (listing(repo, output) or {}).get(path.removeprefix(f"{folder}/"))
    return None


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, algorithm).hexdigest()


def trained_on(record: Mapping[str, Any]) -> str:
    """Where the training set of a run is, in its own commit.

    Older ones have one for each service alone.

    Args:
        record: record.json.

    Raises:
        KeyError: It names no service.
    """
    problem, service = record.get("problem"), str(record["service"])
    return training_set(str(problem), service) if problem else f"{TRAINING}/{service}.parquet"
