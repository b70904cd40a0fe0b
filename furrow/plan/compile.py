"""Compile: what Git declares, checked as a whole and written out for the stages to depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from furrow.data.contract import contract_digest
from furrow.errors import FurrowError
from furrow.features.definition_check import Problem, check_definitions
from furrow.features.manifest_cache import remember
from furrow.files import write_json, write_text
from furrow.parse import ParseError, read_yaml
from furrow.training.code_digest import code_digest
from furrow.training.config import Code, Experiment, dump
from furrow.training.declare import gate, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from furrow.features.manifest import Manifest

__all__ = ["MARKER", "Compiled", "DefinitionsError", "StageError", "check_stages", "compile_repository", "write"]

MARKER = "runs/.compiled"
RAW = {"flights": "data/flights", "weather": "data/weather"}


class StageError(FurrowError):
    """A stage of dvc.yaml lacks a dependency, or has one that nothing reads."""


class DefinitionsError(FurrowError):
    """Feature definitions that don't fit together; every problem is told."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            "features/:\n  " + "\n  ".join(map(str, problems)), hint="mend the definitions, then run again"
        )
        self.problems = problems


@dataclass(frozen=True)
class Compiled:
    """Everything that compile writes.

    Attributes:
        manifest: Of the feature store.
        experiments: Resolved configs by name.
        pipeline: Digests that the stages depend on, and the gate.
    """

    manifest: Manifest
    experiments: dict[str, Experiment]
    pipeline: dict[str, Any]

    def files(self) -> dict[str, str]:
        """Text by path, for a comparison with what a commit holds."""
        return {f"runs/{name}/config.yaml": dump(experiment) for name, experiment in self.experiments.items()}


def compile_repository(root: Path, manifest: Manifest | None = None) -> Compiled:
    """Read and check every declaration of a repository; write nothing.

    Args:
        root: The repository.
        manifest: Of the feature store, if it is known that the definitions give this one.

    Raises:
        FurrowError: A declaration is malformed, or two of them don't agree.
    """
    if manifest is None:
        from furrow.features.build import compile_manifest  # noqa: PLC0415 - Feast takes seconds to import

        manifest = compile_manifest(root / "features")
    problems = check_definitions(manifest)
    if problems:
        raise DefinitionsError(problems)
    services = {name: service.digest for name, service in manifest.services.items()}
    code = Code(digest=code_digest(root, "pipelines.train"), evaluate=code_digest(root, "pipelines.evaluate"))
    experiments = resolve(root / "conf", services, code)
    check_stages(root / "dvc.yaml", manifest)
    stages = ("validate", "tables", "training_set", "select")
    pipeline = {
        "format": 1,
        "contract": contract_digest(root / "conf/data/contract.yaml"),
        "gate": asdict(gate(root / "conf")),
        "code": {stage: code_digest(root, f"pipelines.{stage}") for stage in stages},
    }
    return Compiled(manifest, experiments, pipeline)


def write(root: Path, compiled: Compiled) -> list[str]:
    """Write what was compiled; files that already say so are left alone.

    Returns:
        The paths that changed.
    """
    changed = [path for path, text in compiled.files().items() if _update(root / path, text)]
    for path, value in (
        ("runs/pipeline.json", compiled.pipeline),
        ("features/manifest.json", compiled.manifest.to_json()),
    ):
        before = (root / path).read_bytes() if (root / path).is_file() else b""
        write_json(root / path, value)
        if (root / path).read_bytes() != before:
            changed.append(path)
    remember(root / "features")
    for stale in (root / "build/evaluations").glob("*.json"):
        if stale.stem not in compiled.experiments:
            stale.unlink()
    write_text(root / MARKER, "compiled\n")
    return changed


def _update(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def check_stages(path: Path, manifest: Manifest) -> None:
    """Check the dependencies of the stages that are written out in dvc.yaml against SQL and Feast.

    Args:
        path: dvc.yaml.
        manifest: What tables and services read.

    Raises:
        StageError: A stage is missing, lacks a dependency, or has a needless one; the hint is the line to write.
    """
    try:
        stages = read_yaml(path)["stages"]
    except (OSError, ParseError, KeyError, TypeError) as exc:
        raise StageError(f"cannot read the stages of {path}: {exc}", hint="mend dvc.yaml") from exc
    for name, expected in _expected(manifest).items():
        if name not in stages:
            raise StageError(f"{path.name}: there is no stage {name}", hint=f"add it, with deps: {sorted(expected)}")
        found = {next(iter(dep)) if isinstance(dep, dict) else dep for dep in stages[name].get("deps", [])}
        missing, needless = sorted(expected - found), sorted(found - expected)
        if missing:
            raise StageError(f"{path.name}: stage {name} reads {missing[0]}", hint=f"add to its deps: - {missing[0]}")
        if needless:
            raise StageError(
                f"{path.name}: stage {name} does not read {needless[0]}", hint=f"remove from its deps: - {needless[0]}"
            )


def _expected(manifest: Manifest) -> dict[str, set[str]]:
    """Dependencies that each written-out stage must have."""
    expected = {}
    for name, table in manifest.tables.items():
        raw = {RAW.get(source, f"data/{source}.parquet") for source in table.reads}
        expected[f"tables_{name}"] = {f"features/tables/{name}.sql", "runs/.validated", *raw}
    for name, service in manifest.services.items():
        views = _stored(manifest, [projection.view for projection in service.views])
        tables = {manifest.views[view].table for view in views}
        expected[f"training_set_{name}"] = {
            MARKER,
            "data/flights",
            *(f"build/tables/{table}.parquet" for table in tables if table),
        }
    return expected


def _stored(manifest: Manifest, names: Iterable[str]) -> set[str]:
    """The stored views behind a service's views, those that feed on-demand views included."""
    found = set()
    for name in names:
        if name in manifest.views:
            found.add(name)
        else:
            found |= {entry.view for entry in manifest.on_demand[name].inputs if entry.view in manifest.views}
    return found
