"""What a Feast repository's Python files call their entities, views and services.

`views.weather`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

with warnings.catch_warnings():
    from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView
    from feast.repo_operations import get_repo_files

from furrow.ground.project_modules import importable, repo_modules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NamedObjects", "named_objects"]


@dataclass(frozen=True)
class NamedObjects:
    """Expressions for definitions, MODULE.VARIABLE, the first that there is.

    Attributes:
        entities: By join key.
        views: By the view's name, on-demand ones among them.
        services: By the service's name.
        names: Of entities.
    """

    entities: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()


def named_objects(repo_dir: Path) -> NamedObjects:
    """Run a Feast repository's files, and say by which names other files can import what they define.

    Args:
        repo_dir: The folder with feature_store.yaml.

    Raises:
        DefinitionError: A file fails to run.
        UntrustedError: It is of a clone whose code may not run yet.
    """
    folder = repo_dir.resolve()
    entities: dict[str, str] = {}
    views: dict[str, str] = {}
    services: dict[str, str] = {}
    names = set()
    files = get_repo_files(folder)
    with importable(folder, files):
        for _, module in repo_modules(folder, files):
            for variable, value in vars(module).items():
                place = f"{module.__name__}.{variable}"
                if isinstance(value, Entity):
                    entities.setdefault(value.join_key, place)
                    names.add(value.name)
                elif isinstance(value, FeatureView | OnDemandFeatureView):
                    views.setdefault(value.name, place)
                elif isinstance(value, FeatureService):
                    services.setdefault(value.name, place)
    return NamedObjects(entities, views, services, frozenset(names))
