"""What is decided of a canary: promotions are proposed, ends are carried out and signed, and each is told once."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import replace

import pytest

from furrow.proof.envelope import open_envelope
from furrow.serving.canary_watch import Tally, decide
from furrow.serving.deploy_here import deploy_here
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import (
    read_followed,
    read_holds,
    roll_back,
)
from furrow.serving.follow import poll
from furrow.serving.serve_settings import Following
from furrow.serving.serve_worker import Follower
from furrow.serving.split_host import SplitHost
from furrow.serving.trial_judge import judge
from furrow.serving.version_store import RefusedError

from .followedrepo import git

REGRESSION = "model: regression@v1.0.0\n"


def convinced(settings):
    """What was counted speaks for the canary, surely."""
    found = poll(settings) if settings.remote else read_followed(settings.state)
    canary = parse_deployment(found.declared.encode(), "x").canary
    tally = Tally(settings.state, "one", found.canary_digest)
    now = None
    for _ in range(40):
        tally.add("main", count=400)
        tally.add("canary", count=40)
        tally.write()
        now = decide(settings.state, replace(canary, least=100), found.canary_digest)
    assert now.action == "promote"


def _fails(tally, settings, found):
    """A canary whose every second answer is an error, until it is ended."""
    for _ in range(60):
        tally.add("main", count=40)
        tally.add("canary", count=20, error=True)
        tally.write()
        if judge(settings, found) is None:
            break


def test_a_canary_s_promotion_is_a_branch_to_merge(served):
    """With the evidence in the commit's message; proposed once, and merging it deploys."""
    repo, settings = served
    convinced(settings)
    told = []
    repo.declare(
        "model: binary@v1.0.0\ncanary: {model: regression@v1.0.0, share: 0.3}\nlog: {sample: 0.5}\n"
    )
    settings = replace(settings, tell=told.append)
    waiting = replace(poll(settings), paused="production is paused")
    assert (judge(settings, waiting).action, told) == ("promote", [])
    for _ in range(2):
        judge(settings, poll(settings))
    branch = "promote/production/regression-v1.0.0"
    assert told == [f"proposed on the branch {branch}: review and merge it"]
    git(repo.work, "fetch", "-q", "origin")
    message = git(repo.work, "log", "-1", "--format=%B", f"origin/{branch}")
    assert "Promote regression@v1.0.0 to production" in message
    assert "canary 0 of 1600, main 0 of 16000" in message
    assert (
        git(repo.work, "diff", "--name-only", "main", f"origin/{branch}")
        == "conf/deployment/production.yaml"
    )
    git(repo.work, "merge", "-q", f"origin/{branch}")
    git(repo.work, "push", "-q", "origin", "main")
    found = poll(settings)
    assert (found.main.version, found.canary, found.problem) == ("regression@v1.0.0", None, "")
    assert "sample: 0.5" in found.declared


def test_a_promotion_that_the_remote_did_not_get_is_proposed_when_it_is_back(served):
    """Told once while it is away; a branch that another machine pushed before is not pushed over."""
    repo, settings = served
    convinced(settings)
    told = []
    settings = replace(settings, tell=told.append)
    found = read_followed(settings.state)
    away = repo.origin.rename(repo.origin.with_name("away"))
    for _ in range(2):
        judge(settings, found)
    assert [one.partition(":")[0] for one in told] == ["the promotion could not be proposed"]
    away.rename(repo.origin)
    judge(settings, found)
    branch = "promote/production/regression-v1.0.0"
    assert told[1:] == [f"proposed on the branch {branch}: review and merge it"]
    theirs = git(repo.origin, "rev-parse", branch)
    git(settings.state / "mirror.git", "update-ref", "-d", f"refs/heads/{branch}")
    other = git(repo.work, "commit-tree", "-m", "Of another machine", "-p", "HEAD", "HEAD^{tree}")
    git(repo.work, "push", "-q", "--force", "origin", f"{other}:refs/heads/{branch}")
    for _ in range(2):
        judge(settings, found)
    assert len(told) == 2  # that it could not be was told before
    assert git(repo.origin, "rev-parse", branch) == other != theirs


def test_without_a_remote_a_decision_is_told_and_nothing_is_signed(served):
    """There is no repository of the server's to keep a statement, and no branch to propose on."""
    _, settings = served
    convinced(settings)
    found = read_followed(settings.state)
    shutil.rmtree(settings.state / "mirror.git")
    told = []
    settings = replace(settings, remote="", tell=told.append)
    for _ in range(2):
        assert judge(settings, found).action == "promote"
    (said,) = told
    assert said.startswith("the canary regression@v1.0.0 may be promoted: ")
    tally = Tally(settings.state, "two", found.canary_digest)
    _fails(tally, settings, found)
    assert read_holds(settings.state)
    assert told[1].startswith("the canary regression@v1.0.0: abort: ")
    assert len(told) == 2
    assert not (settings.state / "mirror.git").exists()
    assert judge(settings, found) is None


def test_with_a_remote_an_abort_is_signed_where_the_server_has_a_key(served):
    """Once: the next poll finds a hold, and no canary to judge."""
    repo, settings = served
    found = poll(settings)
    mirror = settings.state / "mirror.git"
    key = settings.state / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    git(mirror, "config", "gpg.format", "ssh")
    git(mirror, "config", "user.signingKey", str(key))
    tally = Tally(settings.state, "one", found.canary_digest)
    told = []
    settings = replace(settings, tell=told.append)
    _fails(tally, settings, found)
    assert len(told) == 1
    commit = git(repo.work, "rev-parse", "regression@v1.0.0^{commit}")
    note = git(repo.origin, "notes", "--ref", "refs/notes/furrow/replay", "show", commit)
    (line,) = [one for one in note.splitlines() if one]
    said = open_envelope(json.loads(line)).statement["predicate"]
    assert (said["decision"], said["version"], said["environment"]) == (
        "abort",
        "regression@v1.0.0",
        "production",
    )


def test_without_a_branch_there_is_a_canary_and_a_way_back_all_the_same(served, tmp_path):
    """What the clone's HEAD declares is served; the one before is kept, and a rollback goes to it."""
    repo, settings = served[:2]
    state = tmp_path / "here"
    first = deploy_here(repo.work, "production", settings.features, state)
    assert (first.main.version, first.canary.version) == ("binary@v1.0.0", "regression@v1.0.0")
    repo.declare(REGRESSION)
    second = deploy_here(repo.work, "production", settings.features, state)
    assert (second.main.version, second.previous.version) == ("regression@v1.0.0", "binary@v1.0.0")
    host = SplitHost({}, default="binary")
    following = Following("production", "", "", state, every=0.1, name="binary")
    follower = Follower(host, following, settings.features)
    follower.start()
    try:
        assert host.current("binary").version == "regression@v1.0.0"
        roll_back(state)
        while host.current("binary").version != "binary@v1.0.0":
            time.sleep(0.05)
    finally:
        follower.stop()
    with pytest.raises(RefusedError, match="is not in"):
        deploy_here(repo.work, "staging", settings.features, state)
