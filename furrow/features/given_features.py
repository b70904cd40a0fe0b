"""Features that a request may give in the store's place: what is known of a row that has not landed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.features.schema import Manifest, Projection, Service

__all__ = ["GIVEN", "GivenFeatureError", "given_features"]

GIVEN = "request_may_give"
"""The tag of a feature service that names the features, or the views of which it is all features."""


class GivenFeatureError(FurrowError):
    """A service lets requests give what they can't."""


def given_features(manifest: Manifest, service: str) -> dict[str, str]:
    """The features that a request for a service may give, and their types.

    Args:
        manifest: The manifest.
        service: Of it.

    Raises:
        GivenFeatureError: The service names what is no feature of its own, or one that others are
            computed from.
    """
    declared = manifest.services[service]
    text = declared.tags.get(GIVEN, "")
    if not text.strip():
        return {}
    types: dict[str, str] = {}
    for part in declared.views:
        view = manifest.views.get(part.view) or manifest.on_demand[part.view]
        dtypes = {one.name: one.dtype for one in view.features}
        types |= {_served(declared, part, name): dtypes[name] for name in part.features}
    sources = {entry.name for view in manifest.on_demand.values() for entry in view.inputs}
    computes = any(part.view in manifest.on_demand for part in declared.views)
    wanted: list[str] = []
    for word in dict.fromkeys(one.strip() for one in text.split(",") if one.strip()):
        of_view = _of_view(declared, word)
        if word not in types and not of_view:
            raise GivenFeatureError(
                f"feature service {service}: {GIVEN} names {word}, which it has not",
                hint=f"it has: {', '.join(types)}",
            )
        if word in types and computes and word in sources:
            raise GivenFeatureError(
                f"feature service {service}: {GIVEN} names {word}, which on-demand features are"
                " computed from",
                hint="let rows give what is computed of it, or neither",
            )
        wanted += [word] if word in types else of_view
    return {name: types[name] for name in wanted if not (computes and name in sources)}


def _of_view(service: Service, name: str) -> Sequence[str]:
    """The features of a view, as the service calls them."""
    return [
        _served(service, part, feature)
        for part in service.views
        if name in (part.name, part.view)
        for feature in part.features
    ]


def _served(service: Service, part: Projection, feature: str) -> str:
    return f"{part.name}__{feature}" if service.ambiguous else feature
