"""The plan: the difference between what Git declares and what is, without writing anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.manifest import load
from furrow.files import sha256_bytes
from furrow.ground.git import current_branch, git, is_shallow
from furrow.ground.hashes import Hasher
from furrow.ground.kept_here import is_kept_here
from furrow.ground.pipeline import read_pipeline
from furrow.ground.pipeline_spec import inner
from furrow.ground.runcache import Cache
from furrow.layout import DEPLOYMENT, DVC_LOCK, DVC_YAML, MANIFEST
from furrow.plan.durations import Durations
from furrow.plan.machine_state import local_resources
from furrow.plan.plan_spec import Plan, PlanError, Resource
from furrow.plan.reasons import Facts
from furrow.plan.resources import StageView, ordered, stage_plans, stage_resources, view_resources
from furrow.plan.stage_prediction import Rules, predict
from furrow.plan.workspace import Disk
from furrow.training.journal import read as read_journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.features.manifest_diff import Diff
    from furrow.ground.pipeline_spec import Pipeline, Source, Step
    from furrow.plan.breaks import Registered
    from furrow.plan.lookup import Lookup
    from furrow.plan.plan_spec import Break
    from furrow.plan.stage_prediction import Prediction
    from furrow.plan.workspace import Workspace

__all__ = ["Scene", "check_repository", "make_plan", "repository_name", "survey"]

TAGS = "registered models"


@dataclass
class Scene:
    """What a plan is made of.

    A tree of declarations, its stages and dvc.lock, its files, DVC's cache.

    Attributes:
        root: The tree.
        repo: The repository: the same, or where the tree was taken from.
        commit: The commit that dvc.lock is of, if it isn't the work tree's.
        local: Whether it is the work tree of this machine.
    """

    root: Path
    repo: Path
    pipeline: Pipeline
    workspace: Workspace
    cache: Cache
    commit: str | None = None
    local: bool = True
    compiled: bool = field(default=False, init=False)

    @cached_property
    def lookup(self) -> Lookup:
        """What is looked up once something has changed."""
        # Feast, SQLGlot and Arrow, only for a difference
        from furrow.plan.lookup import Lookup  # noqa: PLC0415

        recorded: dict[str, set[str]] = {}
        for step in self.pipeline.steps.values():
            for dep in step.deps:
                recorded.setdefault(dep.path, set()).add(dep.md5)
        return Lookup(
            self.root,
            self.repo,
            self.commit,
            cache=self.cache,
            workspace=self.workspace,
            sources=self.pipeline.sources,
            recorded=recorded,
        )

    def effects(self, step: Step) -> Mapping[str, str | None]:
        """The texts that the compile stage writes; nothing for other stages.

        Raises:
            FurrowError: What is declared can't be read; files are named as from the root.
        """
        if step.name != "compile" or "furrow compile" not in str(step.cmd):
            return {}
        self.compiled = True
        inputs = {dep.path: self.workspace.md5(dep.path) or "" for dep in step.deps}
        same = all(inputs[dep.path] == dep.md5 for dep in step.deps if dep.path != "conf")
        inputs[DVC_YAML] = self.workspace.md5(DVC_YAML) or ""
        try:
            return self.lookup.compile(inputs, same_features=same and self.local)
        except FurrowError as exc:
            here = f"{self.root}/"
            raise FurrowError(
                exc.message.replace(here, ""), hint=exc.hint.replace(here, "")
            ) from exc

    def same_form(self, path: str, md5: str) -> bool:
        """Whether an input differs in form only from what it was when its md5 was this."""
        return path.endswith(".sql") and self.lookup.baseline.same_sql(path, md5)

    def words(self, old: str, new: str) -> list[str]:
        """What changed between two digests of a feature service."""
        return self.lookup.features(old, new)

    def facts(self) -> Facts:
        """What explains the causes; nothing is looked up before it is asked."""
        return Facts(
            code=lambda stage: self.lookup.baseline.code(stage),  # noqa: PLW0108 - looked up late
            features=self.words,
            data=lambda path, old: self.lookup.data(path, old),  # noqa: PLW0108
            files=self._changed_files,
            form=self.same_form,
        )

    def _changed_files(self, folder: str) -> list[str]:
        """The changed files below a folder that DVC does not ignore."""
        read = self.workspace.listing(folder)
        changed = self.lookup.baseline.below(folder)
        return [
            name for name in changed if name in read or not (self.root / folder / name).exists()
        ]

    def manifest(self) -> Manifest | None:
        """The declared feature definitions; None when there are none."""
        if self.compiled or not self.local:
            return self.lookup.after
        return load(self.root / "features") if (self.root / MANIFEST).is_file() else None

    def definitions(self) -> tuple[Diff | None, bool]:
        """What changed of them, and whether there were any before."""
        if not self.compiled and self.local:
            return None, True
        from furrow.features.manifest_diff import diff  # noqa: PLC0415 - only for a difference

        before, after = self.lookup.before(), self.lookup.after
        if before is None or after is None:
            return None, before is not None
        return diff(before, after), True


def make_plan(root: Path, *, local: bool = True) -> Plan:
    """Plan for the work tree.

    Args:
        root: The root of the repository.
        local: Whether this machine's registry and online store belong to the plan.

    Raises:
        FurrowError: A declaration is wrong, or a file can't be read.
    """
    hasher = Hasher(root)
    scene = Scene(
        root, root, read_pipeline(root, hasher=hasher), Disk(root, hasher), Cache.beside(root)
    )
    plan = survey(scene, notes=_notes(scene), local=local)
    hasher.save()
    return plan


def survey(
    scene: Scene,
    *,
    notes: list[str] | None = None,
    revisions: tuple[str, ...] = (),
    local: bool = True,
) -> Plan:
    """Make the plan of a scene.

    Args:
        scene: What there is.
        notes: What a person should know besides.
        revisions: The two commits, when the plan is between commits.
        local: Whether this machine's registry and online store belong to it.
    """
    rules = Rules(effects=scene.effects, equivalent=scene.same_form)
    predictions, seen = predict(scene.pipeline, scene.workspace, scene.cache, rules)
    journal = read_journal(scene.repo) if is_kept_here(scene.repo) else []
    view = StageView(scene.pipeline, predictions, scene.facts(), Durations(journal))
    stages = stage_plans(view)
    resources = [*_sources(scene, predictions), *stage_resources(view, stages)]
    manifest = scene.manifest()
    changes, recorded = scene.definitions()
    resources += view_resources(manifest, changes, recorded=recorded)
    models, said = _registered(scene)
    broken: tuple[Break, ...] = ()
    if models:
        # only where models are registered
        from furrow.plan.breaks import breaks, model_resources  # noqa: PLC0415

        services = {
            name: service.digest
            for name, service in (manifest.services if manifest else {}).items()
        }
        broken = breaks(models, services, scene.words)
        resources += model_resources(models)
    if manifest is not None and scene.local and local:
        building = {name.split("_", 1)[1]: name for name in predictions if name.startswith("tables_")
                    and predictions[name].action == "run"}  # fmt: skip
        changed = any(change.kind != "table" for change in changes.changes) if changes else False
        resources += local_resources(
            scene.root, manifest, changed=changed, building=building, durations=view.durations
        )
    for name in dict.fromkeys((DVC_YAML, DVC_LOCK, *scene.pipeline.files)):
        seen[name] = scene.workspace.md5(name) or ""
    seen[TAGS] = _digest(models)
    return Plan(
        resources=ordered(resources),
        stages=stages,
        breaks=broken,
        notes=(*(notes or ()), *said),
        head=_head(scene.repo),
        revisions=revisions,
        made_from=dict(sorted(seen.items())),
    )


def _digest(models: list[Registered]) -> str:
    return sha256_bytes(repr(models).encode()) if models else ""


def _head(repo: Path) -> str:
    return git(repo, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).decode().strip()


def repository_name(root: Path) -> str:
    """The id of the repository's first commit, which every clone of it shares.

    Empty before the first commit.
    """
    listed = git(root, "rev-list", "--max-parents=0", "HEAD", ok=(0, 128)).decode().split()
    return min(listed, default="")


def _notes(scene: Scene) -> list[str]:
    """What a person should know of where they stand."""
    root, notes = scene.root, []
    status = git(root, "status", "--porcelain", "-z", "--untracked-files=no").split(b"\0")
    dirty = sum(1 for entry in status if entry)
    if dirty:
        notes.append(
            f"the work tree differs from the last commit in {dirty} file{'s' * (dirty > 1)}"
        )
    if current_branch(root) is None:
        notes.append(
            "HEAD is detached: what is applied here is on no branch until you make one (`git switch"
            " -c NAME`)"
        )
    absent = [
        out.path
        for step in scene.pipeline.steps.values()
        for out in step.outs
        if out.cached
        and out.md5
        and not (root / out.path).exists()
        and not scene.cache.holds(out.md5)
    ]
    if absent:
        more = f" and {len(absent) - 1} more outputs are" if len(absent) > 1 else " is"
        notes.append(
            f"{absent[0]}{more} not here: fetched by `furrow apply` where the DVC remote has them"
        )
    if is_shallow(root):
        notes.append(
            "this clone is shallow: what changed may be told less exactly (`git fetch --unshallow`)"
        )
    return notes


def _sources(scene: Scene, predictions: Mapping[str, Prediction]) -> list[Resource]:
    """The raw data: whether it is what the stages that read it were run on, and what its .dvc file says."""
    found = [
        Resource("data", bad.name, "unknown", (bad.why,))
        for bad in scene.pipeline.broken
        if bad.name.endswith(".dvc")
    ]
    for source in scene.pipeline.sources:
        recorded = [
            (dep.path, dep.md5)
            for step in scene.pipeline.steps.values()
            for dep in step.deps
            if dep.md5
            and not step.frozen
            and inner(dep.path, source.path) is not None
            and dep.algorithm == "md5"
        ]
        try:
            why = _source_changes(scene, source, recorded)
        except FurrowError as exc:
            found.append(Resource("data", source.path, "unknown", (exc.message,)))
            continue
        action = "unchanged" if not why else "change" if recorded else "add"
        if not recorded and any(predictions.values()):
            action, why = "add", why or ["new"]
        found.append(Resource("data", source.path, action, tuple(why), seconds=0.0))  # type: ignore[arg-type]
    return found


def _source_changes(scene: Scene, source: Source, recorded: list[tuple[str, str]]) -> list[str]:
    """What is to be done about raw data, in words."""
    now = None if source.ignored else scene.workspace.md5(source.path, source.algorithm)
    if now is None:
        return [
            f"{source.path} is not here: `dvc checkout {source.file}`, or `dvc pull {source.file}`"
        ]
    why: list[str] = []
    path, old = min(recorded, key=lambda pair: len(pair[0]), default=(source.path, ""))
    if recorded and scene.workspace.md5(path) != old:
        why += scene.lookup.data(path, old) or ["changed"]
    if now != source.md5:
        why.append(_untracked(scene, source, now))
    elif source.cached and not scene.cache.holds(source.md5, source.algorithm):
        why.append("not in DVC's cache: it is put there")
    elif source.restated:
        why.append(f"{source.file} is not as DVC wrote it")
    return why


def _untracked(scene: Scene, source: Source, now: str) -> str:
    """What is to be said of data that is not what its .dvc file says.

    New data, or what an earlier commit had.
    """
    earlier = scene.lookup.baseline.tracked(source.file, now) if scene.local else None
    if earlier is None:
        return f"not in {source.file} yet"
    return (
        f"older than {source.file}: what that said at {earlier[:10]}; `dvc checkout {source.file}`"
        " brings what it says now, else the older data is tracked again"
    )


def _registered(scene: Scene) -> tuple[list[Registered], list[str]]:
    """The registered versions, asked for only when a tag could be one."""
    tags = git(scene.repo, "for-each-ref", "--format=%(refname)", "refs/tags").decode(
        errors="replace"
    )
    if "@v" not in tags and not any((scene.root / DEPLOYMENT).glob("*.yaml")):
        return [], []
    from furrow.plan.breaks import registered  # noqa: PLC0415 - only where models are registered

    return registered(scene.repo)


def check_repository(plan: Plan, root: Path, where: str) -> None:
    """Refuse a plan of another repository.

    Raises:
        PlanError: It is one.
    """
    own = repository_name(root)
    if plan.repository != own:
        raise PlanError(
            f"{where} is a plan of another repository (its first commit is"
            f" {plan.repository[:10] or 'none'}, here it is {own[:10] or 'none'})",
            hint="apply it there, or plan here: furrow plan --out FILE",
        )
