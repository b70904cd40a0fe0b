"""Lists that `furrow-runs` prints again without Python: the same bytes, wherever they are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from .conftest import BIN, MARK, SCRIPT, again, anew, answers, learn, settle, told

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
