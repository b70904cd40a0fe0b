"""What is known of a run's replays: the notes on its commits, held against the objects."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from furrow.replay.note_verify import verify
from furrow.replay.replay_verdict import Verdict, first_wrong, worst

if TYPE_CHECKING:
    from furrow.history.load import Run

__all__ = ["replays_of"]


def replays_of(run: Run, made_by: str) -> list[dict[str, Any]]:
    """Replays of the commit, or of the one that made the run, each with where its note does not hold."""
    found = []
    for commit in dict.fromkeys(one for one in (run.commit, made_by) if one):
        checked = verify(run.repo, commit)
        for one in sorted(
            checked, key=lambda one: "" if one.verdict is None else one.verdict.started
        ):
            facts = {} if one.verdict is None else _facts(run.name, one.verdict)
            found.append(
                {"commit": commit, "holds": bool(one), "problems": list(one.problems), **facts}
            )
    return found


def _facts(name: str, verdict: Verdict) -> dict[str, Any]:
    """What a verdict says of a run's own stages, and of all."""
    own = [one for one in verdict.stages if one.stage.endswith(f"@{name}")]
    return {
        "own": {
            "stages": [one.stage for one in own],
            "status": worst([one.status for one in own]) if own else "",
            "first": first_wrong(own),
            "trusted": not any(one.undeclared for one in own),
        },
        "status": verdict.status,
        "first": verdict.first,
        "scope": verdict.scope,
        "where": verdict.where,
        "started": verdict.started,
        **asdict(verdict.environment),
        "trusted": verdict.trusted(),
    }
