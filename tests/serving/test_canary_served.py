"""A canary and a shadow behind the server: who answers whom, what is told, what is logged, what is counted."""

from __future__ import annotations

import time

import pytest

from furrow.files import read_json
from furrow.serving.app import App
from furrow.serving.canary_test import Block
from furrow.serving.canary_watch import decide, read_evidence
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import Followed, Local, write_followed
from furrow.serving.log_reader import read_records
from furrow.serving.prediction_log import PredictionLog
from furrow.serving.serve_settings import ServeSettings
from furrow.serving.split_host import SplitHost
from furrow.serving.version_loader import Loader
from tests.servingworld import ROW

from .asking import asked

TEXT = """
model: binary@v1.0.0
canary: {model: regression@v1.0.0, share: 0.5, by: [shop]}
shadow: {model: multiclass@v1.0.0}
features_stale: {action: refuse}
"""


def local(world, task):
    facts = read_json(world.bundle(task) / "bundle.json")
    hashes = (facts[key] for key in ("model_sha256", "predictor_sha256", "features_digest"))
    return Local(f"{task}@v1.0.0", "c" * 40, str(world.bundle(task)), *hashes)


@pytest.fixture
def deployed(serving_world, tmp_path):
    """A server of one process, its host's loader, and the deployment."""
    spec = parse_deployment(TEXT.encode(), "x")
    main, canary, shadow = (
        local(serving_world, task) for task in ("binary", "regression", "multiclass")
    )
    followed = Followed("production", "c" * 40, main=main, canary=canary, shadow=shadow,
                        declared=TEXT, canary_digest=spec.canary_digest)  # fmt: skip
    write_followed(tmp_path, followed)
    host = SplitHost({}, default="production")
    loader = Loader(host, "production", serving_world.features, tmp_path)
    loader.serve(followed, {})
    assert loader.problem == ""
    app = App(host, ServeSettings(), log=PredictionLog.open(tmp_path / "log"))
    return app, loader, spec, tmp_path


def shadows(folder, count):
    while True:
        found = [one for one in read_records(folder / "log") if one.variant == "shadow"]
        if len(found) >= count:
            return found
        time.sleep(0.01)


def test_each_row_by_one_version_and_the_shadow_in_the_log_alone(deployed):
    app, _, _, folder = deployed
    rows = [
        ROW | {"shop": shop, "amount": float(n)} for n in range(6) for shop in ("north", "south")
    ]
    places = {place: one for one, theirs in app.host.split("production", rows) for place in theirs}
    with asked(app) as server:
        answer = server.predict(*rows)
        assert answer.status_code == 200, answer.text
        told = answer.json()["predictions"]
        assert [one["version"] for one in told] == [places[place].version for place in range(12)]
        found = shadows(folder, 12)
    logged = {one.id: one for one in read_records(folder / "log")}
    for place, one in enumerate(told):
        assert logged[one["id"]].version == one["version"]
        assert logged[one["id"]].variant == places[place].variant
    assert {one.version for one in found} == {"multiclass@v1.0.0"}
    assert not {one.id for one in found} & {one["id"] for one in told}
    assert len(logged) == 24


def test_what_comes_of_requests_is_counted_by_version(deployed):
    """Answers and refusals, not the mistakes of those who ask."""
    app, loader, spec, folder = deployed
    digest = spec.canary_digest
    variant = {shop: app.host.split("production", [ROW | {"shop": shop}])[0][0].variant
               for shop in ("north", "south", "west")}  # fmt: skip
    with asked(app) as server:
        for shop in ("north", "south", "north"):
            assert server.predict(ROW | {"shop": shop}).status_code == 200
        assert server.predict(ROW | {"shop": "west"}).status_code >= 400
        assert server.predict(ROW | {"amount": "much"}).status_code == 422
        loader.write_counts()
    decide(folder, spec.canary, digest)
    evidence = read_evidence(folder, digest)
    main = sum(variant[shop] == "main" for shop in ("north", "south", "north", "west"))
    refused = variant["west"] == "main"
    assert evidence.seen("refused") == Block(main, int(refused), 4 - main, int(not refused))
    assert evidence.seen("errors") == Block(main, 0, 4 - main, 0)
