"""What a server says of itself.

OpenAPI, made from the manifest and the bundle, with an example row that works.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.serving.prediction_answers import outputs_of
from furrow.training.encoding import Category

if TYPE_CHECKING:
    from furrow.serving.model_host import Loaded
    from furrow.serving.row_fields import RowField
    from furrow.serving.scorer import Scorer

__all__ = ["describe", "example_row"]

SHOWN = 20
_STATUS = ["present", "null", "missing", "expired", "given", "default"]
_TYPES: dict[str, dict[str, Any]] = {
    "Int32": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "Int64": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "Float32": {"type": "number"},
    "Float64": {"type": "number"},
    "String": {"type": "string"},
    "Bool": {"type": "boolean"},
    "UnixTimestamp": {"type": "string", "format": "date-time"},
}
_EXAMPLES: dict[str, Any] = {
    "Int32": 1, "Int64": 1, "Float32": 1.0, "Float64": 1.0, "String": "a", "Bool": True,
}  # fmt: skip


def describe(loaded: list[Loaded], *, default: str, tokens: bool) -> dict[str, Any]:
    """The document: each model's paths, its rows and its answers.

    Args:
        loaded: The models that are in memory.
        default: Which of them answers `/predict`.
        tokens: Whether a token is needed.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": _problem()}
    for one in loaded:
        row, answer = f"{one.name}_row", f"{one.name}_prediction"
        schemas[row] = row_schema(one.scorer)
        schemas[answer] = _answer_schema(one.scorer)
        operation = _operation(one, row, answer)
        paths[f"/models/{one.name}/predict"] = {"post": operation}
        if one.name == default:
            paths["/predict"] = {"post": {**operation, "operationId": "predict"}}
    for path, said in _READ.items():
        paths[path] = {"get": {"summary": said, "responses": {"200": {"description": said}}}}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Furrow", "version": "1", "description": _about(loaded)},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if tokens:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


_READ = {
    "/healthz": "The process lives.",
    "/readyz": "It can answer.",
    "/metrics": "Counts, in Prometheus' text.",
    "/models": "The models and their versions.",
}


def example_row(scorer: Scorer) -> dict[str, Any]:
    """A row that the model takes: values that it saw in training, where it saw any."""
    background = scorer.bundle.background
    found = {}
    for field in scorer.fields.fields.values():
        if not field.required:
            continue
        seen = background[field.name].dropna().tolist() if field.name in background else []
        found[field.name] = seen[0] if seen else _example(field)
    return found


def row_schema(scorer: Scorer) -> dict[str, Any]:
    """A row as a JSON schema."""
    fields = scorer.fields.fields.values()
    known = _known_texts(scorer)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [one.name for one in fields if one.required],
        "properties": {one.name: _field_schema(one, known.get(one.name, [])) for one in fields},
        "examples": [example_row(scorer)],
    }


def _field_schema(field: RowField, known: list[str]) -> dict[str, Any]:
    said = {
        "key": "join key",
        "request": "field of the request",
        "feature": "a feature that the row may give in the store's place",
    }[field.role]
    schema = dict(_TYPES.get(field.dtype, {}))
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    schema["description"] = f"{field.dtype}: {said}"
    if known:
        schema["examples"] = known[:SHOWN]
        schema["description"] += f"; {len(known)} values are known from training"
    return schema


def _known_texts(scorer: Scorer) -> dict[str, list[str]]:
    """The texts that the model knows of a column; any other is taken as an unknown one."""
    predictor = scorer.bundle.fitted.predictor
    parts = predictor.encoding.parts if predictor is not None else ()
    return {
        part.column: sorted(map(str, part.codes)) for part in parts if isinstance(part, Category)
    }


def _answer_schema(scorer: Scorer) -> dict[str, Any]:
    number = {"type": ["number", "null"]}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    outputs: dict[str, Any] = {}
    for name, value in outputs_of(dict.fromkeys(scorer.output_names(), 0.0)).items():
        if name == "classes":
            outputs[name] = {"type": "object", "properties": dict.fromkeys(value, share)}
            outputs["class"] = {"type": "string", "enum": list(value)}
        elif name == "interval":
            ends = {"low": {"type": "number"}, "high": {"type": "number"}}
            outputs[name] = {"type": ["object", "null"], "properties": ends}
        elif name != "class":
            outputs[name] = share if name == "probability" else number
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            **outputs,
            "version": {"type": "string"},
            "commit": {"type": "string"},
            "features": {
                "type": "object",
                "properties": {
                    "status": {"type": "string", "enum": ["complete", "incomplete"]},
                    "absent": {"type": "object", "additionalProperties": {"enum": _STATUS}},
                },
            },
        },
    }


def _operation(one: Loaded, row: str, answer: str) -> dict[str, Any]:
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["rows"],
        "properties": {"rows": {"type": "array", "items": {"$ref": f"#/components/schemas/{row}"}}},
    }
    told = {
        "type": "object",
        "properties": {
            "predictions": {"type": "array", "items": {"$ref": f"#/components/schemas/{answer}"}}
        },
    }
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    facts = one.scorer.bundle.facts
    return {
        "operationId": f"predict_{one.name}",
        "summary": f"{facts.get('task', 'binary')} of {facts['label']}, by {one.version}",
        "parameters": [
            {"name": "explain", "in": "query", "schema": {"enum": ["0", "1"]}},
            {
                "name": "X-Request-Timeout",
                "in": "header",
                "schema": {"type": "number"},
                "description": "Seconds.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": body, "example": {"rows": [example_row(one.scorer)]}}
            },
        },
        "responses": {
            "200": {
                "description": "One prediction a row.",
                "content": {"application/json": {"schema": told}},
            },
            "default": {"description": "A problem (RFC 9457).", "content": problem},
        },
    }


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    names = ("type", "title", "detail", "field", "hint")
    return {
        "type": "object",
        "properties": {
            **dict.fromkeys(names, text),
            "status": {"type": "integer"},
            "row": {"type": "integer"},
        },
    }


def _about(loaded: list[Loaded]) -> str:
    return "; ".join(f"{one.name}: {one.version}" for one in loaded)


def _example(field: RowField) -> Any:
    if field.dtype == "UnixTimestamp":
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)
        return hour.isoformat()
    return _EXAMPLES.get(field.dtype)
