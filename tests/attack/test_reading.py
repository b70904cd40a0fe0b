"""Whoever reads a clone runs nothing of it; what must run its code asks for trust, which is kept outside it.

Every file that the attacker plants leaves a marker when it runs. No marker may be there, until
trust was given.
"""

import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.clone.git_hooks import MARK
from furrow.errors import FurrowError
from furrow.features.build import compile_manifest
from furrow.files import sha256_bytes, write_json
from furrow.ground import trust
from furrow.ground.dvcget import GetError, get
from furrow.ground.process import installed, stage_environment
from furrow.ground.start_python import child_environment, furrow_in_shell, python, stage_python
from furrow.ground.trust import UntrustedError, is_trusted, remember_trust, require_trust
from furrow.history.named_run import run as load_run
from furrow.models.predict import PredictionError, open_model

pytestmark = pytest.mark.attack
FURROW = Path(__file__).parents[2] / "furrow"
PLANT = "import os, pathlib\npathlib.Path(os.environ['MARKERS'], {name!r}).touch()\n"
NAMES = ("furrow/__init__.py", "furrow/__main__.py", "dvc.py", "json.py", "platform.py", "sitecustomize.py",
         "usercustomize.py", "click.py", "yaml.py", "encodings/__init__.py")  # fmt: skip
STORE = """\
project: small
provider: local
registry: ../build/registry.db
entity_key_serialization_version: 3
offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}
online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: ../build/online}
"""
VIEWS = """\
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Int64, String

origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
source = FileSource(name="traffic", path="../build/tables/traffic.parquet", timestamp_field="event_timestamp")
traffic = FeatureView(
    name="traffic", entities=[origin], ttl=timedelta(hours=6), source=source, owner="ops@example.com",
    schema=[Field(name="origin", dtype=String), Field(name="departures", dtype=Int64)], description="Departures",
)
full = FeatureService(name="full", features=[traffic], owner="ops@example.com", description="Everything")
"""
TABLE = "SELECT origin, departure AS event_timestamp, 1 AS departures FROM flights ORDER BY ALL\n"


class Bomb:
    """A pickle that leaves a marker when it is opened."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


@pytest.fixture
def markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what ran leaves its mark."""
    folder = tmp_path / "markers"
    folder.mkdir()
    monkeypatch.setenv("MARKERS", str(folder))
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return folder


@pytest.fixture
def clone(repo: Path, tmp_path: Path, markers: Path, git) -> Path:
    """A clone from elsewhere, in a path with a space; on the branch `hostile` every name is planted."""
    for name, text in {
        "features/feature_store.yaml": STORE, "features/views.py": VIEWS, "features/tables/traffic.sql": TABLE,
        "conf/experiments.yaml": "experiments: {}\n", "dvc.yaml": "stages: {}\n", "data.dvc": "outs: []\n",
        ".dvc/config": "", ".gitignore": "build/\n.furrow/\n",
    }.items():  # fmt: skip
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    (repo / "features/manifest.json").write_text(
        json.dumps(compile_manifest(repo / "features").to_json())
    )
    model = pickle.dumps(Bomb(str(markers / "pickle")))
    write_json(
        repo / "runs/gbm/record.json", {"model_sha256": sha256_bytes(model), "service": "full"}
    )
    write_json(repo / "runs/gbm/metrics.json", {"roc_auc": 0.9})
    (repo / "runs/gbm/config.yaml").write_text("name: gbm\n")
    write_json(
        repo / "runs/champion.json",
        {"experiment": "gbm", "verdicts": {"gbm": {"passed": True, "failures": []}}},
    )
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "harmless")
    git(repo, "switch", "-qc", "hostile")
    for name in NAMES:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(PLANT.format(name=name.replace("/", ".")))
    (repo / "features/views.py").write_text(VIEWS + PLANT.format(name="views"))
    (repo / "data.dvc").write_text(
        "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: data\n"
    )
    (repo / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-qm", "hostile")
    place = tmp_path / "a clone"
    git(tmp_path, "clone", "-q", "-b", "main", str(repo), str(place))
    git(place, "fetch", "-q", "origin")
    git(place, "branch", "-q", "hostile", "origin/hostile")
    git(place, "remote", "set-url", "origin", "https://example.invalid/stranger.git")
    built = place / "build/models/gbm"
    built.mkdir(parents=True)
    (built / "model.joblib").write_bytes(model)
    return place


def furrow(folder: Path, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """The command as its console script starts it: the folder of the script comes first, not the one it is called in."""
    command = [sys.executable, "-P", "-m", "furrow", *words]
    environment = {**os.environ, **extra}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("search", [None, "", ":", ".", "features:", "./"])
def test_hooks_and_merges_run_nothing_of_a_branch(clone, markers, git, monkeypatch, search):
    """After `furrow install`, a checkout and a merge of a hostile branch run the installed Furrow, and nothing else."""
    assert furrow(clone, "install").returncode == 0
    if search is not None:
        monkeypatch.setenv("PYTHONPATH", search)
    done = subprocess.run(
        ["git", "switch", "hostile"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert "furrow" in (clone / ".git/hooks/post-checkout").read_text()
    assert not list(markers.iterdir()), done.stderr
    subprocess.run(["git", "switch", "-q", "main"], cwd=clone, check=True, capture_output=True)
    (clone / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n# mine\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "mine")
    subprocess.run(
        ["git", "merge", "-q", "hostile", "-m", "m"], cwd=clone, capture_output=True, check=False
    )
    assert not list(markers.iterdir())


def test_old_hooks_are_mended(clone):
    """`furrow install` replaces what an older Furrow wrote, and keeps what stands around it."""
    assert furrow(clone, "install").returncode == 0
    for name in ("post-merge", "post-rewrite", "post-checkout", "post-commit"):
        path = clone / ".git/hooks" / name
        text = path.read_text()
        assert furrow_in_shell() in text
        path.write_text(
            f"#!/bin/sh\necho mine\n{MARK}\npython -m furrow install --follow HEAD\necho too\n"
        )
    assert furrow(clone, "install").returncode == 0
    text = (clone / ".git/hooks/post-merge").read_text()
    assert furrow_in_shell() in text
    assert "python -m" not in text.replace(furrow_in_shell(), "")
    assert text.startswith("#!/bin/sh\necho mine\n")
    assert text.endswith("echo too\n")


READING = [
    ("features", "list"), ("features", "show", "traffic", "--no-statistics"), ("features", "search", "departures"),
    ("features", "digest"), ("features", "diff"), ("runs",), ("runs", "show", "gbm"), ("models", "list"), ("gate",),
    ("runs", "--all", "--json"), ("ci", "status"), ("trust", "--list"), ("install",), ("predict", "--help"),
]  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_reading_runs_nothing(clone, markers, git, words):
    """Verbs that read work in a clone that nobody trusts, and run nothing of it."""
    git(clone, "switch", "-q", "hostile")
    done = furrow(clone, *words)
    assert done.returncode == 0, done.stderr
    assert not list(markers.iterdir())


RUNNING = [("compile",), ("replay",), ("apply",), ("try", "gbm"), ("ci",)]


@pytest.mark.parametrize("words", RUNNING, ids=" ".join)
def test_running_asks_for_trust(clone, markers, git, words):
    """Verbs that run its code say what they would run and how to trust it; nothing was run."""
    git(clone, "switch", "-q", "hostile")
    done = furrow(clone, *words)
    assert done.returncode == 1
    assert "is not trusted to run code here" in done.stderr
    assert "https://example.invalid/stranger.git" in done.stderr
    assert "`furrow trust`" in done.stderr
    assert not list(markers.iterdir())


def test_trust_is_given_once_and_taken_back(clone, markers, git):
    """With it the definitions run: the markers can be left at all. Without it again, they don't."""
    git(clone, "switch", "-q", "hostile")
    assert furrow(clone, "trust").returncode == 0
    assert str(clone / ".git") in furrow(clone, "trust", "--list").stdout
    furrow(clone, "features", "list")
    assert [path.name for path in markers.iterdir()] == ["views"]
    (markers / "views").unlink()
    assert furrow(clone, "trust", "--revoke").stdout.startswith("it is trusted no more")
    assert furrow(clone, "trust", "--revoke").stdout.startswith("it was not")
    assert furrow(clone, "compile").returncode == 1
    assert not list(markers.iterdir())
    furrow(clone, "features", "list", FURROW_TRUST="yes")
    assert not list(markers.iterdir())


def test_a_pickle_is_not_opened(clone, markers):
    """Its hash in the same commit proves nothing; a hash from elsewhere, or trust, does."""
    for ask in (
        load_run("gbm", repo=clone).model,
        lambda: open_model(clone),
        lambda: open_model(clone, "gbm"),
    ):
        with pytest.raises(UntrustedError, match="pickle"):
            ask()
    with pytest.raises(PredictionError, match="not opened"):
        open_model(clone, sha256="0" * 64)
    with pytest.raises(FurrowError):
        load_run("gbm", repo=clone).model(sha256="0" * 64)
    assert not list(markers.iterdir())
    right = json.loads((clone / "runs/gbm/record.json").read_text())["model_sha256"]
    load_run("gbm", repo=clone).model(sha256=right)
    assert [path.name for path in markers.iterdir()] == ["pickle"]


def test_dvc_and_python_take_nothing_of_the_folder(clone, markers, git, monkeypatch, tmp_path):
    """What Furrow starts in a hostile folder is the installed DVC and the installed Python."""
    git(clone, "switch", "-q", "hostile")
    for search in ("", ":", "."):
        monkeypatch.setenv("PYTHONPATH", search)
        monkeypatch.chdir(clone)
        with pytest.raises(GetError):
            get(clone, "data", "HEAD", tmp_path / "out")
        environment = child_environment(stage_environment(root=clone, stage=""))
        assert installed(clone, {**environment, "PYTHONPATH": ""})["distributions"]["dvc"]
    assert not list(markers.iterdir())


def test_planted_files_would_run(clone, markers, git):
    """The plants are live: the way of old runs them."""
    git(clone, "switch", "-q", "hostile")
    subprocess.run([sys.executable, "-m", "furrow"], cwd=clone, capture_output=True, check=False)
    assert list(markers.iterdir())


def test_child_environments():
    """Of PYTHONPATH absolute folders stay; the shell's Furrow hears no PYTHON* variable at all."""
    assert child_environment({"PYTHONPATH": ":/a:.:b:/c"}) == {"PYTHONPATH": "/a:/c"}
    assert child_environment({"PYTHONPATH": ":."}) == {}
    assert child_environment({"A": "b"}) == {"A": "b"}
    assert python("-m", "x") == [sys.executable, "-P", "-m", "x"]
    assert stage_python("x") == ["python", "-P", "x"]
    assert " -P -E -m furrow" in furrow_in_shell()


ALLOWED = {
    "ground/start_python.py": {"sys.executable"},
    "ground/isolate.py": {"sys.executable"},  # its folder comes first on the PATH of stages
    "ground/jail_check.py": {"sys.executable"},  # asks whether it can be run
    "ground/process.py": {"sys.executable"},  # likewise
    "stores/spark_join.py": {"sys.executable"},  # tells Spark which Python its workers are
    "ground/repro.py": {"sys.executable"},  # the commands beside it
    # What dvc.yaml says: DVC starts it, in a project that is trusted.
    "plan/stage_graph.py": {
        "python -m furrow.stages.tables ",
        "python -m furrow.stages.training_set ",
    },
    "stages/command.py": {"python -m furrow.stages."},  # the first words of a usage
}


def ways(tree: ast.AST) -> set[str]:
    """Ways to start Python that stand in a module."""
    found = set()
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable":
            found.add("sys.executable")
        elif isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant):
            if (
                str(node.elts[0].value).rpartition("/")[2] in {"python", "python3"}
                and len(node.elts) > 1
            ):
                found.add("a list")
        elif (
            isinstance(node, ast.Constant)
            and id(node) not in docs
            and any(
                way in str(node.value) for way in ("python -m furrow", "python3 -m", "python -c")
            )
        ):
            found.add(str(node.value))
    return found


def test_the_rule_sees():
    """Each way that was there once is seen."""
    for text in (
        "x = ['python', '-c', y]",
        "import sys\nz = [sys.executable, '-m']",
        "c = 'python -m furrow install'",
    ):
        assert ways(ast.parse(text)), text


@pytest.mark.parametrize(
    "path", sorted(FURROW.rglob("*.py")), ids=lambda path: str(path.relative_to(FURROW))
)
def test_there_is_no_other_way_to_start_python(path):
    """`furrow.ground.start_python` says how; who else starts one would forget the -P."""
    name = str(path.relative_to(FURROW))
    left = ways(ast.parse(path.read_text(encoding="utf-8"))) - ALLOWED.get(name, set())
    if name == "ground/start_python.py":
        left = set()
    assert not left, "start it with furrow.ground.start_python"


class TestTrust:
    """Whose code may run."""

    @pytest.fixture(autouse=True)
    def untold(self, markers: Path) -> None:
        """Nothing in the environment says so."""

    def test_own_repositories_need_none(self, repo, tmp_path):
        """No remote: nobody else's. No repository: neither."""
        assert is_trusted(repo)
        (tmp_path / "plain").mkdir()
        assert is_trusted(tmp_path / "plain")

    @pytest.mark.parametrize(
        "url", ["https://example.invalid/x", "git@example.invalid:x", "ssh://example.invalid/x", "host:x", "../nowhere",
                "file:///nowhere", "ext::sh -c true"]
    )  # fmt: skip
    def test_remotes_make_a_clone(self, repo, git, url):
        """Wherever it may have come from, if that isn't a folder of this user's."""
        git(repo, "remote", "add", "other", url)
        assert not is_trusted(repo)
        with pytest.raises(UntrustedError, match="furrow trust"):
            require_trust(repo, "this runs it")

    def test_local_remotes_are_judged_in_turn(self, repo, tmp_path, git):
        """A clone of one's own is one's own; a clone of a stranger's clone is a stranger's; two of each other end."""
        git(tmp_path, "clone", "-q", str(repo), "b")
        git(tmp_path, "clone", "-q", f"file://{tmp_path}/b", "c")
        assert is_trusted(tmp_path / "c")
        git(repo, "remote", "add", "origin", "https://example.invalid/x")
        assert not is_trusted(tmp_path / "b")
        assert not is_trusted(tmp_path / "c")
        remember_trust(repo)
        assert is_trusted(tmp_path / "c")
        git(repo, "remote", "set-url", "origin", str(tmp_path / "c"))
        assert not is_trusted(tmp_path / "c")

    def test_another_repository_in_the_same_place(self, clone, git, tmp_path):
        """Another remote, or a folder that was made anew, is asked for again; a work tree is not."""
        remember_trust(clone)
        assert is_trusted(clone)
        git(clone, "worktree", "add", "-q", str(tmp_path / "tree"))
        assert is_trusted(tmp_path / "tree")
        git(clone, "remote", "add", "stranger", "https://example.invalid/fork.git")
        assert not is_trusted(clone)
        git(clone, "remote", "remove", "stranger")
        assert is_trusted(clone)
        clone.rename(tmp_path / "before")
        git(tmp_path, "clone", "-q", str(tmp_path / "before"), str(clone))
        git(clone, "remote", "set-url", "origin", "https://example.invalid/stranger.git")
        assert not is_trusted(clone)

    @pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
    def test_a_list_that_others_may_write_counts_for_nothing(self, clone, mode):
        """The file is this user's alone."""
        remember_trust(clone)
        path = trust._file()
        assert path.stat().st_mode & 0o777 == 0o600
        assert clone not in path.parents
        path.chmod(mode)
        assert not is_trusted(clone)

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", '{"format": 1, "trusted": []}', '{"format": 9, "trusted": {}}']
    )
    def test_a_damaged_list_counts_for_nothing(self, clone, text):
        """And is written anew."""
        remember_trust(clone)
        trust._file().write_text(text)
        assert not is_trusted(clone)
        remember_trust(clone)
        assert is_trusted(clone)

    def test_the_environment_of_a_job(self, clone, monkeypatch):
        """CI says it for a job: with that word and no other."""
        monkeypatch.setenv("FURROW_TRUST", "0")
        assert not is_trusted(clone)
        monkeypatch.setenv("FURROW_TRUST", "1")
        assert is_trusted(clone)
