"""What a feature service takes: its views, under which names, and which of their features."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.ground.project_modules import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from feast.feature_view_projection import FeatureViewProjection

__all__ = ["ProjectionDefinition", "ServiceDefinition", "read_service"]


@dataclass(frozen=True, slots=True)
class ProjectionDefinition:
    """What a service takes of one view."""

    view: str
    name: str
    features: tuple[str, ...]
    join_key_map: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A feature service as declared."""

    name: str
    views: tuple[ProjectionDefinition, ...]
    owner: str
    description: str
    tags: Mapping[str, str]


def read_service(
    service: Any, views: Mapping[str, Any], others: Mapping[str, str]
) -> ServiceDefinition:
    """A feature service of Feast's, as plain values.

    Args:
        service: The service.
        views: Feature views and on-demand views by name.
        others: What is no view that has a manifest, in words, by name.

    Raises:
        DefinitionError: It takes what is not there, or what Feast would mix up.
    """
    for projection in service.feature_view_projections:
        if projection.name in others:
            message = (
                f"feature service {service.name!r}: {others[projection.name]}, which has no"
                " manifest"
            )
            raise DefinitionError(message, hint="use a FeatureView or an on-demand view")
    projections = [_projection(service.name, p, views) for p in service.feature_view_projections]
    for reference in service._pending_feature_refs:
        name, _, feature = reference.partition(":")
        view = _known(service.name, name, views)
        names = tuple(f.name for f in view.features)
        if feature and feature not in names:
            raise _unknown(
                f"feature service {service.name!r}: {name} has no feature {feature!r}",
                feature,
                names,
            )
        projections.append(ProjectionDefinition(name, name, (feature,) if feature else names, {}))
    _check_renamed(service.name, projections, views)
    return ServiceDefinition(
        name=service.name,
        views=tuple(projections),
        owner=service.owner,
        description=service.description,
        tags=dict(service.tags),
    )


def _check_renamed(
    service: str, projections: Iterable[ProjectionDefinition], views: Mapping[str, Any]
) -> None:
    """Refuse an on-demand view whose input the service takes under other names or keys only.

    Feast then computes it from the renamed one, or not at all, depending on whether it trains or
    serves.
    """
    renamed = {
        part.view: part for part in projections if part.name != part.view or part.join_key_map
    }
    plain = {part.view for part in projections if part.name == part.view and not part.join_key_map}
    for part in projections:
        for source in getattr(views[part.view], "source_feature_view_projections", {}).values():
            if source.name in renamed.keys() - plain:
                other = renamed[source.name]
                keys = (
                    ", ".join(f"{old} as {new}" for old, new in other.join_key_map.items())
                    or "other names"
                )
                what = (
                    f"{part.view} is computed from {source.name}, which is taken as {other.name}"
                    f" ({keys})"
                )
                hint = (
                    f"take {source.name} itself as well, or take {part.view} in a service of"
                    " its own"
                )
                raise DefinitionError(f"feature service {service!r}: {what}", hint=hint)


def _projection(
    service: str, projection: FeatureViewProjection, views: Mapping[str, Any]
) -> ProjectionDefinition:
    view = _known(service, projection.name, views)
    if projection.version_tag is not None:
        hint = "a version is a commit here; take the pin away"
        raise DefinitionError(
            f"feature service {service!r}: {projection.name}: pins a version of Feast's registry",
            hint=hint,
        )
    names = tuple(f.name for f in view.features)
    wanted = (
        tuple(f.name for f in projection.features) or tuple(projection.desired_features) or names
    )
    for feature in wanted:
        if feature not in names:
            message = f"feature service {service!r}: {projection.name} has no feature {feature!r}"
            raise _unknown(message, feature, names)
    return ProjectionDefinition(
        view=projection.name,
        name=projection.name_alias or projection.name,
        features=wanted,
        join_key_map=dict(projection.join_key_map),
    )


def _known(service: str, name: str, views: Mapping[str, Any]) -> Any:
    if name not in views:
        raise _unknown(
            f"feature service {service!r}: there is no feature view {name!r}", name, views
        )
    return views[name]


def _unknown(message: str, name: str, known: Iterable[str]) -> DefinitionError:
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = (
        f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
    )
    return DefinitionError(message, hint=hint)
