"""What this project keeps, whatever is changed in it: run `pytest`."""

import pandas as pd


def test_each_row_is_predicted_once():
    rows = pd.read_parquet("build/predictions/boosting.parquet")
    assert not rows.duplicated(["invoice", "event_timestamp"]).any()


def test_what_came_of_it_is_no_feature():
    run = pd.read_json("runs/boosting/record.json", typ="series")
    assert not {run["label"], "label_timestamp"} & set(run["features"])
