"""A retraining: newer data landed on a branch, judged as CI judges any other, and offered if it is no worse.

Everything runs in checkouts of the main branch's tip; neither the work tree nor the main branch is
touched. What is offered is a branch for a person to merge, and nothing deploys without that, but
where conf/deployment says `approve: gate` (`furrow.ci.gate_approval`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from furrow.ci.ci_commit import IDENTITY
from furrow.ci.dvc_checkout import Bench, configure
from furrow.ci.gate_approval import Candidate, no_better, on_trial, put_on_trial
from furrow.ci.publish import write_reports
from furrow.ci.retrain_journal import (
    Underway,
    begin,
    end,
    is_underway,
    offering,
    one_retraining,
    settle_killed,
)
from furrow.ci.run_ci import Options, run_ci
from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git, resolve
from furrow.ground.isolate import open_isolation, stream
from furrow.ground.pipeline import read_pipeline
from furrow.ground.project_place import dvc_root, project_prefix
from furrow.ground.runcache import cache_folder
from furrow.ground.worktree import checkout
from furrow.monitoring.retrain_policy import (
    OFFERED,
    Attempt,
    Cause,
    attempts,
    held_back,
    remember,
)
from furrow.proof.trust_policy import trusted_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from furrow.ci.outcome import Outcome
    from furrow.monitoring.monitor_site import Site

__all__ = ["Retrained", "retrain", "settle", "verdict"]

TRAILER = "Furrow-Cause"
AT = "FURROW_AT"
"""The variable that tells the command which lands data as of when: a moment past, in `--at` and in simulations."""
_FAILED, _REFUSED, _WORSE = "failed", "refused", "worse"
_MOVED, _NOTHING, _NO_BETTER = "base moved", "nothing new", "no better"
_REFUSING = ("gate", "card", "budget", "trust")
"""Checks by which a model that was made is refused; by the others none was made."""


@dataclass(frozen=True)
class Retrained:
    """What came of it; truthy when a branch is offered.

    Attributes:
        result: "offered", "failed", "refused", "worse", "no better" (where the gate decides alone),
            "base moved", "nothing new", or "waiting" where nothing was tried.
        text: In words.
        branch: What is offered.
        causes: Why.
        report: The folder of the evidence.
        version: What the gate has put on trial; empty where a person approves.
    """

    result: str
    text: str
    branch: str = ""
    causes: tuple[Cause, ...] = ()
    report: str = ""
    version: str = ""

    def __bool__(self) -> bool:
        return self.result == OFFERED


@dataclass(frozen=True)
class _Work:
    """A retraining under way."""

    site: Site
    remote: str
    base: str
    branch: str
    causes: tuple[Cause, ...]
    say: Callable[[str], None]
    judge: Callable[..., Outcome]
    begun: float = field(default_factory=time.perf_counter)

    @property
    def report(self) -> Path:
        """Where the evidence is kept."""
        return self.site.folder / "retraining" / self.branch.rpartition("/")[2]


def retrain(
    site: Site,
    found: Sequence[Cause],
    *,
    remote: str = "",
    say: Callable[[str], None],
    judge: Callable[..., Outcome] = run_ci,
) -> Retrained:
    """Retrain, judge and offer, if there is a cause and nothing speaks against it.

    Args:
        site: Whose model.
        found: The causes.
        remote: Where the branch is pushed to; empty to leave it in the clone.
        say: Told what happens, line by line.
        judge: CI.

    Raises:
        FurrowError: There is no main branch, or the remote can't be asked.
    """
    with one_retraining(site.folder) as mine:
        if not mine:
            words = "another retraining of it is at work"
            return Retrained("waiting", words, causes=tuple(found))
        killed = _settled(site, remote)
        return _unless_held_back(_Work(site, remote, "", "", tuple(found), say, judge), killed)


def settle(site: Site, *, remote: str = "") -> None:
    """End a retraining that was killed, where nothing speaks for another one.

    Args:
        site: Whose model.
        remote: Where its branch was to be pushed to; empty to leave it in the clone.
    """
    with one_retraining(site.folder) as mine:
        if mine:
            _settled(site, remote)


def _settled(site: Site, remote: str) -> int:
    """End what was killed; how often in a row that was, and nothing came of it."""
    if not is_underway(site.folder):
        return 0
    return settle_killed(site, _base(site.root, remote))


def _unless_held_back(asked: _Work, killed: int) -> Retrained:
    """Retrain, unless something speaks against it."""
    site, found = asked.site, asked.causes
    stopped = next(iter(site.pauses), None)
    if stopped is not None:
        return Retrained("waiting", str(stopped), causes=found)
    fresh, why = held_back(site.settings.retraining, found, attempts(site.folder), now=site.now)
    if why or not fresh:
        return Retrained("waiting", why or "no cause that is not offered", causes=tuple(fresh))
    prefix = f"retrain/{project_prefix(site.root)}{site.environment}/"
    base = _base(site.root, asked.remote)
    if open_one := _open_branch(site.root, asked.remote, prefix, base):
        return Retrained("waiting", f"{open_one} is open: merge or delete it", causes=tuple(fresh))
    if tried := on_trial(site, base):
        return Retrained("waiting", tried, causes=tuple(fresh))
    day = site.now.strftime("%Y%m%d-%H%M%S")
    work = replace(asked, base=base, branch=f"{prefix}{day}", causes=tuple(fresh))
    ids, when = tuple(one.id for one in fresh), site.now.isoformat(timespec="seconds")
    begin(site.folder, Underway(work.branch, ids, when, work.remote, killed=killed))
    made = _attempt(work)
    if made.result not in (_MOVED, _NOTHING):
        seconds = round(time.perf_counter() - work.begun, 1)
        remember(site.folder, Attempt(ids, when, made.result, made.text, made.branch, seconds))
    end(site.folder)
    return made


def _attempt(work: _Work) -> Retrained:
    root, ref = work.site.root, f"refs/heads/{work.branch}"
    try:
        landed = _land(work)
        if not landed:
            words = "there is no newer data than what the main branch was trained on"
            return Retrained(_NOTHING, words, causes=work.causes)
        git(root, "update-ref", ref, landed, "0" * len(landed))
        asked = Options(base=work.base, branch=work.branch, offer=".", cache=cache_folder(root))
        outcome = work.judge(root, landed, asked, say=work.say)
        write_reports(outcome, work.report)
        made = _judged(work, outcome)
    except FurrowError as exc:
        made = Retrained(_FAILED, exc.message, causes=work.causes)
    if not made:
        git(root, "update-ref", "-d", ref)
    return made


def _judged(work: _Work, outcome: Outcome) -> Retrained:
    """What CI found, as a decision; the branch is pushed if it is a good one."""
    result, text = verdict(outcome)
    if result == OFFERED and _base(work.site.root, work.remote) != work.base:
        result = _MOVED
        text = f"the main branch has moved on from {work.base[:10]}: begin again on its tip"
    if result == OFFERED and (why := no_better(work.site, work.base, outcome)):
        result, text = _NO_BETTER, why
    if result == OFFERED:
        offering(work.site.folder, resolve(work.site.root, f"refs/heads/{work.branch}"))
    if result == OFFERED and work.remote:
        ref = f"refs/heads/{work.branch}"
        git(work.site.root, "push", "--quiet", work.remote, f"{ref}:{ref}")
    branch, version = work.branch if result == OFFERED else "", ""
    if branch:
        why = "\n".join(f"- {one.text}" for one in work.causes)
        offer = Candidate(work.site, work.remote, work.base, branch, outcome, why)
        version, said = put_on_trial(offer, say=work.say)
        text = f"{text}; {said}" if said else text
    return Retrained(result, text, branch, work.causes, str(work.report), version)


def verdict(outcome: Outcome) -> tuple[str, str]:
    """Whether what CI found is worth a person's time, and why.

    Args:
        outcome: Of the branch with newer data.

    Returns:
        "offered", "failed", "refused", "worse" or "nothing new"; and words.
    """
    worse = [
        f"{run.experiment}: {run.measures[0].metric}"  # what the gate selects by comes first
        for run in outcome.runs
        if run.champion and run.measures and run.measures[0].verdict == "worse"
    ]
    failed = next((one for one in outcome.checks if one.status == "failed"), None)
    if failed is not None:
        text = f"{failed.name}: {failed.text}"
        if failed.name == "gate" and worse:
            return _WORSE, text
        return (_REFUSED if failed.name in _REFUSING else _FAILED), text
    if worse:
        return _WORSE, f"surely worse than the champion: {worse[0]}"
    if not outcome.offered:
        return _NOTHING, "the stages gave what the main branch has"
    gate = next((one.text for one in outcome.checks if one.name == "gate"), "")
    return OFFERED, gate or "no check failed"


def _land(work: _Work) -> str:
    """Land newer data on the main branch's tip: the commit, known to the clone.

    Empty when there is none.

    Raises:
        FurrowError: The project's command failed, or the data can't be had.
    """
    site = work.site
    with checkout(site.root, work.base) as tree:
        configure(
            dvc_root(tree.root), site.root, cache_folder(site.root), trusted=True, config=None
        )
        bench = Bench(tree.root, open_isolation(), open_isolation(), remote=True, say=work.say)
        command = site.settings.retraining.land
        if command:
            sources = read_pipeline(tree.root).sources
            _bring(bench, [one.path for one in sources])
            moment = {AT: site.now.isoformat(timespec="seconds")}
            held = replace(bench.running, environment={**bench.running.environment, **moment})
            for line in stream(["/bin/sh", "-c", command], tree.root, held):
                work.say(line)
            # what is tracked is as it lies there now, whether the command told DVC or not
            for one in read_pipeline(tree.root).sources:
                bench.dvc("commit", "--force", one.file)
        git(tree.root, "add", "--update", "--", ".")
        if not git(tree.root, "diff", "--cached", "--name-only"):
            return ""
        git(tree.root, *IDENTITY, "commit", "--quiet", "--file=-", stdin=_message(work).encode())
        made = resolve(tree.root, "HEAD")
        git(site.root, "fetch", "--quiet", "--no-tags", str(common_dir(tree.root)), made)
    return made


def _bring(bench: Bench, paths: Sequence[str]) -> None:
    """The data as they were: a command may go on from them; one that makes them anew needs none."""
    try:
        bench.fetch(paths, {})
        bench.checkout(paths)
    except FurrowError as exc:
        bench.say(f"the data of the main branch are not here: {exc.message}")


def _message(work: _Work) -> str:
    said = "\n".join(f"- {one.text}" for one in work.causes)
    trailers = "\n".join(f"{TRAILER}: {one.id}" for one in work.causes)
    return f"Land data to retrain {work.site.environment}\n\n{said}\n\n{trailers}\n"


def _base(root: Path, remote: str) -> str:
    """The main branch's tip, as the remote has it now."""
    if remote:
        git(root, "fetch", "--quiet", "--no-tags", remote)
    base = trusted_commit(root)
    if not base:
        raise FurrowError("there is no main branch to retrain on", hint="commit, and push it")
    return base


def _open_branch(root: Path, remote: str, prefix: str, base: str) -> str:
    """A branch that was offered before, and is neither merged nor deleted."""
    if remote:
        listed = git(root, "ls-remote", "--heads", remote, f"refs/heads/{prefix}*").decode()
        there = [line.split("\t", 1) for line in listed.splitlines()]
    else:
        listed = git(
            root, "for-each-ref", "--format=%(objectname) %(refname)", f"refs/heads/{prefix}"
        ).decode()
        there = [line.split(" ", 1) for line in listed.splitlines()]
    for commit, name in there:
        merged = git(root, "merge-base", commit, base, ok=(0, 1, 128)).decode().strip() == commit
        if not merged:
            return name.removeprefix("refs/heads/")
    return ""
