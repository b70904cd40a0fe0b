"""What a commit holds that the ML Test Score asks for, read once; nothing of it is run."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from furrow.ground.git import git, ids_at
from furrow.ground.gitobjects import read_objects
from furrow.layout import (
    CONF,
    DEPLOYMENT,
    DVC_LOCK,
    EXPERIMENTS_YAML,
    GATES,
    LOCK,
    METRICS_JSON,
    MONITORS,
    PROBLEMS,
    RECORD_JSON,
    RUNS,
    TABLE_SQL,
)
from furrow.parse import ParseError, parse_json, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Evidence", "evidence_at"]

_LARGEST = 4 << 20
_CI = (".github/workflows/", ".ci/", ".gitlab-ci.yml", "Makefile")
_RECORDS = (RECORD_JSON, METRICS_JSON)


@dataclass(frozen=True)
class Evidence:
    """The files of a commit that speak for it, and what its history and notes say.

    Attributes:
        files: By path from the project's root.
        served: By environment, how many versions its deployment has named in history.
        replayed: Who says, believably, that a replay gave the same; empty for nobody.
    """

    files: Mapping[str, bytes]
    served: Mapping[str, int] = field(default_factory=dict)
    replayed: tuple[str, ...] = ()

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML file's mapping; empty when it is not there or can't be read."""
        try:
            value = parse_yaml(self.files.get(path, b""))
        except ParseError:
            return {}
        return value if isinstance(value, dict) else {}

    def json(self, path: str) -> dict[str, Any]:
        """A JSON file's mapping, likewise."""
        try:
            value = parse_json(self.files.get(path, b"{}"))
        except ParseError:
            return {}
        return value if isinstance(value, dict) else {}

    def group(self, folder: str) -> dict[str, dict[str, Any]]:
        """The YAML files of a folder, by name."""
        found = [
            path
            for path in self.files
            if posixpath.dirname(path) == folder and path.endswith(".yaml")
        ]
        return {
            posixpath.basename(path).removesuffix(".yaml"): self.yaml(path)
            for path in sorted(found)
        }

    @cached_property
    def runs(self) -> dict[str, dict[str, Any]]:
        """record.json of each declared run."""
        declared = self.yaml(EXPERIMENTS_YAML).get("experiments")
        known = set(declared) if isinstance(declared, dict | list) else None
        names = [
            path.split("/")[1]
            for path in self.files
            if path.startswith(f"{RUNS}/") and path.endswith("/record.json")
        ]
        return {
            name: self.json(f"{RUNS}/{name}/record.json")
            for name in sorted(names)
            if known is None or name in known
        }

    def metrics(self, run: str) -> dict[str, Any]:
        """A run's metrics."""
        return self.json(f"{RUNS}/{run}/metrics.json")

    @cached_property
    def problems(self) -> dict[str, dict[str, Any]]:
        """The problems that are declared."""
        return self.group(PROBLEMS)

    @cached_property
    def gates(self) -> dict[str, dict[str, Any]]:
        """The gates of the problems.

        Of one that declares none it is empty: what a gate has by default holds.
        """
        return {**{name: {} for name in self.problems}, **self.group(GATES)}

    @cached_property
    def deployments(self) -> dict[str, dict[str, Any]]:
        """The deployments that are declared."""
        return self.group(DEPLOYMENT)

    @cached_property
    def monitors(self) -> dict[str, dict[str, Any]]:
        """What monitoring is declared."""
        return self.group(MONITORS)

    @cached_property
    def stages(self) -> set[str]:
        """The stages that dvc.lock records."""
        stages = self.yaml(DVC_LOCK).get("stages")
        return set(stages) if isinstance(stages, dict) else set()

    @cached_property
    def tables(self) -> list[str]:
        """The feature tables."""
        return sorted(
            posixpath.basename(path).removesuffix(".sql")
            for path in self.files
            if posixpath.dirname(path) == TABLE_SQL and path.endswith(".sql")
        )

    @cached_property
    def tests(self) -> dict[str, str]:
        """The texts of the project's tests."""
        return {
            path: content.decode(errors="replace")
            for path, content in self.files.items()
            if path.startswith("tests/") and path.endswith(".py")
        }

    @cached_property
    def ci(self) -> str:
        """What CI runs, as text."""
        found = [
            content.decode(errors="replace")
            for path, content in self.files.items()
            if path.startswith(_CI)
        ]
        return "\n".join(found)


def evidence_at(root: Path, commit: str, *, replayed: tuple[str, ...] = ()) -> Evidence:
    """Read what a commit holds.

    Args:
        root: The project; it may be bare.
        commit: The full id.
        replayed: Who replayed it, from `believed`.
    """
    ids = {path: oid for path, oid in ids_at(root, commit).items() if _counts(path)}
    contents = read_objects(root, ids.values(), largest=_LARGEST)
    files = {
        path: content
        for path, (_, _, content, _) in zip(ids, contents, strict=True)
        if content is not None
    }
    return Evidence(files, _served(root, commit, files), replayed)


def _counts(path: str) -> bool:
    if path.startswith(f"{RUNS}/"):
        return path.count("/") == 1 or posixpath.basename(path) in _RECORDS
    if path.startswith("tests/"):
        return path.endswith(".py")
    return path in (DVC_LOCK, LOCK) or path.startswith((f"{CONF}/", f"{TABLE_SQL}/", *_CI))


def _served(root: Path, commit: str, files: Mapping[str, bytes]) -> dict[str, int]:
    """How many versions each environment's file has named up to a commit."""
    found = {}
    for path in files:
        if posixpath.dirname(path) != DEPLOYMENT:
            continue
        said = git(root, "log", "--first-parent", "-p", "-U0", "--format=", commit, "--", path)
        lines = said.decode(errors="replace").splitlines()
        named = {line[1:].partition(":")[2].strip() for line in lines if line.startswith("+model:")}
        found[posixpath.basename(path).removesuffix(".yaml")] = len(named)
    return found
