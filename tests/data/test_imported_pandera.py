"""What importing pandera leaves behind: nothing."""

import os
import subprocess
import sys

from furrow.data.imported_pandera import pandera


def test_checking_data_tells_arrow_nothing():
    """pandera would have zones of times ignored in this process, and in all that it starts."""
    script = (
        "import os; before = dict(os.environ); import furrow.data.columns; "
        "assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())"
    )
    kept = {name: value for name, value in os.environ.items() if name != "PYARROW_IGNORE_TIMEZONE"}
    subprocess.run([sys.executable, "-c", script], check=True, env=kept)
    assert pandera.Column(int).nullable is False


def test_who_set_it_keeps_it():
    """A program with pandas on Spark has said what it wants."""
    script = "import os, furrow.data.columns; assert os.environ['PYARROW_IGNORE_TIMEZONE'] == '1'"
    kept = {**os.environ, "PYARROW_IGNORE_TIMEZONE": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, env=kept)
