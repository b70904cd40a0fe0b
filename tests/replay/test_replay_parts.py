"""Parts of a replay as values: trials' stages, what a stage reads undeclared, stale inputs, what a note leaves out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from furrow.files import write_bytes
from furrow.ground.checkout_parts import IncompleteError
from furrow.ground.dvc import Content, Item, Parameters, Stage
from furrow.ground.git import resolve
from furrow.ground.worktree import checkout
from furrow.replay.checkout_check import _windows, complain
from furrow.replay.note_coverage import recorded_steps, uncovered
from furrow.replay.replay_settings import Settings
from furrow.replay.replay_verdict import IDENTICAL, Environment, Output, StageVerdict, Verdict
from furrow.replay.stage_judge import _left_open, changed_inputs, stale_inputs
from furrow.replay.trial_stages import read_trial
from furrow.replay.undeclared_reads import undeclared
from furrow.replay.workbench import Attempt, Bench
from furrow.trials.trial_lock import EMPTY_MD5S

STAGE = Stage("train", ("x",), ".", (Item("in.txt", "a" * 32),), (Parameters("params.yaml", ("a",), {"a": 1}),),
              (Item("out.txt", "b" * 32),), recorded=True, restated=False, frozen=False)  # fmt: skip


def attempt(folder: Path, **more) -> Attempt:
    held = {"in.txt": "a" * 32, "params.yaml:a": 1}
    whole = Attempt(folder, 0, 0.1, folder / "log", frozenset(), frozenset(), held, held, {}, ())
    return replace(whole, **more)


def test_stages_of_a_trial() -> None:
    """Those that claim nothing have nothing kept, and what only reads of theirs was never run."""
    empty = min(EMPTY_MD5S)
    unkept = Stage("train@t", ("x",), ".", (Item("in", ""),), (Parameters("runs/t/config.yaml", ("a",)),),
                   (Item("model", empty, cached=True),), recorded=True, restated=False, frozen=False)  # fmt: skip
    after = replace(
        STAGE, name="report", deps=(Item("model"),), outs=(Item("report.txt"),), recorded=False
    )
    found = read_trial({"train@t": unkept, "report": after, "other": STAGE})
    assert found.unkept == {"train@t"}
    assert found.never_run == {"report"}


def test_inputs_that_are_others_than_recorded(tmp_path: Path) -> None:
    """Before the run, told as stale; while it ran, as changed."""
    assert stale_inputs(STAGE, attempt(tmp_path)) == []
    stale = stale_inputs(STAGE, attempt(tmp_path, before={"in.txt": "c" * 32, "params.yaml:a": 2}))
    assert {one.kind for one in stale} <= {"stale", "earlier input", "command"}
    assert len(stale) == 2
    changed = changed_inputs(attempt(tmp_path, after={"in.txt": "c" * 32, "params.yaml:a": 1}))
    assert [one.kind for one in changed] == ["input changed"]
    assert "in.txt" in changed[0].text


def test_what_a_record_leaves_open() -> None:
    assert _left_open(b'{"a": null, "b": 1}', b'{"a": 5, "b": 1}') == ["a"]
    assert _left_open(b'{"a": null, "b": 1}', b'{"a": 5, "b": 2}') == []
    assert _left_open(b"[]", b"{") == []


def test_two_runs_that_wrote_the_same(tmp_path: Path) -> None:
    one = attempt(tmp_path / "1", outputs={"o": Content("m", {"": "m"})}, side=("s",))
    write_bytes(tmp_path / "1/s", b"x")
    write_bytes(tmp_path / "2/s", b"x")
    other = replace(one, folder=tmp_path / "2")
    assert one.same(other)
    write_bytes(tmp_path / "2/s", b"y")
    assert not one.same(other)
    assert not one.same(replace(one, outputs={"o": None}))
    assert one.read("nothing") is None


@pytest.fixture
def bench(repo: Path, git: Callable[..., str]):
    """A checkout with a file that no stage declares, and one beside the project."""
    (repo / "sub").mkdir()
    for name in ("sub/dvc.yaml", "sub/in.txt", "sub/secret.txt", "shared.txt"):
        (repo / name).write_text("x\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "files")
    with checkout(repo / "sub", resolve(repo)) as tree:
        project = SimpleNamespace(stages={}, sources={}, root=tree.root)
        yield Bench(repo / "sub", tree, project)


def test_reads_that_are_not_declared(bench: Bench, tmp_path: Path) -> None:
    """A file of the commit, in the project or beside it, unless a stage says that it reads it."""
    root = bench.tree.root
    opened = frozenset(
        str(path.resolve())
        for path in (root / "secret.txt", root / "in.txt", root / "../shared.txt")
    )
    made = attempt(tmp_path, opened=opened, touched=frozenset({"../shared.txt"}))
    found = {one.path for one in undeclared(STAGE, made, bench, Settings(), [])}
    assert found == {"secret.txt", "../shared.txt"}
    told = replace(
        STAGE, deps=(*STAGE.deps, Item(str((root / "../shared.txt").resolve()), external=True))
    )
    assert {one.path for one in undeclared(told, made, bench, Settings(), [])} == {"secret.txt"}
    assert bench.in_git("../shared.txt")
    assert bench.tree.blob("in.txt") == b"x\n"


def test_a_checkout_that_can_not_be_judged(bench: Bench) -> None:
    with pytest.raises(IncompleteError, match="because of this"):
        complain(bench.tree, "because of this")
    assert _windows(b"a\nb\n") == b"a\r\nb\r\n"
    assert _windows(b"a\0\n") == b"a\0\n"
    assert _windows(b"a\r\n") == b"a\r\n"


def test_a_note_that_leaves_something_out(repo: Path, git: Callable[..., str]) -> None:
    """Of all stages that the commit declares and records; a note that is not good claims nothing."""
    lock = "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}:\n    cmd: x\n    outs: [{{path: {name}.txt, hash: md5, md5: {'a' * 32}}}]\n"
        for name in "ab"
    )
    (repo / "dvc.yaml").write_text(
        "stages: {a: {cmd: x, outs: [a.txt]}, b: {cmd: x, outs: [b.txt]}}\n"
    )
    (repo / "dvc.lock").write_text(lock)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "stages")
    commit = resolve(repo)
    stage = StageVerdict(
        "a", IDENTICAL, 0.1, (Output("a.txt", IDENTICAL, "a" * 32, "a" * 32, {"a.txt": "s"}),)
    )
    verdict = Verdict(
        commit,
        {},
        IDENTICAL,
        "",
        (stage,),
        Environment("3.11", "x"),
        "2024-01-01T00:00:00+00:00",
        1.0,
        "m",
        "1",
    )
    assert uncovered(recorded_steps(repo, commit), verdict) == ["b: the note leaves it out"]
    assert uncovered(recorded_steps(repo, commit), replace(verdict, scope={"stage": "a"})) == []
    bare = replace(stage, outputs=(replace(stage.outputs[0], sha256={}),))
    assert (
        "without a file of it"
        in uncovered(
            recorded_steps(repo, commit), replace(verdict, stages=(bare,), scope={"stage": "a"})
        )[0]
    )
    assert uncovered(recorded_steps(repo, commit), replace(verdict, scope={"odd": "x"})) == [
        "its scope is odd, which no replay has"
    ]
    assert uncovered(recorded_steps(repo, commit), replace(verdict, status="different")) == []
