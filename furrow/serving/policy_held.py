"""The policy that a server began with: a branch that it follows gives it no other without a signature.

Where conf/trust.yaml asks for signed commits, the commit that changes it, or its lists of keys, must
be signed itself by somebody whom it knew before. Who may push is not, for that alone, who may say
whose signatures count.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.ground.git import git
from furrow.ground.git_mirror import believe_policy, policy_commit
from furrow.ground.ssh_signatures import Signer, commit_signer
from furrow.layout import TRUST_YAML
from furrow.proof.trust_policy import TrustPolicyError, read_policy
from furrow.serving.version_store import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["hold_policy"]

_MOST = 1000
"""Commits since the policy that are looked at."""


def hold_policy(mirror: Path, tip: str) -> None:
    """Go on with a tip only if its policy is the one before, or came by a commit that that one believes.

    Args:
        mirror: From `git_mirror.open_mirror`.
        tip: What the branch has now.

    Raises:
        RefusedError: Somebody changed it who may push, and whose signature the policy before does
            not know.
        TrustPolicyError: conf/trust.yaml of the tip can't be meant.
    """
    before = policy_commit(mirror)
    if before and before != tip:
        held = read_policy(mirror, branch=before)
        new = replace(read_policy(mirror, branch=tip), commit="")
        changed = held.commits_signed and replace(held, commit="") != new
        if changed and not _signed_change(mirror, held, new, tip):
            raise RefusedError(
                f"{TRUST_YAML} or its keys are others at {tip[:10]} than at {before[:10]}, and no"
                " commit that makes them so is signed by somebody whom they knew before",
                hint="undo it; one of those makes the change, or merges it, with git commit -S",
            )
    if before != tip:
        believe_policy(mirror, tip)


def _said(mirror: Path, commit: str) -> TrustPolicy | None:
    """A commit's policy; None where it can't be meant."""
    try:
        return replace(read_policy(mirror, branch=commit), commit="")
    except TrustPolicyError:
        return None


def _signed_change(mirror: Path, held: TrustPolicy, new: TrustPolicy, tip: str) -> bool:
    """Whether the newest change since the held policy that somebody signed whom it knows says the new one.

    The commit must make the change itself, or merge it: one that came on top says nothing of it. A
    signature is of the whole commit, its files and its parents: one of before the held policy, or
    of a branch that never had it, is none for this change.
    """
    since = ("--topo-order", "--ancestry-path", f"--max-count={_MOST}", f"{held.commit}..{tip}")
    for line in os.fsdecode(git(mirror, "rev-list", "--parents", *since)).splitlines():
        commit, parent, *_ = line.split()
        said = _said(mirror, commit)
        if said == _said(mirror, parent):
            continue
        signer = commit_signer(mirror, commit, signers=held.signers, revoked=held.revoked)
        if isinstance(signer, Signer):
            return said == new
    return False
