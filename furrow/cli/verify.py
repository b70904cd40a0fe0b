"""`furrow verify`: the chain of proof behind a commit, a version or a prediction, and its weakest link."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say


@click.command()
@click.argument("what", metavar="[REV|VERSION|PREDICTION]", default="HEAD")
@click.option(
    "--signers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Believe this list of signers and no other (as Git's gpg.ssh.allowedSignersFile).",
)
@click.option(
    "--branch",
    default="",
    help="The branch whose conf/trust.yaml counts; by default the one that origin calls its own.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="The prediction log's folder, where it is not this project's own server's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(
    *, what: str, signers: Path | None, branch: str, log: Path | None, as_json: bool
) -> int:
    """Check every link: commit, statements, who may make them, objects and hashes.

    Nothing is fetched.

    conf/trust.yaml and the list of signers are read from the branch that people merge into, never
    from the revision that is checked. Exits 1 if a link is refused, or lacks what is asked for.
    """
    # after --help
    from furrow.governance.proof_chain import broken, chain_of, weakest  # noqa: PLC0415
    from furrow.ground.project_place import project_root  # noqa: PLC0415 - the same
    from furrow.ground.ssh_signatures import passed_over_signers  # noqa: PLC0415 - the same
    from furrow.parse import read_bytes  # noqa: PLC0415 - the same
    from furrow.proof.trust_policy import read_policy  # noqa: PLC0415 - the same

    root = project_root(Path.cwd())
    policy = read_policy(root, branch=branch, signers=read_bytes(signers) if signers else None)
    if not policy.signers and (own := passed_over_signers(root)):
        note = (
            f"note: {own}, which this clone's own gpg.ssh.allowedSignersFile names, is not believed"
        )
        say(f"{note}: whoever made the clone may have; --signers {own}, if it was you", err=True)
    links = chain_of(root, what, policy, now=datetime.now(UTC), log=log)
    wrong, least = broken(links), weakest(links)
    if as_json:
        render.echo_json(
            {
                "format": 1,
                "of": what,
                "holds": not wrong,
                "policy": policy.commit,
                "links": [asdict(one) for one in links],
                "weakest": least.what if least else None,
            }
        )
        return int(bool(wrong))
    asked = {True: "asked for", False: ""}
    rows = [(one.what, one.state, asked[one.needed], one.said) for one in links]
    render.table(rows, ["link", "state", "", "found"])
    where = (
        f"conf/trust.yaml at {policy.commit[:10]}"
        if policy.commit
        else "there is no conf/trust.yaml"
    )
    if not policy.commit and not wrong:
        where += ": no signature is asked for"
    say(f"{what} {'does NOT hold' if wrong else 'holds'} ({where})")
    if least:
        say(f"the weakest link: {least.what}: {least.state}: {least.said}")
    return int(bool(wrong))
