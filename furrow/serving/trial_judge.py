"""What becomes of a canary, or of the shadow that a gate may let go on.

It is ended here and now, proposed for promotion, or goes a step on the branch that is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import write_text
from furrow.ground.git_mirror import drop_branch, push_branch
from furrow.ground.project_place import meaning
from furrow.serving.canary_decision import GO_ON, PROMOTE, Verdict
from furrow.serving.canary_propose import propose
from furrow.serving.canary_statement import sign_decision
from furrow.serving.canary_watch import decide
from furrow.serving.deployment_spec import GATE, parse_deployment
from furrow.serving.deployment_state import Followed, read_holds, wanted
from furrow.serving.follow_settings import FollowSettings, one_line
from furrow.serving.gate_step import take_step

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.serving.canary_test import Block

__all__ = ["judge"]

_TOLD = "promotion.told"


def judge(
    settings: FollowSettings,
    followed: Followed,
    *,
    labels: Block | None = None,
    now: datetime | None = None,
) -> Verdict | None:
    """Decide about the canary, or the shadow that a gate may let go on.

    Abort it here and now, or propose it for promotion on a branch of the remote; with `approve:
    gate` the step is taken on the branch that is followed.

    Args:
        settings: What is followed.
        followed: From `poll`.
        labels: Predictions whose labels became known since the last call, and the wrong ones.
        now: The time.

    Returns:
        The verdict; None while no canary answers.
    """
    try:
        declared = parse_deployment(followed.declared.encode(), "the deployment")
    except FurrowError:
        return None
    if declared.tried is None:
        return None
    variant, spec = declared.tried
    digest, by_gate = declared.canary_digest, declared.approve == GATE and bool(settings.remote)
    now = now or settings.clock()
    verdict = decide(settings.state, spec, digest, labels=labels, now=now, variant=variant)
    if verdict is None and by_gate:
        _withdraw(settings, followed)
    if verdict is None or verdict.action == GO_ON:
        return verdict
    if verdict.action == PROMOTE and followed.paused:
        return verdict  # nothing is proposed meanwhile; what ends a canary ends it all the same
    if verdict.action != PROMOTE:
        settings.tell(f"the {variant} {spec.model}: {verdict.action}: {verdict.why}")
        if settings.remote:
            _sign(settings, spec.model, verdict, now)
    elif by_gate:
        if _step(settings, followed, verdict) and variant == "canary":
            _sign(settings, spec.model, verdict, now)
    elif settings.remote:
        _propose(settings, followed, spec.model, verdict, now)
    else:
        _tell_once(settings, digest, f"the canary {spec.model} may be promoted: {verdict.why}")
    return verdict


def _step(settings: FollowSettings, followed: Followed, verdict: Verdict) -> bool:
    """Go a step on the branch itself, where the deployment says `approve: gate`.

    What did not get there is tried again with the next poll.
    """
    if followed.paused or followed.problem:
        return False
    mirror, place = settings.mirror, (settings.remote, settings.branch)
    with meaning(settings.prefix):
        try:
            done = take_step(mirror, place, settings.environment, followed.commit, verdict)
        except FurrowError as exc:
            said = f"the step that evidence allows could not be taken: {one_line(exc)}"
            _tell_once(settings, f"{followed.canary_digest} {followed.commit} failed", said)
            return False
    settings.tell(done)
    return True


def _withdraw(settings: FollowSettings, followed: Followed) -> None:
    """Take from the branch what was ended here, on whatever evidence."""
    now = wanted(followed, read_holds(settings.state))
    ended = now.ended
    if ended is not None and now.held is None:
        _step(settings, followed, Verdict(ended.kind, ended.why or "it was ended"))


def _propose(
    settings: FollowSettings,
    followed: Followed,
    canary: str,
    verdict: Verdict,
    now: datetime,
) -> None:
    """Propose a promotion on the remote, once.

    What did not get there is tried again with the next poll.
    """
    mirror, branch = settings.mirror, ""
    with meaning(settings.prefix):
        try:
            branch = propose(mirror, settings.environment, followed, verdict.why)
            if not branch:
                return
            push_branch(mirror, settings.remote, branch)
        except FurrowError as exc:
            # rejected: another machine proposed it, or the remote wants none
            if branch and "rejected" not in f"{exc.message} {getattr(exc, 'stderr', '')}":
                drop_branch(mirror, branch)
            said = f"the promotion could not be proposed: {exc.message}"
            _tell_once(settings, f"{followed.canary_digest} failed", said)
            return
    settings.tell(f"proposed on the branch {branch}: review and merge it")
    _sign(settings, canary, verdict, now)


def _tell_once(settings: FollowSettings, what: str, text: str) -> None:
    """Tell what every poll finds again; a server that starts anew tells no more."""
    path = settings.state / _TOLD
    if not path.is_file() or path.read_text(encoding="utf-8") != what:
        settings.tell(text)
        write_text(path, what)


def _sign(settings: FollowSettings, canary: str, verdict: Verdict, now: datetime) -> None:
    """Sign a decision, where this machine's Git has a key.

    What fails is told, and undoes nothing.
    """
    where = settings.environment
    with meaning(settings.prefix):
        problem = sign_decision(settings.mirror, settings.remote, where, canary, verdict, now=now)
    if problem:
        settings.tell(problem)
