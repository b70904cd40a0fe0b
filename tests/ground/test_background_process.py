"""A process beside this one: what it says is read while it goes on, and it ends with the block, however that ends."""

from __future__ import annotations

import time

import pytest

from furrow.ground.background_process import BackgroundError, in_background
from furrow.ground.start_python import python

SLEEPS = "import sys, time; print('here', flush=True); time.sleep(600)"
FAILS = "import sys; print('the disk is full', file=sys.stderr); sys.exit(3)"


def _failing(folder, seen):
    """A block that fails while a process goes on beside it."""
    with in_background(python("-c", SLEEPS), folder, folder / "out") as beside:
        seen.append(beside.process)
        while "here" not in beside.said():
            time.sleep(0.02)
        assert beside.process.poll() is None
        raise KeyError("whatever")


def test_it_ends_with_the_block(tmp_path):
    seen = []
    with pytest.raises(KeyError, match="whatever"):
        _failing(tmp_path, seen)
    assert seen[0].poll() is not None


def test_one_that_ended_says_why(tmp_path):
    with in_background(python("-c", FAILS), tmp_path, tmp_path / "out") as beside:
        beside.process.wait(60)
        with pytest.raises(BackgroundError, match="ended with 3: the disk is full"):
            beside.said()
    with (
        pytest.raises(BackgroundError, match="can't be started"),
        in_background([str(tmp_path / "none")], tmp_path, tmp_path / "out"),
    ):
        pass
