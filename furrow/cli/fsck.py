"""`furrow fsck`: whether the parts of the platform hold together, and how to mend them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.governance.finding import Finding

_MOST = 5
"""Findings that differ in a path alone, and are still told one by one."""


@click.command()
@click.option(
    "--repair",
    is_flag=True,
    help="Mend what can be mended from what is here. Nothing else changes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, repair: bool, as_json: bool) -> int:
    """Look at Git, DVC's cache and remote, versions, notes, the index, the online store and prediction logs.

    Every byte that HEAD, the main branch or a registered version needs is hashed. Exits 1 if
    something is missing, damaged or lost.
    """
    from furrow.governance.finding import BAD  # noqa: PLC0415 - after --help
    from furrow.governance.fsck import fsck  # noqa: PLC0415 - the same
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - the same
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    if repair:
        require_trust(root, "this fills the online store that its manifest names")
    found = fsck(root, repair=repair)
    bad = [one for one in found if one.state in BAD]
    if as_json:
        render.echo_json(
            {"format": 1, "holds": not bad, "findings": [asdict(one) for one in found]}
        )
        return int(bool(bad))
    render.table(list(_rows(found)), ["part", "state", "found", "what to do"])
    say(f"{len(bad)} of {len(found)} are missing, damaged or lost" if bad else "all holds together")
    return int(bool(bad))


def _rows(found: list[Finding]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each finding; one for many that are alike, as in a clone that has fetched nothing yet."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        alike.setdefault((one.part, one.state, one.how), []).append(one.said)
    for (part, state, how), said in alike.items():
        if len(said) > _MOST:
            yield part, state, f"{len(said)} contents, such as {said[0]}", how
            continue
        for each in said:
            yield part, state, each, how
