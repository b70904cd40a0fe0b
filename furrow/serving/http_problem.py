"""Errors as answers.

RFC 9457 problems that name the row and the field, and nothing of the server's inside.
"""

from __future__ import annotations

from furrow.features.client import ManifestMismatchError
from furrow.features.on_demand import OnDemandError
from furrow.serving.problem_details import Problem
from furrow.serving.row_fields import RowError
from furrow.serving.scorer import FeaturesAbsentError
from furrow.stores.store_api import StoreError

__all__ = ["Problem", "problem_of"]


def problem_of(exc: BaseException) -> Problem:
    """What an error of a score is to whoever asked.

    Rows' errors in full, the server's own without its paths.
    """
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, RowError):
        absent = isinstance(exc, FeaturesAbsentError)
        status, kind = (424, "features-absent") if absent else (422, "row")
        return Problem(status, kind, exc.message, row=exc.row, field=exc.field, hint=exc.hint)
    if isinstance(exc, StoreError):
        return Problem(503, "features-unreachable", "the online store can't be read", retry_after=1)
    if isinstance(exc, ManifestMismatchError):
        said = "the online store holds features of other definitions than the model was trained on"
        return Problem(503, "features-changed", said, retry_after=30)
    if isinstance(exc, OnDemandError):
        said = f"the on-demand view {exc.view} failed on these rows"
        return Problem(500, "on-demand", said)
    return Problem(500, "fault", "the server failed on this request; its log says how")
