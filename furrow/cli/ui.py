"""`furrow ui`: pages of this repository in a browser, or as files."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.render import echo_json
from furrow.cli.terminal import say
from furrow.errors import UsageError

# The pages' modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415

folder = click.Path(path_type=Path)


@click.command()
@click.option(
    "--export",
    "out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the pages of a commit as files there, and end.",
)
@click.option("--rev", default="", help="With --export: the commit.  [default: HEAD]")
@click.option(
    "--host", "address", default="127.0.0.1", show_default=True, help="The address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port; 0 for a free one.",
)
@click.option(
    "--tokens",
    type=folder,
    help="The file of tokens (`furrow serve --new-token NAME --scope read`).",
)
@click.option(
    "--allow-host", "hosts", multiple=True, help="A name that the server may be called by."
)
@click.option(
    "--ask", default="", metavar="URL", help="A server that a page may ask for predictions."
)
@click.option("--ask-token", type=folder, help="A file that holds the token to ask it with.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(
    *,
    out: Path | None,
    rev: str,
    address: str,
    port: int,
    tokens: Path | None,
    hosts: tuple[str, ...],
    ask: str,
    ask_token: Path | None,
    as_json: bool,
) -> None:
    """Show this repository in a browser: runs, plan, data, features, models, monitoring. It changes nothing.

    In a bare repository, too. Each page is also JSON and CSV: put .json or .csv behind its name.
    """
    from furrow.ground.git import is_bare
    from furrow.ground.project_place import project_prefix, project_root
    from furrow.web.site import Site

    here = Path.cwd()
    bare = is_bare(here)
    root = here if bare else project_root(here)
    prefix = project_prefix(here) if bare else ""
    site = Site(root, out is None, prefix, _address(ask), _secret(ask_token))
    if out is not None:
        from furrow.web.export_site import export

        done = export(site, rev, out)
        if as_json:
            failed = [{"page": name, "why": why} for name, why in done.failed]
            echo_json({**done._asdict(), "failed": failed, "folder": str(out)})
            return
        for name, why in done.failed:
            say(f"not made: {name}: {why}", err=True)
        if done.left:
            say(f"{done.left:,} more pages are linked than an export holds", err=True)
        say(f"{done.pages} pages, {done.size / 1e6:.1f} MB: open {out / 'index.html'}")
        return
    if rev:
        raise UsageError("--rev is for --export", hint="in a page, ?rev= names the commit")
    from furrow.serving.server import listen
    from furrow.web.page_server import PageSettings, serve_pages

    settings = PageSettings(address, frozenset(name.lower() for name in hosts), tokens)
    settings.check()
    taken = listen(address, port)
    place = f"[{address}]" if ":" in address else address
    found = f"http://{place}:{taken.getsockname()[1]}"
    if as_json:
        echo_json({"address": found})
    else:
        say(found)
    serve_pages(site, settings, taken)


def _address(text: str) -> str:
    """The address of a server, seen to be one before pages are."""
    if text:
        from furrow.serving.serving_client import ServingClient

        ServingClient(text).close()
    return text


def _secret(path: Path | None) -> str:
    """The token in a file."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as exc:
        raise UsageError(
            f"--ask-token {path}: {exc}", hint="name a file that holds a token"
        ) from exc
