"""`furrow fsck`: each part damaged by hand is named, with what brings it back; --repair mends what can be."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.cli import fsck as fsck_cli
from furrow.governance.content_check import Shelf
from furrow.governance.finding import BAD, Finding
from furrow.governance.fsck import fsck
from furrow.governance.needed_contents import needed_contents
from furrow.ground.dvc_remote_folder import remote_address_of, remote_folder
from furrow.ground.notes import add_line
from furrow.ground.runcache import store
from furrow.history.runs_index import place
from furrow.serving.log_check import damaged_files, leftovers
from tests.proof.signingpeople import commit, run

FILES = {"model.joblib": b"a model", "bundle.json": b"{}"}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


LISTING = json.dumps(
    [{"md5": md5(content), "relpath": name} for name, content in sorted(FILES.items())]
).encode()
FOLDER = f"{md5(LISTING)}.dir"


def lock(path: str, name: str) -> str:
    return f"schema: '2.0'\nstages:\n  train:\n    cmd: 'true'\n    outs:\n    - path: {path}\n      hash: md5\n      md5: {name}\n"


def build(root: Path) -> Path:
    """A project with one stage whose output is a folder, in the cache and in a remote that is a folder."""
    root.mkdir()
    run(root, "git", "init", "-q", "-b", "main")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n"
    )
    (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n")
    (root / ".gitignore").write_text("/build\n/.furrow\n")
    (root / "conf").mkdir()
    (root / "conf/ci.yaml").write_text("branch: main\n")
    (root / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: 'true'\n    outs:\n    - build/models/gbm\n"
    )
    (root / "dvc.lock").write_text(lock("build/models/gbm", FOLDER))
    for content in FILES.values():
        store(root, md5(content), content)
    store(root, FOLDER, LISTING)
    shutil.copytree(root / ".dvc/cache", root.parent / "remote")
    commit(root, "first")
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built") / "project")


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built.parent, tmp_path / "copy")
    return tmp_path / "copy/project"


def bad(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.part, one.state) for one in found if one.state != "ok"]


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def test_what_is_whole_is_said_to_be(root: Path) -> None:
    found = fsck(root)
    assert bad(found) == []
    assert {one.part for one in found} == {
        "Git",
        "DVC cache",
        "DVC remote",
        "versions",
        "notes",
        "index",
    }
    assert remote_folder(root) == root.parent / "remote"
    assert remote_address_of(root) == "../../remote"
    (one,) = needed_contents(root).values()
    assert (one.path, one.by) == ("build/models/gbm", ["HEAD, main"]) or one.by == ["HEAD"]


@pytest.mark.parametrize("name", [md5(FILES["model.joblib"]), FOLDER])
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_the_cache_is_mended_from_the_remote(root: Path, name: str, how: str) -> None:
    """A file or a folder's list that is gone, or of other bytes though it is write-protected."""
    path = Shelf(root / ".dvc/cache").place(name)
    if how == "gone":
        path.unlink()
    else:
        overwrite(path, b"other bytes")
    found = fsck(root)
    state = "missing" if how == "gone" else "damaged"
    assert bad(found) == [("DVC cache", state)]
    assert "the remote has it" in next(one.how for one in found if one.state == state)
    assert bad(fsck(root)) == bad(found)  # looking changes nothing
    assert bad(fsck(root, repair=True)) == [("DVC cache", "mended")]
    assert bad(fsck(root)) == []
    assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == name.removesuffix(
        ".dir"
    )


def test_what_is_damaged_everywhere_is_set_aside(root: Path) -> None:
    """DVC believes write-protected contents: a damaged one must not stay where it is found."""
    name = md5(FILES["model.joblib"])
    path = Shelf(root / ".dvc/cache").place(name)
    overwrite(path, b"other bytes")
    overwrite(Shelf(root.parent / "remote").place(name), b"other, too")
    found = fsck(root, repair=True)
    assert bad(found) == [("DVC cache", "damaged"), ("DVC remote", "damaged")]
    assert "furrow apply" in found[1].how
    assert not path.exists()
    assert (root / ".furrow/damaged" / name).read_bytes() == b"other bytes"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda root: Shelf(root.parent / "remote").place(FOLDER).unlink(), ("DVC remote", "odd")),
        (lambda root: shutil.rmtree(root.parent / "remote"), ("DVC remote", "missing")),
        (lambda root: (root / ".dvc/config").write_text(""), ("DVC remote", "odd")),
        (
            lambda root: (root / ".dvc/config").write_text(
                "[core]\nremote = a\n['remote \"a\"']\nurl = s3://b/c\n"
            ),
            ("DVC remote", "unknown"),
        ),
    ],
)
def test_a_remote_that_is_not_whole(
    root: Path, spoil: Callable[[Path], object], expected: tuple[str, str]
) -> None:
    spoil(root)
    assert bad(fsck(root)) == [expected]


def test_the_index_is_only_a_cache(root: Path) -> None:
    path = place(root / ".git")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert bad(fsck(root)) == [("index", "stale")]
    assert bad(fsck(root, repair=True)) == [("index", "mended")]
    assert not path.exists()
    assert bad(fsck(root)) == []


def test_a_statement_that_is_cut_short(root: Path) -> None:
    head = run(root, "git", "rev-parse", "HEAD").strip()
    add_line(root, "replay", head, '{"payload":"abc')
    assert bad(fsck(root, repair=True)) == [("notes", "damaged")]


def test_a_git_object_that_is_gone_and_a_tag_of_nothing(root: Path) -> None:
    """What can't be looked at without it is said to be unknown, and hides nothing else."""
    tree = run(root, "git", "rev-parse", "HEAD:conf").strip()
    later = commit(root, "later")
    run(root, "git", "tag", "gbm@v1.0.0", later)
    run(root, "git", "reset", "-q", "--hard", "HEAD~1")
    (root / ".git/objects" / later[:2] / later[2:]).unlink()
    (root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    found = fsck(root)
    assert ("Git", "damaged") in bad(found)
    assert ("versions", "lost") in bad(found)
    assert {"index", "notes"} <= {one.part for one in found if one.state == "ok"}


def test_a_log_with_a_damaged_file(root: Path) -> None:
    log = root / ".furrow/serving/production/log"
    sealed = log / "sealed/2024-01-01T00/segment"
    sealed.mkdir(parents=True)
    (sealed / "gbm.parquet").write_bytes(b"PAR1 no parquet PAR1")
    (sealed / "notes.json").write_text(
        '{"format": 1, "dropped": 3, "sampled_out": 0, "damaged": 7, "why": "disk"}'
    )
    (log / "live").mkdir()
    (log / "live/segment.log").write_bytes(b"")
    said = [one.said for one in fsck(root) if one.part == "log"]
    assert len(said) == 4
    assert "can't be read" in said[0]
    assert said[1:3] == [
        "production: 7 bytes are not a whole record",
        "production: 3 records were dropped: disk",
    ]
    assert damaged_files(log) == [sealed / "gbm.parquet"]
    assert [path.name for path in leftovers(log)] == ["segment.log"]


def test_the_command_says_it_and_fails(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert fsck_cli.command.main(["--json"], standalone_mode=False) == 0
    Shelf(root / ".dvc/cache").place(FOLDER).unlink()
    assert fsck_cli.command.main([], standalone_mode=False) == 1
    out = capsys.readouterr().out
    assert "1 of " in out
    assert "missing" in out
    assert fsck_cli.command.main(["--repair", "--json"], standalone_mode=False) == 0
    assert BAD


@settings(max_examples=15)
@given(st.sampled_from([*(md5(one) for one in FILES.values()), FOLDER]), st.binary(max_size=40))
def test_any_other_bytes_are_found(built: Path, name: str, content: bytes) -> None:
    """Whatever a content's bytes become, it is told from a whole one by its hash."""
    shelf = Shelf(built / ".dvc/cache")
    path = shelf.place(name)
    true = path.read_bytes()
    try:
        overwrite(path, content)
        assert (Shelf(built / ".dvc/cache").state(name) == "ok") is (content == true)
    finally:
        overwrite(path, true)


def test_many_that_are_alike_are_one_row() -> None:
    """A clone that has fetched nothing yet is told so once; a few, and those that differ, one by one."""
    alike = [Finding("DVC cache", "missing", f"{n}: 1 missing", "dvc pull") for n in range(9)]
    other = Finding("DVC cache", "damaged", "x", "dvc pull")
    rows = list(fsck_cli._rows([*alike, other, *alike[:1]]))
    assert [row[2] for row in rows] == ["10 contents, such as 0: 1 missing", "x"]
    assert len(list(fsck_cli._rows(alike[:5]))) == 5
