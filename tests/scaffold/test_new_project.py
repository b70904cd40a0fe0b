"""A new project: few files, a champion, features of the past alone, nothing that is there touched, kills survived."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from dvc.repo import Repo

from furrow.cli.init import command
from furrow.scaffold import place_files
from furrow.scaffold.first_runs import first_runs
from furrow.scaffold.place_files import InTheWayError, in_the_way, pending, place, scratch, stage
from furrow.scaffold.plan_init import look, plan_init
from tests.scaffold.conftest import QUESTIONS, Made, ingest, trained, written
from tests.scaffold.shop import made_shop
from tests.scaffold.test_no_leak import windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_few_files_and_lines(project: Made) -> None:
    """Three sources: 14 files, 200 lines, no code of the project's own beyond an ingest of a few lines."""
    texts = project.plan.texts
    assert len(texts) <= 14
    assert sum(text.count("\n") for text in texts.values()) <= 200
    assert texts["pipelines/ingest.py"].count("\n") <= 20
    assert [path for path in texts if path.startswith("pipelines/")] == ["pipelines/ingest.py"]


def test_a_champion(project: Made) -> None:
    """Surely better than the baseline, judged on months that came later."""
    runs = first_runs(project.root)
    assert sorted(run.name for run in runs) == ["baseline", "boosting", "linear"]
    assert runs[0].champion
    assert runs[0].name in {"boosting", "linear"}
    assert runs[0].metrics["roc_auc"] > 0.6
    record = json.loads((project.root / "runs/boosting/record.json").read_text())
    assert len(record["periods"]["test"]) >= 2
    assert not {"churned", "label_timestamp", "customers_cancel_reason"} & set(record["features"])


def test_the_training_set_holds_the_past(project: Made) -> None:
    """What models are trained on is what plain Python finds in the raw rows, through the whole pipeline."""
    rows = (
        pq.read_table(project.root / "build/training/churned/all.parquet")
        .to_pandas()
        .set_index("customer_id")
    )
    wanted = windows(project.shop, dated=False)
    assert set(rows.index) == set(wanted)
    compared = 0
    for who, values in wanted.items():
        for name, value in values.items():
            if value:
                assert rows.loc[who, name] == pytest.approx(value, rel=1e-9), (who, name)
                compared += 1
    assert compared > 1000


def test_landing_again_changes_nothing(project: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """pipelines/ingest.py lands the very bytes that init landed."""
    before = contents(project.root / "data")
    ingest(project.root)
    assert contents(project.root / "data") == before
    assert capsys.readouterr().out.count("unchanged") == 3


@pytest.mark.long
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_other_tasks(tmp_path: Path, task: str) -> None:
    """A number, and a class of several: a champion as well."""
    made = written(tmp_path, task, made_shop(200, seed=3))
    assert made.plan.answers.task == task
    runs = first_runs(trained(made, made.plan.answers.name).root)
    assert runs[0].champion
    assert runs[0].name != "baseline"


def planned(root: Path, given: Path) -> dict[str, str]:
    looked = look([str(given)], scratch(root) / "landed")
    return dict(plan_init(root, looked, QUESTIONS["binary"], now=datetime.now(UTC)).texts)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    made_shop(60).write(tmp_path / "given")
    return tmp_path / "given"


def test_a_kill_at_any_file(tmp_path: Path, given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files were in their place: the next init puts the others there, and none is half."""
    root = tmp_path / "project"
    root.mkdir()
    texts = planned(root, given)
    stage(root, texts)
    moved, left = os.replace, [3]

    def killed(source: Any, target: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        moved(source, target)

    monkeypatch.setattr(place_files.os, "replace", killed)
    for _ in range(4):
        left[0] = 3
        with pytest.raises(KeyboardInterrupt):
            place(root)
        assert pending(root)
    monkeypatch.setattr(place_files.os, "replace", moved)
    place(root)
    assert not pending(root)
    assert {path: (root / path).read_text() for path in texts} == texts
    assert len(list((root / "data/landed").glob("*.parquet"))) == 3
    assert not (root / ".furrow").exists()


def test_nothing_there_is_touched(tmp_path: Path, given: Path) -> None:
    """A file in the way is named, and nothing is written; a .gitignore stays as it is."""
    root = tmp_path / "project"
    root.mkdir()
    (root / ".gitignore").write_text("*.log\n")
    (root / "README.md").write_text("mine\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    before = contents(root)
    texts = planned(root, given)
    assert in_the_way(root, texts, []) == ["dvc.yaml"]
    with pytest.raises(InTheWayError, match=r"dvc.yaml is there already"):
        stage(root, texts)
    assert {
        path: text for path, text in contents(root).items() if not path.startswith(".furrow")
    } == before
    (root / "dvc.yaml").unlink()
    texts = planned(root, given)
    stage(root, texts)
    place(root)
    assert (root / ".gitignore").read_text() == "*.log\n"
    assert (root / "README.md").read_text() == "mine\n"


def test_raw_files_stay_out_of_git(tmp_path: Path, given: Path) -> None:
    """What is given within the project is named in .gitignore, or, where that stays as it is, told."""
    root = given.parent
    looked = look([str(given)], scratch(root) / "landed")
    plan = plan_init(root, looked, QUESTIONS["binary"], now=datetime.now(UTC))
    assert "/given/*.csv" in plan.texts[".gitignore"].splitlines()
    assert not [note for note in plan.notes if "gitignore" in note]
    (root / ".gitignore").write_text("*.log\n")
    plan = plan_init(root, looked, QUESTIONS["binary"], now=datetime.now(UTC))
    assert [note for note in plan.notes if "add /given/*.csv unless Git is to keep" in note]
    (root / ".gitignore").write_text("*.log\n/given/*.csv\n")
    plan = plan_init(root, looked, QUESTIONS["binary"], now=datetime.now(UTC))
    assert not [note for note in plan.notes if "gitignore" in note]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`furrow init` in an empty folder."""
    root = tmp_path / "here"
    root.mkdir()
    monkeypatch.chdir(root)
    return lambda *words, **options: CliRunner().invoke(command, list(words), **options)


def test_a_dry_run_writes_nothing(tmp_path: Path, given: Path, init: Callable[..., Any]) -> None:
    """It shows answers, files and what is left out, and leaves no trace."""
    said = init(
        str(given), "--predict", "Churned", "--about", "customer", "--at", "Signed Up", "--dry-run"
    )
    assert said.exit_code == 0, said.output
    assert "would write 14 files" in said.output
    assert "customers.cancel_reason is left out" in said.output
    assert contents(tmp_path / "here") == {}


def test_what_is_wrong_leaves_no_trace(
    tmp_path: Path, given: Path, init: Callable[..., Any]
) -> None:
    """A wrong answer is one sentence, and the folder is as it was."""
    said = init(str(given), "--predict", "Churnd", "--yes")
    assert said.exit_code == 1
    assert "did you mean" in str(said.exception)
    assert list((tmp_path / "here").iterdir()) == []
    assert init().exit_code == 2
    assert init(str(given), "--timezone", "Mars/Olympus").exit_code == 2


def test_a_project_stays_what_it_is(project: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another label is refused in a folder that is a project; the same one plans nothing."""
    monkeypatch.chdir(project.root)
    before = contents(project.root)
    said = CliRunner().invoke(command, ["--predict", "age", "--dry-run"])
    assert "is a project that predicts churned, not age" in str(said.exception)
    said = CliRunner().invoke(command, ["--predict", "churned", "--dry-run"])
    assert "nothing is written over" in said.output
    assert contents(project.root) == before


def test_dvc_takes_it(
    project: Made, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that a stage declares is there, and DVC, told that they are its outputs, finds nothing to do."""
    root = project.root
    monkeypatch.chdir(root)  # DVC reads a stage of its cache against the folder that it runs in
    git(root, "init", "-q")
    Repo.init(str(root)).close()
    with Repo(str(root)) as repo:
        repo.add(str(root / "data/landed"))
        repo.commit(force=True)
    with Repo(str(root)) as repo:
        names = {stage.addressing for stage in repo.index.stages}
        assert {
            "compile",
            "validate",
            "tables_orders_history",
            "training_set_churned_all",
            "train@boosting",
            "select",
        } <= names
        assert repo.status() == {}
    assert (root / ".gitignore").read_text() == project.plan.texts[".gitignore"]
    untracked = git(root, "status", "--porcelain", "--untracked-files=all")
    assert "build/" not in untracked
    assert "landed/" not in untracked


def test_what_was_left_out_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, init: Callable[..., Any]
) -> None:
    """A column that looks like a leak, and one that looks like an id: the line that tells of it names the flag."""
    rows = [f"c{n:03},{n % 2},{n % 2 * 3 + 1},{5000 + n},{n % 7}" for n in range(90)]
    (tmp_path / "people.csv").write_text("\n".join(["who,left,tell,ref_no,size", *rows]) + "\n")
    words = ("../people.csv", "--predict", "left", "--about", "who", "--yes", "--dry-run")
    said = init(*words).output
    assert "people.tell is left out" in said
    assert "(--keep tell takes it all the same)" in said
    assert "ref_no (--keep NAME takes one all the same)" in said
    kept = init(*words, "--keep", "Tell", "--keep", "people.ref_no").output
    assert "--keep" not in kept
    count = re.compile(r"(\d+) features? in 1 table")
    assert int(count.findall(kept)[0]) == int(count.findall(said)[0]) + 2
    wrong = init(*words, "--keep", "tel")
    assert "--keep tel: people has no such column" in str(wrong.exception)
