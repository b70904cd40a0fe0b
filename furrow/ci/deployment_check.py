"""Deployments: a version that passed, and what it was trained on may change only if the deployment moves with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.ci.outcome import Check
from furrow.errors import FurrowError
from furrow.ground.git import files_at, is_shallow, show
from furrow.layout import DEPLOYMENT, MANIFEST
from furrow.models.register import refusal
from furrow.models.registry import name_of, versions
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.serving.deployment_spec import read_deployment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["declared_deployments", "deployments_hold"]


def deployments_hold(repo: Path, base: str, commit: str) -> Check:
    """Whether every environment's version may be deployed, and still finds the features that it was trained on.

    Args:
        repo: The repository: the commits that its tags name tell which service a version was
            trained on.
        base: The commit to measure against; empty for none. What was broken there already is a
            warning.
        commit: The commit.
    """
    found = _broken(repo, commit)
    if not found:
        served = len(declared_deployments(repo, commit))
        words = f"{served} environment{'s' * (served != 1)} serve what they were trained on"
        return Check(
            "deployments",
            "passed" if served else "skipped",
            words if served else "nothing is deployed",
        )
    known = _broken(repo, base) if base else {}
    new = {key: words for key, words in found.items() if key not in known}
    if new:
        return Check(
            "deployments",
            "failed",
            "a change breaks what is deployed: move the deployment with it (`furrow models"
            " promote`), or undo it",
            tuple(new.values()),
        )
    return Check(
        "deployments",
        "warning",
        "what is deployed was broken before this commit",
        tuple(found.values()),
    )


def _broken(repo: Path, commit: str) -> dict[tuple[str, str], str]:
    """What is broken at a commit, in words, by environment and version."""
    manifest = _json(repo, commit, MANIFEST)
    services = {
        name: str(one.get("digest", "")) for name, one in (manifest.get("services") or {}).items()
    }
    found: dict[tuple[str, str], str] = {}
    for environment, value in declared_deployments(repo, commit).items():
        if why := _misdeclared(repo, commit, environment):
            found[environment, ""] = why
        model, wanted = str(value.get("model", "")), str(value.get("features_digest", ""))
        if why := _unfit(repo, model, commit):
            found[environment, model] = f"{environment} serves {model}: {why}"
            continue
        if not wanted:
            continue
        service = _service(repo, commit, model, value)
        have = services.get(service) if service else None
        if have == wanted or (not service and wanted in services.values()):
            continue
        what = f"{environment} serves {model}, trained on {service or 'a service'} {wanted[:12]}; "
        what += f"here {service} is {have[:12]}" if have else "there is no such service here"
        found[environment, model] = what
    return found


def _misdeclared(repo: Path, commit: str, environment: str) -> str:
    """What a server would refuse of an environment's file.

    A misspelt key, a value that makes no sense.
    """
    try:
        declared = read_deployment(repo, environment, commit)
    except FurrowError as exc:
        return " ".join(str(exc).split())
    for role, part in (
        ("canary", declared and declared.canary),
        ("shadow", declared and declared.shadow),
    ):
        if part and (why := _unfit(repo, part.model, commit)):
            return f"the {role} of {environment} is {part.model}: {why}"
    return ""


def _unfit(repo: Path, model: str, commit: str) -> str:
    """Why a version may not be deployed at all by a commit.

    Empty if it may, or if a shallow clone can't tell.
    """
    known = [version for version in versions(repo, name_of(model)) if str(version) == model]
    if known:
        return refusal(repo, known[0], merging=commit)
    return "" if is_shallow(repo) else "no tag registers this version"


def declared_deployments(repo: Path, commit: str) -> dict[str, dict[str, Any]]:
    """What each environment declares at a commit.

    Raises:
        FurrowError: A file is malformed.
    """
    found = {}
    for path in files_at(repo, commit, DEPLOYMENT):
        if not path.endswith(".yaml"):
            continue
        try:
            value = parse_yaml(show(repo, commit, path) or b"")
        except ParseError as exc:
            raise FurrowError(
                f"{path} is not valid YAML: {' '.join(str(exc).split())}", hint="mend it"
            ) from exc
        if isinstance(value, dict) and "model" in value:
            found[path.split("/")[-1].removesuffix(".yaml")] = value
    return found


def _service(repo: Path, commit: str, model: str, value: dict[str, Any]) -> str:
    """The service that a version was trained on.

    The deployment says, the tagged commit, or the run's record here.
    """
    if value.get("service"):
        return str(value["service"])
    name = name_of(model)
    # What the tagged commit holds counts, not what the tag says: anybody who may push can write a
    # tag's message.
    commits = [version.commit for version in versions(repo, name) if str(version) == model]
    for tagged in commits:
        if service := _json(repo, tagged, layout.run_file(name, layout.RECORD_JSON)).get("service"):
            return str(service)
    return str(_json(repo, commit, layout.run_file(name, layout.RECORD_JSON)).get("service", ""))


def _json(repo: Path, commit: str, path: str) -> dict[str, Any]:
    try:
        value = parse_json(show(repo, commit, path) or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
