"""Whole attacks on `furrow ci --untrusted`: a stage tries what it can, and nothing outside of it changes."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from furrow.ci.ci_settings import CiSettingsError, parse_settings
from furrow.ground.isolate import Limits
from tests.attack.holding import nowhere
from tests.gitops.ciproject import STAGES, commit, copied, furrow, run, set_rate

pytestmark = pytest.mark.attack

SECRET = "hunter2-of-the-team"
# Run by the first stage that trains; every line tries by itself, and is told of in the log when it
# succeeds.
TRIES = r"""
import contextlib, glob, os, pathlib, shutil, subprocess, sys
told = []
def attempt(name):
    return contextlib.suppress(OSError, subprocess.SubprocessError)
def sh(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=60)
trap = "touch 'MARKS/" + "%s'"
with attempt("config"):
    for name in ("core.fsmonitor", "core.hooksPath", "diff.external", "core.sshCommand", "core.pager"):
        if sh("git", "config", name, trap % name).returncode == 0:
            told.append("WROTE .git/config")
with attempt("replace"):
    if sh("git", "replace", "-f", "HEAD", "HEAD~1").returncode == 0:
        told.append("REPLACED")
with attempt("objects"):
    seen = sh("git", "cat-file", "--batch-all-objects", "--batch").stdout
    if "SECRET_A" + "SECRET_B" in seen:
        told.append("SAW a private branch")
    if sh("git", "cat-file", "-p", "PRIVATE").returncode == 0:
        told.append("SAW a private blob")
with attempt("git"):
    os.unlink(".git")
    sh("git", "init", "-q", ".")
    for name in ("core.fsmonitor", "core.hooksPath", "diff.external", "filter.trap.clean", "filter.trap.smudge"):
        sh("git", "config", name, trap % ("own-" + name))
    sh("git", "config", "core.worktree", "PROJECT")
    pathlib.Path(".git/objects/info").mkdir(exist_ok=True)
    pathlib.Path(".git/objects/info/alternates").write_text("PROJECT/.git/objects\n")
with attempt("attributes"):
    pathlib.Path(".gitattributes").write_text("* filter=trap diff=trap\n")
for folder in ("PROJECT", "STORE", "MARKS", "HOMES"):
    with attempt("write"):
        pathlib.Path(folder, "planted").write_text("x")
        told.append("WROTE " + folder)
config = pathlib.Path(".dvc/config").read_text()
fetched = config.split("url = ")[1].split("\n")[0]
for path in glob.glob(fetched + "/files/md5/*/*"):
    with attempt("cache"):
        os.chmod(path, 0o644)
        pathlib.Path(path).write_text("forged")
        told.append("FORGED a fetched file")
own = config.split("dir = ")[1].split("\n")[0]
with attempt("poison"):
    place = pathlib.Path(own, "files/md5", "TARGET"[:2], "TARGET"[2:])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_text('{"days": ["d1"], "replicates": {"log_loss": [9.0, 9.0, 9.1]}}')
with attempt("pickles"):
    import pickle
    class Bomb:
        def __reduce__(self):
            return (os.system, (trap % "pickle",))
    for folder in (os.environ["TMPDIR"], own, fetched, "/tmp", "/var/tmp"):
        with attempt("one"):
            os.makedirs(folder + "/dvc/repo/x", exist_ok=True)
            pathlib.Path(folder, "dvc/repo/x/cache.db").write_bytes(pickle.dumps(Bomb()))
print("TRIED", *told)
"""


@pytest.fixture
def attacked(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with a secret beside it, a private branch, and a branch from outside that is checked out."""
    project = copied(
        tmp_path_factory,
        tmp_path,
        settings="branch: main\nreplay: none\nlimits: {processes: 300}\n",
    )
    run(project, "git", "switch", "-q", "-c", "private")
    (project / "secret.txt").write_text(SECRET)
    commit(project, "Ours alone")
    run(project, "git", "switch", "-q", "main")
    run(project, "git", "switch", "-q", "-c", "outside")
    (project / ".git/info/exclude").write_text("/secret.yaml\n")
    (project / "secret.yaml").write_text(f"experiments: {{{SECRET}: {{}}}}\n")
    (tmp_path / "marks").mkdir()
    return project


def plant(project: Path, code: str, *, before: str = "train") -> None:
    """Let a stage run code before (train), or after (select), what it does."""
    private = run(project, "git", "rev-parse", "private:secret.txt").stdout.strip()
    lock = run(project, "git", "show", "main:dvc.lock").stdout
    target = lock.split("build/evaluations/gbm.json")[1].split("md5: ")[1].split("\n")[0]
    words = {"PROJECT": project, "STORE": project.parent / "store", "MARKS": project.parent / "marks", "HOMES": Path.home(),
             "PRIVATE": private, "TARGET": target, "SECRET_A": SECRET[:7], "SECRET_B": SECRET[7:]}  # fmt: skip
    for word, value in words.items():
        code = code.replace(word, str(value))
    guard = f"if sys.argv[1] == {before!r} and sys.argv[-1] in ('base', 'select'):\n"
    body = guard + "".join(f"    {line}\n" for line in code.strip().splitlines())
    head, call = STAGES.rsplit("globals()[sys.argv[1]]", 1)
    call = f"globals()[sys.argv[1]]{call}"
    (project / "stages.py").write_text(
        f"{head}\n{body}\n{call}" if before == "train" else f"{head}\n{call}\n{body}"
    )


def state(project: Path) -> dict[str, str]:
    """Bytes of all that must stay: the project with its Git data and DVC's, its store, and where marks would be."""
    found = {}
    for folder in (project, project.parent / "store", project.parent / "marks"):
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(project.parent).as_posix()
            if path.is_file() and "/.furrow/" not in inner and "__pycache__" not in inner:
                found[inner] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def judged(project: Path, *arguments: str, **extra: str):
    done = furrow(
        project, "ci", "--untrusted", "--base", "main", "--json", *arguments, check=False, **extra
    )
    assert done.stdout, done.stderr
    value = json.loads(done.stdout)
    texts = {
        one["name"]: f"{one['status']} {one['text']} {' '.join(one['details'])}"
        for one in value["checks"]
    }
    return value, texts, done


def test_a_stage_that_tries_everything(attacked):
    """Settings, hooks and drivers for the host's Git, replaced and private objects, links in place of read files, the
    store, fetched contents, forged evaluations, pickles: the results are judged, and nothing else has happened."""
    plant(attacked, TRIES)
    set_rate(attacked, "gbm", 0.05)  # worse, whatever the poisoned cache says of the target's
    commit(attacked, "A faster train")
    before = state(attacked)
    value, texts, done = judged(attacked, MY_TOKEN=SECRET)
    assert texts["stages"].startswith("failed 4 run"), (
        texts
    )  # the author had not run them; base is the same
    assert "dvc.lock" in run(attacked, "git", "ls-files").stdout
    assert texts["gate"].startswith("failed base is the champion"), texts
    assert "worse" in texts["gate"]
    assert value["isolation"].startswith("held in a root of its own")
    assert state(attacked) == before
    assert list((attacked.parent / "marks").iterdir()) == []
    assert SECRET not in done.stdout + done.stderr
    assert not any(
        word in done.stdout + done.stderr for word in ("WROTE", "FORGED", "SAW", "REPLACED")
    )


LINKED = """
import os, shutil
shutil.rmtree("runs/gbm")
os.symlink("HOMES", "runs/gbm")
"""


def test_an_output_swapped_for_a_link_when_its_stage_has_ended(attacked):
    """Nothing is read through it, and the report says what was found in its place."""
    (Path.home() / "metrics.json").write_text(SECRET)
    plant(attacked, LINKED, before="select")
    set_rate(attacked, "gbm", 0.45)  # so that the last stage runs, after all that write there
    commit(attacked, "Look there")
    value, texts, done = judged(attacked)
    assert "gbm" in texts["stages"]
    assert "is a link" in texts["stages"]
    assert texts["stages"].startswith("failed")
    assert SECRET not in done.stdout + done.stderr
    assert value["passed"] is False


@pytest.mark.long
@pytest.mark.nowhere
def test_refused_or_unheld_by_name(attacked):
    """Where nothing can hold it, nothing of the commit runs; with --unheld it does, and the report claims no more."""
    without = nowhere()
    if without is None:
        pytest.skip("the namespaces of this machine can't be taken away")
    mark = attacked.parent / "marks/ran"
    plant(attacked, f"open({str(mark)!r}, 'w').write(str('MY_TOKEN' in os.environ))")
    commit(attacked, "Run me")
    command = [
        sys.executable,
        "-P",
        "-m",
        "furrow",
        "ci",
        "--untrusted",
        "--base",
        "main",
        "--json",
    ]
    done = run(attacked, *without, *command, check=False, MY_TOKEN=SECRET)
    value = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(one["name"], one["status"]) for one in value["checks"]] == [
        ("inspect", "passed"),
        ("hold", "failed"),
    ]
    assert "--unheld" in value["checks"][1]["details"][0]
    assert "no credentials" not in value["isolation"]
    assert not mark.exists()
    done = run(attacked, *without, *command, "--unheld", check=False, MY_TOKEN=SECRET)
    value = json.loads(done.stdout)
    assert mark.read_text() == "False"
    assert value["isolation"].startswith("NOT HELD")
    assert "no credentials" not in value["isolation"]
    assert furrow(attacked, "ci", "--unheld", check=False).returncode == 2


def test_imports_from_the_target_branch_s_list_alone(attacked, tmp_path):
    """Data of another repository come where conf/ci.yaml of the target branch names it, and the commit's own list, another
    file's text and a remote of its choice count for nothing."""
    other = tmp_path / "other team"
    other.mkdir()
    run(other, "git", "init", "-q", "-b", "main")
    run(other, "dvc", "init", "-q")
    (other / "routes.csv").write_text("JFK,BOS\n")
    run(other, "dvc", "add", "-q", "routes.csv")
    commit(other, "Routes")
    run(attacked, "dvc", "import", "-q", str(other), "routes.csv")
    (attacked / "conf/ci.yaml").write_text(f"branch: main\nreplay: none\nimports: ['{other}']\n")
    text = (attacked / "dvc.yaml").read_text()
    (attacked / "dvc.yaml").write_text(
        text.replace("deps: [data/flights.csv,", "deps: [routes.csv, data/flights.csv,")
    )
    (attacked / "stages.py").write_text(
        STAGES.replace(
            "def train(name):",
            "def train(name):\n    assert open('routes.csv').read() == 'JFK,BOS\\n'",
        )
    )
    commit(attacked, "Import routes")
    _, texts, _ = judged(attacked)
    assert set(texts) == {"inspect"}
    assert f"imports from {other}" in texts["inspect"]
    run(attacked, "git", "stash", "-q", "-u", check=False)
    run(attacked, "git", "switch", "-q", "main")
    (attacked / "conf/ci.yaml").write_text(f"branch: main\nreplay: none\nimports: ['{other}']\n")
    commit(attacked, "Allow it")
    run(attacked, "git", "switch", "-q", "outside")
    _, texts, done = judged(attacked)
    assert texts["inspect"].startswith("passed"), texts
    assert "3 run" in texts["stages"] or "2 run" in texts["stages"], done.stdout


def test_limits_are_the_target_branch_s(attacked):
    """conf/ci.yaml declares them; wrong ones are named."""
    limits = parse_settings(
        b"limits: {hours: 0.5, processes: 7, memory_gb: 1.5, disk_gb: 2}"
    ).bounds
    assert limits == Limits(seconds=1800, processes=7, memory=1_500_000_000, disk=2_000_000_000)
    assert parse_settings(b"").bounds == Limits()
    for text in (b"limits: {hour: 1}", b"limits: {hours: -1}", b"limits: {hours: .inf}", b"limits: {processes: yes}", b"limits: 3",
                 b"imports: [1]", b"imports: x"):  # fmt: skip
        with pytest.raises(CiSettingsError):
            parse_settings(text)
    assert os.environ  # the test's own
