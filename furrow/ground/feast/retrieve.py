"""Historical features for a spine, through Feast and a Feast repository's files, with nothing left behind."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

with warnings.catch_warnings():
    from feast import Entity, FeatureService, FeatureStore, FeatureView, OnDemandFeatureView, RepoConfig
    from feast.repo_operations import get_repo_files

from furrow.errors import FurrowError
from furrow.ground.feast.modules import importable, repo_modules
from furrow.parse import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


__all__ = ["RetrievalError", "historical_features"]

_KINDS = (Entity, FeatureView, OnDemandFeatureView, FeatureService)


class RetrievalError(FurrowError):
    """Features can't be joined to a spine."""


def historical_features(repo_dir: Path, service: str, spine: pa.Table) -> pa.Table:
    """Join a feature service to a spine, each row as of its event_timestamp.

    The registry is derived from the repository's files, used and thrown away; no online store is touched.

    Args:
        repo_dir: The Feast repository, the folder with feature_store.yaml.
        service: The feature service's name.
        spine: Join keys, request columns and event_timestamp (and whatever else is to be kept), a row per example.

    Returns:
        The spine's columns, then the service's features in the service's order; the spine's rows in the spine's order.

    Raises:
        RetrievalError: There is no such service, or the result is not row for row the spine.
        FurrowError: The definitions, the tables or the spine are at fault.
    """
    objects = _objects(repo_dir)
    found: FeatureService | None = objects.get((FeatureService, service))
    if found is None:
        known = ", ".join(sorted(name for kind, name in objects if kind is FeatureService)) or "none"
        raise RetrievalError(f"{repo_dir} has no feature service {service!r}", hint=f"its services are: {known}")
    with tempfile.TemporaryDirectory(prefix="furrow-registry-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(StringIO()):
            store = FeatureStore(config=_config(repo_dir, Path(scratch)))
            store.apply([*objects.values()])
            # Feast's own stores take pandas alone; Furrow's takes Arrow, which keeps the types.
            rows = spine if store.config.offline_store.type.startswith("furrow.") else spine.to_pandas()
            job = store.get_historical_features(entity_df=rows, features=store.get_feature_service(service))
            for view in job.on_demand_feature_views:
                view.feature_transformation = _Narrow(view)
            joined = job.to_arrow()
    features = [feature.name for view in found.feature_view_projections for feature in view.features]
    return _checked(joined, spine, features, service)


class _Narrow:
    """An on-demand transformation that is shown its inputs alone: Feast would turn every column into Python objects."""

    def __init__(self, view: OnDemandFeatureView) -> None:
        self._inner = view.feature_transformation
        self._inputs = {name for source in view.source_request_sources.values() for name in _names(source.schema)}
        for projection in view.source_feature_view_projections.values():
            for name in _names(projection.features):
                self._inputs |= {name, f"{projection.name_to_use()}__{name}"}

    def transform_arrow(self, table: pa.Table, features: list[Any]) -> pa.Table:
        """Transform the input columns of a table."""
        narrow = table.select([name for name in table.column_names if name in self._inputs])
        return self._inner.transform_arrow(narrow, features)


def _names(fields: list[Any]) -> Iterator[str]:
    return (field.name for field in fields)


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


def _config(repo_dir: Path, scratch: Path) -> RepoConfig:
    """The repository's own configuration, with a registry to throw away and no online store."""
    raw = read_yaml(repo_dir / "feature_store.yaml")
    raw |= {"registry": str(scratch / "registry.db"), "online_store": None}
    return RepoConfig(**raw, repo_path=repo_dir.resolve())


def _checked(joined: pa.Table, spine: pa.Table, features: list[str], service: str) -> pa.Table:
    """Hold the result against the spine: the same rows in the same order, and every feature."""
    missing = [name for name in features if name not in joined.column_names]
    if missing:
        raise RetrievalError(
            f"service {service!r}: the join gave no column {missing[0]!r}",
            hint="give each feature a name of its own, other than any column of the spine or of a source",
        )
    if joined.num_rows != spine.num_rows or not joined.select(spine.column_names).equals(spine):
        raise RetrievalError(
            f"service {service!r}: the join gave {joined.num_rows} rows for {spine.num_rows}, or other ones",
            hint="the offline store must give one row per row, in their order: is offline_store Furrow's?",
        )
    return joined.select([*spine.column_names, *features])
