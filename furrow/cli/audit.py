"""`furrow audit`: everything that is known of a version, a deployment, a period or a key, in one file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import say

if TYPE_CHECKING:
    from furrow.governance.audit import Audit


@click.command()
@click.argument("what", metavar="VERSION|DEPLOYMENT|PERIOD|ENVELOPE", required=False)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME=VALUE[,NAME=VALUE]",
    help="In place of the former: where somebody's rows are, and what it takes to remove them.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("audit.html"),
    show_default=True,
    help="The page; its JSON is inside, and beside it as NAME.json.",
)
@click.option("--sign", is_flag=True, help="Sign both, as NAME.dsse, with Git's own SSH key.")
@click.option("--check", is_flag=True, help="Check the files that an envelope (NAME.dsse) is of.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON, and write no file.")
def command(
    *, what: str | None, keys: tuple[str, ...], out: Path, sign: bool, check: bool, as_json: bool
) -> None:
    """Gather data, contract, features, code, config, environment, approvals, replays, metrics, drift, incidents.

    What is not known stands first. A period is 2024, 2024-03, 2024-03-01 or 2024-03-01..2024-03-31.

    With --key customer=42 (several are several ways to name one person): which versions of data,
    features, training sets, models and logs hold it, a plan to take it out, and what that makes
    invalid. Nothing is removed.
    """
    if (what is None) == (not keys) or (check and keys):
        raise click.UsageError("give a version, a deployment, a period or an envelope; or --key")
    from furrow.files import write_text  # noqa: PLC0415 - after --help
    from furrow.governance.audit import audit  # noqa: PLC0415 - the same
    from furrow.governance.audit_page import audit_json, audit_page  # noqa: PLC0415 - the same
    from furrow.governance.deletion import deletion_request  # noqa: PLC0415 - the same
    from furrow.governance.signed_files import check_signed_files, sign_files  # noqa: PLC0415 - the same
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - the same
    from furrow.parse import parse_json  # noqa: PLC0415 - the same
    from furrow.proof.trust_policy import read_policy  # noqa: PLC0415 - the same

    root, now = project_root(Path.cwd()), datetime.now(UTC)
    policy = read_policy(root)
    if check:
        say(check_signed_files(Path(what or ""), policy))
        return
    made = (
        deletion_request(root, keys, now=now) if keys else audit(root, what or "", policy, now=now)
    )
    if as_json:
        render.echo_json(parse_json(audit_json(made)))
        return
    beside = out.with_suffix(".json")
    write_text(out, audit_page(made))
    write_text(beside, audit_json(made))
    if sign:
        sign_files(root, [out, beside], out.with_suffix(".dsse"), now=now)
    say(
        f"{out} and {beside}{' (signed)' if sign else ''}: {len(made.unknown)} things are not known"
    )
    for one in made.unknown[:10]:
        say(f"  {one}")
    if keys:
        _tell_plan(made)


def _tell_plan(made: Audit) -> None:
    """What holds a key, in numbers, and what to do."""
    for name, held in made.sections.items():
        if name not in ("plan", "what that makes invalid"):
            say(f"{name}: {len(held) or 'none of what is here'}")
    for number, step in enumerate(made.sections["plan"], 1):
        say(f"{number}. {step}")
    for one in made.sections["what that makes invalid"]:
        say(f"then {one}")
