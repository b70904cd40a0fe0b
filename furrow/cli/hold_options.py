"""What the commands that overrule Git on a server's machine share: the environment's state folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import click

from furrow.cli.completed_names import environment_names
from furrow.errors import FurrowError
from furrow.ground.project_place import project_root

__all__ = ["on_server", "state_of", "why"]

T = TypeVar("T", bound=Any)

why = click.option("--why", default="", help="Why: it is kept, and told by `furrow status`.")


def on_server(command: T) -> T:
    """The argument ENVIRONMENT, and where the server's state is."""
    option = click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="The server's state folder, where it isn't this project's usual one.",
    )
    found: T = click.argument("environment", shell_complete=environment_names)(option(command))
    return found


def state_of(environment: str, state: Path | None) -> Path:
    """The state folder of an environment's server on this machine.

    Raises:
        FurrowError: No server has followed Git for it here.
    """
    # loads after --help
    from furrow.serving.deployment_state import FOLLOWED, state_folder  # noqa: PLC0415

    folder = state or state_folder(project_root(Path.cwd()), environment)
    if not (folder / FOLLOWED).is_file():
        raise FurrowError(
            f"no server of {environment} has its state in {folder}",
            hint="run this on the server's machine, in the project or with --state FOLDER",
        )
    return folder
