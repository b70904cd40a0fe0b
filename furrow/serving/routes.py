"""Which path means what: the interfaces that score, and the pages that tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import MissingExtraError
from furrow.serving.http_problem import Problem
from furrow.serving.open_inference import model_metadata
from furrow.serving.openapi import describe, example_row, row_schema
from furrow.serving.serving_page import POLICY, draw

try:
    import msgspec
except ImportError as exc:
    raise MissingExtraError("serve", "a server of predictions") from exc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from furrow.serving.app import App
    from furrow.serving.model_host import Loaded

__all__ = ["Route", "encoded", "find_route"]

Told = tuple[int, list[tuple[bytes, bytes]], bytes]


def encoded(value: Any) -> bytes:
    """A value as JSON, fast."""
    return msgspec.json.encode(value)


@dataclass(frozen=True)
class Route:
    """What a path means.

    Attributes:
        name: By which it is counted.
        method: The method that it takes.
        scope: What a token must be allowed; empty for everybody.
        form: The interface that scores; empty for a page.
        tell: What a page tells: status, headers, content; None for what scores.
    """

    name: str
    method: str
    scope: str = "read"
    form: str = ""
    tell: Callable[[App, str], Awaitable[Told]] | None = None


def find_route(method: str, path: str, vertex: tuple[str, str]) -> tuple[Route, str]:
    """What a request means, and the model that its path names (empty: none).

    Args:
        method: Of HTTP.
        path: Of the request.
        vertex: Paths that Vertex asks for health and for predictions.

    Raises:
        Problem: There is nothing at this path, or not by this method.
    """
    route, name = ROUTES.get(path), ""
    if route is None:
        route, name = _of_model(path)
        route = route if name else None
    if route is None and path in vertex and path:
        route = _READY if path == vertex[0] else _VERTEX
    if route is None:
        raise Problem(
            404, "path", f"there is nothing at {ascii(path)[:200]}", hint="/ says what there is"
        )
    if method != route.method and (method, route.method) != ("HEAD", "GET"):
        said = f"this path takes {route.method}, not {ascii(method)[:20]}"
        raise Problem(405, "method", said, headers=((b"allow", route.method.encode()),))
    return route, name


def _of_model(path: str) -> tuple[Route | None, str]:
    """The route of a path that names a model."""
    parts = path.split("/")[1:]
    if parts[:1] == ["v2"]:
        return (
            (_V2.get("/".join(parts[3:])), parts[2])
            if parts[1:2] == ["models"] and len(parts) > 2
            else (None, "")
        )
    if parts[:1] == ["models"] and len(parts) in (2, 3):
        return MODEL_ROUTES.get("/".join(parts[2:])), parts[1]
    return None, ""


def _json(value: Any, status: int = 200) -> Told:
    return status, [(b"content-type", b"application/json")], encoded(value)


async def _alive(app: App, name: str) -> Told:
    del app, name
    return _json({"status": "alive"})


async def _ready(app: App, name: str) -> Told:
    """Whether it can answer: the models are loaded, and predictions can be logged."""
    why = ""
    if not app.started:
        why = "starting, or stopping"
    elif app.log is not None and app.log.settings.when_full == "stop" and app.log.stalled:
        why = "predictions can't be logged"
    elif name and app.host.ready(name) is None and name not in app.host.names():
        raise Problem(404, "model", f"there is no model {ascii(name)[:100]}")
    if why:
        raise Problem(503, "not-ready", why, retry_after=1)
    found = app.host.ready(name or app.host.default)
    return _json({"status": "ready", **(_about(found) if found else {})})


async def _metrics(app: App, name: str) -> Told:
    del name
    app.metrics.gauges["furrow_waiting"] = app.scoring.waiting
    if app.log is not None:
        app.metrics.gauges["furrow_log_dropped_total"] = app.log.dropped
    kind = b"text/plain; version=0.0.4; charset=utf-8"
    return 200, [(b"content-type", kind)], app.metrics.text().encode()


async def _models(app: App, name: str) -> Told:
    del name
    found = [app.host.ready(one) for one in app.host.names()]
    entries = [
        _about(one) if one else {"name": name, "loaded": False}
        for name, one in zip(app.host.names(), found, strict=True)
    ]
    return _json({"default": app.host.default, "models": entries})


async def _model(app: App, name: str) -> Told:
    loaded = await app.scoring.loaded(name)
    facts = loaded.scorer.bundle.facts
    return _json({
        **_about(loaded), "task": facts.get("task", "binary"), "label": facts["label"],
        "features_digest": facts["features_digest"], "model_sha256": facts["model_sha256"],
        "row": row_schema(loaded.scorer), "example": {"rows": [example_row(loaded.scorer)]},
    })  # fmt: skip


async def _metadata(app: App, name: str) -> Told:
    return _json(model_metadata(await app.scoring.loaded(name)))


async def _server(app: App, name: str) -> Told:
    del app, name
    return _json({"name": "furrow", "version": "1", "extensions": []})


async def _openapi(app: App, name: str) -> Told:
    del name
    return _json(_document(app))


async def _page(app: App, name: str) -> Told:
    del name
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY)]
    return 200, headers, draw(_document(app)).encode()


def _document(app: App) -> dict[str, Any]:
    held = [one for name in app.host.names() if (one := app.host.ready(name)) is not None]
    return describe(held, default=app.host.default, tokens=app.tokens is not None)


def _about(loaded: Loaded) -> dict[str, Any]:
    return {"name": loaded.name, "version": loaded.version, "commit": loaded.commit, "variant": loaded.variant,
            "loaded": True}  # fmt: skip


_READY = Route("ready", "GET", "", tell=_ready)
_VERTEX = Route("vertex", "POST", "predict", "vertex")
_PREDICT = Route("predict", "POST", "predict", "rows")
_INFER = Route("infer", "POST", "predict", "infer")
_METADATA = Route("metadata", "GET", tell=_metadata)
ROUTES = {
    "/": Route("page", "GET", tell=_page),
    "/openapi.json": Route("openapi", "GET", tell=_openapi),
    "/healthz": Route("health", "GET", "", tell=_alive),
    "/readyz": _READY,
    "/metrics": Route("metrics", "GET", tell=_metrics),
    "/models": Route("models", "GET", tell=_models),
    "/predict": _PREDICT,
    "/invocations": Route("invocations", "POST", "predict", "invocation"),
    "/ping": _READY,
    "/v2": Route("server", "GET", tell=_server),
    "/v2/health/live": Route("health", "GET", "", tell=_alive),
    "/v2/health/ready": _READY,
}
MODEL_ROUTES = {"": Route("model", "GET", tell=_model), "predict": _PREDICT}
_V2 = {"": _METADATA, "ready": _READY, "infer": _INFER}
