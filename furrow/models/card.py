"""The model card of a run (Mitchell et al. 2019), in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.safe_text import markdown_code, markdown_text
from furrow.training.metric_registry import ordered, sign
from furrow.training.tasks import load_task
from furrow.training.tasks.task import PROBABILITY

if TYPE_CHECKING:
    from furrow.training.config import Experiment
    from furrow.training.evaluate import Outcome

__all__ = ["card"]

WORST = 5
FEWEST = 100
"""Rows that a slice must have to be called bad."""


def card(experiment: Experiment, record: dict[str, Any], outcome: Outcome) -> str:
    """Write the card: what the model is, what it was trained on, how well it does and where it does worst.

    Args:
        experiment: The config.
        record: record.json.
        outcome: The evaluation.

    Returns:
        Markdown, the same for the same inputs.
    """
    task, periods = load_task(experiment.problem.task), record["periods"]
    model = experiment.model["_target_"].rsplit(".", 1)[-1]
    service, label = markdown_code(record["service"]), markdown_code(experiment.problem.label)
    facts = [
        f"{name} {value:g}"
        for name, value in outcome.metrics.items()
        if name not in outcome.replicates
    ]
    lines = [
        f"# {markdown_text(experiment.name)}",
        "",
        markdown_text(experiment.description),
        "",
        f"- problem: {markdown_text(experiment.problem.name)} ({task.name}), label {label}",
        (
            f"- model: {model}, calibration {experiment.calibration.method}, sha256"
            f" `{record['model_sha256'][:16]}`"
        ),
        (
            f"- features: service {service} ({len(record['features'])}),"
            f" `{record['features_digest'][:16]}`"
        ),
        f"- trained on {record['rows']['train']:,} rows{_span(periods['train'])}",
        (
            f"- judged on {record['rows']['test']:,} rows{_span(periods['test'])}, split by"
            f" {experiment.problem.split.by}"
        ),
        f"- there: {', '.join(sorted(facts))}",
        "",
        "## Metrics",
        "",
        f"| metric | value | {experiment.evaluation.confidence:.0%} interval | baseline |",
        "|---|---|---|---|",
    ]
    said = outcome.baseline.get("metrics", {})
    for name in ordered(outcome.replicates):
        if name in outcome.metrics:
            low, high = (_number(outcome.intervals[name][end]) for end in ("low", "high"))
            lines.append(
                f"| {name} | {_number(outcome.metrics[name])} | {low} to {high} |"
                f" {_number(said.get(name))} |"
            )
    metric = (
        task.metric if task.metric in outcome.replicates else next(iter(outcome.replicates), "")
    )
    lines += [
        "",
        f"## Where it does worst by {metric}",
        "",
        f"| slice | rows | {metric} |",
        "|---|---|---|",
    ]
    judged = [
        part for part in outcome.slices if part.get(metric) is not None and part["rows"] >= FEWEST
    ]
    way = sign(metric, record.get("directions"))
    for part in sorted(judged, key=lambda part: (way * part[metric], part["slice"], part["value"]))[
        :WORST
    ]:
        low, high = (_number(part[f"{metric}_{end}"]) for end in ("low", "high"))
        where, rows = markdown_text(f"{part['slice']} = {part['value']}"), f"{part['rows']:,}"
        lines.append(f"| {where} | {rows} | {_number(part[metric])} ({low} to {high}) |")
    lines += _fairness(outcome, experiment)
    told = record.get("tells") or {}
    if told:
        lines += ["", "## Features that tell much alone", ""]
        lines += [
            f"- {markdown_text(name)}: {value:.3f}"
            for name, value in sorted(told.items(), key=lambda one: (-one[1], one[0]))
        ]
    return "\n".join(lines) + "\n"


def _fairness(outcome: Outcome, experiment: Experiment) -> list[str]:
    """How differently declared groups fare, and what was done about it.

    A group that is too small to be judged is named, too.
    """
    weighed = ", ".join(map(markdown_code, experiment.features.reweigh))
    told = []
    if weighed:
        told = ["", f"In training rows weigh so that {weighed} and the label are independent."]
    if not outcome.fairness:
        return told
    if experiment.problem.fairness and load_task(experiment.problem.task).answers == PROBABILITY:
        told = ["", f"Positive from {experiment.problem.fairness.threshold:g} on.", *told]
    lines = [
        "",
        "## How groups fare",
        *told,
        "",
        "| measure | by | greatest gap | groups |",
        "|---|---|---|---|",
    ]
    for one in outcome.fairness:
        gap = (
            "unknown"
            if one["value"] is None
            else f"{_number(one['value'])} ({_number(one['low'])} to {_number(one['high'])})"
        )
        groups = ", ".join(
            f"{part['group']} {'unknown' if part['value'] is None else _number(part['value'])}"
            for part in one["groups"]
        )
        of_class = f" of {markdown_text(one['of_class'])}" if one.get("of_class") else ""
        by = markdown_text(one["by"])
        lines.append(f"| {one['measure']}{of_class} | {by} | {gap} | {markdown_text(groups)} |")
    return lines


def _span(periods: list[str]) -> str:
    if not periods or periods == ["all"]:
        return ""
    return f", {periods[0]}" if len(periods) == 1 else f", {periods[0]} to {periods[-1]}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
