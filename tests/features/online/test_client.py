"""The client: answers, statuses, forms, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from furrow import AsyncFeatureClient, FeatureClient
from furrow.features.client import ManifestMismatchError
from furrow.features.json_reader import ManifestError
from furrow.features.materialize import materialize
from furrow.features.on_demand import OnDemandError, RequestError
from furrow.features.read_plan import UnknownServiceError
from furrow.features.row_answers import RowReader
from furrow.features.schema import OnlineStore
from furrow.files import write_json
from furrow.stores.record import KeyTypeError
from furrow.stores.store_api import StoreMissingError, ViewMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import World

    from furrow.errors import FurrowError

ROWS = [
    {"id": 1, "city": "NY", "zone": "a", "amount": 4.0},
    {"id": 2, "city": "NY", "zone": "b", "amount": 4},
    {"id": 3, "city": "NY", "zone": "c", "amount": None},
    {"id": 77, "city": None, "zone": "a", "amount": 1.0},
]


@pytest.fixture
def client(world: World) -> Iterator[FeatureClient]:
    """A client on the materialized world."""
    materialize(world.folder)
    with FeatureClient.open(world.folder) as found:
        yield found


def test_answers(world: World, client: FeatureClient) -> None:
    """Values, on-demand values and statuses, in the service's order; a row asked for twice is answered twice."""
    batch = client.get("all", [*ROWS, ROWS[0]])
    assert batch.names == ("score", "trips", "active", "label", "seen", "codes", "ratio")
    assert batch.to_dict() == {
        "score": [2.0, None, None, None, 2.0],
        "trips": [3, 3, None, None, 3],
        "active": [True, True, None, None, True],
        "label": ["new", None, None, None, "new"],
        "seen": [world.now, world.now, None, None, world.now],
        "codes": [[1, 2], [1, 2], None, None, [1, 2]],
        "ratio": [1.0, None, None, None, 1.0],
    }
    assert batch.status["score"] == ["present", "null", "expired", "missing", "present"]
    assert batch.status["label"] == ["present", "null", "missing", "missing", "present"]
    assert batch.status["ratio"] == ["present", "null", "null", "null", "present"]
    assert len(batch) == 5
    assert batch.digest == world.manifest.services["all"].digest


def test_age_and_event_time(world: World, client: FeatureClient) -> None:
    """Each value tells its event time and its age; an expired one too."""
    batch = client.get("all", ROWS, at=world.now)
    assert batch.age["score"] == [3 * 3600.0, 2 * 3600.0, 40 * 3600.0, None]
    assert batch.event_time["label"][0] == world.now - timedelta(hours=1)
    assert batch.age["ratio"] == batch.age["score"]


@pytest.mark.parametrize("count", [1, 4, 40])
@pytest.mark.parametrize("service", ["all", "numbers"])
def test_row_by_row_it_says_the_same(
    world: World, client: FeatureClient, service: str, count: int
) -> None:
    """The short way of servers: values, statuses and event times of few rows and of many, at a moment and now."""
    for at in (None, world.now, world.now - timedelta(hours=2, minutes=30)):
        batch = client.get(service, (ROWS * count)[:count], at=at)
        answers = list(RowReader(client.plan(service)).rows(batch))
        assert len(answers) == count
        columns = batch.to_dict(), batch.status, batch.event_time
        for place, answer in enumerate(answers):
            for said, whole in zip(answer, columns, strict=True):
                assert list(said) == list(batch.names)
                assert said == {name: values[place] for name, values in whole.items()}


def test_forms(client: FeatureClient) -> None:
    """numpy, Arrow and pandas hold the same values; nulls are NaN in numbers and null in Arrow."""
    batch = client.get("numbers", ROWS)
    matrix = batch.to_numpy()
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix[:2], [[2.0, 3.0, 1.0], [math.nan, 3.0, 1.0]])
    assert np.isnan(matrix[2:]).all()
    table = client.get("all", ROWS).to_arrow()
    assert table.schema.field("codes").type == pa.list_(pa.int64())
    assert table.schema.field("seen").type == pa.timestamp("us", tz="UTC")
    assert table.to_pydict() == client.get("all", ROWS).to_dict()
    frame = client.get("all", ROWS).to_pandas()
    assert list(frame.columns) == list(table.column_names)
    assert frame["score"].tolist()[0] == 2.0
    assert frame["trips"].dtype == "float64"
    assert client.get("numbers", ROWS[:1]).to_pandas()["trips"].dtype == "int64"
    mixed = client.get("all", ROWS).to_numpy()
    assert mixed.dtype == object
    assert mixed[0, 3] == "new"


def test_no_rows(client: FeatureClient) -> None:
    """No rows are answered with no rows."""
    batch = client.get("all", [])
    assert batch.to_dict()["score"] == []
    assert batch.to_numpy().shape == (0, 7)


def test_many_rows_answer_as_few_do(world: World) -> None:
    """The way through numpy, for many rows, gives what the way row by row gives."""
    rows = [
        world.driver(
            n, None if n % 3 == 0 else n / 7, hours=n % 40, trips=None if n % 5 == 0 else -n
        )
        for n in range(500)
    ]
    world.write("drivers", "a.parquet", rows)
    materialize(world.folder)
    asked = [{"id": n * 7 % 600} for n in range(400)]
    with FeatureClient.open(world.folder) as client:
        many = client.get("numbers", asked, at=world.now)
        few = [client.get("numbers", [row], at=world.now) for row in asked]
        for name in many.names:
            assert many.to_dict()[name] == [one.to_dict()[name][0] for one in few]
            assert many.status[name] == [one.status[name][0] for one in few]
            assert many.age[name] == [one.age[name][0] for one in few]
        np.testing.assert_array_equal(many.to_numpy(), np.vstack([one.to_numpy() for one in few]))
        assert {"present", "null", "missing", "expired"} <= {
            s for values in many.status.values() for s in values
        }


def test_ttl_counts_from_the_moment(world: World, client: FeatureClient) -> None:
    """A value holds through its ttl, to the microsecond, and an event after the moment isn't used."""
    asked = [{"id": 1}]
    event = world.now - timedelta(hours=3)
    tick = timedelta(microseconds=1)
    for at, status in [
        (event, "present"), (event - tick, "missing"),
        (event + timedelta(days=1), "present"), (event + timedelta(days=1) + tick, "expired"),
    ]:  # fmt: skip
        batch = client.get("numbers", asked, at=at)
        assert batch.status["score"] == [status]
        assert batch.to_dict()["score"] == [2.0 if status == "present" else None]
    assert client.get("numbers", asked, at=event.replace(tzinfo=None)).status["score"] == [
        "present"
    ]


def test_join_key_maps_and_aliases(client: FeatureClient) -> None:
    """One view under two keys: full names keep the two apart, also if nobody asks for them; short ones would collide."""
    for asked in (True, None):
        batch = client.get("pair", [{"first_id": 1, "second_id": 2}], full_feature_names=asked)
        assert batch.to_dict() == {"first__score": [2.0], "second__score": [None]}
    with pytest.raises(RequestError, match="two features named score") as caught:
        client.get("pair", [{"first_id": 1, "second_id": 2}], full_feature_names=False)
    assert "full_feature_names" in caught.value.hint


@pytest.mark.parametrize(
    ("service", "row", "kind", "message"),
    [
        ("none", {}, UnknownServiceError, "no feature service 'none'"),
        ("numbers", {"ID": 1}, RequestError, "row 0 lacks the join key id"),
        ("numbers", {"id": "1"}, KeyTypeError, "join key id must be Int64, got str '1'"),
        ("numbers", {"id": 1.5}, KeyTypeError, "join key id must be Int64, got float 1.5"),
        ("numbers", {"id": True}, KeyTypeError, "join key id must be Int64, got bool True"),
        ("numbers", {"id": 2**80}, KeyTypeError, "join key id must be Int64"),
        (
            "all",
            {"id": 1, "city": 5, "zone": "a", "amount": 1.0},
            KeyTypeError,
            "join key city must be String, got int 5",
        ),
        ("all", {"id": 1, "city": "NY", "zone": "a"}, RequestError, "row 0 lacks amount"),
        (
            "all",
            {"id": 1, "city": "NY", "zone": "a", "amount": "4"},
            RequestError,
            "amount must be Float64, got str '4'",
        ),
    ],
)
def test_bad_requests(
    client: FeatureClient, service: str, row: dict[str, Any], kind: type[FurrowError], message: str
) -> None:
    """Each bad request is one error that names the field and the value."""
    with pytest.raises(kind, match=message):
        client.get(service, [row])


def test_numpy_values_are_keys_too(client: FeatureClient) -> None:
    """Keys and request values may be numpy's scalars."""
    row = {"id": np.int64(1), "city": np.str_("NY"), "zone": "a", "amount": np.float32(4.0)}
    assert client.get("all", [row]).to_dict()["ratio"] == [1.0]


def test_manifest_file_and_missing_places(world: World) -> None:
    """A manifest file opens like its folder; what isn't there is an error that says what to run."""
    with pytest.raises(StoreMissingError, match="no online store"):
        FeatureClient.open(world.folder)
    materialize(world.folder, views=["places"])
    with (
        FeatureClient.open(world.folder / "manifest.json") as client,
        pytest.raises(ViewMissingError) as caught,
    ):
        client.get("numbers", ROWS)
    assert "furrow features materialize" in caught.value.hint
    with pytest.raises(ManifestError, match="cannot read"):
        FeatureClient.open(world.root / "nowhere")


def test_expected_digests(world: World, client: FeatureClient) -> None:
    """A model that was trained on other features is refused, at opening and later."""
    right = world.manifest.services["all"].digest
    client.require("all", right)
    FeatureClient.open(world.folder, expect={"all": right}, digest=world.manifest.digest).close()
    with pytest.raises(ManifestMismatchError, match="feature service all has digest"):
        FeatureClient.open(world.folder, expect={"all": "0" * 64})
    with pytest.raises(ManifestMismatchError, match="expected 000000000000"):
        FeatureClient.open(world.folder, digest="0" * 64)
    with pytest.raises(UnknownServiceError):
        client.require("none", right)


def test_a_manifest_that_does_not_match_the_store(world: World, client: FeatureClient) -> None:
    """Other types, or the same types by another definition, are refused until the store is brought up."""
    views = world.manifest.views
    world.change(views={**views, "drivers": replace(views["drivers"], ttl_seconds=7)})
    with (
        FeatureClient.open(world.folder) as other,
        pytest.raises(ManifestMismatchError, match="was filled from") as caught,
    ):
        other.get("numbers", ROWS)
    assert "furrow features materialize" in caught.value.hint
    wider = world.columns(score="Float64", trips="Int32", active="Bool")
    world.change(views={**views, "drivers": replace(views["drivers"], features=wider)})
    with (
        FeatureClient.open(world.folder) as other,
        pytest.raises(ManifestMismatchError, match=r"trips Int32.*trips Int64"),
    ):
        other.get("numbers", ROWS)
    assert client.get("numbers", ROWS).to_dict()["score"][0] == 2.0
    materialize(world.folder)
    with pytest.raises(ManifestMismatchError):  # this client's manifest is the old one now
        client.get("numbers", ROWS)
    with FeatureClient.open(world.folder) as other:
        assert other.get("numbers", ROWS).to_dict()["trips"][0] == 3


def test_a_rebuild_is_seen_without_reopening(world: World, client: FeatureClient) -> None:
    """A client that is open answers from the new generation as soon as it is swapped in."""
    assert client.get("numbers", ROWS[:1]).to_dict()["score"] == [2.0]
    world.write("drivers", "a.parquet", [world.driver(1, 5.0)])
    materialize(world.folder)
    assert client.get("numbers", ROWS[:1]).to_dict()["score"] == [5.0]


@pytest.fixture
def server(world: World) -> Iterator[str]:
    """The features folder over http on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(world.folder))
    ) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def test_a_manifest_from_a_url(world: World, client: FeatureClient, server: str) -> None:
    """From a URL all works but on-demand code, which runs only if the manifest or the service is pinned."""
    del client
    url = f"{server}/manifest.json"
    with FeatureClient.open(url, folder=world.folder) as remote:
        assert remote.get("numbers", ROWS).to_dict()["score"][0] == 2.0
        with pytest.raises(OnDemandError, match="its code is not run") as caught:
            remote.get("all", ROWS)
        assert "digest" in caught.value.hint
    with FeatureClient.open(url, folder=world.folder, digest=world.manifest.digest) as remote:
        assert remote.get("all", ROWS).to_dict()["ratio"][0] == 1.0
    with FeatureClient.open(
        url, folder=world.folder, expect={"all": world.manifest.services["all"].digest}
    ) as remote:
        assert remote.get("all", ROWS).to_dict()["ratio"][0] == 1.0
    with pytest.raises(ManifestMismatchError):
        FeatureClient.open(url, folder=world.folder, digest="0" * 64)
    with pytest.raises(ManifestError, match="cannot fetch"):
        FeatureClient.open(f"{server}/none.json")


@pytest.mark.parametrize(
    "change",
    [
        {"online_store": {"type": "lmdb", "path": "../../../etc"}},
        {"online_store": {"type": "lmdb", "path": "/etc"}},
        {"online_store": {"type": "lmdb", "path": "../build/online", "limit": 2**70}},
        {"online_store": {"type": "lmdb", "path": "../build/online", "limit": "many"}},
        {"online_store": {"type": "os.system"}},
        {"project": "../x"},
        {"views": []},
    ],
)
def test_hostile_manifests(world: World, client: FeatureClient, change: dict[str, Any]) -> None:
    """Paths that lead out, huge numbers and wrong types are refused before anything is opened."""
    del client
    data = json.loads((world.folder / "manifest.json").read_text()) | change
    write_json(world.folder / "manifest.json", data)
    with pytest.raises(ManifestError):
        FeatureClient.open(world.folder)


def test_code_that_does_not_run(world: World, client: FeatureClient) -> None:
    """On-demand code that fails is an error that names the view and the cause."""
    del client
    ratio = world.manifest.on_demand["ratio"]
    for code, message in [
        ("def ratio(inputs):\n    return 1 / 0", "failed: ZeroDivisionError"),
        ("def other(inputs):\n    return {}", "does not run: KeyError"),
        ("def ratio(inputs):\n    return {}", "lacks 'ratio'"),
        (
            "def ratio(inputs):\n    return {'ratio': [1.0]}",
            "returned 1 values of ratio for 4 rows",
        ),
    ]:
        world.change(on_demand={"ratio": replace(ratio, code=code)})
        with FeatureClient.open(world.folder) as other, pytest.raises(OnDemandError, match=message):
            other.get("all", ROWS)


def test_another_stores_manifest(world: World) -> None:
    """A store that the client can't read is named."""
    world.change(online_store=OnlineStore("sqlite", {"path": "../build/online.db"}))
    with pytest.raises(ManifestError, match="'sqlite' is not a store that Furrow's client reads"):
        FeatureClient.open(world.folder)


def test_threads_and_tasks(world: World, client: FeatureClient) -> None:
    """Many threads and tasks get right answers from one client while the store is rewritten."""
    wrong: list[Any] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            found = client.get("numbers", [{"id": n} for n in (1, 2, 3)] * 10).to_dict()
            if found["trips"][:2] != [3, 3] or found["score"][1] is not None:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        world.write("drivers", "a.parquet", [world.driver(1, float(turn)), world.driver(2, None)])
        materialize(world.folder)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong

    async def many() -> list[Any]:
        async with await AsyncFeatureClient.open(world.folder) as other:
            small = [other.get("numbers", [{"id": 1}]) for _ in range(20)]
            large = [other.get("numbers", [{"id": 1}] * 1000) for _ in range(3)]
            return [batch.to_dict()["score"][-1] for batch in await asyncio.gather(*small, *large)]

    assert asyncio.run(many()) == [11.0] * 23


LEAN = """
import sys
from furrow import FeatureClient
client = FeatureClient.open(sys.argv[1])
batch = client.get("all", [{"id": 1, "city": "NY", "zone": "a", "amount": 4.0}])
assert batch.to_dict()["ratio"] == [1.0]
print(len(sys.modules))
print([name for name in ("feast", "pandas", "duckdb", "pyarrow", "sklearn", "redis") if name in sys.modules])
"""


def test_start_up_is_lean(world: World) -> None:
    """The first answer takes a few hundred modules (Feast has 1,500), among them no Feast, pandas or DuckDB."""
    materialize(world.folder)
    done = subprocess.run(
        [sys.executable, "-c", LEAN, str(world.folder)], capture_output=True, text=True, check=True
    )
    count, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    assert int(count) < 500


def test_moments(client: FeatureClient) -> None:
    """Without a moment the answer is for now."""
    before = datetime.now(UTC).timestamp()
    moment = client.get("numbers", ROWS).moment / 1e6
    assert before - 1 <= moment <= datetime.now(UTC).timestamp() + 1
