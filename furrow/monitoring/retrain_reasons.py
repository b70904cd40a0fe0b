"""What a run of monitoring gives as reasons to retrain the version that is served."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import git
from furrow.models.registry import find
from furrow.monitoring.monitor_state import load_state
from furrow.monitoring.retrain_policy import Cause, causes
from furrow.serving.deployment_state import read_followed, read_holds, wanted

if TYPE_CHECKING:
    from furrow.monitoring.monitor_run import Monitored
    from furrow.monitoring.monitor_site import Site

__all__ = ["reasons", "served"]


def reasons(site: Site, found: Monitored) -> list[Cause]:
    """The causes to retrain what an environment serves now.

    Args:
        site: The environment.
        found: Of `monitor`.
    """
    version = served(site)
    if not version:
        return []
    return causes(
        site.settings.retraining,
        version,
        found.alarms,
        found.labels.get(version),
        made=_made(site, version) if site.settings.retraining.age else None,
        now=site.now,
    )


def served(site: Site) -> str:
    """The version that answers: as the server's state has it, else that of the newest window."""
    state = site.log.parent
    main = wanted(read_followed(state), read_holds(state)).main
    if main is not None:
        return main.version
    history = load_state(site.folder).history
    newest = max((str(one["window"]) for one in history), default="")
    here = [one for one in history if one["window"] == newest]
    return str(max(here, key=lambda one: int(one["rows"]))["version"]) if here else ""


def _made(site: Site, version: str) -> datetime | None:
    """When the commit was made that a version names; None where nothing tells."""
    try:
        commit = find(site.root, version).commit
        said = os.fsdecode(git(site.root, "show", "-s", "--format=%cI", commit)).strip()
        return datetime.fromisoformat(said)
    except (FurrowError, ValueError):
        return None
