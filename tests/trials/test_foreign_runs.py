"""What MLflow and DVC recorded becomes runs, with parameters, metrics and curves; twice is a no-op."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner
from dvc.repo import Repo

import furrow
from furrow.cli.import_ import command
from furrow.ground.experiments import list_experiments
from furrow.intake.mlflow_files import read_files
from furrow.intake.mlflow_store import MlflowRun, MlflowStore
from furrow.models.registry import versions
from furrow.trials.dvc_import import import_dvc
from furrow.trials.foreign_runs import slug
from furrow.trials.mlflow_import import import_store, run_files

if TYPE_CHECKING:
    from collections.abc import Callable

STORE = Path(__file__).parents[1] / "intake/mlflow/files"


@pytest.fixture
def repository(tmp_path: Path, git: Callable[..., str]) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "README.md").write_text("mine\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


def state(root: Path, git: Callable[..., str]) -> str:
    return git(root, "for-each-ref") + git(root, "status", "--porcelain")


def test_an_mlflow_store(
    repository: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are found by parameter and metric, versions are listed; nothing of the work tree changes."""
    monkeypatch.chdir(repository)
    said = CliRunner().invoke(command, ["mlflow", str(STORE)], catch_exceptions=False)
    assert "4 runs recorded, 0 were there already" in said.output
    frame = furrow.runs(revs="all", repo=repository)
    assert sorted(frame["name"]) == ["churn_models", "churn_models", "prices_e", "prices_e"]
    best = frame[frame["params.lr"] == 0.1]
    assert list(best["loss"]) == [0.4]
    first = next(one for one in list_experiments(repository) if one.subject == "first")
    run = furrow.run(first.name, repo=repository)
    assert run.config["params"] == {
        "id": "007",
        "l1": True,
        "lr": 0.1,
        "model/depth": 3,
        "solver": "saga",
    }
    assert run.metrics["great"] == "inf"
    assert run.record["tags"] == {"team": "growth"}
    assert run.text("plots/loss.tsv").splitlines()[0] == "step\tmoment\tloss"
    assert [line.split("\t")[2] for line in run.text("plots/loss.tsv").splitlines()[1:]] == [
        "0.9",
        "0.5",
        "0.4",
    ]
    assert [str(one) for one in versions(repository)] == [
        "churn-model@v2.0.0",
        "churn-model@v1.0.0",
    ]
    assert git(repository, "status", "--porcelain") == ""
    before = state(repository, git)
    said = CliRunner().invoke(command, ["mlflow", str(STORE)], catch_exceptions=False)
    assert "0 runs recorded, 4 were there already" in said.output
    assert state(repository, git) == before


def test_it_goes_on_from_another_commit(repository: Path, git: Callable[..., str]) -> None:
    """After HEAD moved nothing is recorded twice; a run that went on is recorded as what it became."""
    import_store(repository, read_files(STORE))
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    going = MlflowRun(
        "0c70229042a848be90825bc0c04f6b13",
        "going",
        "prices é",
        "RUNNING",
        metrics={"mae": [(0, 1, 3.0)]},
    )
    assert import_store(repository, read_files(STORE)).new == 0
    found = import_store(repository, MlflowStore([going], [], []))
    assert (found.new, found.there) == (1, 0)
    assert import_store(repository, MlflowStore([going], [], [])).new == 0


def test_odd_names_and_values(repository: Path) -> None:
    """Names of no letters, of two experiments that look alike, of a run that the repository has; long lines."""
    (repository / "runs/gbm").mkdir(parents=True)
    runs = [
        MlflowRun(f"{place:08d}", title, experiment, "FINISHED", params={"p": "x" * 9000}, metrics={"a b/c": [(0, 0, 1.0), (1, 0, 2.0)]})
        for place, (title, experiment) in enumerate(
            [("", "!!!"), ("a\nMlflow-Run: forged", "A B"), ("b", "a-b"), ("c", "2024"), ("\u202e", "A B")]
        )
    ]  # fmt: skip
    found = import_store(repository, MlflowStore(runs, [], []))
    assert found.new == len(set(found.commits.values())) == 5
    assert {one.trailers["Mlflow-Run"] for one in list_experiments(repository)} == {
        run.id for run in runs
    }
    names = {furrow.run(one.name, repo=repository).name for one in list_experiments(repository)}
    assert names == {"mlflow", "a_b", "a_b_2", "mlflow_2024"}
    assert slug("Größe  é!", "_") == "groe_e"
    assert "plots/a b%2Fc.tsv" in run_files(runs[0])


def test_a_dvc_repository(
    repository: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage's metrics at each commit that changed them, templates too; the repository stays as it was."""
    root = repository
    monkeypatch.chdir(root)
    Repo.init(str(root)).close()
    (root / "train.py").write_text(
        "import json, sys, yaml\nname = sys.argv[1]\nlr = yaml.safe_load(open('params.yaml'))['lr']\n"
        "json.dump({'auc': lr * 2, 'deep': {'n': 1}}, open(f'{name}.json', 'w'))\n"
    )
    stages = {
        "prepare": {"cmd": "echo 1 > raw.txt", "outs": ["raw.txt"]},
        "train": {
            "foreach": ["a", "b"],
            "do": {
                "cmd": "python train.py ${item}", "params": ["lr"],
                "metrics": [{"${item}.json": {"cache": False}}],
            },
        },
    }  # fmt: skip
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    for lr in (0.1, 0.2):
        (root / "params.yaml").write_text(f"lr: {lr}\n")
        with Repo(str(root)) as repo:
            repo.reproduce()
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", f"lr {lr}")
    before = git(root, "status", "--porcelain")
    found = import_dvc(root)
    assert (found.new, found.there, found.notes) == (4, 0, [])
    frame = furrow.runs(revs="all", repo=root)
    assert sorted(zip(frame["name"], frame["params.lr"], frame["auc"], strict=True)) == [
        ("train_a", 0.1, 0.2), ("train_a", 0.2, 0.4), ("train_b", 0.1, 0.2), ("train_b", 0.2, 0.4),
    ]  # fmt: skip
    run = furrow.run(list_experiments(root)[0].name, repo=root)
    assert run.metrics["deep.n"] == 1
    assert json.loads(run.text("record.json"))["dvc"]["stage"].startswith("train@")
    assert (import_dvc(root).new, git(root, "status", "--porcelain")) == (0, before)
    with Repo(str(root)) as repo:
        assert repo.status() == {}


BROKEN = {
    "marks of a merge": "<<<<<<< HEAD\nstages: {}\n=======\n>>>>>>> other\n",
    "a list": "- x\n",
    "stages in a list": "stages: [1, 2]\n",
    "no stage": "stages: {a: text}\n",
    "odd parts": "stages: {a: {cmd: [x], outs: [text, {path: m.toml, md5: {a: 1}}], deps: [x], params: 7}}\n",
    "parts in mappings": "stages: {a: {outs: {path: m.toml}, params: {p.yaml: text}}}\n",
    "paths that lead out": 'stages: {a: {outs: [{path: ../out.json, md5: "../../out"}, {path: /etc/passwd}]}}\n',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_dvc_lock_that_was_written_by_hand(
    repository: Path, git: Callable[..., str], kind: str
) -> None:
    """One broken commit hides none of the others; nothing outside of the repository is read."""
    root = repository
    Repo.init(str(root)).close()
    (root.parent / "out.json").write_text('{"secret": 42}')
    (root / "m.toml").write_text("auc = 0.5\n")
    metrics = [{name: {"cache": False}} for name in ("m.toml", "../out.json", "/etc/passwd")]
    (root / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"a": {"cmd": "x", "metrics": metrics}}})
    )
    whole = "stages: {a: {cmd: CMD, outs: [{path: m.toml, md5: aa}], params: {p.yaml: {lr: 1}}}}\n"
    for text in (whole, BROKEN[kind], whole.replace("CMD", "again")):
        (root / "dvc.lock").write_text(text)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "lock")
    found = import_dvc(root)
    assert found.new == (3 if kind == "odd parts" else 2)
    assert bool(found.notes) is (kind not in {"odd parts", "parts in mappings"})
    frame = furrow.runs(revs="all", repo=root)
    assert set(frame["auc"]) == {0.5}
    assert "secret" not in str(list(frame.columns))


def test_a_dvc_repository_that_never_ran(repository: Path) -> None:
    """Nothing to record: it says what is missing."""
    Repo.init(str(repository)).close()
    found = import_dvc(repository)
    assert found.new == 0
    assert "no commit holds dvc.lock" in found.notes[0]


def test_uncommitted_work_stays_and_is_no_run(repository: Path, git: Callable[..., str]) -> None:
    """Changed, staged and new files are what they were, to the byte; only what was committed is recorded."""
    root = repository
    Repo.init(str(root)).close()
    stage = {"cmd": "x", "metrics": [{"m.toml": {"cache": False}}]}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"a": stage}}))
    (root / "m.toml").write_text("auc = 0.5\n")
    lock = "stages: {a: {cmd: x, outs: [{path: m.toml, md5: aa}], params: {p.yaml: {lr: 1}}}}\n"
    (root / "dvc.lock").write_text(lock)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    (root / "m.toml").write_text("auc = 0.9\n")
    git(root, "add", "m.toml")
    (root / "dvc.lock").write_text(lock.replace("lr: 1", "lr: 7"))
    (root / "new.txt").write_text("mine\n")
    files = ("m.toml", "dvc.lock", "new.txt", "dvc.yaml", "README.md")

    def whole() -> list[str]:
        said = git(root, "status", "--porcelain"), git(root, "diff"), git(root, "diff", "--cached")
        return [*said, *((root / name).read_text() for name in files)]

    before = whole()
    assert import_dvc(root).new == 1
    assert whole() == before
    frame = furrow.runs(revs="all", repo=root)
    assert list(frame["params.lr"]) == [1]
    assert list(frame["auc"]) == [0.5]
