"""What whoever reads a report of CI should do next: a line for each, the most pressing first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.ci.outcome import Outcome, RunReport

__all__ = ["what_to_do"]

MENDS = {
    "compile": "run `furrow compile --write`, and commit what it writes",
    "plan": "run `furrow plan`: it names the file that can't be read, and why",
    "trust": "have it signed by whom conf/trust.yaml asks for",
    "remote": "run `dvc push`: CI can't fetch what the commit names",
    "stages": "run `dvc repro` here, mend the stage that fails, and commit",
    "replay": "run `furrow replay --experiment NAME`: it says what differs, and why",
    "gate": "run `furrow gate`: it says which rule failed, and by how much",
    "card": "write the sentences that are missing in conf/card",
    "budget": "spend less, or change the budget in conf/cost.yaml on the main branch",
    "register": "see whether the version is there already: `furrow models list`",
}
"""What usually mends a check that failed."""


def what_to_do(outcome: Outcome) -> tuple[str, ...]:
    """The next steps after a verdict.

    Args:
        outcome: What CI found.

    Returns:
        Lines of text, with commands between backticks.
    """
    return tuple(_steps(outcome))


def _steps(outcome: Outcome) -> Iterator[str]:
    for check in outcome.checks:
        if check.status == "failed":
            mend = MENDS.get(check.name, "read its finding below, mend it, and push again")
            yield f"{check.name} failed: {mend}"
    if outcome.offered:
        yield (
            "take over what CI ran, if it is not on the branch yet: `git merge"
            f" {outcome.offered[:10]}`"
        )
    for check in outcome.checks:
        if check.status == "warning":
            yield f"look at the warning of {check.name}"
    worse = [run.experiment for run in outcome.runs if _worse(run)]
    if worse and outcome:
        yield f"decide whether it may be worse: {', '.join(worse[:5])}"
    if outcome and not outcome.offered:
        yield "merge it: every check passed" if not worse else "merge it, if that is meant"


def _worse(run: RunReport) -> bool:
    """Whether a run's first metric is surely worse than before."""
    return bool(run.measures) and run.measures[0].verdict == "worse"
