"""What a commit calls the name of a content, and leads elsewhere: to a device without end, or to a file of the user's."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.data.tracked import differences, read_pointer
from furrow.errors import FurrowError
from furrow.governance.content_check import check_contents
from furrow.governance.needed_contents import Needed
from furrow.ground.hashes import content_path
from furrow.ground.runcache import Cache
from furrow.history.artifacts import cached
from furrow.intake.mlflow_files import read_files
from furrow.replay.inputs import AbsentInputError, Supply
from tests.attack.test_reading import clone as clone  # noqa: PLC0414 - a clone that nobody trusts
from tests.attack.test_reading import markers as markers  # noqa: PLC0414

pytestmark = pytest.mark.attack
SOUND = "ab" * 16
ODD = (
    "", "ab", "/etc/passwd", "ab/../../x", f"{SOUND}.dir/../x", f"{SOUND}\n", SOUND.upper(),
    "ab/" + "../" * 30 + "dev/zero", f"../{SOUND}", "g" * 32, f"{SOUND}.dir.dir", "٣" * 32,
)  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_names_that_are_none(repo: Path, name: str) -> None:
    """One place makes a path of a name: it gives no path for what is none, and every reader goes on."""
    with pytest.raises(FileNotFoundError):
        content_path(repo, name)
    (repo / ".dvc").mkdir(exist_ok=True)
    (repo / "data.dvc").write_text(json.dumps({"outs": [{"md5": name, "path": "data"}]}))
    assert cached(repo, name) is None
    kept = Cache.beside(repo)
    assert (kept.path(name), kept.listing(name), kept.holds(name)) == (None, None, False)
    try:
        assert differences(read_pointer(repo / "data.dvc"), {}) is None
    except FurrowError as exc:
        assert "data.dvc" in str(exc)  # noqa: PT017 - either is right
    with pytest.raises(AbsentInputError):
        Supply(repo, kept, repo / "room").bring(name, "x", repo / "room/x")  # type: ignore[arg-type]
    assert not (repo / "room").exists()


def test_a_list_that_names_a_file_of_the_users(repo: Path, tmp_path: Path) -> None:
    """A repair sets damaged contents aside, and no other file; a link to a device in the cache is one of them."""
    mine = tmp_path / "mine"
    mine.write_text("stays")
    away = "ab/" + "../" * 40 + str(mine)[1:]
    shelf = repo / ".dvc/cache/files/md5"
    (shelf / "ab").mkdir(parents=True)
    (shelf / "cd").symlink_to(tmp_path)
    (shelf / "ab" / SOUND[2:]).symlink_to("/dev/zero")
    needed = {md5: Needed(md5, "build/x", "0" * 40, ["HEAD"]) for md5 in (away, SOUND)}
    found = list(check_contents(repo, needed, repair=True))
    assert {one.state for one in found} & {"missing", "damaged"}
    assert mine.read_text() == "stays"


@pytest.mark.parametrize("words", [["fsck"], ["plan"]])
def test_commands_end(clone: Path, git, words: list[str]) -> None:
    """They did not: they read the device for ever."""
    away = "ab/" + "../" * 30 + "dev/zero"
    out = {"md5": away, "path": "build/x", "size": 1, "hash": "md5"}
    (clone / "dvc.yaml").write_text("stages: {make: {cmd: x, outs: [build/x]}}\n")
    lock = {"schema": "2.0", "stages": {"make": {"cmd": "x", "outs": [out]}}}
    (clone / "dvc.lock").write_text(json.dumps(lock))
    (clone / "data.dvc").write_text(json.dumps({"outs": [{**out, "path": "data"}]}))
    (clone / ".dvc/cache/files/md5/ab").mkdir(parents=True)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "a name that is none")

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (40, 40))

    done = subprocess.run(
        [sys.executable, "-P", "-m", "furrow", *words],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bounded,
    )
    assert done.returncode in {0, 1}, done.stderr


def test_links_of_an_mlflow_store(tmp_path: Path) -> None:
    """A stranger's store is recorded in commits: what its links lead to is not."""
    (tmp_path / "credentials").write_text("hunter2")
    store = tmp_path / "mlruns"
    run = store / "1/abc"
    for name in ("params", "tags", "metrics"):
        (run / name).mkdir(parents=True)
    (store / "1/meta.yaml").write_text("name: e\nlifecycle_stage: active\n")
    (run / "meta.yaml").write_text("run_id: abc\nstatus: 3\nlifecycle_stage: active\n")
    (run / "params/rate").write_text("0.1")
    (run / "params/deep").mkdir()
    for place in ("params/key", "params/deep/key", "tags/key", "metrics/key"):
        (run / place).symlink_to(tmp_path / "credentials")
    (run / "tags/all").symlink_to(tmp_path)
    os.mkfifo(run / "params/pipe")
    (store / "2").symlink_to(store / "1")
    (store / "1/other").symlink_to(run)
    found = read_files(store)
    runs = list(found.runs)
    assert [one.params for one in runs] == [{"rate": "0.1"}]
    assert "hunter2" not in repr(runs)
    assert sum("is a link: left out" in note for note in found.notes) == 7
