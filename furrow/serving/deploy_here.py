"""Serving what this clone declares, without following a branch.

Canary, shadow and rollback as with one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.ground.git import resolve, show
from furrow.layout import DEPLOYMENT
from furrow.models.registry import find
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import (
    Followed,
    Local,
    read_followed,
    read_holds,
    write_followed,
)
from furrow.serving.version_store import RefusedError, bring, check_features, forget_others

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["deploy_here"]


def deploy_here(root: Path, environment: str, features: Path, state: Path) -> Followed:
    """Bring what HEAD declares for an environment, and write down that it is to be served.

    The version that was served before, if it was another one, is the one to roll back to. Whether a
    gate passed is not asked again: whoever starts a server in a clone has its commit before him.

    Args:
        root: The project.
        environment: Such as "production".
        features: The features folder whose store the versions read.
        state: The state folder.

    Raises:
        RefusedError: Nothing is declared, or a version doesn't fit the features here.
        RegistryError, GetError, SpecError: As of `find`, `bring` and `parse_deployment`.
    """
    commit, where = resolve(root), f"{DEPLOYMENT}/{environment}.yaml"
    content = show(root, commit, where)
    if content is None:
        raise RefusedError(f"{where} is not in {commit[:10]}")
    declared = parse_deployment(content, where)

    def brought(text: str) -> Local:
        version = find(root, text)
        service = str(version.facts.get("service") or "")
        local = bring(root, version, state / "versions")
        check_features(features, text, local.features_digest, service)
        return local

    before, main = read_followed(state, environment), brought(declared.model)
    after = replace(
        before,
        environment=environment,
        commit=commit,
        problem="",
        main=main,
        previous=before.previous if before.main == main else before.main,
        canary=brought(declared.canary.model) if declared.canary else None,
        shadow=brought(declared.shadow.model) if declared.shadow else None,
        declared=content.decode(),
        canary_digest=declared.canary_digest,
    )
    state.mkdir(parents=True, exist_ok=True)
    write_followed(state, after)
    held = [one.serve for one in read_holds(state).values()]
    forget_others(
        state / "versions", (after.main, after.previous, after.canary, after.shadow, *held)
    )
    return after
