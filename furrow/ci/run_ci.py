"""CI on a commit, in a clean checkout.

Fetch, compile, plan, run what is stale, replay, gate, report, offer.
"""

from __future__ import annotations

import platform
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from furrow.ci import steps
from furrow.ci.bring_contents import fetch_evaluations
from furrow.ci.budget_check import budget_check
from furrow.ci.card_check import cards_whole
from furrow.ci.ci_commit import made_by_ci
from furrow.ci.ci_settings import CiSettingsError, parse_settings
from furrow.ci.deployment_check import deployments_hold
from furrow.ci.dvc_checkout import Bench, configure
from furrow.ci.fair_comparison import rejudged
from furrow.ci.gather import champions_of, code_changes, side_by_side
from furrow.ci.held_tree import hold
from furrow.ci.inspect import dvc_config, expanded, inspect_commit
from furrow.ci.judged import gate_check
from furrow.ci.outcome import Check, Outcome
from furrow.ci.registration import registered
from furrow.ci.target import find_target, named_commit
from furrow.ci.trust_check import trust_holds
from furrow.errors import FurrowError
from furrow.ground.git import common_dir, foreign, git, is_bare, is_shallow, show
from furrow.ground.isolate import CommandError, open_isolation
from furrow.ground.project_place import dvc_root, project_prefix, project_root
from furrow.ground.runcache import cache_folder
from furrow.ground.worktree import checkout
from furrow.layout import CHAMPION, CI_YAML, DVC_YAML
from furrow.models.pause import CI, paused
from furrow.plan.resource_kinds import kind_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from furrow.ci.ci_settings import CiSettings
    from furrow.ci.gather import Elsewhere
    from furrow.ci.outcome import Replayed
    from furrow.ci.target import Target
    from furrow.ground.worktree import Checkout

__all__ = ["CiError", "Options", "run_ci"]

REFUSED = "the commit leads out of its repository: nothing was run"


class CiError(FurrowError):
    """CI can't be run on a commit."""


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        base: What to measure against; empty for the target branch.
        branch: The branch that the commit is on; needed to offer a commit and to register.
        untrusted: Without credentials, held or refused, nothing pushed or noted.
        unheld: Run an untrusted commit though this machine can't hold it, or need not.
        offer: Where to push CI's own commit to: a remote's name or an address; empty to offer
            nothing.
        lenient: Stages that were not run are a warning: for a commit that is not the newest of its
            push.
        register: Register the champion when the commit is on the main branch and passed, if
            conf/ci.yaml asks.
        replay: Overrides conf/ci.yaml; empty for what it says.
        cache: DVC's cache; None for the repository's own.
        folder: Where to make the checkout.
    """

    base: str = ""
    branch: str = ""
    untrusted: bool = False
    unheld: bool = False
    offer: str = ""
    lenient: bool = False
    register: bool = False
    replay: str = ""
    cache: Path | None = None
    folder: Path | None = None


@dataclass
class Session:
    """A run of CI under way: what the steps share."""

    repo: Path
    tree: Checkout
    commit: str
    base: str
    tip: str
    settings: CiSettings
    options: Options
    bench: Bench
    say: Callable[[str], None]
    result: str
    checks: list[Check] = field(default_factory=list)
    certain: set[str] = field(default_factory=set)
    made: str = ""
    stale: dict[str, tuple[str, ...]] = field(default_factory=dict)
    replays: list[Replayed] = field(default_factory=list)
    offered: str = ""
    elsewhere: Elsewhere = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.tree.root

    def check(self, name: str, find: Callable[[], Check | None]) -> bool:
        """Make a check, time it, keep it; a known error is a failed check.

        Returns whether to go on.
        """
        found = _checked(name, find, self.say)
        self.checks += [found] if found else []
        return found is None or found.status != "failed"


def _checked(
    name: str, find: Callable[[], Check | None], say: Callable[[str], None]
) -> Check | None:
    begun, told = time.perf_counter(), False
    try:
        found = find()
    except CommandError as exc:
        found, told = (
            Check(name, "failed", exc.message, exc.lines),
            True,
        )  # its lines were said as they came
    except FurrowError as exc:
        found = Check(name, "failed", exc.message, (exc.hint,) if exc.hint else ())
    if found is None:
        return None
    found = replace(found, seconds=round(time.perf_counter() - begun, 2))
    say(f"{found.name}: {found.status}: {found.text}")
    for line in found.details if found.status == "failed" and not told else ():
        say(f"  {line}")
    return found


def _silent(line: str) -> None:
    del line


def run_ci(
    repo: Path,
    rev: str = "HEAD",
    options: Options | None = None,
    *,
    say: Callable[[str], None] = _silent,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Outcome:
    """Run CI on a commit; the repository's work tree is not touched.

    Args:
        repo: A folder inside the repository, which may be bare.
        rev: The commit.
        options: How.
        say: Told what happens, line by line.
        clock: The time, for the record.

    Raises:
        UnknownRevisionError: No commit goes by this name.
        CiError: The commit declares no stages, or CI is paused.
        TargetError: The commit is from outside, and nothing trusted names the branch to measure it
            against.
        CiSettingsError: conf/ci.yaml is malformed.
    """
    options = options or Options()
    commit = named_commit(repo, rev)
    if stopped := paused(repo, CI, trusted=True):  # what is judged has no say in it
        raise CiError(f"nothing was judged: {stopped}", hint="furrow resume ci, pushed")
    if show(repo, commit, DVC_YAML) is None:
        raise CiError(
            f"commit {commit[:10]} has no dvc.yaml", hint="CI runs commits that declare stages"
        )
    target = find_target(repo, commit, asked=options.base, untrusted=options.untrusted)
    started, begun = clock(), time.perf_counter()
    subject, _, author = (
        git(repo, "log", "-1", "--format=%s%x00%an", commit)
        .decode(errors="replace")
        .partition("\0")
    )
    outcome = Outcome(
        commit=commit,
        subject=subject.strip(),
        author=author.strip(),
        branch=options.branch,
        target=target.branch,
        base=target.base,
        untrusted=options.untrusted,
        started=started.astimezone(UTC).isoformat(timespec="seconds"),
        machine="" if options.untrusted else platform.node(),
        furrow=_version(),
        project=project_prefix(repo),
    )
    say(f"commit {commit[:10]} {outcome.subject}")
    with foreign() if options.untrusted else nullcontext():
        made = _judged(repo, target, options, outcome, say)
    return replace(made, seconds=round(time.perf_counter() - begun, 2))


def _judged(
    repo: Path, target: Target, options: Options, outcome: Outcome, say: Callable[[str], None]
) -> Outcome:
    """Look at the commit's objects first; only then is anything of it written or run."""
    first = _checked("inspect", lambda: _inspected(repo, outcome.commit, target, options), say)
    if first is None or first.status == "failed":
        return replace(outcome, checks=(first,) if first else ())
    with checkout(repo, outcome.commit, parent=options.folder) as tree:
        try:
            session = _session(repo, tree, target, options, say)
        except FurrowError as exc:
            say(f"hold: failed: {exc.message}")
            refused = Check("hold", "failed", exc.message, (exc.hint,) if exc.hint else ())
            return replace(outcome, checks=(first, refused), isolation="nothing was run")
        session.checks.append(first)
        try:
            return _run(session, outcome)
        except FurrowError as exc:
            session.checks.append(
                Check("ci", "failed", exc.message, (exc.hint,) if exc.hint else ())
            )
            held = session.bench.running.words
            return replace(
                outcome,
                checks=tuple(session.checks),
                stages=tuple(session.bench.rows),
                isolation=held,
            )


def _version() -> str:
    try:
        return version("furrow")
    except PackageNotFoundError:
        return "unknown"


def _session(
    repo: Path,
    tree: Checkout,
    target: Target,
    options: Options,
    say: Callable[[str], None],
) -> Session:
    own = repo if is_bare(repo) else project_root(repo)
    main = [f"refs/heads/{target.settings.branch}", f"refs/remotes/origin/{target.settings.branch}"]
    known = [
        ref for ref in main if git(repo, "rev-parse", "--verify", "--quiet", ref, ok=(0, 1)).strip()
    ]
    brought = ["+refs/tags/*:refs/tags/*", *(f"+{ref}:{ref}" for ref in known)]
    git(tree.root, "fetch", "-q", "--no-tags", str(common_dir(repo)), *brought)
    if options.untrusted:
        held = hold(
            own,
            tree,
            commits=(tree.commit, target.base, target.tip),
            config=dvc_config(repo, target.tip) if target.tip else None,
            limits=target.settings.bounds,
            released=options.unheld,
            say=say,
        )
        bench = Bench(tree.root, held.fetching, held.running, held.remote, say, held)
    else:
        cache = options.cache or (
            common_dir(repo) / "furrow-ci/cache" if is_bare(repo) else cache_folder(own)
        )
        remote = configure(dvc_root(tree.root), repo, cache, trusted=True, config=None)
        bench = Bench(tree.root, open_isolation(), open_isolation(), remote, say)
    return Session(
        repo,
        tree,
        tree.commit,
        target.base,
        target.tip,
        target.settings,
        options,
        bench,
        say,
        tree.commit,
    )


def _run(session: Session, outcome: Outcome) -> Outcome:
    bench = session.bench
    if session.check("plan", lambda: _expanded(session)) and session.check(
        "plan", lambda: steps.plan(session)
    ):
        session.check("compile", lambda: steps.compiled(session))
        ran = session.check("stages", lambda: steps.stages(session))
        session.check("remote", lambda: steps.remote(session))
        session.check(
            "deployments", lambda: deployments_hold(session.root, session.base, session.result)
        )
        session.check("trust", lambda: trust_holds(session))
        fetch_evaluations(session)
        session.elsewhere = rejudged(session)
        session.check("gate", lambda: _gated(session))
        session.check("card", lambda: cards_whole(session.root, session.tip, session.result))
        session.check("budget", lambda: budget_check(session))
        if ran or session.made:
            steps.replays(session)
    outcome = _beside(session, replace(outcome, isolation=bench.running.words))
    if not any(check.status == "failed" for check in session.checks):
        session.check("offer", lambda: steps.offered(session))
        session.check("register", lambda: registered(session))
    return replace(
        outcome,
        checks=tuple(session.checks),
        stages=tuple(bench.rows),
        replays=tuple(session.replays),
        offered=session.offered,
    )


def _gated(session: Session) -> Check:
    worse, elsewhere = session.settings.worse, session.elsewhere
    return gate_check(session.root, session.tip, session.result, worse=worse, elsewhere=elsewhere)


def _expanded(session: Session) -> Check | None:
    """Refuse what leads out once templates are filled in.

    The checkout has the commit's files, and nothing has run.
    """
    found = expanded(session.repo, session.commit, session.root, outside=session.options.untrusted)
    if not found:
        return None
    session.checks = [one for one in session.checks if one.name != "inspect"]
    return Check("inspect", "failed", REFUSED, tuple(found))


def _more_estimators(repo: Path, commit: str, target: Target) -> list[str]:
    """Libraries whose estimators a commit from outside allows itself, and the target branch does not."""
    try:
        own = parse_settings(show(repo, commit, CI_YAML)).estimators
    except CiSettingsError as exc:
        return [str(exc)]
    return [
        f"conf/ci.yaml: estimators of {name}, which {target.branch} does not allow"
        for name in own
        if name not in target.settings.estimators
    ]


def _inspected(repo: Path, commit: str, target: Target, options: Options) -> Check:
    """Refuse what leads out of the repository, before anything of the commit is written or run."""
    base = (target.tip or target.base) if options.untrusted else ""
    found = inspect_commit(
        repo, commit, base, outside=options.untrusted, imports=target.settings.imports
    )
    if options.untrusted:
        found += _more_estimators(repo, commit, target)
    config = [line for line in found if line.startswith(".dvc/config: differs")]
    refused = [line for line in found if line not in config]
    if refused:
        return Check("inspect", "failed", REFUSED, tuple(refused))
    if is_shallow(repo) and not target.base:
        words = "this clone is shallow, there is nothing to compare with: `git fetch --unshallow`"
        return Check("inspect", "warning", words)
    if config:
        return Check(
            "inspect",
            "warning",
            "the target branch's DVC remote is used, not the commit's",
            tuple(config),
        )
    own = " (made by CI)" if made_by_ci(repo, commit) else ""
    return Check("inspect", "passed", f"every path stays inside the repository{own}")


def _beside(session: Session, outcome: Outcome) -> Outcome:
    """The outcome with runs side by side, and what changed."""
    champions = champions_of(show(session.root, session.result, CHAMPION))
    runs = tuple(
        side_by_side(session.root, session.base, session.result, champions, session.elsewhere)
    )
    changes = {kind: tuple(dict.fromkeys(lines)) for kind, lines in _changes(session).items()}
    changes["config"] = tuple(
        f"{run.experiment}: {key} {old} -> {new}" for run in runs for key, old, new in run.config
    )
    return replace(
        outcome, runs=runs, changes={kind: lines for kind, lines in changes.items() if lines}
    )


def _changes(session: Session) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"data": [], "features": [], "config": [], "code": []}
    if not session.base:
        return found
    for resource in steps.differences(session):
        kind = kind_named(resource.kind).told
        if kind and resource.action != "unchanged":
            found[kind] += [
                f"{resource.name}: {line}" for line in resource.why or (resource.action,)
            ]
    found["code"] = list(code_changes(session.root, session.base, session.result))
    return found
