"""The stages that follow from declarations: one for each feature table, and for each training set.

What they must say is worked out from the SQL, the contract and the Feast definitions; `stage_file`
holds dvc.yaml to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.data.raw_files import dependency
from furrow.errors import FurrowError
from furrow.features.sql import parse_query, reads
from furrow.layout import (
    COMPILED,
    MANIFEST,
    PIPELINE,
    VALIDATED,
    table,
    table_sql,
    training_set,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from furrow.data.contract import Contract
    from furrow.features.manifest import Manifest
    from furrow.training.problem import Problem

__all__ = ["StageError", "WrittenStage", "expected_stages"]


class StageError(FurrowError):
    """A stage of dvc.yaml lacks a dependency, or has one that nothing reads."""


@dataclass(frozen=True)
class WrittenStage:
    """A stage as dvc.yaml must say it.

    Attributes:
        name: Of the stage.
        cmd: Its command.
        deps: Files and folders that it reads.
        params: Keys that it reads, by file.
        outs: What it makes.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]]
    outs: tuple[str, ...]


def expected_stages(
    root: Path, manifest: Manifest, contract: Contract, trained: Iterable[tuple[Problem, str]]
) -> dict[str, WrittenStage]:
    """The stages that follow from the declarations, by name.

    Args:
        root: The project.
        manifest: Of the feature store.
        contract: Of the raw data.
        trained: Each problem with a feature service that an experiment trains it on.

    Raises:
        SqlError: A spine's SQL can't be understood.
        StageError: A table or a spine reads a relation that the contract does not name.
    """
    found = [_table(name, manifest, contract) for name in manifest.tables]
    for problem, service in dict.fromkeys((one.name, service) for one, service in trained):
        about = next(one for one, _ in trained if one.name == problem)
        found.append(_training_set(root, about, service, manifest, contract))
    return {stage.name: stage for stage in found}


def _table(name: str, manifest: Manifest, contract: Contract) -> WrittenStage:
    raw = [_raw(relation, contract, table_sql(name)) for relation in manifest.tables[name].reads]
    return WrittenStage(
        f"tables_{name}",
        f"python -m furrow.stages.tables {name}",
        tuple(sorted({*raw, table_sql(name), VALIDATED})),
        {PIPELINE: ("code.tables",)},
        (table(name),),
    )


def _training_set(
    root: Path, problem: Problem, service: str, manifest: Manifest, contract: Contract
) -> WrittenStage:
    query = parse_query((root / problem.spine).read_text(encoding="utf-8"), origin=problem.spine)
    raw = [
        _raw(relation, contract, problem.spine) for relation in reads(query, origin=problem.spine)
    ]
    tables = {view.table for view in _stored(manifest, service) if view.table}
    return WrittenStage(
        f"training_set_{problem.name}_{service}",
        f"python -m furrow.stages.training_set {problem.name} {service}",
        tuple(sorted({*raw, problem.spine, COMPILED, *map(table, tables)})),
        {
            MANIFEST: (f"services.{service}.digest",),
            PIPELINE: ("code.training_set", f"problems.{problem.name}"),
        },
        (training_set(problem.name, service),),
    )


def _stored(manifest: Manifest, service: str) -> list[Any]:
    """The stored views behind a service, those that feed its on-demand views included."""
    names: set[str] = set()
    for part in manifest.services[service].views:
        if part.view in manifest.on_demand:
            names |= {entry.view for entry in manifest.on_demand[part.view].inputs}
        names.add(part.view)
    return [manifest.views[name] for name in sorted(names) if name in manifest.views]


def _raw(relation: str, contract: Contract, where: str) -> str:
    if relation not in contract.tables:
        known = ", ".join(contract.tables)
        raise StageError(
            f"{where} reads {relation}, which the data contract does not name",
            hint=f"it has: {known}",
        )
    return dependency(contract.tables[relation])
