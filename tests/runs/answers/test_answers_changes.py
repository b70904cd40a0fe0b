"""A list is printed again only while nothing has changed that it hangs on."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import furrow

if TYPE_CHECKING:
    from collections.abc import Callable

from .conftest import SCRIPT, again, anew, answers, learn, settle, told


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
