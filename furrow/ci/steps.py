"""The steps of CI that run something: plan, compile, stages, remote, replays, CI's own commit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from furrow.ci.bring_contents import bring, bring_lists, kept_of
from furrow.ci.ci_commit import MovedError, commit_results, made_by_ci, offer
from furrow.ci.dvc_checkout import RefusedError, RemoteError, inputs_of
from furrow.ci.gather import changed_experiments, experiments_at
from furrow.ci.outcome import Check, Replayed
from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git, is_bare
from furrow.ground.isolate import CommandError, run, stream
from furrow.ground.pipeline import read_pipeline
from furrow.ground.start_python import python
from furrow.history.artifacts import outputs
from furrow.layout import EVALUATIONS, MANIFEST, PIPELINE, RUN_CONFIG, RUNS
from furrow.parse import parse_json
from furrow.plan.plan_spec import Plan, parse_plan
from furrow.proof.trust_policy import read_policy
from furrow.replay.replay_verdict import Verdict, VerdictError
from furrow.replay.statement import write_note

if TYPE_CHECKING:
    from furrow.ci.run_ci import Session
    from furrow.ground.pipeline_spec import Pipeline
    from furrow.plan.plan_spec import Resource

__all__ = [
    "address",
    "compiled",
    "differences",
    "offered",
    "plan",
    "remote",
    "replay_one",
    "replays",
    "stages",
]

_HEARD = 8
"""Lines of a complaint that are kept."""
_COMPILED = (f"{RUNS}/*/{RUN_CONFIG}", PIPELINE, MANIFEST)


def _furrow(session: Session, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    command = python("-m", "furrow", *arguments)
    return run(command, session.bench.place, session.bench.running, say=session.say, ok=ok)


def _planned(session: Session, revisions: str) -> Plan:
    """The plan between two commits; one of declarations that can't be read is a plan, too, and says why."""
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        session.say(line)

    command = python("-m", "furrow", "plan", "--rev", revisions, "--json")
    told = run(command, session.bench.place, session.bench.running, say=hear, ok=(0, 1))
    if not told.strip():
        raise CommandError(f"furrow plan --rev {revisions} exited 1", lines=heard[-_HEARD:])
    return parse_plan(parse_json(told), "the plan")


def plan(session: Session) -> Check:
    """Which stages the commit's author has not run."""
    # Which stages read something new hangs on the lists of raw data's files; the files themselves
    # are not needed.
    bring_lists(session, [source.md5 for source in read_pipeline(session.root).sources])
    found = _planned(session, f"{session.commit}..{session.commit}")
    if found.unreadable:
        return Check("plan", "failed", "what is declared can't be read", found.unreadable)
    session.stale = {stage.name: stage.why for stage in found.stages}
    session.certain = {stage.name for stage in found.stages if stage.certain}
    if not session.stale:
        return Check("plan", "passed", "every stage was run by the author")
    named = ", ".join(list(session.stale)[:6]) + (
        f" and {len(session.stale) - 6} more" * (len(session.stale) > 6)
    )
    count = len(session.stale)
    details = tuple(f"{stage}: {line}" for stage, why in session.stale.items() for line in why[:2])
    return Check("plan", "passed", f"{count} stage{'s' * (count > 1)} to run: {named}", details)


def differences(session: Session) -> tuple[Resource, ...]:
    """What changed from the base, as the plan tells it."""
    try:
        return _planned(session, f"{session.base}..{session.result}").resources
    except (CommandError, FurrowError) as exc:
        session.say(f"what changed is not told: {exc.message}")
        return ()


def compiled(session: Session) -> Check | None:
    """Whether the committed resolved configs are what the declarations give.

    Compiling them again tells.
    """
    step = read_pipeline(session.root).steps.get("compile")
    if step is None:
        return None
    commands = [step.cmd] if isinstance(step.cmd, str) else list(step.cmd)
    folder = session.bench.place / step.wdir
    for command in commands:
        for line in stream(["/bin/sh", "-c", command], folder, session.bench.running):
            session.say(line)
    if session.bench.held:
        session.bench.held.collect()
    changed = (
        git(session.root, "diff", "--name-only", "-z", "HEAD", "--", *_COMPILED)
        .decode()
        .split("\0")
    )
    wrong = [path for path in changed if path]
    untracked = git(
        session.root, "ls-files", "-z", "--others", "--exclude-standard", "--", *_COMPILED
    ).decode()
    wrong += [path for path in untracked.split("\0") if path]
    if not wrong:
        return Check("compile", "passed", "the resolved configs are what the declarations give")
    if "compile" in session.stale:
        count = len(wrong)
        return Check(
            "compile",
            "passed",
            f"{count} resolved file{'s' * (count > 1)} written anew",
            tuple(wrong),
        )
    return Check(
        "compile",
        "failed",
        "resolved files are not what the declarations give: edited by hand? `furrow compile`, then"
        " `dvc repro`",
        tuple(wrong),
    )


def stages(session: Session) -> Check:
    """Run what is stale, with the inputs that it needs and no others."""
    bench, asked = session.bench, session.options
    if not session.stale:
        return Check("stages", "passed", "nothing to run")
    pipeline = read_pipeline(session.root)
    try:
        bring(session, inputs_of(pipeline, set(session.stale), session.certain))
        bench.repro(session.stale, pull=not asked.untrusted)
    except RemoteError as exc:
        if isinstance(exc, RefusedError) and not asked.untrusted:
            raise  # hours of work would end at the same door; only a branch from outside has no key
        _rebuild(session, pipeline, exc)
    if bench.held:
        bench.held.collect()
    session.made = commit_results(session.root, session.commit)
    session.result = session.made or session.commit
    if bench.held and session.made:
        bench.held.know(session.made)
        for path, output in outputs(session.root, session.made).items():
            if path.startswith(f"{EVALUATIONS}/"):
                bench.held.collect_file(path, output.md5)
    ran = [row for row in bench.rows if row.action == "run"]
    words = f"{len(ran)} run, {len(bench.rows) - len(ran)} restored"
    if not session.made:
        return Check("stages", "passed", f"{words}: the results are what the commit holds")
    if made_by_ci(session.repo, session.commit):
        words = "CI's own commit has stages to run again: they don't give the same twice"
        return Check("stages", "failed", words, ("`furrow replay` finds out why",))
    if asked.offer and asked.branch and not asked.untrusted:
        return Check(
            "stages", "passed", f"{words}; the author had not run them, CI offers the results"
        )
    words += "; the author had not run them: `dvc repro`, then commit dvc.lock and runs/"
    return Check("stages", "warning" if asked.lenient else "failed", words, tuple(session.stale))


def _rebuild(session: Session, pipeline: Pipeline, cause: RemoteError) -> None:
    """Make everything again from the raw data, when something that is needed is nowhere to be had."""
    session.say(f"{cause.message}; everything is made again from the raw data")
    git(session.root, "reset", "-q", "--hard", session.commit)
    if session.bench.held:
        session.bench.held.reset(session.commit)
    session.bench.rows.clear()
    try:
        bring(session, [source.path for source in pipeline.sources])
    except RemoteError as exc:
        if not session.settings.prepare:
            raise
        session.say(f"{exc.message}; preparing the data: {session.settings.prepare}")
        for line in stream(
            ["/bin/sh", "-c", session.settings.prepare], session.bench.place, session.bench.running
        ):
            session.say(line)
    why = dict.fromkeys(pipeline.steps, (f"rebuilt: {cause.message}",))
    session.bench.repro({**why, **session.stale}, pull=False, everything=True)


def remote(session: Session) -> Check | None:
    """Whether the DVC remote has what the commit names.

    What is missing, and which stage makes it again.
    """
    if session.options.untrusted:
        return None
    if not session.bench.remote:
        return Check("remote", "skipped", "the repository names no DVC remote")
    if session.made:
        return None  # it is pushed with CI's commit
    missing = session.bench.missing()
    if not missing:
        return Check("remote", "passed", "the DVC remote has what the commit names")
    pipeline = read_pipeline(session.root)
    details = []
    for path in missing:
        clean = path.rstrip("/")
        makers = (
            step
            for step in pipeline.steps.values()
            for out in step.outs
            if f"{clean}/".startswith(f"{out.path}/")
        )
        maker = next((step.name for step in makers), "")
        how = (
            f"made by {maker}: `dvc repro {maker}`, then `dvc push`"
            if maker
            else "`dvc push` where it was added"
        )
        details.append(f"{path}: {how}")
    count = len(missing)
    return Check(
        "remote",
        "failed",
        f"the DVC remote lacks {count} object{'s' * (count > 1)}",
        tuple(details),
    )


def replays(session: Session) -> None:
    """Replay experiments from nothing, as conf/ci.yaml asks.

    Each verdict becomes a note on the commit.
    """
    asked = session.options.replay or session.settings.replay
    names = experiments_at(session.root, session.result)
    if asked == "changed":
        names = changed_experiments(session.root, session.base, session.result)
    elif asked == "sample":
        names.sort(key=lambda name: hashlib.sha256(f"{session.commit}{name}".encode()).hexdigest())
        names = names[: session.settings.sample]
    elif asked == "none":
        names = []
    made_here = {row.name.partition("@")[2] for row in session.bench.rows if row.action == "run"}
    wanted = [name for name in names if name not in made_here]
    if not wanted:
        words = "conf/ci.yaml asks for none" if asked == "none" else "no experiment to replay"
        count = len(names)
        words = (
            f"{count} experiment{'s were' if count > 1 else ' was'} made here, from the inputs"
            if names
            else words
        )
        session.checks.append(Check("replay", "skipped", words))
        return
    session.check("replay", lambda: _replayed(session, wanted))


def _replayed(session: Session, wanted: list[str]) -> Check:
    found = [replay_one(session, name) for name in wanted]
    wrong = [one for one in found if not one]
    if wrong:
        details = tuple(
            f"{one.experiment}: {line}" for one in wrong for line in one.reasons or (one.status,)
        )
        words = f"{len(wrong)} of {len(found)} replayed experiments are not what the commit says"
        return Check("replay", "failed", words, details)
    return Check("replay", "passed", f"{len(found)} replayed from nothing: what the commit says")


def replay_one(session: Session, name: str) -> Replayed:
    """Replay an experiment from nothing, and keep what came of it.

    Raises:
        FurrowError: It could not be replayed.
    """
    known = kept_of(session, session.result)
    session.bench.fetch([source.path for source in read_pipeline(session.root).sources], known)
    if session.options.untrusted:  # held without a network, a replay can't ask for them itself
        bring_lists(
            session, [output.md5 for output in outputs(session.root, session.result).values()]
        )
    session.say(f"replaying {name}")
    text = _furrow(
        session, "replay", session.result, "--experiment", name, "--json", "--no-note", ok=(0, 1)
    )
    try:
        verdict = Verdict.from_json(parse_json(text))
    except (ValueError, VerdictError) as exc:
        raise FurrowError(f"{name} could not be replayed", hint="`furrow replay` says why") from exc
    reasons = tuple(
        f"{stage.stage}: {reason.kind}: {reason.text}"
        for stage in verdict.stages
        for reason in stage.reasons
    )
    made = Replayed(name, verdict.status, len(verdict.stages), reasons, verdict.seconds)
    session.replays.append(made)
    if not session.options.untrusted and session.result == session.commit:
        signs = "replay" in read_policy(session.repo, branch=session.tip).roles
        write_note(session.repo, verdict, sign=signs)
    return made


def offered(session: Session) -> Check | None:
    """Push what the stages made and CI's commit, where that was asked for."""
    asked = session.options
    if not session.made or asked.untrusted or not (asked.offer and asked.branch):
        return None
    session.bench.push()
    try:
        offer(
            session.root, session.made, session.commit, remote=address(session), branch=asked.branch
        )
    except MovedError as exc:
        return Check("offer", "warning", f"{exc.message}: {exc.hint}")
    session.offered = session.made
    return Check(
        "offer", "passed", f"the results are {session.made[:10]} on {asked.branch}: `git pull`"
    )


def address(session: Session) -> str:
    """Where to push to: a remote's address, or the repository itself."""
    asked = session.options.offer
    if asked == "." or is_bare(session.repo):
        return str(common_dir(session.repo))
    urls = (
        git(session.repo, "config", "--get-all", f"remote.{asked}.pushurl", ok=(0, 1))
        .decode()
        .split()
    )
    urls += (
        git(session.repo, "config", "--get-all", f"remote.{asked}.url", ok=(0, 1)).decode().split()
    )
    return urls[0] if urls else asked
