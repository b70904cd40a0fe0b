"""What an on-demand view computes offline: by what it declares, as serving does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from furrow.errors import FurrowError
from furrow.stores.pack import computed_column, declared_column

if TYPE_CHECKING:
    from feast.on_demand_feature_view import OnDemandFeatureView

__all__ = ["DeclaredTransformation", "RetrievalError", "declared_view"]


class RetrievalError(FurrowError):
    """Features can't be joined to a spine."""


def declared_view(view: OnDemandFeatureView) -> OnDemandFeatureView:
    """A copy of an on-demand view whose function is run as it declares."""
    found = copy.copy(view)
    found.feature_transformation = DeclaredTransformation(view)
    return found


class DeclaredTransformation:
    """An on-demand transformation by what its view declares, as serving runs it.

    It is shown its inputs alone, in their declared types, row by row if it is written for one row
    (which Feast does online only); what it gives has the declared types.
    """

    def __init__(self, view: OnDemandFeatureView) -> None:
        self._view = view
        self._function = view.feature_transformation.udf
        self._inputs = {
            field.name: str(field.dtype)
            for source in view.source_request_sources.values()
            for field in source.schema
        }
        for projection in view.source_feature_view_projections.values():
            for field in projection.features:
                for name in (field.name, f"{projection.name_to_use()}__{field.name}"):
                    self._inputs[name] = str(field.dtype)

    def transform_arrow(self, table: pa.Table, features: list[Any]) -> pa.Table:
        """Transform the input columns of a table."""
        names = dict.fromkeys(name for name in table.column_names if name in self._inputs)
        places = [table.column_names.index(name) for name in names]
        columns = [
            declared_column(table.column(at), self._inputs[name])
            for name, at in zip(names, places, strict=True)
        ]
        computed = self._compute(pa.table(columns, names=list(names)))
        try:
            return pa.table(
                {
                    each.name: computed_column(computed[each.name], str(each.dtype))
                    for each in features
                }
            )
        except KeyError as exc:
            raise RetrievalError(f"on-demand view {self._view.name} gave no {exc}") from exc
        except (TypeError, ValueError, OverflowError) as exc:
            raise RetrievalError(
                f"on-demand view {self._view.name}: {exc}", hint="correct its schema"
            ) from exc

    def _compute(self, inputs: pa.Table) -> Any:
        """The features' values, by name."""
        if str(getattr(self._view.mode, "value", self._view.mode)) == "pandas":
            frame = self._function(inputs.to_pandas())
            return {name: frame[name].tolist() for name in frame.columns}
        columns = inputs.to_pydict()
        if not self._view.singleton:
            return self._function(columns)
        rows = [
            self._function({name: column[at] for name, column in columns.items()})
            for at in range(inputs.num_rows)
        ]
        return {each.name: [row[each.name] for row in rows] for each in self._view.features}
