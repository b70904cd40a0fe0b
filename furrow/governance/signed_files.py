"""Files with a signed statement of their hashes beside them, for whoever gets them by mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import canonical_json, sha256_file, write_text
from furrow.ground.ssh_signatures import Signer, signers_of, ssh_sign
from furrow.parse import parse_json, read_bytes
from furrow.proof.envelope import NAMESPACE, open_envelope, seal
from furrow.proof.signed_statements import STATEMENT_TYPE

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["check_signed_files", "sign_files"]

_TYPE = "urn:furrow:audit:v1"


def sign_files(repo: Path, files: list[Path], to: Path, *, now: datetime) -> None:
    """Sign what files hold, with Git's own SSH key.

    Args:
        repo: The repository.
        files: Beside one another.
        to: Gets the envelope.
        now: The time.

    Raises:
        SigningError: There is no key.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": one.name, "digest": {"sha256": sha256_file(one)}} for one in files],
        "predicateType": _TYPE,
        "predicate": {"at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
    }
    made = seal(statement, lambda data: ssh_sign(repo, data, NAMESPACE))
    write_text(to, canonical_json(made) + "\n")


def check_signed_files(envelope: Path, policy: TrustPolicy) -> str:
    """Who signed the files beside an envelope.

    Args:
        envelope: From `sign_files`.
        policy: Whose list of signers counts.

    Returns:
        In words, which files are as who signed them: others may lie beside them.

    Raises:
        FurrowError: A file is another one, or missing, or nobody known signed it.
    """
    opened = open_envelope(parse_json(read_bytes(envelope), envelope))
    said = opened.statement
    hint = "ask whoever sent it for another"
    if said.get("predicateType") != _TYPE:
        raise FurrowError(f"{envelope.name} is a statement about something else", hint=hint)
    try:
        at = datetime.fromisoformat(said["predicate"]["at"])
        subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in said["subject"]}
    except (KeyError, TypeError, ValueError) as exc:
        raise FurrowError(f"{envelope.name} is malformed: {exc}", hint=hint) from exc
    if not subjects:
        raise FurrowError(f"{envelope.name} is of no file", hint=hint)
    for name, sha256 in subjects.items():
        path = envelope.parent / name
        if "/" in name or not path.is_file() or sha256_file(path) != sha256:
            raise FurrowError(f"{name} is not the file that was signed", hint=hint)
    for text in opened.signatures:
        found = signers_of(
            opened.signed,
            text,
            namespace=NAMESPACE,
            signers=policy.signers,
            revoked=policy.revoked,
            at=at,
        )
        if isinstance(found, Signer):
            return f"{', '.join(subjects)} as signed by {', '.join(found.names)}"
    raise FurrowError(f"nobody in the list of signers signed {envelope.name}", hint=hint)
