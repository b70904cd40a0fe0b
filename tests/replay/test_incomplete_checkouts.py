"""Clones that lack something, or make files otherwise than they are stored: brought, or said; never called different."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.ground.checkout_parts import IncompleteError
from furrow.ground.git import foreign
from furrow.ground.worktree import checkout
from furrow.replay.replay_request import Options
from furrow.replay.run_again import replay
from furrow.replay.statement import read_verdicts

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
DVC_YAML = "stages:\n  use:\n    cmd: {command}\n    deps: [{dep}]\n    outs:\n      - out.txt: {{cache: false}}\n"
DVC_LOCK = """schema: '2.0'
stages:
  use:
    cmd: {command}
    deps:
    - path: {dep}
      hash: md5
      md5: {before}
      size: {size}
    outs:
    - path: out.txt
      hash: md5
      md5: {after}
      size: {length}
"""


def git(folder: Path, *words: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
    )
    assert not check or not done.returncode, done.stderr
    return done.stdout.strip()


def made(
    folder: Path,
    *,
    seen: bytes = b"hello\nworld\n",
    dep: str = "note.txt",
    result: bytes | None = None,
) -> Path:
    """A project with a stage that turns a file round, recorded as run on what its author saw of the file."""
    if not (folder / ".git").exists():
        git(folder.parent, "init", "-q", "-b", "main", str(folder))
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
    whole = folder / dep
    whole.parent.mkdir(parents=True, exist_ok=True)
    if not whole.exists():
        whole.write_bytes(seen)
    out = seen[::-1] if result is None else result
    (folder / "out.txt").write_bytes(out)
    command = f"{sys.executable} -c \"import sys; sys.stdout.buffer.write(open('{dep}', 'rb').read()[::-1])\" > out.txt"
    facts = {
        "command": "'" + command.replace("'", "''") + "'", "dep": dep, "size": len(seen), "length": len(out),
        "before": hashlib.md5(seen).hexdigest(), "after": hashlib.md5(out).hexdigest(),
    }  # fmt: skip
    (folder / "dvc.yaml").write_text(DVC_YAML.format(**facts))
    (folder / "dvc.lock").write_text(DVC_LOCK.format(**facts))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "run")
    return folder


def status(folder: Path) -> str:
    """The verdict on HEAD."""
    return replay(folder, "HEAD", Options(diagnose=False)).status


@pytest.fixture
def upper(tmp_path):
    """A clone whose own config has a filter that shows note.txt in capitals, as its author has it."""
    folder = tmp_path / "upper"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "config", "filter.case.clean", "tr A-Z a-z")
    git(folder, "config", "filter.case.smudge", "tr a-z A-Z")
    (folder / ".gitattributes").write_text("note.txt filter=case\n")
    return made(folder, seen=b"HELLO\n")


def test_filters_of_the_clone(upper, tmp_path):
    """What the clone's own config says of files holds in the checkout, also for an output that Git keeps."""
    assert git(upper, "cat-file", "blob", "HEAD:note.txt") == "hello"
    assert status(upper) == "identical"
    (upper / ".gitattributes").write_text("*.txt filter=case\n")
    made(upper, seen=b"HELLO\n")
    assert git(upper, "cat-file", "blob", "HEAD:out.txt") == "olleh"
    assert status(upper) == "identical"


def test_attributes_of_the_clone_alone(upper):
    """Attributes that no commit holds (info/attributes) count as well."""
    (upper / ".git/info").mkdir(exist_ok=True)
    (upper / ".git/info/attributes").write_text("note.txt filter=case\n")
    git(upper, "rm", "-q", ".gitattributes")
    git(upper, "commit", "-q", "-m", "attributes are mine")
    assert status(upper) == "identical"


def test_a_filter_that_is_not_here(upper, tmp_path):
    """In another clone without the filter nothing is judged: it says why, exits 1, and writes no note."""
    git(tmp_path, "clone", "-q", str(upper), "other")
    other = tmp_path / "other"
    command = [sys.executable, "-P", "-m", "furrow", "replay"]
    done = subprocess.run(command, cwd=other, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        "could not be replayed: because note.txt goes through the filter case, which is not set up"
        in done.stderr
    )
    assert read_verdicts(other, git(other, "rev-parse", "HEAD")) == []
    assert git(other, "for-each-ref", "refs/notes") == ""


def test_a_filter_that_changes_nothing_recorded(tmp_path):
    """A filter that is not here, and without which files are what was recorded, is no hindrance; nor for strangers."""
    folder = tmp_path / "p"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / ".gitattributes").write_text("*.txt filter=nbstripout\n*.md filter=other\n")
    (folder / "README.md").write_text("hello\n")
    made(folder)
    assert status(folder) == "identical"
    with foreign():
        assert status(folder) == "identical"


def test_different_while_something_is_lacking(tmp_path):
    """A stage that fails, or gives something else, in a checkout that lacks something accuses nobody."""
    folder = tmp_path / "p"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / ".gitattributes").write_text("*.md filter=other\n")
    (folder / "README.md").write_text("hello\n")
    made(folder, result=b"edited by hand\n")
    with pytest.raises(IncompleteError, match=r"because README\.md goes through the filter other"):
        status(folder)
    git(folder, "config", "filter.other.smudge", "cat")
    assert status(folder) == "different"


def test_a_pointer_without_its_content(tmp_path):
    """Git LFS leaves a pointer where it has no content: with the content it is replayed, without it that is said."""
    folder, store = tmp_path / "p", tmp_path / "store"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    store.mkdir()
    keep = f"{sys.executable} -c \"import sys; open('{store}/x', 'wb').write(sys.stdin.buffer.read()); sys.stdout.buffer.write({POINTER!r})\""
    find = f"{sys.executable} -c \"import sys, os; p = sys.stdin.buffer.read(); sys.stdout.buffer.write(open('{store}/x', 'rb').read() if os.path.exists('{store}/x') else p)\""
    git(folder, "config", "filter.lfs.clean", keep)
    git(folder, "config", "filter.lfs.smudge", find)
    (folder / ".gitattributes").write_text("note.txt filter=lfs\n")
    made(folder)
    assert git(folder, "cat-file", "blob", "HEAD:note.txt").startswith("version https://git-lfs")
    assert status(folder) == "identical"
    shutil.rmtree(store)
    with pytest.raises(
        IncompleteError, match=r"because note\.txt is only a pointer to its content"
    ):
        status(folder)
    git(folder, "config", "filter.lfs.smudge", "false")
    git(folder, "config", "filter.lfs.required", "true")
    with pytest.raises(IncompleteError, match="because Git can't check it out"):
        status(folder)


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_a_partial_clone(tmp_path, kind):
    """What a clone left out is asked of the remote that promised it; when that is gone, the remote is named."""
    made(tmp_path / "p")
    (tmp_path / "p/dvc.yaml").write_text((tmp_path / "p/dvc.yaml").read_text() + "# a remark\n")
    git(tmp_path / "p", "commit", "-q", "-am", "later")
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(tmp_path / "p", "config", name, "true")
    git(tmp_path, "clone", "-q", "--no-checkout", f"--filter={kind}", f"file://{tmp_path}/p", "c")
    shutil.copytree(tmp_path / "c", tmp_path / "late")
    assert replay(tmp_path / "c", "HEAD~1", Options(diagnose=False)).status == "identical"
    (tmp_path / "p").rename(tmp_path / "gone")
    assert replay(tmp_path / "c", "HEAD~1", Options(diagnose=False)).status == "identical"
    with pytest.raises(IncompleteError, match="the remote origin, which promised them") as caught:
        list(_checked_out(tmp_path / "late"))
    assert "git fetch origin" in caught.value.hint


def _checked_out(folder: Path):
    with checkout(folder, git(folder, "rev-parse", "HEAD")) as tree:
        yield tree.root


def test_a_lost_object(tmp_path):
    """An object that nobody promised is named; nothing is judged."""
    folder = made(tmp_path / "p")
    blob = git(folder, "rev-parse", "HEAD:note.txt")
    (folder / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    with pytest.raises(
        IncompleteError, match=f"1 of its objects are not in this clone \\({blob[:10]}"
    ):
        status(folder)


def test_submodules(tmp_path, monkeypatch):
    """From the clone's own copy, from where it is, or not at all; nested ones too."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    for name in ("inner", "outer"):
        git(tmp_path, "init", "-q", "-b", "main", name)
        (tmp_path / name / "data.txt").write_text(f"{name}\n")
        if name == "outer":
            git(tmp_path / name, "submodule", "--quiet", "add", str(tmp_path / "inner"), "deep")
        git(tmp_path / name, "add", "-A")
        git(tmp_path / name, "commit", "-q", "-m", name)
    folder = tmp_path / "p"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "submodule", "--quiet", "add", "../outer", "sub")
    git(folder, "submodule", "--quiet", "update", "--init", "--recursive")
    git(folder, "config", "remote.origin.url", str(folder))
    made(folder, dep="sub/deep/data.txt", seen=b"inner\n")
    assert status(folder) == "identical"
    git(tmp_path, "clone", "-q", str(folder), "fresh")
    assert status(tmp_path / "fresh") == "identical"
    (tmp_path / "outer").rename(tmp_path / "away")
    (tmp_path / "inner").rename(tmp_path / "away too")
    assert status(folder) == "identical"
    with pytest.raises(IncompleteError, match="because the submodule sub is not to be had"):
        status(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("recorded", "setting"),
    [(b"a\nb\n", "true"), (b"a\r\nb\r\n", "false"), (b"a\r\nb\r\n", "true")],
)
def test_line_ends(tmp_path, recorded, setting):
    """Whoever committed, and whoever replays, with whichever line ends: what was recorded decides."""
    folder = tmp_path / "p"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "config", "core.autocrlf", "input")
    made(folder, seen=recorded)
    assert git(folder, "cat-file", "-s", "HEAD:note.txt") == "4"
    git(folder, "config", "core.autocrlf", setting)
    assert status(folder) == "identical"


def test_what_the_clone_hides_from_itself(tmp_path):
    """Sparse checkouts, and files that Git is told to look away from, leave the commit as it is."""
    folder = made(tmp_path / "p")
    git(folder, "update-index", "--assume-unchanged", "note.txt")
    (folder / "note.txt").write_text("something else\n")
    assert status(folder) == "identical"
    git(folder, "update-index", "--no-assume-unchanged", "note.txt")
    git(folder, "checkout", "-q", "note.txt")
    git(folder, "sparse-checkout", "set", "--no-cone", "/dvc.yaml")
    assert not (folder / "note.txt").exists()
    assert status(folder) == "identical"
