"""Whether data keep their contract.

As this machine checked them last, and as a commit's dvc.lock says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.drawing.strips import strips
from furrow.errors import FurrowError
from furrow.files import read_json, sha256_json
from furrow.ground.bounded_parquet import UnpackedError, open_bounded
from furrow.history.artifacts import lock_stage
from furrow.history.raw_data import is_raw, raw_outputs
from furrow.layout import VALIDATION
from furrow.monitoring.drift_sizes import drifts
from furrow.monitoring.profile_counts import count, reference_of
from furrow.web.content import Drawing, Mark, Note, Table
from furrow.web.sample_rows import files_inside

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Contract
    from furrow.data.contract import Table as Declared
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["contract_state", "partition_drift"]

_ROWS, _PARTS, _COLUMNS = 200_000, 24, 40
_MOVED = 0.1
"""A population stability index from which a column counts as moved: the usual mark of a moderate change."""


def contract_state(site: Site, commit: str, contract: Contract, *, here: bool) -> list[Block]:
    """What is known of the data's keeping of their contract.

    Args:
        site: The site.
        commit: The commit that is shown.
        contract: Its contract.
        here: Whether the work tree's own data are those of the commit.
    """
    blocks: list[Block] = [_committed(site, commit)]
    if here:
        blocks += _checked(site.root / VALIDATION, contract)
    return blocks


def _committed(site: Site, commit: str) -> Note:
    """Whether the stage that checks passed on these very data, by dvc.lock."""
    found = raw_outputs(site.root, commit)
    deps = lock_stage(site.root, commit, "validate").get("deps")
    seen = {
        str(one.get("path")): one.get("md5")
        for one in (deps if isinstance(deps, list) else ())
        if isinstance(one, dict) and is_raw(str(one.get("path")))
    }
    if not seen:
        return Note("dvc.lock of this commit names no check of its data.", "warn")
    if all(path in found and found[path].md5 == md5 for path, md5 in seen.items()):
        return Note("Checked: the stage `validate` passed on these very data, by dvc.lock.", "good")
    return Note("dvc.lock names a check of other data than this commit's.", "warn")


def _checked(path: Path, contract: Contract) -> list[Block]:
    """The last check on this machine."""
    if not path.is_file():
        return [Note("Not checked on this machine. Next: furrow data check")]
    try:
        said: Any = read_json(path)
        passed, rules = bool(said["passed"]), int(said["rules"])
        rows = sum(int(n) for counts in said["rows"].values() for n in counts.values())
        digest, violations = str(said["contract"]), list(said["violations"])
    except (FurrowError, KeyError, TypeError, ValueError, AttributeError) as exc:
        return [Note(f"The report of the last check can't be read: {exc}", "bad")]
    now = sha256_json(contract.model_dump(mode="json", by_alias=True))
    about = f"{rules} rules over {rows:,} rows, as of {str(said.get('as_of') or 'no date')[:16]}"
    notes: list[Block] = [
        Note(f"The last check here: {'all rules hold' if passed else 'BROKEN'}; {about}.",
             "good" if passed else "bad")
    ]  # fmt: skip
    if digest != now:
        notes.append(Note("The contract is another one since. Next: furrow data check", "warn"))
    if violations:
        rows_of = [
            (str(one.get("table")), str(one.get("column")), str(one.get("rule")),
             str(one.get("message")), one.get("count"))
            for one in violations[:100] if isinstance(one, dict)
        ]  # fmt: skip
        notes.append(Table("violations", ("table", "column", "rule", "what", "count"), rows_of))
    return notes


def partition_drift(folder: Path, name: str, declared: Declared) -> list[Block]:
    """How far the columns of each partition lie from those of the one before.

    Args:
        folder: The raw data.
        name: The table.
        declared: What the contract says of it.
    """
    paths = files_inside(folder, declared)[-_PARTS:]
    if len(paths) < 2 or not declared.period:
        return []
    try:
        tables = [_read(path, declared) for path in paths]
    except (pa.ArrowException, OSError, UnpackedError) as exc:
        return [Note(f"{name} can't be read: {str(exc).splitlines()[0]}", "bad")]
    labels = [path.stem for path in paths]
    rows: list[tuple[Any, ...]] = []
    moved: dict[str, list[bool]] = {}
    for at in range(1, len(tables)):
        shared = [
            one for one in tables[at].column_names
            if one in tables[at - 1].column_names and _countable(tables[at].schema.field(one).type)
        ]  # fmt: skip
        before = reference_of(tables[at - 1], shared)
        for one in drifts(before, count(tables[at], before.bins)):
            if one.psi is None:
                continue
            if one.psi.low >= _MOVED:
                moved.setdefault(one.column, [False] * (len(labels) - 1))[at - 1] = True
            rows.append((one.column, labels[at - 1], labels[at], one.psi.value, one.psi.low,
                         one.psi.high, one.nulls[0], one.nulls[1],
                         Mark("moved", "warn") if one.psi.low >= _MOVED else None))  # fmt: skip
    rows.sort(key=lambda one: -one[3])
    heads = ("column", "from", "to", "index", "low", "high", "null before", "null after", "")
    blocks: list[Block] = []
    if moved:
        order = sorted(moved, key=lambda one: (-sum(moved[one]), one))
        title = f"Columns of {name} that moved from one {declared.period} to the next"
        drawn = strips(labels[1:], {one: moved[one] for one in order}, title=title)
        blocks.append(Drawing(title, drawn, broad=True))
    about = (
        "Population stability index over tenths of the partition before, with its interval; moved:"
        f" surely 0.1 or more. At most {_ROWS:,} rows of each file, the first ones."
    )
    return [*blocks, Table(f"{name}-drift", heads, rows[:200], total=len(rows)), Note(about)]


def _read(path: Path, declared: Declared) -> pa.Table:
    """The first rows of a file, of columns that the contract names."""
    with open_bounded(path) as file:
        columns = [one for one in declared.columns if one in file.schema.names][:_COLUMNS]
        parts, seen = [file.schema.empty_table().select(columns)], 0
        for part in file.parts(50_000, columns):
            parts.append(part)
            seen += part.num_rows
            if seen >= _ROWS:
                break
        return pa.concat_tables(parts)


def _countable(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return any(test(kind) for test in tests)
