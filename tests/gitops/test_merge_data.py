"""Merges of landed data, for real: data.dvc is merged file by file, the data follows, only what is new runs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from furrow.clone.git_hooks import install_hooks
from furrow.clone.merge_data import merge_listings
from furrow.errors import FurrowError
from furrow.plan.make_plan import make_plan

from .small import commit, repro, run


@pytest.fixture(scope="module")
def set_up(small_at_rest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small repository, set up by `furrow install`, and its DVC remote beside it."""
    place = tmp_path_factory.mktemp("set_up")
    small = place / "small"
    subprocess.run(["cp", "-a", str(small_at_rest), str(small)], check=True)
    run(small, "git", "branch", "-M", "main")
    run(small, "furrow", "install")
    run(small, "dvc", "remote", "add", "-q", "--default", "store", "../store")
    run(small, "dvc", "push", "-q")
    commit(small, "set up")
    return place


@pytest.fixture
def shared(set_up: Path, tmp_path: Path) -> Path:
    """A copy of it, its results in a remote of its own; on the branch main."""
    subprocess.run(["cp", "-a", str(set_up), str(tmp_path / "set_up")], check=True)
    return tmp_path / "set_up/small"


def land(folder: Path, month: str) -> None:
    (folder / f"data/flights/{month}.csv").write_text(f"AA,{month}\n")
    (folder / f"data/weather/{month}.csv").write_text(f"LGA,{month}\n")
    run(folder, "dvc", "add", "-q", "data")


def declare(folder: Path, name: str) -> None:
    with (folder / "conf/experiments.yaml").open("a") as handle:
        handle.write(f"  {name}: {{service: full}}\n")
    (folder / f"conf/experiment/{name}.yaml").write_text("model: {a: 1}\nseed: 1\n")


def branches(folder: Path, mine: Callable[[], None], theirs: Callable[[], None]) -> None:
    """Two branches from here, each with its change run and committed; the checkout is of mine."""
    for name, change in (("theirs", theirs), ("mine", mine)):
        run(folder, "git", "checkout", "-q", "-b", name, "main")
        change()
        repro(folder)
        commit(folder, name)


def months(folder: Path) -> list[str]:
    return [path.stem for path in sorted((folder / "data/flights").iterdir())]


def test_each_lands_another_month(shared: Path) -> None:
    """Both months are there after the merge, data.dvc is what `dvc add` would write, and each stage runs once on all."""
    branches(shared, lambda: land(shared, "2013-03"), lambda: land(shared, "2013-04"))
    assert months(shared) == ["2013-01", "2013-02", "2013-03"]
    done = run(shared, "git", "merge", "-q", "-m", "merge", "theirs")
    assert months(shared) == ["2013-01", "2013-02", "2013-03", "2013-04"]
    assert "data is what data.dvc says now" in done.stderr
    merged = (shared / "data.dvc").read_text()
    assert run(shared, "dvc", "status", "data.dvc", "--json").stdout.strip() == "{}"
    (shared / "data.dvc").unlink()
    run(shared, "dvc", "add", "-q", "data")
    assert yaml.safe_load((shared / "data.dvc").read_text()) == yaml.safe_load(merged)
    run(shared, "git", "checkout", "-q", "data.dvc")
    assert "train@gbm" in repro(shared).ran
    assert run(shared, "git", "diff", "--stat", "--", "data.dvc").stdout == ""
    commit(shared, "run the merge")
    assert repro(shared).ran == set()


@pytest.mark.parametrize("lander", ["mine", pytest.param("theirs", marks=pytest.mark.long)])
def test_one_lands_the_other_adds_an_experiment(shared: Path, lander: str) -> None:
    """The landed month stays, whoever merges whom, and only the new experiment is trained."""
    changes = {
        True: lambda: land(shared, "2013-03"),
        False: lambda: declare(shared, "late"),
    }
    branches(shared, changes[lander == "mine"], changes[lander == "theirs"])
    run(shared, "git", "merge", "-q", "-m", "merge", "theirs")
    assert months(shared) == ["2013-01", "2013-02", "2013-03"]
    done = repro(shared)
    assert {"train@late", "evaluate@late", "select"} <= done.ran
    assert not {name for name in done.ran if name.startswith(("train", "tables"))} - {"train@late"}
    assert run(shared, "git", "diff", "--stat", "--", "data.dvc").stdout == ""


@pytest.mark.long
def test_both_change_one_month(shared: Path) -> None:
    """Two versions of one file are a person's to choose from: the driver names the file, data.dvc stays in conflict."""

    def correct(text: str) -> Callable[[], None]:
        def change() -> None:
            path = shared / "data/flights/2013-01.csv"
            path.unlink()
            path.write_text(text)
            run(shared, "dvc", "add", "-q", "data")

        return change

    branches(shared, correct("AA,7\n"), correct("AA,8\n"))
    ours = (shared / "data.dvc").read_text()
    done = run(shared, "git", "merge", "-q", "-m", "merge", "theirs", check=False)
    assert done.returncode == 1
    assert "both branches changed flights/2013-01.csv" in done.stderr
    assert "git checkout --ours" in done.stderr
    assert run(shared, "git", "diff", "--name-only", "--diff-filter=U").stdout.split() == [
        "data.dvc"
    ]
    assert (shared / "data.dvc").read_text() == ours


@pytest.mark.long
def test_landed_elsewhere(shared: Path) -> None:
    """What a colleague landed and pushed is fetched from the DVC remote in the merge, though this cache never saw it."""
    run(shared.parent, "git", "clone", "-q", "--branch", "main", str(shared), "colleague")
    colleague = shared.parent / "colleague"
    run(colleague, "dvc", "pull", "-q", "data.dvc")
    land(colleague, "2013-04")
    commit(colleague, "April")
    run(colleague, "dvc", "push", "-q", "data.dvc")
    land(shared, "2013-03")
    commit(shared, "March")
    run(shared, "git", "pull", "-q", "--no-rebase", "--no-edit", str(colleague), "main")
    assert months(shared) == ["2013-01", "2013-02", "2013-03", "2013-04"]
    listing = json.loads(run(shared, "dvc", "ls", "--json", "-R", ".", "data").stdout)
    assert len(listing) == 7


def test_what_nobody_tracked_stays(shared: Path) -> None:
    """Data that was changed and not added is left as it is when the branch changes, and the person is told."""
    run(shared, "git", "checkout", "-q", "-b", "theirs")
    land(shared, "2013-04")
    commit(shared, "April")
    (shared / "data/flights/mine.csv").write_text("AA,1\n")
    done = run(shared, "git", "checkout", "-q", "main")
    assert (shared / "data/flights/mine.csv").exists()
    assert "data holds what no .dvc file tells" in done.stderr


def test_data_that_stayed_behind(shared: Path) -> None:
    """Without the hooks the data stays behind data.dvc; the plan tells that from data that was landed just now."""
    land(shared, "2013-03")
    commit(shared, "March")
    (shared / ".git/hooks/post-checkout").unlink()
    run(shared, "git", "checkout", "-q", "HEAD~1")
    run(shared, "dvc", "checkout", "-q", "data.dvc")
    run(shared, "git", "checkout", "-q", "main")
    why = next(each.why for each in make_plan(shared).resources if each.address == "data")
    assert "older than data.dvc" in why[-1]
    assert "`dvc checkout data.dvc`" in why[-1]
    run(shared, "dvc", "checkout", "-q", "data.dvc")
    (shared / "data/flights/2013-05.csv").write_text("AA,1\n")
    why = next(each.why for each in make_plan(shared).resources if each.address == "data")
    assert why[-1] == "not in data.dvc yet"


def test_hooks_that_are_there(repo: Path) -> None:
    """A shell hook of the user's own is added to, once; a hook that is no shell script is named and left."""
    hook = repo / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho mine\n")
    assert "post-merge" in install_hooks(repo)[0]
    assert install_hooks(repo) == []
    assert hook.read_text().startswith("#!/bin/sh\necho mine\n# furrow")
    hook.write_text("#!/usr/bin/env python3\n")
    with pytest.raises(FurrowError, match="post-merge is not a shell script"):
        install_hooks(repo)
    assert hook.read_text() == "#!/usr/bin/env python3\n"


def test_lists() -> None:
    """Added, removed and changed files of either side are merged; what both did alike is no clash."""
    base = {"a": "1", "b": "1", "c": "1", "d": "1"}
    ours = {"a": "2", "b": "1", "d": "2", "e": "1", "same": "1"}
    theirs = {"a": "1", "b": "3", "c": "1", "d": "3", "f": "1", "same": "1"}
    merged, clashes = merge_listings(base, ours, theirs)
    assert merged == {"a": "2", "b": "3", "e": "1", "f": "1", "same": "1"}
    assert clashes == ["d"]
