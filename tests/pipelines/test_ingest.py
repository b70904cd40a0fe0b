"""Ingest through its real command: what lands, and what happens when something is in the way."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from furrow.data import landing, tracked
from furrow.errors import FurrowError, UsageError
from pipelines import ingest as module
from pipelines.ingest import ingest
from pipelines.layout import SCHEMAS, STAMP

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def start(*arguments: object, cwd: Path, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.ingest", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


def run(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    process = start(*arguments, cwd=cwd, **options)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_lands_the_agreed_partitions(landed: Path) -> None:
    """Three months are three files each of flights and weather beside three tables, typed and sorted."""
    names = [*(f"{t}/2013-0{m}.parquet" for t in ("flights", "weather") for m in (1, 2, 3))]
    names += ["airlines.parquet", "airports.parquet", "planes.parquet"]
    assert sorted(content(landed)) == sorted(names)
    for name in names:
        table = pq.read_table(landed / name)
        assert table.schema.equals(SCHEMAS[name.partition("/")[0].removesuffix(".parquet")])
        assert b"pandas" not in (table.schema.metadata or {})
    flights = pq.read_table(landed / "flights").to_pandas()
    assert len(flights) == 27_004 + 24_951 + 28_834
    keys = ["scheduled_departure", "carrier", "flight", "origin"]
    one = pq.read_table(landed / "flights/2013-03.parquet").to_pandas()
    assert one[keys].equals(one[keys].sort_values(keys).reset_index(drop=True))
    assert not flights.duplicated(keys).any()


def test_bytes_are_the_same_whatever_the_hash_seed_and_folder(landed: Path, tmp_path: Path) -> None:
    """A process of its own, another folder, another hash seed and zone: not a byte differs, in little memory."""
    process = start(
        "--through", "2013-03", cwd=tmp_path, env={"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    )
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert content(tmp_path / "data") == content(landed)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_500_000


def test_a_second_run_rewrites_nothing(data: Path) -> None:
    """Same files, same times, and it says that nothing changed."""
    before = {p: p.stat().st_mtime_ns for p in data.rglob("*.parquet")}
    done = run("--through", "2013-03", cwd=data.parent)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in data.rglob("*.parquet")} == before
    assert "added" not in done.stdout
    assert "unchanged" in done.stdout


def test_lands_the_next_month_and_says_what_next(data: Path) -> None:
    """The months before are left alone, the new one is there, and the next step is told."""
    done = run("--through", "2013-04", cwd=data.parent)
    assert done.returncode == 0, done.stderr
    assert (data / "flights/2013-04.parquet").exists()
    assert done.stdout.count("added") == 1
    assert "dvc add data" in done.stdout
    assert "dvc repro" in done.stdout
    assert not ingest(data, through=4)


def test_an_earlier_month_takes_nothing_away(data: Path) -> None:
    """--through an earlier month keeps the later ones, and says so."""
    outcome = ingest(data, through=2)
    assert (data / "flights/2013-03.parquet").exists()
    assert "kept as they are" in outcome.notices[0]


def test_a_missing_month_in_the_middle_is_landed(data: Path, landed: Path) -> None:
    """The default lands every month up to the newest that is there or described."""
    (data / "flights/2013-02.parquet").unlink()
    data.with_name("data.dvc").write_text(
        f"outs:\n- md5: {hash_of(landed)}\n  nfiles: 9\n  path: data\n"
    )
    outcome = ingest(data)
    assert [f.path.name for f in outcome.files if f.outcome == "added"] == ["2013-02.parquet"]
    assert outcome.pointer == "same"
    assert content(data) == content(landed)


def hash_of(folder: Path) -> str:
    return tracked.folder_md5(tracked.file_hashes(folder))


@pytest.mark.parametrize("damage", ["truncated", "empty", "a byte changed"])
def test_a_damaged_partition_is_landed_again(data: Path, landed: Path, damage: str) -> None:
    """Cut short, empty, or one byte flipped in the middle: it is noticed, told, and made whole."""
    path = data / "flights/2013-02.parquet"
    whole = path.read_bytes()
    flipped = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
    path.write_bytes(
        {"truncated": whole[: len(whole) // 2], "empty": b"", "a byte changed": flipped}[damage]
    )
    outcome = ingest(data, through=3)
    assert [f.path for f in outcome.files if f.outcome == "rewritten"] == [path]
    assert "2013-02.parquet is damaged" in outcome.notices[0]
    assert content(data) == content(landed)


@pytest.mark.parametrize("change", ["renamed", "retyped", "missing"])
def test_a_file_of_other_columns_is_told_and_kept(data: Path, landed: Path, change: str) -> None:
    """A whole file that the ingest did not write is never overwritten unasked."""
    path = data / "flights/2013-02.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("distance")
    if change == "renamed":
        table = table.rename_columns(
            ["miles" if n == "distance" else n for n in table.column_names]
        )
    elif change == "retyped":
        table = table.set_column(place, "distance", table["distance"].cast("float64"))
    else:
        table = table.drop_columns("distance")
    pq.write_table(table, path)
    before = content(data)
    with pytest.raises(landing.ForeignError, match=r"2013-02.parquet: .*distance") as caught:
        ingest(data, through=3)
    assert "--rewrite" in caught.value.hint
    assert content(data) == before
    assert ingest(data, through=3, rewrite=True)
    assert content(data) == content(landed)


def test_leftovers_of_a_killed_run_are_cleared(data: Path) -> None:
    """A temporary file is removed and told; a user's own hidden file is not touched."""
    left = data / "flights" / ".2013-02.parquet.k3x_9ab"
    left.write_bytes(b"half")
    mine = data / ".keep"
    mine.write_text("mine")
    outcome = ingest(data, through=3)
    assert not left.exists()
    assert mine.exists()
    assert left.name in outcome.notices[0]


def test_two_at_once_are_refused(data: Path) -> None:
    """The second says that another is at work, and changes nothing."""
    with landing.exclusive(data):
        done = run("--through", "2013-04", cwd=data.parent)
    assert done.returncode == 1
    assert "another ingest is writing to data" in done.stderr
    assert not (data / "flights/2013-04.parquet").exists()


@pytest.mark.long
@pytest.mark.story
def test_kill_9_at_any_moment_and_the_next_run_completes(landed: Path, tmp_path: Path) -> None:
    """Killed again and again while it writes: what stands under a final name is whole, and the last run completes."""
    folder = tmp_path / "data"
    for files in (1, 2, 3, 5, 7):
        process = start("--through", "2013-03", cwd=tmp_path)
        while process.poll() is None and len(list(folder.rglob("*.parquet"))) < files:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for path in folder.rglob("*.parquet"):
            table = path.stem if path.parent == folder else path.parent.name
            assert landing.check(path, SCHEMAS[table], stamp=STAMP)
    done = run("--through", "2013-03", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert content(folder) == content(landed)


DIE_WHILE_WRITING = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends the process in the middle of a write
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.argv = ["ingest", "--through", "2013-03"]
runpy.run_module("pipelines.ingest", run_name="__main__")
"""


@pytest.mark.story
def test_death_in_the_middle_of_a_write_leaves_no_half_file(landed: Path, tmp_path: Path) -> None:
    """Half the bytes are on disk, but not under the final name; the next run clears them away and completes."""
    died = subprocess.run(
        [sys.executable, "-c", DIE_WHILE_WRITING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert died.returncode == -signal.SIGXFSZ
    (left,) = (tmp_path / "data").rglob("*.parquet*")
    assert left.name.startswith(".2013-01.parquet.")
    assert left.stat().st_size == 400_000
    done = run("--through", "2013-03", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert left.name in done.stderr
    assert content(tmp_path / "data") == content(landed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    """A disk of 1 MB; where mounting is not allowed, a limit on the size of files instead."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        yield disk, {}
        subprocess.run(["umount", str(disk)], check=True)
    else:
        yield (
            disk,
            {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))},
        )


def test_a_full_disk_loses_nothing(
    small_disk: tuple[Path, dict[str, object]], landed: Path
) -> None:
    """One message that names the file, no half file, and what was landed before stays whole."""
    disk, limit = small_disk
    shutil.copytree(landed / "weather", disk / "data/weather")
    before = content(disk / "data")
    done = run("--through", "2013-03", cwd=disk, **limit)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot write data/flights/2013-0" in done.stderr
    assert "run again" in done.stderr
    after = content(disk / "data")
    assert {name: after[name] for name in before} == before
    wanted = content(landed)
    assert all(after[name] == wanted[name] for name in after)


@pytest.mark.parametrize("limit", [50_000, 400_000])
def test_a_file_that_may_not_grow_is_told(tmp_path: Path, landed: Path, limit: int) -> None:
    """The same through a quota: EFBIG instead of ENOSPC."""
    done = run(
        "--through",
        "2013-03",
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert "cannot write data/flights/2013-01.parquet" in done.stderr
    assert content(tmp_path / "data") == {}


@pytest.mark.parametrize("text", ["2014-01", "2013-13", "October"])
def test_a_wrong_month_is_a_usage_error(text: str, tmp_path: Path) -> None:
    """It says which months there are; the exit code is 2."""
    with pytest.raises(UsageError, match="2013-01 to 2013-12") as caught:
        module.command.main(
            ["--through", text, "--data-dir", str(tmp_path / "data")], standalone_mode=False
        )
    assert caught.value.exit_code == 2


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """A clear error, not a traceback."""
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(FurrowError, match="cannot open the folder"):
        ingest(tmp_path / "data", through=1)


@pytest.fixture(scope="module")
def tracked_repo(landed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked")
    shutil.copytree(landed, folder / "data")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DVC_NO_ANALYTICS": "1"}
    dvc = str(Path(sys.executable).parent / "dvc")
    for command in (["git", "init", "-q"], [dvc, "init", "-q"], [dvc, "add", "-q", "data"]):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


class TestPointer:
    """data.dvc beside data/, made by the real `dvc add`."""

    @pytest.fixture
    def there(self, tracked_repo: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(tracked_repo, tmp_path / "repo", symlinks=True))

    def test_the_hash_is_dvcs_own(self, there: Path) -> None:
        """What `dvc add` wrote is what Furrow computes."""
        pointer = tracked.read_pointer(there / "data.dvc")
        assert pointer is not None
        assert pointer.md5 == hash_of(there / "data")
        assert pointer.files == 9

    def test_a_fresh_clone_lands_what_is_described(self, there: Path, landed: Path) -> None:
        """No data, no cache: the months that data.dvc describes are landed, and the hash agrees."""
        shutil.rmtree(there / "data")
        shutil.rmtree(there / ".dvc")
        done = run(cwd=there)
        assert done.returncode == 0, done.stderr
        assert "data is what data.dvc describes" in done.stdout
        assert content(there / "data") == content(landed)

    def test_a_mismatch_names_the_file_and_the_ways_out(self, there: Path) -> None:
        """With DVC's cache at hand the file is named; the exit code is 1 and nothing is touched."""
        path = there / "data/weather/2013-02.parquet"
        landing.land(path, pq.read_table(path).slice(1), stamp=STAMP)
        before = content(there / "data")
        done = run(cwd=there)
        assert done.returncode == 1
        assert "data is not what data.dvc describes" in done.stderr
        assert "weather/2013-02.parquet has changed" in done.stderr
        assert "`dvc add data`" in done.stderr
        assert "--rewrite" in done.stderr
        assert content(there / "data") == before
        assert run("--rewrite", cwd=there).returncode == 0

    def test_a_stranger_in_the_folder_is_named_without_the_cache(self, there: Path) -> None:
        """What does not come from the ingest is what can be named then."""
        shutil.rmtree(there / ".dvc")
        (there / "data/notes.txt").write_text("mine")
        with pytest.raises(tracked.PointerError, match=r"notes.txt is not landed by the ingest"):
            ingest(there / "data")

    def test_more_months_than_described_asks_for_dvc_add(self, there: Path) -> None:
        """Landing the next month is no mismatch; the next step is told, also by the run after."""
        for _ in range(2):
            done = run("--through", "2013-04", cwd=there)
            assert done.returncode == 0, done.stderr
            assert "Next: dvc add data, then dvc repro; or dvc checkout data" in done.stdout
        assert ingest(there / "data").pointer == "other"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("outs: [", "no single output"),
            ("outs: []\n", "no single output"),
            ("outs:\n- md5: abc\n  path: data\n", "not a folder's"),
            ("outs:\n- md5: abc.dir\n  nfiles: 8\n  path: data\n", "nfiles 8"),
        ],
    )
    def test_a_spoilt_pointer_is_told(self, there: Path, text: str, said: str) -> None:
        """A data.dvc that is not one names itself, and Git as the way back."""
        (there / "data.dvc").write_text(text)
        with pytest.raises(tracked.PointerError, match=said) as caught:
            ingest(there / "data")
        assert "git checkout -- data.dvc" in caught.value.hint
