"""`furrow apply` beyond one machine: an online store in Redis, and a fresh clone that has only the DVC remote."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.plan.apply import Applied, Event, Order, apply
from furrow.plan.make_plan import make_plan
from furrow.plan.plan_spec import PlanError
from tests.stores.test_redis_store import Server

from .small import repro, run
from .whole import rate, redis_at


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis of the test's own."""
    found = Server(tmp_path)
    yield found
    found.stop()


def applied(folder: Path) -> tuple[Applied, list[str]]:
    events: list[Event] = []
    done = apply(folder, Order(), watch=events.append)
    return done, [event.name for event in events if event.kind == "note"]


def changed(folder: Path) -> dict[str, str]:
    """What is to be done, and the first reason."""
    return {
        each.address: each.why[0]
        for each in make_plan(folder).resources
        if each.action != "unchanged"
    }


def served(folder: Path) -> float:
    """The newest delay at JFK, from the online store, whatever its age."""
    client = FeatureClient.open(folder / "features")
    try:
        return client.get(
            "full", [{"origin": "JFK"}], at=datetime(2013, 1, 4, tzinfo=UTC)
        ).to_dict()["delay"][0]
    finally:
        client.close()


@pytest.mark.long
def test_an_online_store_in_redis(whole: Path, server: Server) -> None:
    """Materialized into Redis; a server that lost it is noticed, one that is gone too; then all is as declared."""
    redis_at(whole, server.url)
    done, _ = applied(whole)
    assert "materialize" in done.steps
    assert changed(whole) == {}
    assert served(whole) == 2.0
    with redis.Redis(port=server.port) as client:
        assert client.dbsize() > 0
        client.flushall()
    assert changed(whole) == {"online_store": "delays is not materialized"}
    server.stop()
    assert "127.0.0.1" in changed(whole)["online_store"]
    with pytest.raises(FurrowError, match=str(server.port)):
        applied(whole)
    server.start()
    with redis.Redis(port=server.port) as client:
        client.set("furrow:lock", "a process that was killed", px=1000)
    assert applied(whole)[0].steps == ("materialize",)
    assert changed(whole) == {}


def built(folder: Path) -> dict[str, bytes]:
    paths = [
        path
        for name in ("build", "data")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    ]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths
        if "online" not in path.parts
    }


@pytest.mark.long
def test_a_fresh_clone(clone: Path, whole: Path) -> None:
    """All that dvc.lock records comes from the remote, and no stage runs."""
    assert "fetched" in " ".join(make_plan(clone).notes)
    done, notes = applied(clone)
    assert (done.ran, done.restored) == ((), ())
    assert done.steps == ("fetch", "checkout", "registry", "materialize")
    assert "fetched from the DVC remote store" in notes[0]
    assert not done.left
    assert {k: v for k, v in built(clone).items() if "registry" not in k} == {
        k: v for k, v in built(whole).items() if "registry" not in k
    }
    assert run(clone, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
def test_a_fresh_clone_with_work_to_do(clone: Path) -> None:
    """The stages that a change makes stale run on what was fetched, a folder of inputs whole; nothing else runs."""
    rate(clone, 0.9)
    done, _ = applied(clone)
    assert done.ran == ("train@gbm", "evaluate@gbm", "select")
    assert not done.left
    assert (clone / "build/evaluations/base.json").is_file()
    assert not list((clone / ".dvc/cache").rglob("*.tmp"))
    assert repro(clone).ran == set()


@pytest.mark.long
def test_a_target_brings_its_own_inputs(clone: Path) -> None:
    """--target fetches what the target stands on, and leaves the rest where it is."""
    apply(clone, Order(targets=("training_sets/full",)), watch=lambda event: None)
    assert (clone / "build/training/full.parquet").is_file()
    assert not (clone / "build/models").exists()


@pytest.mark.long
def test_a_remote_that_lacks_something(clone: Path, whole: Path, tmp_path: Path) -> None:
    """What the remote lost is made again by its stage; lost raw data is an error that says who can help."""
    model = (whole / "build/models/gbm/model.joblib").read_bytes()
    next(
        path
        for path in (tmp_path / "store").rglob("*")
        if path.is_file() and path.read_bytes() == model
    ).unlink()
    done, notes = applied(clone)
    assert any("lacks build/models/gbm: made again here" in note for note in notes)
    assert done.ran == ("train@gbm",)
    assert not done.left
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").mkdir()
    run(tmp_path, "git", "clone", "-q", str(whole), "late")
    with pytest.raises(
        FurrowError, match="data is not here, and the DVC remote does not give it"
    ) as caught:
        applied(tmp_path / "late")
    assert "dvc push" in caught.value.hint


def test_a_remote_without_rights(clone: Path, tmp_path: Path) -> None:
    """A remote that may not be read is an error that says so; nothing is made again instead, nothing is half there."""
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(FurrowError, match="data is not here, and the DVC remote does not give it"):
        applied(clone)
    assert not (clone / "data").exists()
    assert not (clone / "build").exists()
    assert run(clone, "git", "status", "--porcelain").stdout == ""


def test_no_remote_at_all(whole: Path, tmp_path: Path) -> None:
    """A clone without a remote and without the data says what is missing and how to get it; nothing has run."""
    subprocess.run(["git", "clone", "-q", str(whole), str(tmp_path / "clone")], check=True)
    with pytest.raises(
        PlanError, match="data is not here, and the repository names no DVC remote"
    ) as caught:
        applied(tmp_path / "clone")
    assert "dvc remote add" in caught.value.hint
    assert run(tmp_path / "clone", "git", "status", "--porcelain").stdout == ""
