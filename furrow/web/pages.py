"""Every page by its name: a function of a site and of what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.web.business_page import business
from furrow.web.compare_page import compare
from furrow.web.data_page import data
from furrow.web.explore_page import explore
from furrow.web.features_page import features
from furrow.web.home_page import home
from furrow.web.live_page import live
from furrow.web.models_page import models
from furrow.web.monitoring_page import monitoring
from furrow.web.plan_page import plan
from furrow.web.prediction_page import prediction
from furrow.web.run_page import run
from furrow.web.runs_page import columns, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.web.asked import Asked
    from furrow.web.content import Page
    from furrow.web.site import Site

__all__ = ["PAGES"]

PAGES: dict[str, Callable[[Site, Asked], Page]] = {
    "home": home,
    "runs": runs,
    "columns": columns,
    "run": run,
    "compare": compare,
    "explore": explore,
    "live": live,
    "plan": plan,
    "data": data,
    "features": features,
    "models": models,
    "monitoring": monitoring,
    "prediction": prediction,
    "business": business,
}
