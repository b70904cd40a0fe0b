"""The declared columns of the raw data, as far as digests and lineage need them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONTRACT", "declared_columns", "read_contract"]

_OR_NULL = "_or_null"
CONTRACT = Path("conf") / "data" / "contract.yaml"


def read_contract(root: Path) -> dict[str, dict[str, str]]:
    """Columns and types that the data's contract declares, by relation.

    Empty if there is no contract.

    Args:
        root: The repository.

    Raises:
        FurrowError: The contract is not YAML.
    """
    path = root / CONTRACT
    try:
        declared = read_yaml(path)
    except FileNotFoundError:
        return {}
    except (OSError, ParseError) as exc:
        raise FurrowError(f"cannot read {path}: {exc}") from exc
    tables = declared.get("tables", declared) if isinstance(declared, dict) else {}
    found = {name: _types(table) for name, table in tables.items() if isinstance(table, dict)}
    return {name: columns for name, columns in found.items() if columns}


def declared_columns(table: Mapping[str, Any]) -> dict[str, Any]:
    """What a table of a contract says of each column: those of `types`, and those of `columns`.

    Args:
        table: The table, as YAML has it; what is of no such form is passed over.
    """
    found: dict[str, Any] = {}
    typed, columns = table.get("types"), table.get("columns")
    for said, names in typed.items() if isinstance(typed, dict) else ():
        kind = str(said).removesuffix(_OR_NULL)
        rule = {"type": kind, "nullable": kind != said}
        found |= {str(name): rule for name in (names if isinstance(names, list) else ())}
    if isinstance(columns, list):
        columns = {column.get("name"): column for column in columns if isinstance(column, dict)}
    if isinstance(columns, dict):
        found |= {str(name): column for name, column in columns.items()}
    return found


def _types(table: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(
            column.get("type", column.get("dtype", "")) if isinstance(column, dict) else column
        )
        for name, column in declared_columns(table).items()
    }
