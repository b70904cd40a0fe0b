"""The double of a project: a folder of its own, the project as it was; what can't be lived through is told beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from dvc.repo import Repo

from furrow.errors import FurrowError
from furrow.files import read_json, write_json
from furrow.ground.trust import is_trusted
from furrow.models.register import register
from furrow.rehearsal.rehearsed_project import Rehearsal, RehearsalError, project_of, rehearse_in
from furrow.rehearsal.rehearsed_server import serving
from furrow.serving.deployment_state import state_folder
from furrow.serving.simulated_clock import SimulatedClock
from tests.gitops.ciproject import commit, copied, run
from tests.servingworld import build_features

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DEPLOYMENT = "model: m@v1.0.0\n"


@pytest.fixture
def asked(tmp_path):
    """A clone with features and a deployment."""
    root = tmp_path / "project"
    build_features(root)
    (root / "conf/deployment").mkdir(parents=True)
    (root / "conf/deployment/production.yaml").write_text(DEPLOYMENT)
    (root / ".gitignore").write_text("/build/\n/.furrow/\n")
    run(root, "git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "Ada Test"), ("user.email", "ada@example.com")):
        run(root, "git", "config", key, value)
    Repo.init(str(root)).close()
    commit(root, "Begin")
    return Rehearsal(root, "production", date(2024, 1, 1), date(2024, 1, 3), tmp_path / "lived")


@pytest.mark.parametrize("inside", [True, False], ids=["where-it-is-by-default", "elsewhere"])
def test_the_double_is_a_place_of_its_own(asked, inside):
    """A repository to follow, a clone with a DVC remote of its own, a clock; of the project nothing is changed."""
    if inside:
        asked = replace(asked, folder=asked.root / ".furrow/simulated/production")
    before = run(asked.root, "git", "for-each-ref").stdout
    double = rehearse_in(asked, BEGIN)
    assert run(asked.root, "git", "for-each-ref").stdout == before
    assert run(asked.root, "git", "status", "--porcelain").stdout == ""
    assert double.project == project_of(asked)
    assert (double.project / "build/tables/day.parquet").is_file()
    assert SimulatedClock.of(double.project).now() == BEGIN
    assert is_trusted(double.project)
    said = run(double.project, "dvc", "remote", "list").stdout
    assert said.split()[:2] == ["simulation", str(asked.folder.resolve() / "dvc")]
    assert double.tip() == run(double.project, "git", "rev-parse", "HEAD").stdout.strip()
    run(double.project, "git", "commit", "-q", "--allow-empty", "-m", "Merged")
    run(double.project, "git", "push", "-q", "origin", "main")
    run(double.project, "git", "reset", "-q", "--hard", "HEAD^")
    [line] = double.pull()
    assert line.endswith("Furrow simulation: Merged")


def test_what_can_not_be_lived_through_is_told_beforehand(asked, tmp_path):
    (tmp_path / "there").mkdir()
    manifest = asked.root / "features/manifest.json"
    cases = [
        (replace(asked, until=asked.since), "is not before"),
        (replace(asked, folder=tmp_path / "there"), "is there already"),
        (replace(asked, environment="staging"), "deploys nothing to staging"),
    ]
    for one, said in cases:
        with pytest.raises(RehearsalError, match=said):
            rehearse_in(one, BEGIN)
    write_json(
        manifest, {**read_json(manifest), "online_store": {"type": "redis", "url": "redis://x"}}
    )
    with pytest.raises(RehearsalError, match="is shared"):
        rehearse_in(asked, BEGIN)
    assert not asked.folder.exists()


def test_a_server_that_has_nothing_to_serve_says_so(asked):
    """It is ended, and what it said is told."""
    double = rehearse_in(asked, BEGIN)
    with pytest.raises(FurrowError, match=r"ended with|serves nothing"), serving(double):
        pass
    assert "m@v1.0.0" in (asked.folder / "server/errors").read_text()


def test_what_is_deployed_needs_no_remote_of_the_project(tmp_path_factory, tmp_path):
    """A project without a DVC remote, as this repository: the server finds the first version all the same."""
    root = copied(tmp_path_factory, tmp_path)
    run(root, "dvc", "remote", "remove", "store")
    commit(root, "No remote")
    version = register(root)
    build_features(root)
    (root / "conf/deployment").mkdir()
    (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n")
    commit(root, "Deploy")
    asked = Rehearsal(root, "production", date(2024, 1, 1), date(2024, 1, 3), tmp_path / "lived")
    double = rehearse_in(asked, BEGIN)
    [folder] = (state_folder(double.project, "production") / "versions").iterdir()
    [kept] = (root / "build/models").glob(f"{version.name}/model.joblib")
    assert (folder / "model.joblib").read_bytes() == kept.read_bytes()
