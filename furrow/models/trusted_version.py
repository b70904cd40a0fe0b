"""What conf/trust.yaml asks of a version.

Who registered it, and who approved it for an environment.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.files import sha256_bytes
from furrow.ground.git import resolve, show
from furrow.ground.ssh_signatures import Signer, SigningError, commit_signer, signers_of, ssh_sign
from furrow.layout import CHAMPION
from furrow.models.registry import MODEL, RegistryError
from furrow.proof.envelope import NAMESPACE
from furrow.proof.signed_statements import (
    before_policy,
    keep_signed,
    make_statement,
    read_weighed,
    stands,
)
from furrow.proof.trust_policy import read_policy
from furrow.training.champions import read_champions

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.models.registry import Version
    from furrow.proof.signed_statements import Standing
    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["approve", "check_signer", "registration", "sign_gate", "standing_of", "trust_refusal"]


def registration(
    root: Path, commit: str, version: str, sha256: str, *, now: datetime
) -> dict[str, Any]:
    """The statement that a commit's model is a version.

    Args:
        root: The project.
        commit: The full id.
        version: Such as "gbm@v1.0.0".
        sha256: Of the model.
        now: The time.
    """
    path = f"{layout.model(version.rpartition('@v')[0])}/{MODEL}"
    facts = {"version": version, "model_sha256": sha256}
    return make_statement(root, "register", commit, facts, now=now, sha256={path: sha256})


def approve(root: Path, version: Version, environment: str, *, now: datetime) -> dict[str, Any]:
    """Sign that a version may be deployed to an environment; kept in the note of its commit.

    Args:
        root: The project.
        version: The version.
        environment: Such as "production".
        now: The time.

    Returns:
        The envelope.

    Raises:
        SigningError: There is no key, or its owner may not approve.
    """
    sha256 = str(version.facts.get("model_sha256"))
    facts = {"version": str(version), "environment": environment, "model_sha256": sha256}
    path = f"{layout.model(version.name)}/{MODEL}"
    made = make_statement(root, "approve", version.commit, facts, now=now, sha256={path: sha256})
    check_signer(root, made, "approve")
    return keep_signed(root, version.commit, made)


def sign_gate(root: Path, *, now: datetime) -> dict[str, Any]:
    """Sign the verdicts of HEAD's gate; kept in the note of the commit.

    Args:
        root: The project.
        now: The time.

    Returns:
        The envelope.

    Raises:
        FurrowError: HEAD holds no verdicts.
        SigningError: There is no key, or its owner may not.
    """
    commit = resolve(root)
    content = show(root, commit, CHAMPION)
    if content is None:
        hint = "commit what `dvc repro` wrote"
        raise RegistryError(f"{commit[:10]} has no {CHAMPION}", hint=hint)
    sha256 = sha256_bytes(content)
    chosen = {one.problem: one.experiment for one in read_champions(content).values()}
    facts = {"champion_sha256": sha256, "champions": chosen}
    made = make_statement(root, "gate", commit, facts, now=now, sha256={CHAMPION: sha256})
    check_signer(root, made, "gate")
    return keep_signed(root, commit, made)


def check_signer(root: Path, statement: dict[str, Any], kind: str) -> None:
    """See that Git's own key may make a statement, before anybody relies on it.

    Raises:
        SigningError: It may not, or there is none.
    """
    policy = read_policy(root)
    if kind not in policy.roles:
        return
    data = str(statement).encode()
    found = signers_of(
        data,
        ssh_sign(root, data, NAMESPACE),
        namespace=NAMESPACE,
        signers=policy.signers,
        revoked=policy.revoked,
        at=datetime.now(UTC),
    )
    who = policy.role(kind).who
    if not isinstance(found, Signer):
        raise SigningError(
            f"your key may not {kind}: {found}",
            hint="the list of signers on the main branch has who may",
        )
    if who and not set(found.names) & set(who):
        words = f"{', '.join(found.names)} may not {kind}: conf/trust.yaml names {', '.join(who)}"
        raise SigningError(words, hint="ask one of them")


def standing_of(
    root: Path,
    version: Version,
    policy: TrustPolicy,
    kind: str,
    *,
    now: datetime,
    environment: str = "",
) -> Standing:
    """Whether enough who may have registered a version, or approved it for an environment."""
    weighed = read_weighed(root, version.commit, policy, now=now)
    wanted = {"version": str(version), "model_sha256": version.facts.get("model_sha256")}
    if environment:
        wanted["environment"] = environment
    return stands(root, version.commit, policy, kind, weighed, **wanted)


def trust_refusal(
    root: Path,
    version: Version,
    *,
    environment: str = "",
    trusted: str = "",
    now: datetime | None = None,
) -> str:
    """Why conf/trust.yaml lets a version not be deployed; empty where it does, or asks nothing.

    Args:
        root: The project; it may be bare.
        version: The version.
        environment: Where it would be deployed; empty to ask for its registration alone.
        trusted: The branch or commit whose policy counts, where the caller knows it.
        now: The time.
    """
    policy = read_policy(root, branch=trusted)
    if before_policy(root, version.commit, policy):
        return ""
    if policy.commits_signed:
        signer = commit_signer(root, version.commit, signers=policy.signers, revoked=policy.revoked)
        if not isinstance(signer, Signer):
            return f"conf/trust.yaml asks for signed commits, and {version.commit[:10]}: {signer}"
    moment = now or datetime.now(UTC)
    for kind, words in (("register", "registered"), ("approve", f"approved for {environment}")):
        if kind not in policy.roles or (kind == "approve" and not environment):
            continue
        found = standing_of(
            root, version, policy, kind, now=moment, environment=environment * (kind == "approve")
        )
        if not found:
            said = f"; {'; '.join(found.problems)}" if found.problems else ""
            asked = f"{version} is not {words} by whom conf/trust.yaml asks"
            return f"{asked}: {len(found.by)} of {found.needed} signed{said}"
    return ""
