"""The registry: versions only of what passed, bound to hashes; deployments by merge; all of it plain Git and GTO."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.models import bundle
from furrow.models.deployment import current, history, promote, rollback
from furrow.models.register import register
from furrow.models.registry import MODEL, compare, find, versions
from furrow.models.version_fetch import fetch


def run(folder: Path, *command: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(
    root: Path, model: bytes, *, auc: float = 0.75, digest: str = "a" * 64, passed: bool = True
) -> str:
    """Write and commit what a run leaves: the bundle under DVC, its record, the champion."""
    folder = root / "build/models/gbm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.joblib").unlink(missing_ok=True)
    (folder / "model.joblib").write_bytes(model)
    run(root, "dvc", "add", "-q", "build/models/gbm")
    sha256 = hashlib.sha256(model).hexdigest()
    runs = root / "runs/gbm"
    runs.mkdir(parents=True, exist_ok=True)
    record = {"model_sha256": sha256, "features_digest": digest, "service": "full"}
    (runs / "record.json").write_text(json.dumps(record))
    (runs / "metrics.json").write_text(json.dumps({"roc_auc": auc, "log_loss": 0.4}))
    (runs / "card.md").write_text(f"# gbm\n\nROC AUC {auc}\n")
    failures = (
        []
        if passed
        else [{"rule": "minimum roc_auc", "value": auc, "limit": 0.9, "short_by": 0.9 - auc}]
    )
    champion = {
        "experiment": "gbm" if passed else None,
        "verdicts": {"gbm": {"passed": passed, "failures": failures}},
    }
    (root / "runs/champion.json").write_text(json.dumps(champion))
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", f"train {auc}")
    return sha256


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one trained model, and a DVC remote in a folder beside it; not to be changed."""
    repo = tmp_path_factory.mktemp("trained") / "repo"
    repo.mkdir()
    run(repo, "git", "init", "-q", "-b", "main")
    run(repo, "git", "config", "user.name", "Ada Test")
    run(repo, "git", "config", "user.email", "ada@example.com")
    run(repo, "git", "commit", "-q", "--allow-empty", "-m", "first")
    run(repo, "dvc", "init", "-q")
    run(repo, "dvc", "remote", "add", "-q", "-d", "store", "../remote")
    (repo / "dvc.yaml").write_text(
        "artifacts:\n  gbm:\n    path: build/models/gbm\n    type: model\n"
    )
    train(repo, b"first model")
    return repo


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed at will."""
    return Path(shutil.copytree(trained, tmp_path / "repo", symlinks=True))


def test_register_and_list(project):
    """A version is an annotated tag of the commit; the same model is not registered twice."""
    first = register(project)
    assert str(first) == "gbm@v1.0.0"
    assert first.commit == run(project, "git", "rev-parse", "HEAD").strip()
    assert first.facts["metrics"]["roc_auc"] == 0.75
    assert first.by == "Ada Test"
    assert register(project, "gbm") == first
    train(project, b"second model", auc=0.77)
    second = register(project)
    train(project, b"third model", auc=0.78, digest="b" * 64)
    third = register(project)
    assert [str(version) for version in versions(project)] == [
        "gbm@v2.0.0",
        "gbm@v1.1.0",
        "gbm@v1.0.0",
    ]
    assert find(project, "gbm") == find(project, "gbm@latest") == third
    found = compare(first, second)
    assert found["metrics"]["roc_auc"]["change"] == pytest.approx(0.02)
    assert found["same"] == {"features_digest": True, "model_sha256": False, "service": True}


def test_gto_and_dvc_understand(project, tmp_path):
    """GTO lists the versions, and DVC gets the artifact by its name and version."""
    register(project)
    shown = json.loads(run(project, "gto", "show", "--json"))
    assert shown["gbm"]["version"] == "v1.0.0"
    (entry,) = json.loads(run(project, "gto", "history", "gbm", "--json"))
    assert (entry["event"], entry["version"], entry["commit"]) == (
        "registration",
        "v1.0.0",
        shown_commit(project),
    )
    run(project, "dvc", "push", "-q")
    run(
        tmp_path,
        "dvc",
        "artifacts",
        "get",
        str(project),
        "gbm",
        "--rev",
        "v1.0.0",
        "-o",
        str(tmp_path / "got"),
    )
    assert (tmp_path / "got/model.joblib").read_bytes() == b"first model"


def shown_commit(folder: Path) -> str:
    return run(folder, "git", "rev-parse", "HEAD").strip()


def test_what_is_not_registered(project):
    """A failed gate, a dirty tree, another branch, a missing and a replaced model: each is refused with the reason."""
    train(project, b"weak", auc=0.6, passed=False)
    with pytest.raises(FurrowError, match="no champion"):
        register(project)
    with pytest.raises(
        FurrowError, match=r"did not pass the gate: minimum roc_auc is 0.6, needs 0.9"
    ):
        register(project, "gbm")
    train(project, b"strong", auc=0.8)
    with pytest.raises(FurrowError, match="no run 'gmb'"):
        register(project, "gmb")
    (project / "runs/gbm/metrics.json").write_text("{}")
    with pytest.raises(FurrowError, match="changes that no commit holds"):
        register(project)
    run(project, "git", "checkout", "runs")
    run(project, "git", "checkout", "-q", "-b", "side")
    train(project, b"aside", auc=0.9)
    with pytest.raises(FurrowError, match="is not on the branch main"):
        register(project)
    run(project, "git", "checkout", "-q", "main")
    with pytest.raises(FurrowError, match=r"has sha256 .* the commit records"):
        register(project)
    (project / "build/models/gbm/model.joblib").unlink()
    with pytest.raises(FurrowError, match="dvc pull"):
        register(project)
    assert versions(project) == []


def test_a_trial_that_was_merged_has_no_model(project):
    """Whatever lies in build/ is another run's."""
    path = project / "runs/gbm/record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_sha256": None}))
    run(project, "git", "commit", "-qam", "a trial")
    with pytest.raises(FurrowError, match="gbm is a trial's run") as caught:
        register(project)
    assert "dvc repro" in caught.value.hint
    assert versions(project) == []


def test_a_replay_may_be_asked_for(project):
    """With register.replayed in conf/ci.yaml, a commit that was not replayed is refused."""
    (project / "conf").mkdir()
    (project / "conf/ci.yaml").write_text("branch: main\nregister: {replayed: true}\n")
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-q", "-m", "ask")
    with pytest.raises(FurrowError, match="furrow replay"):
        register(project)
    assert str(register(project, replayed=True)) == "gbm@v1.0.0"


def test_get_from_another_clone(project, tmp_path):
    """A clone that has only the remote gets the model, and its hash is checked."""
    register(project)
    run(project, "dvc", "push", "-q")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    fetch(clone, "gbm@v1.0.0", tmp_path / "out")
    assert (tmp_path / "out/model.joblib").read_bytes() == b"first model"
    with pytest.raises(FurrowError, match="is there already"):
        fetch(clone, "gbm@v1.0.0", tmp_path / "out")
    with pytest.raises(FurrowError, match=r"no version 'gbm@v9.0.0'"):
        fetch(clone, "gbm@v9.0.0", tmp_path / "other")


def test_a_remote_without_the_model(project, tmp_path):
    """Nothing was pushed: the error says who has to push, and nothing is left."""
    register(project)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    with pytest.raises(FurrowError, match="dvc push"):
        fetch(clone, "gbm@v1.0.0", tmp_path / "out")


def test_a_forged_tag_is_caught(project, tmp_path):
    """A tag that names another hash than the model's: the copy is thrown away."""
    version = register(project)
    forged = json.dumps({**version.facts, "model_sha256": "0" * 64})
    run(
        project,
        "git",
        "tag",
        "-f",
        "-a",
        "-m",
        "Register\n\n" + forged,
        "gbm@v1.0.0",
        version.commit,
    )
    with pytest.raises(FurrowError, match="says what its commit does not: model_sha256"):
        fetch(project, "gbm@v1.0.0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_promotion_is_a_merge(project):
    """promote writes a commit on a branch and touches nothing else; merging it deploys; the log says who and when."""
    register(project)
    before = run(project, "git", "rev-parse", "HEAD")
    branch, _ = promote(project, "gbm@v1.0.0", "production")
    assert run(project, "git", "rev-parse", "HEAD") == before
    assert run(project, "git", "status", "--porcelain") == ""
    assert current(project, "production") is None
    assert current(project, "production", branch) == "gbm@v1.0.0"
    with pytest.raises(FurrowError, match="is there already"):
        promote(project, "gbm@v1.0.0", "production")
    run(project, "git", "merge", "-q", "--no-ff", "-m", "Approve", branch)
    assert current(project, "production") == "gbm@v1.0.0"
    with pytest.raises(FurrowError, match=r"serves gbm@v1.0.0 already"):
        promote(project, "gbm@v1.0.0", "production")
    (change,) = history(project, "production")
    assert (change.before, change.after, change.who) == (
        None,
        "gbm@v1.0.0",
        "Ada Test <ada@example.com>",
    )


def offline() -> list[str]:
    """What runs a command in a network namespace of its own, with nothing in it; nothing where that is not allowed."""
    command = ["unshare", "--map-root-user", "--net"]
    return (
        command
        if shutil.which("unshare")
        and not subprocess.run([*command, "true"], check=False).returncode
        else []
    )


def test_rollback_needs_no_network(project):
    """rollback commits the file as it was before the newest change; a remote that is out of reach is no hindrance."""
    run(project, "git", "remote", "add", "origin", "https://forge.invalid/flights.git")
    register(project)
    train(project, b"second model", auc=0.77)
    register(project)
    for text in ("gbm@v1.0.0", "gbm@v1.1.0"):
        branch, _ = promote(project, text, "production")
        run(project, "git", "merge", "-q", "--no-ff", "-m", f"Approve {text}", branch)
    (project / "runs/gbm/card.md").write_text("mine\n")
    with pytest.raises(FurrowError, match="changes that no commit holds"):
        rollback(project, "production")
    run(project, "git", "checkout", "-q", "runs")
    said = run(
        project, *offline(), sys.executable, "-m", "furrow", "models", "rollback", "production"
    )
    assert "production: gbm@v1.1.0 -> gbm@v1.0.0" in said
    assert "This reverts commit" in run(project, "git", "log", "-1", "--format=%b")
    assert current(project, "production") == "gbm@v1.0.0"
    assert run(project, "git", "status", "--porcelain") == ""
    changes = [(change.before, change.after) for change in history(project)]
    assert changes == [
        ("gbm@v1.1.0", "gbm@v1.0.0"),
        ("gbm@v1.0.0", "gbm@v1.1.0"),
        (None, "gbm@v1.0.0"),
    ]


def forged(folder: Path, tag: str, sha256: str) -> None:
    """A tag such as Furrow writes, made by hand."""
    facts = json.dumps({"model_sha256": sha256, "features_digest": "a" * 64, "service": "full"})
    run(folder, "git", "tag", "-a", "-m", f"Register\n\n{facts}", tag)


def test_what_can_not_be_promoted_or_rolled_back(project):
    """Versions that do not exist or carry no gate, odd names, and nothing to go back to."""
    with pytest.raises(FurrowError, match=r"no version 'gbm@v1\.0\.0'"):
        promote(project, "gbm@v1.0.0", "production")
    run(project, "git", "tag", "-a", "-m", "by hand", "gbm@v0.1.0")
    with pytest.raises(FurrowError, match="no hash and no gate"):
        promote(project, "gbm@v0.1.0", "production")
    forged(project, "gbm@v0.2.0", train(project, b"weak", auc=0.6, passed=False))
    with pytest.raises(FurrowError, match=r"gbm@v0\.2\.0 did not pass the gate"):
        promote(project, "gbm@v0.2.0", "production")
    (project / "runs/champion.json").unlink()
    run(project, "git", "commit", "-q", "-a", "-m", "no verdicts")
    forged(project, "gbm@v0.3.0", "0" * 64)
    with pytest.raises(FurrowError, match="does not say that gbm passed"):
        promote(project, "gbm@v0.3.0", "production")
    with pytest.raises(FurrowError, match="not an environment's name"):
        current(project, "../x")
    with pytest.raises(FurrowError, match="no earlier version"):
        rollback(project, "production")


def test_the_command_line(project):
    """register, list, show, card and log as a person calls them."""
    furrow = [sys.executable, "-m", "furrow", "models"]
    assert "nothing has been deployed" in run(project, *furrow, "log")
    assert "no version is registered" in run(project, *furrow, "list")
    assert "gbm@v1.0.0 registered" in run(project, *furrow, "register")
    assert json.loads(run(project, *furrow, "list", "--json"))["versions"][0]["version"] == "v1.0.0"
    assert "0.7500" in run(project, *furrow, "list")
    assert "model_sha256" in run(project, *furrow, "show", "gbm")
    assert "ROC AUC 0.75" in run(project, *furrow, "card", "gbm@v1.0.0")
    assert "review it, and merge it" in run(project, *furrow, "promote", "gbm", "--to", "staging")


def test_the_log_tells_the_evidence(project):
    """Who, when, from, to and on what evidence, for each environment; in JSON too."""
    register(project)
    train(project, b"second model", auc=0.77)
    register(project)
    for text in ("gbm@v1.0.0", "gbm@v1.1.0"):
        branch, _ = promote(project, text, "production")
        run(project, "git", "merge", "-q", "--no-ff", "-m", f"Approve {text}", branch)
    furrow = [sys.executable, "-m", "furrow", "models"]
    newest, oldest = json.loads(run(project, *furrow, "log", "--json"))["changes"]
    assert (newest["environment"], newest["before"], newest["after"]) == (
        "production",
        "gbm@v1.0.0",
        "gbm@v1.1.0",
    )
    assert newest["who"] == "Ada Test <ada@example.com>"
    assert newest["evidence"].startswith("roc_auc 0.7700, log_loss 0.4000, passed the gate at ")
    assert newest["evidence"].endswith("not replayed")
    assert (oldest["before"], oldest["why"]) == (None, "Approve gbm@v1.0.0")
    table = run(project, *furrow, "log")
    assert all(
        text in table
        for text in ("Ada Test", "production", "gbm@v1.1.0", newest["when"][:10], "evidence")
    )
    assert "production" in run(project, *furrow, "show", "gbm@v1.1.0")


def test_where_one_stands(project, tmp_path):
    """A detached HEAD on the branch's commit is as good as the branch; a shallow clone is told to fetch the rest."""
    train(project, b"second model", auc=0.77)
    run(project, "git", "checkout", "-q", "--detach")
    assert str(register(project)) == "gbm@v1.0.0"
    run(project, "git", "tag", "-d", "gbm@v1.0.0")
    run(project, "git", "checkout", "-q", "main")
    (project / "notes.md").write_text("more\n")
    run(project, "git", "add", "notes.md")
    run(project, "git", "commit", "-q", "-m", "more")
    run(tmp_path, "git", "clone", "-q", "--depth=1", f"file://{project}", "shallow")
    shallow = tmp_path / "shallow"
    run(shallow, "git", "checkout", "-q", "-b", "side")
    run(shallow, "git", "commit", "-q", "--allow-empty", "-m", "aside")
    with pytest.raises(FurrowError, match="is not on the branch main") as caught:
        register(shallow)
    assert "unshallow" in caught.value.hint


def test_no_branch_main(project):
    """A repository that calls it otherwise is told how to say so."""
    run(project, "git", "branch", "-m", "main", "trunk")
    with pytest.raises(FurrowError, match="there is no branch main here") as caught:
        register(project, "gbm")
    assert "git branch -m main" in caught.value.hint
    assert "conf/ci.yaml" in caught.value.hint


def test_a_tag_that_exists_already(project):
    """A number that somebody tagged by hand is not used again, and that tag is left as it is."""
    run(project, "git", "tag", "gbm@v1.0.0", "HEAD~1")
    before = run(project, "git", "rev-parse", "gbm@v1.0.0")
    assert str(register(project)) == "gbm@v2.0.0"
    assert run(project, "git", "rev-parse", "gbm@v1.0.0") == before


def test_a_plan_needs_no_model_library():
    """The registry knows the bundle's file by name without loading what reads it: a plan with versions stays quick."""
    code = "import sys, furrow.plan.breaks; sys.exit(bool({'joblib', 'numpy', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert MODEL == bundle.MODEL


@pytest.mark.attack
@pytest.mark.parametrize(
    "claim",
    [
        {"model_sha256": "0" * 64},
        {"features_digest": "b" * 64},
        {"service": "other"},
        {"metrics": {"roc_auc": 0.9999}},
    ],
)
def test_a_tag_claims_and_the_commit_tells(project, claim):
    """What a tag says is shown nowhere; what its commit records is, and a tag that says otherwise deploys nothing."""
    true = register(project)
    said = json.dumps({**true.facts, **claim})
    run(project, "git", "tag", "-f", "-a", "-m", f"Register\n\n{said}", "gbm@v1.0.0", true.commit)
    forged_version = find(project, "gbm")
    assert forged_version.facts == true.facts
    assert forged_version.metrics["roc_auc"] == 0.75
    assert forged_version.invented == list(claim)
    with pytest.raises(FurrowError, match=f"says what its commit .* does not: {next(iter(claim))}"):
        promote(project, "gbm@v1.0.0", "production")
    assert "0.9999" not in run(project, sys.executable, "-m", "furrow", "models", "list")


@pytest.mark.attack
def test_a_commit_beside_the_branch_is_not_deployed(project):
    """Passed its own gate, says its own record: and was never merged."""
    run(project, "git", "switch", "-q", "-c", "stranger")
    forged(project, "gbm@v9.0.0", train(project, b"planted", auc=0.9999))
    run(project, "git", "switch", "-q", "main")
    with pytest.raises(FurrowError, match="is not on the branch main"):
        promote(project, "gbm@v9.0.0", "production")


@pytest.mark.attack
def test_a_tag_says_replayed(project):
    """Its word is no replay: `conf/ci.yaml` asks for one, the log says that there is none."""
    (project / "conf").mkdir(exist_ok=True)
    (project / "conf/ci.yaml").write_text("branch: main\nregister: {replayed: true}\n")
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-q", "-m", "ask")
    with pytest.raises(FurrowError, match="has not been replayed"):
        register(project)
    assert register(project, replayed=True).facts["replayed"]
    branch, _ = promote(project, "gbm@v1.0.0", "production")
    assert "Replayed: no." in run(project, "git", "log", "-1", "--format=%b", branch)
