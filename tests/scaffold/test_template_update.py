"""`furrow init --update`: a newer text where nobody edited, a merge where somebody did, nothing twice."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from furrow.cli.init import command
from furrow.layout import INIT_BASE
from furrow.scaffold import feature_sql, stage_texts
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import look, plan_init
from furrow.scaffold.template_base import TemplateError, base_text, keep_base, read_base
from furrow.scaffold.template_update import plan_update, write_update
from tests.scaffold.conftest import QUESTIONS
from tests.scaffold.shop import made_shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORKFLOW = ".github/workflows/furrow.yml"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as init places it, before Git is there."""
    folder = tmp_path_factory.mktemp("update")
    root = folder / "project"
    root.mkdir()
    made_shop(60).write(folder / "given")
    looked = look([str(folder / "given")], scratch(root) / "landed")
    plan = plan_init(root, looked, QUESTIONS["binary"], now=NOW)
    stage(root, {**plan.texts, INIT_BASE: base_text(plan.texts, plan.answers, plan.given)})
    place(root)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, git: Callable[..., str]) -> Path:
    root = shutil.copytree(made, tmp_path / "project")
    git(root, "init", "-q")
    keep_base(root)
    assert not (root / INIT_BASE).exists()
    return root


def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next version of Furrow, whose workflow and stages say a little more."""
    text = stage_texts._WORKFLOW
    monkeypatch.setattr(stage_texts, "_WORKFLOW", text.replace("ubuntu-24.04", "ubuntu-26.04"))
    monkeypatch.setattr(
        stage_texts, "_DVC", stage_texts._DVC.replace("  select:", "  # judged\n  select:")
    )


def test_the_same_version_has_nothing_to_do(project: Path) -> None:
    """What it writes from what it kept is what it wrote."""
    plan = plan_update(project, now=NOW)
    assert (plan.texts, plan.clashes, plan.notes) == ({}, (), ())
    assert read_base(project).answers.label == "churned"


def test_a_newer_text_meets_edits(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit elsewhere in the file stays, what nobody edited is replaced, other files are not touched; once."""
    dvc = project / "dvc.yaml"
    dvc.write_text("# mine\n" + dvc.read_text())
    sql = project / "features/tables/orders_history.sql"
    sql.write_text(sql.read_text() + "-- mine\n")
    newer(monkeypatch)
    plan = plan_update(project, now=NOW)
    assert set(plan.texts) == {WORKFLOW, "dvc.yaml"}
    assert plan.clashes == ()
    write_update(project, plan)
    assert "ubuntu-26.04" in (project / WORKFLOW).read_text()
    assert dvc.read_text().startswith("# mine\nvars:")
    assert "  # judged\n  select:" in dvc.read_text()
    assert sql.read_text().endswith("-- mine\n")
    assert plan_update(project, now=NOW).texts == {}


def test_a_kill_between_two_files(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next update comes to the same."""
    newer(monkeypatch)
    plan = plan_update(project, now=NOW)
    (project / WORKFLOW).write_text(plan.texts[WORKFLOW])
    again = plan_update(project, now=NOW)
    assert again.texts == {"dvc.yaml": plan.texts["dvc.yaml"]}


def test_a_clash_and_what_was_taken_away(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides stand in the file, and it is an error; a file that somebody took away stays away."""
    text = (project / WORKFLOW).read_text().replace("ubuntu-24.04", "my-own-runner")
    (project / WORKFLOW).write_text(text)
    (project / "dvc.yaml").unlink()
    newer(monkeypatch)
    monkeypatch.chdir(project)
    said = CliRunner().invoke(command, ["--update", "--dry-run"])
    assert (project / WORKFLOW).read_text() == text
    assert f"would write {WORKFLOW} (your edit" in said.output
    said = CliRunner().invoke(command, ["--update"])
    assert "clashes in 1 file" in str(said.exception)
    assert "dvc.yaml was taken away: left so" in said.output
    merged = (project / WORKFLOW).read_text()
    assert (
        merged.index("<<<<<<< yours") < merged.index("my-own-runner") < merged.index("ubuntu-26.04")
    )
    assert not (project / "dvc.yaml").exists()


def test_tables_that_share_a_file_from_now_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More feature tables than a version writes become one; those as they were go, an edited one stays, and is told of."""
    monkeypatch.setattr(feature_sql, "MOST_TABLES", 2)
    lines = project / "features/tables/order_lines_history.sql"
    lines.write_text(lines.read_text() + "-- mine\n")
    definitions = project / "features/definitions.py"
    definitions.write_text(definitions.read_text().replace('"""Who', '"""Mine: who'))
    plan = plan_update(project, now=NOW)
    assert set(plan.texts) == {"features/definitions.py", "features/tables/history.sql"}
    assert plan.removed == ("features/tables/orders_history.sql",)
    assert [
        "order_lines_history.sql is not written any more, and you edited it" in note
        for note in plan.notes
    ] == [True]
    monkeypatch.chdir(project)
    said = CliRunner().invoke(command, ["--update"])
    assert said.exit_code == 0
    assert "took features/tables/orders_history.sql away" in said.output
    assert lines.exists()
    assert not (project / "features/tables/orders_history.sql").exists()
    assert definitions.read_text().startswith('"""Mine: who')
    assert "history_view" in definitions.read_text()
    assert "orders_history" not in definitions.read_text()
    again = plan_update(project, now=NOW)
    assert (again.texts, again.removed, again.notes) == ({}, (), ())


def test_a_clone_without_it(made: Path, tmp_path: Path, git: Callable[..., str]) -> None:
    """It says where it is; one that is damaged says so."""
    root = shutil.copytree(made, tmp_path / "clone")
    git(root, "init", "-q")
    with pytest.raises(TemplateError, match="this clone has no refs/furrow/init") as caught:
        plan_update(root, now=NOW)
    assert "git fetch" in caught.value.hint
    for text, said in (
        ("{", "damaged"),
        ('{"format": 9}', "of format 9"),
        ('{"format": 1}', "damaged"),
    ):
        keep_base(root, text)
        with pytest.raises(TemplateError, match=said):
            read_base(root)
