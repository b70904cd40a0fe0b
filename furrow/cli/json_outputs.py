"""What each command prints with --json: one object with a `format`, named fields, and `error` where it failed.

`furrow schema outputs` prints it as one JSON schema; a test holds what commands print against it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["OUTPUTS", "output_schemas"]

OUTPUTS = {
    "add experiment": "written:list notes:list",
    "add metric": "written:list notes:list",
    "add problem": "written:list notes:list",
    "add service": "written:list notes:list",
    "add table": "written:list notes:list",
    "add view": "written:list notes:list",
    "adopt": "experiment:str trial:str overrides:list service:str warnings:list",
    "apply": "seconds:num left:dict registered:str? ran:list restored:list",
    "approve": "version:str environment:str by:list needed:int problems:list",
    "audit": "kind:str of:str at:str unknown:list sections:dict",
    "ci": (
        "passed:bool verdict:str commit:str checks:list stages:list runs:list changes:dict"
        " replays:list offered:str"
    ),
    "ci status": "running:list waiting:list commits:list",
    "compile": "experiments:list changed:bool|list check:bool",
    "cost": "by:str spent:dict budget:dict? over:bool",
    "data card": "problem:str commit:str card:str",
    "data check": (
        "passed:bool violations:list not_checked:list rows:dict rules:int as_of:str contract:str"
    ),
    "data profile": "tables:list",
    "deployments": "environments:list",
    "doctor": "findings:list",
    "features compare-stores": "",
    "features diff": "rev:str changes:list services:list experiments:list models:list",
    "features digest": "digest:str",
    "features get": "service:str digest:str rows:list",
    "features list": "entries:list",
    "features materialize": "views:list",
    "features push": "view:str pushed:int newer:int",
    "features search": "entries:list",
    "features show": "kind:str name:str digest:str services:list experiments:list models:list",
    "features verify": "reports:list",
    "fsck": "holds:bool findings:list",
    "gate": "problems:dict",
    "gc": "removed:bool freed:int found:list",
    "import dvc": "",
    "import mlflow": "",
    "install": "dry_run:bool uninstall:bool changes:list",
    "labels land": "path:str rows:int new:int",
    "log": "rows:list",
    "models diff": "metrics:dict",
    "models get": "version:str folder:str",
    "models list": "versions:list",
    "models log": "changes:list",
    "models promote": "version:str environment:str branch:str",
    "models register": "name:str version:str commit:str registered:str by:str",
    "models rollback": "version:str environment:str branch:str",
    "models show": "name:str version:str commit:str registered:str by:str",
    "monitor": (
        "windows:list references:dict labels:dict skew:dict shifts:dict arrived_late:dict"
        " alarms:list fresh:list notes:list"
    ),
    "plan": (
        "kind:str difference:bool summary:dict resources:list stages:list breaks:list seconds:num?"
        " head:str"
    ),
    "predict": (
        "experiment:str row:dict task:str at:str source:str features:dict status:dict"
        " contributions:dict"
    ),
    "replay": "status:str stages:list environment:dict",
    "retrain": "result:str causes:list",
    "runs": "columns:list runs:list total:int commits:int shallow:bool problems:list",
    "runs diff": (
        "before:str after:str config:list metrics:list comparison:dict? untested:str"
        " features_added:list features_dropped:list rows:dict data:dict code:list"
    ),
    "runs history": "experiment:str metric:str points:list names:list",
    "runs note": "run:str notes:list tags:list",
    "runs show": (
        "run:str commit:str made_by:dict parent:str? config:dict metrics:dict intervals:dict"
        " slices:list features:dict outputs:list record:dict environment:dict resources:list"
        " code:list replays:list problems:list curves:dict"
    ),
    "runs watch": "runs:list",
    "schema": "written:list",
    "score": "commit:str score:num points:num means:str sections:dict tests:list",
    "simulate": "day:str predictions:int labels:int alarms:list fresh:list retrain:list",
    "status": "environment:str",
    "trace": "equal:bool",
    "trust": "",
    "try": "metric:str direction:str|num trials:list",
    "ui": "",
    "verify": "of:str holds:bool weakest:str links:list policy:str",
}
"""By command, the fields that are always there: NAME:TYPE, with `?` for null besides and `|` for either."""

_TYPES = {
    "str": "string", "int": "integer", "num": "number", "bool": "boolean", "list": "array", "dict": "object",
}  # fmt: skip
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["message", "hint", "exit_code"],
    "properties": {
        "message": {"type": "string", "description": "what failed, and where"},
        "hint": {"type": "string", "description": "what to do next; may be empty"},
        "exit_code": {"type": "integer", "minimum": 1},
    },
}


def output_schemas() -> dict[str, Any]:
    """One JSON schema with a definition for each command: its fields, or `error`."""
    definitions = {name: _schema(fields) for name, fields in sorted(OUTPUTS.items())}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What furrow prints with --json",
        "type": "object",
        "required": ["format"],
        "$defs": {"error": ERROR, **definitions},
    }


def _schema(fields: str) -> dict[str, Any]:
    pairs = dict(one.split(":") for one in fields.split())
    known = {name: {"type": _types(kind)} for name, kind in pairs.items()}
    properties: dict[str, Any] = {"format": {"type": "integer", "minimum": 1}, **known}
    failed = {"required": ["format", "error"]}
    properties["error"] = {"$ref": "#/$defs/error"}
    done = {"required": ["format", *known]}
    return {"type": "object", "properties": properties, "anyOf": [done, failed]}


def _types(kind: str) -> list[str]:
    names = [_TYPES[one] for one in kind.removesuffix("?").split("|")]
    return [*names, "null"] if kind.endswith("?") else names
