"""What pages are put together from: features of a real manifest, data of a real contract, and their bounds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import load_contract
from furrow.errors import UsageError
from furrow.history.named_run import run as load_run
from furrow.stores.lmdb_store import LmdbStore
from furrow.training.log import log, log_to
from furrow.web.asked import Asked
from furrow.web.business_page import GLOSSARY
from furrow.web.compare_page import MOST, compare
from furrow.web.content import Link, Note, Page, Table
from furrow.web.data_page import VERSIONS, data
from furrow.web.features_page import features, needed
from furrow.web.home_page import home
from furrow.web.live_page import AGAIN, live
from furrow.web.models_page import declared_environments
from furrow.web.monitoring_page import monitoring
from furrow.web.plain_forms import as_json
from furrow.web.plan_page import plan
from furrow.web.prediction_page import prediction
from furrow.web.run_groups import MOST_GROUPS
from furrow.web.run_story import running
from furrow.web.runs_page import FIRST, command_of
from furrow.web.sample_rows import ROWS, sample
from furrow.web.site import Site

from .conftest import CONTRACT, commit, made

WRITER = """import lmdb, sys
from pathlib import Path
place = next(path.parent for path in Path(sys.argv[1]).rglob("data.mdb")) if Path(sys.argv[1]).is_dir() else sys.argv[1]
with lmdb.open(str(place), subdir=Path(place).is_dir(), max_dbs=16) as store, store.begin(write=True):
    print("writing", flush=True)
    sys.stdin.read(1)
"""
"""A process that holds a store's lock until it is told to end."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The example's own features and contract, as they are committed, in a repository of their own."""
    folder = made(tmp_path_factory.mktemp("features") / "example")
    for name in ("features/tables", "conf/data"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("features/manifest.json", "features/feature_store.yaml", "conf/experiments.yaml"):
        shutil.copy(ROOT / name, folder / name)
    commit(folder, {})
    return Site(folder, live=False)


def asked(**values: str) -> Asked:
    return Asked({name: (value,) for name, value in values.items()})


def test_the_catalog_is_searched(example: Site) -> None:
    """By words, of any revision, without anything of a work tree."""
    every = features(example, asked()).tables()["features"].rows
    found = features(example, asked(q="wind speed")).tables()["features"].rows
    assert len(every) > 60
    assert 0 < len(found) < len(every)
    assert isinstance(found[0][0], Link)
    assert "wind" in found[0][0].text
    unknown = features(example, asked(q="nothing_like_this"))
    assert unknown.tables()["features"].rows == []


def test_a_view_is_shown_down_to_raw_columns(example: Site) -> None:
    """Its SQL, what each feature is made of, who uses it, and since when it is what it is."""
    page = features(example, asked(name="weather_origin"))
    tables = page.tables()
    lineage = tables["lineage"].rows
    assert any(str(raw).startswith("weather.") for _, raw in lineage)
    assert len(tables["history"].rows) == 1
    texts = [
        block.name
        for section in page.sections
        for block in section.blocks
        if hasattr(block, "text") and hasattr(block, "name")
    ]
    assert any(name.endswith(".sql") for name in texts)
    assert "features changed" not in page.lead
    assert features(example, asked(**{"from": "HEAD"})).tables()["changed"].rows == []
    assert needed("features/tables/x.sql")
    assert not needed("features/tables/x.py")
    assert not needed("data/x.parquet")


def test_online_stores_that_are_absent_or_being_written(example: Site) -> None:
    """What is missing is told, with the next step and no path of this machine; a writer at work stops no reader."""
    site = Site(example.root)
    page = as_json(features(site, asked(name="weather_origin", stats="1")))
    assert "there is no online store in build/online" in page
    assert "furrow features materialize" in page
    assert str(example.root) not in page
    store = example.root / "build/online"
    with LmdbStore(store, create=True):
        pass
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        page = as_json(features(site, asked(name="weather_origin", stats="1")))
        assert writer.poll() is None
        writer.communicate(b"\n")
    assert "there is no online store" not in page
    assert "the store holds nothing of this view" in page
    shutil.rmtree(example.root / "build")


def test_rows_and_profile_of_what_is_here(tmp_path: Path) -> None:
    """Behind switches; a file that is a link out of the project is not opened."""
    folder = made(tmp_path / "orders")
    commit(folder, {"conf/data/contract.yaml": CONTRACT, ".gitignore": "/data\n"})
    (folder / "data").mkdir()
    rows = pa.table({"id": list(range(50)), "name": ["=a"] * 50, "secret": [1] * 50})
    pq.write_table(rows, folder / "data/orders.parquet")
    site = Site(folder)
    assert "sample-orders" not in data(site, asked()).tables()
    found = data(site, asked(sample="orders", profile="1")).tables()
    assert found["sample-orders"].columns == ["id", "name"], (
        "what the contract does not name is not shown"
    )
    assert len(found["sample-orders"].rows) == ROWS
    assert found["orders-columns"].rows[0][:4] == ("id", "int64", 0.0, 50)
    assert "sample-orders" not in data(Site(folder, live=False), asked(sample="orders")).tables()
    (folder / "data/orders.parquet").rename(tmp_path / "elsewhere.parquet")
    (folder / "data/orders.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    declared = load_contract(folder / "conf/data/contract.yaml").tables["orders"]
    assert isinstance(sample(folder / "data", "orders", declared), Note)
    assert len(found["versions"].rows) <= VERSIONS


def test_pages_of_one_commit(judged: Path) -> None:
    """Asked as functions: each gives a page, whatever the state."""
    site = Site(judged)
    pages = [
        home(site, asked()),
        monitoring(site, asked()),
        prediction(site, asked()),
        prediction(site, asked(id="x")),
    ]
    assert all(isinstance(one, Page) for one in pages)
    assert declared_environments(site, site.commit("")) == ["production"]
    assert "declares no stages" in str(plan(site, asked()).sections)
    with pytest.raises(UsageError, match=str(MOST)):
        compare(site, asked(run="gbm"))


def test_curves_while_a_model_trains(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn as far as they are logged; asked for again while it runs, and not when it has ended."""
    monkeypatch.setenv("FURROW_LOG_DIR", str(tmp_path))
    site = Site(judged)
    assert "there are no curves" in str(live(site, asked()).sections)
    assert not running(site, load_run("gbm", repo=judged))
    with log_to("train@gbm", tmp_path):
        log(step=1, loss=0.5)
        log(step=2, loss=float("nan"))
        page = live(site, asked())
        assert page.again == AGAIN
        [told] = running(site, load_run("gbm", repo=judged))
        assert "train@gbm is training now" in str(told)
    with log_to("train@odd", tmp_path):
        log(step=1, loss=0.5)
    [told] = running(site, load_run("gbm", repo=judged))
    assert "train@gbm was trained on this machine last from 20" in str(told)
    assert "and ended" in str(told)
    assert "'run': 'train@gbm'" in str(told)
    assert not running(site, load_run("line", repo=judged))
    table = page.tables()["train@gbm-loss"]
    assert table.rows[0] == (1, 0.5)
    ended = live(site, asked(run="train@gbm"))
    assert ended.again == 0
    assert "no number from step 2" in str(ended.sections)
    assert live(Site(judged, live=False), asked()).tables() == {}


def test_the_command_that_says_the_same() -> None:
    """Quoted for a shell, whatever the filter holds."""
    assert (
        command_of(asked(where="model = 'gbm'", rev="main"))
        == "furrow runs main --where='model = '\\''gbm'\\'''"
    )
    assert FIRST < MOST_GROUPS


def test_words_are_explained_once() -> None:
    words = [word for word, _ in GLOSSARY]
    assert len(words) == len(set(words))
    assert isinstance(Table("t", (), []), Table)
