"""What the steps of CI read, brought into DVC's cache and into the checkout.

By the remote, or because it is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.dvc_checkout import RemoteError
from furrow.errors import FurrowError
from furrow.ground.folder_list import folder_list
from furrow.ground.git import git
from furrow.ground.isolate import CommandError, run
from furrow.ground.pipeline import read_pipeline
from furrow.ground.start_python import python
from furrow.history.artifacts import Output, cached, outputs
from furrow.layout import DVC_LOCK, DVC_YAML, EVALUATIONS
from furrow.parse import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from furrow.ci.run_ci import Session

__all__ = ["at_hand", "bring", "bring_lists", "bring_of", "fetch_evaluations", "kept_of"]


def bring_lists(session: Session, md5s: Iterable[str]) -> None:
    """Bring the lists of folders' files, without the files.

    One that nobody has is told of, and left.
    """
    wanted = [md5 for md5 in md5s if md5.endswith(".dir") and cached(session.root, md5) is None]
    if wanted and session.bench.remote:
        held = session.bench.held
        try:
            if held:
                held.fetch_lists(wanted)
                return
            run(
                python("-m", "furrow.ground.dvcdirs", *wanted), session.root, session.bench.fetching
            )
        except (CommandError, RemoteError) as exc:
            said = exc.lines[-1] if isinstance(exc, CommandError) and exc.lines else exc.message
            session.say(
                "what some folders hold is not known, and stages that read them may be stale:"
                f" {said}"
            )


def bring(session: Session, paths: list[str]) -> None:
    """Bring paths of the commit into the checkout, from the remote or DVC's cache.

    Raises:
        RemoteError: One is nowhere to be had.
    """
    bench, untrusted = session.bench, session.options.untrusted
    absent = [path for path in paths if not (bench.place / path).exists()]
    if not absent:
        return
    if not bench.remote:
        if untrusted or not at_hand(session, absent):
            raise RemoteError(
                f"{absent[0]} is needed, and the repository names no DVC remote",
                hint=(
                    "`dvc remote add --default`, `dvc push`; or give conf/ci.yaml a `prepare`"
                    " command that makes it"
                ),
            )
    else:
        bench.fetch(absent, kept_of(session, session.commit))
        # DVC passes over what it finds damaged in the remote, and says that everything is up to
        # date.
        lost = [path for path in absent if not at_hand(session, [path])]
        if lost:
            raise RemoteError(
                f"{lost[0]} is missing in the DVC remote, or damaged there",
                hint="`dvc push` where it was made; or `dvc repro` there makes it again",
            )
    bench.checkout(absent)


def kept_of(session: Session, commit: str) -> dict[str, Output]:
    """What DVC keeps of a commit, by path.

    Of the checkout's own commit, what every .dvc file tracks too.
    """
    found = dict(outputs(session.root, commit))
    if commit in {session.commit, session.result}:
        for source in read_pipeline(session.root).sources:
            found.setdefault(source.path, Output(source.path, source.md5))
    return found


def at_hand(session: Session, paths: list[str], commit: str = "") -> bool:
    """Whether DVC's cache holds paths of a commit, every file of a folder too."""
    known = kept_of(session, commit or session.commit)
    for path in paths:
        name = next((name for name in known if path == name or path.startswith(f"{name}/")), None)
        md5 = known[name].md5 if name else ""
        listing = cached(session.root, md5)
        if name is None or listing is None:
            return False
        if md5.endswith(".dir"):
            inner = path.removeprefix(name).strip("/")
            try:
                entries = folder_list(listing.read_bytes())
            except (OSError, ParseError):
                return False
            wanted = [
                md5
                for at, md5 in entries.items()
                if not inner or at == inner or at.startswith(f"{inner}/")
            ]
            if any(cached(session.root, one) is None for one in wanted):
                return False
    return True


def fetch_evaluations(session: Session) -> None:
    """Bring the evaluations of both sides into the cache, for the paired comparison.

    Without them it is not made.
    """
    for commit in dict.fromkeys((session.result, session.tip, session.base)):
        known = outputs(session.root, commit) if commit else {}
        bring_of(session, commit, {path for path in known if path.startswith(f"{EVALUATIONS}/")})


def bring_of(session: Session, commit: str, paths: set[str]) -> None:
    """Bring outputs of a commit into the cache; those that can't be had are told of, and left."""
    known = outputs(session.root, commit) if paths else {}
    absent = [path for path in sorted(paths & set(known)) if not at_hand(session, [path], commit)]
    if not absent or not session.bench.remote:
        return
    try:
        if session.bench.held:
            session.bench.fetch(absent, known)
            return
        # DVC fetches what dvc.lock names: the other commit's is put in place for as long as it
        # takes.
        git(session.root, "checkout", "-q", commit, "--", DVC_LOCK, DVC_YAML, "conf")
        session.bench.fetch(absent, known)
    except FurrowError as exc:
        session.say(f"what {commit[:10]} made is not compared: {exc.message}")
    finally:
        git(session.root, "reset", "-q", "--hard", session.result)
