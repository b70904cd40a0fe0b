"""Historical features for a spine, through Feast and a Feast repository's files, with nothing left behind."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.layout import FEATURE_STORE_YAML

with warnings.catch_warnings():
    from feast import (
        Entity,
        FeatureService,
        FeatureStore,
        FeatureView,
        OnDemandFeatureView,
        RepoConfig,
    )
    from feast.repo_operations import get_repo_files

from furrow.ground.feast.declared_transformation import DeclaredTransformation, RetrievalError
from furrow.ground.project_modules import importable, repo_modules
from furrow.parse import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

__all__ = ["RetrievalError", "applied_repository", "features_by_store", "historical_features"]

_KINDS = (Entity, FeatureView, OnDemandFeatureView, FeatureService)


def historical_features(repo_dir: Path, service: str, spine: pa.Table) -> pa.Table:
    """Join a feature service to a spine, each row as of its event_timestamp.

    The registry is derived from the repository's files, used and thrown away; no online store is
    touched.

    Args:
        repo_dir: The Feast repository, the folder with feature_store.yaml.
        service: The feature service's name.
        spine: Join keys, request columns and event_timestamp (and whatever else is to be kept), a
            row per example.

    Returns:
        The spine's columns, then the service's features in the service's order; the spine's rows in
        the spine's order.

    Raises:
        RetrievalError: There is no such service, or the result is not row for row the spine.
        FurrowError: The definitions, the tables or the spine are at fault.
    """
    joined, features = _joined(repo_dir, service, spine, None)
    return _checked(joined, spine, features, service)


def features_by_store(
    repo_dir: Path, service: str, spine: pa.Table, offline_store: Mapping[str, Any] | None
) -> pa.Table:
    """What an offline store makes of a spine, whatever rows it gives: in any order, fewer, or more.

    Args:
        repo_dir: The Feast repository.
        service: The feature service's name; empty for all views.
        spine: Join keys, event_timestamp and whatever else is to be kept.
        offline_store: Its settings, as in feature_store.yaml; the repository's own if None.

    Raises:
        RetrievalError: There is no such service.
        FurrowError: The definitions, the tables or the spine are at fault.
    """
    return _joined(repo_dir, service, spine, offline_store)[0]


def _joined(
    repo_dir: Path, service: str, spine: pa.Table, offline_store: Mapping[str, Any] | None
) -> tuple[pa.Table, list[str]]:
    """The join as the store gives it, and the names of the features in the service's order."""
    with applied_repository(repo_dir, service, offline_store) as (store, taken):
        # Feast's own stores take pandas alone; Furrow's takes Arrow, which keeps the types.
        ours = store.config.offline_store.type.startswith("furrow.")
        names, full = _named(taken)
        job = store.get_historical_features(
            entity_df=spine if ours else spine.to_pandas(), features=taken, full_feature_names=full
        )
        if not ours:
            for view in job.on_demand_feature_views:
                view.feature_transformation = DeclaredTransformation(view)
        joined = job.to_arrow()
    return joined, [f"{view}__{name}" if full else name for view, name in names]


def _named(service: FeatureService) -> tuple[list[tuple[str, str]], bool]:
    """View and name of each feature of a service, and whether both are needed to tell them apart."""
    names = [
        (view.name_to_use(), field.name)
        for view in service.feature_view_projections
        for field in view.features
    ]
    return names, len({name for _, name in names}) < len(names)


@contextmanager
def applied_repository(
    repo_dir: Path, service: str, offline_store: Mapping[str, Any] | None
) -> Iterator[tuple[FeatureStore, FeatureService]]:
    """A repository applied to a registry that is thrown away, and one of its services.

    Args:
        repo_dir: The Feast repository.
        service: The feature service's name; empty for all views, as a service of their own.
        offline_store: Its settings; the repository's own if None.

    Raises:
        RetrievalError: There is no such service.
    """
    objects = _objects(repo_dir)
    found = _service(repo_dir, objects, service)
    views = found.feature_view_projections
    for view in views:
        if sum(other.name == view.name for other in views) > 1:
            view.name_alias = (
                view.name_to_use()
            )  # Feast sorts a view's projections, and can't compare None and a name
    with (
        tempfile.TemporaryDirectory(prefix="furrow-registry-") as scratch,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        with redirect_stdout(StringIO()):
            store = FeatureStore(config=_config(repo_dir, Path(scratch), offline_store))
            for kind, name in objects:
                if (
                    kind is OnDemandFeatureView
                ):  # Feast tries each function on made-up values, and knows no Float32
                    objects[kind, name].infer_features = lambda: None
                    _forget_words(objects[kind, name], objects.values())
            store.apply([*objects.values()])
            yield store, store.get_feature_service(found.name)


def _service(repo_dir: Path, objects: dict[tuple[type, str], Any], service: str) -> FeatureService:
    """The service of a name; a new one of all views where there is no name."""
    found: FeatureService | None = objects.get((FeatureService, service))
    if not service:
        views = [one for (kind, _), one in objects.items() if kind is FeatureView]
        if not views:
            raise RetrievalError(
                f"{repo_dir} has no feature view", hint="is it a Feast repository?"
            )
        found = FeatureService(name="furrow_all_views", features=views)
        objects[FeatureService, found.name] = found
    if found is None:
        known = (
            ", ".join(sorted(name for kind, name in objects if kind is FeatureService)) or "none"
        )
        raise RetrievalError(
            f"{repo_dir} has no feature service {service!r}", hint=f"its services are: {known}"
        )
    return found


def _objects(repo_dir: Path) -> dict[tuple[type, str], Any]:
    """Run the repository's files and collect the Feast objects that they define, by kind and name."""
    found: dict[tuple[type, str], Any] = {}
    folder = repo_dir.resolve()
    files = get_repo_files(folder)
    with importable(folder, files):
        for _, module in repo_modules(folder, files):
            for value in vars(module).values():
                if isinstance(value, _KINDS):
                    found.setdefault((type(value), value.name), value)
    return found


def _config(repo_dir: Path, scratch: Path, offline_store: Mapping[str, Any] | None) -> RepoConfig:
    """The repository's own configuration, with a registry to throw away and no online store."""
    raw = read_yaml(repo_dir / FEATURE_STORE_YAML)
    raw |= {"offline_store": dict(offline_store)} if offline_store is not None else {}
    raw |= {"registry": str(scratch / "registry.db"), "online_store": None}
    return RepoConfig(**raw, repo_path=repo_dir.resolve())


def _checked(joined: pa.Table, spine: pa.Table, features: list[str], service: str) -> pa.Table:
    """Hold the result against the spine: the same rows in the same order, and every feature."""
    missing = [name for name in features if name not in joined.column_names]
    if missing:
        raise RetrievalError(
            f"service {service!r}: the join gave no column {missing[0]!r}",
            hint=(
                "give each feature a name of its own, other than any column of the spine or of a"
                " source"
            ),
        )
    if joined.num_rows != spine.num_rows or not joined.select(spine.column_names).equals(spine):
        raise RetrievalError(
            f"service {service!r}: the join gave {joined.num_rows} rows for {spine.num_rows}, or"
            " other ones",
            hint=(
                "the offline store must give one row per row, in their order: is offline_store"
                " Furrow's?"
            ),
        )
    return joined.select([*spine.column_names, *features])


def _forget_words(view: OnDemandFeatureView, objects: Iterable[Any]) -> None:
    """Take descriptions and tags off an on-demand view's fields, wherever they are projected.

    Feast's registry forgets them of the view alone, and then finds no such field.
    """
    projections = [
        one
        for service in objects
        if isinstance(service, FeatureService)
        for one in service.feature_view_projections
        if one.name == view.name
    ]
    for holder in (view, view.projection, *projections):
        for field in holder.features:
            field.description, field.tags = "", {}
