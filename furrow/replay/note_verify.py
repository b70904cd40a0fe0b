"""Check a replay's note against the objects in the repository.

Does the commit still say what the note says it says?

Whoever may write refs/notes/furrow/replay can write a note that holds: `believed_replays` tells
which of them somebody trusted signed.
What this finds is a note that was altered, moved to another commit, made of other results than the
commit's, or that leaves stages out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_bytes, sha256_file
from furrow.ground.git import show
from furrow.history.artifacts import AbsentError, find_file, lock_stage, outputs
from furrow.layout import REPLAY_YAML
from furrow.replay.note_coverage import recorded_steps, uncovered
from furrow.replay.replay_verdict import (
    FAILED,
    IDENTICAL,
    TOLERATED,
    Output,
    Verdict,
    VerdictError,
    first_wrong,
    worst,
)
from furrow.replay.statement import BUILD_TYPE, PREDICATE, STATEMENT, read_statements, verdict_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from furrow.ground.pipeline_spec import Step

__all__ = ["Checked", "verify"]


@dataclass(frozen=True)
class Checked:
    """One note, checked; truthy when it holds.

    Attributes:
        verdict: What it says; None when that can't be read.
        problems: Where it does not agree with the repository, or with itself.
        checked: How many files were compared with the objects.
        absent: Files whose content is not on this machine: for those the names in dvc.lock were
            compared.
    """

    verdict: Verdict | None
    problems: tuple[str, ...]
    checked: int = 0
    absent: int = 0

    def __bool__(self) -> bool:
        return not self.problems


def verify(repo: Path, commit: str) -> list[Checked]:
    """Check every note on a commit.

    Args:
        repo: A folder inside the repository; it may be bare.
        commit: The full id of the commit.
    """
    statements = read_statements(repo, commit)
    steps = recorded_steps(repo, commit) if statements else {}
    return [_check(repo, commit, steps, value) for value in statements]


def _check(repo: Path, commit: str, steps: Mapping[str, Step] | str, value: Any) -> Checked:
    try:
        problems = _form(commit, value)
        verdict = verdict_of(value)
        subjects = {one["name"]: one["digest"] for one in value["subject"]}
    except (VerdictError, KeyError, TypeError, AttributeError) as exc:
        words = exc.message if isinstance(exc, VerdictError) else f"{type(exc).__name__} {exc}"
        return Checked(None, (f"it is not a statement of a replay: {words}",))
    problems += _whole(commit, verdict, subjects)
    told = {} if isinstance(steps, str) else steps
    problems += _commit(repo, commit, told, verdict)
    problems += uncovered(steps, verdict)
    known = {*outputs(repo, commit), *(out.path for step in told.values() for out in step.outs)}
    checked = absent = 0
    for stage in verdict.stages:
        for output in stage.outputs:
            found, here, away = _output(repo, commit, output, known)
            problems += found
            checked, absent = checked + here, absent + away
    return Checked(verdict, tuple(dict.fromkeys(problems)), checked, absent)


def _form(commit: str, value: Any) -> list[str]:
    """What an in-toto statement of a replay must say of itself."""
    problems = []
    definition = value["predicate"]["buildDefinition"]
    for name, found, wanted in (
        ("_type", value["_type"], STATEMENT),
        ("predicateType", value["predicateType"], PREDICATE),
        ("buildType", definition["buildType"], BUILD_TYPE),
        ("externalParameters.commit", definition["externalParameters"]["commit"], commit),
    ):
        if found != wanted:
            problems.append(f"{name} is {found!r}, not {wanted!r}")
    return problems


def _whole(commit: str, verdict: Verdict, subjects: dict[str, Any]) -> list[str]:
    """Whether the parts of a statement agree with one another."""
    problems = []
    if verdict.commit != commit:
        problems.append(f"the verdict is of commit {verdict.commit[:10]}")
    if subjects.get("commit", {}).get("gitCommit") != commit:
        problems.append("the commit is not among the subjects")
    said: dict[str, str] = {}
    for stage in verdict.stages:
        least = worst([output.status for output in stage.outputs])
        if worst([stage.status, least]) != stage.status:
            problems.append(
                f"{stage.stage} is said to be {stage.status}, one of its outputs is {least}"
            )
        for output in stage.outputs:
            if output.status == IDENTICAL:
                said |= {
                    f"{verdict.project or ''}{path}": digest
                    for path, digest in output.sha256.items()
                }
    if verdict.status != worst([stage.status for stage in verdict.stages]):
        problems.append(f"the verdict is said to be {verdict.status}, its stages are not")
    first = first_wrong(verdict.stages)
    if first != verdict.first:
        problems.append(
            f"the first stage that differs is {first or 'none'}, it says {verdict.first or 'none'}"
        )
    listed = {name: digest.get("sha256") for name, digest in subjects.items() if name != "commit"}
    return problems + [
        f"{name}: the subject's sha256 is {listed.get(name)}, the verdict's {said.get(name)}"
        for name in sorted(said.keys() | listed.keys())
        if said.get(name) != listed.get(name)
    ]


def _commit(repo: Path, commit: str, steps: Mapping[str, Step], verdict: Verdict) -> list[str]:
    """Whether the stages, the locked environment and the tolerances are the commit's."""
    problems = []
    for stage in verdict.stages:
        if stage.status == FAILED:
            continue
        if stage.stage in steps:
            recorded = {
                out.path: out.md5
                for out in steps[stage.stage].outs
                if out.inside and not out.remote
            }
        else:
            entries = lock_stage(repo, commit, stage.stage).get("outs", [])
            recorded = {one.get("path"): one.get("md5", "") for one in entries}
        said = {output.path: output.recorded_md5 for output in stage.outputs if output.declared}
        problems += [
            f"{path}: dvc.lock says {recorded.get(path) or 'nothing'}, the note"
            f" {said.get(path) or 'nothing'}"
            for path in sorted(said.keys() | recorded.keys())
            if said.get(path, "") != recorded.get(path, "")
        ]
    place = verdict.environment
    for path, digest in ((place.lock, place.lock_sha256), (REPLAY_YAML, verdict.settings_sha256)):
        content = show(repo, commit, path) if path else None
        if (sha256_bytes(content) if content is not None else "") != digest:
            problems.append(f"{path}: the commit's is not the one that the note names")
    return problems


def _output(
    repo: Path, commit: str, output: Output, known: Container[str]
) -> tuple[list[str], int, int]:
    """Whether an output that is said to be identical is what the commit holds.

    How many files are at hand, and not.
    """
    if output.status not in {IDENTICAL, TOLERATED}:
        return [], 0, 0
    problems, here = [], 0
    unsaid = (
        output.tracked and not output.recorded_md5
    )  # dvc.lock is silent about it: the commit's file counts
    if (
        output.status == IDENTICAL
        and output.declared
        and output.md5 != output.recorded_md5
        and not unsaid
    ):
        problems.append(f"{output.path} is said to be identical, its hashes differ")
    for path, digest in output.sha256.items():
        content = show(
            repo, commit, path
        )  # whatever the note says: what Git holds is compared with that
        if content is not None:
            now = sha256_bytes(content)
        elif output.tracked:
            problems.append(f"{path}: the commit has no such file")
            continue
        else:
            try:
                now = sha256_file(
                    find_file(repo, commit, path, sha256=None, what=f"commit {commit[:10]}")
                )
            except AbsentError:
                if output.path not in known:
                    problems.append(f"{output.path}: the commit's dvc.lock does not name it")
                continue
        here += 1
        if output.status == IDENTICAL and now != digest:
            problems.append(f"{path}: the commit holds {now}, the note says {digest}")
    return problems, here, len(output.sha256) - here
