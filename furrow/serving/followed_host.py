"""A process's host that serves what a branch declares, and is there once a version answers."""

from __future__ import annotations

import threading
import time

from furrow.errors import FurrowError
from furrow.serving.deployment_state import read_followed
from furrow.serving.follow import FollowSettings, follow
from furrow.serving.split_host import SplitHost

__all__ = ["NothingServedError", "followed_host"]

_PATIENCE = 120.0
"""Seconds that the first version may take to be brought and opened."""


class NothingServedError(FurrowError):
    """Nothing that a branch declares can be served, and nothing was before."""


def followed_host(settings: FollowSettings, stop: threading.Event) -> SplitHost:
    """A host whose models follow a branch from now on, in a thread of its own.

    Args:
        settings: What is followed.
        stop: Ends the thread.

    Returns:
        The host, as soon as a version answers.

    Raises:
        NothingServedError: None does within two minutes; what the matter is, is told.
    """
    name = settings.name or settings.environment
    host = SplitHost({}, default=name)
    thread = threading.Thread(target=follow, args=(host, settings, stop), name="serve", daemon=True)
    thread.start()
    limit = time.monotonic() + _PATIENCE
    while host.ready(name) is None:
        if time.monotonic() > limit or not thread.is_alive():
            stop.set()
            problem = read_followed(settings.state, settings.environment).problem
            raise NothingServedError(
                f"{settings.environment} can't be served: {problem or 'no version could be opened'}",
                hint=f"furrow status {settings.environment} --state {settings.state}",
            )
        time.sleep(0.02)
    return host
