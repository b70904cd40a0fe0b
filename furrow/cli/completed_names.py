"""What a shell offers in the place of a name: runs, features, services, versions, environments of this project.

A shell asks at each press of a key, and nobody reads an error then: what can't be read offers nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    from furrow.features.schema import Manifest, OnDemandView, View

    Completion = Callable[[click.Context, click.Parameter, str], list[str]]

__all__ = [
    "environment_names",
    "experiment_names",
    "feature_names",
    "run_names",
    "service_names",
    "version_names",
]


def _offered(read: Callable[[Path], Iterable[str]]) -> Completion:
    """A completion that reads names of the project around here."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        del ctx, param
        from furrow.errors import FurrowError  # noqa: PLC0415 - a shell's question alone
        from furrow.ground.project_place import project_root  # noqa: PLC0415 - likewise

        try:
            names = read(project_root(Path.cwd()))
            return sorted(name for name in names if name.startswith(incomplete))
        except (FurrowError, OSError):
            return []

    return complete


def _runs(root: Path) -> Iterable[str]:
    from furrow.layout import RUNS  # noqa: PLC0415 - likewise

    return (path.parent.name for path in (root / RUNS).glob("*/metrics.json"))


def _experiments(root: Path) -> Iterable[str]:
    from furrow.features.uses import experiments_of  # noqa: PLC0415 - likewise

    return experiments_of(root)


def _manifest(root: Path) -> Manifest:
    from furrow.features.manifest import load  # noqa: PLC0415 - likewise
    from furrow.layout import FEATURES  # noqa: PLC0415 - likewise

    return load(root / FEATURES)


def _features(root: Path) -> Iterable[str]:
    manifest = _manifest(root)
    views: list[View | OnDemandView] = [*manifest.views.values(), *manifest.on_demand.values()]
    columns = (f"{view.name}:{column.name}" for view in views for column in view.features)
    return (*(view.name for view in views), *manifest.services, *manifest.tables, *columns)


def _services(root: Path) -> Iterable[str]:
    return _manifest(root).services


def _versions(root: Path) -> Iterable[str]:
    from furrow.models.registry import versions  # noqa: PLC0415 - likewise

    return map(str, versions(root))


def _environments(root: Path) -> Iterable[str]:
    from furrow.layout import DEPLOYMENT  # noqa: PLC0415 - likewise

    return (path.stem for path in (root / DEPLOYMENT).glob("*.yaml"))


run_names, experiment_names = _offered(_runs), _offered(_experiments)
feature_names, service_names = _offered(_features), _offered(_services)
version_names, environment_names = _offered(_versions), _offered(_environments)
