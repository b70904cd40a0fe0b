"""Lists that `furrow-runs` prints again without Python: the same bytes, and only while nothing has changed."""

from __future__ import annotations

import os
import random
import re
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
SCRIPT = str(BIN / "furrow-runs")
MARK = "printed again"
Answer = tuple[int, bytes, bytes]


def told(folder: Path, *words: str, program: tuple[str, ...] = (SCRIPT,), **environment: str) -> Answer:
    """What the script says: exit code, output, errors."""
    done = subprocess.run(
        [*program, *words], cwd=folder, capture_output=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr


def anew(folder: Path, *words: str, **environment: str) -> Answer:
    """What Python says at the same moment."""
    return told(folder, *words, program=(str(BIN / "furrow"), "runs"), **environment)


def answers(git: Path) -> set[Path]:
    return set((git / "furrow/answers").glob("*"))


def settle(git: Path) -> None:
    """Make everything as old as it will be in ten seconds: what was written just now is not relied on."""
    old = time.time() - 10
    for path in (git / "HEAD", git / "packed-refs", git / "furrow/runs.sqlite", git / "refs", *git.glob("refs/**/*")):
        if path.exists() and path.stat().st_mtime > old:
            os.utime(path, (old, old))


def learn(folder: Path, *words: str, git: Path | None = None, **environment: str) -> Answer:
    """Ask until the answer is kept, and mark it, so that printing it again shows."""
    git = git or folder / ".git"
    before = answers(git)
    for _ in range(4):
        settle(git)
        found = told(folder, *words, **environment)
        for path in answers(git) - before:
            lines = path.read_text().split("\n")
            at = 6 + int(lines[2]) + int(lines[3])
            path.write_text("\n".join([*lines[:at], MARK, *lines[at + 1 :]]))
            return found
    raise AssertionError(f"not kept: {words}")


def again(found: Answer) -> bool:
    return found[1].startswith(MARK.encode())


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
    ("--all", "--limit", "2"),
    ("--all", "--where", "roc_auc > 0.52 and name = 'gbm'"),
    ("--where", "roc_auc > 2"),
]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_the_same_bytes_again(some: Any, words: tuple[str, ...]) -> None:
    """What was printed is printed again: text, notes and exit code; and it is the kept text that is printed."""
    expected = anew(some.path, *words)
    assert expected[0] == 0
    assert learn(some.path, *words) == expected
    code, text, notes = told(some.path, *words)
    assert (code, text.split(b"\n")[1:], notes) == (0, expected[1].split(b"\n")[1:], expected[2])
    assert text.startswith(MARK.encode())
    inner = some.path / "a folder/in it"
    inner.mkdir(parents=True)
    assert again(told(inner, *words))


def test_notes_come_after_the_text(some: Any) -> None:
    """Where both go to one file, as in a log."""
    words = ("--all", "--limit", "1")
    learn(some.path, *words)
    done = subprocess.run(
        [SCRIPT, *words], cwd=some.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, text=True
    )
    assert done.stdout.startswith(MARK)
    assert done.stdout.endswith("runs; --limit shows more\n")


def test_nothing_is_kept_while_things_change(some: Any) -> None:
    """What was written within the last seconds could change again without showing in its time."""
    for _ in range(3):
        assert told(some.path, "--all")[0] == 0
        os.utime(some.path / ".git/refs/heads/main")
    assert not answers(some.path / ".git")


@pytest.mark.parametrize(
    "words",
    [
        ("HEAD~1",),
        ("main..other",),
        ("--branch", "other"),
        ("--branch", "main@{0}"),
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
    expected = anew(some.path, *words)
    for _ in range(3):
        settle(some.path / ".git")
        assert told(some.path, *words) == expected
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


def away_and_back(some: Any) -> None:
    """The same content again, in other files."""
    for name in ("refs/heads/other", "refs/heads/main"):
        some.git("symbolic-ref", "HEAD", name)


def indexed(some: Any) -> None:
    """The columns of a list come from all that is indexed."""
    metrics = {"runs/gbm/metrics.json": '{"roc_auc": 0.5, "pr_auc": 0.4}'}
    some.git("tag", "elsewhere", some.commit(metrics, ref="refs/heads/elsewhere", parents=("main",)))
    some.git("branch", "-q", "-D", "elsewhere")
    assert b"pr_auc" in anew(some.path, "--all")[1]


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


def other_code(some: Any) -> None:
    """As after an upgrade: another file, however old."""
    for path in answers(some.path / ".git"):
        name = re.escape(str(Path(furrow.__file__).parent / "runs/listing.py"))
        text, count = re.subn(rf"(?m)^(\d+ \d+) \d+ {name}$", rf"\1 1 {name}", path.read_text())
        assert count == 1
        path.write_text(text)


def other_program(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.write_text(path.read_text().replace(SCRIPT, "/elsewhere/furrow-runs", 1))


def copied(some: Any) -> None:
    """A copy of the repository has the answers, which speak of the first one's files."""
    first = some.path.rename(some.path.with_name("first"))
    shutil.copytree(first, some.path, symlinks=True)


def cut(some: Any) -> None:
    for path in answers(some.path / ".git"):
        os.truncate(path, path.stat().st_size - 20)


def emptied(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.write_bytes(b"")


def garbage(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.write_bytes(random.Random(0).randbytes(10_000))


def other_numbers(some: Any) -> None:
    for path in answers(some.path / ".git"):
        lines = path.read_text().split("\n")
        path.write_text("\n".join([*lines[:4], "9" * 30, *lines[5:]]))


def folders(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.unlink()
        path.mkdir()


def linked(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.symlink_to(path.rename(some.path / "elsewhere"))


def piped(some: Any) -> None:
    for path in answers(some.path / ".git"):
        path.unlink()
        os.mkfifo(path)


def no_objects(some: Any) -> None:
    (some.path / ".git/objects").rename(some.path / ".git/obj")


ALWAYS = [new_commit, moved_branch, other_head, detached, away_and_back, packed_refs, broken_ref, longer_head]
ALWAYS += [longer_branch, shallow, indexed, other_code, other_program, copied, cut, emptied, garbage, other_numbers]
ALWAYS += [folders, linked, piped, no_objects]


@pytest.mark.parametrize("words", [(), ("--all",)], ids=["HEAD", "all"])
@pytest.mark.parametrize("change", ALWAYS, ids=lambda change: change.__name__)
def test_no_answer_outlives_a_change(some: Any, change: Callable[[Any], None], words: tuple[str, ...]) -> None:
    """After any change that may matter, and with any damaged answer, the list is made anew."""
    learn(some.path, *words)
    assert again(told(some.path, *words))
    change(some)
    assert told(some.path, *words) == anew(some.path, *words)


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


@pytest.mark.parametrize("change", [new_branch, new_tag, new_trial], ids=lambda change: change.__name__)
def test_only_everything_hangs_on_all_references(some: Any, change: Callable[[Any], None]) -> None:
    """Another reference makes a list of everything void; the list of HEAD still holds."""
    for _ in range(2):  # until the index is written no more
        settle(some.path / ".git")
        anew(some.path)
        anew(some.path, "--all")
    learn(some.path)
    learn(some.path, "--all")
    change(some)
    assert again(told(some.path))
    assert told(some.path, "--all") == anew(some.path, "--all")


def test_a_copy_of_the_repository(some: Any) -> None:
    """It has the answers, too; they speak of the first one's files, which are as they were."""
    learn(some.path)
    copy = some.path.with_name("copy")
    shutil.copytree(some.path, copy, symlinks=True)
    subprocess.run(["git", "-C", str(copy), "update-ref", "refs/heads/main", "main~1"], check=True)
    assert told(copy) == anew(copy)
    assert again(told(some.path))


@pytest.mark.parametrize("change", [no_branch, old_packed_refs], ids=lambda change: change.__name__)
def test_packed_references(some: Any, change: Callable[[Any], None]) -> None:
    """They are others when one goes, and when they are replaced by older ones."""
    learn(some.path, "--all")
    change(some)
    assert told(some.path, "--all") == anew(some.path, "--all")


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
        settle(some.path / ".git")
        for words in ((), ("--all", "--json")):
            expected = anew(some.path, *words)
            settle(some.path / ".git")
            assert [told(some.path, *words) for _ in range(2)] == [expected] * 2, step
        some.commit(some.run("gbm", draw.random()))


def test_words_are_kept_apart(some: Any) -> None:
    """A list sorted by "roc_auc desc" is no answer to a command that asks for the revision `desc`."""
    right, wrong = ("--sort", "roc_auc desc"), ("--sort", "roc_auc", "desc")
    assert learn(some.path, *right)[0] == 0
    assert told(some.path, *wrong) == anew(some.path, *wrong)
    assert told(some.path, *wrong)[0] == 1


def test_a_question_too_long_for_a_name(some: Any) -> None:
    """It is answered each time, and nothing is left of the attempt to keep the answer."""
    words = ("--where", " or ".join(f"roc_auc > 0.{number}" for number in range(100, 130)))
    expected = anew(some.path, *words)
    assert expected[0] == 0
    for _ in range(3):
        settle(some.path / ".git")
        assert told(some.path, *words) == expected
    assert not answers(some.path / ".git")
    endless = ("--where", "x" * 120_000)
    assert told(some.path, *endless) == anew(some.path, *endless)


def test_text_for_another_reader(some: Any) -> None:
    """How text is encoded belongs to the question: another locale doesn't get the bytes of the first one."""
    run = {"runs/gbm/metrics.json": '{"roc_auc": 0.5}', "runs/gbm/config.yaml": "name: gbm\nlabel: späť\n"}
    some.commit(run)
    words = ("--columns", "run,label")
    latin = anew(some.path, *words, PYTHONIOENCODING="latin-1")
    assert b"sp\xe4\\u0165" in latin[1]
    assert "späť".encode() in learn(some.path, *words, PYTHONIOENCODING="utf-8")[1]
    settle(some.path / ".git")
    assert [told(some.path, *words, PYTHONIOENCODING="latin-1") for _ in range(2)] == [latin] * 2
    assert len(answers(some.path / ".git")) == 2


def test_a_bare_clone_a_link_and_a_worktree(some: Any, tmp_path: Path) -> None:
    """Bare clones and links to a project keep answers; a linked worktree has a HEAD of its own and asks Python."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(some.path), str(bare)], check=True)
    learn(bare, "--all", git=bare)
    assert again(told(bare, "--all"))
    assert again(told(bare / "objects", "--all"))
    link = tmp_path / "link"
    link.symlink_to(some.path, target_is_directory=True)
    learn(link, "--all", PWD=str(link))
    assert again(told(link, "--all", PWD=str(link)))
    tree = tmp_path / "tree"
    some.git("worktree", "add", "-q", "--detach", str(tree), "main~1")
    for _ in range(3):
        settle(some.path / ".git")
        assert told(tree) == anew(tree)
    assert told(tree)[1] != told(some.path)[1]


def test_the_program_may_be_linked(some: Any, tmp_path: Path) -> None:
    """A link to it from elsewhere, and a link to that, find the Python of its environment."""
    first, second = tmp_path / "bin/furrow-runs", tmp_path / "furrow-runs"
    first.parent.mkdir()
    first.symlink_to(SCRIPT)
    second.symlink_to("bin/furrow-runs")
    assert told(some.path, program=(str(second),)) == anew(some.path)
    learn(some.path)
    for link in (first, second):
        assert again(told(some.path, program=(str(link),)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("which", ["answer", "repository"])
def test_what_belongs_to_another_user_is_not_believed(some: Any, which: str) -> None:
    """An answer that someone else wrote is not printed; nor is one in a repository that became someone else's."""
    learn(some.path)
    for path in answers(some.path / ".git") if which == "answer" else (some.path, some.path / ".git"):
        os.chown(path, 12345, 12345)
    assert told(some.path) == anew(some.path)


def test_nowhere_to_keep_it(some: Any) -> None:
    """Where answers can't be written, there are none."""
    expected = anew(some.path)
    (some.path / ".git/furrow/answers").write_text("no folder")
    for _ in range(3):
        settle(some.path / ".git")
        assert told(some.path) == expected


def test_the_oldest_go(some: Any) -> None:
    """Answers don't pile up."""
    folder = some.path / ".git/furrow/answers"
    learn(some.path)
    for number in range(80):
        (folder / f"old {number}").write_text("x")
        os.utime(folder / f"old {number}", (number, number))
    (folder / "new-1").write_text("left by one that was killed")
    os.utime(folder / "new-1", (0, 0))
    learn(some.path, "--all")
    left = {path.name for path in answers(some.path / ".git")}
    assert len(left) == 64
    assert not left & {"new-1", "old 0", "old 17"}
    assert "old 79" in left


@pytest.mark.parametrize("where", ["closed pipe", "/dev/full"])
@pytest.mark.parametrize("words", [(), ("--all", "--json")], ids=["table", "json"])
def test_output_that_goes_nowhere(some: Any, words: tuple[str, ...], where: str) -> None:
    """A reader that has enough is no error, a full disk is one; the same words when printed again."""
    learn(some.path, *words)
    found = []
    for program in ([SCRIPT], [str(BIN / "furrow"), "runs"]):
        if where == "closed pipe":
            read, output = os.pipe()
            os.close(read)
        else:
            output = os.open("/dev/full", os.O_WRONLY)
        done = subprocess.run([*program, *words], cwd=some.path, stdout=output, stderr=subprocess.PIPE, check=False)
        os.close(output)
        found.append((done.returncode, done.stderr))
    assert found[0] == found[1]
    assert found[0][0] == (where != "closed pipe")


def test_a_terminal_gets_its_own_width(some: Any) -> None:
    """To a terminal Python writes each time: its width is no part of the question."""
    import pty  # noqa: PLC0415 - for this test alone

    learn(some.path)
    before = answers(some.path / ".git")
    leader, follower = pty.openpty()
    asked = f"{some.path}/.git/furrow/answers/other\n{SCRIPT}"
    environment = {**os.environ, "FURROW_ANSWER": asked}
    subprocess.run([SCRIPT], cwd=some.path, stdout=follower, stderr=subprocess.DEVNULL, check=True, env=environment)
    os.close(follower)
    shown = os.read(leader, 10_000).decode()
    os.close(leader)
    assert "gbm@" in shown
    assert MARK not in shown
    assert answers(some.path / ".git") == before


def test_many_at_once(some: Any) -> None:
    """Writers and readers of the same answer at the same time: each gets the whole list."""
    expected = anew(some.path, "--all")
    anew(some.path, "--all")
    settle(some.path / ".git")
    found = []

    def ask() -> None:
        for _ in range(6):
            shutil.rmtree(some.path / ".git/furrow/answers", ignore_errors=True)
            found.extend(told(some.path, "--all") for _ in range(3))

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
        assert told(folder) == anew(folder)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Asked from a folder that was deleted meanwhile, the script leaves it to Python to say so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; "$0"', SCRIPT], cwd=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: the folder" in done.stderr


def test_many_references_are_left_to_python(some: Any) -> None:
    """A list that hangs on hundreds of files would not be faster."""
    tip = some.git("rev-parse", "main")
    some.git("tag", "one", "main")
    for number in range(300):
        (some.path / f".git/refs/tags/v{number}").write_text(f"{tip}\n")
    expected = anew(some.path, "--all")
    for _ in range(3):
        settle(some.path / ".git")
        assert told(some.path, "--all") == expected
    assert not answers(some.path / ".git")
    learn(some.path)


def test_the_variable_reaches_no_other_place(some: Any) -> None:
    """What the script tells Python leads nowhere but into the repository's answers, and to no other process."""
    elsewhere = some.path / "elsewhere"
    anew(some.path)
    settle(some.path / ".git")
    for command in ((), ("--all",), ("show", "gbm")):
        anew(some.path, *command, FURROW_ANSWER=f"{elsewhere}\n{SCRIPT}")
    assert not elsewhere.exists()


def test_it_comes_without_python(some: Any) -> None:
    """No Python starts for a list that is printed again: there is none beside the script."""
    lone = some.path.parent / "lone/furrow-runs"
    lone.parent.mkdir()
    shutil.copy2(SCRIPT, lone)
    (lone.parent / "furrow").symlink_to(BIN / "furrow")
    learn(some.path, "--all")  # by the script beside Python, whose answers are not this one's
    assert told(some.path, "--all", program=(str(lone),)) == anew(some.path, "--all")
    told(some.path, "--limit", "1", program=(str(lone),))
    settle(some.path / ".git")
    expected = told(some.path, "--limit", "1", program=(str(lone),))
    (lone.parent / "furrow").unlink()
    assert expected[0] == 0
    assert told(some.path, "--limit", "1", program=(str(lone),)) == expected
    code, _, errors = told(some.path, "--limit", "2", program=(str(lone),))
    assert code
    assert b"cannot start furrow" in errors
