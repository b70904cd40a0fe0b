"""`furrow approve`: a person's signature that a version may be deployed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.completed_names import version_names
from furrow.cli.terminal import say


@click.command()
@click.argument("version", shell_complete=version_names)
@click.option("--to", "environment", required=True, help="The environment, such as production.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, version: str, environment: str, as_json: bool) -> None:
    """Sign, with the SSH key that Git signs with, that VERSION may be deployed to an environment.

    conf/trust.yaml on the main branch says who may, how many it takes, and whether they must be
    others than who made the commit or registered the version.
    """
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - after --help
    from furrow.models.registry import find  # noqa: PLC0415 - the same
    from furrow.models.trusted_version import approve, standing_of  # noqa: PLC0415 - the same
    from furrow.proof.trust_policy import read_policy  # noqa: PLC0415 - the same

    root, now = project_root(Path.cwd()), datetime.now(UTC)
    found = find(root, version)
    approve(root, found, environment, now=now)
    policy = read_policy(root)
    standing = standing_of(root, found, policy, "approve", now=now, environment=environment)
    if as_json:
        render.echo_json(
            {
                "format": 1,
                "version": str(found),
                "environment": environment,
                "by": list(standing.by),
                "needed": standing.needed,
                "problems": list(standing.problems),
            }
        )
        return
    say(f"{found} for {environment}: {len(standing.by)} of {standing.needed} approved it")
    for problem in standing.problems:
        say(f"  {problem}")
    say("next: git push (or git push origin refs/notes/furrow/replay); furrow models promote")
