"""What a person gives to `furrow features` (a folder, a moment, rows), and rows and values given back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.errors import FurrowError, UsageError
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "catalog_options",
    "check_views",
    "features_folder",
    "given_rows",
    "jsonable",
    "may_compute",
    "row_text",
    "typed_moment",
]


def catalog_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes: the folder, and JSON for scripts."""
    repo = click.option(
        "-C",
        "--repo",
        type=click.Path(path_type=Path),
        default=None,
        help="The Feast repository.  [default: features]",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
    return repo(as_json(function))


def features_folder(repo: Path | None) -> Path:
    """The features folder: the one named, else the project's, else the Feast repository around here."""
    from furrow.features.plain_compile import feast_folder  # noqa: PLC0415 - after --help
    from furrow.plan.project_root import in_project  # noqa: PLC0415 - after --help

    if repo is not None:
        return repo
    here = in_project("features")
    return here if here.exists() else feast_folder(Path.cwd()) or here


def may_compute(folder: Path) -> None:
    """On-demand features are code of the manifest: running it needs trust, if there is any."""
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help

    if load(folder).on_demand:
        require_trust(folder, "this runs the code of on-demand features")


def check_views(folder: Path, views: Iterable[str]) -> None:
    """Refuse names that are no feature views, with the one that was meant."""
    from furrow.features.catalog import UnknownNameError  # noqa: PLC0415 - after --help
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help

    known = load(folder).views
    for view in views:
        if view not in known:
            raise UnknownNameError(view, known, "feature view")


def typed_moment(text: str | None, option: str) -> datetime | None:
    """A time that was typed: ISO 8601, UTC if it names no zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: {text!r} is not a time", hint="write 2013-09-30T18:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def given_rows(
    pairs: tuple[str, ...], source: Any, types: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows asked for: one from KEY=VALUE pairs, or many from lines of JSON."""
    if bool(pairs) == (source is not None):
        raise UsageError(
            "name one row with -e KEY=VALUE, or many with --input FILE",
            hint=f"keys: {', '.join(types)}",
        )
    if pairs:
        row = {}
        for pair in pairs:
            name, sign, text = pair.partition("=")
            if not sign:
                raise UsageError(
                    f"-e {pair}: should be KEY=VALUE", hint=f"keys: {', '.join(types)}"
                )
            row[name] = _typed(name, text, types.get(name, "String"))
        return [row]
    rows = []
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as exc:
            raise FurrowError(f"{source.name}: line {number} is not JSON: {exc}") from exc
        if not isinstance(row, dict):
            raise FurrowError(
                f"{source.name}: line {number}: should be an object",
                hint='write {"key": "value", ...}',
            )
        rows.append(row)
    if not rows:
        raise FurrowError(f"{source.name} holds no rows", hint="write a JSON object a line")
    return rows


def _typed(name: str, text: str, dtype: str) -> Any:
    """A value that was typed at the terminal, in the column's type."""
    try:
        if dtype.startswith("Int"):
            return int(text)
        if dtype.startswith("Float"):
            return float(text)
        if dtype == "Bool":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise FurrowError(f"-e {name}: {text!r} is not of the type {dtype}") from None
    return text


def row_text(row: Mapping[str, Any]) -> str:
    """A row as a person reads it."""
    return ", ".join(f"{name}={value}" for name, value in row.items())


def jsonable(value: Any) -> Any:
    """A value as JSON can hold it: times in ISO 8601, null for what is not finite."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
