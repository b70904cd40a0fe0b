"""Requests: what a prediction asks for, filled in where it is declared and checked for what is missing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.layout import PREDICT_YAML
from furrow.parse import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["RequestError", "complete"]

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class RequestError(FurrowError):
    """A prediction was asked for without a field that the model needs."""


def complete(
    root: Path, row: Mapping[str, Any], at: datetime, needs: Iterable[str]
) -> dict[str, Any]:
    """Fill in the request fields that conf/predict.yaml derives from the prediction time.

    Args:
        root: The repository.
        row: The fields that were given.
        at: The prediction time.
        needs: The fields that the model needs.

    Raises:
        RequestError: A field is missing, or the file is malformed.
    """
    path = root / PREDICT_YAML
    declared = (read_yaml(path) or {}) if path.is_file() else {}
    filled = dict(row)
    for name, text in (declared.get("ahead") or {}).items():
        match = re.fullmatch(r"(\d+)([mhd])", str(text))
        if match is None:
            raise RequestError(
                f"{path}: ahead.{name} {text!r} is not a time span",
                hint="write it as 90m, 2h or 1d",
            )
        filled.setdefault(name, at + timedelta(**{UNITS[match[2]]: int(match[1])}))
    missing = [name for name in needs if name not in filled]
    if missing:
        options = " ".join(f"--{name.replace('_', '-')} VALUE" for name in missing)
        raise RequestError(f"the model needs {', '.join(missing)}", hint=f"add {options}")
    return filled
