"""The program that tortures: it finds a fault that is planted, and tells it in the shortest story."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from furrow.ground.git import git
from tests.torture.patience import Patience
from tests.torture.story import shortest, story, tell
from tests.torture.world import ALL, VERBS, Ack, Step, note


def forgetful(root: Path, n: int, ack: Ack) -> None:
    """A verb with a fault: with a note on a commit comes the end of what stood there."""
    git(root, "notes", "--ref", "refs/notes/furrow/replay", "remove", "--ignore-missing", "HEAD")
    note(root, n, ack)


def test_a_seed_tells_one_story() -> None:
    assert story(7) == story(7)
    assert story(7) != story(8)
    assert {step.verb for seed in range(20) for step in story(seed)} == set(ALL)


def test_a_story_without_troubles_holds() -> None:
    steps = [
        Step("note", 0, 1),
        Step("edit", 0, 2),
        Step("version", 0, 0),
        Step("log", 0, 3),
        Step("gc", 0, 0),
    ]
    assert tell(steps) == ""


def test_a_planted_fault_is_found_and_told_shortly() -> None:
    """Two notes on one commit are enough."""
    steps = [Step("branch", 1, 1), Step("note", 0, 1), Step("seal", 0, 0), Step("note", 0, 2)]
    assert "one lost the line" in tell(steps, {**VERBS, "note": forgetful})
    less = shortest(steps, lambda some: bool(tell(some, {**VERBS, "note": forgetful})))
    assert [step.verb for step in less] == ["note", "note"]


@pytest.mark.parametrize("breaks", [{3, 17}, {0}, {5, 6, 24}])
def test_the_shortest_story_is_found(breaks: set[int]) -> None:
    """Whatever steps it takes, they are what is left; a trouble that is not needed goes."""
    steps = [Step("edit", 0, n, "kill", 5) for n in range(25)]
    less = shortest(steps, lambda some: breaks <= {step.n for step in some})
    assert less == [Step("edit", 0, n) for n in sorted(breaks)]


def test_who_works_does_not_hang() -> None:
    """However little there is to be had of the cores; who rests for ever does, and who works for ever."""
    with subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) as works:
        least = Patience(1e-9)
        while not least.lasts([works.pid]):  # until it has begun
            least = Patience(1e-9)
        assert all(Patience(1e-9).lasts([works.pid]) for _ in range(50))
        bounded = Patience(600, cpu=0.05)
        while bounded.lasts([works.pid]):
            pass
        works.kill()
    with subprocess.Popen(["sh", "-c", "sleep 600; true"], start_new_session=True) as rests:
        waited = Patience(0.2)
        while waited.lasts([rests.pid]):
            pass
        os.killpg(rests.pid, signal.SIGKILL)


@pytest.mark.long
def test_a_server_that_lacked_its_remote_at_first() -> None:
    """It ends, soon or late; once the remote is back, whatever watches over it starts it again."""
    steps = [Step("lose_git", 0, 1), Step("serve", 1, 0), Step("lose_git", 0, 2), Step("ask", 0, 3)]
    assert tell(steps) == ""


@pytest.mark.long
def test_stories_of_many_seeds() -> None:
    for seed in range(5):
        assert tell(story(seed)) == "", seed
