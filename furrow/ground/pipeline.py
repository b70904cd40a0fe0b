"""dvc.yaml, dvc.lock and .dvc files read as plain values, in milliseconds: DVC itself is not loaded."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.git import GitError, git
from furrow.ground.parameters import parse_text
from furrow.ground.template import expand

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "Dep",
    "Out",
    "Params",
    "Pipeline",
    "PipelineError",
    "Source",
    "Step",
    "downstream",
    "overlaps",
    "read_pipeline",
    "upstream",
]


class PipelineError(FurrowError):
    """dvc.yaml, dvc.lock or a .dvc file can't be read, or its stages go round in a circle."""


@dataclass(frozen=True)
class Dep:
    """What a stage reads: the path from the root, the path as written, and the md5 that dvc.lock records."""

    path: str
    local: str
    md5: str = ""


@dataclass(frozen=True)
class Params:
    """Keys that a stage reads of a file, and the values that dvc.lock records (None when it records none)."""

    path: str
    local: str
    keys: tuple[str, ...]
    recorded: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Out:
    """What a stage writes.

    Attributes:
        cached: Whether DVC's cache holds it; else Git does.
        persist: Whether DVC leaves it in place before the command runs.
        figure: Whether it is a metric or a plot.
    """

    path: str
    local: str
    md5: str = ""
    cached: bool = True
    persist: bool = False
    figure: bool = False

    @property
    def marker(self) -> bool:
        """Whether it only says that its stage has run: neither cached nor removed, always the same bytes."""
        return self.persist and not self.cached


@dataclass(frozen=True)
class Step:
    """A stage with its templates filled in, and its entry in dvc.lock.

    Attributes:
        name: As DVC shows it, such as "train@gbm".
        cmd: The command, or the list of commands.
        wdir: Where it runs, from the root; "." for the root.
        recorded: Whether dvc.lock has an entry.
        locked_cmd: The command there.
    """

    name: str
    cmd: Any
    wdir: str
    deps: tuple[Dep, ...]
    params: tuple[Params, ...]
    outs: tuple[Out, ...]
    recorded: bool = False
    locked_cmd: Any = None
    frozen: bool = False
    always: bool = False


@dataclass(frozen=True)
class Source:
    """What a .dvc file tracks."""

    file: str
    path: str
    md5: str


@dataclass(frozen=True)
class Pipeline:
    """A repository's stages, each after those that it reads from; its sources; entries of dvc.lock without a stage."""

    steps: dict[str, Step]
    sources: tuple[Source, ...]
    dead: dict[str, tuple[str, ...]]


def overlaps(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies inside the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def read_pipeline(root: Path, lock: str | None = None) -> Pipeline:
    """Read the stages of a repository.

    Args:
        root: The folder of dvc.yaml.
        lock: The text of dvc.lock, if not that of the folder.

    Raises:
        PipelineError: A file is missing or malformed, or the stages go round in a circle.
        TemplateError: A template can't be filled in.
    """
    content = _mapping(root / "dvc.yaml")
    if lock is None:
        path = root / "dvc.lock"
        lock = path.read_text(encoding="utf-8") if path.is_file() else ""
    locked = _stages_of(lock)
    steps = {name: _step(name, body, locked.get(name)) for name, body in expand(root, content)}
    dead = {
        name: tuple(str(out["path"]) for out in (entry or {}).get("outs") or [] if isinstance(out, dict))
        for name, entry in locked.items()
        if name not in steps
    }
    return Pipeline(_ordered(steps), tuple(_sources(root)), dead)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        hint = "run it in the root of a Furrow repository: the folder with dvc.yaml"
        raise PipelineError(f"cannot read {path}: {exc.strerror}", hint=hint) from exc
    found = parse_text(text, path.name)
    if not isinstance(found, dict) or not isinstance(found.get("stages") or {}, dict):
        raise PipelineError(f"{path} declares no stages", hint="write `stages:`, as DVC has it")
    return found


def _stages_of(lock: str) -> dict[str, Any]:
    if "<<<<<<< " in lock and ">>>>>>> " in lock:
        raise PipelineError("dvc.lock holds a merge conflict", hint="take either side, then run `furrow plan` again")
    found = parse_text(lock, "dvc.lock") or {}
    stages = found.get("stages") if isinstance(found, dict) else None
    if not isinstance(stages or {}, dict):
        raise PipelineError("dvc.lock is malformed: `stages` is no mapping", hint="restore it: git checkout dvc.lock")
    return stages or {}


def _step(name: str, body: dict[str, Any], entry: Any) -> Step:
    entry = entry if isinstance(entry, dict) else {}
    wdir = posixpath.normpath(str(body.get("wdir") or "."))
    try:
        held = {kind: {one["path"]: one for one in entry.get(kind) or []} for kind in ("deps", "outs")}
        deps = tuple(
            Dep(_join(wdir, local), local, held["deps"].get(local, {}).get("md5", ""))
            for local in (_one(each)[0] for each in body.get("deps") or [])
        )
        outs = tuple(
            Out(
                path=_join(wdir, local),
                local=local,
                md5=held["outs"].get(local, {}).get("md5", ""),
                cached=bool(flags.get("cache", True)),
                persist=bool(flags.get("persist", False)),
                figure=kind != "outs",
            )
            for kind in ("outs", "metrics", "plots")
            for local, flags in (_one(each) for each in body.get(kind) or [])
        )
        recorded = entry.get("params") or {}
        params = tuple(
            Params(_join(wdir, local), local, keys, recorded.get(local)) for local, keys in _params(body).items()
        )
    except (KeyError, TypeError, AttributeError, StopIteration) as exc:
        raise PipelineError(f"stage {name} is malformed: {exc}", hint="`dvc stage list` says where") from exc
    return Step(
        name=name,
        cmd=body.get("cmd"),
        wdir=wdir,
        deps=deps,
        params=params,
        outs=outs,
        recorded=bool(entry),
        locked_cmd=entry.get("cmd"),
        frozen=bool(body.get("frozen")),
        always=bool(body.get("always_changed")),
    )


def _one(entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, dict):
        path, flags = next(iter(entry.items()))
        return posixpath.normpath(str(path)), flags or {}
    return posixpath.normpath(str(entry)), {}


def _join(wdir: str, local: str) -> str:
    return posixpath.normpath(posixpath.join(wdir, local))


def _params(body: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Keys by file; an empty tuple stands for the whole file."""
    found: dict[str, list[str]] = {}
    for entry in body.get("params") or []:
        if isinstance(entry, dict):
            for path, keys in entry.items():
                found.setdefault(posixpath.normpath(str(path)), []).extend(str(key) for key in keys or [])
        else:
            found.setdefault("params.yaml", []).append(str(entry))
    return {path: tuple(dict.fromkeys(keys)) for path, keys in found.items()}


def _sources(root: Path) -> list[Source]:
    """What the .dvc files track that Git tracks, or would."""
    try:
        listed = git(root, "ls-files", "-z", "-co", "--exclude-standard", "--", "*.dvc")
        names = sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
    except GitError:
        names = sorted(path.name for path in root.glob("*.dvc") if path.is_file())
    found = []
    for name in names:
        if not (root / name).is_file():
            continue
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        if "<<<<<<< " in text:
            raise PipelineError(f"{name} holds a merge conflict", hint="take the side whose data you want")
        content = parse_text(text, name)
        base = posixpath.dirname(name)
        try:
            found += [Source(name, _join(base, out["path"]), str(out.get("md5", ""))) for out in content["outs"]]
        except (KeyError, TypeError, AttributeError) as exc:
            raise PipelineError(f"{name} is malformed", hint=f"restore it: git checkout -- {name}") from exc
    return found


def _ordered(steps: dict[str, Step]) -> dict[str, Step]:
    """Stages after those whose outputs they read; among equals in the order of dvc.yaml."""
    makers = {out.path: name for name, step in steps.items() for out in step.outs}
    before = {}
    for name, step in steps.items():
        read = [dep.path for dep in step.deps] + [entry.path for entry in step.params]
        before[name] = {
            maker
            for path in read
            for out, maker in (
                [(path, makers[path])]
                if path in makers
                else [pair for pair in makers.items() if overlaps(pair[0], path)]
            )
            if maker != name
        }
    done: dict[str, Step] = {}
    left = dict(steps)
    while left:
        ready = [name for name in left if before[name] <= done.keys()]
        if not ready:
            raise PipelineError(f"dvc.yaml: {', '.join(left)} wait for one another", hint="break the circle of deps")
        done.update((name, left.pop(name)) for name in ready)
    return done


def upstream(pipeline: Pipeline, names: set[str]) -> set[str]:
    """Stages and all those that they wait for."""
    found = set(names)
    for name in reversed(pipeline.steps):
        if name in found:
            found |= _makers(pipeline, pipeline.steps[name]) - {name}
    return found


def downstream(pipeline: Pipeline, path: str) -> set[str]:
    """Stages that read a file or folder, and all those that read what these write."""
    known = {path}
    found = set()
    for name, step in pipeline.steps.items():
        read = [dep.path for dep in step.deps] + [entry.path for entry in step.params]
        if any(overlaps(one, other) for one in read for other in known):
            found.add(name)
            known |= {out.path for out in step.outs}
    return found


def _makers(pipeline: Pipeline, step: Step) -> set[str]:
    read = [dep.path for dep in step.deps] + [entry.path for entry in step.params]
    return {
        name
        for name, other in pipeline.steps.items()
        for out in other.outs
        if any(overlaps(out.path, path) for path in read)
    }
