"""One small repository for every command that reads: runs over two commits, features, data with its contract, a problem.

Nothing in it hangs on the day: its commits, and so their ids, are the same on every machine.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.features.manifest_cache import remember
from tests.web.conftest import commit, made, run_files, shared_files

SAMPLE = Path(__file__).parents[1] / "features/samples/manifest_1.json"
RUNS = {
    "gbm": {"log_loss": 0.4433, "roc_auc": 0.7986, "rows": 8632},
    "gbm_with_a_rather_long_name": {"log_loss": 0.4512, "roc_auc": 0.7921, "rows": 8632},
    "line": {"log_loss": 0.52, "roc_auc": 0.7, "rows": 8632},
    "odd": {"log_loss": 0.61, "roc_auc": 0.55, "rows": 8632},
}
WHEN = "2026-01-0{}T10:00:00+00:00"


def plant(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Two commits of four runs, of which gbm is champion and odd failed.

    Args:
        folder: Where the repository goes.
        patch: Sets the dates of the commits.
    """
    root = made(folder)
    shared = shared_files("gbm", list(RUNS))
    champion = json.loads(shared["runs/champion.json"])
    champion["problems"]["late"]["metrics"] = RUNS["gbm"]
    shared["runs/champion.json"] = json.dumps(champion)
    shared[".gitignore"] = "/.furrow/\n/build/\n"
    shared["dvc.yaml"] = "stages:\n  hello: {cmd: 'true', outs: [build/hello]}\n"
    shared[".dvc/config"] = ""
    shared["features/manifest.json"] = SAMPLE.read_text()
    shared["features/feature_store.yaml"] = "project: planted\n"
    shared["conf/experiments.yaml"] = "experiments:\n" + "".join(
        f"  {name}: {{problem: late, service: all, model: gbm}}\n" for name in RUNS
    )
    (root / "data").mkdir()
    orders = {"id": [1, 2, 3, 4], "name": ["a", "b", "b", "<c>"]}
    pq.write_table(pa.table(orders), root / "data/orders.parquet")
    for day, rate in ((1, 0.1), (2, 0.2)):
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_DATE", WHEN.format(day))
        files: dict[str, str] = {}
        for name, metrics in RUNS.items():
            moved = {"brier": rate, "roc_auc": metrics["roc_auc"] - (0.2 - rate) / 10}
            files |= run_files(name, {**metrics, **moved}, rate)
        commit(root, {**files, **shared}, f"A rate of {rate}")
    remember(root / "features")
    return root


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository; nobody writes to it."""
    with pytest.MonkeyPatch.context() as patch:
        return plant(tmp_path_factory.mktemp("planted") / "shop", patch)


def copied(planted: Path, folder: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(planted, folder))
