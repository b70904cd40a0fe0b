"""CI compiles the declarations again and compares: what was edited and not compiled, and what was edited by hand."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from .ciproject import commit, furrow, run
from .compiledproject import plant, set_learning_rate

DECLARED, COMPILED = "conf/model/gbm.yaml", "runs/gbm/config.yaml"


@pytest.fixture(scope="module")
def compiled_at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project at rest; not to be changed."""
    folder = tmp_path_factory.mktemp("compiled")
    return plant(folder / "project", folder / "store")


@pytest.fixture
def project(compiled_at_rest: Path, tmp_path: Path) -> Path:
    """A copy, whose DVC remote nobody else writes to."""
    folder = tmp_path / "project"
    for name in ("project", "store"):
        subprocess.run(["cp", "-a", str(compiled_at_rest.parent / name), str(tmp_path)], check=True)
    config = folder / ".dvc/config"
    config.write_text(
        config.read_text().replace(str(compiled_at_rest.parent / "store"), str(tmp_path / "store"))
    )
    commit(folder, "Use another remote")
    return folder


def outcome(folder: Path, *arguments: str, code: int):
    done = furrow(folder, "ci", "--json", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def check(value, name: str):
    return next(one for one in value["checks"] if one["name"] == name)


def test_a_declaration_that_can_not_be_read(project):
    """The file, the entry and the key that is wrong stand in the report, as from the project's root."""
    declared = project / "conf/experiments.yaml"
    entry = yaml.safe_load(declared.read_text())
    entry["experiments"]["gbm"]["seeed"] = 2
    declared.write_text(yaml.safe_dump(entry))
    commit(project, "Misspell a key")
    value = outcome(project, code=1)
    found = check(value, "plan")
    assert (found["status"], found["text"]) == ("failed", "what is declared can't be read")
    (line,) = found["details"]
    assert line.startswith("conf/experiments.yaml: gbm: unknown key 'seeed'")
    assert [one["name"] for one in value["checks"]] == ["inspect", "plan"]


@pytest.mark.long
def test_a_declaration_that_was_not_compiled(project, tmp_path):
    """CI names the resolved file that it wrote anew, retrains what hangs on it, and offers both in one commit."""
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    run(project, "git", "remote", "add", "origin", str(tmp_path / "bare.git"))
    run(project, "git", "switch", "-q", "-c", "topic")
    set_learning_rate(project, DECLARED, 0.2)
    made = commit(project, "Learn faster")
    run(project, "git", "push", "-q", "origin", "topic")
    value = outcome(project, "--offer", "origin", code=0)
    found = check(value, "compile")
    assert (found["status"], found["details"]) == ("passed", [COMPILED])
    assert found["text"] == "1 resolved file written anew"
    assert {one["name"] for one in value["stages"] if one["action"] == "run"} >= {
        "train@gbm",
        "evaluate@gbm",
        "select",
    }
    assert not any(one["name"] in {"train@base_rate", "tables_delays"} for one in value["stages"])
    gbm = next(one for one in value["runs"] if one["experiment"] == "gbm")
    assert ["model.learning_rate", "0.1", "0.2"] in gbm["config"]
    tip = run(tmp_path / "bare.git", "git", "rev-parse", "topic").stdout.strip()
    assert tip == value["offered"] != made
    offered = run(tmp_path / "bare.git", "git", "show", f"topic:{COMPILED}").stdout
    assert "learning_rate: 0.2" in offered


@pytest.mark.long
def test_a_resolved_file_edited_by_hand(project):
    """DVC obeys the edit, and the results agree with it; what is declared is another thing, and CI says which file."""
    set_learning_rate(project, COMPILED, 0.3)
    run(project, "dvc", "repro", "-q")
    run(project, "dvc", "push", "-q")
    assert (project / "build/models/gbm/model.joblib").read_text() == "gbm 0.3"
    commit(project, "Faster still")
    value = outcome(project, code=1)
    assert check(value, "plan")["text"] == "every stage was run by the author"
    found = check(value, "compile")
    assert (found["status"], found["details"]) == ("failed", [COMPILED])
    assert "furrow compile" in found["text"]
    assert value["offered"] == ""
