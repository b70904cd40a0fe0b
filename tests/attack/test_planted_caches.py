"""What this machine remembers under .furrow is never read out of a commit, nor out of a clone that nobody trusts."""

from __future__ import annotations

import json
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from furrow import __version__
from furrow.features.digest import seal
from furrow.features.manifest_cache import KNOWN
from furrow.features.schema import Manifest, OnlineStore
from furrow.files import sha256_json, write_json
from furrow.ground.kept_here import is_kept_here, read_kept
from furrow.ground.trust import remember_trust
from furrow.layout import DVC_YAML, MANIFEST, PIPELINE
from furrow.plan.baseline import FORMS, Baseline
from furrow.plan.between_revisions import plan_between
from furrow.plan.lookup import COMPILED
from furrow.plan.machine_state import APPLIED
from furrow.training.journal import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.attack

STAGES = """stages:
  compile:
    cmd: furrow compile
    deps: [conf/gate.yaml]
    outs:
      - runs/pipeline.json: {cache: false}
"""


@pytest.fixture(autouse=True)
def nothing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust is asked for, whoever runs the tests."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)


def _planted(tree: Path, **inputs: str) -> None:
    """A memory of what compiling these very inputs gave, as an author of a commit can write it."""
    read = {
        name: md5(text.encode(), usedforsecurity=False).hexdigest() for name, text in inputs.items()
    }
    manifest = seal(Manifest(project="p", digest="", online_store=OnlineStore("lmdb"))).to_json()
    texts = {MANIFEST: json.dumps(manifest), PIPELINE: "{}"}
    said = {"format": 1, "key": sha256_json([__version__, read]), "texts": texts}
    write_json(tree / COMPILED, said)


@pytest.mark.parametrize("checked_out", [True, False])
def test_a_commit_says_nothing_of_what_compiling_it_gives(
    repo: Path, git: Callable[..., str], checked_out: bool
) -> None:
    """A declaration that is nonsense is told, though the commit holds a memory that all is well."""
    (repo / "conf").mkdir(exist_ok=True)
    (repo / "conf/gate.yaml").write_text("fine\n")
    (repo / DVC_YAML).write_text(STAGES)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "before")
    (repo / "conf/gate.yaml").write_text("nonsense\n")
    _planted(repo, **{"conf/gate.yaml": "nonsense\n", DVC_YAML: STAGES})
    git(repo, "add", "-fA")
    git(repo, "commit", "-qm", "a memory beside it")
    if not checked_out:
        git(repo, "checkout", "-q", "HEAD~1")
    tip = git(repo, "rev-parse", "--branches").split()[0]
    [stage] = plan_between(repo, f"{tip}~1..{tip}").plan.stages
    assert (stage.name, stage.action) == ("compile", "unknown")
    assert "feature_store.yaml" in stage.why[0]  # it was really asked


def test_a_commit_says_nothing_of_what_queries_mean(repo: Path, git: Callable[..., str]) -> None:
    """Another query is no change of form because a commit says so; what this machine saw counts."""
    (repo / "a.sql").write_text("select 2 as x from t\n")
    old = "select 1 as x from t\n"
    name = md5(old.encode(), usedforsecurity=False).hexdigest()
    new = md5((repo / "a.sql").read_bytes(), usedforsecurity=False).hexdigest()
    write_json(repo / FORMS, {"format": 1, "forms": {name: "f", new: "f"}})
    assert Baseline(repo).same_sql("a.sql", name)
    git(repo, "add", "-f", FORMS)
    assert not Baseline(repo).same_sql("a.sql", name)


@pytest.mark.parametrize("path", [COMPILED, FORMS, APPLIED, JOURNAL, KNOWN.as_posix()])
@pytest.mark.parametrize("way", ["file", "link", "repository", "clone"])
def test_who_wrote_it(repo: Path, git: Callable[..., str], path: str, way: str) -> None:
    """Its own is read; a tracked file, a tracked link or another repository in its place, and a stranger's clone are not."""
    write_json(repo / path, {"format": 1})
    assert read_kept(repo, path) == {"format": 1}
    if way == "file":
        git(repo, "add", "-f", path)
    elif way == "link":
        (repo / ".furrow").rename(repo / "elsewhere")
        (repo / ".furrow").symlink_to("elsewhere")
        git(repo, "add", "-fA")
    elif way == "repository":
        tip = git(repo, "rev-parse", "HEAD").strip()
        git(repo, "update-index", "--add", "--cacheinfo", f"160000,{tip},.furrow")
    else:
        git(repo, "remote", "add", "origin", "https://example.com/x.git")
    assert read_kept(repo, path) is None
    assert not is_kept_here(repo)
    if way == "clone":
        remember_trust(repo)
        assert read_kept(repo, path) == {"format": 1}


def test_a_folder_of_a_commits_files_holds_nothing_of_this_machine(tmp_path: Path) -> None:
    """What is no checkout was taken out of a commit, perhaps."""
    write_json(tmp_path / "tree" / COMPILED, {"format": 1})
    assert read_kept(tmp_path / "tree", COMPILED) is None
