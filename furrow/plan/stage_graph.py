"""The stages of dvc.yaml that follow from declarations: one for each feature table, and for each training set.

What they must say is worked out from the SQL, the contract and the Feast definitions. `furrow compile` checks it;
`furrow compile --write` writes it, and leaves a person's own stages, comments and order alone.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from furrow.data.raw_files import dependency
from furrow.errors import FurrowError
from furrow.features.sql import parse_query, reads
from furrow.files import write_text
from furrow.layout import COMPILED, DVC_YAML, MANIFEST, PIPELINE, VALIDATED, table, table_sql, training_set
from furrow.parse import check_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from furrow.data.contract import Contract
    from furrow.features.manifest import Manifest
    from furrow.training.problem import Problem

__all__ = ["StageError", "WrittenStage", "check_stages", "expected_stages", "write_stages"]

_OWNED = ("tables_", "training_set_")
"""How the names of stages begin that compile writes."""


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


def _training_set(root: Path, problem: Problem, service: str, manifest: Manifest, contract: Contract) -> WrittenStage:
    query = parse_query((root / problem.spine).read_text(encoding="utf-8"), origin=problem.spine)
    raw = [_raw(relation, contract, problem.spine) for relation in reads(query, origin=problem.spine)]
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
        raise StageError(f"{where} reads {relation}, which the data contract does not name", hint=f"it has: {known}")
    return dependency(contract.tables[relation])


def check_stages(root: Path, expected: Mapping[str, WrittenStage]) -> None:
    """Hold dvc.yaml against what must be there; the command of a stage is its project's own matter.

    Args:
        root: The project.
        expected: From `expected_stages`.

    Raises:
        StageError: A stage is missing, lacks a dependency, or has a needless one; the hint is what to do.
    """
    stages = _read(root)[1]
    for name, stage in expected.items():
        if name not in stages:
            hint = "`furrow compile --write` adds it"
            raise StageError(f"{DVC_YAML}: there is no stage {name}", hint=hint)
        found = {_name(dep) for dep in stages[name].get("deps", [])}
        missing, needless = sorted(set(stage.deps) - found), sorted(found - set(stage.deps))
        write = "`furrow compile --write` mends it"
        if missing:
            said = f"{DVC_YAML}: stage {name} reads {missing[0]}"
            raise StageError(said, hint=f"add to its deps: - {missing[0]} ({write})")
        if needless:
            said = f"{DVC_YAML}: stage {name} does not read {needless[0]}"
            raise StageError(said, hint=f"remove from its deps: - {needless[0]} ({write})")


def write_stages(root: Path, expected: Mapping[str, WrittenStage]) -> list[str]:
    """Write the stages into dvc.yaml: new ones beside their kind, wrong ones mended, those of nothing taken out.

    Args:
        root: The project.
        expected: From `expected_stages`.

    Returns:
        The names of the stages that changed.

    Raises:
        StageError: dvc.yaml can't be read.
    """
    document, stages = _read(root)
    changed: list[str] = []
    added: list[str] = []
    for name in [name for name in stages if name.startswith(_OWNED) and name not in expected]:
        if "furrow.stages." in str((stages[name] or {}).get("cmd", "")):
            del stages[name]
            changed.append(name)
    for name, stage in expected.items():
        if name in stages:
            if _mend(stages[name], stage):
                changed.append(name)
        else:
            stages.insert(_place(stages, name), name, _made(stage))
            added.append(name)
    changed += added
    if changed:
        stream = io.StringIO()
        _yaml().dump(document, stream)
        write_text(root / DVC_YAML, _spaced(stream.getvalue(), stages, added))
    return sorted(changed)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _read(root: Path) -> tuple[Any, Any]:
    try:
        text = (root / DVC_YAML).read_text(encoding="utf-8")
        check_yaml(text, root / DVC_YAML)
        document = _yaml().load(text)
        stages = document["stages"]
    except (OSError, YAMLError, KeyError, TypeError) as exc:
        why = " ".join(str(exc).split())
        raise StageError(f"cannot read the stages of {DVC_YAML}: {why}", hint="mend it by hand") from exc
    if not isinstance(stages, CommentedMap):
        raise StageError(f"{DVC_YAML}: stages is no mapping", hint="mend it by hand")
    return document, stages


def _spaced(text: str, stages: Any, added: list[str]) -> str:
    """A blank line on either side of the stages that were put in."""
    names = list(stages)
    after = [other for name, other in pairwise(names) if name in added]
    for name in [*added, *after]:
        text = re.sub(rf"(?<=[^\n])\n(  {re.escape(name)}:)", r"\n\n\1", text)
    return text


def _name(entry: Any) -> str:
    return str(next(iter(entry)) if isinstance(entry, dict) else entry)


def _place(stages: Any, name: str) -> int:
    """Where a new stage belongs: after the last one of its kind that sorts before it, else before training."""
    kind = next(prefix for prefix in _OWNED if name.startswith(prefix))
    names = list(stages)
    same = [place for place, other in enumerate(names) if other.startswith(kind)]
    if same:
        return max([place + 1 for place in same if names[place] < name], default=same[0])
    if kind == "training_set_":
        before = [place + 1 for place, other in enumerate(names) if other.startswith("tables_")]
        if before:
            return max(before)
    first = ("train", "evaluate", "select") if kind == "training_set_" else ("training_set_", "train", "select")
    return next((place for place, other in enumerate(names) if other.startswith(first)), len(names))


def _made(stage: WrittenStage) -> CommentedMap:
    made = CommentedMap(cmd=stage.cmd, deps=CommentedSeq(stage.deps))
    made["params"] = CommentedSeq([_flow(file, keys) for file, keys in stage.params.items()])
    made["outs"] = CommentedSeq(stage.outs)
    return made


def _flow(file: str, keys: tuple[str, ...]) -> CommentedMap:
    listed = CommentedSeq(keys)
    listed.fa.set_flow_style()
    return CommentedMap({file: listed})


def _mend(there: Any, stage: WrittenStage) -> bool:
    """Put in what is missing of a stage's deps, params and outs, and take out needless deps."""
    before = repr(there)
    deps = there.setdefault("deps", CommentedSeq())
    found = [_name(dep) for dep in deps]
    if set(found) != set(stage.deps):
        for place in reversed([at for at, name in enumerate(found) if name not in stage.deps]):
            del deps[place]
        for name in stage.deps:
            if name not in found:
                deps.insert(next((at for at, dep in enumerate(deps) if _name(dep) > name), len(deps)), name)
    params = there.setdefault("params", CommentedSeq())
    for file, keys in stage.params.items():
        entry = next((one for one in params if isinstance(one, dict) and file in one), None)
        if entry is None:
            params.append(_flow(file, keys))
        else:
            entry[file].extend(key for key in keys if key not in entry[file])
    outs = there.setdefault("outs", CommentedSeq())
    for name in stage.outs:
        if name not in [_name(out) for out in outs]:
            outs.append(name)
    return repr(there) != before
