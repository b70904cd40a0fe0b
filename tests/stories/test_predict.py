"""From the rested repository to served predictions: online, and for moments past."""

import json
import subprocess

import pyarrow.parquet as pq
import pytest

from .conftest import edit, run

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def served(rested, tmp_path_factory):
    """A copy with the online store filled."""
    folder = tmp_path_factory.mktemp("served") / "flights"
    subprocess.run(["cp", "-a", "--reflink=auto", str(rested), str(folder)], check=True)
    run(folder, "python", "-m", "furrow", "features", "materialize")
    return folder


def flight(folder, place: int = 6_000) -> dict:
    table = pq.read_table(folder / "build/training/late/full.parquet").slice(place, 1)
    return table.to_pylist()[0]


def arguments(row: dict) -> list[str]:
    names = ("carrier", "flight", "origin", "dest", "tailnum")
    return [word for name in names for word in (f"--{name}", str(row[name]))]


def test_a_moment_past_is_what_training_saw(served):
    """Features of a past prediction equal those of the training set, and the contributions add up."""
    row = flight(served)
    at = row["event_timestamp"].isoformat()
    done = run(
        served,
        "python",
        "-m",
        "furrow",
        "predict",
        *arguments(row),
        "--at",
        at,
        "--experiment",
        "gbm",
        "--json",
    )
    found = json.loads(done.stdout)
    assert found["source"] == "point in time"
    assert 0 < found["probability"] < 1
    for name, value in found["features"].items():
        assert (
            value == pytest.approx(row[name], nan_ok=True)
            if value is not None
            else row[name] is None
        )
    assert len(found["features"]) > 30


def test_online_answers_with_status(served):
    """The online store answers at its newest moment: values, and a status for each feature."""
    done = run(served, "python", "-m", "pipelines.tour")
    assert "gbm" in done.stdout
    assert "probability" in done.stdout
    assert "present" in done.stdout
    said = done.stdout.partition("The next flights out of New York")[2]
    assert said.count("probability") == 3
    assert said.count("arrival_delay") >= 3  # what it lies near has that name among features, too


def test_now_is_years_after_the_data(served):
    """Asked for now, the features of 2013 have expired, and the answer says so and what to do."""
    words = arguments(flight(served))
    done = run(served, "python", "-m", "furrow", "predict", *words, "--experiment", "gbm")
    assert "is after the newest event of the feature tables" in done.stdout
    assert "features are expired (older than their ttl)" in done.stdout
    assert "--at TIME" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--carier", "B6"], "did you mean --carrier?"),
        (["--carrier", "B6"], "the model needs"),
        (["--flight", "many"], "is not an integer"),
        (["--carrier", "B6", "--at", "yesterday"], "is not a time"),
        (["--experiment", "gmb"], "there is no run 'gmb'"),
    ],
)
def test_requests_that_do_not_fit(served, words, message):
    """Each wrong request has one message that says what to write."""
    named = [] if "--experiment" in words else ["--problem", "late"]
    done = run(served, "python", "-m", "furrow", "predict", *named, *words, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_of_other_features_is_refused(flights):
    """A view's ttl was changed and not trained on: the model does not answer."""
    edit(flights / "features/views.py", "ttl=timedelta(hours=3)", "ttl=timedelta(hours=1)")
    run(flights, "python", "-m", "furrow", "compile")
    flight = [
        "--carrier",
        "B6",
        "--flight",
        "1161",
        "--origin",
        "LGA",
        "--dest",
        "PBI",
        "--tailnum",
        "N775JB",
    ]
    asking = ["python", "-m", "furrow", "predict", "--experiment", "gbm", *flight]
    done = run(flights, *asking, check=False)
    assert done.returncode == 1
    assert "trained on another definition" in done.stderr
    assert "dvc repro" in done.stderr
