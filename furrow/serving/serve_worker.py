"""A worker: the application with its models, features and log, opened in the process that answers."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING

from furrow.features.client import FeatureClient
from furrow.ground.trust import require_trust
from furrow.serving.app import App
from furrow.serving.model_host import Host, Loaded
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from furrow.serving.serve_settings import Served, ServedModel, ServeSettings, StalePolicy

__all__ = ["build_app", "host_of", "open_served"]


def build_app(served: Served, settings: ServeSettings) -> App:
    """A worker's application.

    Args:
        served: What it serves.
        settings: How.

    Raises:
        FurrowError: Features, log or tokens can't be opened.
    """
    host, _ = host_of(served.models, served.features, stale=settings.stale, most=served.most)
    log = None if settings.log is None else PredictionLog.open(settings.log, served.logged)
    app = App(host, settings, log=log)
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through again and again
    return app


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
