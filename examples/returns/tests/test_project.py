"""What this project keeps, whatever is changed in it: run `pytest`."""

import json
from pathlib import Path

import pyarrow.parquet as pq


def test_each_row_is_predicted_once():
    rows = pq.read_table("build/predictions/boosting.parquet").to_pandas()
    assert not rows.duplicated(["invoice", "event_timestamp"]).any()


def test_what_came_of_it_is_no_feature():
    run = json.loads(Path("runs/boosting/record.json").read_text(encoding="utf-8"))
    assert not {run["label"], "label_timestamp"} & set(run["features"])
