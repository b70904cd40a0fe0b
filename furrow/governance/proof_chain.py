"""The chain behind a commit, a version or a prediction.

Each link held against objects and signatures, offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from furrow import layout
from furrow.errors import FurrowError
from furrow.files import sha256_bytes
from furrow.ground.git import files_at, resolve, show
from furrow.ground.ssh_signatures import Signer, commit_signer
from furrow.history.artifacts import AbsentError, find_file
from furrow.layout import CHAMPION
from furrow.models.deployment import current
from furrow.models.register import refusal
from furrow.models.registry import MODEL, RegistryError, Version, find
from furrow.models.trusted_version import standing_of
from furrow.proof.signed_statements import before_policy, read_weighed, stands
from furrow.proof.trust_policy import trusted_commit
from furrow.replay.believed_replays import believed
from furrow.replay.note_verify import verify
from furrow.serving.trace import find_logged, trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from furrow.proof.signed_statements import Standing, Weighed
    from furrow.proof.trust_policy import TrustPolicy
    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["Link", "broken", "chain_of", "weakest"]

State = Literal["refused", "absent", "unsigned", "before", "proved", "ignored"]
_ORDER = ("refused", "absent", "unsigned", "before", "proved", "ignored")
_HOLDS = frozenset({"proved", "before", "ignored"})


@dataclass(frozen=True)
class Link:
    """One link.

    Attributes:
        what: Of what.
        state: refused: it does not hold; absent: there is nothing, or not on this machine;
            unsigned: it agrees with the objects, and nobody trusted says so; before: it is of
            before the policy; proved; ignored: a statement that counts for nothing, which anybody
            can push.
        said: In words.
        needed: Whether conf/trust.yaml asks for it, or nothing else would hold without it.
    """

    what: str
    state: State
    said: str
    needed: bool = False


def broken(links: Iterable[Link]) -> list[Link]:
    """The links for which a chain does not hold.

    What is refused, and what is needed and not proved.
    """
    return [
        one for one in links if one.state == "refused" or (one.needed and one.state not in _HOLDS)
    ]


def weakest(links: Iterable[Link]) -> Link | None:
    """The weakest link; None of no links."""
    counted = [one for one in links if one.state != "ignored"]
    return min(counted, key=lambda one: (_ORDER.index(one.state), not one.needed), default=None)


def chain_of(
    root: Path, text: str, policy: TrustPolicy, *, now: datetime, log: Path | None = None
) -> list[Link]:
    """Every link behind what a text names.

    Args:
        root: The project; it may be bare.
        text: A version such as "gbm@v1.0.0", a revision, or a logged prediction's id.
        policy: Whose statements count.
        now: The time.
        log: The prediction log's folder, where it lies elsewhere.

    Raises:
        FurrowError: It names nothing.
    """
    try:
        return list(_version(root, find(root, text), policy, now))
    except RegistryError:
        if "@v" in text:
            raise
    try:
        commit = resolve(root, text)
    except FurrowError as unknown:
        try:
            record = find_logged(root, text, log)
        except FurrowError:
            raise unknown from None
        return list(_prediction(root, record, policy, now))
    return list(_commit(root, commit, policy, now))


def _prediction(
    root: Path, record: PredictionRecord, policy: TrustPolicy, now: datetime
) -> Iterator[Link]:
    found = trace(root, record)
    if found.equal is None:
        yield Link("score", "absent", "; ".join(found.missing) or "it was not made again")
    elif found.equal:
        yield Link(
            "score", "proved", "made again from the logged features, equal to the bit", needed=True
        )
    else:
        yield Link("score", "refused", "made again, it is another one", needed=True)
    try:
        version = find(root, record.version)
    except RegistryError as exc:
        yield Link("version", "absent", exc.message, needed=bool(policy.roles))
        return
    if version.commit != record.commit:
        said = f"the log says {record.commit[:10]}, the tag {version} is of {version.commit[:10]}"
        yield Link("version", "refused", said, needed=True)
    if version.facts.get("model_sha256") != record.model_sha256:
        said = f"the log names a model {record.model_sha256[:12]}, {version} is of another"
        yield Link("model", "refused", said, needed=True)
    yield from _version(root, version, policy, now)


def _version(root: Path, version: Version, policy: TrustPolicy, now: datetime) -> Iterator[Link]:
    why = refusal(root, version)
    if why:
        yield Link("gate", "refused", why, needed=True)
    else:
        yield Link("gate", "proved", f"{version} passed it at {version.commit[:10]}", needed=True)
    yield _model(root, version)
    yield _standing(
        "registration",
        standing_of(root, version, policy, "register", now=now),
        needed="register" in policy.roles,
        before=before_policy(root, version.commit, policy),
    )
    for environment in _serving(root, version):
        yield _standing(
            f"approval for {environment}",
            standing_of(root, version, policy, "approve", now=now, environment=environment),
            needed="approve" in policy.roles,
            before=before_policy(root, version.commit, policy),
        )
    yield from _commit(root, version.commit, policy, now, experiment=version.name)


def _model(root: Path, version: Version) -> Link:
    sha256, path = (
        str(version.facts.get("model_sha256") or ""),
        f"{layout.model(version.name)}/{MODEL}",
    )
    if not sha256:
        return Link("model", "refused", "the commit names no hash of it", needed=True)
    try:
        find_file(root, version.commit, path, sha256=sha256, what=str(version))
    except AbsentError as exc:
        return Link("model", "absent", exc.message)
    return Link("model", "proved", f"{path} has the sha256 that the commit names", needed=True)


def _serving(root: Path, version: Version) -> list[str]:
    """The environments that are declared to serve a version, where people merge into."""
    tip = trusted_commit(root)
    if not tip:
        return []
    paths = files_at(root, tip, layout.DEPLOYMENT)
    names = [path.rpartition("/")[2].removesuffix(".yaml") for path in paths]
    found = []
    for name in names:
        try:
            if current(root, name, tip) == str(version):
                found.append(name)
        except FurrowError:
            continue  # a file that is malformed declares nothing; CI and fsck tell of it
    return found


def _commit(
    root: Path, commit: str, policy: TrustPolicy, now: datetime, *, experiment: str = ""
) -> Iterator[Link]:
    before = before_policy(root, commit, policy)
    yield _signed_commit(root, commit, policy, before=before)
    weighed = read_weighed(root, commit, policy, now=now)
    yield _gate(root, commit, policy, weighed, before=before)
    yield from _replays(root, commit, policy, now, experiment=experiment, before=before)
    for one in weighed:
        if one.problem:
            yield Link(f"a statement ({one.kind or 'unknown'})", "ignored", one.problem)


def _signed_commit(root: Path, commit: str, policy: TrustPolicy, *, before: bool) -> Link:
    found = commit_signer(root, commit, signers=policy.signers, revoked=policy.revoked)
    if isinstance(found, Signer):
        said = f"{commit[:10]} is signed by {', '.join(found.names)}"
        return Link("commit", "proved", said, needed=policy.commits_signed)
    if before:
        return Link("commit", "before", f"{commit[:10]}: {found}; it is of before the policy")
    # a signature of a key that nobody knows is no worse than none: anybody may sign their own
    return Link("commit", "unsigned", f"{commit[:10]}: {found}", needed=policy.commits_signed)


def _gate(
    root: Path, commit: str, policy: TrustPolicy, weighed: list[Weighed], *, before: bool
) -> Link:
    """What somebody signed of the verdicts; that they are in the commit is another link's."""
    content = show(root, commit, CHAMPION)
    if content is None:
        needed = "gate" in policy.roles
        return Link("verdicts", "absent", f"{commit[:10]} has no {CHAMPION}", needed=needed)
    found = stands(root, commit, policy, "gate", weighed, champion_sha256=sha256_bytes(content))
    return _standing("verdicts", found, needed="gate" in policy.roles, before=before)


def _replays(
    root: Path, commit: str, policy: TrustPolicy, now: datetime, *, experiment: str, before: bool
) -> Iterator[Link]:
    needed = "replay" in policy.roles and not before
    checked = verify(root, commit)
    found = believed(root, commit, policy, experiment=experiment, now=now)
    if found:
        said = f"replayed, says {', '.join(found.by)}"
        yield Link("replay", "before" if before else "proved", said, needed=needed)
    elif not checked:
        yield Link("replay", "absent", "nobody replayed it", needed=needed)
    elif found.by or "differs" in found.why:
        yield Link("replay", "refused", found.why, needed=needed)
    elif any(checked):
        yield Link("replay", "unsigned", found.why, needed=needed)
    else:
        said = next((words for one in checked for words in one.problems), found.why)
        yield Link("replay", "unsigned", f"no note holds: {said}", needed=needed)
    good = [one for one in checked if one]
    if good:
        files, away = max((one.checked, one.absent) for one in good)
        said = f"{files} files are what a replay says, {away} are not on this machine"
        yield Link("objects", "absent" if not files and away else "proved", said)


def _standing(what: str, found: Standing, *, needed: bool, before: bool) -> Link:
    if found:
        return Link(what, "proved", f"signed by {', '.join(found.by)}", needed=needed)
    if before:
        return Link(what, "before", "it is of before the policy")
    words = f"{len(found.by)} of {found.needed} signed it" if needed else "nobody signed it"
    if found.problems:
        words += f"; {'; '.join(found.problems)}"
    return Link(what, "unsigned", words, needed=needed)
