"""Every verb of the command line in a clone that nobody trusts: none runs anything of it; those that would, ask.

A verb that is new stands in neither list, and fails the first test until somebody has thought about
it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import click
import pytest

from furrow.cli.group import cli
from furrow.cli.main import _run
from furrow.clone.merge import install
from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.features.on_demand import OnDemandError
from furrow.files import machine_file, write_json
from furrow.plan.lookup import COMPILED
from furrow.stores.lmdb_store import LmdbStore
from furrow.stores.store_api import ViewMissingError
from tests.attack.test_reading import clone as clone  # noqa: PLC0414 - a clone whose branch `hostile` is full of plants
from tests.attack.test_reading import markers as markers  # noqa: PLC0414 - what they leave when they run

pytestmark = pytest.mark.attack
ROOT = Path(__file__).parents[2]

READS = {
    "plan": [["plan"], ["plan", "--json", "--no-local"], ["plan", "--rev", "main..hostile"]],
    "features list": [["features", "list"], ["features", "list", "--json"]],
    "features show": [["features", "show", "traffic"]],
    "features search": [["features", "search", "wind"]],
    "features digest": [["features", "digest"]],
    "features diff": [["features", "diff", "main"]],
    "runs": [["runs"], ["runs", "--all", "--csv"]],
    "runs show": [["runs", "show", "gbm"]],
    "runs note": [["runs", "note", "gbm"], ["runs", "note", "gbm", "words", "--tag", "good"]],
    "runs diff": [["runs", "diff", "gbm@main", "gbm"]],
    "runs history": [["runs", "history", "gbm"]],
    "runs watch": [["runs", "watch", "--once"]],
    "gate": [["gate"]],
    "models list": [["models", "list"]],
    "models show": [["models", "show", "gbm"]],
    "models card": [["models", "card", "gbm"]],
    "models diff": [["models", "diff", "gbm", "gbm"]],
    "models log": [["models", "log"]],
    "models get": [["models", "get", "gbm", "--out", "got"]],
    "data check": [["data", "check"]],
    "data profile": [["data", "profile"]],
    "data card": [["data", "card", "late"]],
    "verify": [["verify"], ["verify", "hostile", "--json"]],
    "fsck": [["fsck"]],  # with --repair it asks
    "audit": [["audit", "2013", "--json"], ["audit", "gbm"], ["audit", "--key", "a=b", "--json"]],
    "gc": [["gc"], ["gc", "--json"]],
    "ui": [["ui", "--export", "site", "--port", "0"]],  # the server answers what its export writes
    "score": [["score"], ["score", "hostile", "--json"]],
    "cost": [["cost"]],
    "approve": [["approve", "gbm", "--to", "production"]],
    "ci status": [["ci", "status"]],
    "ci run-queue": [["ci", "run-queue"]],
    "ci install": [["ci", "install", "."]],
    "install": [["install"]],
    "trust": [["trust", "--list"]],
    "serve": [
        ["serve", "build/models/gbm"]
    ],  # no bundle; it asks where there are on-demand features
    "deployments": [["deployments"], ["deployments", "production", "--json"]],
    "status": [["status", "production"]],
    "log": [["log", ".", "select 1"]],
    "trace": [["trace", "01a22be3-714b-710b-adeb-4a4821a9689c"]],
    "hold": [["hold", "production"]],
    "release": [["release", "production"]],
    "rollback": [["rollback", "production"]],
    "pause": [["pause"], ["pause", "production", "--why", "x"]],
    "resume": [["resume", "production"]],
    "completion": [["completion", "bash"]],
    "doctor": [["doctor"], ["doctor", "--json"]],
    "man": [["man"]],
    "schema": [["schema"]],
    "import dvc": [["import", "dvc"]],
    "import mlflow": [["import", "mlflow", "mlruns"]],
    "labels land": [["labels", "land", "labels.csv", "--problem", "late"]],
    "monitor": [["monitor", "--log", "."]],
    # These write what Git declares, and run nothing of what stands there.
    "models promote": [["models", "promote", "gbm", "--to", "production"]],
    "models rollback": [["models", "rollback", "production"]],
    "models register": [["models", "register"]],
    "adopt": [["adopt", "trial", "as", "new"]],
}
ASKS = {
    "compile": ["compile"],
    "init": ["init", "data.csv", "--predict", "late"],
    "apply": ["apply"],
    "add table": ["add", "table", "spending", "--of", "orders"],
    "add view": ["add", "view", "traffic"],
    "add service": ["add", "service", "all"],
    "add experiment": ["add", "experiment", "deep"],
    "add problem": ["add", "problem", "late", "--predict", "late"],
    "add metric": ["add", "metric", "cost"],
    "features compare-stores": ["features", "compare-stores", "full", "dvc.yaml"],
    "replay": ["replay"],
    "try": ["try", "gbm", "seed=1"],
    "ci": ["ci"],
    "retrain": ["retrain", "production"],
    "simulate": ["simulate", "production", "--from", "2013-01", "--to", "2013-02"],
    "predict": ["predict", "--origin", "JFK"],
    "features materialize": ["features", "materialize"],
    "features verify": ["features", "verify"],
    "features push": ["features", "push", "traffic", "-e", "origin=JFK"],
    "features get": ["features", "get", "full", "-e", "origin=JFK"],
}
# the hook's, in a bare repository; what a jail runs; and what is spoken to: tests/assistants does
HIDDEN = {"ci hook", "ci rejudge", "mcp"}


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that does something, hidden ones too."""
    for name in group.list_commands(click.Context(group)) or ():
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            if found.invoke_without_command:
                yield " ".join([*before, name])
            yield from leaves(found, (*before, name))
        elif found is not None:
            yield " ".join([*before, name])


def test_each_verb_is_thought_of():
    """It reads, or it asks for trust."""
    named = {*leaves(cli), "runs"}  # a list of runs is answered before click is loaded
    assert named - HIDDEN == {*READS, *ASKS}


class Watch:
    """Code of a folder that this process runs, and processes that it starts there by a name of the folder's."""

    def __init__(self) -> None:
        self.folder, self.seen = "", list[str]()

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.folder and event == "exec" and isinstance(arguments[0], CodeType):
            if arguments[0].co_filename.startswith(self.folder):
                self.seen.append(arguments[0].co_filename)
        elif (
            self.folder
            and event == "subprocess.Popen"
            and str(arguments[0]).startswith((self.folder, "."))
        ):
            self.seen.append(str(arguments[0]))


WATCH = Watch()
sys.addaudithook(
    WATCH
)  # there is no way to take one away: it sees nothing while no folder is named


@pytest.fixture
def hostile(clone: Path, git, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That clone on its hostile branch, worked in and watched."""
    git(clone, "switch", "-q", "hostile")
    monkeypatch.chdir(clone)
    WATCH.folder, WATCH.seen = str(clone), []
    yield clone
    WATCH.folder = ""


def called(words: list[str]) -> tuple[int, str]:
    """The exit code and the error that a person is told; a bug is one of the test."""
    try:
        return _run(words), ""
    except FurrowError as exc:
        return exc.exit_code, f"{exc} {exc.hint}"


def test_verbs_that_read(hostile, markers):
    """An answer or a known error, never a bug, and nothing of the clone ran: neither a plant nor any other code of it."""
    for name, calls in READS.items():
        for words in calls:
            code, said = called(words)
            assert code in {0, 1, 4}, (words, said)
            assert name == "models get" or "not trusted" not in said, (words, said)
            assert WATCH.seen == [], name
            assert not list(markers.iterdir()), name


def test_verbs_that_ask(hostile, markers):
    """They name what they would run; nothing ran before."""
    for name, words in ASKS.items():
        code, said = called(words)
        assert code == 1, (name, said)
        assert WATCH.seen == [], name
        assert not list(markers.iterdir()), name
        if not name.startswith("features "):  # some of those find first that there is no store
            assert "is not trusted to run code here" in said, (name, said)


def test_the_watch_sees(hostile):
    """It can fail."""
    exec(compile("1", f"{hostile}/x.py", "exec"))
    assert WATCH.seen == [f"{hostile}/x.py"]


def test_a_client_runs_no_code_of_a_clone(clone, tmp_path, monkeypatch):
    """In Python too: on-demand features of a clone's manifest wait for trust, or for a digest that the caller knows."""
    text = (ROOT / "tests/features/samples/manifest_1.json").read_text()
    (clone / "features/manifest.json").write_text(text)
    store = LmdbStore(tmp_path / "store", create=True)
    monkeypatch.setattr(
        "furrow.features.client.open_reader", lambda *_, **__: store
    )  # a real one, in a place of our own

    def runs(**options: str) -> bool:
        client = FeatureClient.open(clone / "features", **options)
        try:
            client.get("full", [])
        except OnDemandError as exc:
            assert "furrow trust" in exc.hint  # noqa: PT017 - either is right
            return False
        except ViewMissingError:  # the code may run; this store has nothing for it
            return True
        pytest.fail("an empty store answered")

    assert not runs()
    assert runs(digest=json.loads(text)["digest"])
    monkeypatch.setenv("FURROW_TRUST", "1")
    assert runs()
    store.close()


def test_links_in_the_place_of_what_is_written(clone, git, tmp_path, monkeypatch):
    """.gitattributes, .furrow and build may be links in a commit: nothing is written, or copied, through them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "credentials").write_text("hunter2\n")
    for name, target in ((".gitattributes", "credentials"), (".furrow", "."), ("build", ".")):
        subprocess.run(["rm", "-rf", str(clone / name)], check=True)
        (clone / name).symlink_to((outside / target).resolve())
    with pytest.raises(FurrowError, match="symbolic link"):
        install(clone)
    assert (clone / ".gitattributes").is_symlink()
    for path in (COMPILED, "build/profile.html", ".furrow/ci/x/report.md"):
        with pytest.raises(FurrowError, match="symbolic link"):
            write_json(machine_file(clone, path), {})
    monkeypatch.chdir(clone)
    for words in (["features", "list"], ["plan"], ["data", "profile"], ["install"]):
        called(words)
    assert [path.name for path in outside.iterdir()] == ["credentials"]
    assert (outside / "credentials").read_text() == "hunter2\n"
