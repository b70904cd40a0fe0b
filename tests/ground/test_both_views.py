"""Two views of one DVC project, for plan and for replay, say the same of every stage: of this repository's own graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from furrow.ground.dvc import Project
from furrow.ground.dvc_stages import read_stages

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stages, their lock and the parameters that they are templated from."""
    root = tmp_path_factory.mktemp("graph")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    for name in ("dvc.yaml", "dvc.lock", "data.dvc", "conf/experiments.yaml", "runs/pipeline.json"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for config in ROOT.glob("runs/*/config.yaml"):
        (root / "runs" / config.parent.name).mkdir()
        shutil.copy(config, root / "runs" / config.parent.name)
    return root


def plain(items: Any, *, cached: bool) -> list[tuple[Any, ...]]:
    return sorted(
        (item.path, item.md5, item.algorithm, *([item.cached] if cached else [])) for item in items
    )


def test_both_read_the_same_stages(graph: Path) -> None:
    """Names, commands, folders, and what dvc.lock records of dependencies, outputs and parameters."""
    replayed, planned = Project(graph).stages, read_stages(graph, graph).steps
    planned = {name: step for name, step in planned.items() if step.cmd}
    assert replayed.keys() == planned.keys()
    assert len(replayed) > 20
    for name, stage in replayed.items():
        step = planned[name]
        commands = step.cmd if isinstance(step.cmd, list) else step.cmd.splitlines()
        assert list(stage.commands) == list(commands), name
        assert (stage.folder, stage.recorded, stage.restated, stage.frozen) == (
            step.wdir,
            step.recorded,
            step.restated,
            step.frozen,
        ), name
        deps = [dep for dep in step.deps if not dep.remote]
        assert plain(stage.deps, cached=False) == plain(deps, cached=False), name
        assert sorted((item.path, item.md5, item.cached) for item in stage.outs) == sorted(
            (out.path, out.md5, out.cached) for out in step.outs
        ), name
        asked = {one.path: (set(one.keys), dict(one.recorded)) for one in stage.parameters}
        known = {one.path: (set(one.keys), dict(one.recorded or {})) for one in step.params}
        assert asked == known, name
