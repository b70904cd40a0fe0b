"""`furrow mcp`: what an assistant may do here, over the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Let an assistant read this repository, and draft on branches, over the Model Context Protocol.

    It is started by the assistant's program, which speaks to it on standard input and output:

    \b
      {"mcpServers": {"furrow": {"command": "furrow", "args": ["-C", "/path/of/project", "mcp"]}}}

    It reads runs, features, data, models, monitoring and plans, and runs nothing of the repository
    for that. A draft is a commit on a new branch draft/NAME, compiled in a checkout of its own
    (which needs `furrow trust` in a clone): never a merge, never a deployment, never your files.
    """  # noqa: D301
    import anyio  # noqa: PLC0415 - after --help

    from furrow.assistants.protocol_server import serve_tools  # noqa: PLC0415 - the same
    from furrow.ground.git import is_bare  # noqa: PLC0415 - the same
    from furrow.ground.project_place import project_prefix, project_root  # noqa: PLC0415 - the same
    from furrow.web.site import Site  # noqa: PLC0415 - the same

    here = Path.cwd()
    bare = is_bare(here)
    root = here if bare else project_root(here)
    anyio.run(serve_tools, Site(root, project=project_prefix(here) if bare else ""))
