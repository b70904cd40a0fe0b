"""Trust: what the target branch's conf/trust.yaml asks of a version before an environment may serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.deployment_check import declared_deployments
from furrow.ci.outcome import Check
from furrow.ground.git import git
from furrow.ground.ssh_signatures import Signer, commit_signer
from furrow.models.registry import name_of, versions
from furrow.models.trusted_version import trust_refusal
from furrow.proof.trust_policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.ci.run_ci import Session
    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["trust_holds"]

_MOST = 500
"""Commits whose signatures are looked at."""


def trust_holds(session: Session) -> Check | None:
    """Whether whom the target branch names signed what a commit brings.

    Each version that it deploys anew was registered and approved; where the policy asks for signed
    commits, so is each that is not on the target branch yet.

    The policy is the target branch's: that of the commit under test says nothing about itself.
    Statements are read where CI's repository keeps them. None where it asks for nothing.
    """
    if not session.tip:
        return None
    policy = read_policy(session.repo, branch=session.tip)
    if not policy.roles and not policy.commits_signed:
        return None
    unsigned = tuple(_unsigned(session, policy)) if policy.commits_signed else ()
    found = tuple(_refused(session))
    if found:
        words = "a version is deployed that conf/trust.yaml of the target branch does not let be"
        return Check("trust", "failed", words, (*found, *unsigned))
    if unsigned:
        words = "conf/trust.yaml of the target branch asks for signed commits"
        return Check("trust", "failed", words, unsigned)
    return Check("trust", "passed", "what it brings was signed by whom conf/trust.yaml asks")


def _unsigned(session: Session, policy: TrustPolicy) -> Iterator[str]:
    """The commits under test that nobody in the list of signers signed."""
    listed = git(
        session.repo, "rev-list", f"--max-count={_MOST + 1}", session.commit, f"^{session.tip}"
    )
    commits = listed.decode().split()
    if len(commits) > _MOST:
        yield f"it brings more than {_MOST} commits, too many to look at: merge them in parts"
        return
    for commit in commits:
        found = commit_signer(session.repo, commit, signers=policy.signers, revoked=policy.revoked)
        if not isinstance(found, Signer):
            yield f"{commit[:10]}: {found}"


def _refused(session: Session) -> Iterator[str]:
    before = declared_deployments(session.root, session.tip)
    for environment, value in declared_deployments(session.root, session.result).items():
        was = before.get(environment, {})
        for role in ("model", "canary", "shadow"):
            text = _model(value.get(role))
            if not text or text == _model(was.get(role)):
                continue
            for version in versions(session.repo, name_of(text)):
                if str(version) != text:
                    continue
                why = trust_refusal(
                    session.repo, version, environment=environment, trusted=session.tip
                )
                if why:
                    yield why


def _model(value: object) -> str:
    """The version that a part of a deployment names: as text, or under `model`."""
    found = value.get("model") if isinstance(value, dict) else value
    return str(found) if found else ""
