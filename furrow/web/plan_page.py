"""Plan: what `furrow plan` says, as a graph of stages, of the work tree or between any two commits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.drawing.graphs import Node, graph
from furrow.errors import UsageError
from furrow.ground.pipeline import overlaps, read_pipeline
from furrow.layout import DVC_YAML
from furrow.plurals import number_of
from furrow.web.content import (
    Choice,
    Drawing,
    Field,
    Form,
    Link,
    Mark,
    Note,
    Page,
    Section,
    Table,
    Text,
)
from furrow.web.shared_plans import last_plan, plan_of_commits, plan_of_work_tree

if TYPE_CHECKING:
    from furrow.ground.pipeline_spec import Pipeline
    from furrow.plan.plan_spec import Plan
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["plan"]

_SIGNS = {"add": "good", "change": "warn", "destroy": "bad", "unknown": "warn", "unchanged": "dim"}
_DRAWN = 200


def plan(site: Site, asked: Asked) -> Page:
    """The page: of the work tree, or `?from=A&to=B`.

    Raises:
        UsageError: There is no work tree, and no two commits are named.
        PlanError: A plan can't be made.
    """
    before, after = asked.one("from"), asked.one("to") or asked.one("rev")
    form = _form(asked, before, after)
    if not before and (site.bare or not site.live or after):
        before, after = _last(site, after)
        if not before:
            return Page(
                "plan",
                "Plan",
                [Section("", [form])],
                "A plan is between two commits, and there is one only.",
            )
    if ".." in before or ".." in after:
        raise UsageError("a plan is between two commits", hint="/plan?from=main~1&to=main")
    if before:
        found, stages = plan_of_commits(site, before, after)
        told = (
            f"Plan from {before} to {after or 'HEAD'}",
            f"furrow plan --rev {before}..{after or 'HEAD'}",
        )
    elif not (site.root / DVC_YAML).is_file():
        return Page(
            "plan",
            "Plan",
            [Section("", [Note("This project declares no stages. Next: furrow init", "warn")])],
        )
    else:
        return _of_work_tree(site, asked, form)
    return _shown(found, stages, told, form, asked)


def _of_work_tree(site: Site, asked: Asked, form: Form) -> Page:
    """At once: what is known; definitions may have to be read through Feast, which takes seconds."""
    told = "Plan of the work tree", "furrow plan"
    whole = Link("wait for it", "plan", asked.but(now="1"))
    known = last_plan(site.root)
    if asked.on("now") or (known and known.fresh):
        found = plan_of_work_tree(site.root)
        return _shown(found, read_pipeline(site.root), told, form, asked)
    if known:
        page = _shown(known.plan, read_pipeline(site.root), told, form, asked)
        old = Note(f"As it was {known.age:,.0f} s ago; it is being made anew.", "warn", whole)
        return replace(page, notes=[old, *page.notes], later=whole)
    making = Note("The plan is being made: it takes its place here when it is there.", "dim", whole)
    return Page("plan", told[0], [Section("", [form, making])], "Nothing is run here.", later=whole)


def _shown(found: Plan, stages: Pipeline, told: tuple[str, str], form: Form, asked: Asked) -> Page:
    title, command = told
    sections = [
        Section("", [form, Note(_summary(found), "good" if not found else "warn")]),
        Section("What breaks", _breaks(found)),
        Section("Stages", _stages(found, stages)),
        Section("Resources", [_resources(found, everything=asked.on("all"))]),
        Section("In a terminal", [Text("command", command)]),
    ]
    notes = [Note(text) for text in found.notes]
    return Page(
        "plan",
        title,
        [one for one in sections if one.blocks],
        "Nothing is run here.",
        notes,
        {"plan": found.to_json()},
    )


def _last(site: Site, after: str) -> tuple[str, str]:
    """A commit and the one before it; nothing where there is none before."""
    # only where no two commits are named
    from furrow.web.recent_commits import recent  # noqa: PLC0415

    found = recent(site, site.commit(after), 1)
    return (found[0].parents[0][:10], found[0].oid[:10]) if found and found[0].parents else ("", "")


def _form(asked: Asked, before: str, after: str) -> Form:
    fields = [Field("from", "From", before, "main~1"), Field("to", "To", after, "HEAD")]
    return Form(
        "plan", fields, choices=[Choice("all", "1", "unchanged resources, too", asked.on("all"))]
    )


def _summary(found: Plan) -> str:
    if not found:
        return f"Nothing to do: {found.count('unchanged')} resources are as declared."
    counts = (
        f"{found.count('add')} to add, {found.count('change')} to change, {found.count('destroy')}"
        " to destroy"
    )
    run = sum(stage.action == "run" for stage in found.stages)
    time = f", about {found.seconds:,.0f} s" if found.seconds else ""
    return f"{counts}; {number_of(run, 'stage')} to run{time}."


def _breaks(found: Plan) -> list[Block]:
    rows = [
        (
            Mark(one.model, "bad"),
            ", ".join(one.environments) or "nowhere",
            one.service,
            "; ".join(one.why),
        )
        for one in found.breaks
    ]
    return [Table("breaks", ("version", "served in", "trained on", "why"), rows)] if rows else []


def _stages(found: Plan, pipeline: Pipeline) -> list[Block]:
    rows = [
        (
            stage.name,
            Mark(stage.action, "warn" if stage.certain else "dim"),
            stage.certain,
            stage.seconds,
            "; ".join(stage.why),
        )
        for stage in found.stages
    ]
    table = Table(
        "stages",
        ("stage", "action", "certain", "seconds", "why"),
        rows,
        empty="No stage would run.",
    )
    actions = {stage.name: stage.action for stage in found.stages}
    nodes = _nodes(pipeline, actions)
    drawn = graph(nodes[:_DRAWN], title="The graph of stages")
    return (
        [Drawing("The graph of stages; those that would run stand out", drawn, broad=True), table]
        if drawn
        else [table]
    )


def _nodes(pipeline: Pipeline, actions: dict[str, str]) -> list[Node]:
    """The stages, each after those whose outputs it reads."""
    outs = [(out.path, name) for name, step in pipeline.steps.items() for out in step.outs]
    nodes = []
    for name, step in pipeline.steps.items():
        before = {
            maker
            for dep in step.deps
            for path, maker in outs
            if overlaps(path, dep.path) and maker != name
        }
        nodes.append(Node(name, actions.get(name, ""), tuple(sorted(before))))
    return nodes


def _resources(found: Plan, *, everything: bool) -> Table:
    rows = [
        (
            Mark(one.action, _SIGNS[one.action]),
            one.address,
            "; ".join(one.why),
            ", ".join(one.stages),
            one.seconds,
        )
        for one in found.resources
        if everything or one.action != "unchanged"
    ]
    return Table(
        "resources",
        ("action", "resource", "why", "stages", "seconds"),
        rows,
        empty="Every resource is as declared.",
    )
