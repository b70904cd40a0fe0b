"""Every model of several repositories.

Whose it is, how old, when replayed and approved, how it fares, what it cost.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.cost import experiment_of, spent_by
from furrow.governance.owners import Owner, Owners, owners_at
from furrow.ground.git import common_dir, files_at, git, is_bare, show
from furrow.ground.kept_here import why_not_kept
from furrow.ground.notes import noted
from furrow.ground.project_place import meaning, projects_among
from furrow.layout import DEPLOYMENT, PIPELINE, RECORD_JSON, deployment_yaml, run_file
from furrow.models.registry import versions
from furrow.monitoring.monitor_state import load_state
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.proof.signed_statements import NOTE
from furrow.proof.trust_policy import trusted_commit
from furrow.replay.statement import read_verdicts
from furrow.serving.deployment_state import state_folder
from furrow.training import journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from furrow.models.registry import Version

__all__ = ["FleetModel", "fleet", "repositories_in"]


@dataclass(frozen=True)
class FleetModel:
    """One model of a fleet: its newest version, or one that is served.

    Attributes:
        repository: Where it is.
        version: Such as "gbm@v1.0.0".
        problem: What it predicts; empty where its commit does not say.
        owner: Whose its deployment, problem or service is; empty for nobody.
        tier: The most important of them.
        registered: When; None where nobody knows.
        replayed: When last, as notes say: `furrow verify` tells whether they hold.
        approved: When the deployment that serves it was last merged.
        serves: Environments.
        health: In words.
        cpu_seconds: That its stages took on this machine, as far as recorded.
        remarks: orphaned, overdue replay, overdue approval, alarms.
    """

    repository: str
    version: str
    problem: str
    owner: str
    tier: int
    registered: datetime | None
    replayed: datetime | None
    approved: datetime | None
    serves: tuple[str, ...]
    health: str
    cpu_seconds: float
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        moments = {name: getattr(self, name) for name in ("registered", "replayed", "approved")}
        return {
            **vars(self),
            **{name: one.isoformat() if one else None for name, one in moments.items()},
            "serves": list(self.serves),
            "remarks": list(self.remarks),
        }


def repositories_in(folders: Sequence[Path]) -> list[Path]:
    """The repositories that folders are or hold, one level down; each once.

    Args:
        folders: Repositories, bare ones too, or folders of them.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        places = (
            [folder] if _is_repository(folder) else sorted(filter(_is_repository, folder.iterdir()))
        )
        found.update(dict.fromkeys(one.resolve() for one in places))
    return list(found)


def _is_repository(folder: Path) -> bool:
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return (folder / ".git").exists() or bare


def fleet(folders: Sequence[Path], *, now: datetime) -> tuple[list[FleetModel], list[str]]:
    """The models of several repositories; one that can't be read hides no other.

    Args:
        folders: As for `repositories_in`.
        now: The time, by which something is overdue.

    Returns:
        The models, and what could not be read, in words.
    """
    found: list[FleetModel] = []
    problems: list[str] = []
    for repository in repositories_in(folders):
        try:
            commit = trusted_commit(repository)
            for prefix in projects_among(files_at(repository, commit)) if commit else ():
                found += _of_project(repository, prefix, commit, now)
        except (FurrowError, OSError) as exc:
            problems.append(f"{repository}: {' '.join(str(exc).split())}")
    return found, problems


@dataclass
class _Scene:
    """A project whose models are looked at.

    Attributes:
        root: Its folder, or the bare repository.
        repository: What it is called.
        commit: The tip of the branch that people merge into.
        owners: As declared there.
        services: Environments by version.
        noted: Commits with a note.
        costs: Processor seconds by experiment.
    """

    root: Path
    repository: str
    commit: str
    now: datetime
    owners: Owners
    serves: dict[str, list[str]] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    costs: dict[str, float] = field(default_factory=dict)


def _of_project(repository: Path, prefix: str, commit: str, now: datetime) -> Iterator[FleetModel]:
    bare = is_bare(repository)
    root = repository if bare else repository / prefix
    with meaning(prefix if bare else ""):
        name = f"{repository.name}/{prefix.rstrip('/')}".rstrip("/")
        scene = _Scene(root, name, commit, now, owners_at(root, commit))
        scene.serves = _served(root, commit)
        scene.noted = noted(root, NOTE)
        place = common_dir(root).parent if bare else root
        by = spent_by([] if why_not_kept(place) else journal.read(place), experiment_of)
        scene.costs = {experiment: one.cpu_seconds for experiment, one in by.items()}
        newest: set[str] = set()
        for version in versions(root):
            if version.name not in newest or str(version) in scene.serves:
                newest.add(version.name)
                yield _model(scene, version)


def _served(root: Path, commit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in files_at(root, commit, DEPLOYMENT):
        try:
            value = parse_yaml(show(root, commit, path) or b"")
        except ParseError:
            continue  # CI tells of it; here the others count
        if isinstance(value, dict) and "model" in value:
            environment = path.rpartition("/")[2].removesuffix(".yaml")
            found.setdefault(str(value["model"]), []).append(environment)
    return found


def _model(scene: _Scene, version: Version) -> FleetModel:
    environments = tuple(scene.serves.get(str(version), ()))
    problem = _problem(scene.root, version)
    owner = _whose(scene.owners, environments, problem, str(version.facts.get("service") or ""))
    replayed = _replayed(scene, version)
    approved = max((one for env in environments if (one := _merged(scene, env))), default=None)
    alarms = [_alarms(scene.root, env) for env in environments]
    open_ = sum(one for one in alarms if one is not None)
    health = f"{open_} open alarms" if open_ else "well"
    if not environments:
        health = "not served"
    elif all(one is None for one in alarms):
        health = "not watched here"
    due = scene.owners.due[owner.tier]
    remarks = [] if owner.owner else ["orphaned"]
    if _late(replayed, scene.now, due):
        remarks.append("never replayed" if replayed is None else "replay overdue")
    if environments and _late(approved, scene.now, due):
        remarks.append("approval overdue")
    return FleetModel(
        repository=scene.repository,
        version=str(version),
        problem=problem,
        owner=owner.owner,
        tier=owner.tier,
        registered=_moment(version.registered),
        replayed=replayed,
        approved=approved,
        serves=environments,
        health=health,
        cpu_seconds=round(scene.costs.get(version.name, 0.0), 1),
        remarks=tuple(remarks),
    )


def _late(moment: datetime | None, now: datetime, due: timedelta) -> bool:
    return moment is None or now - moment > due


def _whose(owners: Owners, environments: tuple[str, ...], problem: str, service: str) -> Owner:
    """The owner that is nearest to whoever asks, and the most important tier of all."""
    asked = [owners.of("deployments", one) for one in environments]
    asked += [owners.of("problems", problem), owners.of("services", service)]
    owner = next((one.owner for one in asked if one.owner), "")
    return Owner(owner, min(one.tier for one in asked))


def _problem(root: Path, version: Version) -> str:
    try:
        value = parse_json(show(root, version.commit, run_file(version.name, RECORD_JSON)) or b"{}")
        if isinstance(value, dict) and value.get("problem"):
            return str(value["problem"])
        known = parse_json(show(root, version.commit, PIPELINE) or b"{}")
    except (ParseError, FurrowError):
        return ""
    names = known.get("problems") if isinstance(known, dict) else None
    return str(next(iter(names))) if isinstance(names, dict) and len(names) == 1 else ""


def _replayed(scene: _Scene, version: Version) -> datetime | None:
    if version.commit not in scene.noted:
        return None
    moments = [_moment(one.started) for one in read_verdicts(scene.root, version.commit) if one]
    return max((one for one in moments if one), default=None)


def _merged(scene: _Scene, environment: str) -> datetime | None:
    """When the main branch last changed what an environment serves."""
    path = deployment_yaml(environment)
    said = git(scene.root, "log", "-1", "--first-parent", "--format=%cI", scene.commit, "--", path)
    return _moment(os.fsdecode(said).strip())


def _alarms(root: Path, environment: str) -> int | None:
    """Open alarms of an environment that is monitored here; None where it is not."""
    try:
        folder = state_folder(root, environment) / "monitor"
        if not folder.is_dir():
            return None
        return sum(one.open for one in load_state(folder).book.alarms)
    except FurrowError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
