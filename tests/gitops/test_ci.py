"""`furrow ci` on a commit: what it runs, what it judges, what it offers, and that the work tree is left alone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from furrow.ci.ci_commit import made_by_ci
from furrow.ci.ci_settings import CiSettingsError, parse_settings
from furrow.ci.deployment_check import deployments_hold
from furrow.replay.statement import read_verdicts, write_note

from .ciproject import commit, copied, experiment, furrow, run, set_rate


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with a DVC remote, trained."""
    return copied(tmp_path_factory, tmp_path)


def outcome(folder: Path, *arguments: str, code: int = 0, **extra: str):
    done = furrow(folder, "ci", "--json", *arguments, check=False, **extra)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def checks(value) -> dict[str, str]:
    return {one["name"]: one["status"] for one in value["checks"]}


def texts(value) -> dict[str, str]:
    return {one["name"]: " ".join([one["text"], *one["details"]]) for one in value["checks"]}


def test_the_author_ran_the_stages(project):
    """CI runs nothing, replays the changed experiment from nothing, gates it, and leaves the work tree alone."""
    experiment(project, "forest", 0.45)
    run(project, "dvc", "repro", "-q")
    run(project, "dvc", "push", "-q")
    made = commit(project, "Add the forest")
    (project / "data").rename(project / "elsewhere")
    value = outcome(project)
    assert checks(value) == {
        "inspect": "passed",
        "plan": "passed",
        "stages": "passed",
        "remote": "passed",
        "deployments": "skipped",
        "gate": "passed",
        "replay": "passed",
    }
    assert value["stages"] == []
    assert [(one["experiment"], one["status"]) for one in value["replays"]] == [
        ("forest", "identical")
    ]
    assert {one["experiment"]: one["status"] for one in value["runs"]}["forest"] == "new"
    assert value["offered"] == ""
    assert run(project, "git", "status", "--porcelain").stdout == "?? elsewhere/\n"
    folder = project / ".furrow/ci" / made[:12]
    assert (folder / "report.md").read_text().startswith("## ✅ Furrow: passed")
    assert "<svg" in (folder / "report.html").read_text()
    notes = run(project, "git", "notes", "--ref", "refs/notes/furrow/replay", "list").stdout
    assert made in notes


@pytest.mark.long
def test_a_fresh_clone_fetches_only_what_it_needs(project, tmp_path):
    """Stages that were not run are run, with the inputs that they need; at home that is a failure with a next step."""
    set_rate(project, "gbm", 0.4)
    commit(project, "Another rate")
    run(tmp_path, "git", "clone", "-q", str(project), "clone")
    value = outcome(tmp_path / "clone", code=1)
    assert checks(value)["stages"] == "failed"
    assert [one["name"] for one in value["stages"]] == ["train@gbm", "evaluate@gbm", "select"]
    assert "rate 0.2 -> 0.4" in value["stages"][0]["why"]
    cached = {
        path.read_bytes()
        for path in (tmp_path / "clone/.dvc/cache/files/md5").rglob("*")
        if path.is_file()
    }
    assert b"AA\nUA\n" in cached
    assert b"model of base 0.1 2" not in cached
    gbm = next(one for one in value["runs"] if one["experiment"] == "gbm")
    assert gbm["measures"][0]["verdict"] == "better"
    assert gbm["measures"][0]["span"] == [pytest.approx(-0.2), pytest.approx(-0.2)]


@pytest.mark.long
def test_data_that_were_landed_alone(project, tmp_path):
    """A new month whose author ran nothing: on a fresh machine, where no list of the data is, every reader is stale."""
    (project / "data/flights.csv").write_text("AA\nUA\nB6\n")
    run(project, "dvc", "add", "-q", "data")
    run(project, "dvc", "push", "-q")
    commit(project, "Land a month")
    run(tmp_path, "git", "clone", "-q", str(project), "clone")
    stages = {"train@base", "train@gbm", "evaluate@base", "evaluate@gbm", "select"}
    planned = json.loads(furrow(tmp_path / "clone", "plan", "--rev", "HEAD..HEAD", "--json").stdout)
    assert {one["name"] for one in planned["stages"]} == stages
    value = outcome(tmp_path / "clone", code=1)
    assert {one["name"] for one in value["stages"]} == stages
    assert "data: flights.csv changed" in value["changes"]["data"]


def test_the_results_are_offered_once(project, tmp_path):
    """CI's commit stands on the author's, carries dvc.lock and runs/ alone, and is verified without another one."""
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    run(project, "git", "remote", "add", "origin", str(tmp_path / "bare.git"))
    run(project, "git", "switch", "-q", "-c", "topic")
    set_rate(project, "gbm", 0.35)
    with (project / "stages.py").open("a") as handle:
        handle.write("open('stray.txt', 'w').close()\n")
    made = commit(project, "Topic")
    run(project, "git", "push", "-q", "origin", "topic")
    value = outcome(project, "--offer", "origin")
    assert checks(value)["offer"] == "passed"
    tip = run(tmp_path / "bare.git", "git", "rev-parse", "topic").stdout.strip()
    assert tip == value["offered"]
    assert run(tmp_path / "bare.git", "git", "rev-parse", "topic^").stdout.strip() == made
    changed = run(tmp_path / "bare.git", "git", "diff", "--name-only", made, tip).stdout.split()
    assert all(path == "dvc.lock" or path.startswith("runs/") for path in changed)
    assert made_by_ci(tmp_path / "bare.git", tip)

    run(tmp_path, "git", "clone", "-q", "-b", "topic", str(tmp_path / "bare.git"), "clone")
    again = outcome(tmp_path / "clone", "--offer", "origin")
    assert again["offered"] == ""
    assert checks(again)["remote"] == "passed"
    assert checks(again)["replay"] == "passed"
    assert run(tmp_path / "bare.git", "git", "rev-parse", "topic").stdout.strip() == tip


@pytest.mark.long
def test_a_branch_that_moved_on_is_not_overwritten(project, tmp_path):
    """CI's commit is not pushed when the branch has another newest commit by then, older or newer."""
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    run(project, "git", "remote", "add", "origin", str(tmp_path / "bare.git"))
    run(project, "git", "switch", "-q", "-c", "topic")
    set_rate(project, "gbm", 0.35)
    commit(project, "Topic")
    run(
        project, "git", "push", "-q", "origin", "topic~1:refs/heads/topic"
    )  # somebody took the commit back
    value = outcome(project, "--offer", "origin")
    assert checks(value)["offer"] == "warning"
    assert value["offered"] == ""
    assert (
        run(tmp_path / "bare.git", "git", "rev-parse", "topic").stdout
        == run(project, "git", "rev-parse", "main").stdout
    )


def test_a_worse_champion_fails(project):
    """A champion that is surely worse than the target branch's fails the gate; so does a run edited by hand."""
    run(project, "git", "switch", "-q", "-c", "topic")
    set_rate(project, "gbm", 0.05)
    set_rate(project, "base", 0.06)
    run(project, "dvc", "repro", "-q")
    run(project, "dvc", "push", "-q")
    commit(project, "Worse")
    value = outcome(project, "--replay", "none", code=1)
    assert checks(value)["gate"] == "failed"
    assert "worse" in next(one["text"] for one in value["checks"] if one["name"] == "gate")


def test_a_result_edited_by_hand_fails_the_replay(project):
    """metrics.json and dvc.lock agree, and neither is what the stages give."""
    path = project / "runs/gbm/metrics.json"
    path.write_text(path.read_text().replace("0.4", "0.2"))
    run(project, "dvc", "commit", "-q", "-f")
    run(project, "dvc", "push", "-q")
    commit(project, "Better on paper")
    value = outcome(project, code=1)
    assert checks(value)["replay"] == "failed"
    assert any(
        "metrics.json" in line or "hand" in line or "differ" in line
        for line in value["replays"][0]["reasons"]
    )


def test_what_is_deployed_must_move_along(project):
    """A service that a deployed version was trained on changes: CI fails, unless the deployment moves with it."""
    (project / "features").mkdir()
    manifest = {"services": {"full": {"digest": "f" * 64}}}
    (project / "features/manifest.json").write_text(json.dumps(manifest))
    (project / "conf/deployment").mkdir()
    (project / "conf/deployment/production.yaml").write_text(
        f"model: gbm@v1.0.0\nfeatures_digest: {'f' * 64}\n"
    )
    commit(project, "Deploy")
    trained = json.loads((project / "runs/gbm/record.json").read_text())["model_sha256"]
    tag(project, "gbm@v1.0.0", "HEAD", model_sha256=trained)
    assert (
        deployments_hold(
            project, "", run(project, "git", "rev-parse", "HEAD").stdout.strip()
        ).status
        == "passed"
    )
    run(project, "git", "switch", "-q", "-c", "topic")
    manifest["services"]["full"]["digest"] = "e" * 64
    (project / "features/manifest.json").write_text(json.dumps(manifest))
    commit(project, "Change a view")
    broken = outcome(project, "--replay", "none", code=1)
    assert checks(broken)["deployments"] == "failed"
    details = next(one["details"] for one in broken["checks"] if one["name"] == "deployments")
    assert details[0].startswith(
        "production serves gbm@v1.0.0, trained on full ffffffffffff; here full is eeeeeeeeeeee"
    )
    (project / "conf/deployment/production.yaml").write_text(
        f"model: gbm@v2.0.0\nfeatures_digest: {'e' * 64}\n"
    )
    moved = commit(project, "Move the deployment")
    tag(project, "gbm@v2.0.0", moved, model_sha256=trained)
    assert deployments_hold(project, "main", moved).status == "passed"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("gbm@v7.0.0", "no tag registers this version"),
        ("gbm@v1.0.0", "gbm@v1.0.0 did not pass the gate"),
        ("gbm@v0.1.0", "carries no hash and no gate"),
    ],
)
def test_a_deployment_written_by_hand_of_what_may_not_be_deployed(project, model, why):
    champion = json.loads((project / "runs/champion.json").read_text())
    run(project, "git", "switch", "-q", "-c", "elsewhere")
    champion["verdicts"]["gbm"]["passed"] = False
    (project / "runs/champion.json").write_text(json.dumps(champion))
    tag(project, "gbm@v1.0.0", commit(project, "Not good enough"), model_sha256="0" * 64)
    tag(project, "gbm@v0.1.0", "HEAD")
    run(project, "git", "switch", "-q", "main")
    (project / "conf/deployment").mkdir()
    (project / "conf/deployment/production.yaml").write_text(f"model: {model}\n")
    found = deployments_hold(project, "", commit(project, "Deploy"))
    assert found.status == "failed"
    (details,) = found.details
    assert details.startswith(f"production serves {model}: ")
    assert why in details


def tag(folder: Path, name: str, commit_id: str, **facts: str) -> None:
    """A tag as registration writes it, with any facts in it."""
    run(
        folder,
        "git",
        "tag",
        "-a",
        "-m",
        f"Register {name}",
        "-m",
        json.dumps(facts),
        name,
        commit_id,
    )


@pytest.mark.long
def test_registration_believes_no_note_and_no_tag(project):
    """Where a replay is asked for, CI makes it: neither a note that tells of one nor a tag that claims the model counts."""
    (project / "conf/ci.yaml").write_text(
        "replay: none\nregister: {automatic: true, replayed: true}\n"
    )
    first = commit(project, "Register what was replayed")
    arguments = ("--branch", "main", "--register")
    value = outcome(project, *arguments)
    assert checks(value)["register"] == "passed"
    assert [(one["experiment"], one["status"]) for one in value["replays"]] == [
        ("gbm", "identical")
    ]
    assert run(project, "git", "tag", "--list").stdout == "gbm@v1.0.0\n"
    again = outcome(project, *arguments)
    assert texts(again)["register"] == "the champion is gbm@v1.0.0 already"
    assert again["replays"] == []

    set_rate(project, "gbm", 0.3)
    run(project, "dvc", "repro", "-q")
    path = project / "runs/gbm/metrics.json"
    path.write_text(path.read_text().replace("0.3", "0.2"))
    run(project, "dvc", "commit", "-q", "-f")
    run(project, "dvc", "push", "-q")
    second = commit(project, "Better on paper")
    honest = read_verdicts(project, first)[0]
    write_note(project, replace(honest, commit=second))
    value = outcome(project, *arguments, code=1)
    assert checks(value)["register"] == "failed"
    assert "gave another result" in texts(value)["register"]
    assert run(project, "git", "tag", "--list").stdout == "gbm@v1.0.0\n"

    sha256 = json.loads((project / "runs/gbm/record.json").read_text())["model_sha256"]
    tag(project, "gbm@v9.0.0", first, model_sha256=sha256)
    value = outcome(project, *arguments, code=1)
    assert checks(value)["register"] == "failed"
    assert texts(value)["register"].startswith("the tag gbm@v9.0.0 claims the champion's model")
    assert "git push --delete REMOTE refs/tags/gbm@v9.0.0" in texts(value)["register"]


def test_a_stage_that_fails(project):
    """The end of what it printed is in the report; nothing is offered."""
    (project / "stages.py").write_text("raise SystemExit('no luck today')\n")
    commit(project, "Break it")
    value = outcome(project, code=1)
    found = next(one for one in value["checks"] if one["name"] == "stages")
    assert found["text"] == "stage train@base failed: `python stages.py train base` exited 1"
    assert any("no luck today" in line for line in found["details"])


@pytest.mark.long
def test_no_remote_and_a_shallow_clone(project, tmp_path):
    """Without a remote a stale stage's input is an error that says what to do, or is prepared; shallow is told."""
    run(project, "dvc", "remote", "remove", "store")
    set_rate(project, "gbm", 0.4)
    commit(project, "No remote")
    run(tmp_path, "git", "clone", "-q", "--depth", "1", f"file://{project}", "clone")
    value = outcome(tmp_path / "clone", code=1)
    assert "shallow" in texts(value)["inspect"]
    assert texts(value)["stages"].startswith(
        "data is needed, and the repository names no DVC remote"
    )
    assert "dvc remote add" in texts(value)["stages"]
    with (project / "conf/ci.yaml").open("a") as handle:
        handle.write("prepare: mkdir -p data && printf 'AA\\nUA\\n' > data/flights.csv\n")
    commit(project, "Prepare")
    shutil.rmtree(tmp_path / "clone")
    run(tmp_path, "git", "clone", "-q", "--depth", "1", f"file://{project}", "clone")
    value = outcome(tmp_path / "clone", "--lenient")
    # Nothing is half read: what nobody has any more is made again, the other experiment too.
    assert {one["name"] for one in value["stages"]} >= {
        "train@gbm",
        "train@base",
        "evaluate@base",
        "select",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reply: all", "did you mean 'replay'"),
        ("replay: some", "use one of: all, changed"),
        ("sample: many", "give a int"),
        ("- all", "holds no mapping"),
        ("register: {automatc: true}", "did you mean 'automatic'"),
        ("register: {replayed: often}", "give true or false"),
        ("replay: [", "not valid YAML"),
    ],
)
def test_settings_that_are_wrong(text, words):
    """A typo in conf/ci.yaml is named, with the next step."""
    with pytest.raises(CiSettingsError) as caught:
        parse_settings(text.encode())
    assert words in str(caught.value)
