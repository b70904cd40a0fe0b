"""Compiling without a change needs no Feast, and nothing that came with a commit is believed about that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.cli.usage import no_command
from furrow.features.digest import seal
from furrow.features.manifest import parse
from furrow.features.manifest_cache import KNOWN, remember
from furrow.features.schema import Manifest, OnlineStore
from furrow.files import canonical_json, write_json
from furrow.ground.hashes import Hasher
from furrow.ground.runcache import Cache
from furrow.plan.compile import Compiled
from furrow.plan.known_manifest import known_manifest
from furrow.plan.lookup import Lookup
from furrow.plan.workspace import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def project(repo: Path) -> Path:
    (repo / "dvc.yaml").write_text("stages: {}\n")
    (repo / "conf").mkdir()
    (repo / "features").mkdir()
    (repo / "features/views.py").write_text("from feast import Entity\n")
    manifest = SAMPLE
    write_json(repo / "features/manifest.json", manifest)
    remember(repo / "features")
    return repo


SAMPLE = seal(Manifest(project="p", digest="", online_store=OnlineStore("lmdb"))).to_json()


def test_it_is_known_until_something_changes(project: Path) -> None:
    assert known_manifest(project) is not None
    (project / "features/views.py").write_text("from feast import Entity, Field\n")
    assert known_manifest(project) is None


def test_definitions_that_import_more_of_the_project_are_run(project: Path) -> None:
    (project / "shared.py").write_text("DAYS = 7\n")
    (project / "features/views.py").write_text("from shared import DAYS\n")
    remember(project / "features")
    assert known_manifest(project) is None


def test_a_committed_memory_is_not_believed(project: Path, git: Callable[..., str]) -> None:
    git(project, "add", "-f", KNOWN.as_posix())
    assert known_manifest(project) is None


def test_a_plan_reads_no_definitions_that_are_known(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they are not what the stages ran on: `furrow compile` has read them since."""
    given: list[Manifest | None] = []

    def record(_root: Path, manifest: Manifest | None) -> Compiled:
        given.append(manifest)
        return Compiled(parse(canonical_json(SAMPLE), origin="sample", depth=1), {}, {})

    monkeypatch.setattr("furrow.plan.compile.compile_repository", record)

    def look() -> None:
        disk = Disk(project, Hasher(project, remember=False))
        lookup = Lookup(
            project, project, None, cache=Cache(project), workspace=disk, sources=[], recorded={}
        )
        lookup.compile({"features/views.py": str(len(given))}, same_features=False)

    look()
    assert given[0] is not None
    (project / "features/views.py").write_text("from feast import Entity, Field\n")
    look()
    assert given[1] is None


def test_what_was_meant() -> None:
    assert no_command("runz", ["runs", "plan"]) == "No such command 'runz'; did you mean runs?"
    assert no_command("x", ["runs", "plan"]) == "No such command 'x'"
