"""`furrow compile --write`: what follows from the declarations is kept right, and a person's own lines stay."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.plan.stage_file import check_stages, write_stages
from furrow.plan.stage_graph import StageError, WrittenStage

PIPELINE = "runs/pipeline.json"
DVC_YAML = """# Ours.
vars:
  - conf/experiments.yaml:experiments

stages:
  compile:
    cmd: python -m furrow compile   # first
    deps: [conf]

  # Lands what the others read.
  land:
    cmd: ./land.sh "all of it"
    outs:
      - landed   # and kept

  tables_old:
    cmd: python -m furrow.stages.tables old
    outs: [build/tables/old.parquet]

  tables_mine:
    cmd: python -m pipelines.tables mine
    outs: [build/tables/mine.parquet]

  tables_b:
    cmd: python -m furrow.stages.tables b
    desc: the second
    deps:
      - data/needless
      # what says that the data are fit
      - runs/.validated
    params:
      - runs/pipeline.json: [code.tables, contract]
    outs:
      - build/tables/b.parquet: {persist: true}

  train:
    cmd: python -m furrow.stages.train gbm
"""


def stage(kind: str, name: str, *deps: str) -> WrittenStage:
    command = f"python -m furrow.stages.{kind} {name.replace('_', ' ')}"
    where = "tables" if kind == "tables" else "training"
    return WrittenStage(
        f"{kind}_{name}", command, tuple(sorted({*deps, "runs/.validated"})), {PIPELINE: (f"code.{kind}",)},
        (f"build/{where}/{name.replace('_', '/')}.parquet",),
    )  # fmt: skip


def expected(*stages: WrittenStage) -> dict[str, WrittenStage]:
    return {one.name: one for one in stages}


WANTED = expected(
    stage("tables", "a", "data/x"), stage("tables", "b", "data/y"),
    stage("training_set", "p_s", "build/tables/a.parquet", "features/spines/p.sql"),
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    return tmp_path


def test_what_is_written(project: Path) -> None:
    """New stages beside their kind and before training, wrong ones mended, Furrow's own of nothing taken out."""
    assert write_stages(project, WANTED) == [
        "tables_a",
        "tables_b",
        "tables_old",
        "training_set_p_s",
    ]
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    assert list(stages) == [
        "compile",
        "land",
        "tables_a",
        "tables_mine",
        "tables_b",
        "training_set_p_s",
        "train",
    ]
    assert stages["tables_b"] == {
        "cmd": "python -m furrow.stages.tables b", "desc": "the second", "deps": ["data/y", "runs/.validated"],
        "params": [{PIPELINE: ["code.tables", "contract"]}], "outs": [{"build/tables/b.parquet": {"persist": True}}],
    }  # fmt: skip
    assert stages["training_set_p_s"]["deps"] == [
        "build/tables/a.parquet",
        "features/spines/p.sql",
        "runs/.validated",
    ]
    check_stages(project, WANTED)


def test_a_persons_own_lines_stay(project: Path) -> None:
    """Comments, quotes, order, another command, stages that only are called like ours; every line that is not mended."""
    write_stages(project, WANTED)
    after = (project / "dvc.yaml").read_text()
    gone = DVC_YAML.partition("  tables_old:")[2].partition("  tables_mine:")[0].splitlines()
    mended = {"      - data/needless", "  tables_old:", *gone}
    for line in DVC_YAML.splitlines():
        assert line in after.splitlines() or line in mended, line
    assert "python -m pipelines.tables mine" in after


def test_a_second_time_writes_nothing(project: Path) -> None:
    """Not a byte, nor a new time of change."""
    write_stages(project, WANTED)
    path = project / "dvc.yaml"
    before, moment = path.read_bytes(), path.stat().st_mtime_ns
    assert write_stages(project, WANTED) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, moment)


def test_what_is_checked(project: Path) -> None:
    """A stage that is missing, lacks a dependency or has a needless one: named, with what to write."""
    with pytest.raises(StageError, match="there is no stage tables_a") as caught:
        check_stages(project, WANTED)
    assert "furrow compile --write" in caught.value.hint
    with pytest.raises(StageError, match="stage tables_b reads data/y"):
        check_stages(project, expected(WANTED["tables_b"]))
    with pytest.raises(StageError, match="does not read data/needless"):
        check_stages(project, expected(stage("tables", "b")))


@pytest.mark.parametrize(
    "text",
    ["stages: []\n", "stages:\n", "", "stages: {a: [}\n", "vars: []\n", "stages: {a: {cmd: b}}\n"],
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    """It is named, and left as it is."""
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(Exception, match=r"dvc\.yaml"):
        write_stages(tmp_path, WANTED)
    assert (tmp_path / "dvc.yaml").read_text() == text


NAMES = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True, max_size=5)
OWN = st.lists(
    st.sampled_from(["land", "tablesque", "report", "train", "select", "tables_own"]),
    unique=True,
    max_size=6,
)


@settings(max_examples=settings().max_examples // 3)
@given(before=NAMES, after=NAMES, own=OWN, sets=st.booleans())
def test_any_file_comes_to_what_is_expected(
    before: list[str], after: list[str], own: list[str], *, sets: bool
) -> None:
    """From any older state: exactly the expected stages, a person's in their order with their comments, and then rest."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        mine = [f"  # about {name}\n  {name}:\n    cmd: echo {name}   # said\n" for name in own]
        ours = [
            f"  tables_{name}:\n    cmd: python -m furrow.stages.tables {name}\n" for name in before
        ]
        text = "".join(
            ["  first:\n    cmd: x\n", *mine[: len(own) // 2], *ours, *mine[len(own) // 2 :]]
        )
        (root / "dvc.yaml").write_text(f"stages:\n{text}")
        one = [stage("tables", name, f"data/{name}") for name in after]
        two = [
            stage("training_set", f"p_{name}", f"build/tables/{name}.parquet")
            for name in after
            if sets
        ]
        wanted = expected(*one, *two)
        write_stages(root, wanted)
        check_stages(root, wanted)
        assert write_stages(root, wanted) == []
        now = (root / "dvc.yaml").read_text()
        stages = list(yaml.safe_load(now)["stages"])
        assert {name for name in stages if name not in own and name != "first"} == wanted.keys()
        assert [name for name in stages if name in own] == own
        assert all(
            f"  # about {name}\n  {name}:\n    cmd: echo {name}   # said\n" in now for name in own
        )
