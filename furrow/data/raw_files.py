"""Raw tables as the contract names them: which files each is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from furrow.ground.tables import RawFiles
from furrow.layout import CI_YAML, DATA
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Contract, Table

__all__ = ["dependency", "how_to_land", "project_files", "raw_files", "table_files"]

_PLACE = re.compile(r"\{\w+\}")


def raw_files(data_dir: Path, contract: Contract, *, land: str = "") -> RawFiles:
    """The files of every table of a contract that are there.

    Args:
        data_dir: The folder of raw data.
        contract: The contract.
        land: The command that lands data, for hints.
    """
    files = {name: table_files(data_dir, table) for name, table in contract.tables.items()}
    patterns = {name: table.files for name, table in contract.tables.items()}
    return RawFiles(data_dir, files, patterns, land)


def table_files(data_dir: Path, table: Table) -> list[Path]:
    """The files of one table, in order."""
    return sorted(path for path in data_dir.glob(_PLACE.sub("*", table.files)) if path.is_file())


def dependency(table: Table) -> str:
    """What a stage that reads a table depends on: its file, or the folder of its partitions."""
    place = _PLACE.search(table.files)
    inside = table.files if place is None else table.files[: place.start()].rpartition("/")[0]
    return f"{DATA}/{inside}" if inside else DATA


def how_to_land(root: Path) -> str:
    """What lands a project's data: `prepare` of conf/ci.yaml; empty where it does not say."""
    try:
        value = read_yaml(root / CI_YAML)
        return str(value.get("prepare") or "")
    except (OSError, ParseError, AttributeError):
        return ""


def project_files(root: Path, contract: Contract) -> RawFiles:
    """The raw tables of a project."""
    return raw_files(root / DATA, contract, land=how_to_land(root))
