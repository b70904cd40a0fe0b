"""kill -9 in the middle of `dvc repro`: the next run completes, and nothing half-written is taken for whole."""

import os
import signal
import subprocess
import time

import pytest

from .conftest import environment, repro, run

pytestmark = pytest.mark.story


def killed(folder, seconds: float) -> bool:
    """Start `dvc repro` and kill it with all its children after a while; False if it was done before."""
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


@pytest.mark.long
def test_killed_again_and_again(flights):
    """A retraining that is killed at several moments ends in the state that it would have had."""
    with (flights / "conf/experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.07}\n")
    whole = subprocess.run(
        ["cp", "-a", "--reflink=auto", str(flights), str(flights.parent / "whole")], check=True
    )
    assert whole.returncode == 0
    kills = sum(killed(flights, seconds) for seconds in (1.5, 3.0, 5.0, 8.0))
    assert kills > 0
    time.sleep(0.2)
    after = repro(flights)
    assert after.ran <= {"compile", "train@gbm", "evaluate@gbm", "select"}
    repro(flights.parent / "whole")
    for name in ("dvc.lock", "runs/gbm/metrics.json", "runs/gbm/record.json", "runs/champion.json"):
        assert (flights / name).read_bytes() == (flights.parent / "whole" / name).read_bytes()
    assert run(flights, "dvc", "status", "-q", check=False).returncode == 0
