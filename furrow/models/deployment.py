"""Deployments: conf/deployment/ENV.yaml says which version an environment serves.

Merging a commit approves it.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from furrow import layout
from furrow.errors import FurrowError
from furrow.files import machine_file, write_text
from furrow.ground.git import git, is_dirty, resolve, show
from furrow.ground.project_place import project_prefix
from furrow.layout import DEPLOYMENT
from furrow.models.deployment_text import with_version
from furrow.models.register import refusal, replay_holds, settings
from furrow.models.registry import RegistryError, Version, find
from furrow.models.trusted_version import trust_refusal
from furrow.parse import ParseError, parse_yaml
from furrow.training.metric_registry import NEITHER, direction

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Change",
    "DeploymentError",
    "current",
    "history",
    "promote",
    "promotion_branch",
    "rollback",
]

ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]*")


class DeploymentError(FurrowError):
    """A deployment that can't be changed as asked."""


@dataclass(frozen=True)
class Change:
    """One change of what an environment serves.

    Attributes:
        environment: Such as "production".
        commit: That made it.
        when: ISO 8601, the author's time.
        who: Name and address of the author.
        before: The version before; None when there was none.
        after: The version after; None when the environment was taken away.
        why: The commit's subject.
        evidence: What the version after it was registered on: metrics, commit, whether it was
            replayed.
    """

    environment: str
    commit: str
    when: str
    who: str
    before: str | None
    after: str | None
    why: str
    evidence: str


def current(root: Path, environment: str, rev: str = "HEAD") -> str | None:
    """The version that an environment should serve at a commit; None when nothing is declared."""
    content = show(root, rev, _path(environment))
    return _model(content, environment) if content is not None else None


def promote(root: Path, text: str, environment: str) -> tuple[str, Version]:
    """Write the commit that deploys a version, on a branch of its own, for a person to review and merge.

    The work tree and the current branch are not touched.

    Args:
        root: The repository.
        text: The version, such as "gbm@v1.0.0".
        environment: Such as "production".

    Returns:
        The branch, and the version.

    Raises:
        DeploymentError: The environment serves it already, or the branch is there already.
        RegistryError: There is no such version, or it carries no record of its gate.
    """
    version = find(root, text)
    refused = refusal(root, version)
    if refused:
        raise DeploymentError(
            refused, hint=f"register one that passed: furrow models register {version.name}"
        )
    if why := trust_refusal(root, version):
        raise DeploymentError(why, hint=f"furrow models register {version.name} --sign")
    base = settings(root)["branch"]
    if current(root, environment, base) == str(version):
        raise DeploymentError(
            f"{environment} serves {version} already", hint=f"furrow models log --to {environment}"
        )
    branch = promotion_branch(root, environment, version)
    if git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1)).strip():
        raise DeploymentError(
            f"the branch {branch} is there already", hint=f"review it: git log -p {branch}"
        )
    before = current(root, environment, base)
    with tempfile.TemporaryDirectory(prefix="furrow-promote-") as scratch:
        tree = Path(scratch) / "tree"
        git(root, "worktree", "add", "--quiet", "--detach", str(tree), base)
        try:
            path = f"{project_prefix(root)}{_path(environment)}"
            write_text(tree / path, with_version(show(root, base, _path(environment)), version))
            git(tree, "add", "--", path)
            git(
                tree,
                "commit",
                "--quiet",
                "--file=-",
                stdin=_message(root, environment, before, version).encode(),
            )
            git(tree, "branch", branch)
        finally:
            git(root, "worktree", "remove", "--force", str(tree))
    return branch, version


def rollback(root: Path, environment: str) -> tuple[str | None, str | None]:
    """Revert the newest change of an environment, as a commit on the current branch.

    No network is needed.

    Returns:
        The version before the rollback, and the one after.

    Raises:
        DeploymentError: There is nothing to go back to, or the work tree is dirty.
    """
    if is_dirty(root):
        raise DeploymentError(
            "the work tree has changes that no commit holds", hint="commit or undo them first"
        )
    changes = list(history(root, environment))
    served = [change for change in changes if change.before is not None]
    if not served:
        raise DeploymentError(
            f"{environment} has no earlier version to go back to",
            hint=f"furrow models log --to {environment}",
        )
    last = served[0]
    content = show(root, f"{last.commit}^", _path(environment)) or b""
    write_text(machine_file(root, _path(environment)), content.decode())
    git(root, "add", "--", _path(environment))
    message = f"Roll {environment} back to {last.before}\n\nThis reverts commit {last.commit}.\n"
    git(
        root,
        "commit",
        "--quiet",
        "--file=-",
        "--only",
        "--",
        _path(environment),
        stdin=message.encode(),
    )
    return last.after, last.before


def history(root: Path, environment: str | None = None, rev: str = "HEAD") -> Iterator[Change]:
    """Every change of what environments serve, newest first: Git's own log of conf/deployment."""
    path = _path(environment) if environment else DEPLOYMENT
    fields = "--format=%H%x00%aI%x00%an <%ae>%x00%s"
    lines = git(root, "log", fields, "--first-parent", resolve(root, rev), "--", path)
    for line in lines.decode(errors="replace").splitlines():
        commit, when, who, why = line.split("\x00")
        names = git(
            root,
            "diff-tree",
            "--root",
            "-r",
            "--no-commit-id",
            "--name-only",
            "-m",
            "--first-parent",
            commit,
            "--",
            path,
        )
        for name in dict.fromkeys(names.decode().split()):
            one = Path(name).stem
            after = current(root, one, commit)
            parents = git(root, "rev-list", "--parents", "-n", "1", commit).decode().split()[1:]
            before = current(root, one, parents[0]) if parents else None
            if before != after:
                yield Change(one, commit, when, who, before, after, why, _evidence(root, after))


def _evidence(root: Path, text: str | None) -> str:
    """What speaks for a version, in words, from its tag."""
    if text is None:
        return ""
    try:
        version = find(root, text)
    except RegistryError:
        return "not registered here: `git fetch --tags`"
    refused = refusal(root, version)
    if refused:
        return refused
    judged = [name for name in version.metrics if direction(name) != NEITHER] or list(
        version.metrics
    )
    said = [f"{name} {version.metrics[name]:.4f}" for name in judged[:2]]
    said += [
        f"passed the gate at {version.commit[:10]}",
        "replayed" if replay_holds(root, version) else "not replayed",
    ]
    return ", ".join(said)


def _path(environment: str) -> str:
    if not ENVIRONMENT.fullmatch(environment):
        raise DeploymentError(
            f"{environment!r} is not an environment's name",
            hint="use lower-case letters, digits and -",
        )
    return layout.deployment_yaml(environment)


def _model(content: bytes, environment: str) -> str | None:
    try:
        value = parse_yaml(content)
        return str(value["model"]) if value else None
    except (ParseError, KeyError, TypeError) as exc:
        raise DeploymentError(
            f"{layout.DEPLOYMENT}/{environment}.yaml is malformed: {exc}",
            hint="write `model: NAME@vX.Y.Z`",
        ) from exc


def promotion_branch(root: Path, environment: str, version: Version) -> str:
    """The branch on which a version's promotion is proposed."""
    return f"promote/{project_prefix(root)}{environment}/{version.name}-v{version.number}"


def _message(root: Path, environment: str, before: str | None, version: Version) -> str:
    facts = ", ".join(
        f"{name} {value:.4f}" for name, value in version.metrics.items() if isinstance(value, float)
    )
    return (
        f"Promote {version} to {environment}\n\n"
        f"From {before or 'nothing'}. Registered at {version.commit[:12]} by {version.by}.\n"
        f"{facts}\n"
        f"Replayed: {'yes' if replay_holds(root, version) else 'no'}.\n"
    )
