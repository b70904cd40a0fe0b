"""Small parts of ground: what .dvcignore hides, what was read of a pipeline, the watch, the jail's own looks, OpenMP."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.ground import dvcdirs
from furrow.ground.dvc import Project
from furrow.ground.dvcignore import Ignored
from furrow.ground.hashes import Hasher
from furrow.ground.jail_check import check
from furrow.ground.jail_mounts import mounts
from furrow.ground.openmp import wait_asleep
from furrow.ground.pipeline_memo import Memo, stage_files
from furrow.ground.pipeline_spec import Dep, Out, Params, Pipeline, Source, Step
from furrow.ground.signatures import is_signed
from furrow.ground.syscalls import libc_call
from furrow.ground.watch.sitecustomize import _Function, _reads


@pytest.fixture
def project(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    (repo / ".dvc/tmp").mkdir(parents=True)
    (repo / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (repo / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
    return repo


RULES = st.lists(
    st.sampled_from(
        [
            "*.tmp",
            "sub/",
            "/a.txt",
            "a",
            "b/**",
            "**/c.txt",
            "!c.txt",
            "# no",
            "\\#x",
            "a?txt",
            "sub/a.txt",
        ]
    ),
    max_size=4,
    unique=True,
)
TREE = (
    "a.txt",
    "x.tmp",
    "sub/a.txt",
    "sub/c.txt",
    "b/a",
    "b/d/c.txt",
    "a/b/c.txt",
    "d/sub/x",
    "#x",
)


def test_what_dvcignore_hides_is_what_dvc_hides(tmp_path: Path) -> None:
    """Of files and folders, with rules at the top and further down, and ones that take others back."""
    top = tmp_path / "p"
    for name in TREE:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("")
    (top / ".dvc").mkdir()
    from dvc.fs import LocalFileSystem  # noqa: PLC0415 - the peer
    from dvc.ignore import DvcIgnoreFilter  # noqa: PLC0415

    @settings(max_examples=40)
    @given(RULES, RULES)
    def same(first: list[str], second: list[str]) -> None:
        (top / ".dvcignore").write_text("\n".join(first) + "\n")
        below = top / "b/.dvcignore"
        below.write_text("\n".join(second) + "\n") if second else below.unlink(missing_ok=True)
        ours, theirs = Ignored(top), DvcIgnoreFilter(LocalFileSystem(), str(top))
        for path in top.rglob("*"):
            if ".dvc" in path.parts:
                continue
            folder = path.is_dir()
            hidden = (
                theirs.is_ignored_dir(str(path)) if folder else theirs.is_ignored_file(str(path))
            )
            assert ours(str(path), folder=folder) == bool(hidden), (path, first, second)

    same()


STEP = Step(
    "train@a", ["one", "two"], ".", (Dep("in", "in", "m1"),),
    (Params("params.yaml", "params.yaml", ("a",), {"a": 1.5, "when": (1, 2)}),),
    (Out("out", "out", "m2", cached=False, persist=True),), recorded=True, locked_cmd="one",
)  # fmt: skip


def test_what_was_read_is_remembered_while_no_file_changes(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: {}\n")
    memo = Memo(project, project, Hasher(project, remember=False))
    found = Pipeline(
        {"train@a": STEP}, (Source("data.dvc", "data", "m3"),), {"gone": ("x",)}, (), ("dvc.yaml",)
    )
    assert memo.recall() is None
    memo.keep(found, [str(project / "dvc.yaml"), str(project / "params.yaml")], [])
    again = Memo(project, project, Hasher(project, remember=False)).recall()
    assert again == found
    assert again.steps["train@a"].params[0].recorded["when"] == (1, 2)
    (project / "sub").mkdir()
    (project / "sub/new.dvc").write_text("")
    assert Memo(project, project, Hasher(project, remember=False)).recall() is None, (
        "a file that could declare one"
    )
    (project / "sub/new.dvc").unlink()
    (project / "params.yaml").write_text("")
    assert Memo(project, project, Hasher(project, remember=False)).recall() is None, (
        "one that was asked for is there"
    )
    assert stage_files(project, [str(project / "sub")]) == [
        str(project / ".dvc"),
        str(project / "dvc.yaml"),
    ]


def test_dvcs_view_of_a_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages in order, hashes as DVC takes them, what is tracked; from a folder in it, paths are told from there."""
    (project / "sub").mkdir()
    (project / "dvc.yaml").write_text("stages: {top: {cmd: echo 1 > top.txt, outs: [top.txt]}}\n")
    stages = "stages: {b: {cmd: cat a.txt > b.txt, deps: [a.txt], outs: [b.txt]}, a: {cmd: cp ../top.txt a.txt, deps: [../top.txt], outs: [a.txt]}}\n"
    (project / "sub/dvc.yaml").write_text(stages)
    (project / "sub/raw.txt").write_text("r")
    monkeypatch.chdir(project)
    with Repo() as dvc:
        dvc.add("sub/raw.txt")
        dvc.reproduce(all_pipelines=True)
    whole, part = Project(project), Project(project / "sub")
    assert list(whole.stages) == ["top", "sub/dvc.yaml:a", "sub/dvc.yaml:b"]
    assert list(part.stages) == ["a", "b"]
    assert part.stages["a"].deps[0].path == "../top.txt"
    assert set(part.sources) == {"raw.txt", "../top.txt"}
    assert part.stages["b"].folder == "."
    for one, root in ((whole, project), (part, project / "sub")):
        for item in (
            *one.sources.values(),
            *(out for stage in one.stages.values() for out in stage.outs),
        ):
            assert one.content(item.path).md5 == item.md5, item.path
            assert (root / item.path).exists()
        one.close()


def test_lists_that_no_remote_has(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(project)
    assert dvcdirs.main(["a" * 32 + ".dir"]) == 1
    assert "ERROR: " in capsys.readouterr().err


def test_what_the_watch_takes_for_reading() -> None:
    assert _reads("r", 0)
    assert _reads("w+", None)
    assert not _reads("w", 0)
    assert not _reads(None, os.O_WRONLY)
    assert _reads(None, os.O_RDWR)
    stand_in = _Function("time", "time", lambda: 5)
    assert stand_in() == 5
    assert stand_in.__reduce__() == "time"


def test_this_process_is_no_jail() -> None:
    """Each thing that a jail must hold back is seen from here, and named."""
    spec = {"network": False, "root": False, "uid": None, "binds": [], "hidden": [str(Path.home())],
            "limits": {"processes": 1, "memory": 1, "disk": 1}}  # fmt: skip
    with pytest.raises(
        OSError, match=r"the jail does not hold: .*other processes can be seen"
    ) as caught:
        check(spec)
    assert "no limit of memory" in str(caught.value)
    assert any(point == "/proc" for point, _ in mounts())


def test_a_system_call_that_fails_is_an_error() -> None:
    with pytest.raises(OSError, match="chroot: "):
        libc_call("chroot", b"/no/such/folder")


@pytest.mark.parametrize(
    "starts",
    ["from furrow.ground.openmp import wait_asleep; wait_asleep()", "import furrow.stages"],
)
def test_threads_wait_asleep_unless_a_person_says_otherwise(starts: str) -> None:
    code = f"import os; {starts}; print(os.environ['OMP_WAIT_POLICY'])"
    for given_policy, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {
            name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"
        }
        environment |= {"OMP_WAIT_POLICY": given_policy} if given_policy else {}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected
    assert callable(wait_asleep)


@pytest.fixture
def signed(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A tag that is signed with an SSH key, which the user's own settings list."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    listed = tmp_path / "signers"
    listed.write_text(f"ada@example.com {key.with_suffix('.pub').read_text()}")
    config = Path(os.environ["HOME"]) / ".gitconfig"
    config.write_text(
        config.read_text() + f'[gpg]\n format = ssh\n[gpg "ssh"]\n allowedSignersFile = {listed}\n'
    )
    subprocess.run(
        [
            "git",
            "-C",
            str(repo),
            "-c",
            f"user.signingKey={key}",
            "tag",
            "-s",
            "-m",
            "x",
            "m@v1.0.0",
        ],
        check=True,
    )
    return subprocess.run(
        ["git", "-C", str(repo), "cat-file", "tag", "m@v1.0.0"], check=True, capture_output=True
    ).stdout


def test_a_signature_counts_if_the_user_lists_its_key(repo: Path, signed: bytes) -> None:
    """Not one of another text, none without, and none because the clone's own settings list a key."""
    assert is_signed(repo, signed)
    assert not is_signed(repo, signed.replace(b"\nx\n", b"\ny\n"))
    assert not is_signed(repo, signed.partition(b"-----BEGIN")[0])
    config = Path(os.environ["HOME"]) / ".gitconfig"
    listed = config.read_text().partition("allowedSignersFile = ")[2].strip()
    config.write_text(config.read_text().partition("[gpg]")[0])
    subprocess.run(
        ["git", "-C", str(repo), "config", "gpg.ssh.allowedSignersFile", listed], check=True
    )
    assert not is_signed(repo, signed)
