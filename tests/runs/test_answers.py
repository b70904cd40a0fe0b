"""Lists that the script `furrow` prints again without Python: the same bytes, and only while nothing has changed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import furrow

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
SCRIPT, PYTHON = str(BIN / "furrow"), str(BIN / "furrow-python")
MARK = b"printed again\n"


def furrow_(folder: Path, *words: str, program: str = SCRIPT, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [program, "runs", *words], cwd=folder, capture_output=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr


def answers(git: Path) -> list[Path]:
    return sorted((git / "furrow/answers").glob("*"))


def marked(git: Path) -> None:
    """Change every answer's text, so that printing it shows."""
    for path in answers(git):
        at = path.stat()
        lines = path.read_bytes().split(b"\n")
        first = lines.index(b"") + 3
        lines[first] = MARK.rstrip()
        path.write_bytes(b"\n".join(lines))
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


@pytest.fixture
def some(history: Any) -> Any:
    """Two commits on main, another branch and a trial."""
    history.commit(history.run("gbm", 0.5))
    base = history.commit({**history.run("gbm", 0.6), **history.run("logistic", 0.55)})
    history.commit(history.run("gbm", 0.65), ref="refs/heads/other", parents=(base,))
    history.commit(history.run("gbm", 0.7), ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-1a2b3c4", parents=(base,))
    return history


LISTS = [
    (),
    ("HEAD",),
    ("--all",),
    ("--all", "--json", "--columns", "*"),
    ("--all", "--csv"),
    ("--markdown", "--sort=-roc_auc"),
    ("--branch", "other"),
    ("--all", "--limit", "2"),
    ("--all", "--where", "roc_auc > 0.52 and name = 'gbm'"),
    ("--where", "roc_auc > 2"),
]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_the_same_bytes_again(some: Any, words: tuple[str, ...]) -> None:
    """What was printed once is printed again: text, notes and exit code; and it is the kept text that is printed."""
    git = some.path / ".git"
    expected = furrow_(some.path, *words, program=PYTHON)
    assert expected[0] == 0
    assert not answers(git)
    assert furrow_(some.path, *words) == expected
    assert len(answers(git)) == 1
    assert furrow_(some.path, *words) == expected
    marked(git)
    assert furrow_(some.path, *words)[1].startswith(MARK)
    inner = some.path / "a folder/in it"
    inner.mkdir(parents=True)
    assert furrow_(inner, *words)[1].startswith(MARK)


@pytest.mark.parametrize(
    "words",
    [
        ("HEAD~1",),
        ("main..other",),
        ("--all", "--since", "1 second ago"),
        ("--all", "--where", "name = 'a/b'"),
        ("--all", "--where", "nonsense = 1"),
        ("--limit", "x"),
        ("show", "gbm"),
        ("--help",),
        ("--all", "--branch", "main"),
    ],
    ids=" ".join,
)
def test_what_hangs_on_more_is_not_kept(some: Any, words: tuple[str, ...]) -> None:
    """Revisions and dates that Git must resolve, mistakes, and other commands are Python's work each time."""
    expected = furrow_(some.path, *words, program=PYTHON)
    assert furrow_(some.path, *words) == expected
    assert not answers(some.path / ".git")


def new_commit(some: Any) -> None:
    some.commit(some.run("gbm", 0.75))


def moved_branch(some: Any) -> None:
    some.git("update-ref", "refs/heads/main", "main~1")


def other_head(some: Any) -> None:
    some.git("symbolic-ref", "HEAD", "refs/heads/other")


def detached(some: Any) -> None:
    some.git("update-ref", "--no-deref", "HEAD", "main~1")


def packed_refs(some: Any) -> None:
    some.git("pack-refs", "--all", "--prune")


def broken_ref(some: Any) -> None:
    (some.path / ".git/refs/heads/main").write_text("")


def longer_head(some: Any) -> None:
    with (some.path / ".git/HEAD").open("a") as handle:
        handle.write("more\n")


def longer_branch(some: Any) -> None:
    with (some.path / ".git/refs/heads/main").open("a") as handle:
        handle.write("more\n")


def shallow(some: Any) -> None:
    (some.path / ".git/shallow").write_text(some.git("rev-parse", "main~1") + "\n")


def newer_code(some: Any) -> None:
    for path in answers(some.path / ".git"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def lost_code(some: Any) -> None:
    code = str(Path(furrow.__file__).parent).encode()
    for path in answers(some.path / ".git"):
        at = path.stat()
        path.write_bytes(path.read_bytes().replace(code, code + b"-gone", 1))
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


def cut(some: Any) -> None:
    for path in answers(some.path / ".git"):
        os.truncate(path, path.stat().st_size - 20)


def emptied(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.write_bytes(b"")


def garbage(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.write_bytes(random.Random(0).randbytes(10_000))


def folders(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.unlink()
        path.mkdir()


ALWAYS = [new_commit, moved_branch, other_head, detached, broken_ref, longer_head, longer_branch, shallow]
ALWAYS += [newer_code, lost_code, cut, emptied, garbage, folders]


@pytest.mark.parametrize("words", [(), ("--all",)], ids=["HEAD", "all"])
@pytest.mark.parametrize("change", [*ALWAYS, packed_refs], ids=lambda change: change.__name__)
def test_no_answer_outlives_a_change(some: Any, change: Callable[[Any], None], words: tuple[str, ...]) -> None:
    """After any change that may matter, and with any damaged answer, the list is made anew."""
    furrow_(some.path, *words)
    marked(some.path / ".git")
    assert furrow_(some.path, *words)[1].startswith(MARK)
    change(some)
    assert furrow_(some.path, *words) == furrow_(some.path, *words, program=PYTHON)


def new_branch(some: Any) -> None:
    some.git("branch", "deep/er/one", "main~1")


def no_branch(some: Any) -> None:
    some.git("branch", "-q", "-D", "other")


def new_tag(some: Any) -> None:
    some.git("tag", "first", "main~1")


def new_trial(some: Any) -> None:
    base = some.git("rev-parse", "main")
    some.commit(some.run("gbm", 0.9), ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-0000000", parents=(base,))


def old_packed_refs(some: Any) -> None:
    """References as in a backup, with times of then."""
    packed = some.path / ".git/packed-refs"
    packed.write_text(f"{some.git('rev-parse', 'main~1')} refs/heads/before\n")
    os.utime(packed, (1_000_000_000, 1_000_000_000))


@pytest.mark.parametrize(
    "change", [new_branch, no_branch, new_tag, new_trial, old_packed_refs], ids=lambda change: change.__name__
)
def test_only_everything_hangs_on_all_references(some: Any, change: Callable[[Any], None]) -> None:
    """Another reference makes a list of everything void; the list of HEAD still holds."""
    for words in ((), ("--all",)):
        furrow_(some.path, *words)
    marked(some.path / ".git")
    change(some)
    assert furrow_(some.path, "--all") == furrow_(some.path, "--all", program=PYTHON)
    assert furrow_(some.path)[1].startswith(MARK)


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_whatever_git_does_in_between(some: Any, packed: bool) -> None:
    """A long row of random changes, each followed by both lists, which are always those that Python makes."""
    draw = random.Random(int(packed))
    for number in range(25):
        names = some.git("for-each-ref", "--format=%(refname)").split()
        heads = [name for name in names if name.startswith("refs/heads/")]
        steps: list[tuple[str, ...]] = [
            ("branch", f"b{number}/{draw.randrange(9)}", "main"),
            ("tag", "-m", "x", f"t{number}", "main"),
            ("update-ref", draw.choice(heads), "main~1"),
            ("update-ref", "-d", draw.choice([name for name in names if name != "refs/heads/main"] or ["refs/none"])),
            ("symbolic-ref", "HEAD", draw.choice(heads)),
            ("update-ref", "--no-deref", "HEAD", f"{draw.choice(names)}^{{commit}}"),
            ("status", "--short"),
        ]
        step = draw.choice(steps)
        some.git(*step)
        if packed:
            some.git("pack-refs", "--all", "--prune")
        for words in ((), ("--all", "--json")):
            expected = furrow_(some.path, *words, program=PYTHON)
            assert furrow_(some.path, *words) == expected, step
            assert furrow_(some.path, *words) == expected, step
        some.commit(some.run("gbm", draw.random()))


def test_words_are_kept_apart(some: Any) -> None:
    """A list sorted by "roc_auc desc" is no answer to a command that asks for the revision `desc`."""
    right, wrong = ("--sort", "roc_auc desc"), ("--sort", "roc_auc", "desc")
    assert furrow_(some.path, *right)[0] == 0
    assert furrow_(some.path, *wrong) == furrow_(some.path, *wrong, program=PYTHON)
    assert furrow_(some.path, *wrong)[0] == 1


def test_a_question_too_long_for_a_name(some: Any) -> None:
    """It is answered each time, and nothing is left of the attempt to keep the answer."""
    words = ("--where", " or ".join(f"roc_auc > 0.{number}" for number in range(100, 130)))
    expected = furrow_(some.path, *words, program=PYTHON)
    assert expected[0] == 0
    for _ in range(2):
        assert furrow_(some.path, *words) == expected
    assert not answers(some.path / ".git")


def test_text_for_another_reader(some: Any) -> None:
    """How text is encoded belongs to the question: another locale doesn't get the bytes of the first one."""
    run = {"runs/gbm/metrics.json": '{"roc_auc": 0.5}', "runs/gbm/config.yaml": "name: gbm\nlabel: späť\n"}
    some.commit(run)
    words = ("--columns", "run,label")
    utf = furrow_(some.path, *words, PYTHONIOENCODING="utf-8")
    latin = furrow_(some.path, *words, PYTHONIOENCODING="latin-1")
    assert "späť".encode() in utf[1]
    assert b"sp\xe4\\u0165" in latin[1]
    assert len(answers(some.path / ".git")) == 2
    assert furrow_(some.path, *words, PYTHONIOENCODING="utf-8") == utf
    assert furrow_(some.path, *words, PYTHONIOENCODING="latin-1") == latin


def test_a_bare_clone_a_link_and_a_worktree(some: Any, tmp_path: Path) -> None:
    """Bare clones and links to a project keep answers; a linked worktree has a HEAD of its own and asks Python."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(some.path), str(bare)], check=True)
    expected = furrow_(bare, "--all")
    marked(bare)
    assert furrow_(bare, "--all")[1].startswith(MARK)
    assert furrow_(bare / "objects", "--all")[1].startswith(MARK)
    link = tmp_path / "link"
    link.symlink_to(some.path, target_is_directory=True)
    assert furrow_(link, "--all", PWD=str(link))[0] == expected[0] == 0
    marked(some.path / ".git")
    assert furrow_(link, "--all", PWD=str(link))[1].startswith(MARK)
    tree = tmp_path / "tree"
    some.git("worktree", "add", "-q", "--detach", str(tree), "main~1")
    for _ in range(2):
        assert furrow_(tree) == furrow_(tree, program=PYTHON)
    assert furrow_(tree)[1] != furrow_(some.path)[1]


def test_the_script_may_be_linked(some: Any, tmp_path: Path) -> None:
    """A link to it from elsewhere finds the Python of its environment."""
    link = tmp_path / "bin" / "furrow"
    link.parent.mkdir()
    link.symlink_to(SCRIPT)
    expected = furrow_(some.path, program=PYTHON)
    assert furrow_(some.path, program=str(link)) == expected
    marked(some.path / ".git")
    assert furrow_(some.path, program=str(link))[1].startswith(MARK)


def test_another_users_answer_is_not_believed(some: Any) -> None:
    """An answer that someone else wrote is not printed."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    expected = furrow_(some.path)
    marked(some.path / ".git")
    for path in answers(some.path / ".git"):
        os.chown(path, 12345, 12345)
    assert furrow_(some.path) == expected


def test_nowhere_to_keep_it(some: Any) -> None:
    """Where answers can't be written, there are none."""
    expected = furrow_(some.path, program=PYTHON)
    (some.path / ".git/furrow/answers").write_text("no folder")
    for _ in range(2):
        assert furrow_(some.path) == expected


def test_the_oldest_go(some: Any) -> None:
    """Answers don't pile up."""
    folder = some.path / ".git/furrow/answers"
    furrow_(some.path)
    for number in range(80):
        (folder / f"old {number}").write_text("x")
        os.utime(folder / f"old {number}", (number, number))
    (folder / "new-1").write_text("left by one that was killed")
    os.utime(folder / "new-1", (0, 0))
    furrow_(some.path, "--all")
    left = {path.name for path in answers(some.path / ".git")}
    assert len(left) == 64
    assert not left & {"new-1", "old 0", "old 17"}
    assert "old 79" in left


@pytest.mark.parametrize("words", [(), ("--all", "--json")], ids=["table", "json"])
def test_a_reader_that_has_enough(some: Any, words: tuple[str, ...]) -> None:
    """`furrow runs | head -0` is no error, and a disk that is full is, the first time as the third."""
    for name, value in (("closed", 0), ("full", 1)):
        codes, said = [], []
        for _ in range(3):
            if name == "closed":
                read, write = os.pipe()
                os.close(read)
            else:
                write = os.open("/dev/full", os.O_WRONLY)
            done = subprocess.run(
                [SCRIPT, "runs", *words], cwd=some.path, stdout=write, stderr=subprocess.PIPE, text=True, check=False
            )
            os.close(write)
            codes.append(done.returncode)
            said.append(done.stderr)
            furrow_(some.path, *words)
        assert codes == [value] * 3
        assert len(set(said)) == 1
        assert "Traceback" not in said[0]


def test_a_terminal_gets_its_own_width(some: Any) -> None:
    """To a terminal Python writes each time: its width is no part of the question."""
    import pty  # noqa: PLC0415 - for this test alone

    furrow_(some.path)
    marked(some.path / ".git")
    leader, follower = pty.openpty()
    other = some.path / ".git/furrow/answers/other"
    environment = {**os.environ, "FURROW_ANSWER": str(other)}
    command = [SCRIPT, "runs"]
    subprocess.run(command, cwd=some.path, stdout=follower, stderr=subprocess.DEVNULL, check=True, env=environment)
    os.close(follower)
    shown = os.read(leader, 10_000)
    os.close(leader)
    assert b"gbm@" in shown
    assert MARK.rstrip() not in shown
    assert not other.exists()


def test_many_at_once(some: Any) -> None:
    """Writers and readers of the same answer at the same time: each gets the whole list."""
    expected = furrow_(some.path, "--all", program=PYTHON)
    found = []

    def ask() -> None:
        for _ in range(6):
            shutil.rmtree(some.path / ".git/furrow/answers", ignore_errors=True)
            found.extend(furrow_(some.path, "--all") for _ in range(3))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 72
    assert all(each == expected for each in found)


def test_outside_a_repository(tmp_path: Path) -> None:
    """Where there is none the script looks for none, up to the root."""
    for folder in (tmp_path, Path("/")):
        assert furrow_(folder) == furrow_(folder, program=PYTHON)


def test_a_folder_that_is_gone(some: Any, tmp_path: Path) -> None:
    """Asked from a folder that was deleted meanwhile, the script leaves it to Python to say so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; "$0" runs', SCRIPT], cwd=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error:" in done.stderr


def test_it_is_the_one_who_starts_python_that_is_asked(some: Any) -> None:
    """The variable by which the script tells where to keep an answer reaches no other process and no other folder."""
    elsewhere = some.path / "elsewhere"
    furrow_(some.path, program=PYTHON, FURROW_ANSWER=str(elsewhere))
    assert not elsewhere.exists()
    done = subprocess.run(
        [SCRIPT, "--version"], cwd=some.path, env={**os.environ, "FURROW_ANSWER": str(elsewhere)}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "furrow" in done.stdout
    assert not elsewhere.exists()


def test_it_comes_at_once(some: Any) -> None:
    """No Python starts for a list that is printed again: the interpreter isn't even there."""
    words = ("--all", "--limit", "3")
    expected = furrow_(some.path, *words)
    lone = some.path.parent / "lone"
    lone.mkdir()
    shutil.copy2(SCRIPT, lone / "furrow")
    started = time.monotonic()
    assert furrow_(some.path, *words, program=str(lone / "furrow")) == expected
    assert time.monotonic() - started < 1
    assert furrow_(some.path, "--limit", "1", program=str(lone / "furrow"))[0] == 127
