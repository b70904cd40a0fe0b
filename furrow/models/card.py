"""The model card of a run (Mitchell et al. 2019), in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.safe_text import markdown_code, markdown_text
from furrow.training.metrics import METRICS

if TYPE_CHECKING:
    from furrow.training.config import Experiment
    from furrow.training.evaluate import Outcome

__all__ = ["card"]

WORST = 5


def card(experiment: Experiment, record: dict[str, Any], outcome: Outcome) -> str:
    """Write the card: what the model is, what it was trained on, how well it does and where it does worst.

    Args:
        experiment: The config.
        record: record.json.
        outcome: The evaluation.

    Returns:
        Markdown, the same for the same inputs.
    """
    months = record["months"]
    model = experiment.model["_target_"].rsplit(".", 1)[-1]
    service = markdown_code(record["service"])
    lines = [
        f"# {markdown_text(experiment.name)}",
        "",
        markdown_text(experiment.description),
        "",
        f"- model: {model}, calibration {experiment.calibration.method}, sha256 `{record['model_sha256'][:16]}`",
        f"- features: service {service} ({len(record['features'])}), `{record['features_digest'][:16]}`",
        f"- trained on {record['rows']['train']:,} rows, {months['train'][0]} to {months['train'][-1]}",
        f"- judged on {record['rows']['test']:,} rows, {months['test'][0]} to {months['test'][-1]}, by rolling origin",
        f"- share of {markdown_code(experiment.label)} there: {outcome.metrics['prevalence']:.1%}",
        "",
        "## Metrics",
        "",
        f"| metric | value | {experiment.evaluation.confidence:.0%} interval |",
        "|---|---|---|",
    ]
    for name in METRICS:
        if name in outcome.metrics:
            interval = outcome.intervals[name]
            lines.append(f"| {name} | {outcome.metrics[name]:.4f} | {interval['low']:.4f} to {interval['high']:.4f} |")
    lines += ["", "## Where it does worst", "", "| slice | rows | share late | ROC AUC |", "|---|---|---|---|"]
    judged = [part for part in outcome.slices if part["roc_auc"] is not None and part["rows"] >= 500]
    for part in sorted(judged, key=lambda part: (part["roc_auc"], part["slice"], part["value"]))[:WORST]:
        where = markdown_text(f"{part['slice']} = {part['value']}")
        lines.append(
            f"| {where} | {part['rows']:,} | {part['prevalence']:.1%} | "
            f"{part['roc_auc']:.3f} ({part['roc_auc_low']:.3f} to {part['roc_auc_high']:.3f}) |"
        )
    return "\n".join(lines) + "\n"
