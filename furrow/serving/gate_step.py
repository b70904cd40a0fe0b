"""Steps without a person, where conf/deployment says `approve: gate`.

Shadow, canary, main version; or back out.

Each step is a commit on the branch that servers follow, in the declared name, with the evidence
that it rests on. A branch that moved meanwhile, a pause and a hold stop it: the next poll sees what
counts by then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import show
from furrow.ground.git_commit import commit_files
from furrow.ground.git_mirror import drop_branch, push_onto
from furrow.ground.project_place import project_prefix
from furrow.layout import deployment_yaml
from furrow.models.deployment_text import with_tried, with_version
from furrow.models.registry import find
from furrow.serving.canary_decision import PROMOTE
from furrow.serving.deployment_spec import parse_deployment

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.serving.canary_decision import Verdict
    from furrow.serving.canary_spec import Canary, Trial
    from furrow.serving.deployment_spec import Deployment

__all__ = ["approver", "canary_declared", "take_step"]


def take_step(
    mirror: Path, place: tuple[str, str], environment: str, base: str, verdict: Verdict
) -> str:
    """Write what follows from a verdict onto the branch.

    Args:
        mirror: The server's repository.
        place: The remote, and its branch that is followed.
        environment: Such as "production".
        base: The commit whose declaration was judged: nothing is written onto another.
        verdict: Of what that declares beside the main version.

    Returns:
        What was done, in words.

    Raises:
        FurrowError: The branch has moved on, takes no such push, or the version is none.
    """
    path = deployment_yaml(environment)
    content = show(mirror, base, path) or b""
    declared = parse_deployment(content, path)
    text, subject = _next(mirror, environment, content, declared, verdict)
    temporary = f"gate/{environment}/{base[:12]}"
    drop_branch(mirror, temporary)
    why = f"{verdict.why[:1].upper()}{verdict.why[1:]}."
    said = f"{subject}\n\n{why}\nBy evidence alone: {path} says `approve: gate`.\n"
    whole = f"{project_prefix(mirror)}{path}"
    who = approver(declared.trial)
    made = commit_files(mirror, temporary, base, {whole: text.encode()}, said, who=who)
    try:
        push_onto(mirror, place[0], made, place[1])
    finally:
        drop_branch(mirror, temporary)
    return f"{subject}: {made[:10]} on {place[1]}"


def _next(
    mirror: Path, environment: str, content: bytes, declared: Deployment, verdict: Verdict
) -> tuple[str, str]:
    """The file after a step, and the commit's subject."""
    if declared.tried is None:
        raise FurrowError(f"{environment} tries nothing at this commit", hint="furrow deployments")
    variant, spec = declared.tried
    if verdict.action != PROMOTE:
        subject = f"Withdraw {spec.model}, the {variant} of {environment}"
        kept = {} if variant == "shadow" or declared.shadow is None else vars(declared.shadow)
        return with_tried(content, {"shadow": dict(kept)} if kept else {}), subject
    if variant == "shadow":
        tried = {"canary": canary_declared(declared.trial.canary, spec.model)}
        return with_tried(content, tried), f"Try {spec.model} as the canary of {environment}"
    subject = f"Promote {spec.model} to {environment}"
    return with_version(content, find(mirror, spec.model)), subject


def canary_declared(like: Canary, model: str) -> dict[str, object]:
    """A canary as conf/deployment writes it down.

    Args:
        like: How versions are tried.
        model: The version.
    """
    made = replace(like, model=model)
    return {**vars(made), "abort": vars(made.abort)}


def approver(trial: Trial) -> tuple[str, str] | None:
    """Name and address of whoever the steps are written by; None for whom Git knows."""
    name, _, address = trial.approver.partition(" <")
    return (name, address.rstrip(">")) if address else None
