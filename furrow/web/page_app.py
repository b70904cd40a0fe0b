"""The pages over HTTP: GET alone, each as HTML, `.json` and `.csv`.

Nothing on the server is changed by any request.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus

from furrow.drawing.page_shell import stylesheet
from furrow.errors import FurrowError, MissingExtraError, UsageError
from furrow.ground.git import UnbornBranchError, UnknownRevisionError
from furrow.ground.project_place import meaning
from furrow.history.load import NoSuchRunError
from furrow.web.asked import LONGEST, Asked
from furrow.web.content import Note, Page
from furrow.web.event_stream import Events
from furrow.web.page_forms import as_html
from furrow.web.page_guard import Guard
from furrow.web.pages import PAGES, made
from furrow.web.plain_forms import as_csv, as_json

try:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as exc:
    raise MissingExtraError("ui", "furrow ui") from exc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from furrow.serving.access import Tokens
    from furrow.web.site import Site

__all__ = ["STATIC", "address", "build", "static"]

LOGGER = logging.getLogger("furrow.web")
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "furrow.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files beside pages, and their types."""
_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
_ABSENT = (UnknownRevisionError, NoSuchRunError, UnbornBranchError)


def static(name: str) -> bytes:
    """A file that stands beside the pages."""
    if name == "style.css":
        return stylesheet().encode()
    return files("furrow.web").joinpath("static", name).read_bytes()


def address(page: str, state: Mapping[str, str | Sequence[str]]) -> str:
    """The address of a page in a state, from any other page of the site."""
    path = "./" if page == "home" else page
    if not state:
        return path
    pairs = (
        (name, value)
        for name, some in state.items()
        for value in ((some,) if isinstance(some, str) else some)
    )
    return f"{path}?{'&'.join(f'{_quoted(name)}={_quoted(value)}' for name, value in pairs)}"


@lru_cache(4096)
def _quoted(text: str) -> str:
    """As `urlencode` writes it: a page of runs says the same words hundreds of times."""
    return quote_plus(text, errors="replace")


def build(site: Site, hosts: frozenset[str] | None, tokens: Tokens | None = None) -> ASGIApp:
    """The application.

    Args:
        site: What it shows.
        hosts: The names that it may be called by; None for any.
        tokens: Who may read; None for whoever reaches it.
    """

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_answer, site, request)

    routes = [Route("/", answer, name="home")]
    routes += [Route(f"/{name}", answer, name=name) for name in PAGES]
    routes += [
        Route(f"/{name}.{form}", answer, name=f"{name}.{form}")
        for name in PAGES
        for form in ("json", "csv")
    ]
    routes += [Route(f"/{name}", _file(name), name=name) for name in STATIC]
    events = Events(site)
    routes += [Route("/events", events.stream), Route("/state.json", events.state)]
    inner = Starlette(routes=routes, exception_handlers={404: _absent})
    return Guard(GZipMiddleware(inner, minimum_size=800), hosts, tokens)


def _file(name: str) -> Any:
    content = static(name)

    async def give(request: Request) -> Response:
        del request
        return Response(content, media_type=STATIC[name], headers={"cache-control": "max-age=600"})

    return give


async def _absent(request: Request, exc: Exception) -> Response:
    del exc
    page = Page(
        "absent",
        "There is no such page",
        notes=[Note(f"{request.url.path[:200]} is none.", "warn")],
    )
    return Response(as_html(page, address), 404, media_type=_TYPES["html"])


def _answer(site: Site, request: Request) -> Response:
    """A page, in the form that the path asks for."""
    name, _, form = request.url.path.strip("/").partition(".")
    name, form = name or "home", form or "html"
    query = request.url.query
    try:
        asked = _asked(query)
        with meaning(site.project):
            page = made(name, site, asked, whole=form != "html")
            return Response(_written(page, form, asked, site), media_type=_TYPES[form])
    except FurrowError as exc:
        status = 404 if isinstance(exc, _ABSENT) else 400
        return _failed(site, name, form, status=status, message=exc.message, hint=exc.hint)
    except Exception:
        LOGGER.exception("a bug in Furrow: /%s", name)
        said = "A bug in Furrow: the page can't be made."
        return _failed(
            site, name, form, status=500, message=said, hint="The server's log says how."
        )


def _asked(query: str) -> Asked:
    if len(query) > LONGEST:
        raise UsageError("the address is too long", hint=f"at most {LONGEST:,} characters")
    values: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(query, errors="replace"):
        values[name] = (*values.get(name, ()), value)
    return Asked(values)


def _written(page: Page, form: str, asked: Asked, site: Site) -> str:
    if form == "json":
        return as_json(page)
    if form == "csv":
        return as_csv(page, asked.one("table"))
    state = asked.but()
    forms = {
        "JSON": address(f"{page.name}.json", state),
        **{
            f"CSV: {name}": address(f"{page.name}.csv", {**state, "table": name})
            for name in list(page.tables())[:12]
        },
    }
    return as_html(page, address, rev=asked.one("rev"), forms=forms, site=site.name)


def _failed(site: Site, name: str, form: str, *, status: int, message: str, hint: str) -> Response:
    """An error, in the form that was asked for."""
    page = Page(
        name,
        "That can't be shown",
        notes=[Note(message, "bad"), *([Note(hint)] if hint else [])],
        data={"status": status},
    )
    if form == "html":
        return Response(as_html(page, address, site=_name(site)), status, media_type=_TYPES["html"])
    return Response(as_json(page), status, media_type=_TYPES["json"])


def _name(site: Site) -> str:
    try:
        return site.name
    except FurrowError:
        return "Furrow"
