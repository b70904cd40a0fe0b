"""Repositories that are empty, bare, hostile or huge, and addresses that mean nothing: a sentence each, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from furrow.cli.main import run as furrow
from furrow.models.register import register
from furrow.web import local_servers
from furrow.web.asked import LONGEST, Asked
from furrow.web.content import Page, Section, Table
from furrow.web.plain_forms import as_csv
from furrow.web.plain_values import number
from furrow.web.recent_commits import recent
from furrow.web.site import Site
from tests.proof.signingpeople import project

from .conftest import asking, commit, made, run_files

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_repository(tmp_path: Path) -> None:
    """Home says what to do next; any other page says that there is no commit yet."""
    ask = asking(made(tmp_path / "empty"))
    assert "has no commit yet" in ask("/").text
    for path in ("/runs", "/run?run=gbm", "/data", "/business.json", "/features.csv"):
        answer = ask(path)
        assert answer.status_code == 404
        assert "no commit yet" in answer.text


def test_one_commit_without_runs(tmp_path: Path) -> None:
    """Every page that needs no run is there; the plan is between two commits."""
    folder = made(tmp_path / "one")
    commit(folder, {"a.txt": "a"}, "first")
    ask = asking(folder)
    for name in (
        "",
        "runs",
        "explore",
        "data",
        "features",
        "models",
        "monitoring",
        "business",
        "plan",
    ):
        answer = ask(f"/{name}")
        assert answer.status_code == 200, (name, answer.text)
    assert "No run." in ask("/runs").text
    assert ask("/run?run=gbm").status_code == 404


def test_a_bare_clone(judged: Path, tmp_path: Path) -> None:
    """The same runs, and nothing of a work tree."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(judged), str(bare)], check=True)
    ask = asking(bare)
    assert (
        ask("/runs.json").json()["tables"]["runs"]
        == asking(judged)("/runs.json").json()["tables"]["runs"]
    )
    assert ask("/run?run=gbm").status_code == 200
    assert ask("/").status_code == 200
    assert Site(bare).name == "bare"
    assert local_servers.environments(Site(bare)) == []


def test_a_shallow_clone(judged: Path, tmp_path: Path) -> None:
    """What is there is shown, and that older runs are missing; a commit that is not there is unknown."""
    clone = tmp_path / "shallow"
    words = ["git", "clone", "-q", "--depth", "1", judged.as_uri(), str(clone)]
    subprocess.run(words, check=True)
    ask = asking(clone)
    assert "git fetch --unshallow" in ask("/runs").text
    assert ask("/run?run=gbm").status_code == 200
    assert ask("/").status_code == 200
    assert ask("/compare?run=gbm&run=gbm@HEAD~1").status_code == 404


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/runs?rev=nope", 404, "unknown revision"),
        ("/runs?rev=--output=x", 404, "unknown revision"),
        ("/run?run=gmb", 404, "gbm"),
        ("/run", 400, "no run is named"),
        ("/run?run=../../etc/passwd", 404, "etc/passwd"),
        ("/runs?where=nope>1", 400, "nope"),
        ("/runs?where=1;drop table runs", 400, "--where"),
        ("/runs?where=(select 1)", 400, "--where"),
        ("/runs?sort=nope", 400, "nope"),
        ("/runs?columns=nope", 400, "nope"),
        ("/runs?limit=many", 400, "no whole number"),
        ("/runs?all=1&rev=HEAD", 400, "exclude one another"),
        ("/runs.csv?table=nope", 400, "has no table"),
        ("/compare?run=gbm&run=nope", 404, "nope"),
        ("/models?version=gbm@v9.9.9", 400, "there is no version"),
        ("/plan?from=a..b", 400, "between two commits"),
        ("/runs?x=" + "x" * LONGEST, 400, "too long"),
    ],
)
def test_an_address_that_means_nothing(
    ask: Callable[..., httpx.Response], path: str, code: int, said: str
) -> None:
    """What is wrong, in words, with a code that a program can tell; no traceback, no path of this machine."""
    answer = ask(path)
    assert answer.status_code == code
    assert said in answer.text
    assert "Traceback" not in answer.text
    assert "furrow/web" not in answer.text


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    """Of runs, columns, branches and files; a name that turns writing round turns nothing round."""
    folder = made(tmp_path / "hostile")
    names = ["<img src=x onerror=alert(1)>", "=cmd|x", "a\u202eb", "'\"&amp;"]
    files: dict[str, str] = {}
    for name in names:
        files |= run_files(name, {"<b>roc": 0.5, "=1+1": 0.25})
    commit(folder, files, "</title><script>alert(1)</script>")
    ask = asking(folder)
    for path in (
        "/",
        "/runs",
        "/runs?columns=*",
        "/columns",
        "/explore",
        "/run?run=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
        "/run?run=a%E2%80%AEb",
    ):
        text = ask(path).text
        assert "<img" not in text
        assert "<b>roc" not in text
        assert "<script>alert" not in text
        assert "\u202e" not in text
    cells = ask("/runs.csv?columns=name,*").text
    assert "'=cmd|x" in cells
    assert "\n=cmd" not in cells


def test_thousands_of_metrics_and_a_card_of_megabytes(tmp_path: Path) -> None:
    """Bounded pages; what is left out is said."""
    folder = made(tmp_path / "huge")
    files = run_files("gbm", {f"m{n}": n / 7 for n in range(5000)})
    files["runs/gbm/card.md"] = "# card\n" + "x" * 3_000_000
    commit(folder, files)
    ask = asking(folder)
    page = ask("/run?run=gbm")
    assert page.status_code == 200
    assert len(page.content) < 1_500_000
    assert "more characters are not shown here" in page.text
    assert len(ask("/run.json?run=gbm").json()["tables"]["metrics"]["rows"]) == 5000
    assert len(ask("/runs").content) < 60_000


CARDS = """import json, resource, sys
from pathlib import Path
from tests.web.conftest import asking
ask = asking(Path(sys.argv[1]))
paths = ["/", "/runs", "/run?run=gbm", "/run.json?run=gbm", "/models",
         "/models?version=gbm@v1.0.0", "/business"]
said = {path: (found.status_code, len(found.content), "too large to be shown" in found.text)
        for path in paths for found in [ask(path)]}
print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
"""Asks every page that may show a card, in a process of its own, and tells its largest size in kB."""


def test_a_card_of_a_hundred_megabytes(tmp_path: Path) -> None:
    """Every page answers, the two that would show it say where it is, and no process ever holds it."""
    sizes, said = [], {}
    for size in (1000, 100_000_000):
        folder = project(tmp_path / f"card-{size}", "", "")
        with (folder / "runs/gbm/card.md").open("w") as card:
            card.truncate(size)
        commit(folder, {}, "A card")
        register(folder)
        words = [sys.executable, "-P", "-c", CARDS, str(folder)]
        told = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT,
                              env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout  # fmt: skip
        said, most = json.loads(told)
        sizes.append(most)
    assert {status for status, _, _ in said.values()} == {200}
    assert all(length < 1_500_000 for _, length, _ in said.values())
    whole = [path for path, (_, _, large) in said.items() if large]
    assert whole == ["/run?run=gbm", "/run.json?run=gbm", "/models?version=gbm@v1.0.0"]
    assert sizes[1] - sizes[0] < 40_000


def test_a_repository_that_changes_meanwhile(tmp_path: Path) -> None:
    """The next page shows the next commit; one that is gone is unknown, and the others are there."""
    folder = made(tmp_path / "moving")
    commit(folder, run_files("gbm", {"roc_auc": 0.5}))
    ask = asking(folder)
    first = ask("/runs.json").json()["tables"]["runs"]["rows"][0][0]
    commit(folder, run_files("gbm", {"roc_auc": 0.6}))
    second = ask("/runs.json").json()["tables"]["runs"]["rows"][0][0]
    assert first != second
    assert ask("/run.json").status_code == 400
    assert ask(f"/run.json?run={first}").json()["tables"]["metrics"]["rows"] == [
        ["roc_auc", 0.5, None, None]
    ]
    shutil.rmtree(folder / ".git")
    answer = ask("/runs")
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_a_port_in_use(
    judged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error with the next step, not a traceback; and --rev alone means nothing."""
    monkeypatch.chdir(judged)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert furrow(["ui", "--port", str(taken.getsockname()[1])]) == 1
    assert "cannot listen on 127.0.0.1" in capsys.readouterr().err
    assert furrow(["ui", "--rev", "HEAD"]) == 2
    assert furrow(["ui", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "others could read this repository" in capsys.readouterr().err


def test_damaged_state_of_monitoring(judged: Path, tmp_path: Path) -> None:
    """Told on its page; the others stand."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(judged), str(folder)], check=True)
    state = folder / ".furrow/serving/production/monitor/state.json"
    state.parent.mkdir(parents=True)
    ask = asking(folder)
    alarm = {"kind": "drift", "subject": "<b>", "model": "gbm@v1", "window": "w", "since": "2026-01-01", "text": "it drifts", "facts": {},
             "open": True, "acknowledged": "", "delivered": []}  # fmt: skip
    window = {
        "window": "2026-01-01T00:00:00",
        "version": "gbm@v1",
        "rows": 10,
        "latency_ms": 2.5,
        "evidence": 3.0,
        "drifted": ["<i>"],
    }
    book = {"alarms": [alarm], "mutes": []}
    state.write_text(
        json.dumps(
            {"format": 1, "through": "2026-01-02", "watches": {}, "book": book, "history": [window]}
        )
    )
    said = ask("/monitoring.json").json()["tables"]
    assert said["alarms"]["rows"][0][:3] == ["open", "drift", "<b>"]
    assert said["drift"]["rows"] == [["<i>", "gbm@v1", 1, "2026-01-01T00:00", "2026-01-01T00:00"]]
    assert "production: 1 open alarms" in ask("/").text
    assert "1 alarms are open" in ask("/business").text
    state.write_text("{")
    assert "can't be read" in ask("/monitoring.json").text
    assert ask("/").status_code == 200
    assert ask("/monitoring?environment=../..").status_code == 200


def test_what_is_asked() -> None:
    asked = Asked({"a": ("", "1"), "b": ("x", "x", "y"), "c": ("x, y,",), "n": ("-1",)})
    assert asked.one("a") == "1"
    assert asked.many("b") == ("x", "y")
    assert asked.words("c") == ("x", "y")
    assert asked.on("a")
    assert asked.but(a=None, d="z") == {"b": ("x", "x", "y"), "c": "x, y,", "n": "-1", "d": "z"}
    assert Asked({"n": ("5000",)}).whole("n", 50) == 1000
    assert number("nan") is None
    assert number(10**400) is None
    table = Table("t", ("a",), [("=1",), (float("nan"),)])
    assert as_csv(Page("p", "P", [Section("", [table])])) == "a\n'=1\nNaN\n"


def test_recent_commits_of_a_path(judged: Path) -> None:
    site = Site(judged)
    head = site.commit("")
    assert [one.subject[:8] for one in recent(site, head, 5)] == ["rate 0.2", "rate 0.1"]
    assert len(recent(site, head, 5, "conf/monitor")) == 1


ODD = [
    "",
    "'",
    "' or 1=1 --",
    "\x1b[2J",
    "x" * 3000,
    "-1",
    "nan",
    "9" * 40,
    "../../etc/passwd",
    "שלום",
    "%00",
    "gbm@HEAD",
]


@pytest.mark.parametrize(
    "asks",
    [
        "/runs.json?tag={}", "/runs.json?curve={}&step={}", "/runs.json?pin={}&pin=gbm", "/runs.json?luck={}",
        "/runs.json?group={}&metric={}", "/run.json?run=gbm&confusion={}", "/compare.json?run=gbm&run=line&tests={}",
        "/ci.json?rev={}", "/prediction.json?ask={}&f.x={}", "/monitoring.json?environment={}", "/live.json?run={}",
        "/data.json?sample={}&profile={}", "/state.json?x={}",
    ],
)  # fmt: skip
def test_odd_values_of_every_switch(judged: Path, asks: str) -> None:
    """Whatever an address holds, the answer is a page or an error that is known, never a bug."""
    ask = asking(judged)
    for odd in ODD:
        path = asks.replace("{}", quote(odd, safe=""))
        answer = ask(path)
        assert answer.status_code in {200, 400, 404}, (path, answer.text[:300])
        assert "\x1b" not in answer.text
