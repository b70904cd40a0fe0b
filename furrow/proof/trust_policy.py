"""conf/trust.yaml: whose statements count for what.

Read from the branch that people merge into, never from another.

since: 4f1c...                    # a commit, its whole id; what is of it or before it needs no signature
keys: keys/allowed_signers        # as Git's gpg.ssh.allowedSignersFile; expiry stands there (valid-before=)
revoked: keys/revoked             # public keys, or a KRL: good at no time
commits: any                      # or signed
roles:
  replay: {who: [ci@example.com]}
  register: {who: [ada@example.com, ben@example.com]}
  approve: {who: [ada@example.com, ben@example.com], count: 2, four_eyes: true}
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.git import git, is_bare, resolve, show
from furrow.ground.ssh_signatures import user_signers
from furrow.layout import TRUST_YAML
from furrow.look_alikes import odd_name
from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "KINDS",
    "Role",
    "TrustPolicy",
    "TrustPolicyError",
    "parse_policy",
    "read_policy",
    "trusted_commit",
]

KINDS = ("replay", "gate", "canary", "register", "approve")
_KEYS = frozenset({"since", "keys", "revoked", "commits", "roles"})
_ROLE_KEYS = frozenset({"who", "count", "four_eyes"})
_SIGNERS = "keys/allowed_signers"
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A whole id: a shorter one may be the name of a tag, which anybody may push."""


class TrustPolicyError(FurrowError):
    """conf/trust.yaml says what can't be meant."""


@dataclass(frozen=True)
class Role:
    """Who may make statements of a kind.

    Attributes:
        who: Their names in the list of signers; everybody in it, if empty.
        count: How many of them it takes.
        four_eyes: Whether whoever made the commit, or registered the version, does not count.
    """

    who: tuple[str, ...] = ()
    count: int = 1
    four_eyes: bool = False


@dataclass(frozen=True)
class TrustPolicy:
    """Whose statements count.

    Attributes:
        commit: Where it was read; empty for none.
        roles: By kind; for one that is not in it nothing is asked.
        signers: The list of signers.
        revoked: Keys that are good at no time.
        since: The commit up to which nothing is asked; empty for none.
        commits_signed: Whether commits must be signed.
    """

    commit: str = ""
    roles: dict[str, Role] = field(default_factory=dict)
    signers: bytes = b""
    revoked: bytes = b""
    since: str = ""
    commits_signed: bool = False

    def role(self, kind: str) -> Role:
        """What is asked of statements of a kind; of one that nobody declared, any known signer."""
        return self.roles.get(kind, Role())


def trusted_commit(repo: Path, branch: str = "") -> str:
    """The tip of the branch that people merge into, as this clone or server knows it.

    Empty when there is none.

    No file of a commit says which it is: furrow.trustBranch of Git's settings, what origin calls
    its own, in a bare repository HEAD, else main. A name is a branch's: a tag of the same name,
    which anybody may push and Git prefers, is not it.

    Args:
        repo: A folder inside the repository.
        branch: The branch or a commit's id, where the caller knows it.

    Raises:
        TrustPolicyError: The branch that is named is not here: no policy would be none.
    """
    said = os.fsdecode(git(repo, "config", "--get", "furrow.trustBranch", ok=(0, 1))).strip()
    own = ("HEAD",) if is_bare(repo) else ()
    known = (
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
        *own,
        "refs/heads/main",
        "refs/heads/master",
    )
    named = branch or said
    for name in _meant(named) if named else known:
        asked = f"{name}^{{commit}}"
        found = (
            git(repo, "rev-parse", "--verify", "--quiet", asked, ok=(0, 1, 128)).decode().strip()
        )
        if found:
            return found
    if named:
        hint = "`git branch --all` lists branches; Git's setting furrow.trustBranch names one"
        raise TrustPolicyError(
            f"there is no branch {named} whose {TRUST_YAML} would count", hint=hint
        )
    return ""


def _meant(name: str) -> tuple[str, ...]:
    """What the name of a branch may stand for."""
    if _ID.fullmatch(name) or name.startswith("refs/"):
        return (name,)
    return (f"refs/heads/{name}", f"refs/remotes/{name}", f"refs/remotes/origin/{name}")


def read_policy(repo: Path, *, branch: str = "", signers: bytes | None = None) -> TrustPolicy:
    """What counts as trusted in a repository.

    Args:
        repo: A folder inside the project; it may be bare.
        branch: The branch that people merge into, where the caller knows it.
        signers: A list of signers to believe in place of any other, an auditor's own say.

    Raises:
        TrustPolicyError: conf/trust.yaml of that branch can't be meant.
    """
    tip = trusted_commit(repo, branch)
    content = show(repo, tip, TRUST_YAML) if tip else None
    if content is None:
        found = signers if signers is not None else (show(repo, tip, _SIGNERS) if tip else None)
        return TrustPolicy(signers=found if found is not None else user_signers())
    value = _parsed(content)
    keys = str(value.get("keys", _SIGNERS))
    listed = signers if signers is not None else show(repo, tip, keys)
    if listed is None and "keys" in value:
        raise TrustPolicyError(
            f"{TRUST_YAML}: there is no {keys} at {tip[:10]}", hint="commit the list of signers"
        )
    revoked = show(repo, tip, str(value["revoked"])) if "revoked" in value else b""
    if revoked is None:
        hint = "commit the list of revoked keys, an empty one if none is"
        raise TrustPolicyError(
            f"{TRUST_YAML}: there is no {value['revoked']} at {tip[:10]}", hint=hint
        )
    declared = parse_policy(value)
    since = resolve(repo, declared.since) if declared.since else ""
    return TrustPolicy(
        commit=tip,
        roles=declared.roles,
        signers=listed if listed is not None else user_signers(),
        revoked=revoked,
        since=since,
        commits_signed=declared.commits_signed,
    )


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        value = parse_yaml(content)
    except ParseError as exc:
        raise TrustPolicyError(
            f"{TRUST_YAML} is not valid YAML: {exc.reason}", hint="mend it on the main branch"
        ) from exc
    if not isinstance(value, dict):
        raise TrustPolicyError(
            f"{TRUST_YAML} holds no mapping", hint="furrow/proof/trust_policy.py shows each key"
        )
    return value


def parse_policy(value: dict[str, Any]) -> TrustPolicy:
    """The policy that a mapping declares; keys are read elsewhere.

    Raises:
        TrustPolicyError: A key or a value that can't be meant: what is misspelt must not open a
            door.
    """
    _only(value, _KEYS, "")
    commits = value.get("commits", "any")
    if commits not in ("any", "signed"):
        raise TrustPolicyError(f"{TRUST_YAML}: commits is {commits!r}", hint="give any or signed")
    roles = value.get("roles", {})
    if not isinstance(roles, dict):
        raise TrustPolicyError(
            f"{TRUST_YAML}: roles is not a mapping", hint=f"of {', '.join(KINDS)}"
        )
    _only(roles, frozenset(KINDS), "roles.")
    for key in ("since", "keys", "revoked"):
        if key in value and not (isinstance(value[key], str) and value[key]):
            raise TrustPolicyError(
                f"{TRUST_YAML}: {key} is {value[key]!r}", hint="give text, in quotes"
            )
    if not _ID.fullmatch(value.get("since", "0" * 40)):
        hint = "give all of its digits: a shorter one could be the name of somebody's tag"
        raise TrustPolicyError(
            f"{TRUST_YAML}: since is {value['since']!r}, no id of a commit", hint=hint
        )
    return TrustPolicy(
        roles={kind: _role(kind, one) for kind, one in roles.items()},
        since=value.get("since", ""),
        commits_signed=commits == "signed",
    )


def _only(value: dict[str, Any], known: frozenset[str], where: str) -> None:
    for key in value:
        if key not in known:
            hint = f"there are: {', '.join(sorted(known))}"
            raise TrustPolicyError(f"{TRUST_YAML}: there is no key {where}{key}", hint=hint)


def _role(kind: str, value: Any) -> Role:
    where = f"{TRUST_YAML}: roles.{kind}"
    if not isinstance(value, dict):
        raise TrustPolicyError(
            f"{where} is not a mapping", hint="{who: [ada@example.com], count: 1}"
        )
    _only(value, _ROLE_KEYS, f"roles.{kind}.")
    who, count, eyes = value.get("who", []), value.get("count", 1), value.get("four_eyes", False)
    if not isinstance(who, list) or not all(isinstance(one, str) and one for one in who):
        raise TrustPolicyError(
            f"{where}.who is not a list of names", hint="as the list of signers has them"
        )
    for one in who:
        if odd := odd_name(one):
            raise TrustPolicyError(f"{where}.who: {one!r} {odd}", hint="it could pass for another")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise TrustPolicyError(
            f"{where}.count is {count!r}", hint="give how many it takes: 1 or more"
        )
    if who and count > len(set(who)):
        raise TrustPolicyError(
            f"{where}.count is {count}, of {len(set(who))} people", hint="nobody could ever meet it"
        )
    if not isinstance(eyes, bool):
        raise TrustPolicyError(f"{where}.four_eyes is {eyes!r}", hint="give true or false")
    return Role(tuple(who), count, eyes)
