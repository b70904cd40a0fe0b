"""A worker that follows Git, with a canary beside and a shadow behind: what it answers, counts and logs."""

import re
import shutil
import time

import pytest

from furrow.errors import FurrowError
from furrow.serving import serve_worker
from furrow.serving.app import App
from furrow.serving.canary_spec import Canary, Shadow
from furrow.serving.log_reader import read_records
from furrow.serving.model_host import Loaded
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.serve_settings import Following, Served, ServeSettings
from furrow.serving.serve_worker import Follower, build_app
from furrow.serving.split_host import SplitHost
from tests.serving.asking import asked, host_of
from tests.servingworld import ROW


def test_it_serves_what_git_declares(serving_world, followed_repo, tmp_path):
    """The version that the branch names answers, and another one as soon as the branch names it; no request fails."""
    repo = followed_repo.copied(tmp_path)
    repo.declare("model: binary@v1.0.0\n")
    following = Following("production", str(repo.origin), "main", tmp_path / "state", every=0.2)
    served = Served((), serving_world.features, following=following)
    app = build_app(served, ServeSettings(log=tmp_path / "log"))
    with asked(app) as server:
        first = server.predict(ROW).json()["predictions"][0]
        assert first["version"] == "binary@v1.0.0"
        assert first["commit"]
        assert server("GET", "/readyz").json()["version"] == "binary@v1.0.0"
        repo.declare("model: regression@v1.0.0\n")
        for _ in range(1200):
            answer = server.predict(ROW)
            assert answer.status_code == 200, answer.text
            if answer.json()["predictions"][0]["version"] == "regression@v1.0.0":
                break
            time.sleep(0.1)
        assert "prediction" in answer.json()["predictions"][0]
    told = {one.version for one in read_records(tmp_path / "log")}
    assert told == {"binary@v1.0.0", "regression@v1.0.0"}


def test_nothing_to_serve_is_said(serving_world, tmp_path):
    """A remote that is not there: the server does not start, and says why."""
    following = Following("production", str(tmp_path / "no.git"), "main", tmp_path / "state")
    follower = Follower(SplitHost({}, default="production"), following, serving_world.features)
    with pytest.raises(FurrowError, match="production serves nothing: Git can't be asked"):
        follower.start()
    follower.stop()


def test_a_version_that_can_not_be_loaded_is_said(
    serving_world, followed_repo, tmp_path, monkeypatch
):
    """Without an online store the server ends within seconds, and names the store and the command that fills it."""
    monkeypatch.setattr(serve_worker, "FIRST_VERSION", 40.0)
    repo = followed_repo.copied(tmp_path)
    repo.declare("model: binary@v1.0.0\n")
    shutil.copytree(serving_world.features, tmp_path / "features")
    following = Following("production", str(repo.origin), "main", tmp_path / "state", every=0.2)
    follower = Follower(SplitHost({}, default="production"), following, tmp_path / "features")
    said = f"production serves nothing: there is no online store in {tmp_path}/build/online; fill it: furrow features"
    with pytest.raises(FurrowError, match=re.escape(said)):
        follower.start()
    follower.stop()


def test_a_server_starts_once_its_remote_is_back(serving_world, followed_repo, tmp_path):
    """What the one before wrote down when it could not start stops no other."""
    repo = followed_repo.copied(tmp_path)
    repo.declare("model: binary@v1.0.0\n")
    away = repo.origin.rename(tmp_path / "away.git")

    def begun():
        following = Following("production", str(repo.origin), "main", tmp_path / "state", every=0.2)
        host = SplitHost({}, default="production")
        return Follower(host, following, serving_world.features), host

    follower, _ = begun()
    with pytest.raises(FurrowError, match="Git can't be asked"):
        follower.start()
    follower.stop()
    away.rename(repo.origin)
    follower, host = begun()
    follower.start()
    assert host.ready("production").version == "binary@v1.0.0"
    follower.stop()


class Counting:
    """Stands where a canary's tally does."""

    def __init__(self):
        self.came = []

    def add(self, variant, **came_of):
        self.came.append((variant, came_of.get("count"), bool(came_of.get("error"))))


def test_canary_and_shadow(serving_world, tmp_path, monkeypatch):
    """Each row by its own version, counted; the shadow's answer in the log alone; its failure is nobody's."""
    main = host_of(serving_world, "binary").current("binary")
    canary = Loaded(main.scorer, "binary", "binary@v2.0.0", variant="canary")
    other = host_of(serving_world, "regression").current("regression")
    shadow = Loaded(other.scorer, "binary", "regression@v1.0.0", variant="shadow")
    host, tally = SplitHost({}, default="binary"), Counting()
    host.swap("binary", main)
    spec = Canary(model="binary@v2.0.0", share=0.5, by=["shop"])
    host.beside("binary", canary, spec, shadow=shadow, shadow_spec=Shadow(share=1.0), tally=tally)
    app = App(host, ServeSettings(), log=PredictionLog.open(tmp_path))
    with asked(app) as server:
        rows = [{**ROW, "shop": f"shop {n}"} for n in range(20)]
        told = server.predict(*rows).json()["predictions"]
        again = server.predict(*rows).json()["predictions"]
        assert {one["version"] for one in told} == {"binary@v1.0.0", "binary@v2.0.0"}
        assert [one["version"] for one in again] == [one["version"] for one in told]
        app.scoring._behind.submit(int).result(60)  # what the shadow had to do is done
        came = [one for one in tally.came if one[0] != "shadow"]
        assert sum(count for _, count, _ in came) == 40
        assert {variant for variant, _, _ in came} == {"main", "canary"}
        assert [one for one in tally.came if one not in came] == [("shadow", 20, False)] * 2
        monkeypatch.setattr(main.scorer, "score", _fail)
        assert server.predict(ROW).status_code == 500
        assert tally.came[-1][1:] == (1, True)
        assert server.predict({**ROW, "weekday": "x"}).status_code in (422, 500)
    written = list(read_records(tmp_path))
    shadows = [one for one in written if one.variant == "shadow"]
    assert len(shadows) == 40
    assert {one.version for one in shadows} == {"regression@v1.0.0"}
    assert not {one.id for one in shadows} & {one["id"] for one in told + again}


def _fail(rows, *, at=None):
    raise FurrowError("it broke")
