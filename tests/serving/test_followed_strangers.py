"""A branch that a server follows, pushed to by a stranger: what its commits say starts nothing on the server."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import joblib
import pytest
from dvc.repo import Repo

from furrow.files import sha256_file
from furrow.ground.mirror_trust import remember_origin, require_trust_here
from furrow.ground.trust import UntrustedError, remember_trust
from furrow.models.register import register
from furrow.serving.deploy_here import deploy_here
from furrow.serving.follow import poll
from furrow.serving.served_models import resolve

from .followedrepo import git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack


class Planted:
    """What runs a command where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def elsewhere(served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The followed repository came from an address of somebody else's, and nobody has trusted it."""
    repo, settings = served
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    git(repo.origin, "remote", "add", "origin", "https://example.invalid/shop.git")
    return repo, settings


def _pickle_alone(repo, marker: Path) -> str:
    """A version whose model is a pickle that does something, with its hash in the same commit; its name."""
    work = repo.work
    bundle, record = work / "build/models/binary", work / "runs/binary/record.json"
    git(work, "rm", "-q", "--cached", "build/models/binary.dvc")
    (bundle / "model.joblib").chmod(0o644)
    (bundle / "model.joblib").unlink()
    joblib.dump(Planted(marker), bundle / "model.joblib")
    sha256 = sha256_file(bundle / "model.joblib")
    for path in (record, bundle / "bundle.json"):
        facts = json.loads(path.read_text())
        path.unlink()
        path.write_text(json.dumps({**facts, "model_sha256": sha256, "predictor_sha256": None}))
    for name in ("predictor.json", "trees.tl"):
        (bundle / name).unlink(missing_ok=True)
    with Repo(str(work)) as dvc:
        dvc.add([str(bundle)])
        dvc.push()
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "A better model")
    return str(register(work, "binary"))


def test_a_pickle_whose_hash_the_same_commit_says(elsewhere, tmp_path: Path) -> None:
    """A push alone must not run code on the server: the version before goes on answering."""
    repo, settings = elsewhere
    marker = tmp_path / "ran"
    version = _pickle_alone(repo, marker)
    repo.declare(f"model: {version}\n")
    found = poll(settings)
    assert "is a pickle" in found.problem
    assert found.main.version == "binary@v1.0.0"
    git(repo.work, "remote", "set-url", "origin", "https://example.invalid/shop.git")
    (repo.work / "features").mkdir(exist_ok=True)
    for serve in (
        lambda: resolve(repo.work, [version]),
        lambda: deploy_here(repo.work, "production", settings.features, tmp_path / "here"),
    ):
        with pytest.raises(Exception, match="is a pickle"):
            serve()
    assert not marker.exists()


def test_settings_for_dvc_that_a_commit_brings(elsewhere, tmp_path: Path) -> None:
    """The file of AWS's settings that a commit names may hold a command: it is not asked."""
    repo, settings = elsewhere
    marker, plan = tmp_path / "ran", tmp_path / "evil.ini"
    plan.write_text(f"[default]\ncredential_process = mkdir {marker}\n")
    (repo.work / ".dvc/config").write_text(
        "[core]\n    remote = s\n['remote \"s\"']\n    url = s3://bucket/x\n"
        f"    endpointurl = http://127.0.0.1:9\n    configpath = {plan}\n"
    )
    path = repo.work / "runs/regression/record.json"
    model = repo.work / "build/models/regression/model.joblib"
    model.unlink()
    model.write_bytes(b"another")
    sha256 = sha256_file(model)
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_sha256": sha256}))
    (repo.work / "build/models/regression.dvc").write_text(
        f"outs:\n- md5: {'0' * 32}\n  size: 1\n  path: regression\n"
    )
    git(repo.work, "add", "-A")
    git(repo.work, "commit", "-q", "-m", "Nothing to see")
    version = str(register(repo.work, "regression"))
    repo.declare(f"model: {version}\n")
    found = poll(settings)
    assert "not trusted" in found.problem
    assert not marker.exists()


def test_a_mirror_is_trusted_as_its_clone_is(elsewhere) -> None:
    """`furrow trust` in the clone that the server was started in speaks for that clone's remotes, and no other."""
    repo, settings = elsewhere
    poll(settings)
    with pytest.raises(UntrustedError):
        require_trust_here(settings.mirror, "it runs")
    remember_origin(settings.mirror, str(repo.origin), repo.work)
    with pytest.raises(UntrustedError, match="furrow trust"):
        require_trust_here(settings.mirror, "it runs")
    remember_trust(repo.work)
    require_trust_here(settings.mirror, "it runs")
    remember_origin(settings.mirror, "https://example.invalid/other.git", repo.work)
    with pytest.raises(UntrustedError):
        require_trust_here(settings.mirror, "it runs")
