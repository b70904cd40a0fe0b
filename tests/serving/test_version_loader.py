"""Loading versions: what is damaged is refused, and what answers goes on answering."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from furrow.files import read_json
from furrow.serving.canary_propose import propose
from furrow.serving.deployment_state import Followed, Hold, Local
from furrow.serving.split_host import SplitHost
from furrow.serving.version_loader import Loader
from tests.servingworld import ROW

DECLARED = "model: binary@v1.0.0\n"


@pytest.fixture
def locals_(serving_world, tmp_path):
    """Two versions on this machine."""

    def local(task):
        folder = Path(shutil.copytree(serving_world.bundle(task), tmp_path / task))
        facts = read_json(folder / "bundle.json")
        hashes = (facts[key] for key in ("model_sha256", "predictor_sha256", "features_digest"))
        return Local(f"{task}@v1.0.0", "c" * 40, str(folder), *hashes)

    return local("binary"), local("regression")


@pytest.mark.parametrize(
    "file", ["predictor.json", "trees.tl", "background.parquet", "bundle.json"]
)
def test_a_bundle_that_is_damaged_is_refused(serving_world, tmp_path, locals_, file):
    """The version that answered goes on, and it is told; once the bundle is mended, it is loaded."""
    host = SplitHost({})
    loader = Loader(host, "shop", serving_world.features, tmp_path)
    one, two = locals_
    loader.serve(Followed("production", main=one, declared=DECLARED), {})
    assert loader.problem == ""
    path = Path(two.folder) / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    followed = Followed("production", main=two, previous=one, declared=DECLARED)
    loader.serve(followed, {})
    assert loader.problem
    assert host.current("shop").version == "binary@v1.0.0"
    assert "probability" in host.current("shop").scorer.score([ROW])[0].prediction
    path.write_bytes(content)
    loader.serve(followed, {})
    assert (loader.problem, host.current("shop").version) == ("", "regression@v1.0.0")


def test_a_rollback_opens_nothing(serving_world, tmp_path, locals_):
    """The version before is in memory: its files may even be gone."""
    host = SplitHost({})
    loader = Loader(host, "shop", serving_world.features, tmp_path)
    one, two = locals_
    followed = Followed("production", main=two, previous=one, declared=DECLARED)
    loader.serve(followed, {})
    shutil.rmtree(one.folder)
    hold = Hold("rollback", f"{two.version} {two.model_sha256}", "2026", "slow", serve=one)
    loader.serve(followed, {"main": hold})
    assert (loader.problem, host.current("shop").version) == ("", "binary@v1.0.0")


def test_a_shadow_answers_for_its_share_of_requests(serving_world, tmp_path, locals_):
    host = SplitHost({})
    loader = Loader(host, "shop", serving_world.features, tmp_path)
    one, two = locals_
    declared = "model: binary@v1.0.0\nshadow: {model: regression@v1.0.0, share: 0.25}\n"
    loader.serve(Followed("production", main=one, shadow=two, declared=declared), {})
    found = [host.shadow("shop", f"request {number}") for number in range(400)]
    assert 60 < sum(one is not None for one in found) < 140
    assert {one.variant for one in found if one} == {"shadow"}
    assert host.split("shop", [ROW])[0][0].variant == "main"
    loader.serve(Followed("production", main=one, declared=DECLARED), {})
    assert host.shadow("shop", "request 1") is None


def test_nothing_is_proposed_without_a_canary(tmp_path):
    assert propose(tmp_path, "production", replace(Followed("production")), "nothing") == ""
