"""Apply: what was planned made so, step by step, each step such that it can be done again after a kill."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from furrow.ground.git import is_dirty
from furrow.ground.kept_here import why_not_kept
from furrow.ground.pipeline import read_pipeline, upstream
from furrow.ground.project_place import dvc_root
from furrow.ground.repro import run_tool
from furrow.models.register import champions_at, register
from furrow.models.registry import RegistryError
from furrow.plan.apply_lock import apply_lock
from furrow.plan.destroy import destroy
from furrow.plan.fetch import fetch, wanting
from furrow.plan.machine_state import note_applied, online_state
from furrow.plan.make_plan import make_plan
from furrow.plan.plan_spec import Plan, PlanError
from furrow.plan.resource_kinds import kind_named
from furrow.plan.resources import resource_of
from furrow.plan.saved_plan import still_holds
from furrow.training.journal import JOURNAL
from furrow.training.journal import read as read_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.ground.pipeline_spec import Pipeline
    from furrow.plan.apply_lock import Owner
    from furrow.plan.plan_spec import Resource

__all__ = ["Applied", "Event", "Order", "apply"]


@dataclass(frozen=True)
class Event:
    """Something that a person may watch.

    Attributes:
        kind: "plan" (made; nothing is done yet), "step" (a step or stage begins), "restored" (a
            stage came back), "done" (a step or stage ended), "text" (a tool's line) or "note".
        name: The step or the stage.
        seconds: Of "done": how long it took.
    """

    kind: Literal["plan", "step", "restored", "done", "text", "note"]
    name: str = ""
    seconds: float = 0.0
    plan: Plan | None = None


@dataclass(frozen=True)
class Order:
    """What to apply.

    Attributes:
        saved: A saved plan, and the file that it is from; None to plan now.
        targets: Addresses of resources, such as "experiments/gbm"; everything, if empty.
        register: Whether the champion is then registered as a version.
    """

    saved: tuple[Plan, str] | None = None
    targets: tuple[str, ...] = ()
    register: bool = False


@dataclass(frozen=True)
class Applied:
    """What was done.

    Attributes:
        plan: What was carried out.
        ran: Stages that ran.
        restored: Stages that came back from DVC's cache.
        steps: Steps besides: "fetch", "checkout", "destroy", "registry", "materialize", "register".
        kept: What was not destroyed, and why.
        left: The plan after all: empty unless targets were named or something changed meanwhile.
        registered: The champion's version, if it was to be registered.
    """

    plan: Plan
    ran: tuple[str, ...]
    restored: tuple[str, ...]
    steps: tuple[str, ...]
    kept: tuple[str, ...]
    left: Plan
    seconds: float
    registered: str | None = None


def apply(root: Path, order: Order, *, watch: Callable[[Event], None]) -> Applied:
    """Make what Git declares so.

    Args:
        root: The repository.
        order: What to apply.
        watch: Told what happens.

    Raises:
        LockedError: Another apply is at it.
        PlanError: A saved plan no longer holds, or a target is unknown.
        ReproError: A stage or a tool failed; what was done before stays done.
        RegistryError: The champion can't be registered; everything before that is done.
    """
    begun = time.perf_counter()
    with apply_lock(root) as (owner, dead, mended):
        if dead is not None:
            watch(
                Event("note", f"an apply of {dead} ended before it was done: taken up from there")
            )
        for line in mended:
            watch(Event("note", line))
        plan = still_holds(order.saved[0], root, order.saved[1]) if order.saved else make_plan(root)
        run = _Run(root, plan, owner, watch, read_pipeline(root))
        run.choose(order.targets)
        run.bring()
        watch(Event("plan", plan=run.plan))
        run.all()
        if order.register:
            run.register()
        left = make_plan(root) if run.steps or run.ran or run.restored else run.plan
    return Applied(
        plan=run.plan,
        ran=tuple(run.ran),
        restored=tuple(run.restored),
        steps=tuple(run.steps),
        kept=tuple(run.kept),
        left=left,
        seconds=time.perf_counter() - begun,
        registered=run.registered,
    )


class _Run:
    """One apply under way."""

    def __init__(
        self,
        root: Path,
        plan: Plan,
        owner: Owner,
        watch: Callable[[Event], None],
        pipeline: Pipeline,
    ) -> None:
        self.root, self.plan, self.owner, self.watch, self.pipeline = (
            root,
            plan,
            owner,
            watch,
            pipeline,
        )
        self.ran: list[str] = []
        self.restored: list[str] = []
        self.steps: list[str] = []
        self.kept: list[str] = []
        self.registered: str | None = None
        self._targets: tuple[str, ...] = ()
        self._stages: set[str] = set()
        self._goals: list[str] = []
        self._stale = plan.stages

    def choose(self, targets: Sequence[str]) -> None:
        """Narrow the work to some resources and what they stand on.

        Raises:
            PlanError: There is no such resource, or it has a command of its own.
        """
        known = {resource.address: resource for resource in self.plan.resources}
        for target in targets:
            if target not in known:
                near = [
                    address for address in known if address.split("/")[-1] == target.split("/")[-1]
                ]
                hint = (
                    f"did you mean {near[0]}?"
                    if near
                    else "`furrow plan --all` lists the resources"
                )
                raise PlanError(f"there is no resource {target!r}", hint=hint)
            if command := kind_named(known[target].kind).command:
                raise PlanError(f"{target} is not made by apply", hint=f"`{command}` makes it")
        self._targets = tuple(targets)
        wanted = {
            name
            for name in self.pipeline.steps
            for kind, own in [resource_of(name)]
            if any(known[target].kind == kind and known[target].name == own for target in targets)
        }
        if any(kind_named(known[target].kind).compiled for target in targets):
            wanted |= {"compile"} & self.pipeline.steps.keys()
        self._stages = upstream(self.pipeline, wanted) if targets else set(self.pipeline.steps)
        self._goals = sorted(wanted)

    def bring(self) -> None:
        """Bring what is recorded and not here, from DVC's cache or its remote, and plan again.

        Raises:
            FurrowError: Raw data is nowhere to be had, or the remote can't be reached.
        """
        absent = [
            source.path
            for source in self.pipeline.sources
            if not (self.root / source.path).exists()
        ]
        remote, lack = wanting(self.root, self.pipeline, self._stages)
        if lack:
            self.watch(Event("note", f"not here: {lack}; fetched from the DVC remote {remote}"))
            self._step("fetch", lambda: self._note(fetch(self.root, lack)))
        wanted = [*absent, *lack.paths, *lack.held]
        places = [path for path in dict.fromkeys(wanted) if not (self.root / path).exists()]
        if places:
            self._step(
                "checkout", lambda: self._tool("dvc", "checkout", "--allow-missing", *places)
            )
        if lack or places:
            self.plan = make_plan(self.root)
            self._stale = self.plan.stages

    def _note(self, text: str) -> None:
        if text:
            self.watch(Event("note", text))

    def all(self) -> None:
        """Every step in turn."""
        self._destroy()
        self._repro()
        if any(resource.local for resource in self.plan.resources):
            # compile may just have written it
            from furrow.features.manifest import load  # noqa: PLC0415

            manifest = load(self.root / "features")
            self._registry(manifest)
            self._online(manifest)

    def _wanted(self, resource: Resource) -> bool:
        return not self._targets or resource.address in self._targets

    def _step(self, name: str, work: Callable[[], None]) -> None:
        self.watch(Event("step", name))
        begun = time.perf_counter()
        work()
        took = time.perf_counter() - begun
        self.steps.append(name)
        self._time(name, took)
        self.watch(Event("done", name, seconds=took))

    def _destroy(self) -> None:
        going = [
            each for each in self.plan.resources if each.action == "destroy" and self._wanted(each)
        ]
        wanted = {(each.kind, each.name) for each in going}
        stages = {stage for stage in self.pipeline.dead if resource_of(stage) in wanted}
        if stages:
            self._step(
                "destroy", lambda: self.kept.extend(destroy(self.root, self.pipeline, stages))
            )
            self._stale = make_plan(self.root).stages  # what read the files that went is stale now
        for line in self.kept:
            self.watch(Event("note", line))

    def _tool(self, tool: str, *arguments: str) -> None:
        for line in run_tool(self.root, tool, arguments, token=self.owner.token):
            self.watch(Event("text", line.text))

    def _repro(self) -> None:
        data = any(
            each.kind == "data" and each.action in {"add", "change"} for each in self.plan.resources
        )
        if not any(stage.name in self._stages for stage in self._stale) and (
            self._targets or not data
        ):
            return
        started = time.time()
        now, clock = "", time.perf_counter()
        took: dict[str, float] = {}

        def close() -> None:
            if now:
                took[now] = time.perf_counter() - clock
                self.ran.append(now)
                self.watch(Event("done", now, seconds=took[now]))

        for line in run_tool(
            self.root, "dvc", ["repro", *self._all_goals()], token=self.owner.token
        ):
            if line.kind == "text":
                self.watch(Event("text", line.text))
                continue
            close()
            now = ""
            if line.kind == "run":
                now, clock = line.stage, time.perf_counter()
                self.watch(Event("step", now))
            elif line.kind == "restore":
                self.restored.append(line.stage)
                self.watch(Event("restored", line.stage))
        close()
        timed = {
            str(entry["stage"])
            for entry in ([] if why_not_kept(self.root) else read_journal(self.root))
            if entry.get("started", 0) >= started - 1
        }
        for name, seconds in took.items():
            if name not in timed:
                self._time(name, seconds)

    def _all_goals(self) -> list[str]:
        """What `dvc repro` is to be told.

        The targets, else every file of stages of this project, and no other's.
        """
        if self._targets:
            return self._goals
        if dvc_root(self.root) == self.root.resolve():
            return ["--all-pipelines"]
        files = {step.file for step in self.pipeline.steps.values()} | {
            each.file for each in self.pipeline.sources
        }
        return sorted(name for name in files if not name.startswith("../"))

    def _time(self, name: str, seconds: float) -> None:
        """Note how long something took, for the next plan."""
        path = self.root / JOURNAL
        path.parent.mkdir(exist_ok=True)
        line = {
            "stage": name,
            "started": round(time.time() - seconds, 3),
            "seconds": round(seconds, 3),
            "by": "apply",
        }
        with path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")

    def _registry(self, manifest: Manifest) -> None:
        resource = next(each for each in self.plan.resources if each.kind == "registry")
        if resource.action == "unchanged" or not self._wanted(resource):
            return

        def work() -> None:
            self._tool("feast", "-c", "features", "apply")
            note_applied(self.root, registry=manifest.digest)

        self._step("registry", work)

    def _online(self, manifest: Manifest) -> None:
        resource = next(each for each in self.plan.resources if each.kind == "online_store")
        if resource.action == "unchanged" or not self._wanted(resource):
            return
        # Arrow and LMDB, only when needed
        from furrow.features.materialize import materialize  # noqa: PLC0415

        def work() -> None:
            folder = self.root / "features"
            state = online_state(manifest, folder)
            seen: dict[str, int] = {}

            def report(view: str, rows: int) -> None:
                if rows - seen.get(view, -1) >= 0:
                    seen[view] = rows
                    self.watch(Event("text", f"{view}: {rows:,} rows"))

            materialize(folder, progress=report)
            note_applied(self.root, online=state)

        self._step("materialize", work)

    def register(self) -> None:
        """Register the champion of each problem.

        A version that the same model has already is that version.
        """

        def work() -> None:
            names = [
                one.experiment for one in champions_at(self.root, "HEAD").values() if one.experiment
            ]
            self.registered = (
                " ".join(str(register(self.root, name)) for name in names)
                if names
                else str(register(self.root))
            )

        if is_dirty(self.root):
            raise RegistryError(
                "nothing is registered: what the stages wrote, or you, is in no commit yet",
                hint=(
                    "look at it and commit it (git add -A && git commit), then: furrow apply"
                    " --register"
                ),
            )
        self._step("register", work)
