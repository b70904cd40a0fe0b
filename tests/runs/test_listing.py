"""The list of runs: any history, any repository, damaged files and all."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from furrow.errors import UsageError
from furrow.ground.git import NotARepositoryError, UnbornBranchError, UnknownRevisionError
from furrow.history.listing import Listing, list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.history.where import FilterError, UnknownColumnError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = Selection(everything=True)


def rows(listing: Listing) -> list[dict[str, Any]]:
    names = [column.name for column in listing.answer.columns]
    return [dict(zip(names, row, strict=True)) for row in listing.answer.rows]


def names(repo: Path, selection: Selection | None = None, **query: Any) -> list[str]:
    return sorted(
        row["name"] for row in rows(list_runs(repo, selection, Query(columns=("name",), **query)))
    )


def test_head_lists_its_own_runs(history: Any) -> None:
    """Without a selection: what HEAD's tree holds, folders of runs/ that are no run left out."""
    history.commit(history.run("gone"))
    history.commit(
        {
            **history.run("gbm"),
            **history.run("forest"),
            "runs/gone": None,
            "runs/notes/README.md": "hello",
        }
    )
    assert names(history.path) == ["forest", "gbm"]
    assert names(history.path, Selection("HEAD~1")) == ["gone"]


def test_a_subfolder_is_inside_the_repository(history: Any) -> None:
    """It works from any folder of the work tree."""
    history.commit({**history.run("gbm"), "src/a.py": ""})
    history.git("reset", "-q", "--hard")
    assert names(history.path / "src") == ["gbm"]


def test_the_same_content_over_many_commits_is_one_run(history: Any) -> None:
    """One row, with its first and last commit and how many there are; a return to it counts on."""
    first = history.commit(history.run("gbm", 0.7))
    for number in range(5):
        history.commit({"docs.md": str(number)})
    changed = history.commit(history.run("gbm", 0.8))
    back = history.commit(history.run("gbm", 0.7))
    found = rows(
        list_runs(
            history.path, ALL, Query(columns=("first_commit", "commit", "commits", "roc_auc"))
        )
    )
    assert [(row["first_commit"], row["commit"], row["commits"]) for row in found] == [
        (changed, changed, 1),
        (first, back, 7),
    ]
    one = rows(list_runs(history.path, None, Query(columns=("first_commit", "commits"))))
    assert one == [{"first_commit": first, "commits": 7}]


def test_all_is_every_branch_tag_remote_and_experiment(history: Any) -> None:
    """And a detached HEAD; not DVC's own bookkeeping, stashes, notes or pull requests."""
    base = history.commit(history.run("main"))
    here = {"parents": (base,)}
    history.commit(history.run("branch"), ref="refs/heads/deep/er/branch", **here)
    history.commit(history.run("remote"), ref="refs/remotes/origin/other", **here)
    history.commit(history.run("trial"), ref=f"refs/exps/{base[:2]}/{base[2:]}/leafy-ibex", **here)
    for hidden in (
        "exps/exec/EXEC_BRANCH",
        "exps/stash",
        "stash",
        "notes/commits",
        "pull/1/head",
        "exps/celery/failed",
    ):
        history.commit(history.run("hidden"), ref=f"refs/{hidden}", **here)
    tagged = history.commit(history.run("tagged"), ref="refs/heads/temporary", **here)
    history.git("tag", "-a", "v1", "-m", "one", tagged)
    history.git("update-ref", "-d", "refs/heads/temporary")
    blob = history.git("hash-object", "-w", "/dev/null")
    history.git("tag", "no-commit", blob)
    assert names(history.path, ALL) == ["branch", "main", "remote", "tagged", "trial"]
    assert names(history.path, Selection("leafy-ibex")) == ["main", "trial"]
    assert names(history.path, Selection(branches=("deep/er/branch", "origin/other"))) == [
        "branch",
        "main",
        "remote",
    ]


def test_ranges_dates_and_branches(history: Any) -> None:
    """A..B is what B has beyond A; --since is by date; first and last are among the commits listed."""
    commits = [
        history.commit(history.run("gbm", 0.5 + at / 10), when=1_700_000_000 + at * 86_400)
        for at in range(4)
    ]
    values = Query(columns=("roc_auc", "first_commit"), sort=("roc_auc",))

    def aucs(selection: Selection) -> list[float]:
        return [row["roc_auc"] for row in rows(list_runs(history.path, selection, values))]

    assert aucs(Selection("HEAD~2..HEAD")) == [0.7, 0.8]
    assert aucs(Selection("HEAD~2..")) == [0.7, 0.8]
    assert aucs(Selection("main...HEAD~1")) == [0.8]
    assert aucs(Selection(since="2023-11-16T22:00:00Z")) == [0.7, 0.8]
    assert aucs(Selection(everything=True, since="2023-11-17T00:00:00Z")) == [0.8]
    assert aucs(Selection(branches=("main",))) == [0.5, 0.6, 0.7, 0.8]
    history.commit({"docs": "x"})
    later = rows(list_runs(history.path, Selection("HEAD~1..HEAD"), values))
    assert [row["first_commit"] == commits[-1] for row in later] == [False]


def test_filters_sorting_columns_and_limits(history: Any) -> None:
    """SQL over metrics, config and record; NULLs last; patterns of columns; the total beyond the limit."""
    history.commit(history.run("gbm", 0.8, rate=0.1))
    history.commit(history.run("gbm", 0.9, rate=0.3))
    history.commit(history.run("forest", 0.6, rate=0.2))
    history.commit({"runs/new/config.yaml": "name: new\n"})
    where = "roc_auc > 0.75 and model = 'gbm' and model.learning_rate < 0.2 and not model.early_stopping"
    found = rows(
        list_runs(history.path, ALL, Query(where=where, columns=("name", "roc_auc", "model.*")))
    )
    assert [row["roc_auc"] for row in found] == [0.8]
    assert found[0]["model.early_stopping"] is False
    assert names(
        history.path,
        ALL,
        where="features.keys like '%dest%' and rows.train = 200 and environment.python = '3.11'",
    )
    assert names(history.path, ALL, where="status = 'declared'") == ["new"]
    ordered = rows(list_runs(history.path, ALL, Query(sort=("-roc_auc",), columns=("roc_auc",))))
    assert [row["roc_auc"] for row in ordered] == [0.9, 0.8, 0.6, None]
    ordered = rows(
        list_runs(
            history.path, ALL, Query(sort=("name", "roc_auc desc"), columns=("name", "roc_auc"))
        )
    )
    assert [row["roc_auc"] for row in ordered] == [0.6, 0.9, 0.8, None]
    limited = list_runs(history.path, ALL, Query(limit=2)).answer
    assert (len(limited.rows), limited.total) == (2, 4)
    limited = list_runs(history.path, ALL, Query(where="roc_auc > 0", limit=2)).answer
    assert (len(limited.rows), limited.total) == (2, 3)
    assert list_runs(history.path, ALL, Query(limit=0)).answer.total == 4


def test_a_name_that_is_a_metric_and_a_setting(history: Any) -> None:
    """A config key like a metric or a fact of the run keeps a name of its own, and so keep both their values."""
    files = {
        "runs/x/metrics.json": '{"name": 3, "seed": 0.5}',
        "runs/x/config.yaml": "name: x\nseed: 7\n",
    }
    history.commit(files)
    found = rows(list_runs(history.path, None, Query(columns=("*",))))[0]
    assert (found["name"], found["metric.name"], found["config.name"]) == ("x", 3, "x")
    assert (found["seed"], found["config.seed"]) == (0.5, 7)
    assert names(
        history.path, where="config.seed = 7 and metric.seed = 0.5 and metric.name = 3"
    ) == ["x"]


def test_a_bare_clone_without_anything_else(history: Any, tmp_path: Path) -> None:
    """No work tree, no configuration, no data: the same list, and the index inside the Git directory."""
    history.commit(history.run("gbm"))
    bare = tmp_path / "bare.git"
    history.git("clone", "-q", "--mirror", str(history.path), str(bare))
    assert names(bare, ALL) == names(history.path, ALL) == ["gbm"]
    assert (bare / "furrow/runs.sqlite").is_file()
    assert history.git("status", "--porcelain", "--untracked-files=all", "--", ".git") == ""


def test_linked_worktrees_share_an_index(history: Any, tmp_path: Path) -> None:
    """Each lists its own HEAD."""
    history.commit(history.run("gbm"))
    history.commit(history.run("forest"))
    history.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "HEAD~1")
    assert names(tmp_path / "linked") == ["gbm"]
    assert names(history.path) == ["forest", "gbm"]
    assert not (history.path / ".git/worktrees/linked/furrow").exists()


def test_a_shallow_clone_says_so_and_is_read_again_when_deepened(
    history: Any, tmp_path: Path
) -> None:
    """The list is of what there is; after a deeper fetch it is whole."""
    first = history.commit(history.run("gbm"))
    for number in range(3):
        history.commit({"docs": str(number)})
    shallow = tmp_path / "shallow"
    history.git("clone", "-q", "--depth=2", f"file://{history.path}", str(shallow))
    found = list_runs(shallow, None, Query(columns=("commits", "first_commit")))
    assert found.shallow
    assert rows(found)[0]["commits"] == 2
    subprocess.run(["git", "-C", str(shallow), "fetch", "-q", "--unshallow"], check=True)
    found = list_runs(shallow, None, Query(columns=("commits", "first_commit")))
    assert not found.shallow
    assert rows(found) == [{"commits": 4, "first_commit": first}]


def test_a_sha256_repository(new_history: Callable[..., Any]) -> None:
    """Longer ids are no hindrance."""
    history = new_history("long", "--object-format=sha256")
    commit = history.commit(history.run("gbm"))
    assert rows(list_runs(history.path, ALL, Query(columns=("name", "commit")))) == [
        {"name": "gbm", "commit": commit}
    ]


def test_damaged_runs_are_reported_and_the_others_listed(history: Any) -> None:
    """Malformed, binary, huge, a folder or a list where metrics are expected: one row each, with what is wrong."""
    bad: dict[str, str | bytes] = {
        "torn": '{"roc_auc": 0.',
        "binary": b"\x89PNG\r\n\x1a\n\xff\xfe\0\0",
        "huge": b"0" * (5 << 20),
        "list": "[0.7]",
        "text": '{"roc_auc": "0.7", "log_loss": 0.5}',
        "nested": '{"a":' * 50_000,
    }
    history.commit(history.run("old"))
    history.commit({f"runs/{name}/metrics.json": content for name, content in bad.items()})
    history.commit({"runs/folder/metrics.json/inner": "x", "runs/yaml/config.yaml": "a: [1,\n"})
    history.commit(
        dict.fromkeys((f"runs/{name}" for name in (*bad, "folder", "yaml")), None)
        | history.run("good")
    )
    found = list_runs(history.path, ALL, Query(columns=("name", "status", "log_loss", "roc_auc")))
    by_name = {row["name"]: row for row in rows(found)}
    assert {name for name, row in by_name.items() if row["status"] == "damaged"} == {
        *bad,
        "folder",
        "yaml",
    } - {"text"}
    assert by_name["old"]["status"] == by_name["good"]["status"] == "ok"
    assert (by_name["text"]["log_loss"], by_name["text"]["roc_auc"]) == (
        0.5,
        "0.7",
    )  # as DVC shows it
    assert {name for name, row in by_name.items() if row["status"] == "ok"} == {
        "old",
        "good",
        "text",
    }
    problems = {run.split("@")[0]: problem for run, problem in found.answer.problems}
    assert problems["huge"] == "metrics.json: it has 5,242,880 bytes and was not read"
    assert problems["binary"] == "metrics.json: it is binary, not text"
    assert problems["folder"] == "metrics.json: it is a tree, not a file"
    assert names(history.path, ALL, where="status = 'damaged' and name = 'torn'") == ["torn"]


def test_nan_and_infinity_are_values_of_their_own(history: Any) -> None:
    """NaN is no value to a filter, and NaN, not nothing, in the list; infinity compares as such. Both are reported."""
    history.commit({"runs/x/metrics.json": '{"roc_auc": NaN, "log_loss": Infinity, "brier": 0.1}'})
    history.commit(history.run("y"))
    found = list_runs(
        history.path,
        None,
        Query(columns=("name", "roc_auc", "log_loss", "brier"), sort=("roc_auc",)),
    )
    last = rows(found)[-1]
    assert math.isnan(last["roc_auc"])
    assert last["log_loss"] == math.inf
    assert (
        found.answer.problems[0][1] == "metrics.json: roc_auc is NaN; metrics.json: log_loss is inf"
    )
    assert names(history.path, where="log_loss > 1000") == ["x"]
    assert names(history.path, where="roc_auc > 0 or roc_auc <= 0") == ["y"]


def test_half_a_character(history: Any) -> None:
    """A lone surrogate, which JSON can spell and UTF-8 can't, is written out and reported, in each run anew."""
    for number in range(2):
        config = f"seed: {number}\nother: größe\n"
        record = '{\n "format": 1,\n "text": "\\udfff",\n "x\\ud800": 5\n}\n'
        metrics = '{"x\\ud800": 1, "roc_auc": 0.7}' if not number else '{"roc_auc": 0.8}'
        files = {"metrics.json": metrics, "config.yaml": config, "record.json": record}
        history.commit({f"runs/torn/{file}": text for file, text in files.items()})
    history.commit(history.run("good"))
    found = list_runs(
        history.path, ALL, Query(columns=("name", "status", "x\\ud800", "text", "other"))
    )
    torn = [row for row in rows(found) if row["name"] == "torn"]
    same = {"name": "torn", "status": "damaged", "text": "\\udfff", "other": "größe"}
    assert torn == [{**same, "x\\ud800": None}, {**same, "x\\ud800": 1}]
    assert [problem for _, problem in found.answer.problems] == [
        "a text holds half a character, which is written out"
    ] * 2
    assert names(history.path, ALL, where="status = 'ok'") == ["good"]


def test_odd_names_of_runs(history: Any) -> None:
    """Spaces, quotes, umlauts; bytes that are no UTF-8."""
    run = '{"roc_auc": 0.7}'
    history.commit(
        {
            f"runs/{name}/metrics.json": run
            for name in ("with space", "quo'te", "größe", "a@b", "x:y")
        }
    )
    listed = subprocess.run(
        ["git", "-C", str(history.path), "ls-tree", "HEAD:runs/größe"],
        capture_output=True,
        check=True,
    ).stdout
    tree = subprocess.run(
        ["git", "-C", str(history.path), "mktree"], input=listed, capture_output=True, check=True
    ).stdout.strip()
    entries = b"040000 tree " + tree + b"\tbad\xffname\n040000 tree " + tree + b"\tgood\n"
    runs = subprocess.run(
        ["git", "-C", str(history.path), "mktree"], input=entries, capture_output=True, check=True
    ).stdout.strip()
    root = subprocess.run(
        ["git", "-C", str(history.path), "mktree"],
        input=b"040000 tree " + runs + b"\truns\n",
        capture_output=True,
        check=True,
    ).stdout.strip()
    commit = history.git(
        "-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", "odd", root.decode()
    )
    assert names(history.path) == ["a@b", "größe", "quo'te", "with space", "x:y"]
    assert names(history.path, Selection(commit)) == ["bad\\udcffname", "good"]


def test_refs_deleted_and_rewritten(history: Any) -> None:
    """A list follows the references: what no reference reaches is not listed any more."""
    base = history.commit(history.run("main"))
    history.commit(history.run("topic"), ref="refs/heads/topic", parents=(base,))
    assert names(history.path, ALL) == ["main", "topic"]
    history.git("update-ref", "-d", "refs/heads/topic")
    assert names(history.path, ALL) == ["main"]
    rewritten = history.commit(history.run("rewritten"), ref="refs/heads/other")
    history.git("update-ref", "refs/heads/main", rewritten)
    assert names(history.path, ALL) == ["rewritten"]
    history.git("update-ref", "refs/heads/main", base)
    assert names(history.path, ALL) == ["main", "rewritten"]


def test_a_reference_to_what_is_gone(history: Any) -> None:
    """A reference whose object is missing hides no other."""
    history.commit(history.run("main"))
    (history.path / ".git/refs/heads/broken").write_text("1" * 40 + "\n")
    assert names(history.path, ALL) == ["main"]


def test_bad_requests(history: Any, tmp_path: Path, new_history: Callable[..., Any]) -> None:
    """No repository, no commit, no such revision, no such column: each a known error."""
    with pytest.raises(NotARepositoryError):
        list_runs(tmp_path)
    empty = new_history("empty")
    for selection in (None, ALL):
        with pytest.raises(UnbornBranchError):
            list_runs(empty.path, selection)
    history.commit(history.run("gbm"))
    for selection in (
        Selection("nowhere"),
        Selection("nowhere..HEAD"),
        Selection(branches=("mian",)),
    ):
        with pytest.raises(UnknownRevisionError):
            list_runs(history.path, selection)
    with pytest.raises(UsageError):
        list_runs(history.path, Selection("HEAD", everything=True))
    with pytest.raises(UnknownColumnError, match="rocauc") as caught:
        list_runs(history.path, None, Query(where="rocauc > 0.7"))
    assert "roc_auc" in caught.value.suggestions
    for query in (
        Query(sort=("roc_acu",)),
        Query(columns=("modle.*",)),
        Query(sort=("roc_auc; drop table runs",)),
    ):
        with pytest.raises(UnknownColumnError):
            list_runs(history.path, None, query)
    for where in ("roc_auc > ", "1; drop table runs", "roc_auc > 0.5 and and 1", "abs(1, 2)"):
        with pytest.raises(FilterError):
            list_runs(history.path, None, Query(where=where))
    assert names(history.path) == ["gbm"]


def test_incremental_equals_fresh(history: Any) -> None:
    """An index grown commit by commit, branches and merges and all, says what a new one says."""
    query = Query(columns=("name", "tree", "first_commit", "commit", "commits", "date", "roc_auc"))
    base = history.commit(history.run("gbm", 0.5))
    tip = base
    for number in range(6):
        tip = history.commit(history.run("gbm", 0.5 + number / 100), ref="refs/heads/main")
        side = history.commit(
            history.run(f"side{number % 2}"), ref=f"refs/heads/b{number}", parents=(base,)
        )
        list_runs(history.path, ALL, query)
        if number % 2:
            tip = history.commit(history.run("gbm", 0.5), parents=(tip, side), when=1_600_000_000)
            list_runs(history.path, Selection("HEAD~1"), query)
    grown = rows(list_runs(history.path, ALL, query))
    shutil.rmtree(history.path / ".git/furrow")
    assert rows(list_runs(history.path, ALL, query)) == grown
    assert json.dumps(grown).count("gbm") == 6
