"""Registration by CI: the champion of a commit on the main branch becomes a version.

Nothing that a push can carry is believed for it: a replay counts that this run made itself, and a
version that is there already counts if the commit that it tags holds the model that it claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.ci.gather import champions_of
from furrow.ci.outcome import Check
from furrow.ci.steps import address, replay_one
from furrow.ground.git import common_dir, git, show
from furrow.ground.notes import add_line, read_lines
from furrow.layout import CHAMPION
from furrow.models.register import register
from furrow.models.registry import versions
from furrow.parse import parse_json
from furrow.proof.signed_statements import NOTE
from furrow.proof.trust_policy import read_policy

if TYPE_CHECKING:
    from furrow.ci.run_ci import Session
    from furrow.models.registry import Version

__all__ = ["registered"]


def registered(session: Session) -> Check | None:
    """Register the champion of each problem, when conf/ci.yaml asks for it and the commit is on its branch."""
    asked, settings = session.options, session.settings
    if (
        asked.untrusted
        or not asked.register
        or not settings.automatic
        or asked.branch != settings.branch
    ):
        return None
    if session.made and not session.offered:
        return None
    champions = champions_of(show(session.root, session.result, CHAMPION)).values()
    names = [one.experiment for one in champions if one.experiment]
    if not names:
        return Check("register", "skipped", "there is no champion")
    checks = [_one(session, name) for name in names]
    if len(checks) == 1:
        return checks[0]
    failed = any(check.status == "failed" for check in checks)
    details = tuple(line for check in checks for line in check.details)
    return Check(
        "register",
        "failed" if failed else "passed",
        "; ".join(check.text for check in checks),
        details,
    )


def _one(session: Session, name: str) -> Check:
    """Register one champion."""
    asked, settings = session.options, session.settings
    sha256 = _record(session, session.result, name).get("model_sha256")
    for version in versions(session.root, name):
        if sha256 and version.claims.get("model_sha256") == sha256:
            return _known(session, version)
    replayed = _replayed(session, name)
    if settings.replayed and not replayed:
        words = (
            f"{name} was not registered: conf/ci.yaml asks for a replay, and it gave another result"
        )
        return Check("register", "failed", words, ("`furrow replay` finds out why",))
    git(session.root, "update-ref", f"refs/heads/{settings.branch}", session.result)
    git(session.root, "checkout", "-q", "--force", session.result)
    _place(session, layout.model(name))
    for key, value in (("user.name", "Furrow CI"), ("user.email", "furrow-ci@localhost")):
        git(session.root, "config", key, value)
    sign = "register" in read_policy(session.repo, branch=session.tip).roles
    made = register(session.root, name, rev=session.result, replayed=replayed, sign=sign)
    for line in read_lines(session.root, NOTE, session.result) if sign else ():
        add_line(session.repo, NOTE, session.result, line)
    place = address(session) if asked.offer else str(common_dir(session.repo))
    git(session.root, "push", "-q", place, f"refs/tags/{made.tag}")
    return Check("register", "passed", f"registered as {made}")


def _known(session: Session, version: Version) -> Check:
    """What becomes of a champion that a tag says is registered.

    Whether the tagged commit says so too.
    """
    claimed = version.claims["model_sha256"]
    if _record(session, version.commit, version.name).get("model_sha256") == claimed:
        return Check("register", "passed", f"the champion is {version} already")
    return Check(
        "register",
        "failed",
        f"the tag {version} claims the champion's model, and the commit {version.commit[:10]} that"
        " it tags has another",
        (f"whoever made the tag was wrong: `git push --delete REMOTE refs/tags/{version.tag}`",),
    )


def _replayed(session: Session, name: str) -> bool:
    """Whether this run replayed an experiment well.

    Where conf/ci.yaml asks for it, it is replayed now.
    """
    found = [one for one in session.replays if one.experiment == name]
    if not found and session.settings.replayed:
        found = [replay_one(session, name)]
    return bool(found) and all(found)


def _record(session: Session, commit: str, name: str) -> dict[str, Any]:
    try:
        value = parse_json(
            show(session.root, commit, layout.run_file(name, layout.RECORD_JSON)) or b"{}"
        )
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _place(session: Session, path: str) -> None:
    if not (session.root / path).exists():
        session.bench.fetch([path], {})
        session.bench.checkout([path])
