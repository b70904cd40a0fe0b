"""conf/owners.yaml.

Whose each problem, feature service and deployment is, and how much hangs on it.

default: {owner: data@example.com, tier: 3}
problems: {late: {owner: ops@example.com, tier: 1}}
services: {full: {owner: features@example.com}}
deployments: {production: {owner: ops@example.com, tier: 1}}
due: {1: 30d, 2: 90d, 3: 365d}     # by tier: when a replay or an approval is too old
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.declared_keys import declared_keys
from furrow.ground.git import show
from furrow.layout import OWNERS_YAML
from furrow.look_alikes import odd_name
from furrow.training.problem import ProblemError, span

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TIERS", "Owner", "Owners", "OwnersError", "owners_at", "parse_owners"]

TIERS = (1, 2, 3)
_KINDS = ("problems", "services", "deployments")
_DUE = {1: timedelta(days=30), 2: timedelta(days=90), 3: timedelta(days=365)}


class OwnersError(FurrowError):
    """conf/owners.yaml says what can't be meant."""


@dataclass(frozen=True)
class Owner:
    """Whose something is.

    Attributes:
        owner: Whoever is asked; empty for nobody.
        tier: 1 for what must not fail, to 3.
    """

    owner: str = ""
    tier: int = 3


@dataclass(frozen=True)
class Owners:
    """What is declared.

    Attributes:
        default: Of whatever is not named.
        named: By kind and name.
        due: By tier, how old a replay or an approval may be.
    """

    default: Owner = Owner()
    named: dict[tuple[str, str], Owner] = field(default_factory=dict)
    due: dict[int, timedelta] = field(default_factory=lambda: dict(_DUE))

    def of(self, kind: str, name: str) -> Owner:
        """Whose a problem, service or deployment is."""
        return self.named.get((kind, name), self.default)


def owners_at(repo: Path, commit: str) -> Owners:
    """What a commit declares; nobody's everything where it declares nothing.

    Raises:
        OwnersError: It can't be meant.
    """
    content = show(repo, commit, OWNERS_YAML)
    return Owners() if content is None else parse_owners(content)


def parse_owners(content: bytes) -> Owners:
    """The owners in a text.

    Raises:
        OwnersError: A key or value that can't be meant.
    """
    value = declared_keys(content, OWNERS_YAML, ("default", "due", *_KINDS), OwnersError)
    default = _owner(value.get("default", {}), "default", Owner())
    named = {
        (kind, str(name)): _owner(one, f"{kind}.{name}", default)
        for kind in _KINDS
        for name, one in _mapping(value.get(kind, {}), kind).items()
    }
    return Owners(default, named, {**_DUE, **_due(value.get("due", {}))})


def _due(value: Any) -> dict[int, timedelta]:
    found = {}
    for tier, text in _mapping(value, "due").items():
        if tier not in TIERS:
            raise OwnersError(f"{OWNERS_YAML}: due.{tier}: there is no such tier", hint="1, 2 or 3")
        try:
            found[tier] = span(str(text), where=f"{OWNERS_YAML}: due.{tier}")
        except ProblemError as exc:
            raise OwnersError(exc.message, hint=exc.hint) from exc
    return found


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise OwnersError(
            f"{OWNERS_YAML}: {where} is not a mapping",
            hint="furrow/governance/owners.py shows each key",
        )
    return value


def _owner(value: Any, where: str, default: Owner) -> Owner:
    said = _mapping(value, where)
    for key in said:
        if key not in ("owner", "tier"):
            raise OwnersError(
                f"{OWNERS_YAML}: there is no key {where}.{key}", hint="owner and tier"
            )
    owner, tier = said.get("owner", default.owner), said.get("tier", default.tier)
    if not isinstance(owner, str):
        raise OwnersError(
            f"{OWNERS_YAML}: {where}.owner is {owner!r}", hint="give a name or an address"
        )
    if odd := odd_name(owner):
        raise OwnersError(
            f"{OWNERS_YAML}: {where}.owner: {owner!r} {odd}", hint="it could pass for another"
        )
    if tier not in TIERS or isinstance(tier, bool):
        raise OwnersError(f"{OWNERS_YAML}: {where}.tier is {tier!r}", hint="1, 2 or 3")
    return Owner(owner, tier)
