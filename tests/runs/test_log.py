"""`furrow.log`: rows reach the disk whole and soon, whatever becomes of the process that logs them."""

import csv
import io
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import furrow
from furrow.training.log import FACTS, Log, LogError, default_folder, log, log_to
from furrow.trials.watch import Watcher, WatchError, sparkline


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def script(folder: Path, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=folder,
        env=os.environ | {"FURROW_LOG_DIR": str(folder / "logs")},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_each_metric_is_a_table_with_every_row_in_order(tmp_path: Path) -> None:
    """Names that are no identifiers and steps given or counted included."""
    with log_to("train@gbm", tmp_path):
        log(step=3, loss=0.5, **{"val/auc": 1})
        log(loss=0.25)
    folder = tmp_path / "train@gbm"
    assert [(row["step"], row["loss"]) for row in rows(folder / "loss.tsv")] == [
        ("3", "0.5"),
        ("4", "0.25"),
    ]
    assert [row["val/auc"] for row in rows(folder / "val%2Fauc.tsv")] == ["1.0"]
    facts = json.loads((folder / FACTS).read_text())
    assert facts["format"] == 1
    assert facts["started"] <= facts["ended"]


def test_names_that_would_break_out_of_a_heading(tmp_path: Path) -> None:
    """Line ends, tabs and quotes in a metric's name: the table has one heading, and is followed under the very name."""
    names = ('a,b\n"c', "tab\there", '"quoted', "loss / größe")
    with log_to("run", tmp_path):
        for step in (1, 2):
            log(step=step, **dict.fromkeys(names, step / 2))
    (found,) = Watcher(tmp_path).read()
    assert {name: list(curve.values) for name, curve in found.curves.items()} == {
        name: [0.5, 1.0] for name in names
    }
    texts = [path.read_text() for path in (tmp_path / "run").glob("*.tsv")]
    tables = [list(csv.reader(io.StringIO(text, newline=""), delimiter="\t")) for text in texts]
    assert {len(row) for table in tables for row in table} == {3}
    assert {len(table) for table in tables} == {3}


def test_the_public_name_is_the_same_function() -> None:
    assert furrow.log is log


def test_values_that_are_no_numbers_are_refused_and_those_that_are_not_finite_kept(
    tmp_path: Path,
) -> None:
    with log_to("run", tmp_path):
        with pytest.raises(LogError, match=r"metric 'loss' is 'low', not a number"):
            log(step=1, loss="low")  # type: ignore[arg-type]
        with pytest.raises(LogError, match=r"step is 1\.5, not an integer"):
            log(step=1.5, loss=1.0)  # type: ignore[arg-type]
        log(step=1, loss=math.nan)
        log(step=2, loss=math.inf)
    assert [row["loss"] for row in rows(tmp_path / "run/loss.tsv")] == ["nan", "inf"]
    (found,) = Watcher(tmp_path).read()
    assert found.curves["loss"].trouble == 1


def test_a_run_begins_anew_unless_it_goes_on(tmp_path: Path) -> None:
    for resume, expected in ((False, 1), (False, 1), (True, 2)):
        with log_to("run", tmp_path, resume=resume):
            log(step=1, loss=0.5)
        assert len(rows(tmp_path / "run/loss.tsv")) == expected


def test_a_killed_process_loses_no_more_than_the_last_second(tmp_path: Path) -> None:
    """kill -9 while it logs as fast as it can: every row older than a second is there, and each is whole."""
    process = script(
        tmp_path,
        "import furrow, time\n"
        "for step in range(10**9):\n"
        "    furrow.log(step=step, now=time.time())\n"
        "    if step % 20_000 == 0: print(time.time(), flush=True)\n",
    )
    assert process.stdout is not None
    for _ in range(8):
        told = float(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (path,) = (tmp_path / "logs").glob("*/now.tsv")
    text = path.read_text()
    found = [line.split("\t") for line in text[: text.rindex("\n")].split("\n")[1:]]
    assert [int(line[0]) for line in found] == list(range(len(found)))
    assert told - float(found[-1][2]) < 1.0
    (seen,) = Watcher(tmp_path / "logs").read()
    assert seen.state == "killed"


def test_a_slow_log_is_never_behind(tmp_path: Path) -> None:
    """A row that follows a pause is on the disk when the call returns, before any long work begins."""
    opened = Log(tmp_path / "slow")
    time.sleep(0.3)
    opened.add(1, {"loss": 0.5})
    assert len(rows(tmp_path / "slow/loss.tsv")) == 1
    opened.close()


def test_two_processes_of_one_name_keep_apart(tmp_path: Path) -> None:
    with log_to("run", tmp_path):
        log(step=1, loss=0.5)
        text = (
            "import sys\nfrom pathlib import Path\nfrom furrow import log, log_to\n"
            f"with log_to('run', Path({str(tmp_path)!r})): log(step=1, loss=0.125)"
        )
        script(tmp_path, text).communicate()
    assert [row["loss"] for row in rows(tmp_path / "run/loss.tsv")] == ["0.5"]
    (beside,) = tmp_path.glob("run.*/loss.tsv")
    assert [row["loss"] for row in rows(beside)] == ["0.125"]


def test_a_forked_child_writes_its_own_rows_once(tmp_path: Path) -> None:
    """What the parent had queued is the parent's; what the child logs before it leaves is not lost."""
    process = script(
        tmp_path,
        "import multiprocessing\n"
        "from furrow import log, log_to\n"
        "with log_to('run') as opened:\n"
        "    for step in range(1000): log(step=step, parent=1.0)\n"
        "    child = multiprocessing.get_context('fork').Process(\n"
        "        target=lambda: [opened.add(step, {'child': 2.0}) for step in range(1000)])\n"
        "    child.start(); child.join()\n",
    )
    process.communicate()
    assert len(rows(tmp_path / "logs/run/parent.tsv")) == 1000
    assert len(rows(tmp_path / "logs/run/child.tsv")) == 1000


def test_rows_wait_for_a_full_disk_and_are_told_of(tmp_path: Path) -> None:
    """The process may write no more than 4096 bytes to a file for a while: a warning, and then every row is there."""
    opened = Log(tmp_path / "full")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for step in range(1001):
                opened.add(step, {"loss": 0.5})
                time.sleep(0.0005)
        assert "cannot write" in str(caught[0].message)
        assert len(caught) == 1
        with pytest.raises(LogError, match="rows were not written"):
            opened.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    opened.flush()
    found = rows(tmp_path / "full/loss.tsv")
    assert [int(row["step"]) for row in found] == list(range(1001))
    opened.close()


def test_where_logs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the repository around, unless the environment says otherwise."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep/er").mkdir(parents=True)
    assert default_folder(tmp_path / "deep/er") == tmp_path / ".furrow/logs"
    monkeypatch.setenv("FURROW_LOG_DIR", str(tmp_path / "else"))
    assert default_folder() == tmp_path / "else"


def test_following_reads_only_what_is_new_and_sees_a_run_begin_anew(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    with pytest.raises(WatchError, match="no curves"):
        watcher.read()
    with log_to("run", tmp_path) as opened:
        for step in range(10):
            log(step=step, loss=1.0 / (step + 1))
        opened.flush()
        (found,) = watcher.read()
        assert found.state == "running"
        assert list(found.curves["loss"].steps) == list(range(10))
        log(step=10, loss=0.0)
        opened.flush()
        (found,) = watcher.read(["run"])
        assert list(found.curves["loss"].steps) == list(range(11))
    with log_to("run", tmp_path):
        log(step=1, loss=7.0)
    (found,) = watcher.read()
    assert found.state == "ended"
    assert list(found.curves["loss"].values) == [7.0]
    with pytest.raises(WatchError, match="no curves of 'other'"):
        watcher.read(["other"])


def test_a_sparkline_is_as_wide_as_asked_and_shows_gaps() -> None:
    assert sparkline([0.0, 1.0], 10) == "▁█"
    assert sparkline([0.0] * 50 + [1.0] * 50, 4) == "▁▁██"
    assert sparkline([0.0, math.nan, 1.0], 3) == "▁ █"
    assert sparkline([], 3) == ""


def test_dvc_plots_a_table(tmp_path: Path) -> None:
    """The tables are what `dvc plots show FILE -x step` draws."""
    dvc = str(Path(sys.executable).parent / "dvc")
    for command in (["git", "init", "-q"], [dvc, "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with log_to("run", tmp_path / ".furrow/logs"):
        for step in range(5):
            log(step=step, loss=1.0 / (step + 1))
    command = [dvc, "plots", "show", ".furrow/logs/run/loss.tsv", "-x", "step", "--json"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert '"loss"' in done.stdout
    assert "0.25" in done.stdout
