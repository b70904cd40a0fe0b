"""Versions swapped under load, with a recorded history that is checked: none fails, none is a mixture."""

from __future__ import annotations

import threading
import time

import pytest

from furrow.features.client import FeatureClient
from furrow.files import read_json
from furrow.serving.app import App
from furrow.serving.deployment_state import Followed, Local, read_holds, roll_back, write_followed
from furrow.serving.model_host import Host, Loaded
from furrow.serving.scorer import Scorer
from furrow.serving.serve_settings import ServeSettings
from furrow.serving.split_host import SplitHost
from furrow.serving.version_loader import Loader
from tests.servingworld import ROW

from .asking import asked

ROWS = [
    {**ROW, "shop": shop, "amount": amount} for shop in ("north", "south") for amount in (1.0, 9.0)
]


@pytest.mark.parametrize("swaps", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_swaps_under_load(serving_world, swaps):
    """Each of the rows of a request is answered by the one version that it names, to the bit."""
    client = FeatureClient.open(serving_world.features)
    versions = {
        task: Loaded(Scorer.open(serving_world.bundle(task), client), "m", f"{task}@v1.0.0")
        for task in ("binary", "regression")
    }
    output = {"binary": "probability", "regression": "prediction"}
    expected = {
        task: [one.prediction[output[task]] for one in loaded.scorer.score(ROWS)]
        for task, loaded in versions.items()
    }
    host = Host({}, default="m")
    host.swap("m", versions["binary"])
    done = threading.Event()

    def swap() -> None:
        for number in range(swaps):
            host.swap("m", versions["regression" if number % 2 else "binary"])
            time.sleep(0.002)
        done.set()

    history = []
    with asked(App(host, ServeSettings())) as server:
        swapper = threading.Thread(target=swap)
        swapper.start()
        while not done.is_set():
            history += server.together([("POST", "/predict", {"json": {"rows": ROWS}})] * 4)
        swapper.join(60)
    assert {answer.status_code for answer in history} == {200}
    named = set()
    for answer in history:
        rows = answer.json()["predictions"]
        [version] = {one["version"] for one in rows}
        task = version.partition("@")[0]
        assert [one[output[task]] for one in rows] == expected[task]
        named.add(task)
    assert named == {"binary", "regression"}
    client.close()


def test_a_rollback_costs_next_to_nothing(serving_world, tmp_path):
    """The version before is loaded already: from the decision to the swap it takes less processor time than loading one."""
    local = {
        task: Local(
            f"{task}@v1.0.0", "c" * 40, str(serving_world.bundle(task)), sha256(serving_world, task)
        )
        for task in ("binary", "regression")
    }
    text = "model: regression@v1.0.0\n"
    write_followed(
        tmp_path,
        Followed("production", main=local["regression"], previous=local["binary"], declared=text),
    )
    host = SplitHost({}, default="m")
    loader = Loader(host, "m", serving_world.features, tmp_path)
    followed = Followed(
        "production", main=local["regression"], previous=local["binary"], declared=text
    )
    began = time.process_time()
    loader.serve(followed, {})
    loading = time.process_time() - began
    assert host.current("m").version == "regression@v1.0.0"
    began = time.process_time()
    roll_back(tmp_path)
    loader.serve(followed, read_holds(tmp_path))
    back = time.process_time() - began
    assert host.current("m").version == "binary@v1.0.0"
    assert back < loading


def sha256(world, task: str) -> str:
    return str(read_json(world.bundle(task) / "bundle.json")["model_sha256"])
