"""Which replays of a commit are believed.

Those that this clone made, and those that a trusted key signed.

Whoever may push can write a note that agrees with its commit in every hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.files import sha256_json
from furrow.proof.signed_statements import before_policy, count_people, read_weighed
from furrow.replay.note_verify import verify
from furrow.replay.replay_verdict import VerdictError
from furrow.replay.statement import made_here, verdict_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.ground.ssh_signatures import Signer
    from furrow.proof.signed_statements import Weighed
    from furrow.proof.trust_policy import TrustPolicy
    from furrow.replay.replay_verdict import Verdict

__all__ = ["Belief", "believed"]

_HERE = "this clone"


@dataclass(frozen=True)
class Belief:
    """Whether replays say, believably, that a commit's results are what it gives. Truthy if so.

    Attributes:
        good: It.
        by: Who says so.
        why: Why not; empty when they do.
    """

    good: bool
    by: tuple[str, ...] = ()
    why: str = ""

    def __bool__(self) -> bool:
        return self.good


def believed(
    repo: Path, commit: str, policy: TrustPolicy, *, experiment: str = "", now: datetime
) -> Belief:
    """Weigh the replays of a commit.

    The newest word of each signer counts. One who says that it differs outweighs all who say
    otherwise: trusted people who disagree prove nothing.

    Args:
        repo: A folder inside the project; it may be bare.
        commit: The full id.
        policy: Whose word counts.
        experiment: Whose training it must cover; the whole commit, if empty.
        now: The time.
    """
    holding = sorted(
        (one.verdict for one in verify(repo, commit) if one and one.verdict is not None),
        key=lambda one: one.started,
    )
    covering = [
        one
        for one in holding
        if not one.scope or (experiment and one.scope.get("experiment") == experiment)
    ]
    if not covering:
        return Belief(good=False, why="no note that holds says that it was replayed")
    if before_policy(repo, commit, policy):
        return Belief(good=bool(covering[-1]), by=("a note that nobody signed",))
    every = read_weighed(repo, commit, policy, now=now)
    weighed = [one for one in every if one.kind in ("replay", "")]  # or of what, it can't be told
    votes = _votes(repo, covering, weighed, signed_only="replay" in policy.roles)
    if not votes:
        why = next(
            (one.problem for one in weighed if one.problem),
            "nobody whom this clone trusts signed its replay",
        )
        return Belief(good=False, why=why)
    against = [name for name, (_, verdict) in votes.items() if not verdict]
    signers = [signer for signer, verdict in votes.values() if verdict and signer is not None]
    names = count_people(signers, policy.role("replay"))
    own = () if _HERE not in votes or "replay" in policy.roles else (_HERE,)
    by = (*own, *names)
    if against:
        words = f"{', '.join(against)} found that it differs"
        return Belief(
            good=False, by=by, why=f"{words}, {', '.join(by)} that it does not" if by else words
        )
    needed = policy.role("replay").count
    if len(by) < needed:
        return Belief(good=False, by=by, why=f"{len(by)} of {needed} who must replay it did")
    return Belief(good=True, by=by)


def _votes(
    repo: Path, covering: list[Verdict], weighed: list[Weighed], *, signed_only: bool
) -> dict[str, tuple[Signer | None, Verdict]]:
    """The newest verdict of each person, whatever the key, and of this clone, by who it is."""
    signers: dict[str, list[Signer]] = {}
    for one in weighed:
        if one.problem:
            continue
        try:
            digest = sha256_json(verdict_of(one.statement).to_json())
        except VerdictError:
            continue
        signers.setdefault(digest, []).extend(one.by)
    own = made_here(repo)
    found: dict[str, tuple[Signer | None, Verdict]] = {}
    for verdict in covering:  # oldest first: later ones take the place
        digest = sha256_json(verdict.to_json())
        for signer in signers.get(digest, ()):
            found[signer.names[0]] = (signer, verdict)
        if digest in own and not signed_only:
            found[_HERE] = (None, verdict)
    return found
