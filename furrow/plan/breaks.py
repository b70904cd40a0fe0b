"""What a plan would break.

Registered models whose features would no longer be those that they were trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow import layout
from furrow.errors import FurrowError
from furrow.ground.git import show
from furrow.layout import DEPLOYMENT
from furrow.models.register import refusal
from furrow.models.registry import Version, versions
from furrow.parse import ParseError, parse_json, read_yaml
from furrow.plan.plan_spec import Break, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Registered", "breaks", "model_resources", "registered"]


@dataclass(frozen=True)
class Registered:
    """A version that matters: the newest of its name, or one that an environment serves.

    Attributes:
        service: The feature service that it was trained on; empty when nothing tells.
        features_digest: That service's digest at the time.
    """

    version: str
    environments: tuple[str, ...]
    service: str
    features_digest: str


def registered(root: Path) -> tuple[list[Registered], list[str]]:
    """The versions that matter, and notes on deployments that lead nowhere."""
    known = versions(root)
    served, notes = _deployments(root)
    newest: dict[str, Version] = {}
    for version in known:
        newest.setdefault(version.name, version)
    by_name = {str(version): version for version in known}
    for environment, model in served.items():
        said = f"{layout.DEPLOYMENT}/{environment}.yaml serves {model}"
        if model not in by_name:
            notes.append(f"{said}, which is not registered here: `git fetch --tags`")
        elif refused := refusal(root, by_name[model]):
            notes.append(f"{said}, which may not be deployed: {refused}")
    wanted = {str(version): version for version in newest.values()}
    wanted |= {model: by_name[model] for model in served.values() if model in by_name}
    return [_registered(root, version, served) for _, version in sorted(wanted.items())], notes


def _registered(root: Path, version: Version, served: dict[str, str]) -> Registered:
    facts = version.facts
    if "features_digest" not in facts:
        content = show(root, version.commit, layout.run_file(version.name, layout.RECORD_JSON))
        try:
            facts = parse_json(content) if content else {}
        except ValueError:
            facts = {}
    environments = tuple(sorted(name for name, model in served.items() if model == str(version)))
    service, digest = (str(facts.get(key) or "") for key in ("service", "features_digest"))
    return Registered(str(version), environments, service, digest)


def _deployments(root: Path) -> tuple[dict[str, str], list[str]]:
    served, notes = {}, []
    for path in sorted((root / DEPLOYMENT).glob("*.yaml")):
        try:
            value = read_yaml(path)
            served[path.stem] = str(value["model"])
        except (OSError, ParseError, KeyError, TypeError):
            notes.append(
                f"{layout.DEPLOYMENT}/{path.name} is malformed: write `model: NAME@vX.Y.Z`"
            )
    return served, notes


def breaks(
    models: Sequence[Registered],
    services: dict[str, str],
    words: Callable[[str, str], Sequence[str]],
) -> tuple[Break, ...]:
    """The versions whose service would have another digest than the one that they were trained on.

    Args:
        models: The versions that matter.
        services: The declared services' digests.
        words: What changed between two digests of a service.
    """
    found = []
    for model in models:
        if (
            not model.service
            or not model.features_digest
            or services.get(model.service) == model.features_digest
        ):
            continue
        if model.service not in services:
            why: tuple[str, ...] = (f"the feature service {model.service} is gone",)
        else:
            try:
                why = tuple(words(model.features_digest, services[model.service]))
            except FurrowError:
                why = ()
        said = why or (f"the digest of {model.service} changed",)
        found.append(Break(model.version, model.environments, model.service, said))
    return tuple(found)


def model_resources(models: Sequence[Registered]) -> list[Resource]:
    """The registered versions and the environments.

    Registration and promotion have commands of their own.
    """
    found = [Resource("models", model.version, "unchanged", seconds=0.0) for model in models]
    served = {environment: model.version for model in models for environment in model.environments}
    return found + [
        Resource("deployments", name, "unchanged", (f"serves {model}",), seconds=0.0)
        for name, model in sorted(served.items())
    ]
