"""Compile: what Git declares, checked as a whole and written out for the stages to depend on."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.data.contract import contract_digest, load_contract
from furrow.errors import FurrowError
from furrow.features.definition_check import Problem, check_definitions
from furrow.features.manifest_cache import remember
from furrow.files import write_json, write_text
from furrow.ground.sql_binding import bind
from furrow.layout import (
    COMPILED,
    CONF,
    CONTRACT,
    EVALUATIONS,
    FEATURES,
    MANIFEST,
    PIPELINE,
    RUN_CONFIG,
    run_file,
    table_sql,
)
from furrow.plan.stage_file import check_compile, check_stages
from furrow.plan.stage_graph import WrittenStage, expected_stages
from furrow.training.config import Experiment, dump
from furrow.training.declare import DeclarationError, gate, resolve
from furrow.training.declare import problem as declared_problem
from furrow.training.gate import gate_json
from furrow.training.own_metrics import own_metrics
from furrow.training.stage_code import experiment_code, stage_digest
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.features.schema import View
    from furrow.training.problem import Problem as Declared

__all__ = ["MARKER", "Compiled", "DefinitionsError", "compile_repository", "write"]

MARKER = COMPILED


class DefinitionsError(FurrowError):
    """Feature definitions that don't fit together; every problem is told."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            "features/:\n  " + "\n  ".join(map(str, problems)),
            hint="mend the definitions, then run again",
        )
        self.problems = problems


@dataclass(frozen=True)
class Compiled:
    """Everything that compile writes.

    Attributes:
        manifest: Of the feature store.
        experiments: Resolved configs by name.
        pipeline: Digests that the stages depend on, the gates, and the problems.
        stages: That dvc.yaml must have.
        notes: What a person should know: a column of a feature table that no view has.
    """

    manifest: Manifest
    experiments: dict[str, Experiment]
    pipeline: dict[str, Any]
    stages: Mapping[str, WrittenStage] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def files(self) -> dict[str, str]:
        """Text by path, for a comparison with what a commit holds."""
        return {
            run_file(name, RUN_CONFIG): dump(experiment)
            for name, experiment in self.experiments.items()
        }


def compile_repository(
    root: Path, manifest: Manifest | None = None, *, check: bool = True
) -> Compiled:
    """Read and check every declaration of a repository; write nothing.

    Args:
        root: The repository.
        manifest: Of the feature store, if it is known that the definitions give this one.
        check: Whether dvc.yaml must have the stages that follow from the declarations.

    Raises:
        FurrowError: A declaration is malformed, or two of them don't agree; or SQL can't run on
            the tables that the contract declares.
    """
    if manifest is None:
        # Feast takes seconds to import
        from furrow.features.build import compile_manifest  # noqa: PLC0415

        manifest = compile_manifest(root / FEATURES)
    wrong = check_definitions(manifest)
    if wrong:
        raise DefinitionsError(wrong)
    services = {name: service.digest for name, service in manifest.services.items()}
    own = own_metrics(root)
    conf = root / CONF
    experiments = resolve(
        conf, services, lambda experiment: experiment_code(root, experiment, own), own
    )
    for experiment in experiments.values():
        _check_keys(experiment, manifest)
    problems = {
        name: declared_problem(conf, name)
        for name in dict.fromkeys(one.problem.name for one in experiments.values())
    }
    contract = load_contract(root / CONTRACT)
    trained = [(problems[one.problem.name], one.features.service) for one in experiments.values()]
    pipeline = {
        "format": 2,
        "contract": contract_digest(root / CONTRACT),
        "gates": {name: gate_json(gate(conf, name, own)) for name in problems},
        "problems": {name: _spine_of(one) for name, one in problems.items()},
        "code": {
            stage: stage_digest(root, stage)
            for stage in ("validate", "tables", "training_set", "select")
        },
    }
    stages = expected_stages(root, manifest, contract, trained)
    spines = dict.fromkeys(one.spine for one in problems.values())
    given = bind(
        [root / name for name in (*map(table_sql, manifest.tables), *spines)],
        {
            name: {column: one.type for column, one in raw.columns.items()}
            for name, raw in contract.tables.items()
        },
    )
    if check:
        check_stages(root, stages)
        check_compile(
            root, {f"{one.function.partition(':')[0].replace('.', '/')}.py" for one in own.values()}
        )
    notes = tuple(
        _left_over(manifest, {name: given[root / table_sql(name)] for name in manifest.tables})
    )
    return Compiled(manifest, experiments, pipeline, stages, notes)


def _left_over(manifest: Manifest, given: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A line for each feature table with columns that none of its views has as a feature.

    Raises:
        DeclarationError: A view has a column that its table's SQL does not make.
    """
    for name, columns in given.items():
        views = [view for view in manifest.views.values() if view.table == name]
        used: set[str] = set()
        for view in views:
            named = _columns_of(view)
            for missing in [one for one in named if one not in columns]:
                close = difflib.get_close_matches(missing, columns, 1)
                raise DeclarationError(
                    f"view {view.name} has {missing}, which {table_sql(name)} does not make",
                    hint=f"did you mean {close[0]!r}?"
                    if close
                    else f"it makes: {', '.join(columns)}",
                )
            used.update(named)
        left = [column for column in columns if column not in used]
        if left and views:
            told = f"{', '.join(left)}, and no view has {'them' if len(left) > 1 else 'it'}"
            add = f'add `Field(name="{left[0]}", ...)` to the view {views[0].name}'
            yield f"{table_sql(name)} makes {told}: to have a feature of it, {add}"


def _columns_of(view: View) -> list[str]:
    """The columns of its source that a view reads."""
    source = {feature: column for column, feature in view.field_mapping.items()}
    named = [source.get(one.name, one.name) for one in (*view.join_keys, *view.features)]
    created = [view.created_timestamp_column] if view.created_timestamp_column else []
    return [*named, view.timestamp_field, *created]


def _spine_of(one: Declared) -> dict[str, Any]:
    """What a problem's training sets hang on; its split, slices and metrics are not among it."""
    names = ("task", "entity", "spine", "label", "known_after", "positive", "horizons", "season")
    return {name: getattr(one, name) for name in names}


def _check_keys(experiment: Experiment, manifest: Manifest) -> None:
    """Refuse keys that are not known when a model predicts.

    A column of the spine is no feature because it is there.

    Raises:
        DeclarationError: An experiment names one.
    """
    problem = experiment.problem
    known = {key.name for view in manifest.views.values() for key in view.join_keys} | set(
        problem.entity
    )
    known |= {
        entry.name
        for view in manifest.on_demand.values()
        for entry in view.inputs
        if entry.view == "request"
    }
    known |= set(load_task(problem.task).known_columns(problem))
    for key in experiment.features.keys:
        if key not in known:
            raise DeclarationError(
                f"experiment {experiment.name}: features.keys names {key!r}, which is neither of"
                " the problem's entity, nor a join key, nor a request field of a feature view",
                hint=f"there are: {', '.join(sorted(known))}; make a feature of anything else",
            )


def write(root: Path, compiled: Compiled) -> list[str]:
    """Write what was compiled; files that already say so are left alone.

    Returns:
        The paths that changed.
    """
    changed = [path for path, text in compiled.files().items() if _update(root / path, text)]
    for path, value in (
        (PIPELINE, compiled.pipeline),
        (MANIFEST, compiled.manifest.to_json()),
    ):
        before = (root / path).read_bytes() if (root / path).is_file() else b""
        write_json(root / path, value)
        if (root / path).read_bytes() != before:
            changed.append(path)
    remember(root / FEATURES)
    for stale in (root / EVALUATIONS).glob("*.json"):
        if stale.stem not in compiled.experiments:
            stale.unlink()
    write_text(root / MARKER, "compiled\n")
    return changed


def _update(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True
