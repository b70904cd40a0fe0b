"""Each declared experiment's model, as it is configured: it is built, learns what a column tells, and is the same again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from furrow.training.config import load
from furrow.training.fit import fit

ROOT = Path(__file__).parents[2]
LATE = ("base_rate", "logistic", "gbm_schedule", "gbm_weather", "gbm", "forest", "gbm_search")
DELAY = ("delay_gbm", "delay_linear")


def test_each_is_named_here() -> None:
    assert sorted({path.parent.name for path in ROOT.glob("runs/*/config.yaml")}) == sorted(
        LATE + DELAY
    )


@pytest.mark.parametrize("name", LATE + DELAY)
def test_a_model_learns(name: str) -> None:
    """From 2,000 rows of which one column tells nearly all; a baseline learns nothing, as it should."""
    experiment = load(ROOT / f"runs/{name}/config.yaml")
    rng = np.random.default_rng(0)
    keys = {key: rng.choice(["a", "b"], 2000) for key in experiment.features.keys}
    frame = pd.DataFrame({**keys, "wind": rng.normal(size=2000), "rain": rng.normal(size=2000)})
    told = frame["wind"] + rng.normal(scale=0.3, size=2000)
    label = experiment.problem.label
    frame[label] = (told > 0).astype(int) if name in LATE else 30 * told
    frame["event_timestamp"] = pd.date_range("2013-01-01", periods=2000, freq="4h", tz="UTC")
    frame["label_timestamp"] = frame["event_timestamp"] + pd.Timedelta(hours=6)
    one, two = (fit(experiment, frame, ["wind", "rain"]) for _ in range(2))
    said = one.predict(frame)
    assert np.array_equal(said, two.predict(frame))
    if name == "base_rate":
        assert len(set(said)) == 1
    else:
        assert np.corrcoef(said, told)[0, 1] > 0.6
