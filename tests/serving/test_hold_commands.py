"""The commands on a server's machine: they tell and overrule, and need no Git; and the commit that a proposal is."""

from __future__ import annotations

import json
import subprocess

import pytest
from click.testing import CliRunner

from furrow.cli import deployments, hold, release, rollback, status, trace
from furrow.cli.group import COMMANDS
from furrow.cli.hold_options import state_of
from furrow.errors import FurrowError
from furrow.ground.git import GitError, show
from furrow.ground.git_commit import commit_file
from furrow.serving.canary_watch import Tally, decide
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import Followed, Local, state_folder, write_followed

TEXT = "model: a@v1.1.0\ncanary: {model: a@v1.2.0}\n"


def local(number):
    return Local(f"a@v1.{number}.0", "c" * 40, f"/versions/{number}", str(number) * 64)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose server follows Git, as its state says; no Git is there."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "conf/deployment").mkdir(parents=True)
    (tmp_path / "conf/deployment/production.yaml").write_text(TEXT)
    spec = parse_deployment(TEXT.encode(), "x")
    followed = Followed(
        "production", "c" * 40, "2026-03-01T12:00:00+00:00", main=local(1), previous=local(0),
        canary=local(2), declared=TEXT, canary_digest=spec.canary_digest,
    )  # fmt: skip
    folder = state_folder(tmp_path, "production")
    folder.mkdir(parents=True)
    write_followed(folder, followed)
    tally = Tally(folder, "one", spec.canary_digest)
    tally.add("main", count=90)
    tally.add("canary", count=10)
    tally.write()
    decide(folder, spec.canary, spec.canary_digest)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(module, *words):
    done = CliRunner().invoke(module.command, words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def serves(*words):
    shown = json.loads(said(status, "production", "--json", *words))
    return shown["serves"], shown["canary"], shown["held"]


def test_back_and_released(project):
    assert serves() == ("a@v1.1.0", "a@v1.2.0", "")
    assert "back to a@v1.0.0" in said(rollback, "production", "--why", "too slow")
    assert serves() == ("a@v1.0.0", "", "rollback: too slow")
    assert "the rollback of" in said(release, "production")
    assert serves() == ("a@v1.1.0", "a@v1.2.0", "")
    assert "a@v1.1.0 is held" in said(hold, "production")
    assert serves("--state", str(state_folder(project, "production"))) == (
        "a@v1.1.0",
        "",
        "hold: no reason given",
    )
    assert "is taken as it is now" in said(release, "production", "--rewritten")


def test_the_status_tells_the_canary_s_evidence(project):
    assert "canary 0 of 10, main 0 of 90" in said(status, "production")


def test_what_is_declared_and_what_is_served(project):
    said(rollback, "production")
    (project / "conf/deployment/staging.yaml").write_text("modle: x\n")
    one, two = json.loads(said(deployments, "--json"))["environments"]
    assert (one["declared"], one["serves"]) == ("a@v1.1.0", "a@v1.0.0")
    assert (two["environment"], two["serves"]) == ("staging", "")
    assert "names no model" in two["problem"]
    shown = said(deployments, "production")
    assert "2026-03-01 12:00:00" in shown
    assert "rollback" in shown


def test_an_environment_that_is_not_served_here(project):
    with pytest.raises(FurrowError, match="no server of staging"):
        state_of("staging", None)


def test_the_commands_are_listed():
    modules = (deployments, hold, release, rollback, status, trace)
    assert {module.__name__.rpartition(".")[2] for module in modules} <= set(COMMANDS)


def test_a_commit_of_one_file_touches_nothing_else(tmp_path):
    """On a branch of its own, in a bare repository or not; a branch that is there is not overwritten."""

    def git(*words):
        done = subprocess.run(
            ["git", *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_text("1")
    (tmp_path / "a/two").write_text("2")
    git("add", "-A")
    git("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "first")
    base = git("rev-parse", "HEAD")
    made = commit_file(tmp_path, "x/y", base, "a/one", b"3", "Change\n\nWhy.\n")
    assert git("rev-parse", "x/y") == made
    assert git("diff", "--name-only", base, made) == "a/one"
    assert show(tmp_path, made, "a/one") == b"3"
    assert git("log", "-1", "--format=%B", made) == "Change\n\nWhy."
    assert (git("rev-parse", "HEAD"), git("status", "--porcelain")) == (base, "")
    with pytest.raises(GitError, match="could not be written"):
        commit_file(tmp_path, "x/y", base, "a/one", b"4", "Again")
