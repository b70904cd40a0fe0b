"""Two landed months, their tables and their training set, made once by the real code; and ways to make them anew."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from furrow.ground.feast.retrieve import historical_features
from furrow.ground.tables import build_table
from pipelines.ingest import ingest
from tests.features_repo.oracle import Oracle
from tests.rawdata import raw, spine, thin

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class World:
    """A copy of the example's features beside tables of its own: root/features, root/build/tables, root/data."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def tables(self) -> Path:
        return self.root / "build" / "tables"

    @property
    def features(self) -> Path:
        return self.root / "features"

    def build(self, *names: str) -> None:
        """Build these tables, or all of them."""
        for file in sorted((self.features / "tables").glob("*.sql")):
            if not names or file.stem in names:
                build_table(file, raw(self.data), self.tables / f"{file.stem}.parquet")

    def training_set(self, until: datetime | None = None) -> pa.Table:
        """The training set of `full`, up to a prediction time if one is given."""
        rows = spine(self.data)
        if until is not None:
            rows = rows.filter(pc.less_equal(rows["event_timestamp"], until))
        return historical_features(self.features, "full", rows)

    def copy(self, root: Path) -> "World":
        shutil.copytree(self.root, root)
        return World(root)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """January and February, a quarter of the aircraft, with every table built; not to be changed by a test."""
    made = World(tmp_path_factory.mktemp("world"))
    ingest(made.data, through=2)
    thin(made.data, every=4)
    shutil.copytree(ROOT / "features", made.features, ignore=shutil.ignore_patterns("__pycache__"))
    made.build()
    return made


@pytest.fixture(scope="session")
def training(world: World) -> pa.Table:
    """The training set of `full`."""
    return world.training_set()


@pytest.fixture(scope="session")
def oracle(world: World) -> Oracle:
    return Oracle(world.data)
