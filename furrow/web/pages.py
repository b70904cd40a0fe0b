"""Every page by its name.

A page's module is loaded when it is asked for first, so that a server starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from furrow.web.asked import asked_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.web.asked import Asked
    from furrow.web.content import Page
    from furrow.web.site import Site

__all__ = ["PAGES", "made"]

PAGES = {
    "home": "home_page",
    "runs": "runs_page",
    "columns": "runs_page",
    "run": "run_page",
    "compare": "compare_page",
    "explore": "explore_page",
    "live": "live_page",
    "plan": "plan_page",
    "data": "data_page",
    "features": "features_page",
    "models": "models_page",
    "monitoring": "monitoring_page",
    "ci": "ci_page",
    "prediction": "prediction_page",
    "business": "business_page",
}
"""The module of each page, in which a function is called as the page."""


def made(name: str, site: Site, asked: Asked, *, whole: bool = False) -> Page:
    """A page.

    Args:
        name: One of PAGES.
        site: What is shown.
        asked: The state in the address.
        whole: Whether what takes longer is waited for: no script will ask for it later.

    Raises:
        FurrowError: It can't be shown, which the error says.
    """
    function: Callable[[Site, Asked], Page] = getattr(
        import_module(f"furrow.web.{PAGES[name]}"), name
    )
    page = function(site, asked)
    return function(site, asked_of(page.later.state)) if whole and page.later else page
