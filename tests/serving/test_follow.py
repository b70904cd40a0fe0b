"""Following Git: what is declared is served; what is wrong is refused and told, and the version that answers goes on."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from furrow.files import read_json, write_json
from furrow.ground.git_mirror import forget, remote_address
from furrow.models.pause import pause, resume
from furrow.serving.deployment_state import (
    StateError,
    end_canary,
    hold,
    read_followed,
    read_holds,
    release,
    roll_back,
    wanted,
)
from furrow.serving.follow import poll
from furrow.serving.model_host import Loaded
from furrow.serving.scorer import Scorer
from furrow.serving.serve_settings import Following
from furrow.serving.serve_worker import Follower
from furrow.serving.split_host import SplitHost
from furrow.serving.version_store import RefusedError, bring, deployable
from tests.servingworld import ROW

from .followedrepo import git

BINARY, REGRESSION = "model: binary@v1.0.0\n", "model: regression@v1.0.0\n"


def test_what_is_declared_is_brought(first):
    """The bundles of the main version and the canary are here, as their commit records them."""
    repo, settings, found = first
    assert found.problem == ""
    assert (found.main.version, found.canary.version) == ("binary@v1.0.0", "regression@v1.0.0")
    assert found.previous is None
    assert found.commit == git(repo.work, "rev-parse", "HEAD")
    record = json.loads((repo.work / "runs/binary/record.json").read_text())
    assert found.main.predictor_sha256 == record["predictor_sha256"]
    Scorer.open(
        Path(found.main.folder), settings.features, predictor_sha256=found.main.predictor_sha256
    ).close()
    assert not list((settings.state / "versions").glob(".half*"))


def test_a_merge_is_followed_and_the_version_before_stays(served):
    repo, settings = served
    told = []
    commit = repo.declare(REGRESSION)
    found = poll(replace(settings, tell=told.append))
    assert (found.main.version, found.previous.version) == ("regression@v1.0.0", "binary@v1.0.0")
    assert (found.commit, found.problem, found.canary) == (commit, "", None)
    assert told == [f"production: regression@v1.0.0 at {commit[:10]}"]
    assert Path(found.previous.folder).is_dir()
    assert poll(settings).previous.version == "binary@v1.0.0"


def test_a_server_in_a_clone_follows_too(served):
    """Its state lies among the clone's files, and its mirror in a folder .git of its own: what a commit could hold is never believed."""
    repo, settings = served
    state = repo.work / ".furrow/serving/production"
    found = poll(replace(settings, state=state))
    assert (found.problem, found.main.version) == ("", "binary@v1.0.0")
    mirror = state / "mirror.git"
    assert sorted(path.name for path in mirror.iterdir()) == [".git"]
    assert git(mirror, "rev-parse", "refs/furrow/accepted") == found.commit


def refused(repo, settings, said):
    """Nothing changes, what is wrong is told and kept, and another poll says so again."""
    before = read_followed(settings.state)
    for _ in range(2):
        found = poll(settings)
        assert said in found.problem
        assert (found.main, found.previous) == (before.main, before.previous)
    assert read_followed(settings.state) == found


def test_without_git_the_last_good_one_goes_on(served):
    """It says since when it has not heard from Git; once that is back, it follows again."""
    repo, settings = served
    before = read_followed(settings.state)
    repo.declare(REGRESSION)
    away = repo.origin.rename(repo.origin.with_name("away"))
    refused(repo, settings, "Git can't be asked")
    assert read_followed(settings.state).asked == before.asked
    away.rename(repo.origin)
    assert poll(settings).main.version == "regression@v1.0.0"


def test_a_forced_push_is_refused_until_somebody_says_it_was_meant(served):
    repo, settings = served
    git(repo.work, "commit", "-q", "--amend", "-m", "Other")
    repo.declare(REGRESSION, force=True)
    refused(repo, settings, "was rewritten")
    forget(settings.state / "mirror.git")
    assert poll(settings).main.version == "regression@v1.0.0"


def test_a_pause_is_obeyed_and_told(served, tmp_path):
    """No other version is taken, by no server: one that begins meanwhile serves what the others do."""
    repo, settings = served
    pause(repo.work, "production", "Black Friday", now=datetime(2024, 11, 29, tzinfo=UTC))
    git(repo.work, "push", "-q", "origin", "main")
    repo.declare(REGRESSION)
    told = []
    before = read_followed(settings.state)
    for _ in range(2):
        found = poll(replace(settings, tell=told.append))
        assert (found.main, found.commit) == (before.main, before.commit)
        assert "Black Friday" in found.problem
    assert told == [found.problem]
    fresh = poll(replace(settings, state=tmp_path / "fresh"))
    assert (fresh.main.version, fresh.canary.version) == ("binary@v1.0.0", "regression@v1.0.0")
    assert fresh.paused == fresh.problem == found.problem
    resume(repo.work, "production")
    git(repo.work, "push", "-q", "origin", "main")
    for state in (settings.state, tmp_path / "fresh"):
        after = poll(replace(settings, state=state))
        assert (after.main.version, after.problem, after.paused) == ("regression@v1.0.0", "", "")


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_tag_that_is_deleted_or_moved_is_refused(served, how):
    repo, settings = served
    git(repo.origin, "tag", "-d", "regression@v1.0.0")
    if how == "moved":
        git(repo.origin, "tag", "regression@v1.0.0", "main")
    git(repo.work, "tag", "-d", "regression@v1.0.0")
    repo.declare(REGRESSION)
    refused(repo, settings, "is gone" if how == "deleted" else "names another commit now")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: binary@v7.0.0\n", "no version 'binary@v7.0.0'"),
        (f"model: regression@v1.0.0\nmodel_sha256: {'ab' * 32}\n", "has sha256 abababababab…"),
        ("modle: binary@v1.0.0\n", "names no model"),
        ("model: binary@v1.0.0\ncanry: {}\n", "unknown key 'canry'"),
        ("[", "is not YAML"),
    ],
)
def test_what_can_not_be_meant_is_refused(served, text, said):
    repo, settings = served
    repo.declare(text)
    refused(repo, settings, said)


def test_a_deployment_that_is_gone_is_refused(served):
    repo, settings = served
    git(repo.work, "rm", "-q", "conf/deployment/production.yaml")
    git(repo.work, "commit", "-q", "-m", "Remove")
    git(repo.work, "push", "-q", "origin", "main")
    refused(repo, settings, "is not in")


def test_a_canary_that_is_wrong_does_not_keep_the_main_version(served):
    repo, settings = served
    repo.declare(REGRESSION + "canary: {model: binary@v7.0.0}\n")
    found = poll(settings)
    assert found.main.version == "regression@v1.0.0"
    assert "the canary is not served: there is no version" in found.problem


def test_features_that_changed_under_the_server_are_told_within_one_poll(
    served, serving_world, tmp_path
):
    """The same version, and another definition of what it reads."""
    _repo, settings = served
    features = Path(shutil.copytree(serving_world.features, tmp_path / "features"))
    settings = replace(settings, features=features)
    assert poll(settings).problem == ""
    value = read_json(features / "manifest.json")
    value["services"]["full"]["digest"] = "0" * 64
    write_json(features / "manifest.json", value)
    found = poll(settings)
    assert found.problem
    assert found.main.version == "binary@v1.0.0"


def test_a_bundle_that_is_half_there_is_brought_again_or_refused(served):
    """Of what is on this machine, and of what the DVC remote has."""
    repo, settings = served
    mirror, store = settings.state / "mirror.git", settings.state / "versions"
    version = deployable(mirror, "binary@v1.0.0", read_followed(settings.state).commit)
    local = bring(mirror, version, store)
    (Path(local.folder) / "model.joblib").write_bytes(b"half")
    torn = [
        path for path in repo.data.rglob("*") if path.is_file() and path.stat().st_size > 20_000
    ]
    contents = {path: path.read_bytes() for path in torn}
    try:
        for path, content in contents.items():
            path.chmod(0o644)
            path.write_bytes(content[: len(content) // 2])
        with pytest.raises(Exception, match=r"not what its commit records|cannot get"):
            bring(mirror, version, store)
        assert not list(store.glob("binary*"))
    finally:
        for path, content in contents.items():
            path.write_bytes(content)
    assert bring(mirror, version, store) == local


def test_a_rollback_holds_until_git_declares_something_else(served):
    """No poll undoes it; a merge of another version does."""
    repo, settings = served
    with pytest.raises(StateError, match="no version before"):
        roll_back(settings.state)
    repo.declare(REGRESSION)
    poll(settings)
    roll_back(settings.state, why="too slow")
    for _ in range(2):
        now = wanted(poll(settings), read_holds(settings.state))
        assert (now.main.version, now.held.why) == ("binary@v1.0.0", "too slow")
    with pytest.raises(StateError, match="served already"):
        roll_back(settings.state)
    repo.declare(REGRESSION + "log: {durable: true}\n")
    assert wanted(poll(settings), read_holds(settings.state)).main.version == "binary@v1.0.0"
    repo.declare(BINARY)
    found = poll(settings)
    assert wanted(found, read_holds(settings.state)).main.version == "binary@v1.0.0"
    assert read_holds(settings.state) == {}


def test_holds_and_releases(served):
    repo, settings = served
    hold(settings.state, why="a sale")
    found = read_followed(settings.state)
    now = wanted(found, read_holds(settings.state))
    assert (now.main.version, now.canary, now.held.kind) == ("binary@v1.0.0", None, "hold")
    assert [one.kind for one in release(settings.state)] == ["hold"]
    assert wanted(found, read_holds(settings.state)).canary.version == "regression@v1.0.0"
    end_canary(settings.state, "surely worse", {})
    assert wanted(poll(settings), read_holds(settings.state)).canary is None
    repo.declare(BINARY + "canary: {model: regression@v1.0.0, share: 0.1}\n")
    assert wanted(poll(settings), read_holds(settings.state)).canary.version == "regression@v1.0.0"


class Watched:
    """A server's host that follows, and a way to wait for what it does."""

    def __init__(self, settings):
        self.host = SplitHost({}, default="production")
        following = Following(
            "production", settings.remote, settings.branch, settings.state, every=0.05
        )
        self.follower = Follower(self.host, following, settings.features)

    def __enter__(self):
        self.follower.start()
        return self

    def __exit__(self, *_):
        self.follower.stop()

    def until(self, version):
        while True:
            ready = self.host.ready("production")
            if ready is not None and ready.version == version:
                return ready


def test_a_server_follows_rolls_back_and_is_released(served):
    """Each request is answered by one version whole, which it names; none fails while versions are swapped."""
    repo, settings = served
    with Watched(settings) as watched:
        watched.until("binary@v1.0.0")
        failed, names, done = [], set(), threading.Event()

        def ask():
            while not done.is_set():
                try:
                    loaded = watched.host.current("production")
                    answer = loaded.scorer.score([ROW])[0]
                    kind = "binary" if "probability" in answer.prediction else "regression"
                    assert loaded.version == f"{kind}@v1.0.0"
                    names.add(kind)
                except Exception as exc:  # noqa: BLE001 - whatever it is, a request failed
                    failed.append(exc)

        asker = threading.Thread(target=ask)
        asker.start()
        repo.declare(REGRESSION)
        watched.until("regression@v1.0.0")
        away = repo.origin.rename(repo.origin.with_name("away"))  # a rollback asks no Git
        roll_back(settings.state)
        watched.until("binary@v1.0.0")
        release(settings.state)
        watched.until("regression@v1.0.0")
        away.rename(repo.origin)
        done.set()
        asker.join(60)
    assert not failed
    assert names == {"binary", "regression"}


def test_a_canary_answers_for_its_entities_alone(served):
    """Each row by one version, an entity always by the same; an abort ends it."""
    _repo, settings = served
    with Watched(settings) as watched:
        watched.until("binary@v1.0.0")
        rows = [{**ROW, "shop": f"shop {number}"} for number in range(200)]
        while len(parts := watched.host.split("production", rows)) == 1:
            pass
        (main, ours), (canary, theirs) = parts
        assert isinstance(main, Loaded)
        assert (main.variant, canary.variant) == ("main", "canary")
        assert sorted([*ours, *theirs]) == list(range(200))
        assert 30 < len(theirs) < 90
        other = [row | {"amount": 1.0} for row in rows]
        assert [list(places) for _, places in watched.host.split("production", other)] == [
            ours,
            theirs,
        ]
        end_canary(settings.state, "surely worse", {})
        while len(watched.host.split("production", rows)) > 1:
            pass


def test_a_remote_s_address(served):
    repo, _ = served
    assert remote_address(repo.work, "origin") == str(repo.origin)
    assert remote_address(repo.work, "../origin.git") == str(repo.origin)
    for address in ("https://forge.example/shop.git", "git@forge.example:shop.git"):
        assert remote_address(repo.work, address) == address


def test_what_is_no_version_of_a_merged_commit_is_refused(served):
    repo, settings = served
    git(repo.work, "checkout", "-q", "-b", "side")
    git(repo.work, "commit", "-q", "--allow-empty", "-m", "Side")
    git(repo.work, "tag", "binary@v9.0.0")
    git(repo.work, "push", "-q", "origin", "binary@v9.0.0")
    poll(settings)
    with pytest.raises(RefusedError, match="tagged without Furrow"):
        deployable(settings.state / "mirror.git", "binary@v9.0.0", "refs/furrow/accepted")


def test_a_version_that_is_here_is_held_against_the_policy_as_it_is_now(served):
    """What answers goes on answering; what is declared from now on needs what conf/trust.yaml asks."""
    repo, settings = served
    before = poll(settings)
    (repo.work / "conf/trust.yaml").write_text("roles: {approve: {who: [ada@example.com]}}\n")
    repo.declare("model: binary@v1.0.0\nlog: {sample: 0.5}\n")
    found = poll(settings)
    assert "binary@v1.0.0 is not approved for production" in found.problem
    assert (found.main, found.commit) == (before.main, before.commit)
