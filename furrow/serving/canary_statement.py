"""A canary's end as a signed statement on its version's commit, where the server's Git has a key to sign with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import canonical_json
from furrow.ground.git import git
from furrow.ground.git_mirror import push_notes_of
from furrow.ground.notes import add_line
from furrow.models.registry import find
from furrow.proof.signed_statements import NOTE, keep_signed, make_statement

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from furrow.serving.canary_decision import Verdict

__all__ = ["sign_decision"]


def sign_decision(
    mirror: Path, remote: str, environment: str, canary: str, verdict: Verdict, *, now: datetime
) -> str:
    """Keep what was decided about a canary, signed, and carry it to the remote if that takes notes.

    Args:
        mirror: The server's repository.
        remote: Where it comes from.
        environment: Such as "production".
        canary: The version.
        verdict: The decision.
        now: The time.

    Returns:
        Why it is not kept, or not on the remote; empty when it is, and where there is no key.
    """
    if git(mirror, "config", "--get", "gpg.format", ok=(0, 1)).strip() != b"ssh":
        return ""
    try:
        version = find(mirror, canary)
        facts = {
            "version": canary,
            "environment": environment,
            "decision": verdict.action,
            "evidence": verdict.why,
        }
        made = make_statement(mirror, "canary", version.commit, facts, now=now)
        line = canonical_json(keep_signed(mirror, version.commit, made))
        push_notes_of(mirror, remote, lambda: add_line(mirror, NOTE, version.commit, line))
    except FurrowError as exc:
        return f"the decision about {canary} is not signed on the remote: {exc.message}"
    return ""
