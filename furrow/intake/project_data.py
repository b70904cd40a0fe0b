"""A project's own data, landed as its contract declares."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from furrow.data.contract import load_contract
from furrow.errors import FurrowError
from furrow.files import inside
from furrow.intake.file_patterns import files_of
from furrow.intake.given import Given
from furrow.intake.landed import Landed, land
from furrow.intake.postgres_address import is_postgres, without_password
from furrow.layout import CONTRACT, DATA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["given_of", "land_all"]


def land_all(
    root: Path,
    sources: Mapping[str, Sequence[str]],
    *,
    timezone: str = "UTC",
    numbered: Mapping[str, str] | None = None,
) -> list[Landed]:
    """Land each table where the contract says, with the types that it declares.

    Args:
        root: The project.
        sources: Where each table comes from: files from the project's root, patterns of files,
            addresses; PLACE#TABLE of a database.
        timezone: Of moments that name no zone.
        numbered: Tables whose rows are counted, and what the column of the count is called.

    Raises:
        FurrowError: A source can't be read, is not as declared, or is of a table that the contract
            does not name.
    """
    tables = load_contract(root / CONTRACT).tables
    unknown = [name for name in sources if name not in tables]
    if unknown:
        raise FurrowError(
            f"{CONTRACT} names no table {unknown[0]!r}",
            hint="declare its file and its columns there",
        )
    found = []
    for name, places in sources.items():
        columns = {column: declared.type for column, declared in tables[name].columns.items()}
        target = inside(root, f"{DATA}/{tables[name].files}")
        given, count = given_of(root, name, places), (numbered or {}).get(name, "")
        found.append(
            land(
                given,
                target,
                columns=columns,
                in_order=not tables[name].types,
                timezone=timezone,
                numbered=count,
            )
        )
    return found


def given_of(root: Path, name: str, places: Sequence[str]) -> Given:
    """A source as it is written down.

    Args:
        root: The project.
        name: Of the table.
        places: Files from the project's root, patterns, addresses; PLACE#TABLE of a database.

    Raises:
        GivenError: No file follows a pattern.
    """
    table = "" if (root / places[0]).exists() else places[0].partition("#")[2]
    bare = [place.removesuffix(f"#{table}") if table else place for place in places]
    if is_postgres(bare[0]):
        address, password = without_password(bare[0])
        return Given(name, (address,), unquote(table), password)
    return Given(
        name,
        tuple(
            one for place in bare for one in ([place] if "://" in place else files_of(root, place))
        ),
        table,
    )
