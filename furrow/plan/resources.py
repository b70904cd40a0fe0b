"""From stages to what a person declared: tables, training sets, experiments, the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.plan.plan_spec import KINDS, Resource, StagePlan
from furrow.plan.reasons import explain
from furrow.plan.resource_kinds import resource_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.features.manifest import Manifest
    from furrow.features.manifest_diff import Diff
    from furrow.ground.pipeline_spec import Pipeline
    from furrow.plan.durations import Durations
    from furrow.plan.plan_spec import Action
    from furrow.plan.reasons import Facts
    from furrow.plan.stage_prediction import Prediction

__all__ = [
    "StageView",
    "experiment_of",
    "resource_of",
    "stage_plans",
    "stage_resources",
    "view_resources",
]


def experiment_of(stage: str) -> str | None:
    """The experiment that a stage belongs to, if any."""
    kind, name = resource_of(stage)
    return name if kind == "experiments" else None


@dataclass(frozen=True)
class StageView:
    """What stages are seen through.

    The pipeline, the predictions, what explains them, how long they took.
    """

    pipeline: Pipeline
    predictions: Mapping[str, Prediction]
    facts: Facts
    durations: Durations


def stage_plans(view: StageView) -> tuple[StagePlan, ...]:
    """The stages that would run or be restored, in order."""
    return tuple(
        StagePlan(
            name=name,
            action=prediction.action,
            certain=prediction.certain,
            why=explain(prediction, view.facts),
            seconds=0.0 if prediction.action == "restore" else view.durations.of(name),
        )
        for name, prediction in view.predictions.items()
        if prediction
    )


def stage_resources(view: StageView, stages: tuple[StagePlan, ...]) -> list[Resource]:
    """A resource for each thing that stages make, and one to destroy for each that no stage makes any more."""
    planned = {stage.name: stage for stage in stages}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in view.predictions:
        if name.endswith(".dvc") and name not in view.pipeline.steps:
            continue  # a file that can't be understood: told of as data
        groups.setdefault(resource_of(name), []).append(name)
    found = []
    for (kind, name), names in groups.items():
        live = [planned[each] for each in names if each in planned]
        found.append(
            Resource(
                kind=kind,
                name=name,
                action=_action(view, names, live),
                why=("new",) if _action(view, names, live) == "add" else _why(view, names, live),
                stages=tuple(stage.name for stage in live),
                seconds=_sum(live),
            )
        )
    dead = {resource_of(name) for name in view.pipeline.dead} - groups.keys()
    found += [
        Resource(kind, name, "destroy", ("no longer declared",)) for kind, name in sorted(dead)
    ]
    return found


def _action(view: StageView, names: list[str], live: list[StagePlan]) -> Action:
    if not live:
        return "unchanged"
    if all(stage.action == "unknown" for stage in live):
        return "unknown"
    new = all(
        name in view.pipeline.steps and not view.pipeline.steps[name].recorded for name in names
    )
    return "add" if new else "change"


def _why(view: StageView, names: list[str], live: list[StagePlan]) -> tuple[str, ...]:
    """The reasons of all stages.

    Those that only follow from another of them are left out, if there are others.
    """
    lines = [f"{line} (back from the cache)" if stage.action == "restore" else line
             for stage in live for line in stage.why]  # fmt: skip
    telling = [line for line in lines if not line.startswith("if ")]
    if telling:
        return tuple(dict.fromkeys(telling))
    own = {
        out.path
        for name in names
        if name in view.pipeline.steps
        for out in view.pipeline.steps[name].outs
    }
    read = [line.removeprefix("if ").removesuffix(" changes") for line in dict.fromkeys(lines)]
    read = [path for path in read if path not in own] or read
    if len(read) < 2:
        return tuple(f"if {path} changes" for path in read)
    more = f"{len(read) - 2} others" if len(read) > 3 else read[2] if len(read) == 3 else ""
    return (
        f"if {read[0]}{', ' if more else ' or '}{read[1]}{f' or {more}' if more else ''} change",
    )


def _sum(live: list[StagePlan]) -> float | None:
    known = [stage.seconds for stage in live if stage.seconds is not None]
    return round(sum(known), 3) if known else None if live else 0.0


def view_resources(
    manifest: Manifest | None, changes: Diff | None, *, recorded: bool
) -> list[Resource]:
    """The feature views, on-demand views and services that are declared, and those that are gone."""
    if manifest is None:
        return []
    kinds = ("view", "on_demand", "service")
    told: dict[str, list[str]] = {}
    gone = []
    for change in changes.changes if changes else ():
        if change.kind not in kinds:
            continue
        if change.what == "removed":
            gone.append(change.name)
        else:
            told.setdefault(change.name, []).append(str(change))
    added = {
        change.name for change in (changes.changes if changes else ()) if change.what == "added"
    }
    found = []
    for name in sorted({*manifest.views, *manifest.on_demand, *manifest.services}):
        why = tuple(told.get(name, ()))
        action: Action = (
            "unchanged"
            if recorded and not why
            else "add"
            if name in added or not recorded
            else "change"
        )
        found.append(
            Resource("views", name, action, why or (() if recorded else ("new",)), seconds=0.0)
        )
    return found + [
        Resource("views", name, "destroy", ("no longer declared",)) for name in sorted(gone)
    ]


def ordered(resources: list[Resource]) -> tuple[Resource, ...]:
    """Resources by kind, in the order that they are shown, else as they came."""
    return tuple(sorted(resources, key=lambda each: KINDS.index(each.kind)))
