"""A worker: the application with its models, features and log, opened in the process that answers."""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.ground.trust import require_trust
from furrow.serving.app import App
from furrow.serving.deployment_state import FOLLOWED, read_followed
from furrow.serving.follow import follow
from furrow.serving.follow_settings import FollowSettings
from furrow.serving.model_host import Host, Loaded
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.request_spans import RequestSpans
from furrow.serving.scorer import Scorer
from furrow.serving.split_host import SplitHost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from furrow.serving.serve_settings import (
        Following,
        Served,
        ServedModel,
        ServeSettings,
        StalePolicy,
    )
    from furrow.serving.simulated_clock import SimulatedClock

__all__ = ["Follower", "build_app", "host_of", "open_served"]

LOGGER = logging.getLogger("furrow.serving")
FIRST_VERSION = 300.0
"""Seconds in which the first version must have come."""
_TRIES = 3
"""Loadings of it in a row, a second apart, that may fail: what fails so does not mend itself."""


def build_app(served: Served, settings: ServeSettings) -> App:
    """A worker's application.

    Args:
        served: What it serves.
        settings: How.

    Raises:
        FurrowError: Features, log or tokens can't be opened.
    """
    follower = None
    if served.following is None:
        host, _ = host_of(served.models, served.features, stale=settings.stale, most=served.most)
    else:
        following = served.following
        host = SplitHost({}, default=following.name or following.environment)
        follower = Follower(host, served.following, served.features, settings.clock)
    log = None if settings.log is None else PredictionLog.open(settings.log, served.logged)
    spans = RequestSpans.of_environment()
    app = App(host, settings, log=log, follower=follower, spans=spans)
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through again and again
    return app


class Follower:
    """The thread that follows Git for one process.

    Args:
        host: Where versions are swapped.
        following: What is followed.
        features: The features folder.
        clock: Of a simulation; None outside of one.
    """

    def __init__(
        self,
        host: SplitHost,
        following: Following,
        features: Path,
        clock: SimulatedClock | None = None,
    ) -> None:
        self._host = host
        self._name = following.name or following.environment
        self._settings = FollowSettings(
            following.environment,
            following.remote,
            following.branch,
            following.state,
            features,
            name=self._name,
            prefix=following.prefix,
            every=following.every,
            tell=lambda text: LOGGER.info("%s", text),
            tried=self._tried,
        )
        if clock is not None:
            self._settings = replace(self._settings, clock=clock.now)
        self._failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=follow, args=(host, self._settings, self._stop), name="follower", daemon=True
        )

    def start(self) -> None:
        """Begin, and wait until there is a version to answer with.

        Raises:
            FurrowError: There is none; the message says why.
        """
        before = self._written()
        self._thread.start()
        until = time.monotonic() + FIRST_VERSION
        while self._host.ready(self._name) is None:
            problem = self._problem(before)
            if self._remote_awaited(before):
                self._failed = []
            if len(self._failed) >= _TRIES:
                raise FurrowError(f"{self._name} serves nothing: {self._failed[-1]}")
            if time.monotonic() > until or (problem and not self._may_yet()):
                why = problem or "no version came"
                raise FurrowError(f"{self._name} serves nothing: {why}", hint="furrow deployments")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _problem(self, before: tuple[int, int]) -> str:
        """What the remote's answer lacks; what an earlier server left behind tells nothing of now."""
        if self._remote_awaited(before):
            return ""
        return read_followed(self._settings.state, self._name).problem

    def _tried(self, problem: str) -> None:
        """Keep why a loading failed, for as long as none succeeds."""
        self._failed = [*self._failed[-_TRIES:], problem] if problem else []

    def _remote_awaited(self, before: tuple[int, int]) -> bool:
        """Whether the remote may still bring another version than the one that is known."""
        return bool(self._settings.remote) and self._written() == before

    def _written(self) -> tuple[int, int]:
        """Which file it is that tells what is known of the remote."""
        try:
            about = (self._settings.state / FOLLOWED).stat()
        except FileNotFoundError:
            return 0, 0
        return about.st_ino, about.st_mtime_ns

    def _may_yet(self) -> bool:
        """Whether a version that was taken before is still being loaded."""
        return read_followed(self._settings.state, self._name).main is not None


def open_served(
    model: ServedModel, client: FeatureClient, stale: StalePolicy | None = None
) -> Loaded:
    """Open a version for scoring.

    Raises:
        FurrowError: As of `Scorer.open`.
    """
    scorer = Scorer.open(
        model.folder,
        client,
        stale=stale,
        model_sha256=model.model_sha256,
        predictor_sha256=model.predictor_sha256,
    )
    return Loaded(scorer, model.name, model.version, model.commit)


def host_of(
    models: Sequence[ServedModel],
    features: Path,
    *,
    stale: StalePolicy | None = None,
    most: int = 8,
) -> tuple[Host, FeatureClient]:
    """A host of models, which share one client of features.

    Raises:
        UntrustedError: On-demand features come from a clone whose code may not run.
        FurrowError: The features can't be opened.
    """
    client = FeatureClient.open(features)
    if client.manifest.on_demand:
        require_trust(features, "this runs the code of on-demand features")
    openers: dict[str, Callable[[], Loaded]] = {
        one.name: partial(open_served, one, client, stale) for one in models
    }
    default = models[0].name if models else ""
    return Host(openers, default=default, most=most), client
