"""Signed statements on a commit.

Kept in the note of its replays, read back, and weighed by the policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.files import canonical_json
from furrow.ground.git import git
from furrow.ground.notes import add_line, read_lines
from furrow.ground.project_place import project_prefix
from furrow.ground.ssh_signatures import Signer, commit_signer, signers_of, ssh_sign
from furrow.parse import ParseError, parse_json
from furrow.proof.envelope import NAMESPACE, EnvelopeError, open_envelope, seal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from furrow.proof.trust_policy import Role, TrustPolicy

__all__ = [
    "NOTE",
    "REPLAY_TYPE",
    "STATEMENT_TYPE",
    "Standing",
    "Weighed",
    "before_policy",
    "count_people",
    "keep_signed",
    "make_statement",
    "read_weighed",
    "stands",
]

NOTE = "replay"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
REPLAY_TYPE = "https://slsa.dev/provenance/v1"
_TYPES = {
    REPLAY_TYPE: "replay",
    "urn:furrow:gate:v1": "gate",
    "urn:furrow:canary:v1": "canary",
    "urn:furrow:register:v1": "register",
    "urn:furrow:approve:v1": "approve",
}
_AHEAD = timedelta(minutes=5)
_MOST = 200
"""Envelopes of one commit that are looked at: a push can carry a million."""
_BEFORE = 10_000
"""Commits before one whose times are looked at."""


@dataclass(frozen=True)
class Weighed:
    """A signed statement, looked at.

    Attributes:
        kind: replay, gate, canary, register or approve; empty when it can't be told.
        statement: As parsed; empty when it can't be read.
        by: Who signed it well.
        at: When, as it says.
        problem: Why it counts for nothing; empty when it counts.
    """

    kind: str
    statement: dict[str, Any] = field(default_factory=dict)
    by: tuple[Signer, ...] = ()
    at: datetime | None = None
    problem: str = ""

    @property
    def predicate(self) -> dict[str, Any]:
        """What it says."""
        found = self.statement.get("predicate")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Standing:
    """Whether enough people who may have said a thing.

    Attributes:
        by: Those who count, by name.
        needed: How many it takes.
        problems: Why others don't count.
    """

    by: tuple[str, ...]
    needed: int
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return len(self.by) >= self.needed


def make_statement(
    repo: Path,
    kind: str,
    commit: str,
    facts: dict[str, Any],
    *,
    now: datetime,
    sha256: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The in-toto statement of a registration, an approval, a gate's verdict or a canary's end.

    Args:
        repo: A folder inside the project.
        kind: What it is.
        commit: That it is about.
        facts: What it says; project and time are added.
        now: The time.
        sha256: Of the files that it is about, by path.
    """
    subjects: list[dict[str, Any]] = [{"name": "commit", "digest": {"gitCommit": commit}}]
    subjects += [
        {"name": path, "digest": {"sha256": one}} for path, one in sorted((sha256 or {}).items())
    ]
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": f"urn:furrow:{kind}:v1",
        "predicate": {**facts, "project": project_prefix(repo), "at": stamp},
    }


def keep_signed(repo: Path, commit: str, statement: dict[str, Any]) -> dict[str, Any]:
    """Sign a statement with Git's own key, and keep it as a line of the commit's note.

    Returns:
        The envelope.

    Raises:
        SigningError: Git knows no SSH key, or it can't be used.
        NoteError: The note can't be written.
    """
    made = seal(statement, lambda data: ssh_sign(repo, data, NAMESPACE))
    add_line(repo, NOTE, commit, canonical_json(made))
    return made


def read_weighed(repo: Path, commit: str, policy: TrustPolicy, *, now: datetime) -> list[Weighed]:
    """The signed statements on a commit that are of this project, each weighed.

    Those that remotes hold included.

    Args:
        repo: A folder inside the project; it may be bare.
        commit: The full id.
        policy: Whose count.
        now: The time: nothing can have been said after it.
    """
    made = _made(repo, commit, now)
    found: list[Weighed] = []
    sealed = [line for line in read_lines(repo, NOTE, commit) if '"payload' in line]
    if len(sealed) > _MOST:
        # those left out could be the ones that say otherwise: so none is believed
        return [Weighed("", problem=f"the note has more than {_MOST} envelopes: none is looked at")]
    for line in sealed:  # the others are replays that nobody signed
        try:
            value = parse_json(line)
        except ParseError:
            found.append(Weighed("", problem="an envelope that is cut short"))
            continue
        if isinstance(value, dict) and "payload" in value:
            found.append(_weigh(value, commit, policy, made=made, now=now))
    place = project_prefix(repo)
    return [one for one in found if one.predicate.get("project", place) == place]


def _made(repo: Path, commit: str, now: datetime) -> datetime:
    """When a commit was made, at the earliest.

    Not before those that it follows: whoever holds a key that has expired would give a new commit
    an old time. A clock that was ahead of now tells nothing.
    """
    listed = git(repo, "log", f"--max-count={_BEFORE}", "--format=%ct", commit).split()
    own, *before = (int(one) for one in listed)
    latest = (now + _AHEAD).timestamp()
    return datetime.fromtimestamp(max([own, *(one for one in before if one <= latest)]), tz=UTC)


def _weigh(
    value: Any, commit: str, policy: TrustPolicy, *, made: datetime, now: datetime
) -> Weighed:
    try:
        opened = open_envelope(value)
    except EnvelopeError as exc:
        return Weighed("", problem=exc.message)
    said = opened.statement
    kind = _TYPES.get(str(said.get("predicateType")), "")
    at = _moment(said)
    if not kind or said.get("_type") != STATEMENT_TYPE:
        return Weighed(
            "", said, at=at, problem="a statement of a kind that this Furrow does not know"
        )
    if at is None:
        return Weighed(kind, said, problem="it gives no time")
    if commit not in _commits(said):
        return Weighed(kind, said, at=at, problem="it is of another commit")
    if at > now + _AHEAD:
        return Weighed(
            kind, said, at=at, problem=f"it is of {at:%Y-%m-%d %H:%M} UTC, which is yet to come"
        )
    if at < made - _AHEAD:
        why = f"it is of {at:%Y-%m-%d %H:%M} UTC, before the commit was made"
        return Weighed(kind, said, at=at, problem=why)
    by, why = _good(opened.signed, opened.signatures, policy, at)
    if not by:
        return Weighed(kind, said, at=at, problem=why)
    who = policy.role(kind).who
    named = tuple(one for one in by if not who or set(one.names) & set(who))
    if not named:
        words = ", ".join(name for one in by for name in one.names)
        return Weighed(kind, said, by, at, f"{words} may not {kind}")
    return Weighed(kind, said, named, at)


def _good(
    signed: bytes, signatures: Iterable[str], policy: TrustPolicy, at: datetime
) -> tuple[tuple[Signer, ...], str]:
    """The good signatures, and why the last of the others is none."""
    good, why = [], ""
    for text in signatures:
        found = signers_of(
            signed, text, namespace=NAMESPACE, signers=policy.signers, revoked=policy.revoked, at=at
        )
        if isinstance(found, Signer):
            good.append(found)
        else:
            why = found
    return tuple(good), why


def _moment(statement: dict[str, Any]) -> datetime | None:
    """When a statement says that it was made."""
    predicate: Any = statement.get("predicate")
    try:
        own = predicate.get("at")
        found = datetime.fromisoformat(own or predicate["runDetails"]["metadata"]["finishedOn"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return found if found.tzinfo else None


def _commits(statement: dict[str, Any]) -> set[str]:
    subjects = statement.get("subject")
    found = set()
    for one in subjects if isinstance(subjects, list) else ():
        digest = one.get("digest") if isinstance(one, dict) else None
        if isinstance(digest, dict):
            found.add(str(digest.get("gitCommit")))
    return found


def before_policy(repo: Path, commit: str, policy: TrustPolicy) -> bool:
    """Whether a commit is the one that the policy begins with, or before it.

    Of those it asks nothing.
    """
    if not policy.since:
        return False
    return commit in git(repo, "merge-base", commit, policy.since, ok=(0, 1)).decode().split()


def stands(
    repo: Path,
    commit: str,
    policy: TrustPolicy,
    kind: str,
    weighed: Iterable[Weighed],
    **wanted: Any,
) -> Standing:
    """Whether enough who may have said a thing about a commit.

    Args:
        repo: The repository.
        commit: That it is about.
        policy: Whose word counts, and how many it takes.
        kind: What kind of statement.
        weighed: Those on the commit.
        wanted: What the statement must say, such as version and environment.
    """
    every = list(weighed)
    own = [one for one in every if one.kind == kind and _says(one, wanted)]
    role = policy.role(kind)
    others = [] if kind == "register" else every
    barred = _involved(repo, commit, policy, others, wanted) if role.four_eyes else frozenset()
    problems = [one.problem for one in own if one.problem]
    problems += [one.problem for one in every if not one.kind]  # of which kind, it can't be told
    counted = []
    for signer in (signer for one in own if not one.problem for signer in one.by):
        if {name.lower() for name in signer.names} & barred or signer.key in barred:
            who = ", ".join(signer.names)
            problems.append(
                f"{who} made the commit or registered the version: another one must {kind}"
            )
        else:
            counted.append(signer)
    names = count_people(counted, role)
    return Standing(names, role.count, tuple(dict.fromkeys(problems)))


def count_people(signers: Iterable[Signer], role: Role) -> tuple[str, ...]:
    """Those of a role among signers.

    A key counts once, whatever its names, and a person once, whatever the keys.
    """
    names: dict[str, None] = {}
    keys: set[str] = set()
    for signer in signers:
        left = [
            name
            for name in signer.names
            if name not in names and (not role.who or name in role.who)
        ]
        if left and signer.key not in keys:
            names[left[0]] = None
            keys.add(signer.key)
    return tuple(names)


def _says(one: Weighed, wanted: dict[str, Any]) -> bool:
    said = one.predicate
    return all(value is not None and said.get(key) == value for key, value in wanted.items())


def _involved(
    repo: Path, commit: str, policy: TrustPolicy, weighed: list[Weighed], wanted: dict[str, Any]
) -> frozenset[str]:
    """Who made a commit or registered its version, as names in lower case and keys."""
    said = git(repo, "show", "-s", "--format=%ae%n%ce", commit).decode(errors="replace")
    found = {name.strip().lower() for name in said.splitlines()}
    signed = commit_signer(repo, commit, signers=policy.signers, revoked=policy.revoked)
    signers = [signed] if isinstance(signed, Signer) else []
    for one in weighed:
        if one.kind == "register" and one.predicate.get("version") == wanted.get("version"):
            signers += one.by
    return frozenset(
        found
        | {word.lower() for one in signers for word in one.names}
        | {one.key for one in signers}
    )
