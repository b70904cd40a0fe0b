"""Following Git: what an environment's branch declares is brought, checked, warmed up and swapped in.

`poll` asks the remote and writes down what is to be served (one process of a machine does so);
`follow` does that again and again, and has this process serve it, holds included. Whatever fails,
the version that answers goes on answering; what the matter is, and how old that version is, stands
in `followed.json`.
"""

from __future__ import annotations

import fcntl
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import open_lock
from furrow.ground.git import show
from furrow.ground.git_mirror import (
    Fetched,
    accept,
    fetch_branch,
    open_mirror,
)
from furrow.ground.mirror_trust import remember_origin
from furrow.ground.project_place import meaning
from furrow.layout import DEPLOYMENT
from furrow.models.pause import pause_at, paused_in
from furrow.models.registry import find
from furrow.serving.deployment_spec import Deployment, parse_deployment
from furrow.serving.deployment_state import (
    Followed,
    Local,
    change_holds,
    read_followed,
    read_holds,
    wanted,
    write_followed,
)
from furrow.serving.follow_settings import FollowSettings, one_line
from furrow.serving.policy_held import hold_policy
from furrow.serving.trial_judge import judge
from furrow.serving.version_loader import Loader
from furrow.serving.version_store import (
    RefusedError,
    bring,
    check_features,
    check_trust,
    deployable,
    forget_others,
)

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.serving.model_host import Host

__all__ = ["follow", "poll"]

_LOOK = 0.1
"""Seconds between two looks at the state folder: what a rollback waits for at most."""


_LONGEST = 30.0
"""Seconds between two polls, at most, while something is wrong."""
_COUNT = 1.0
"""Seconds between two looks at what came of requests."""


def poll(settings: FollowSettings, *, now: datetime | None = None) -> Followed:
    """Ask the remote, and write down what is to be served; nothing that fails changes that.

    Args:
        settings: What is followed.
        now: The time.

    Returns:
        What is known now; `problem` says why what Git declares is not served.
    """
    before = read_followed(settings.state, settings.environment)
    moment = (now or settings.clock()).isoformat()
    try:
        mirror = open_mirror(settings.mirror)
        remember_origin(mirror, settings.remote, settings.features)
        fetched = fetch_branch(mirror, settings.remote, settings.branch)
    except Exception as exc:  # noqa: BLE001 - the edge of a job: a remote may answer anything
        after = replace(before, problem=f"Git can't be asked: {one_line(exc)}")
    else:
        with meaning(settings.prefix):
            try:
                after = replace(_taken(settings, mirror, fetched, before), asked=moment)
            except Exception as exc:  # noqa: BLE001 - and what it gave may hold anything
                said = exc.message if isinstance(exc, FurrowError) else one_line(exc)
                after = replace(before, problem=said, asked=moment)
    if after.problem != before.problem:
        settings.tell(after.problem or "what Git declares is served")
    if after.main != before.main and after.main is not None:
        settings.tell(f"{settings.environment}: {after.main.version} at {after.commit[:10]}")
    write_followed(settings.state, after)
    return after


def follow(host: Host, settings: FollowSettings, stop: threading.Event) -> None:
    """Serve what Git declares, and the holds, until told to stop.

    Every worker of a machine calls it.

    Args:
        host: Where versions are swapped.
        settings: What is followed.
        stop: Ends it.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    poller = threading.Thread(target=_poll_alone, args=(settings, stop), name="follow", daemon=True)
    poller.start()
    loader = Loader(host, settings.name or settings.environment, settings.features, settings.state)
    seen: object = None
    counted = time.monotonic()
    while not stop.is_set():
        stamp = _stamp(settings.state)
        if stamp != seen or loader.problem:
            before = loader.problem
            loader.serve(
                read_followed(settings.state, settings.environment), read_holds(settings.state)
            )
            if loader.problem != before:
                settings.tell(loader.problem or "loaded")
            settings.tried(loader.problem)
            seen = stamp
        if time.monotonic() - counted > _COUNT:
            loader.write_counts()
            counted = time.monotonic()
        stop.wait(_LOOK if not loader.problem else 1.0)


def _poll_alone(settings: FollowSettings, stop: threading.Event) -> None:
    """Poll, if no other process of this machine does; take over when that one ends."""
    with open_lock(settings.state / ".follow.lock") as lock:
        while not stop.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stop.wait(1.0)
                continue
            wait = settings.every
            while not stop.is_set():
                began = time.monotonic()
                try:
                    followed = (
                        poll(settings)
                        if settings.remote
                        else read_followed(settings.state, settings.environment)
                    )
                    judge(settings, followed)
                    # what failed may fail again: bringing a bundle costs seconds of a processor
                    wait = (
                        min(2 * wait, max(_LONGEST, settings.every))
                        if followed.problem
                        else settings.every
                    )
                # a full disk, say, or a fault of Furrow's: the next poll tries again
                except Exception as exc:  # noqa: BLE001 - without it nobody follows any more
                    settings.tell(f"the state can't be kept: {one_line(exc)}")
                stop.wait(max(0.0, wait - (time.monotonic() - began)))


@dataclass(frozen=True)
class _Tip:
    """A branch's tip, and what is on this machine already."""

    settings: FollowSettings
    mirror: Path
    fetched: Fetched
    known: dict[str, Local]

    def local(self, text: str, declared: Deployment | None = None) -> Local:
        """A declared version on this machine.

        Raises:
            FurrowError: It may not be served, or can't be brought.
        """
        fetched, features = self.fetched, self.settings.features
        for tags, what in ((fetched.moved, "names another commit now"), (fetched.gone, "is gone")):
            if any(tag.rpartition("=")[2] == text for tag in tags):
                raise RefusedError(
                    f"the tag {text} {what} on the remote",
                    hint="push it again as it was, or deploy another version",
                )
        sha256, have = declared.model_sha256 if declared else "", self.known.get(text)
        service = declared.service if declared else ""
        if have is not None and sha256 in ("", have.model_sha256) and Path(have.folder).is_dir():
            check_features(features, text, have.features_digest, service)
            version, where = find(self.mirror, text), self.settings.environment
            check_trust(self.mirror, version, where, fetched.commit)
            return have
        version = deployable(
            self.mirror,
            text,
            fetched.commit,
            model_sha256=sha256,
            environment=self.settings.environment,
        )
        digest = str(version.facts.get("features_digest") or "")
        check_features(features, text, digest, str(version.facts.get("service") or service))
        return bring(self.mirror, version, self.settings.state / "versions")

    def beside(self, declared: Deployment) -> tuple[dict[str, Local | None], str]:
        """The canary and the shadow: a fault of one is no reason not to serve the main version."""
        found: dict[str, Local | None] = {"canary": None, "shadow": None}
        problem = ""
        for role, part in (("canary", declared.canary), ("shadow", declared.shadow)):
            if part is None:
                continue
            try:
                found[role] = self.local(part.model)
            except FurrowError as exc:
                problem = f"the {role} is not served: {exc.message}"
        return found, problem


def _taken(settings: FollowSettings, mirror: Path, fetched: Fetched, before: Followed) -> Followed:
    """What a branch's tip declares, brought here.

    Raises:
        FurrowError: It may not be served, or can't be brought; in any case all stays as it was.
    """
    if _is_at_rest(settings, fetched, before):
        return before
    if fetched.rewritten:
        raise RefusedError(
            f"{settings.branch} was rewritten: {fetched.commit[:10]} does not come after what was"
            " served",
            hint=f"if it was meant: furrow release {settings.environment} --rewritten",
        )
    hold_policy(mirror, fetched.commit)
    paused = pause_at(mirror, fetched.commit, settings.environment)
    if paused is not None:
        if before.main is not None:
            return replace(before, problem=str(paused), paused=str(paused))
        # a server that begins meanwhile serves what was declared when the others stopped following
        began = paused_in(mirror, fetched.commit, settings.environment)
        fetched = replace(fetched, commit=began)
    where = f"{DEPLOYMENT}/{settings.environment}.yaml"
    content = show(mirror, fetched.commit, where)
    if content is None:
        raise RefusedError(f"{where} is not in {fetched.commit[:10]}")
    declared = parse_deployment(content, where)
    known = {one.version: one for one in (before.main, before.canary, before.shadow) if one}
    tip = _Tip(settings, mirror, fetched, known)
    main = tip.local(declared.model, declared)
    beside, problem = tip.beside(declared)
    accept(mirror, fetched.commit)
    after = replace(
        before,
        commit=fetched.commit,
        problem=problem if paused is None else str(paused),
        paused="" if paused is None else str(paused),
        main=main,
        previous=before.previous if before.main == main else before.main,
        canary=beside["canary"],
        shadow=beside["shadow"],
        declared=content.decode(),
        canary_digest=declared.canary_digest,
    )
    _tidy(settings, after)
    return after


def _is_at_rest(settings: FollowSettings, fetched: Fetched, before: Followed) -> bool:
    """Whether nothing has changed since all was well.

    Asked every few seconds, it costs next to nothing.

    Raises:
        RefusedError: The features here are others than before.
    """
    if before.problem or fetched.commit != before.commit or fetched.moved or fetched.gone:
        return False
    here = [one for one in (before.main, before.canary, before.shadow) if one is not None]
    for one in here:
        check_features(settings.features, one.version, one.features_digest, "")
    return all(Path(one.folder).is_dir() for one in here)


def _tidy(settings: FollowSettings, after: Followed) -> None:
    """End holds on what is no longer declared, and remove versions that nothing goes back to."""
    with change_holds(settings.state) as holds:
        now = wanted(after, holds)
        for name, one in list(holds.items()):
            if one not in (now.held, now.ended):
                settings.tell(
                    f"the {one.kind} of {one.since[:16]} ends: Git declares something else"
                )
                del holds[name]
        kept = [one.serve for one in holds.values()]
    forget_others(
        settings.state / "versions",
        (after.main, after.previous, after.canary, after.shadow, *kept),
    )


def _stamp(folder: Path) -> object:
    found = []
    for name in ("followed.json", "holds.json"):
        try:
            facts = (folder / name).stat()
            found.append((facts.st_ino, facts.st_mtime_ns))
        except OSError:
            found.append((0, 0))
    return found
