"""Where monitoring is at work.

The project, the log, the folder of its own state, and what is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.files import machine_folder
from furrow.ground.git import NotARepositoryError
from furrow.layout import MONITORS
from furrow.models.pause import RETRAINING, paused
from furrow.monitoring.monitor_settings import read_settings
from furrow.serving.deployment_state import state_folder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.models.pause import Pause
    from furrow.monitoring.monitor_settings import MonitorSettings

__all__ = ["Site", "open_site"]


@dataclass(frozen=True)
class Site:
    """What a run of monitoring is given.

    Attributes:
        root: The project.
        log: The prediction log.
        folder: Of the state, beside the log.
        settings: What is watched.
        now: The moment that everything is told for.
        environment: Its name.
        pauses: What a person has paused of it, or of retraining.
    """

    root: Path
    log: Path
    folder: Path
    settings: MonitorSettings
    now: datetime
    environment: str = ""
    pauses: tuple[Pause, ...] = ()

    @property
    def labels(self) -> Path:
        """Where labels are landed."""
        return machine_folder(self.folder, "labels")


def open_site(root: Path, environment: str, now: datetime, log: Path | None = None) -> Site:
    """The site of an environment.

    Args:
        root: The project.
        environment: Such as "production".
        now: The moment that it is told for.
        log: The log's folder, where it lies elsewhere than a server of this project keeps it.

    Raises:
        NotKeptError: A commit says what lies where this machine keeps the state of its servers.
        MonitorSettingsError: conf/monitor/ENV.yaml says what can't be meant.
    """
    log = log or state_folder(root, environment) / "log"
    folder = machine_folder(log.parent, "monitor")
    settings = read_settings(root / MONITORS / f"{environment}.yaml")
    pauses = tuple(one for what in (environment, RETRAINING) if (one := _paused(root, what)))
    return Site(root, log, folder, settings, now, environment, pauses)


def _paused(root: Path, what: str) -> Pause | None:
    """What Git says of it; nothing where there is no Git."""
    try:
        return paused(root, what)
    except NotARepositoryError:
        return None
