"""Events for pages: what changed is told, readers are bounded, and a page that gets none can ask; plans are made once for many."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from furrow.training.log import log, log_to
from furrow.web import event_stream
from furrow.web.change_marks import Marks, curves_mark
from furrow.web.event_stream import MOST, Events
from furrow.web.shared_plans import SharedResults, plan_of_commits, plan_of_work_tree
from furrow.web.site import Site

from .conftest import asking, commit, made, run_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = made(tmp_path / "watched")
    commit(found, run_files("gbm", {"roc_auc": 0.8}))
    return found


def test_marks_follow_what_git_does(folder: Path) -> None:
    """A commit, a branch, a tag, a note and packing are changes; looking is none."""
    marks = Marks(Site(folder))
    seen = [marks.repository()]
    assert marks.repository() == seen[0]
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b"]
    for words in (
        ["commit", "-q", "--allow-empty", "-m", "x"], ["branch", "other"], ["tag", "v1"],
        ["notes", "--ref", "furrow/runs", "add", "-m", "x"], ["pack-refs", "--all"],
    ):  # fmt: skip
        subprocess.run([*git, *words], check=True)
        seen.append(marks.repository())
        assert seen[-1] != seen[-2], words
    subprocess.run([*git, "log", "-1"], check=True, capture_output=True)
    assert marks.repository() == seen[-1]
    assert Marks(Site(folder / "absent")).repository() == ""


def test_marks_follow_curves(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "logs"
    monkeypatch.setenv("FURROW_LOG_DIR", str(logs))
    marks = Marks(Site(folder))
    assert marks.curves() == curves_mark(logs) == ""
    with log_to("train@gbm", logs):
        log(step=1, loss=0.5)
    assert marks.curves() == curves_mark(logs) != ""
    assert Marks(Site(folder, live=False)).curves() == ""


def test_a_change_is_told_to_all_who_listen(folder: Path) -> None:
    """Every reader hears of it once; when all have left, nobody looks any more."""

    async def heard() -> list[list[bytes]]:
        events = Events(Site(folder), every=0.01)
        streams = [(await events.stream(None)).body_iterator for _ in range(3)]  # type: ignore[arg-type, attr-defined]
        ready = [await anext(one) for one in streams]
        await asyncio.sleep(0.1)
        commit(folder, {"a.txt": "a"})
        told = [await asyncio.wait_for(anext(one), 20) for one in streams]
        for one in streams:
            await one.aclose()
        assert events._looking is not None
        await asyncio.wait_for(events._looking, 20)
        return [ready, told]

    ready, told = asyncio.run(heard())
    assert all(b"event: ready" in one for one in ready)
    assert told == [b"event: repository\ndata: \n\n"] * 3


def test_readers_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told to poll; a place that became free is given again; no stream lasts for ever."""
    monkeypatch.setattr(event_stream, "LONGEST", 0.05)

    async def answers() -> tuple[list[int], list[bytes]]:
        events = Events(Site(folder))
        given = [await events.stream(None) for _ in range(MOST + 1)]  # type: ignore[arg-type]
        first: Any = given[0]
        parts = [part async for part in first.body_iterator]
        given.append(await events.stream(None))  # type: ignore[arg-type]
        return [one.status_code for one in given], parts

    codes, parts = asyncio.run(answers())
    assert codes == [*[200] * MOST, 503, 200]
    assert parts[0].startswith(b"retry:")


def test_a_page_that_polls(folder: Path) -> None:
    """The marks as JSON, under the same guard; they are never kept."""
    ask = asking(folder)
    first = ask("/state.json")
    assert first.headers["cache-control"] == "no-store"
    assert "content-security-policy" in first.headers
    commit(folder, {"b.txt": "b"})
    assert json.loads(ask("/state.json").text)["repository"] != first.json()["repository"]
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    assert ask("/state.json", **foreign).status_code == 403
    assert ask("/events", **foreign).status_code == 403


def test_a_result_is_made_once_for_many() -> None:
    """Those who ask meanwhile wait and get the same; an error is everyone's, and is not kept."""
    made_by: list[int] = []
    go = threading.Event()

    def make() -> object:
        made_by.append(1)
        assert go.wait(20)
        return object()

    results: SharedResults[object] = SharedResults()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(results.get, "key", make) for _ in range(8)]
        time.sleep(0.05)
        go.set()
        assert len({id(one.result()) for one in asked}) == 1
    assert results.get("key", make) is asked[0].result()
    assert len(made_by) == 1
    results.get("other", make)
    assert len(made_by) == 2

    def fail() -> object:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            results.get("bad", fail)
    short: SharedResults[object] = SharedResults(0.0)
    assert short.get("key", object) is not short.get("key", object)


def test_the_plan_of_two_commits_is_shared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their ids: when a branch moves on, the plan is made anew."""
    calls = []
    monkeypatch.setattr(
        "furrow.web.shared_plans.plan_between", lambda root, said: calls.append(said)
    )
    monkeypatch.setattr("furrow.web.shared_plans.make_plan", lambda root, local: calls.append(root))
    site = Site(folder)
    commit(folder, {"c.txt": "c"})
    for _ in range(3):
        plan_of_commits(site, "HEAD~1", "")
        plan_of_work_tree(folder)
    assert calls == ["HEAD~1..HEAD", folder]
    commit(folder, {"d.txt": "d"})
    plan_of_commits(site, "HEAD~1", "")
    assert calls[2:] == ["HEAD~1..HEAD"]
