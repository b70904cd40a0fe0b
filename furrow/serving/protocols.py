"""The interfaces of other servers, as rows in and answers out: Vertex, MLflow and SageMaker.

Each reads a body into rows of fields, and gives answers back in its own form. What a score is stays
the scorer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.serving.http_problem import Problem
from furrow.serving.strict_json import members

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMS", "Form", "read_invocation", "read_rows", "read_vertex", "told_predictions"]


@dataclass(frozen=True)
class Form:
    """One interface.

    Attributes:
        read: Rows from a body's value.
        tell: The answer's value from the answers of rows.
    """

    read: Callable[[Any], list[dict[str, Any]]]
    tell: Callable[[list[dict[str, Any]], dict[str, str]], dict[str, Any]]


def read_rows(body: Any) -> list[dict[str, Any]]:
    """Rows of `{"rows": [{...}]}`.

    Raises:
        Problem: It is none.
    """
    return _records(members(body, "rows")["rows"], "rows")


def read_vertex(body: Any) -> list[dict[str, Any]]:
    """Rows of Vertex's `{"instances": [{...}]}`.

    Raises:
        Problem: It is none.
    """
    found = members(body, "instances", ("parameters",))
    _nothing(found, "parameters")
    return _records(found["instances"], "instances")


def read_invocation(body: Any) -> list[dict[str, Any]]:
    """Rows of what MLflow's scoring server takes, in any of its forms, or of our own.

    Raises:
        Problem: It is none of them.
    """
    if not isinstance(body, dict):
        raise Problem(400, "body", "the body must be an object", hint=_INVOCATION)
    names = [name for name in _READERS if name in body]
    if len(names) != 1:
        said = "the body must have one of them: " + ", ".join(_READERS)
        raise Problem(400, "body", said, hint=_INVOCATION)
    name = names[0]
    found = members(body, name, ("params",))
    _nothing(found, "params")
    return _READERS[name](found[name], name)


def told_rows(answers: list[dict[str, Any]], about: dict[str, str]) -> dict[str, Any]:
    """Our own answer: the predictions, and who gave them."""
    return {**about, "predictions": answers}


def told_predictions(answers: list[dict[str, Any]], about: dict[str, str]) -> dict[str, Any]:
    """Vertex's and MLflow's answer: the predictions alone, one a row."""
    del about
    return {"predictions": answers}


_INVOCATION = '{"dataframe_records": [{FIELD: VALUE}]}'


def _records(value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Problem(400, "body", f'"{name}" must be a list of rows', field=name)
    for place, row in enumerate(value):
        if not isinstance(row, dict):
            said = f"row {place} must be an object of fields, got {type(row).__name__}"
            raise Problem(422, "row", said, row=place)
    return value


def _split(value: Any, name: str) -> list[dict[str, Any]]:
    """MLflow's data frame as columns and rows of values."""
    found = members(value, "data", ("columns", "index"))
    columns, data = found.get("columns"), found["data"]
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise Problem(400, "body", f'"{name}" needs "columns", a list of names', field="columns")
    if len(set(columns)) < len(columns):
        raise Problem(400, "body", f'"{name}" names a column twice', field="columns")
    if not isinstance(data, list):
        raise Problem(400, "body", f'"{name}" needs "data", a list of rows', field="data")
    for place, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            said = f"row {place} must be a list of {len(columns)} values, as columns says"
            raise Problem(422, "row", said, row=place)
    return [dict(zip(columns, row, strict=True)) for row in data]


def _inputs(value: Any, name: str) -> list[dict[str, Any]]:
    """MLflow's inputs: a list of rows, or columns of equal length by name."""
    if isinstance(value, list):
        return _records(value, name)
    if (
        not isinstance(value, dict)
        or not value
        or not all(isinstance(one, list) for one in value.values())
    ):
        raise Problem(400, "body", f'"{name}" must be rows, or columns by name', field=name)
    return by_columns(value)


def by_columns(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Rows of columns.

    Raises:
        Problem: They are of different lengths.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    count = next(iter(lengths.values()))
    odd = next((name for name, length in lengths.items() if length != count), None)
    if odd is not None:
        said = f"{ascii(odd)[:60]} has {lengths[odd]} values, the first column {count}"
        raise Problem(400, "body", said, field=odd[:60])
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _nothing(found: dict[str, Any], name: str) -> None:
    """See that parameters, which mean nothing here, aren't given and quietly passed over."""
    if found.get(name):
        raise Problem(400, "body", f'"{name}" means nothing here', field=name, hint="leave it out")


_READERS: dict[str, Callable[[Any, str], list[dict[str, Any]]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _records,
    "inputs": _inputs,
    "rows": _records,
}

FORMS = {
    "rows": Form(read_rows, told_rows),
    "vertex": Form(read_vertex, told_predictions),
    "invocation": Form(read_invocation, told_predictions),
}
