"""The Open Inference Protocol, version 2, over REST: tensors of one column each, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.serving.http_problem import Problem
from furrow.serving.protocols import by_columns
from furrow.serving.strict_json import members

if TYPE_CHECKING:
    from furrow.serving.model_host import Loaded
    from furrow.serving.row_fields import RowFields

__all__ = ["model_metadata", "read_infer", "told_infer"]

_TYPES = {"Int32": "INT32", "Int64": "INT64", "Float32": "FP32", "Float64": "FP64", "Bool": "BOOL"}
"""What a field's type is called; of any other a value travels as text, which the protocol calls BYTES."""
_OPTIONAL = ("id", "parameters", "outputs")


def read_infer(body: Any, fields: RowFields) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of an inference request, and the outputs that it asks for (none: all).

    Args:
        body: The body's value.
        fields: What a row holds.

    Raises:
        Problem: It is none, or of other types than the model's.
    """
    found = members(body, "inputs", _OPTIONAL)
    if found.get("parameters"):
        raise Problem(400, "body", '"parameters" mean nothing here', field="parameters")
    inputs, wanted = found["inputs"], found.get("outputs", [])
    if not isinstance(inputs, list) or not inputs:
        raise Problem(400, "body", '"inputs" must be a list of tensors', field="inputs")
    columns: dict[str, list[Any]] = {}
    for one in inputs:
        name, values = _tensor(one, fields)
        if name in columns:
            raise Problem(400, "body", f"the input {name!a} stands there twice", field=name)
        columns[name] = values
    if not isinstance(wanted, list):
        raise Problem(400, "body", '"outputs" must be a list', field="outputs")
    names = [members(one, "name", ("parameters",))["name"] for one in wanted]
    return by_columns(columns), names


def _tensor(value: Any, fields: RowFields) -> tuple[str, list[Any]]:
    found = members(value, "name", ("shape", "datatype", "data", "parameters"))
    name, shape, data = found["name"], found.get("shape"), found.get("data")
    if not isinstance(name, str) or name not in fields.fields:
        said = f"the model has no input {ascii(name)[:60]}"
        raise Problem(422, "row", said, hint=f"it has: {', '.join(fields.fields)}")
    if found.get("parameters"):
        raise Problem(400, "body", f"{name}: binary data is not read here", field=name)
    datatype = _TYPES.get(fields.fields[name].dtype, "BYTES")
    if found.get("datatype") != datatype:
        said = f"{name} must have the datatype {datatype}, not {ascii(found.get('datatype'))[:60]}"
        raise Problem(422, "row", said, field=name)
    if (
        not isinstance(shape, list)
        or not isinstance(data, list)
        or not 1 <= len(shape) <= 2
        or shape[1:] not in ([], [1])
        or type(shape[0]) is not int
    ):
        raise Problem(
            400, "body", f"{name}: shape must be [rows] or [rows, 1], data a list", field=name
        )
    flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
    if len(flat) != shape[0]:
        said = f"{name}: shape says {shape[0]} rows, data has {len(flat)}"
        raise Problem(400, "body", said, field=name)
    return name, flat


def told_infer(
    loaded: Loaded,
    predictions: list[dict[str, float | None]],
    identities: list[str],
    *,
    wanted: list[str],
    request_id: Any,
) -> dict[str, Any]:
    """The answer: a tensor for each of the model's outputs, and one of the predictions' ids.

    Raises:
        Problem: An output was asked for that the model has not.
    """
    count = len(identities)
    outputs = [_told("id", "BYTES", identities)]
    for name in predictions[0] if predictions else ():
        values = [one[name] for one in predictions]
        if None not in values:
            outputs.append(_told(name, "FP64", values))
    if wanted:
        by_name = {one["name"]: one for one in outputs}
        missing = next((name for name in wanted if name not in by_name), None)
        if missing is not None:
            said = f"there is no output {ascii(missing)[:60]}"
            raise Problem(422, "body", said, hint=f"there are: {', '.join(by_name)}")
        outputs = [by_name[name] for name in wanted]
    found: dict[str, Any] = {"model_name": loaded.name, "model_version": loaded.version}
    if isinstance(request_id, str):
        found["id"] = request_id
    return {**found, "outputs": outputs, "parameters": {"commit": loaded.commit, "rows": count}}


def _told(name: str, datatype: str, values: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def model_metadata(loaded: Loaded) -> dict[str, Any]:
    """A model's name, version, inputs and outputs, in the protocol's words."""
    scorer = loaded.scorer
    inputs = [
        {"name": one.name, "datatype": _TYPES.get(one.dtype, "BYTES"), "shape": [-1]}
        for one in scorer.fields.fields.values()
    ]
    outputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in scorer.output_names()]
    return {
        "name": loaded.name,
        "versions": [loaded.version],
        "platform": "furrow",
        "inputs": inputs,
        "outputs": [{"name": "id", "datatype": "BYTES", "shape": [-1]}, *outputs],
    }
