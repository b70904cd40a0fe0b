"""The index: disposable, rebuilt when unfit, safe for many processes at once."""

from __future__ import annotations

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from furrow.history import runs_index as index
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection

ALL = Selection(everything=True)
QUERY = Query(columns=("name", "tree", "first_commit", "commit", "commits", "roc_auc"))
SCRIPT = """
import sys
from pathlib import Path
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
found = list_runs(Path(sys.argv[1]), Selection(everything=True), Query(columns=("name", "roc_auc")))
print(found.answer.total, sum(row[1] for row in found.answer.rows))
"""


def obey_permissions() -> None:
    """Give up root's right to write anywhere (CAP_DAC_OVERRIDE), so that permissions hold for root as for others."""
    if os.getuid() == 0:
        assert ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0) == 0


def place(history: Any) -> Path:
    return history.path / ".git/furrow/runs.sqlite"


def listed(history: Any) -> list[tuple[Any, ...]]:
    return list_runs(history.path, ALL, QUERY).answer.rows


@pytest.fixture
def some(history: Any) -> Any:
    """Ten commits of one run, and five trials."""
    for number in range(10):
        base = history.commit(history.run("gbm", 0.5 + number / 100))
    for number in range(5):
        ref = f"refs/exps/{base[:2]}/{base[2:]}/trial-{number}"
        history.commit(history.run("gbm", 0.7 + number / 100), ref=ref, parents=(base,))
    return history


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 200_000),
        lambda path: path.write_bytes(b""),
        lambda path: sqlite3.connect(path).executescript("PRAGMA user_version = 999").close(),
        lambda path: sqlite3.connect(path).executescript("DROP TABLE configs").close(),
        lambda path: (
            sqlite3.connect(path).executescript("ALTER TABLE spans RENAME TO other").close()
        ),
    ],
    ids=["garbage", "truncated", "overwritten", "empty", "version", "no-table", "renamed"],
)
def test_an_unfit_index_is_built_again_without_a_word(some: Any, damage: Any, capfd: Any) -> None:
    """Damaged, cut short, of another version or schema: the list is right all the same."""
    before = listed(some)
    for suffix in ("-wal", "-shm"):
        Path(f"{place(some)}{suffix}").unlink(missing_ok=True)
    damage(place(some))
    assert listed(some) == before
    assert (
        list_runs(some.path, ALL, Query(where="seed = 7", columns=("service", "seed"))).answer.total
        == 15
    )
    assert capfd.readouterr() == ("", "")


SAMPLES = sorted(Path(__file__).parents[1].glob("history/samples/index_*.sql"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_an_index_of_an_earlier_version(some: Any, sample: Path) -> None:
    """Each form that a release has written: not misread, but built again in the form of today."""
    before = listed(some)
    with sqlite3.connect(place(some)) as now:
        (history,) = now.execute("SELECT value FROM meta WHERE key = 'history'").fetchone()
    now.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{place(some)}{suffix}").unlink(missing_ok=True)
    old = sqlite3.connect(place(some))
    old.executescript(sample.read_text())
    old.execute("INSERT INTO meta VALUES ('history', ?)", (history,))
    old.execute("INSERT INTO runs (id, name, tree, status) VALUES (1, 'invented', 'x', 'ok')")
    old.commit()
    old.close()
    assert listed(some) == before
    with sqlite3.connect(place(some)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (index.FORMAT,)
        assert not now.execute("SELECT 1 FROM runs WHERE name = 'invented'").fetchall()
    now.close()


def test_there_is_a_sample_of_each_earlier_version() -> None:
    """Whoever changes the form leaves the schema of the one before."""
    assert [path.stem for path in SAMPLES] == [
        f"index_{number}" for number in range(1, index.FORMAT)
    ]


def test_the_index_is_only_a_cache(some: Any) -> None:
    """Throwing the folder away loses nothing."""
    before = listed(some)
    subprocess.run(["rm", "-r", str(place(some).parent)], check=True)
    assert listed(some) == before


def test_many_processes_at_once(some: Any) -> None:
    """Eight start on no index, or on a broken one, while commits come in: each gives a right answer, none fails."""
    for start in (None, b"broken"):
        if start:
            place(some).write_bytes(start)
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(some.path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(8)
        ]
        for number in range(3):
            some.commit({"docs": f"{start}{number}"})
        for process in processes:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
            assert out.split()[0] == "15"
    assert len(listed(some)) == 15


def test_a_killed_build_leaves_no_trace(some: Any) -> None:
    """SIGKILL in the middle of building: the next one starts over, and is right."""
    process = subprocess.Popen([sys.executable, "-c", "import time\n" + SCRIPT.replace(
        "found =", "import furrow.history.indexing as s\nold = s.extend\n"
        "def slow(*a, **k):\n    old(*a, **k)\n    print('now', flush=True)\n    time.sleep(60)\n"
        "s.extend = slow\nfound ="), str(some.path)], stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(listed(some)) == 15


def test_a_reader_does_not_wait_for_a_writer(some: Any) -> None:
    """While another process holds the write lock, what is indexed is listed at once."""
    before = listed(some)
    writer = sqlite3.connect(place(some), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert listed(some) == before
    writer.execute("ROLLBACK")
    writer.close()


def test_a_lock_that_is_never_let_go_is_a_known_error(
    some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New commits can't be indexed: the error names the file."""
    monkeypatch.setattr(index, "_PATIENCE_MS", 50)
    listed(some)
    writer = sqlite3.connect(place(some), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    some.commit({"docs": "more"})
    with pytest.raises(index.IndexBusyError, match=r"runs\.sqlite is locked"):
        listed(some)
    writer.execute("ROLLBACK")
    writer.close()


@pytest.mark.parametrize("indexed", [False, True])
def test_a_read_only_git_directory(some: Any, indexed: bool) -> None:
    """Without the right to write, runs are listed from memory; an index that is there is read and left alone."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone.git"
        some.git("clone", "-q", "--mirror", str(some.path), str(clone))
        if indexed:
            list_runs(clone, ALL, QUERY)
        before = sorted(path.name for path in clone.rglob("*"))
        subprocess.run(["chmod", "-R", "a+rX,a-w", folder], check=True)
        environment = {**os.environ, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(clone)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            preexec_fn=obey_permissions,
        )
        after = sorted(path.name for path in clone.rglob("*"))
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    assert done.stdout.split()[:1] == ["15"], done.stderr
    assert after == before


def test_a_file_in_the_way(some: Any) -> None:
    """Where the folder can't be made, runs are listed from memory."""
    (some.path / ".git/furrow").write_text("in the way")
    assert len(listed(some)) == 15


def test_scopes_are_pruned(some: Any) -> None:
    """The index does not grow with every HEAD that was asked for."""
    for number in range(12):
        some.commit({"docs": str(number)})
        list_runs(some.path)
        listed(some)
    connection = sqlite3.connect(place(some))
    assert connection.execute("SELECT count(*) FROM scopes").fetchone()[0] <= 10
    for table in ("spans", "refs"):
        orphans = f"SELECT count(*) FROM {table} WHERE scope NOT IN (SELECT id FROM scopes)"
        assert connection.execute(orphans).fetchone() == (0,)
    connection.close()


def test_commits_that_leave_the_runs_alone_share_their_tree(some: Any) -> None:
    """Whether they are indexed at once or one by one; the index grows with what is new only."""
    listed(some)
    connection = sqlite3.connect(place(some))
    trees = connection.execute("SELECT count(*) FROM trees").fetchone()
    for number in range(5):
        some.commit({"docs": str(number)})
        if number != 2:
            listed(some)
    assert connection.execute("SELECT count(*) FROM trees").fetchone() == trees
    assert connection.execute("SELECT count(*) FROM commits").fetchone() == (20,)
    connection.close()


def test_more_keys_than_columns(history: Any) -> None:
    """Thousands of different keys: what does not fit is told, metrics that do are there."""
    wide = "".join(f"key_{number}: {number}\n" for number in range(3000))
    history.commit(
        {
            **history.run("gbm"),
            "runs/wide/config.yaml": wide,
            "runs/wide/metrics.json": '{"roc_auc": 0.5}',
        }
    )
    found = list_runs(
        history.path, None, Query(where="name = 'wide'", columns=("roc_auc", "key_1"))
    )
    assert found.answer.rows == [(0.5, 1)]
    assert "left out" in found.answer.problems[0][1]
    assert len(found.answer.problems[0][1]) < 100


def test_a_full_disk(some: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the index can't grow, runs are listed from memory, and the index is whole afterwards."""
    listed(some)
    tune = index._tune

    def full(connection: sqlite3.Connection) -> None:
        tune(connection)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes it for: no larger than now

    monkeypatch.setattr(index, "_tune", full)
    some.commit(
        {path: text for n in range(60) for path, text in some.run(f"new-{n}", n / 100).items()}
    )
    assert len(listed(some)) == 75
    monkeypatch.undo()
    assert len(listed(some)) == 75
