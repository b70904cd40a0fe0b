"""Bringing from the DVC remote what a machine lacks.

Raw data, and outputs that need not be made again.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.hashes import Hasher
from furrow.ground.project_place import dvc_root
from furrow.ground.runcache import Cache
from furrow.plan.between_revisions import Committed, Recorded
from furrow.plan.make_plan import Scene
from furrow.plan.plan_spec import PlanError
from furrow.plan.stage_prediction import Rules, predict

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from furrow.ground.pipeline_spec import Pipeline

__all__ = ["Lacking", "default_remote", "fetch", "lacking", "wanting"]


@dataclass(frozen=True)
class Lacking:
    """What dvc.lock and the .dvc files record, and neither the work tree nor DVC's cache holds.

    False if nothing.

    Attributes:
        sources: md5 by path of raw data.
        outs: md5 by path of what stages wrote, those left out that are certain to be written anew.
        held: Paths of what the cache holds and the work tree lacks.
        nothing_here: Whether neither has any output of the stages, as in a fresh clone.
    """

    sources: dict[str, str]
    outs: dict[str, str]
    held: tuple[str, ...] = ()
    nothing_here: bool = True

    def __bool__(self) -> bool:
        return bool(self.sources or self.outs)

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 3} more" if len(self.paths) > 3 else ""
        return f"{', '.join(self.paths[:3])}{more}"

    @property
    def paths(self) -> list[str]:
        """All that is to be fetched."""
        return [*self.sources, *self.outs]


def wanting(root: Path, pipeline: Pipeline, stages: Collection[str]) -> tuple[str, Lacking]:
    """Find what can be fetched: the remote, and what it is to give.

    Args:
        root: The repository.
        pipeline: Its stages.
        stages: Those that matter.

    Raises:
        PlanError: Raw data is not here, and there is no remote.
    """
    remote = default_remote(root)
    lack = lacking(root, pipeline, stages)
    if remote or not lack.sources:
        return remote, lack if remote else Lacking({}, {}, lack.held)
    raise PlanError(
        f"{next(iter(lack.sources))} is not here, and the repository names no DVC remote",
        hint=(
            "`dvc remote add --default NAME URL`, then apply again; or land it, as `prepare` in"
            " conf/ci.yaml does"
        ),
    )


def lacking(root: Path, pipeline: Pipeline, stages: Collection[str]) -> Lacking:
    """Find what is recorded and not here.

    Args:
        root: The repository.
        pipeline: Its stages.
        stages: Those that matter.
    """
    cache, hasher = Cache.beside(root), Hasher(root)
    sources = {
        source.path: source.md5
        for source in pipeline.sources
        if source.md5 and not (root / source.path).exists() and not cache.holds(source.md5)
    }
    outs = {
        out.path: out.md5
        for name, step in pipeline.steps.items()
        if name in stages
        for out in step.outs
        if out.cached and out.md5 and not cache.holds(out.md5) and hasher.md5(out.path) != out.md5
    }
    outputs = {
        out.path
        for name, step in pipeline.steps.items()
        if name in stages
        for out in step.outs
        if out.cached and out.md5
    }
    held = [
        out.path
        for name, step in pipeline.steps.items()
        if name in stages
        for out in step.outs
        if out.cached and out.md5 and not (root / out.path).exists() and cache.holds(out.md5)
    ]
    if not outs and not held:
        return Lacking(sources, {})
    # As if all of it were here: stages that would run even so write their outputs anew.
    before = {source.path: source.md5 for source in pipeline.sources}
    recorded = Recorded(root, pipeline)
    scene = Scene(
        root, root, pipeline, Committed(root, pipeline, recorded, before), recorded, local=False
    )
    found, _ = predict(
        pipeline,
        scene.workspace,
        recorded,
        Rules(effects=scene.effects, equivalent=scene.same_form),
    )
    anew = {
        out.path
        for name, prediction in found.items()
        if prediction.action == "run" and prediction.certain
        for out in pipeline.steps[name].outs
    }
    left = {path: md5 for path, md5 in outs.items() if path not in anew}
    kept = tuple(path for path in held if path not in anew)
    return Lacking(sources, left, kept, nothing_here=outputs <= outs.keys())


def fetch(root: Path, lack: Lacking) -> str:
    """Bring contents into DVC's cache.

    Args:
        root: The repository.
        lack: What is not here.

    Returns:
        What the remote lacks too, in words; empty if all came.

    Raises:
        FurrowError: The remote can't be reached, raw data is not there, or nothing is, here or
            there.
    """
    # DVC, only when something has to come
    from furrow.ground.dvc import DvcError, Project  # noqa: PLC0415

    wanted = [*lack.sources.values(), *lack.outs.values()]
    project, said = Project(root), ""
    try:
        for names in (
            wanted,
            None,
        ):  # DVC brings the lists of folders, then the files that they name
            cache = Cache(root)
            files = [
                md5
                for name in wanted
                for md5 in (cache.listing(name) or {}).values()
                if not cache.holds(md5)
            ]
            if chosen := names or files:
                try:
                    project.fetch(dict.fromkeys(chosen))
                except DvcError as exc:
                    said = said or exc.message
    finally:
        project.close()
    cache = Cache(root)
    recorded = lack.sources | lack.outs
    for path, md5 in recorded.items():
        if md5.endswith(".dir") and cache.path(md5) and cache.listing(md5) is None:
            raise FurrowError(
                f"{path}: what DVC has as the list of its files is none, or names files elsewhere",
                hint=f"nothing of it is put in place; who made {md5} knows what it should be",
            )
    absent = [path for path, md5 in recorded.items() if not cache.holds(md5)]
    raw = [path for path in absent if path in lack.sources]
    if raw:
        raise FurrowError(
            f"{raw[0]} is not here, and the DVC remote does not give it: {said or 'it lacks it'}",
            hint=(
                "`dvc push` where it was landed; or land it here, as `prepare` in conf/ci.yaml does"
            ),
        )
    # A clone with nothing would run for hours on a remote's word; one that lacks a part makes it again.
    if len(absent) == len(lack.paths) and absent and (said or lack.nothing_here):
        raise FurrowError(
            f"the DVC remote gives nothing: {said or 'it lacks everything'}",
            hint=(
                "look at `dvc remote list`, `dvc push` where it was made; or make it here again:"
                " dvc repro"
            ),
        )
    more = f" and {len(absent) - 4} more" if len(absent) > 4 else ""
    return f"the DVC remote lacks {', '.join(absent[:4])}{more}: made again here" if absent else ""


def default_remote(root: Path) -> str:
    """The name of the DVC remote that is used when none is named; empty when there is none."""
    found, folder = "", dvc_root(root) / ".dvc"
    for path in (folder / "config", folder / "config.local"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        found = parser.get("core", "remote", fallback=found)
    return found
