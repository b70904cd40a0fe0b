"""A plan between two commits, neither of which is checked out.

B's declarations against what A's dvc.lock records.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from furrow.files import inside, write_bytes
from furrow.ground.git import git, ids_at, is_bare, resolve, show, toplevel
from furrow.ground.gitobjects import read_objects
from furrow.ground.hashes import Hasher, folder_md5
from furrow.ground.parameters import parse_text
from furrow.ground.pipeline import overlaps, read_pipeline
from furrow.ground.runcache import Cache
from furrow.layout import DVC_LOCK, DVC_YAML
from furrow.plan.make_plan import Scene, survey
from furrow.plan.plan_spec import PlanError
from furrow.plan.workspace import UNKNOWN, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.ground.pipeline_spec import Pipeline
    from furrow.plan.plan_spec import Plan

__all__ = ["Committed", "Planned", "Recorded", "plan_between"]

_LARGEST = 1 << 30
_FILLED = b"export-subst"
_ODD = {"", ".", "..", ".git"}


class Planned(NamedTuple):
    """A plan from one commit to another, and the stages of the later one."""

    plan: Plan
    pipeline: Pipeline


def plan_between(repo: Path, revisions: str) -> Planned:
    """Plan from one commit to another.

    Args:
        repo: The repository.
        revisions: "A..B"; either may be left out for HEAD. A single revision stands for A..HEAD.

    Raises:
        PlanError: It names no two revisions, or one has no dvc.yaml.
        UnknownRevisionError: There is no such commit.
    """
    if "..." in revisions:
        raise PlanError(f"--rev {revisions!r}: three dots", hint="write A..B")
    first, _, second = revisions.partition("..")
    old, new = resolve(repo, first or "HEAD"), resolve(repo, second or "HEAD")
    top = toplevel(repo)
    with tempfile.TemporaryDirectory(prefix="furrow-plan-") as scratch:
        tree = Path(scratch).resolve() / "tree"
        _extract(top, new, tree)
        _locks_of(top, old, tree)
        root = tree if is_bare(repo) else tree / repo.resolve().relative_to(top.resolve())
        if not (root / DVC_YAML).is_file():
            raise PlanError(
                f"{second or 'HEAD'} has no dvc.yaml: there is nothing to plan",
                hint="name a later commit",
            )
        pipeline = read_pipeline(root)
        # A commit that is compared with itself may have landed data without running what reads
        # them.
        before = _pointers(repo, old, pipeline) if old != new else {}
        cache = Recorded(repo, pipeline)
        workspace = Committed(root, pipeline, cache, before)
        scene = Scene(root, repo, pipeline, workspace, cache, commit=old, local=False)
        return Planned(survey(scene, revisions=(old, new)), pipeline)


def _extract(repo: Path, commit: str, root: Path) -> None:
    """A commit's files in a folder of their own, through `git archive`, which touches no work tree.

    What the commit's attributes keep out of an archive, or have filled in there, is put in its
    place as it is stored: a stage can't be hidden that way. A link that leads out is left away.
    """
    root.mkdir()
    archive = git(repo, "archive", "--format=tar", commit)
    with (
        suppress(tarfile.ReadError),
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as bundle,
    ):  # an empty one
        bundle.extractall(root, filter=_inside)  # noqa: S202 - each member is looked at
    listed = git(repo, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    entries = [line.split(b"\t", 1) for line in listed if line]
    files = {
        os.fsdecode(name): about.split()[2].decode()
        for about, name in entries
        if about.startswith(b"100")
    }
    attributes = [
        oid for name, oid in files.items() if PurePosixPath(name).name == ".gitattributes"
    ]
    filled = any(
        _FILLED in (content or b"")
        for _, _, content, _ in read_objects(repo, attributes, largest=_LARGEST)
    )
    wanted = {name: oid for name, oid in files.items() if filled or not (root / name).exists()}
    for name, (_, kind, content, _) in zip(
        wanted, read_objects(repo, wanted.values(), largest=_LARGEST), strict=True
    ):
        if kind == "blob" and content is not None and not _ODD & set(name.lower().split("/")):
            write_bytes(inside(root, name), content)


def _inside(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    try:
        return tarfile.data_filter(member, path)
    except tarfile.FilterError:
        return None


def _locks_of(repo: Path, commit: str, root: Path) -> None:
    """Put what another commit's dvc.lock files say in the place of those in a folder."""
    for path in root.rglob(DVC_LOCK):
        path.unlink()
    for name in ids_at(repo, commit):
        if PurePosixPath(name).name == DVC_LOCK and (root / name).parent.is_dir():
            (root / name).write_bytes(show(repo, commit, name) or b"")


def _pointers(repo: Path, commit: str, pipeline: Pipeline) -> dict[str, str]:
    """What the .dvc files of a commit said, by the path that they track."""
    found: dict[str, str] = {}
    for source in pipeline.sources:
        content = show(repo, commit, f"./{source.file}")
        if content is None:
            continue
        value = parse_text(content.decode("utf-8", "replace"), source.file)
        for out in (value.get("outs") if isinstance(value, dict) else None) or []:
            if isinstance(out, dict) and out.get("md5") == source.md5:
                found[source.path] = source.md5
    return found


class Recorded(Cache):
    """DVC's cache, which is taken to hold whatever dvc.lock records.

    Another machine may have it.
    """

    def __init__(self, repo: Path, pipeline: Pipeline) -> None:
        beside = Cache.beside(repo)
        self.__dict__.update(beside.__dict__)
        self._recorded = {
            out.md5 for step in pipeline.steps.values() for out in step.outs if out.md5
        }

    def holds(self, md5: str, algorithm: str = "md5") -> bool:
        """Whether a content is there, or recorded."""
        return md5 in self._recorded or super().holds(md5, algorithm)


class Committed:
    """The files of a commit, with what DVC tracks as dvc.lock and the .dvc files say."""

    def __init__(
        self, root: Path, pipeline: Pipeline, cache: Cache, before: Mapping[str, str]
    ) -> None:
        self._root, self._cache = root, cache
        self._hasher = Hasher(root, remember=False)
        self._outs = {out.path: out.md5 for step in pipeline.steps.values() for out in step.outs}
        self._sources = {source.path: source.md5 for source in pipeline.sources}
        read = {(dep.path, dep.md5) for step in pipeline.steps.values() for dep in step.deps}
        same = [
            path
            for path, md5 in self._sources.items()
            if before.get(path) == md5 or (path, md5) in read
        ]
        self._known = {
            dep.path: dep.md5
            for step in pipeline.steps.values()
            for dep in step.deps
            if dep.md5 and any(dep.path.startswith(f"{path}/") for path in same)
        }

    def md5(self, path: str, algorithm: str = "md5") -> str | None:
        """DVC's name for a path's content."""
        tracked = {**self._sources, **self._outs}
        if path in tracked:
            return tracked[path] or None
        for above, md5 in tracked.items():
            if path.startswith(f"{above}/"):
                listed = self._cache.listing(md5)
                return (
                    self._known.get(path, UNKNOWN)
                    if listed is None
                    else _part(listed, path[len(above) + 1 :])
                )
        if any(overlaps(above, path) for above in tracked):
            listing = self.listing(path)
            return (
                UNKNOWN if UNKNOWN in listing.values() else folder_md5(listing) if listing else None
            )
        return self._hasher.md5(path, algorithm)

    def listing(self, path: str, algorithm: str = "md5") -> Mapping[str, str]:
        """The md5 of each file of a folder."""
        files = dict(self._hasher.listing(path, algorithm))
        for tracked, md5 in {**self._sources, **self._outs}.items():
            listed = self._cache.listing(md5) if md5.endswith(".dir") else None
            if tracked.startswith(f"{path}/") and md5:
                name = tracked[len(path) + 1 :]
                if not md5.endswith(".dir"):
                    files[name] = md5
                elif listed is None:
                    files[name] = UNKNOWN
                else:
                    files |= {f"{name}/{inner}": each for inner, each in listed.items()}
            elif (path == tracked or path.startswith(f"{tracked}/")) and listed is not None:
                prefix = f"{path[len(tracked) + 1 :]}/" if path != tracked else ""
                files |= {
                    name[len(prefix) :]: each
                    for name, each in listed.items()
                    if name.startswith(prefix)
                }
        return files

    def executable(self, path: str) -> bool:
        """Whether the path is a file that may be run."""
        return self._hasher.executable(path)

    def text(self, path: str) -> str | None:
        """A file's text."""
        return read_text(self._root / path)


def _part(listed: Mapping[str, str], name: str) -> str | None:
    """What a path inside a folder of known content holds."""
    if name in listed:
        return listed[name]
    inner = {
        path[len(name) + 1 :]: md5 for path, md5 in listed.items() if path.startswith(f"{name}/")
    }
    return folder_md5(inner) if inner else None
