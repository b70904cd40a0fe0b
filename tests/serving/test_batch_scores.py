"""Batches: the bits of one row at a time, whatever the parts, the interruptions and the order."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from furrow.cli.predict import command
from furrow.errors import FurrowError, UsageError
from furrow.features.client import FeatureClient
from furrow.ground.bounded_parquet import UnpackedError
from furrow.models.bundle import load
from furrow.models.predict import Model
from furrow.serving import batch_scores
from furrow.serving.batch_csv import TEXTS
from furrow.serving.batch_scores import BatchError, Job, score_file
from furrow.serving.scorer import Scorer
from tests.servingworld import CODE, NOW

STORE = """
project: shops
provider: local
registry: ../build/registry.db
offline_store:
  type: furrow.ground.feast.offline.FurrowOfflineStore
entity_key_serialization_version: 3
"""
DEFINITIONS = f"""
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
day = FeatureView(
    name="day", entities=[shop], ttl=timedelta(days=3),
    schema=[Field(name="shop", dtype=String), Field(name="visits", dtype=Int64), Field(name="spent_mean", dtype=Float64)],
    source=FileSource(name="day", path="../build/tables/day.parquet", timestamp_field="event_timestamp"),
)
asked = RequestSource(name="asked", schema=[Field(name="amount", dtype=Float64)])

@on_demand_feature_view(sources=[day, asked], schema=[Field(name="share", dtype=Float64, description="of the mean", tags={{"unit": "1"}})], mode="python")
{CODE.strip()}

full = FeatureService(name="full", features=[day[["visits", "spent_mean"]], share])
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory, serving_world):
    """The world, and Feast's definitions of it for the join."""
    root = tmp_path_factory.mktemp("batch") / "world"
    shutil.copytree(serving_world.root, root)
    (root / "features/feature_store.yaml").write_text(STORE)
    (root / "features/definitions.py").write_text(DEFINITIONS)
    return root


def opened(root, task="binary"):
    facts = root / "build/models" / task
    said = json.loads((facts / "bundle.json").read_text())
    bundle = load(
        facts, model_sha256=said["model_sha256"], predictor_sha256=said["predictor_sha256"]
    )
    return Model(root, task, bundle)


def rows_file(path, count=40, **columns):
    shops = ["north", "south", "west", "nowhere"]
    table = pa.table({
        "order": [f"o{number}" for number in range(count)],
        "shop": [shops[number % 4] for number in range(count)],
        "amount": pa.array([None if number % 7 == 3 else number * 1.25 for number in range(count)], pa.float64()),
        "weekday": pa.array([number % 7 for number in range(count)], pa.int64()),
        "event_timestamp": pa.array([NOW - timedelta(minutes=number % 3) for number in range(count)], pa.timestamp("us", "UTC")),
        **columns,
    })  # fmt: skip
    pq.write_table(table, path, row_group_size=9)
    return table


def one_by_one(root, table, task="binary"):
    """What a server answers for each row alone."""
    scorer = Scorer(opened(root, task).bundle, FeatureClient.open(root / "features"))
    rows = table.select(["shop", "amount", "weekday"]).to_pylist()
    found = [scorer.score([row])[0].prediction for row in rows]
    scorer.close()
    return found


def predictions(path, names):
    return pq.read_table(path).select(names).to_pylist()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_online_batch_has_the_bits_of_single_rows(world, tmp_path, task):
    table = rows_file(tmp_path / "rows.parquet")
    job = Job(
        opened(world, task),
        tmp_path / "rows.parquet",
        tmp_path / "scored.parquet",
        online=True,
        part_rows=7,
    )
    assert score_file(job) == 40
    expected = one_by_one(world, table, task)
    assert predictions(job.out, list(expected[0])) == expected
    scored = pq.read_table(job.out)
    assert scored.select(table.column_names).equals(table)
    about = scored.schema.metadata[b"furrow.model"].decode()
    assert about == job.model.bundle.facts["model_sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "scored.parquet"]


def test_the_join_gives_the_bits_of_the_online_store(world, tmp_path):
    """Point in time, part by part: as of the moments at which the store says the same; before the first event, nothing."""
    table = rows_file(tmp_path / "rows.parquet")
    job = Job(opened(world), tmp_path / "rows.parquet", tmp_path / "scored.parquet", part_rows=25)
    told = []
    assert score_file(job, advance=told.append) == 40
    assert told == [25, 15]
    expected = one_by_one(world, table)
    assert predictions(job.out, list(expected[0])) == expected
    early = pa.array([NOW - timedelta(days=30)] * 40, pa.timestamp("us", "UTC"))
    rows_file(tmp_path / "rows.parquet", event_timestamp=early)
    score_file(job)
    unknown = table.set_column(1, "shop", pa.array(["nowhere"] * 40))
    assert predictions(job.out, list(expected[0])) == one_by_one(world, unknown)


def test_a_kill_costs_the_part_that_was_worked_on(world, tmp_path, monkeypatch):
    """What is done stays done; the result is the one of a batch that was not interrupted, to the byte."""
    rows_file(tmp_path / "rows.parquet")
    whole = Job(
        opened(world),
        tmp_path / "rows.parquet",
        tmp_path / "whole.parquet",
        online=True,
        part_rows=6,
    )
    score_file(whole)
    job = Job(whole.model, whole.rows, tmp_path / "scored.parquet", online=True, part_rows=6)
    scored = []
    true = batch_scores._Online.part

    def part(self, rows, carried):
        if len(scored) == 3:
            raise KeyboardInterrupt
        scored.append(rows.num_rows)
        return true(self, rows, carried)

    monkeypatch.setattr(batch_scores._Online, "part", part)
    with pytest.raises(KeyboardInterrupt):
        score_file(job)
    assert not job.out.exists()
    scored[:] = [0, 0]  # the next one dies as well, one part further
    with pytest.raises(KeyboardInterrupt):
        score_file(job)
    monkeypatch.setattr(
        batch_scores._Online,
        "part",
        lambda self, rows, carried: scored.append(rows.num_rows) or true(self, rows, carried),
    )
    scored.clear()
    score_file(job)
    assert scored == [6, 6, 4]
    assert job.out.read_bytes() == whole.out.read_bytes()


def test_parts_of_other_rows_are_not_taken(world, tmp_path, monkeypatch):
    """The parts of a batch that was interrupted are no part of another's: other rows, another model."""
    rows_file(tmp_path / "rows.parquet")
    job = Job(
        opened(world),
        tmp_path / "rows.parquet",
        tmp_path / "scored.parquet",
        online=True,
        part_rows=6,
    )
    true = batch_scores._put_together
    monkeypatch.setattr(
        batch_scores, "_put_together", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        score_file(job)
    monkeypatch.setattr(batch_scores, "_put_together", true)
    table = rows_file(tmp_path / "rows.parquet", amount=pa.array(np.arange(40.0)))
    score_file(job)
    expected = one_by_one(world, table)
    assert predictions(job.out, list(expected[0])) == expected


def test_what_is_wrong_with_the_rows_is_told(world, tmp_path):
    path, out = tmp_path / "rows.parquet", tmp_path / "scored.parquet"
    table = rows_file(path)
    pq.write_table(table.drop_columns(["shop"]), path)
    with pytest.raises(BatchError, match="has no column shop"):
        score_file(Job(opened(world), path, out))
    pq.write_table(table.drop_columns(["event_timestamp"]), path)
    with pytest.raises(BatchError, match=r"no column event_timestamp\n.*--online"):
        score_file(Job(opened(world), path, out))
    score_file(Job(opened(world), path, out, online=True))
    path.write_bytes(b"PAR1")
    with pytest.raises(BatchError, match="can't be read"):
        score_file(Job(opened(world), path, out))


@pytest.mark.parametrize(("ending", "divider"), TEXTS.items())
def test_text_is_scored_as_parquet_is(world, tmp_path, ending, divider):
    """The same bits, keys with leading zeros as they are typed; what can't be read is named, and nothing is left."""
    table = rows_file(tmp_path / "rows.parquet")
    out = tmp_path / "scored.parquet"
    score_file(Job(opened(world), tmp_path / "rows.parquet", out))
    text = tmp_path / f"rows{ending.upper()}"
    pacsv.write_csv(table, text, pacsv.WriteOptions(delimiter=divider))
    again = tmp_path / "again.parquet"
    assert score_file(Job(opened(world), text, again)) == table.num_rows
    assert predictions(again, ["probability"]) == predictions(out, ["probability"])
    assert pq.read_table(again)["shop"].to_pylist() == table["shop"].to_pylist()
    text.write_text(text.read_text().replace(f"{NOW.year}-", "then-", 1))
    with pytest.raises(FurrowError, match="can't be read") as caught:
        score_file(Job(opened(world), text, again))
    assert "event_timestamp" in str(caught.value)
    with pytest.raises(BatchError, match=r"--out .*x\.parquet"):
        score_file(Job(opened(world), text, tmp_path / "x.csv"))
    assert not list(tmp_path.glob(".*rows*"))


def test_semicolons_divide_too_and_a_text_is_named_as_it_is(world, tmp_path):
    """A CSV of a spreadsheet in Germany is scored as one of commas; what it lacks is said of it, not of a copy."""
    table = rows_file(tmp_path / "rows.parquet")
    text, out = tmp_path / "rows.csv", tmp_path / "scored.parquet"
    pacsv.write_csv(table, text, pacsv.WriteOptions(delimiter=";"))
    assert score_file(Job(opened(world), text, out)) == table.num_rows
    assert pq.read_table(out)["shop"].to_pylist() == table["shop"].to_pylist()
    pacsv.write_csv(table.drop_columns(["shop"]), text, pacsv.WriteOptions(delimiter=";"))
    with pytest.raises(BatchError, match=re.escape(f"{text} has no column shop\n")):
        score_file(Job(opened(world), text, out))


@pytest.mark.parametrize("online", [True, False])
def test_rows_give_what_the_service_lets_them(world, tmp_path, online):
    """A shop that nobody knows is scored by the visits that its row gives."""
    table = rows_file(tmp_path / "rows.parquet").slice(0, 2)
    for at, visits in enumerate([[1, 1], [49, 49]]):
        given = table.append_column("visits", pa.array(visits, pa.int64()))
        pq.write_table(given, tmp_path / f"{at}.parquet")
        score_file(
            Job(opened(world), tmp_path / f"{at}.parquet", tmp_path / f"o{at}.parquet", online)
        )
    few, many = (predictions(tmp_path / f"o{at}.parquet", ["probability"]) for at in (0, 1))
    assert few != many


def test_the_command_scores_a_file(world, tmp_path, monkeypatch, capsys):
    (world / "runs/binary").mkdir(parents=True, exist_ok=True)
    facts = json.loads((world / "build/models/binary/bundle.json").read_text())
    (world / "runs/binary/record.json").write_text(json.dumps(facts))
    (world / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(world)
    table = rows_file(tmp_path / "rows.parquet")
    words = ["--experiment", "binary", "--batch", str(tmp_path / "rows.parquet"), "--online"]
    with pytest.raises(UsageError, match="go together"):
        command.main(words, standalone_mode=False)
    out = tmp_path / "scored.parquet"
    command.main([*words, "--out", str(out)], standalone_mode=False)
    assert "40 rows scored by binary" in capsys.readouterr().out
    assert predictions(out, ["probability"]) == one_by_one(world, table)


@pytest.mark.attack
def test_rows_that_mean_very_much(world, tmp_path):
    """A text of a megabyte that stands once in the file and in each of its rows is refused by name."""
    count = 2_000
    code = pa.nulls(count, pa.int32()).fill_null(0)
    note = pa.DictionaryArray.from_arrays(code, pa.array(["x" * (1 << 20)]))
    table = rows_file(tmp_path / "rows.parquet", count).append_column("note", note)
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "rows.parquet").stat().st_size < 1 << 20
    job = Job(opened(world), tmp_path / "rows.parquet", tmp_path / "scored.parquet", online=True)
    with pytest.raises(UnpackedError, match=r"rows\.parquet unpacks to too many bytes"):
        score_file(job)
    assert not (tmp_path / "scored.parquet").exists()
