"""What a version's commit and its notes say.

Data, contract, features, code, config, environment, metrics, proof.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.raw_columns import declared_columns
from furrow.files import sha256_bytes
from furrow.governance.bill_of_materials import bill_of_materials
from furrow.governance.owners import owners_at
from furrow.governance.proof_chain import chain_of, weakest
from furrow.ground.git import git, show
from furrow.history.artifacts import outputs
from furrow.layout import CHAMPION, CONTRACT, LOCK, PIPELINE, RECORD_JSON, RUN_CONFIG, run_file
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.proof.signed_statements import read_weighed
from furrow.replay.note_verify import verify
from furrow.training.champions import ChampionError, read_champions, verdict_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.models.registry import Version
    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["version_facts"]

_SLICES = 500


def version_facts(
    root: Path,
    version: Version,
    policy: TrustPolicy,
    unknown: list[str],
    *,
    now: datetime,
    environment: str = "",
) -> dict[str, Any]:
    """Everything that is known of a version without its servers.

    Args:
        root: The project.
        version: The version.
        policy: Whose statements count.
        unknown: Is told what is not known.
        now: The time.
        environment: Where it serves, for its owner.
    """
    commit, name = version.commit, version.name
    record = _json(root, commit, run_file(name, RECORD_JSON), unknown)
    links = chain_of(root, str(version), policy, now=now)
    least = weakest(links)
    unknown += [f"{one.what}: {one.said}" for one in links if one.state == "absent"]
    owners = owners_at(root, commit)
    owner = (
        owners.of("deployments", environment)
        if environment
        else owners.of("problems", str(record.get("problem")))
    )
    if not owner.owner:
        unknown.append("nobody is declared to own it (conf/owners.yaml)")
    slices = _json(root, commit, run_file(name, "slices.json"), unknown)
    return {
        "version": {
            "name": str(version),
            "commit": commit,
            "registered": version.registered,
            "by": version.by,
            "owner": owner.owner,
            "tier": owner.tier,
        },
        "proof": {
            "weakest link": f"{least.what}: {least.state}: {least.said}" if least else "",
            "links": [asdict(one) for one in links],
            "policy": policy.commit,
        },
        "signed statements": _statements(root, commit, policy, now),
        "data": {path: asdict(one) for path, one in sorted(outputs(root, commit).items())},
        "contract": _contract(root, commit, unknown),
        "features": {
            "service": record.get("service"),
            "digest": record.get("features_digest"),
            "names": record.get("features"),
        },
        "code": _code(root, commit, unknown),
        "config": _text(root, commit, run_file(name, RUN_CONFIG), unknown),
        "environment": _environment(root, commit, name, record, unknown),
        "gate": _gate(root, commit, name, unknown),
        "replays": _replays(root, commit),
        "metrics": version.metrics,
        "intervals": _json(root, commit, run_file(name, "intervals.json"), unknown),
        "metrics by slice": slices[:_SLICES] if isinstance(slices, list) else slices,
        "model": {
            "sha256": record.get("model_sha256"),
            "portable sha256": record.get("predictor_sha256"),
        },
        "rows": record.get("rows"),
        "periods": record.get("periods"),
    }


def _text(root: Path, commit: str, path: str, unknown: list[str]) -> str:
    content = show(root, commit, path)
    if content is None:
        unknown.append(f"{path} is not in {commit[:10]}")
        return ""
    return content.decode(errors="replace")


def _json(root: Path, commit: str, path: str, unknown: list[str]) -> Any:
    content = show(root, commit, path)
    if content is None:
        unknown.append(f"{path} is not in {commit[:10]}")
        return {}
    try:
        return parse_json(content)
    except ParseError as exc:
        unknown.append(f"{path} at {commit[:10]} can't be read: {exc.reason}")
        return {}


def _statements(
    root: Path, commit: str, policy: TrustPolicy, now: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "at": one.at.isoformat() if one.at else None,
            "by": [name for signer in one.by for name in signer.names],
            "counts": not one.problem,
            "why not": one.problem,
            "says": {} if one.kind == "replay" else one.predicate,
        }
        for one in read_weighed(root, commit, policy, now=now)
    ]


def _contract(root: Path, commit: str, unknown: list[str]) -> dict[str, Any]:
    content = show(root, commit, CONTRACT)
    if content is None:
        unknown.append(f"there is no {CONTRACT} at {commit[:10]}: what the data had to keep")
        return {}
    try:
        tables = parse_yaml(content).get("tables", {})
        named = {str(name): sorted(declared_columns(one)) for name, one in tables.items()}
    except (ParseError, AttributeError, TypeError):
        unknown.append(f"{CONTRACT} at {commit[:10]} can't be read")
        named = {}
    return {"sha256": sha256_bytes(content), "columns by table": named}


def _code(root: Path, commit: str, unknown: list[str]) -> dict[str, Any]:
    fields = ("author", "authored", "committer", "committed", "subject", "parents")
    said = git(
        root, "show", "-s", "--format=%an <%ae>%x00%aI%x00%cn <%ce>%x00%cI%x00%s%x00%P", commit
    )
    found: dict[str, Any] = dict(
        zip(fields, os.fsdecode(said).strip("\n").split("\0"), strict=False)
    )
    pipeline = _json(root, commit, PIPELINE, unknown)
    found["digests of stages"] = pipeline.get("code", {}) if isinstance(pipeline, dict) else {}
    return found


def _environment(
    root: Path, commit: str, name: str, record: dict[str, Any], unknown: list[str]
) -> dict[str, Any]:
    lock = show(root, commit, LOCK)
    found = {"recorded": record.get("environment")}
    if lock is None:
        unknown.append(f"there is no {LOCK} at {commit[:10]}: what it was made with")
        return found
    bill, odd = bill_of_materials(lock, name)
    unknown += [f"{LOCK}: {text!r} names no package with a version" for text in odd]
    recorded = record.get("environment")
    if isinstance(recorded, dict) and recorded.get("lock_sha256") not in (None, sha256_bytes(lock)):
        unknown.append(f"the run was made with another {LOCK} than the commit holds")
    return {**found, "bill of materials": bill}


def _gate(root: Path, commit: str, name: str, unknown: list[str]) -> dict[str, Any]:
    try:
        champions = read_champions(show(root, commit, CHAMPION))
    except ChampionError as exc:
        unknown.append(exc.message)
        return {}
    asked = next((dict(one.gate) for one in champions.values() if name in one.verdicts), {})
    return {"asked": asked, "verdict": verdict_of(champions, name)}


def _replays(root: Path, commit: str) -> list[dict[str, Any]]:
    try:
        checked = verify(root, commit)
    except FurrowError:
        return []
    return [
        {
            "verdict": one.verdict.status if one.verdict else "unreadable",
            "at": one.verdict.started if one.verdict else "",
            "where": one.verdict.where if one.verdict else "",
            "holds": bool(one),
            "problems": list(one.problems),
        }
        for one in checked
    ]
