"""Spans of requests: in the trace that the client began, told by route and status; off where nothing asks for them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from furrow.serving.app import App
from furrow.serving.request_spans import RequestSpans
from furrow.serving.serve_settings import ServeSettings
from tests.servingworld import ROW

from .asking import asked, host_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_is_a_span_of_its_client_s_trace(serving_world):
    """Name, kind, route, status; one that names no trace begins its own, and a fault is marked."""
    exporter = InMemorySpanExporter()
    spans = RequestSpans(SimpleSpanProcessor(exporter))
    app = App(host_of(serving_world, "binary"), ServeSettings(), spans=spans)
    with asked(app) as server:
        assert server.predict(ROW, headers={"traceparent": PARENT}).status_code == 200
        assert server.predict({"shop": 1}).status_code == 422
        assert server("GET", "/a/path/of/anybody").status_code == 404
    first, second, third = exporter.get_finished_spans()
    assert f"{first.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{first.parent.span_id:016x}" == PARENT.split("-")[2]
    assert (first.name, first.attributes["http.response.status_code"]) == ("POST predict", 200)
    assert first.end_time - first.start_time > 0
    assert second.parent is None
    assert second.attributes["http.response.status_code"] == 422
    assert third.name == "GET none"


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
            False,
        ),
    ],
)
def test_the_environment_asks_for_them(monkeypatch, variables, on):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = RequestSpans.of_environment()
    assert (found is not None) == on
    if found is not None:
        found.close()
