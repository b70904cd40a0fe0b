"""Several runs at once are what each is alone; metrics that are plain are read as all others."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from furrow.errors import FurrowError
from furrow.history import metrics_file
from furrow.history.load import NoSuchRunError
from furrow.history.metrics_file import flatten
from furrow.history.named_run import run, runs_named
from tests.web.conftest import commit, made, run_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits; a branch whose name holds a colon's place, a run whose name begins as another's."""
    found = made(tmp_path_factory.mktemp("named") / "runs")
    commit(
        found,
        {
            **run_files("gbm", {"a": 1}),
            **run_files("gbm_deep", {"a": 2}),
            **run_files("x@y", {"a": 3}),
        },
    )
    commit(found, run_files("gbm", {"a": 4}))
    subprocess.run(["git", "-C", str(found), "branch", "side", "HEAD~1"], check=True)
    return found


@pytest.mark.parametrize(
    "names",
    [["gbm", "gbm_deep"], ["gbm@HEAD~1", "gbm", "gbm@side"], ["side:gbm", "x@y", "gbm"], []],
)  # fmt: skip
def test_as_one_by_one(folder: Path, names: list[str]) -> None:
    """The same files of the same commits, in the order asked for."""
    assert runs_named(names, repo=folder) == [run(name, repo=folder) for name in names]
    assert [one.files for one in runs_named(names, repo=folder)] == [
        run(name, repo=folder).files for name in names
    ]


@pytest.mark.parametrize("name", ["nobody", "gbm@nowhere", "../gbm", "", "gb"])
def test_one_that_is_not_there(folder: Path, name: str) -> None:
    with pytest.raises(FurrowError) as told:
        runs_named(["gbm", name], repo=folder)
    with pytest.raises(type(told.value)):
        run(name, repo=folder)
    if name in {"nobody", "gb"}:
        assert isinstance(told.value, NoSuchRunError)


@pytest.mark.parametrize(
    "mapping",
    [{"a": 1, "b": 0.5}, {}, {"a": True}, {"a": float("nan")}, {"a": {"b": 1}}, {"ä": 1.0}, {"a": "x"}, {"a": None},
     {1: 2}, {"a": 10**400}, {"a": [1]}, {"a.b": 1, "c": 2}],
)  # fmt: skip
def test_plain_metrics_are_read_as_all_others(
    mapping: dict[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way and the long way agree, whatever a file holds."""
    short = flatten(mapping)
    monkeypatch.setattr(metrics_file, "_is_plain", lambda _: False)
    long = flatten(mapping)
    assert repr(short) == repr(long)
