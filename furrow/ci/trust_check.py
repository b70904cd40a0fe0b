"""Trust: what the target branch's conf/trust.yaml asks of a version before an environment may serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.deployment_check import declared_deployments
from furrow.ci.outcome import Check
from furrow.models.registry import name_of, versions
from furrow.models.trusted_version import trust_refusal
from furrow.proof.trust_policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.ci.run_ci import Session

__all__ = ["trust_holds"]


def trust_holds(session: Session) -> Check | None:
    """Whether each version that a commit deploys anew was registered and approved by whom the target branch names.

    The policy is the target branch's: that of the commit under test says nothing about itself.
    Statements are read where CI's repository keeps them. None where it asks for nothing.
    """
    if not session.tip or not read_policy(session.repo, branch=session.tip).roles:
        return None
    found = tuple(_refused(session))
    if found:
        words = "a version is deployed that conf/trust.yaml of the target branch does not let be"
        return Check("trust", "failed", words, found)
    return Check("trust", "passed", "what is deployed was signed by whom conf/trust.yaml asks")


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
