"""A verdict travels with its commit: pushed, fetched, read, verified; and what was tampered with is found."""

import base64
import json
import sys
from dataclasses import replace as changed

import pytest

from furrow.clone.git_hooks import install_hooks
from furrow.files import canonical_json, sha256_bytes
from furrow.ground.git import resolve
from furrow.ground.notes import NoteError, add_line, configure_notes, noted, push_notes, read_lines
from furrow.history.named_run import run as load
from furrow.history.show import describe
from furrow.replay.note_verify import verify
from furrow.replay.replay_request import Options
from furrow.replay.run_again import replay
from furrow.replay.run_replays import replays_of
from furrow.replay.statement import NOTE, read_verdicts, statement, write_note

from .conftest import commit, edit, run


@pytest.fixture(scope="session")
def verdict(planted, tmp_path_factory):
    """Of the clean commit."""
    return replay(planted, "HEAD", Options(folder=tmp_path_factory.mktemp("room")))


OLD = ["refs/notes/furrow/*:refs/notes/furrow/*", "^refs/notes/furrow/ci"]


def clone(origin, folder):
    run(origin.parent, "git", "clone", "-q", str(origin), str(folder))
    run(folder, "git", "config", "user.name", "Ada Test")
    run(folder, "git", "config", "user.email", "ada@example.com")
    return folder


@pytest.fixture
def origin(world, tmp_path):
    """A bare repository that the world pushes to."""
    folder = tmp_path / "origin.git"
    run(tmp_path, "git", "init", "-q", "--bare", "-b", "main", str(folder))
    run(world, "git", "remote", "add", "origin", str(folder))
    run(world, "git", "push", "-q", "-u", "origin", "main")
    return folder


def test_the_statement_is_in_toto_with_slsa_provenance(planted, verdict):
    """Subjects with sha256, the commit and the data among the dependencies, the time, the builder, the verdict."""
    made = statement(planted, verdict)
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    names = [one["name"] for one in made["subject"]]
    assert names[0] == "commit"
    assert {"runs/a/metrics.json", "build/models/a/model.json", "build/ready.csv"} <= set(names)
    metrics = next(one for one in made["subject"] if one["name"] == "runs/a/metrics.json")
    assert metrics["digest"]["sha256"] == sha256_bytes(
        (planted / "runs/a/metrics.json").read_bytes()
    )
    definition, details = made["predicate"]["buildDefinition"], made["predicate"]["runDetails"]
    assert definition["externalParameters"] == {"commit": verdict.commit}
    assert [one["name"] for one in definition["resolvedDependencies"]] == ["commit", "data"]
    assert details["metadata"]["finishedOn"] >= details["metadata"]["startedOn"]
    assert (
        json.loads(base64.b64decode(details["byproducts"][0]["content"]))["stages"][0]["seconds"]
        > 0
    )


def test_push_and_fetch_carry_the_note(world, origin, verdict, tmp_path):
    """Once both clones are set up, a bare `git push` and a bare `git fetch` are all it takes."""
    other = clone(origin, tmp_path / "other")
    for folder in (world, other):
        assert configure_notes(folder)
        assert install_hooks(folder)
    assert configure_notes(world) == []
    write_note(world, verdict)
    run(world, "git", "notes", "--ref", "furrow/ci", "add", "-m", "CI's alone to write")
    edit(world / "conf/a.txt", "0.5", "0.7")
    commit(world)
    run(world, "git", "push", "-q")
    assert "refs/notes/furrow/ci" not in run(origin, "git", "for-each-ref").stdout
    run(other, "git", "fetch", "-q")
    assert resolve(other, "origin/main") == resolve(world)
    assert read_verdicts(other, verdict.commit) == [verdict]
    assert noted(other, NOTE) == {verdict.commit}
    [checked] = verify(other, verdict.commit)
    assert checked
    assert checked.verdict == verdict
    assert checked.absent == 3
    assert read_verdicts(origin, verdict.commit) == [verdict]
    later = changed(verdict, started="2030-01-01T00:00:00+00:00")
    write_note(other, later)
    run(other, "git", "merge", "-q", "origin/main")
    run(other, "git", "push", "-q")
    assert read_verdicts(origin, verdict.commit) == [verdict, later]


def test_two_people_replay_one_commit(world, origin, verdict, tmp_path):
    """Neither overwrites the other: notes are merged by line, also when one was faster."""
    other = clone(origin, tmp_path / "other")
    configure_notes(other)
    mine, theirs = (
        changed(verdict, where="here"),
        changed(verdict, where="there", started="2030-01-01T00:00:00+00:00"),
    )
    write_note(world, mine)
    write_note(other, theirs)
    push_notes(world, "replay", "origin")
    push_notes(other, "replay", "origin")
    push_notes(world, "replay", "origin")
    for folder in (world, other, origin):
        assert read_verdicts(folder, verdict.commit) == [mine, theirs]
    with pytest.raises(NoteError, match="no remote 'upstream'"):
        push_notes(world, "replay", "upstream")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        (["HEAD", *OLD], []),
        ([":", *OLD], []),
        (OLD, []),
        (["refs/heads/*:refs/heads/*", *OLD], ["refs/heads/*:refs/heads/*"]),
        (["HEAD"], ["HEAD"]),
    ],
)
def test_what_a_push_does_is_the_user_s(world, origin, before, after):
    """Whatever push.default and the refspecs say stays; what an older Furrow had written there goes."""
    run(world, "git", "config", "push.default", "upstream")
    for value in before:
        run(world, "git", "config", "--add", "remote.origin.push", value)
    assert configure_notes(world)[0].split()[0] == "remote.origin.fetch"
    assert (
        run(world, "git", "config", "--get-all", "remote.origin.push", check=False).stdout.split()
        == after
    )
    assert configure_notes(world) == []


def test_a_push_to_a_remote_that_keeps_its_own_notes(world, origin, verdict):
    """It goes through, says once that the notes stay, and asks no more; a hook of the user's that fails stops it still."""
    run(origin, "git", "config", "receive.hideRefs", "refs/notes/furrow")
    hook = world / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntest ! -e stop\n")
    configure_notes(world)
    install_hooks(world)
    write_note(world, verdict)
    said = []
    for words in (("--dry-run",), (), ("origin", "main"), (str(origin), "main")):
        edit(world / "conf/a.txt", "0.", f"0.{len(said)}")
        commit(world)
        said.append(run(world, "git", "push", *words).stderr)
    assert ["takes no others" in text for text in said] == [False, True, False, False], said
    assert resolve(origin, "main") == resolve(world)
    (world / "stop").touch()
    commit(world)
    assert run(world, "git", "push", check=False).returncode
    (world / "stop").unlink()
    assert run(world, "git", "push", check=False).returncode == 0
    with pytest.raises(NoteError, match="hidden ref"):
        push_notes(world, "replay", "origin")


def test_the_clean_note_holds(planted, verdict, world):
    """Every file is at hand and is what the note says."""
    write_note(world, verdict)
    [checked] = verify(world, verdict.commit)
    assert checked
    assert (checked.checked, checked.absent) == (5, 0)


def rewritten(made, change):
    """A statement with a changed verdict inside and its digest made to fit, as a careful forger would."""
    product = made["predicate"]["runDetails"]["byproducts"][0]
    value = json.loads(base64.b64decode(product["content"]))
    change(value)
    content = canonical_json(value).encode()
    product |= {
        "content": base64.b64encode(content).decode(),
        "digest": {"sha256": sha256_bytes(content)},
    }
    return made


def output(value, path):
    return next(one for stage in value["stages"] for one in stage["outputs"] if one["path"] == path)


def set_digest(made):
    next(one for one in made["subject"] if one["name"] == "runs/a/metrics.json")["digest"][
        "sha256"
    ] = "0" * 64
    return made


def drop_subject(made):
    made["subject"] = [one for one in made["subject"] if one["name"] != "build/ready.csv"]
    return made


def set_both(made):
    set_digest(made)
    path = "runs/a/metrics.json"
    return rewritten(made, lambda value: output(value, path)["sha256"].update({path: "0" * 64}))


def drop_output(made):
    drop_subject(made)
    return rewritten(made, lambda value: value["stages"][1].update(outputs=[]))


def other_commit(made):
    made["predicate"]["buildDefinition"]["externalParameters"]["commit"] = "0" * 40
    return made


def break_verdict(made):
    made["predicate"]["runDetails"]["byproducts"][0]["content"] = base64.b64encode(b"{}").decode()
    return made


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (set_digest, "runs/a/metrics.json: the subject's sha256 is 0000"),
        (drop_subject, "build/ready.csv: the subject's sha256 is None"),
        (set_both, "runs/a/metrics.json: the commit holds"),
        (drop_output, "build/ready.csv: dvc.lock says"),
        (other_commit, "externalParameters.commit"),
        (break_verdict, "not the one that its digest names"),
        (
            lambda made: rewritten(
                made, lambda value: value["stages"][1].update(status="different")
            ),
            "the verdict is said",
        ),
        (
            lambda made: rewritten(made, lambda value: value.update(commit="0" * 40)),
            "the verdict is of commit 0000",
        ),
        (
            lambda made: rewritten(made, lambda value: value.update(settings_sha256="0" * 64)),
            "conf/replay.yaml",
        ),
        (
            lambda made: rewritten(made, lambda value: value.pop("where")),
            "it is not a statement of a replay",
        ),
        (lambda made: {"_type": "x"}, "it is not a statement of a replay"),
        (lambda made: [1, 2], "it is not a statement of a replay"),
    ],
)
def test_a_tampered_note_is_found(world, verdict, change, problem):
    """Whatever part of it was changed."""
    add_line(world, "replay", verdict.commit, canonical_json(change(statement(world, verdict))))
    [checked] = verify(world, verdict.commit)
    assert not checked
    assert any(problem in words for words in checked.problems), checked.problems


def test_a_note_that_is_no_json(world, verdict):
    """It is reported, and the good one beside it still counts."""
    add_line(world, "replay", verdict.commit, "looks good to me")
    write_note(world, verdict)
    assert sorted(map(bool, verify(world, verdict.commit))) == [False, True]
    assert read_verdicts(world, verdict.commit) == [verdict]


def test_a_note_of_another_commits_results(world, verdict):
    """Moved to a commit with other results, it does not hold there."""
    edit(world / "runs/a/metrics.json", "0.06", "0.96")
    commit(world)
    now = resolve(world)
    moved = changed(verdict, commit=now)
    add_line(world, "replay", now, canonical_json(statement(world, moved)))
    [checked] = verify(world, now)
    assert any(
        words.startswith("runs/a/metrics.json: the commit holds") for words in checked.problems
    )


def test_lines_stay_whole(world):
    """A note is lines; the same line twice is one."""
    now = resolve(world)
    with pytest.raises(NoteError, match="line feed"):
        add_line(world, "replay", now, "a\nb")
    for _ in range(2):
        add_line(world, "replay", now, "one")
    add_line(world, "replay", now, "two")
    assert read_lines(world, "replay", now) == ["one", "two"]


def shown(world, name="a"):
    """The section of `furrow runs show` about replays."""
    text = run(world, sys.executable, "-m", "furrow", "runs", "show", name).stdout
    return text.split("Replayed\n")[1].split("\n\n")[0]


def test_show_tells_of_the_runs_own_stages_first(world):
    """A commit that differs elsewhere does not make the run differ; both are told."""
    edit(world / "code/compile.py", "name: a", "name: b")
    commit(world)
    now = replay(world)
    write_note(world, now)
    assert now.first == "compile"
    [one] = describe(load("a", repo=world), replays_of).replays
    assert one["own"] == {
        "stages": ["train@a", "evaluate@a"],
        "status": "identical",
        "first": "",
        "trusted": True,
    }
    assert (one["status"], one["first"], one["holds"]) == ("different", "compile", True)
    said = "identical (train@a evaluate@a); the whole commit different, first at compile, on"
    assert f"{now.commit[:10]}: {said}" in shown(world)


def test_show_tells_of_a_replay_of_other_stages(world):
    """It says nothing of the run's own."""
    write_note(world, replay(world, "HEAD", Options(stage="prepare")))
    write_note(world, replay(world, "HEAD", Options(stage="evaluate@a")))
    text = shown(world)
    assert "none of its own stages; prepare identical, on" in text
    assert "identical (evaluate@a), on" in text


def test_show_believes_no_note_that_does_not_hold(world, verdict):
    """What `--verify` rejects is shown as that, and a line that is no note at all too; the good one stays."""
    add_line(world, "replay", verdict.commit, canonical_json(set_both(statement(world, verdict))))
    add_line(world, "replay", verdict.commit, "looks good to me")
    text = shown(world)
    assert (
        "a note, which says identical, does NOT hold: runs/a/metrics.json: the commit holds" in text
    )
    assert "a note does NOT hold: it is not a statement of a replay" in text
    assert "identical (train@a" not in text
    write_note(world, verdict)
    assert "identical (train@a evaluate@a); the whole commit identical, on" in shown(world)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda name: False, "no stage at all"),
        (lambda name: name != "train@a", "train@a: the note leaves it out"),
        (lambda name: name == "evaluate@a", "compile: the note leaves it out"),
    ],
)
def test_a_note_that_leaves_stages_out(world, verdict, keep, words):
    """An empty or partial verdict agrees with itself, and says nothing of what it leaves out: it doesn't count."""
    forged = changed(verdict, stages=tuple(one for one in verdict.stages if keep(one.stage)))
    add_line(world, "replay", verdict.commit, canonical_json(statement(world, forged)))
    [checked] = verify(world, verdict.commit)
    assert not checked
    assert any(words in problem for problem in checked.problems), checked.problems


@pytest.mark.attack
def test_a_note_without_files(world, verdict):
    """Outputs that are said to be identical name the files that were."""
    stages = tuple(
        changed(stage, outputs=tuple(changed(one, sha256={}) for one in stage.outputs))
        for stage in verdict.stages
    )
    add_line(
        world,
        "replay",
        verdict.commit,
        canonical_json(statement(world, changed(verdict, stages=stages))),
    )
    [checked] = verify(world, verdict.commit)
    assert not checked
    assert any("without a file of it" in problem for problem in checked.problems)


@pytest.mark.parametrize("scope", [{"experiment": "a"}, {"stage": "train"}, {"stage": "prepare"}])
def test_a_part_covers_that_part(world, verdict, scope):
    """Of an experiment its own stages, of a stage that one; of another scope nothing is believed."""
    kept = {"prepare": ("prepare",), "train": ("train@a",)}.get(
        scope.get("stage", ""), ("train@a", "evaluate@a")
    )
    part = changed(
        verdict, scope=scope, stages=tuple(one for one in verdict.stages if one.stage in kept)
    )
    write_note(world, part)
    [checked] = verify(world, verdict.commit)
    assert checked, checked.problems
    add_line(
        world, "replay", verdict.commit, canonical_json(statement(world, changed(part, stages=())))
    )
    add_line(
        world,
        "replay",
        verdict.commit,
        canonical_json(statement(world, changed(part, scope={"year": "a"}))),
    )
    assert [bool(one) for one in verify(world, verdict.commit)].count(True) == 1
