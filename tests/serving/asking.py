"""An ASGI application asked in this process: one loop, no socket."""

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from furrow.features.client import FeatureClient
from furrow.serving.app import App
from furrow.serving.model_host import Host, Loaded
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.scorer import Scorer
from furrow.serving.serve_settings import ServeSettings

__all__ = ["Asked", "application", "asked", "host_of"]

BASE = "http://127.0.0.1:8080"


class Asked:
    """An application in a loop of its own."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.loop = loop

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request's answer."""
        return self.together([(method, path, options)])[0]

    def together(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """The answers of requests that come at the same time."""

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                asked = [
                    client.request(method, path, **options) for method, path, options in requests
                ]
                return await asyncio.gather(*asked)

        return self.loop.run_until_complete(ask())

    def predict(
        self, *rows: dict[str, Any], path: str = "/predict", **options: Any
    ) -> httpx.Response:
        """POST rows."""
        return self("POST", path, json={"rows": list(rows)}, **options)


def host_of(world: Any, *tasks: str, client: FeatureClient | None = None, most: int = 8) -> Host:
    """The world's models under their tasks' names; the first is the default."""
    features = client or FeatureClient.open(world.features)

    def opener(task: str) -> Any:
        return lambda: Loaded(
            Scorer.open(world.bundle(task), features), task, f"{task}@v1.0.0", "c" * 40
        )

    return Host({task: opener(task) for task in tasks}, default=tasks[0], most=most)


def application(world: Any, *tasks: str, log: Path | None = None, **settings: Any) -> App:
    """An application, not started."""
    written = PredictionLog.open(log) if log else None
    return App(host_of(world, *(tasks or ("binary",))), ServeSettings(**settings), log=written)


@contextmanager
def asked(app: App) -> Any:
    """The application, started; stopped at the end."""
    loop = asyncio.new_event_loop()
    app.start()
    try:
        yield Asked(app, loop)
    finally:
        app.stop()
        loop.close()
