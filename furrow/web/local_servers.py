"""What this machine knows beside Git.

Environments, what their servers do, open alarms, proposed branches.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.gitobjects import list_refs
from furrow.ground.kept_here import why_not_kept
from furrow.ground.project_place import project_prefix
from furrow.models.deployment import ENVIRONMENT
from furrow.monitoring.monitor_state import MonitorState, load_state
from furrow.serving.deployment_state import state_folder, state_folders

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.monitoring.alarm_book import Alarm
    from furrow.web.site import Site

__all__ = ["environments", "monitored", "not_believed", "open_alarms", "proposals", "state_of"]


def environments(site: Site) -> list[str]:
    """Environments that have a server's state or a log on this machine, sorted."""
    if not site.live or site.bare:
        return []
    try:
        folders = state_folders(site.root)
    except FurrowError:  # `not_believed` says why
        return []
    return [one.name for one in folders if ENVIRONMENT.fullmatch(one.name)]


def not_believed(site: Site) -> str:
    """Why what lies where this machine keeps the state of servers is passed over; empty where it is not."""
    return "" if site.bare or not site.live else why_not_kept(site.root)


def state_of(site: Site, environment: str) -> Path | None:
    """The state folder of an environment; None where this machine has none by that name."""
    return state_folder(site.root, environment) if environment in environments(site) else None


def monitored(site: Site, environment: str) -> MonitorState:
    """What monitoring has written down; nothing where it never ran.

    Raises:
        FurrowError: It is damaged.
    """
    folder = state_of(site, environment)
    return load_state(folder / "monitor") if folder else MonitorState()


def open_alarms(site: Site, environment: str) -> list[Alarm]:
    """The alarms that still hold.

    None where what is written down can't be read, which its own page tells.
    """
    try:
        return [one for one in monitored(site, environment).book.alarms if one.open]
    except (FurrowError, KeyError, TypeError, ValueError):
        return []


def proposals(site: Site) -> list[str]:
    """Branches that propose a promotion and are merged into no branch that HEAD is on."""
    prefix = f"promote/{project_prefix(site.root)}"
    lines = list_refs(
        site.root, "--no-merged=HEAD", "refs/heads/promote", "refs/remotes/*/promote"
    ).splitlines()
    names = [os.fsdecode(line).partition(" ")[2] for line in lines]
    short = [name.removeprefix("refs/heads/").removeprefix("refs/remotes/") for name in names]
    return [name for name in short if prefix in name]
