"""Spans of requests for OpenTelemetry.

An extra, which is loaded where its usual variables ask for it.

`OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) says where spans go, and the other
variables of OpenTelemetry hold as anywhere. A span continues the trace that `traceparent` names.
What exports runs in a thread of its own, keeps a bounded queue and drops what that can't hold: no
request waits for it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Self

from furrow.errors import MissingExtraError

if TYPE_CHECKING:
    from furrow.serving.app import Request

__all__ = ["RequestSpans"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FAULT = 500


class RequestSpans:
    """Makes a span of each request.

    Args:
        processor: An OpenTelemetry span processor, which takes them.
    """

    def __init__(self, processor: Any) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - of an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        named = "OTEL_SERVICE_NAME" in os.environ
        resource = Resource.create({} if named else {"service.name": "furrow"})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("furrow.serving")
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER
        self._fault = Status(StatusCode.ERROR)

    @classmethod
    def of_environment(cls) -> Self | None:
        """Spans that go where the environment says; None if it says nothing.

        Raises:
            MissingExtraError: It does, and the extra `otel` is not installed.
        """
        if not any(os.environ.get(name) for name in _ENDPOINTS):
            return None
        if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as exc:
            raise MissingExtraError("otel", "spans for OpenTelemetry") from exc
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def tell(self, request: Request, route: str, status: int, seconds: float) -> None:
        """A request that was answered just now.

        Args:
            request: Its head says which trace it belongs to.
            route: By its name: a path may hold what anybody wrote.
            status: Of the answer.
            seconds: How long it took.
        """
        ended = time.time_ns()
        told = request.headers
        parent = {
            name: told[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in told
        }
        span = self._tracer.start_span(
            f"{request.method} {route}",
            context=self._propagator.extract(parent),
            kind=self._kind,
            start_time=ended - int(seconds * 1e9),
            attributes={
                "http.request.method": request.method,
                "http.route": route,
                "http.response.status_code": status,
            },
        )
        if status >= _FAULT:
            span.set_status(self._fault)
        span.end(ended)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()
