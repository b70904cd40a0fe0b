"""The pages of one commit as static files, which open from a file, from a CI artifact or from any web server."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from furrow.errors import FurrowError
from furrow.files import read_json, write_bytes, write_json
from furrow.ground.git import UnbornBranchError
from furrow.ground.project_place import meaning
from furrow.web.asked import Asked
from furrow.web.content import Drawing, Facts, Link, Note, Page, Table
from furrow.web.page_app import STATIC, static
from furrow.web.page_forms import as_html
from furrow.web.pages import made
from furrow.web.plain_forms import as_csv, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.web.site import Site

__all__ = ["MARK", "Exported", "export"]

MARK = "furrow-site.json"
"""The file that tells what an export wrote."""
FORMAT = 1
_FIRST = ("home", "runs", "explore", "plan", "data", "features", "models", "business")
_FOLLOWED = {"run": "run", "features": "name", "models": "version"}
"""Pages that are exported for what they are linked with, and the name in the address that says for what."""
_MOST = 400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'"
)

Key = tuple[str, str]


class ExportError(FurrowError):
    """The site can't be written where it should be."""


class Exported(NamedTuple):
    """What was written.

    Attributes:
        pages: How many pages.
        size: Bytes of all files.
        left: Pages that were linked and are not exported, beyond the bound.
        failed: Pages that could not be made: name and why.
    """

    pages: int
    size: int
    left: int
    failed: list[tuple[str, str]]


def export(site: Site, rev: str, folder: Path) -> Exported:
    """Write the pages of a commit.

    Args:
        site: What is shown; `live` is off.
        rev: The commit; HEAD if empty.
        folder: A new folder, or one of an earlier export, whose files are written again.

    Raises:
        ExportError: The folder holds something else.
        UnknownRevisionError: There is no such commit.
    """
    _clear(folder)
    failed: list[tuple[str, str]] = []
    with meaning(site.project):
        pages, left = _gathered(site, _commit(site, rev), failed)
    names = {key: _file(key) for key in pages}
    written = {name: static(name) for name in STATIC}

    def address(page: str, state: Mapping[str, str | Sequence[str]]) -> str | None:
        name = names.get(_key(page, state))
        return f"{name}.html" if name else None

    for key, page in pages.items():
        name, forms = names[key], {"JSON": f"{names[key]}.json"}
        written[f"{name}.json"] = as_json(page).encode()
        for place, table in enumerate(page.tables()):
            if not key[1] and place < 6:
                forms[f"CSV: {table}"] = f"{name}-{_slug(table)}.csv"
                written[forms[f"CSV: {table}"]] = as_csv(page, table).encode()
        html = as_html(page, address, forms=forms, policy=_POLICY, site=site.name)
        written[f"{name}.html"] = html.encode("utf-8", "replace")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MARK, {"format": FORMAT, "files": sorted(written)})
    for name, content in written.items():
        write_bytes(folder / name, content)
    return Exported(len(pages), sum(map(len, written.values())), left, failed)


def _commit(site: Site, rev: str) -> str:
    """The commit's id, short; empty where there is none yet."""
    try:
        return site.commit(rev)[:10]
    except UnbornBranchError:
        return ""


def _gathered(site: Site, rev: str, failed: list[tuple[str, str]]) -> tuple[dict[Key, Page], int]:
    """Every page that is exported, and how many more are linked."""
    waiting: list[Key] = [(name, "") for name in _FIRST]
    pages: dict[Key, Page] = {}
    seen = set(waiting)
    left = 0
    while waiting:
        key = waiting.pop(0)
        try:
            page = made(key[0], site, _asked(key, rev))
        except FurrowError as exc:
            failed.append((" ".join(filter(None, key)), exc.message))
            if key[1]:
                continue
            page = Page(key[0], key[0].capitalize(), notes=[Note(exc.message, "warn")])
        pages[key] = page
        for link in _links(page):
            linked = _key(link.page, link.state)
            if linked[1] and linked not in seen and link.page in _FOLLOWED:
                seen.add(linked)
                if len(pages) + len(waiting) < _MOST:
                    waiting.append(linked)
                else:
                    left += 1
    return pages, left


def _asked(key: Key, rev: str) -> Asked:
    name, about = key
    values = {"rev": (rev,)} if rev else {}
    if about:
        values[_FOLLOWED[name]] = (about,)
    return Asked(values)


def _key(page: str, state: Mapping[str, str | Sequence[str]]) -> Key:
    """What an address means here: a page, and for what.

    A state that is not exported means no page.
    """
    about = state.get(_FOLLOWED.get(page, ""), "")
    if page == "features" and isinstance(about, str):
        about = about.partition(":")[0]  # a feature is shown on its view's page
    rest = {name for name in state if name != "rev" and name != _FOLLOWED.get(page)}
    strange = bool(rest) or (page == "runs" and "rev" in state) or not isinstance(about, str)
    return (page, "\0") if strange else (page, str(about))


def _links(page: Page) -> Iterator[Link]:
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Facts):
                yield from (value for _, value in block.pairs if isinstance(value, Link))
            elif isinstance(block, Note) and block.link:
                yield block.link
            table = block.table if isinstance(block, Drawing) else block
            if isinstance(table, Table):
                yield from (value for row in table.rows for value in row if isinstance(value, Link))


def _file(key: Key) -> str:
    """The name of a page's files, without an ending: safe whatever the page is about."""
    name, about = key
    if not about:
        return "index" if name == "home" else name
    return (
        f"{name}-{_slug(about)}-{hashlib.sha256(about.encode('utf-8', 'replace')).hexdigest()[:8]}"
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-") or "x"


def _clear(folder: Path) -> None:
    """Take away what an earlier export wrote, and nothing else."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"{folder} is no folder", hint="name a new one: furrow ui --export site")
    mark = folder / MARK
    if not mark.is_file():
        if any(folder.iterdir()):
            raise ExportError(
                f"{folder} holds files of something else", hint="name a new folder: --export site"
            )
        return
    said = read_json(mark)
    names = said.get("files") if isinstance(said, dict) else None
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and re.fullmatch(r"[a-z0-9-]+\.(html|json|csv|css|js|svg)", name):
            (folder / name).unlink(missing_ok=True)
