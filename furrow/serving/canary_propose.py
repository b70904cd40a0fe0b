"""A canary's promotion: a commit on a branch, with the evidence, for a person to merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.git import git, show
from furrow.ground.git_commit import commit_file
from furrow.ground.project_place import project_prefix
from furrow.layout import DEPLOYMENT
from furrow.models.deployment import promotion_branch
from furrow.models.deployment_text import with_version
from furrow.models.registry import find

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.serving.deployment_state import Followed

__all__ = ["propose"]


def propose(mirror: Path, environment: str, followed: Followed, evidence: str) -> str:
    """Write the commit that makes an environment's canary its main version.

    Args:
        mirror: The repository.
        environment: Such as "production".
        followed: What is served.
        evidence: What it rests on, in words.

    Returns:
        The branch; empty if it was written before.

    Raises:
        FurrowError: The canary is no version, or the commit can't be written.
    """
    if followed.canary is None:
        return ""
    version = find(mirror, followed.canary.version)
    branch = promotion_branch(mirror, environment, version)
    if git(mirror, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1)).strip():
        return ""
    path = f"{DEPLOYMENT}/{environment}.yaml"
    content = with_version(show(mirror, followed.commit, path), version)
    before = followed.main.version if followed.main else "nothing"
    message = (
        f"Promote {version} to {environment}\n\n"
        f"From {before}. As a canary it was, surely, {evidence}.\n"
    )
    whole = f"{project_prefix(mirror)}{path}"
    commit_file(mirror, branch, followed.commit, whole, content.encode(), message)
    return branch
