"""A retraining on trial without a person, where conf/deployment says `approve: gate`.

What CI judged goes onto the main branch as it is, its champion becomes a version, and one more
commit, in the declared name, makes that the environment's shadow. How it goes on from there is its
own evidence's (`furrow.serving.gate_step`). Whatever is unsure is left to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.ci.dvc_checkout import Bench, configure
from furrow.ci.gather import champions_of
from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git, show
from furrow.ground.git_commit import commit_files
from furrow.ground.git_mirror import drop_branch, push_onto
from furrow.ground.isolate import open_isolation
from furrow.ground.project_place import dvc_root, project_prefix
from furrow.ground.runcache import cache_folder
from furrow.ground.worktree import checkout
from furrow.layout import CHAMPION, deployment_yaml, model
from furrow.models.deployment_text import with_tried
from furrow.models.register import register, settings
from furrow.models.registry import name_of
from furrow.serving.deployment_spec import GATE, Deployment, read_deployment
from furrow.serving.deployment_state import read_followed, read_holds, wanted
from furrow.serving.gate_step import approver

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.ci.outcome import Outcome
    from furrow.models.registry import Version
    from furrow.monitoring.monitor_site import Site

__all__ = ["Candidate", "no_better", "on_trial", "put_on_trial", "unproved"]


@dataclass(frozen=True)
class Candidate:
    """What a retraining offers.

    Attributes:
        site: Whose model.
        remote: Where the main branch is.
        base: The main branch's tip that it was made on.
        branch: The branch of the offer.
        outcome: What CI found of it.
        why: The causes, a line each.
    """

    site: Site
    remote: str
    base: str
    branch: str
    outcome: Outcome
    why: str


def on_trial(site: Site, base: str) -> str:
    """The version that a gate has on trial already, in words.

    Empty for none, and where a person approves.

    Args:
        site: The environment.
        base: The main branch's tip.
    """
    declared = _declared(site, base)
    if declared is None or declared.tried is None:
        return ""
    variant, spec = declared.tried
    return f"{spec.model} is the {variant} of {site.environment}: the next after that is decided"


def no_better(site: Site, base: str, outcome: Outcome) -> str:
    """Why a retraining is not worth a trial, where the gate decides and not a person.

    Empty where it is.

    A person may want a model that is as good and younger; nobody tries one that is not surely
    better.

    Args:
        site: The environment.
        base: The main branch's tip.
        outcome: Of CI.
    """
    declared = _declared(site, base)
    if declared is None:
        return ""
    found = [one.measures[0] for one in outcome.runs if one.champion and one.measures]
    if any(one.verdict == "better" for one in found):
        return ""
    said = "; ".join(f"{one.metric}: {one.verdict}" for one in found) or "nothing was compared"
    return f"not surely better than what is served ({said}), and `approve: gate` tries nothing else"


def unproved(candidate: Candidate) -> str:
    """Why a person has to look at an offer, though `approve: gate`.

    Empty where evidence is enough.
    """
    site, outcome = candidate.site, candidate.outcome
    if not candidate.remote:
        return "there is no remote whose main branch servers follow"
    held = wanted(
        read_followed(site.log.parent, site.environment), read_holds(site.log.parent)
    ).held
    if held is not None:
        return (
            f"a {held.kind} since {held.since[:16]} outranks it:"
            f" {held.why or 'no reason was given'}"
        )
    gate = next((one for one in outcome.checks if one.name == "gate"), None)
    if gate is None or gate.status != "passed":
        return f"no gate let it pass: {'nothing was judged' if gate is None else gate.text}"
    doubtful = [one for one in outcome.checks if one.status == "warning"]
    if doubtful:
        return f"{doubtful[0].name}: {doubtful[0].text}"
    return ""


def put_on_trial(candidate: Candidate, *, say: Callable[[str], None]) -> tuple[str, str]:
    """Merge, register, and let the version begin as a shadow, if the deployment leaves that to the gate.

    Args:
        candidate: What was offered.
        say: Told what happens, line by line.

    Returns:
        The version, empty where nothing was done; and why, in words, empty where a person approves
        anyway.
    """
    declared = _declared(candidate.site, candidate.base)
    if declared is None:
        return "", ""
    why = unproved(candidate)
    if not why:
        try:
            return _begun(candidate, declared, say)
        except FurrowError as exc:
            why = exc.message
    return "", f"left to a person, though `approve: gate`: {why}"


def _begun(
    candidate: Candidate, declared: Deployment, say: Callable[[str], None]
) -> tuple[str, str]:
    site, root = candidate.site, candidate.site.root
    tip = candidate.outcome.offered or candidate.outcome.commit
    now = git(root, "rev-parse", f"refs/heads/{candidate.branch}").decode().strip()
    if now != tip:
        raise FurrowError(f"{candidate.branch} is at {now[:10]} by now, and {tip[:10]} was judged")
    who = approver(declared.trial)
    version = _registered(candidate, tip, _champion(candidate, declared, tip), who, say)
    if str(version) == declared.model:
        raise FurrowError(f"{version} is served already")
    path, temporary = deployment_yaml(site.environment), f"gate/{candidate.branch}"
    tried = {"shadow": {"model": str(version), "share": declared.trial.shadow}}
    content = with_tried(show(root, tip, path) or b"", tried).encode()
    gate = next(one.text for one in candidate.outcome.checks if one.name == "gate")
    said = (
        f"Try {version} as the shadow of {site.environment}\n\nRetrained"
        f" because\n{candidate.why}\n\nThe gate let it pass: {gate}.\nBy evidence alone: {path}"
        " says `approve: gate`.\n"
    )
    drop_branch(root, temporary)
    whole = f"{project_prefix(root)}{path}"
    made = commit_files(root, temporary, tip, {whole: content}, said, who=who)
    try:
        push_onto(root, candidate.remote, made, settings(root)["branch"], [version.tag])
    except FurrowError:
        if version.commit == tip:  # it is nobody's yet: the next attempt gives the number again
            git(root, "update-ref", "-d", f"refs/tags/{version.tag}")
        raise
    finally:
        drop_branch(root, temporary)
    git(root, "fetch", "--quiet", "--no-tags", candidate.remote)
    return str(version), f"{version} is the shadow of {site.environment}: {made[:10]}"


def _champion(candidate: Candidate, declared: Deployment, tip: str) -> str:
    """The champion of the problem that the environment's model is of."""
    served = name_of(declared.model)
    for one in champions_of(show(candidate.site.root, tip, CHAMPION)).values():
        if served in one.verdicts and one.experiment:
            return one.experiment
    raise FurrowError(f"no champion takes the place of {served}", hint="furrow gate")


def _registered(
    candidate: Candidate,
    tip: str,
    name: str,
    who: tuple[str, str] | None,
    say: Callable[[str], None],
) -> Version:
    """Register a champion in a checkout of its own; the tag is brought to the clone."""
    root = candidate.site.root
    replayed = [one for one in candidate.outcome.replays if one.experiment == name]
    every = "refs/tags/*:refs/tags/*"
    git(root, "fetch", "--quiet", "--no-tags", candidate.remote, every)
    with checkout(root, tip) as tree:
        git(tree.root, "fetch", "--quiet", "--no-tags", str(common_dir(root)), every)
        configure(dvc_root(tree.root), root, cache_folder(root), trusted=True, config=None)
        bench = Bench(tree.root, open_isolation(), open_isolation(), remote=True, say=say)
        bench.fetch([model(name)], {})
        bench.checkout([model(name)])
        git(tree.root, "update-ref", f"refs/heads/{settings(tree.root)['branch']}", tip)
        for key, value in zip(("user.name", "user.email"), who or (), strict=False):
            git(tree.root, "config", key, value)
        made = register(tree.root, name, rev=tip, replayed=all(replayed) if replayed else None)
        tag = f"refs/tags/{made.tag}"
        git(root, "fetch", "--quiet", "--no-tags", str(common_dir(tree.root)), f"{tag}:{tag}")
    return made


def _declared(site: Site, base: str) -> Deployment | None:
    """The environment's deployment on the main branch, if it leaves approval to the gate."""
    declared = read_deployment(site.root, site.environment, base)
    return declared if declared is not None and declared.approve == GATE else None
