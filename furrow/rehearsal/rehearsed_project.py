"""A project's double for a simulation.

A repository to follow, a clone that monitors and retrains, a DVC remote.

All of it lies in one folder. Of the project itself nothing is changed; its DVC cache is shared, so
that stages which ran before are not run again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.manifest import load as load_manifest
from furrow.ground.git import git, resolve, toplevel
from furrow.ground.isolate import open_isolation, run
from furrow.ground.project_place import dvc_root, project_prefix
from furrow.ground.runcache import cache_folder
from furrow.ground.start_python import python
from furrow.layout import DVC_CONFIG, FEATURES, TABLES
from furrow.models.register import settings
from furrow.models.registry import find
from furrow.serving.deployment_spec import read_deployment
from furrow.serving.deployment_state import state_folder
from furrow.serving.simulated_clock import SimulatedClock
from furrow.serving.version_store import bring

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

__all__ = ["Rehearsal", "RehearsalError", "Rehearsed", "project_of", "rehearse_in"]

_CLONE = "clone"
_ORIGIN = "origin/.git"
"""Its name is what no commit can hold: a repository among the files of another is not believed otherwise."""
_WHO = (("user.name", "Furrow simulation"), ("user.email", "furrow-simulation@localhost"))


class RehearsalError(FurrowError):
    """A project can't be lived through with a server."""


@dataclass(frozen=True)
class Rehearsal:
    """What is lived through.

    Attributes:
        root: The project; its data and its feature tables reach as far as `until`.
        environment: Whose conf/deployment and conf/monitor count.
        since: The first day, on the clocks of conf/monitor.
        until: The day after the last.
        folder: Where all of it goes; it must not be there.
        workers: How many processes answer.
    """

    root: Path
    environment: str
    since: date
    until: date
    folder: Path
    workers: int = 1


@dataclass(frozen=True)
class Rehearsed:
    """The double.

    Attributes:
        asked: Of what.
        project: The clone's project.
        origin: The repository that the server follows.
        branch: Its branch.
        clock: The time in it.
    """

    asked: Rehearsal
    project: Path
    origin: Path
    branch: str
    clock: SimulatedClock

    def tip(self) -> str:
        """The newest commit of the branch that is followed."""
        return resolve(self.origin, f"refs/heads/{self.branch}")

    def pull(self) -> list[str]:
        """Bring what was merged into the clone; the subjects of the commits, oldest first."""
        before = resolve(self.project)
        git(self.project, "fetch", "--quiet", "--tags", "origin")
        git(self.project, "merge", "--quiet", "--ff-only", f"origin/{self.branch}")
        said = git(self.project, "log", "--reverse", "--format=%h %an: %s", f"{before}..HEAD")
        return said.decode(errors="replace").splitlines()


def rehearse_in(asked: Rehearsal, begin: datetime) -> Rehearsed:
    """Make the double.

    Args:
        asked: Of what.
        begin: What its clock says first.

    Raises:
        RehearsalError: The folder is there, nothing is deployed, or the online store is not the
            project's own.
    """
    branch = settings(asked.root)["branch"]
    _check(asked, branch)
    origin, clone = asked.folder / _ORIGIN, asked.folder / _CLONE
    asked.folder.mkdir(parents=True)
    top = toplevel(asked.root)
    git(
        asked.folder,
        "clone",
        "--quiet",
        "--bare",
        "--single-branch",
        f"--branch={branch}",
        str(top),
        str(origin),
    )
    git(origin, "fetch", "--quiet", str(top), "refs/tags/*:refs/tags/*")
    git(origin, "remote", "remove", "origin")  # whoever simulates has said that its code may run
    git(asked.folder, "clone", "--quiet", str(origin), str(clone))
    for key, value in _WHO:
        git(clone, "config", key, value)
    project = project_of(asked)
    _own_remote(asked, project)
    git(clone, "push", "--quiet", "origin", branch)
    shutil.copytree(asked.root / TABLES, project / TABLES, dirs_exist_ok=True)
    made = Rehearsed(asked, project, origin, branch, SimulatedClock.begin(project, begin))
    _bring_declared(made)
    return made


def project_of(asked: Rehearsal) -> Path:
    """Where the double's project is."""
    return asked.folder / _CLONE / project_prefix(asked.root)


def _check(asked: Rehearsal, branch: str) -> None:
    if asked.since >= asked.until:
        raise RehearsalError(f"{asked.since} is not before {asked.until}", hint="swap them")
    if asked.folder.exists():
        hint = "remove it, or give another one: --out"
        raise RehearsalError(f"{asked.folder} is there already", hint=hint)
    if read_deployment(asked.root, asked.environment, branch) is None:
        raise RehearsalError(
            f"{branch} deploys nothing to {asked.environment}",
            hint=f"furrow models promote VERSION --to {asked.environment}, and merge it",
        )
    if not (asked.root / TABLES).is_dir():
        raise RehearsalError(f"there is no {TABLES} here", hint="run its stages: dvc repro")
    store = load_manifest(asked.root / FEATURES).online_store
    if store.type != "lmdb":  # whose path a manifest has within the project alone
        raise RehearsalError(
            f"the online store ({store.type}) is shared with whoever is served from it now",
            hint="simulate with LMDB in the project: features/feature_store.yaml",
        )


def _bring_declared(made: Rehearsed) -> None:
    """What is deployed at first, from the project's cache.

    Commits of before the simulation name a DVC remote of the project, if any, and not the double's.
    """
    environment = made.asked.environment
    declared = read_deployment(made.project, environment, made.branch)
    if declared is None:
        return
    names = (declared.model, *(one.model for one in (declared.canary, declared.shadow) if one))
    for name in names:
        with suppress(FurrowError):  # the server says what is wrong with a version
            version = find(made.project, name)
            bring(made.project, version, state_folder(made.project, environment) / "versions")


def _own_remote(asked: Rehearsal, project: Path) -> None:
    """A DVC remote of the double's own, in one commit; the cache is the project's."""
    place, isolation = dvc_root(project), open_isolation()
    cache, here = str(cache_folder(asked.root)), str(asked.folder.resolve() / "dvc")
    for words in (
        ("remote", "add", "--force", "--default", "simulation", here),
        ("cache", "dir", "--local", cache),
    ):
        run(python("-m", "dvc", *words), place, isolation)
    git(place, "add", "--", DVC_CONFIG)
    git(place, "commit", "--quiet", "-m", "Simulate: a DVC remote of its own")
