"""Odd commits, references and names: none spoils a list, none is lost, each can be asked for."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import furrow
from furrow.ground.git import UnknownRevisionError, resolve
from furrow.history.listing import list_runs
from furrow.history.load import NoSuchRunError
from furrow.history.metric_history import history as history_of
from furrow.history.named_run import run
from furrow.history.query import Query
from furrow.history.run_diff import diff_runs
from furrow.history.selection import Selection
from tests.runs.conftest import History

if TYPE_CHECKING:
    from pathlib import Path

ALL = Selection(everything=True)
DATES = [
    *(
        "0 +0000",
        "1 +0000",
        "-1 +0000",
        "-99999999999 +0000",
        "1700000000 +99999",
        "1700000000 -9999",
        "1700000000",
    ),
    *(
        "99999999999 +0000",
        "9223372036854775807 +0000",
        "9223372036854775808 +0000",
        "18446744073709551616 +0000",
    ),
    *(
        "9" * 30 + " +0000",
        "9" * 5000 + " +0000",
        "abc",
        "",
        "1700000000.5 +0000",
        "2013-01-01",
        "0x10 +0000",
    ),
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "repo")
    made.commit(made.run("gbm", 0.7))
    return made


def literal(
    history: History, head: str, message: bytes = b"odd\n", *, tree: str = "HEAD^{tree}"
) -> str:
    """A commit object of exactly these bytes."""
    text = f"tree {history.git('rev-parse', tree)}\n{head}\n".encode() + message
    done = subprocess.run(
        ["git", "-C", str(history.path), "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        input=text, check=True, capture_output=True,
    )  # fmt: skip
    return done.stdout.decode().strip()


def names(history: History, selection: Selection | None = None) -> list[str]:
    return sorted(
        name for (name,) in list_runs(history.path, selection, Query(columns=("name",))).answer.rows
    )


def test_dates_that_are_none(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, negative, beyond 64 bits, of no zone: each commit's run is listed, shown, drawn and put in a frame."""
    for number, date in enumerate(DATES):
        made = history.commit(
            history.run(f"r{number}", 0.5), ref=f"refs/heads/b{number}", parents=("main",)
        )
        odd = literal(
            history,
            f"parent {made}\nauthor A <a@b> {date}\ncommitter A <a@b> {date}\n",
            tree=f"{made}^{{tree}}",
        )
        history.git("update-ref", f"refs/heads/b{number}", odd)
        (point,) = history_of(history.path, f"r{number}", rev=odd, metric="roc_auc").points
        assert point.value == 0.5
        assert run(f"r{number}", odd, repo=history.path).metrics["roc_auc"] == 0.5
    assert names(history, ALL) == sorted(["gbm", *(f"r{number}" for number in range(len(DATES)))])
    assert (
        len(list_runs(history.path, ALL, Query(sort=("-date",), where="date > '2000'")).answer.rows)
        >= 1
    )
    monkeypatch.chdir(history.path)
    frame = furrow.runs(revs="all")
    assert len(frame) == len(DATES) + 1
    assert isinstance(frame["date"].dtype, pd.DatetimeTZDtype)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\nencoding nonsense\n",
            b"gr\xfc\xdfe\n",
        ),
        ("author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n", b"a\x00b\x01\x1b[2J\nc"),
        ("author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n", b""),
        ("author  <> 1 +0000\ncommitter  <> 1 +0000\n", b"x\n" * 100_000),
        ("author A <a <b>> 1 +0000\ncommitter <<<\n", b"x\n"),
        ("", b"no author at all\n"),
        ("author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\nodd header\n  and more\n", b"x\n"),
    ],
)
def test_commits_that_others_wrote(history: History, head: str, message: bytes) -> None:
    """Headers and messages of any bytes: the commit's run is listed beside the others."""
    files = history.run("other", 0.5)
    made = history.commit(files, ref="refs/heads/side", parents=("main",))
    odd = literal(history, f"parent {made}\n{head}", message, tree=f"{made}^{{tree}}")
    history.git("update-ref", "refs/heads/side", odd)
    assert names(history, ALL) == ["gbm", "other"]
    assert names(history, Selection(odd)) == ["gbm", "other"]


def test_references_of_every_kind(history: History) -> None:
    """Tags of trees, files, tags and of what is gone; symbolic references that lead nowhere or round."""
    history.git("tag", "tree", "HEAD^{tree}")
    history.git("tag", "blob", "HEAD:runs/gbm/metrics.json")
    history.git(
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b",
        "tag",
        "-a",
        "-m",
        "x",
        "of-a-tree",
        "HEAD^{tree}",
    )
    history.git(
        "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "of-a-tag", "of-a-tree"
    )
    history.git("symbolic-ref", "refs/heads/nowhere", "refs/heads/none")
    history.git("symbolic-ref", "refs/heads/round", "refs/heads/round2")
    history.git("symbolic-ref", "refs/heads/round2", "refs/heads/round")
    folder = history.path / ".git/refs/heads"
    (folder / "gone").write_text("1" * 40 + "\n")
    (folder / "zero").write_text("0" * 40 + "\n")
    (folder / "torn").write_text("1234\n")
    (folder / "empty").write_text("")
    assert names(history, ALL) == ["gbm"]
    history.commit(history.run("new", 0.6))
    assert names(history, ALL) == ["gbm", "new"]
    for name in (
        "tree",
        "blob",
        "of-a-tree",
        "of-a-tag",
        "nowhere",
        "gone",
        "zero",
        "torn",
        "empty",
    ):
        with pytest.raises(UnknownRevisionError):
            run("gbm", name, repo=history.path)


def test_folders_that_are_no_runs(history: History) -> None:
    """Links, submodules and files in runs/, and metrics that are a link or a folder."""
    base = history.git("rev-parse", "HEAD")
    metrics = history.git("rev-parse", "HEAD:runs/gbm/metrics.json")
    folder = history.git("rev-parse", "HEAD:runs/gbm")

    def tree(*entries: str) -> str:
        made = subprocess.run(
            ["git", "-C", str(history.path), "mktree", "--missing"],
            input="".join(f"{entry}\n" for entry in entries), text=True, check=True, capture_output=True,
        )  # fmt: skip
        return made.stdout.strip()

    linked = tree(f"120000 blob {metrics}\tmetrics.json")
    inner = tree(f"040000 tree {folder}\tmetrics.json")
    module = tree(f"160000 commit {base}\tmetrics.json")
    runs = tree(
        f"040000 tree {folder}\tgbm", f"120000 blob {metrics}\tlink", f"160000 commit {base}\tmodule",
        f"100644 blob {metrics}\tfile", f"040000 tree {linked}\tlinked", f"040000 tree {inner}\tinner",
        f"040000 tree {module}\tsub",
    )  # fmt: skip
    root = tree(f"040000 tree {runs}\truns")
    odd = literal(history, "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n", tree=root)
    found = {
        row[0]: row[1]
        for row in list_runs(
            history.path, Selection(odd), Query(columns=("name", "status"))
        ).answer.rows
    }
    assert found["gbm"] == "ok"
    assert found["inner"] == "damaged"
    assert not {"link", "module", "file"} & found.keys()
    only_file = literal(
        history, "author A <a@b> 1 +0000\n", tree=tree(f"100644 blob {metrics}\truns")
    )
    assert names(history, Selection(only_file)) == []


REFS = [
    *(
        "größe",
        "a@b",
        "x{y}",
        "100%",
        "#1",
        "quo'te",
        'dou"ble',
        "a;b",
        "a&b",
        "$(x)",
        "`x`",
        "a|b",
        "(x)",
        "a,b",
        "+1",
    ),
    *(
        "a..b".replace("..", ".b."),
        "deadbeef",
        "HEAD1",
        "-x",
        "e\u0301",
        "\U0001f600",
        "x" * 200,
        "a!b",
        "a=b",
        "<b>",
        "v1.0.0",
    ),
]


@pytest.mark.parametrize("name", REFS)
def test_names_of_branches_tags_and_experiments(history: History, name: str) -> None:
    """Whatever Git allows: NAME@REVISION and REVISION:NAME, in lists, diffs, histories; alone, for an experiment."""
    base = history.git("rev-parse", "HEAD")
    refs = [f"refs/exps/{base[:2]}/{base[2:]}/{name}"]
    if not name.startswith("-"):
        refs += [f"refs/heads/{name}-b", f"refs/tags/{name}-t"]
    for at, ref in enumerate(refs):
        made = history.commit(
            history.run("gbm", 0.9 + at / 100), ref="refs/heads/temporary", parents=("main",)
        )
        history.git("update-ref", ref, made)
    for at, rev in enumerate([name, f"{name}-b", f"{name}-t"][: len(refs)]):
        for asked in (f"gbm@{rev}", f"{rev}:gbm"):
            assert run(asked, repo=history.path).metrics["roc_auc"] == 0.9 + at / 100, asked
        assert names(history, Selection(rev)) == ["gbm"]
        assert (
            history_of(history.path, "gbm", rev=rev, metric="roc_auc").points[-1].value
            == 0.9 + at / 100
        )
        assert diff_runs(run("gbm", repo=history.path), run(f"gbm@{rev}", repo=history.path))
    assert run(name, repo=history.path).metrics["roc_auc"] == 0.9
    if len(refs) > 1:
        assert set(names(history, Selection(branches=(f"{name}-b",)))) == {"gbm"}


@pytest.mark.parametrize(
    "name",
    [*REFS, "with space", "x:y", "a@b:c", "gbm@HEAD", "~", "*", "[a]", "new\nline", "tab\t", ":x"],
)
def test_names_of_runs(history: History, name: str) -> None:
    """A run of any name is shown, drawn, and found by a filter; its metrics of any name, too."""
    if name == "gbm@HEAD":
        pytest.skip("it means gbm at HEAD")
    text = json.dumps({"roc_auc": 0.5, name: 0.25})
    blob = (
        subprocess.run(
            ["git", "-C", str(history.path), "hash-object", "-w", "--stdin"],
            input=text.encode(),
            check=True,
            capture_output=True,
        )
        .stdout.decode()
        .strip()
    )
    index = f"100644 {blob}\truns/{name}/metrics.json\0".encode()
    history.git("read-tree", "HEAD")
    subprocess.run(
        ["git", "-C", str(history.path), "update-index", "-z", "--index-info"],
        input=index,
        check=True,
    )
    commit = history.git(
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b",
        "commit-tree",
        "-p",
        "HEAD",
        "-m",
        "x",
        history.git("write-tree"),
    )
    history.git("update-ref", "refs/heads/main", commit)
    for asked in (name, f"{name}@HEAD", f"HEAD:{name}"):
        assert run(asked, repo=history.path).name == name
    quoted = name.replace("'", "''")
    found = list_runs(
        history.path, None, Query(where=f"name = '{quoted}'", columns=("name", "run"))
    ).answer.rows
    assert [row[0] for row in found] == [name]
    assert run(found[0][1], repo=history.path).name == name
    column = '"' + name.replace('"', '""') + '"'
    assert len(list_runs(history.path, None, Query(where=f"{column} = 0.25")).answer.rows) == 1
    if "\n" not in name:  # Git can't be asked for such a path by the thousand
        assert history_of(history.path, name, metric=name).points[-1].value == 0.25


def test_what_is_no_name(history: History) -> None:
    """Each is a known error."""
    for asked in (
        "",
        "..",
        ".",
        "../runs/gbm",
        "gbm/..",
        "@",
        ":",
        "@@",
        "^HEAD",
        "gbm@^HEAD",
        "gbm@-x",
        "\udcff",
        "a:b@c:d",
    ):
        with pytest.raises((NoSuchRunError, UnknownRevisionError)):
            run(asked, repo=history.path)
    assert resolve(history.path, "@") == resolve(history.path)


def test_the_longest_name_of_a_trial_counts(history: History) -> None:
    """gbm-x-1a2b is a trial of gbm-x, not of gbm."""
    history.commit(history.run("gbm-x", 0.6))
    base = history.git("rev-parse", "HEAD")
    history.commit(
        history.run("gbm-x", 0.9),
        ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-x-1a2b",
        parents=(base,),
    )
    found: Any = run("gbm-x-1a2b", repo=history.path)
    assert (found.name, found.metrics["roc_auc"]) == ("gbm-x", 0.9)
