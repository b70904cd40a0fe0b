"""The watch that a stage runs under: it writes down what is opened, and shifts the clock; it breaks nothing."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from furrow.ground.process import WATCH, run_commands, stage_environment
from tests.processes import runs

SHIFT = {"FURROW_WATCH_SHIFT": str(400 * 86_400)}
ENTROPY = {"FURROW_WATCH_ENTROPY": "furrow", "PYTHONHASHSEED": "0"}
LIBRARIES = """
import io, pickle
import numpy as np, pandas as pd, pyarrow as pa, duckdb
from sklearn.ensemble import HistGradientBoostingClassifier
from datetime import date, datetime, timedelta
frame = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=60, freq="D"), "on": date(2024, 1, 1), "x": range(60)})
kept = io.BytesIO()
frame.to_parquet(kept)
assert pd.read_parquet(kept)["at"].iloc[3] == datetime(2024, 1, 4) and type(frame["at"].iloc[0].to_pydatetime()) is datetime
assert pa.scalar(datetime(2024, 1, 1)).as_py() == datetime(2024, 1, 1)
assert duckdb.sql('select max("at") from frame').fetchall() == [(datetime(2024, 2, 29),)]
assert HistGradientBoostingClassifier().fit(frame[["x"]], frame["x"] > 30).predict(frame[["x"]]).sum() == 29
assert pickle.loads(pickle.dumps(datetime.now())) - datetime.now() < timedelta(hours=1)
print("whole")
"""


def watched(folder: Path, code: str, **extra: str) -> str:
    """What Python says of code under the watch; a hang is a failure."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(WATCH),
        "FURROW_WATCH_LOG": str(folder / "log"),
        **extra,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "extra", [SHIFT, ENTROPY, {**SHIFT, **ENTROPY}], ids=["clock", "random numbers", "both"]
)
def test_the_libraries_work_under_it(tmp_path: Path, extra: dict[str, str]) -> None:
    """Those whose C code knows the types of datetime come up and work."""
    assert watched(tmp_path, LIBRARIES, **extra) == "whole"


@pytest.mark.parametrize(
    "now",
    [
        "datetime.datetime.now().timestamp()",
        "datetime.datetime.now(datetime.UTC).timestamp()",
        "datetime.datetime.utcnow().replace(tzinfo=datetime.UTC).timestamp()",
        "datetime.datetime.today().timestamp()",
        "time.mktime(datetime.date.today().timetuple())",
        "type('D', (datetime.datetime,), {}).now().timestamp()",
        "early.now().timestamp()",
        "time.time()",
        "time.time_ns() / 1e9",
        "time.clock_gettime(time.CLOCK_REALTIME)",
        "time.mktime(time.localtime())",
        "calendar.timegm(time.gmtime())",
        "float(time.strftime('%s'))",
        "time.mktime(time.strptime(time.ctime()))",
        "pd.Timestamp.now().timestamp()",
        "pd.Timestamp('now', tz='UTC').timestamp()",
        "pd.to_datetime('today').timestamp()",
    ],
)
def test_the_clock_is_shifted(tmp_path: Path, now: str) -> None:
    """Whichever function a stage asks, the answer is 400 days ahead."""
    code = f"import calendar, datetime, time\nfrom datetime import datetime as early\nimport pandas as pd\nprint({now})"
    assert abs(float(watched(tmp_path, code, **SHIFT)) - time.time() - 400 * 86_400) < 2 * 86_400


def test_a_given_moment_is_not_shifted(tmp_path: Path) -> None:
    """Only the present is another; and the functions can be pickled, or kept in a class."""
    code = """
import datetime, pickle, time
assert time.gmtime(0).tm_year == 1970 and time.strftime("%Y", time.gmtime(0)) == "1970" and time.ctime(0).endswith("70")
assert datetime.datetime.fromtimestamp(0, datetime.UTC).year == 1970
assert pickle.loads(pickle.dumps(time.time)) is time.time
class Timer:
    clock = time.time
assert Timer().clock() - time.time() < 60 and time.monotonic() < 1e9
print(type(datetime.datetime.now()) is datetime.datetime)
"""
    assert watched(tmp_path, code, **SHIFT) == "True"


def commands(folder: Path, *lines: str, limit: float | None = None):
    environment = stage_environment(root=folder, stage="s")
    return run_commands(lines, folder, environment, folder / "log.txt", limit=limit)


def test_what_is_new_is_told_from_what_was_there(tmp_path: Path) -> None:
    """A file that the commands made before they read it is fresh; one that they read and then changed is not."""
    for name in ("old", "changed"):
        (tmp_path / name).write_text("x")
    time.sleep(0.05)  # more than the clock of the file system's grain
    code = "open('old'); open('changed'); open('changed', 'w'); open('changed'); open('made', 'w'); open('made')"
    ended = commands(
        tmp_path,
        f"echo 1 > shell; python -c {shlex.quote(code)}; python -c \"open('shell'); open('made')\"",
    )
    assert ended.code == 0
    names = {name: str(tmp_path / name) for name in ("old", "changed", "made", "shell")}
    assert set(names.values()) <= ended.opened
    assert ended.fresh & set(names.values()) == {names["made"], names["shell"]}


def test_a_limit_of_time(tmp_path: Path) -> None:
    """What does not end is stopped with all that it started, also when it asks not to be; what is quick is not."""
    deaf = "import os, signal, time; signal.signal(15, signal.SIG_IGN); open('pid', 'w').write(str(os.getpid())); time.sleep(99)"
    ended = commands(tmp_path, f"python -c {shlex.quote(deaf)}; true", "touch never", limit=2)
    assert ended.unfinished
    pid = int((tmp_path / "pid").read_text())
    while runs(pid):  # it is killed; the kernel takes a moment
        time.sleep(0.01)
    assert not (tmp_path / "never").exists()
    quick = commands(tmp_path, "true", "exit 3", limit=60)
    assert (quick.code, quick.unfinished) == (3, False)
    assert commands(tmp_path, "true", "sleep 99", "touch never", limit=1).unfinished
    assert not (tmp_path / "never").exists()
