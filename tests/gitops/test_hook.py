"""A real `git push` to a real bare repository with the hook: retraining, report, registration, pulled by another clone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from furrow.ci.bare_hook import HookError, install
from furrow.ci.queue import Pushed, enqueue, jobs, pushed
from furrow.ci.run_record import kept

from .ciproject import commit, copied, environment, experiment, furrow, run, set_rate

SETTINGS = "branch: main\nreplay: changed\nregister: {automatic: true}\n"


@pytest.fixture
def team(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A bare repository with the hook, and a clone that pushed the project to it before the hook was there."""
    project = copied(tmp_path_factory, tmp_path, "ada", SETTINGS)
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    run(project, "git", "remote", "add", "origin", str(tmp_path / "bare.git"))
    run(project, "git", "fetch", "-q", "origin")
    done = furrow(tmp_path, "ci", "install", str(tmp_path / "bare.git"))
    assert "post-receive" in done.stdout
    return tmp_path


def status(bare: Path):
    return json.loads(furrow(bare, "ci", "status", "--json").stdout)


def test_a_push_retrains_judges_registers(team):
    """A new month and a new experiment, pushed without `dvc repro`: the other clone pulls the results and the tag."""
    ada, bare = team / "ada", team / "bare.git"
    (ada / "data/flights.csv").write_text("AA\nUA\nB6\n")
    run(ada, "dvc", "add", "-q", "data")
    run(ada, "dvc", "push", "-q")
    commit(ada, "Land a month")
    experiment(ada, "forest", 0.45)
    made = commit(ada, "Add the forest")
    push = run(ada, "git", "push", "origin", "main")
    said = push.stderr
    assert f"remote: furrow: {made[:10]} on main" in said
    assert "Running stage 'train@forest'" in said
    assert "offer: passed" in said
    assert "register: passed: registered as forest@v1.0.0" in said

    tip = run(bare, "git", "rev-parse", "main").stdout.strip()
    assert tip != made
    assert run(bare, "git", "rev-parse", "main^").stdout.strip() == made
    assert "Furrow-CI:" in run(bare, "git", "log", "-1", "--format=%B", "main").stdout
    found = status(bare)
    assert found["running"] == found["waiting"] == []
    # The newest commit, the one before it in the same push, and CI's own commit, which is verified
    # and not repeated.
    assert {one["commit"] for one in found["commits"]} >= {made, tip}
    assert len(found["commits"]) == 3
    assert all(one["passed"] for one in found["commits"]), found
    assert run(bare, "git", "rev-list", "--count", f"{made}..main").stdout.strip() == "1"
    middle = next(one["checks"] for one in found["commits"] if one["commit"] not in {made, tip})
    assert middle["stages"] == "warning"
    assert "offer" not in middle
    assert "register" not in middle

    run(team, "git", "clone", "-q", str(bare), "bob")
    bob = team / "bob"
    run(bob, "git", "fetch", "-q", "origin", "refs/notes/*:refs/notes/*", "refs/tags/*:refs/tags/*")
    run(bob, "dvc", "pull", "-q")
    assert (bob / "build/models/forest/model.joblib").read_text() == "model of forest 0.45 3"
    assert run(bob, "dvc", "repro").stdout.count("Running stage") == 0
    assert "forest@v1.0.0" in furrow(bob, "models", "list").stdout
    rows = furrow(bob, "ci", "status").stdout
    assert "Add the forest" in rows
    assert "why:" not in rows
    one = furrow(bob, "ci", "status", made).stdout
    assert "passed   gate" in one
    assert f"furrow ci status {made[:10]} --report" in one
    report = furrow(bob, "ci", "status", made, "--report").stdout
    assert report.startswith("## ✅ Furrow: passed")
    assert "forest" in report
    before = run(ada, "git", "rev-parse", f"{made}~2").stdout.strip()
    assert (
        f"against `main` at `{before[:10]}`" in report
    )  # as it was before the push, not the commit in between
    assert "data: flights.csv changed" in report
    assert (bare / "furrow-ci/reports" / made / "report.html").is_file()
    assert "train@forest" in furrow(bare, "ci", "status", made, "--log").stdout


def forge(folder: Path, commit_id: str, ref: str = "refs/notes/furrow/ci") -> None:
    """A note as CI writes it, which says that the commit passed, from the day after tomorrow."""
    line = {"format": 1, "commit": commit_id, "branch": "main", "passed": True, "verdict": "passed", "offered": "",
            "started": "2999-01-01T00:00:00+00:00", "seconds": 1.0, "machine": "ci", "checks": {}, "report": "## fine",
            "tip": True}  # fmt: skip
    run(folder, "git", "notes", "--ref", ref, "add", "-f", "-m", json.dumps(line), commit_id)


@pytest.mark.long
def test_a_forged_note_decides_nothing(team):
    """A note that says a bad commit passed is refused when pushed; got in all the same, CI runs the commit and fails it."""
    ada, bare = team / "ada", team / "bare.git"
    (ada / "stages.py").write_text("raise SystemExit('no luck today')\n")
    made = commit(ada, "Break it")
    forge(ada, made)
    refused = run(ada, "git", "push", "origin", "refs/notes/furrow/ci", check=False)
    assert refused.returncode != 0
    assert "hidden ref" in refused.stderr

    # As on a server whose hook was put in place before it hid the notes.
    run(bare, "git", "config", "--unset-all", "receive.hideRefs")
    said = run(ada, "git", "push", "origin", "refs/notes/furrow/ci").stderr
    assert "nothing to run" in said
    assert status(bare)["commits"] == []
    run(ada, "git", "push", "-q", "origin", "main")
    found = [(one["commit"], one["passed"], one["verdict"]) for one in status(bare)["commits"]]
    assert found == [(made, False, "failed: stages")]
    run(team, "git", "clone", "-q", str(bare), "bob")
    run(team / "bob", "git", "fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
    assert [one["verdict"] for one in status(team / "bob")["commits"]] == ["failed: stages"]

    # Afterwards too: nothing on the server reads it, and the next run of the commit puts the note
    # right.
    forge(bare, made)
    assert [one["passed"] for one in status(bare)["commits"]] == [False]
    assert "no luck today" in furrow(bare, "ci", "status", made, "--report").stdout
    enqueue(bare, [Pushed("main", run(ada, "git", "rev-parse", "main~1").stdout.strip(), made)])
    assert "was run already: failed: stages" in furrow(bare, "ci", "run-queue").stdout
    assert (
        "failed: stages"
        in run(bare, "git", "notes", "--ref", "refs/notes/furrow/ci", "show", made).stdout
    )
    assert len(kept(bare, made)) == 1

    # Asked to, CI runs it again; and the person is told once of each finding, and where to look.
    said = furrow(bare, "ci", "run-queue", "--again", "main").stdout
    assert said.count("no luck today") == said.count("stages: failed: stage train@base failed") == 1
    assert said.endswith("1 commit run\n")
    assert len(kept(bare, made)) == 2
    assert f"why: furrow ci status {made[:10]} --report" in furrow(bare, "ci", "status").stdout
    refused = furrow(bare, "ci", "status", "main~1", check=False)
    assert (refused.returncode, "CI has not run commit" in refused.stderr) == (1, True)


def test_a_note_of_another_shape(team):
    """In a clone, notes that hold anything are shown as far as they can be, without control characters."""
    ada = team / "ada"
    head = run(ada, "git", "rev-parse", "HEAD").stdout.strip()
    line = {
        "format": 1,
        "commit": head,
        "branch": "main",
        "passed": True,
        "verdict": "pas\x1b[31msed",
        "started": "soon",
    }
    lines = [
        {**line, "seconds": "x", "checks": ["gate"], "report": 3},
        {**line, "started": 7},
        [],
        {"format": 1},
    ]
    text = "\n".join(["{", *map(json.dumps, lines)])
    run(ada, "git", "notes", "--ref", "refs/notes/furrow/ci", "add", "-m", text, head)
    for arguments in ((), (head,), (head, "--report")):
        done = furrow(ada, "ci", "status", *arguments)
        assert "\x1b" not in done.stdout + done.stderr
    (found,) = status(ada)["commits"]
    assert (found["verdict"], found["seconds"], found["checks"], found["source"]) == (
        "pas[31msed",
        0,
        {},
        "note",
    )


def test_a_damaged_record_is_not_believed(team):
    """A record that is cut short, or of another commit, counts for nothing: the commit is run again."""
    bare = team / "bare.git"
    head = run(bare, "git", "rev-parse", "main").stdout.strip()
    path = bare / f"furrow-ci/done/{head}.json"
    path.parent.mkdir()
    line = {
        "commit": head,
        "branch": "main",
        "passed": True,
        "verdict": "passed",
        "started": "2026-01-01",
    }
    for text in (
        '{"format": 1, "lines": [{',
        "[]",
        json.dumps({"format": 1, "lines": [{**line, "commit": "a" * 40}]}),
    ):
        path.write_text(text)
        assert kept(bare, head) == []
        assert status(bare)["commits"] == []
    path.write_text(json.dumps({"format": 1, "lines": [line]}))
    assert kept(bare, head) == [line]


@pytest.mark.long
def test_a_push_while_ci_runs_and_a_reboot_in_the_middle(team):
    """A second push waits its turn and returns; a run that is killed stays in the queue and is run again."""
    ada, bare = team / "ada", team / "bare.git"
    stages = (ada / "stages.py").read_text()
    (ada / "stages.py").write_text(
        "import os, time\ntime.sleep(float(os.environ.get('SLOW', 0)))\n" + stages
    )
    set_rate(ada, "gbm", 0.3)
    first = commit(ada, "Slow")
    slow = subprocess.Popen(
        ["git", "push", "-q", "origin", "main"],
        cwd=ada,
        env={**environment(), "SLOW": "60"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    running = bare / "furrow-ci/running.json"
    log = bare / "furrow-ci/logs" / f"{first}.log"
    deadline = time.monotonic() + 300
    while (
        not (log.is_file() and "Running stage" in log.read_text()) and time.monotonic() < deadline
    ):
        time.sleep(0.2)
    assert [one["commit"] for one in status(bare)["running"]] == [first]
    run(ada, "git", "switch", "-q", "-c", "topic", "HEAD~1")
    set_rate(ada, "gbm", 0.4)
    second = commit(ada, "Meanwhile")
    said = run(ada, "git", "push", "origin", "topic").stderr
    assert "another run is under way" in said
    assert [one["commit"] for one in status(bare)["waiting"]] == [second]

    # The machine goes down: everything that this push started is gone at once.
    pid = json.loads(running.read_text())["pid"]
    for child in _below(pid):
        os.kill(child, signal.SIGKILL)
    slow.wait()
    found = status(bare)
    assert found["running"] == []
    assert {one["commit"] for one in found["waiting"]} == {first, second}

    furrow(bare, "ci", "run-queue", ".")
    found = status(bare)
    assert found["waiting"] == []
    assert {one["commit"]: one["passed"] for one in found["commits"]}.keys() >= {first, second}
    assert all(one["passed"] for one in found["commits"]), [
        one["verdict"] for one in found["commits"]
    ]


def _below(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(path.read_text().rsplit(")", 1)[1].split()[1]) == one:
                    todo.append(int(path.parent.name))
            except (OSError, ValueError):
                continue
    return found


def test_newest_first_and_branches_take_turns(team):
    """Of a branch the newest commit comes first; two branches with several commits each alternate."""
    ada, bare = team / "ada", team / "bare.git"
    ids = {}
    for branch in ("one", "two"):
        run(ada, "git", "switch", "-q", "-c", branch, "main")
        ids[branch] = [commit(ada, f"{branch} {n}") for n in range(2)]
    run(ada, "git", "-c", "core.hooksPath=/dev/null", "push", "-q", str(bare), "one", "two",
        "--receive-pack=git -c core.hooksPath=/dev/null receive-pack")  # fmt: skip
    zero = "0" * 40
    enqueue(bare, [Pushed("one", zero, ids["one"][-1]), Pushed("two", zero, ids["two"][-1])])
    order = [(job.branch, job.commit, job.tip) for job in jobs(bare)]
    assert [(branch, tip) for branch, _, tip in order] == [
        ("one", True),
        ("two", True),
        ("one", False),
        ("two", False),
    ]
    assert [commit_id for _, commit_id, _ in order] == [
        ids["one"][1],
        ids["two"][1],
        ids["one"][0],
        ids["two"][0],
    ]


def test_a_damaged_queue_entry_and_three_crashes(team):
    """A file that is cut short is put aside; a commit whose runs never end is given up, and says so."""
    bare = team / "bare.git"
    head = run(bare, "git", "rev-parse", "main").stdout.strip()
    queue = bare / "furrow-ci/queue"
    (queue / "1-x.json").write_text('{"commit": ')
    entry = {
        "commit": head,
        "branch": "main",
        "old": "",
        "tip": True,
        "since": "2026-01-01T00:00:00+00:00",
    }
    (queue / "2-y.json").write_text(json.dumps({**entry, "attempts": 3}))
    furrow(bare, "ci", "run-queue")
    found = status(bare)["commits"]
    assert [one["passed"] for one in found] == [False]
    assert found[0]["verdict"] == "failed: ci"
    assert (queue / "1-x.damaged").is_file()


@pytest.mark.attack
def test_a_forged_replay_note_is_refused(team):
    """No push writes, deletes or replaces notes below refs/notes/furrow; the branch beside them arrives."""
    ada, bare = team / "ada", team / "bare.git"
    head = run(ada, "git", "rev-parse", "HEAD").stdout.strip()
    run(bare, "git", "notes", "--ref", "refs/notes/furrow/replay", "add", "-m", "true", head)
    for ref in ("refs/notes/furrow/replay", "refs/notes/furrow/anything"):
        run(ada, "git", "notes", "--ref", ref, "add", "-f", "-m", "{}", head)
        for words in (f"+{ref}:{ref}", f"+{ref}:refs/notes/furrow/replay", f":{ref}"):
            assert "hidden ref" in run(ada, "git", "push", "origin", words, check=False).stderr
    assert (
        run(bare, "git", "notes", "--ref", "refs/notes/furrow/replay", "show", head).stdout
        == "true\n"
    )
    assert run(bare, "git", "for-each-ref", "refs/notes/furrow/anything").stdout == ""


def test_install(team, tmp_path):
    """Again is the same; another's hook, a work tree and a folder without Git are refused with the next step."""
    bare = team / "bare.git"
    before = (bare / "hooks/post-receive").read_text()
    install(bare)
    assert (bare / "hooks/post-receive").read_text() == before
    assert os.access(bare / "hooks/post-receive", os.X_OK)
    assert f"{sys.executable} -P -E -m furrow ci hook" in before
    (bare / "hooks/post-receive").write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(HookError, match="is there already"):
        install(bare)
    with pytest.raises(HookError, match="has a work tree"):
        install(team / "ada")
    (tmp_path / "empty").mkdir()
    with pytest.raises(HookError, match="not a Git repository"):
        install(tmp_path / "empty")


def test_what_git_tells_the_hook():
    """Branches count; tags, notes and deleted branches don't."""
    zero, one, two = "0" * 40, "1" * 40, "2" * 40
    text = "".join(
        f"{line}\n"
        for line in (
            f"{one} {two} refs/heads/a/b",
            f"{one} {zero} refs/heads/gone",
            f"{zero} {two} refs/tags/v1",
            f"{zero} {two} refs/notes/furrow/ci",
        )
    )
    assert pushed(text) == [Pushed("a/b", one, two)]
