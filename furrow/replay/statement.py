"""A verdict as an in-toto statement with SLSA provenance, kept as a Git note beside its commit."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import canonical_json, sha256_bytes, sha256_json
from furrow.ground.git import common_dir
from furrow.ground.notes import add_line, read_lines
from furrow.ground.project_place import project_prefix
from furrow.history.artifacts import lock_stage
from furrow.history.raw_data import raw_outputs
from furrow.parse import parse_json
from furrow.proof.envelope import EnvelopeError, open_envelope
from furrow.proof.signed_statements import NOTE, REPLAY_TYPE, STATEMENT_TYPE, keep_signed
from furrow.replay.replay_verdict import IDENTICAL, Verdict, VerdictError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BUILD_TYPE",
    "PREDICATE",
    "STATEMENT",
    "made_here",
    "read_statements",
    "read_verdicts",
    "statement",
    "verdict_of",
    "write_note",
]

STATEMENT = STATEMENT_TYPE
PREDICATE = REPLAY_TYPE
BUILD_TYPE = "urn:furrow:replay:v1"
COMMIT = "commit"
_OWN = "furrow-own-replays"
"""In the Git directory, which no push reaches: hashes of the verdicts that this clone found itself."""


def statement(repo: Path, verdict: Verdict) -> dict[str, Any]:
    """The in-toto Statement v1 of a verdict, with a SLSA provenance v1 predicate.

    Its subjects are the commit, and every file that the replay gave again byte for byte; the whole
    verdict is among the by-products.

    Args:
        repo: A folder inside the repository.
        verdict: Of a replay of one of its commits.
    """
    content = canonical_json(verdict.to_json()).encode()
    return {
        "_type": STATEMENT,
        "subject": [{"name": COMMIT, "digest": {"gitCommit": verdict.commit}}, *_subjects(verdict)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"commit": verdict.commit, **verdict.scope},
                "internalParameters": {
                    "furrow": verdict.furrow,
                    "python": verdict.environment.python,
                    "platform": verdict.environment.platform,
                },
                "resolvedDependencies": _dependencies(repo, verdict),
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:furrow:replay:{verdict.where}",
                    "version": {"furrow": verdict.furrow},
                },
                "metadata": {
                    "startedOn": _stamp(verdict.started),
                    "finishedOn": _stamp(verdict.started, verdict.seconds),
                },
                "byproducts": [
                    {
                        "name": "verdict",
                        "mediaType": "application/json",
                        "digest": {"sha256": sha256_bytes(content)},
                        "content": base64.b64encode(content).decode(),
                    }
                ],
            },
        },
    }


def _stamp(started: str, seconds: float = 0.0) -> str:
    """A time as SLSA writes it: UTC, whole seconds, Z."""
    at = datetime.fromisoformat(started) + timedelta(seconds=seconds)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _subjects(verdict: Verdict) -> list[dict[str, Any]]:
    files = {
        f"{verdict.project or ''}{path}": digest
        for stage in verdict.stages
        for output in stage.outputs
        if output.status == IDENTICAL
        for path, digest in output.sha256.items()
    }
    return [{"name": path, "digest": {"sha256": digest}} for path, digest in sorted(files.items())]


def _dependencies(repo: Path, verdict: Verdict) -> list[dict[str, Any]]:
    """The commit, the raw data, the locked environment and the tolerances."""
    found: list[dict[str, Any]] = [{"name": COMMIT, "digest": {"gitCommit": verdict.commit}}]
    for path, data in raw_outputs(repo, verdict.commit).items():
        kind = "dvcDirectory" if data.md5.endswith(".dir") else "md5"
        found.append({"name": path, "digest": {kind: data.md5.removesuffix(".dir")}})
    if verdict.environment.lock:
        lock = {
            "name": verdict.environment.lock,
            "digest": {"sha256": verdict.environment.lock_sha256},
        }
        found.append(lock)
    return found


def verdict_of(value: Any) -> Verdict:
    """The verdict inside a statement.

    Raises:
        VerdictError: There is none, or it is malformed.
    """
    try:
        products = value["predicate"]["runDetails"]["byproducts"]
        product = next(one for one in products if one["name"] == "verdict")
        content = base64.b64decode(product["content"], validate=True)
        if sha256_bytes(content) != product["digest"]["sha256"]:
            raise VerdictError(
                "the verdict inside it is not the one that its digest names", hint="replay it again"
            )
        return Verdict.from_json(parse_json(content))
    except (KeyError, TypeError, StopIteration, binascii.Error, ValueError) as exc:
        raise VerdictError(
            f"the statement holds no verdict: {exc!r}", hint="replay the commit again"
        ) from exc


def write_note(repo: Path, verdict: Verdict, *, sign: bool = False) -> dict[str, Any]:
    """Keep a verdict as a note on its commit (refs/notes/furrow/replay), beside those that are there.

    Args:
        repo: A folder inside the repository.
        verdict: Found by this clone itself.
        sign: Keep it in an envelope that Git's own SSH key signs.

    Returns:
        The statement.

    Raises:
        NoteError: The note can't be written.
        SigningError: There is no key to sign with.
    """
    made = statement(repo, verdict)
    if sign:
        keep_signed(repo, verdict.commit, made)
    else:
        add_line(repo, NOTE, verdict.commit, canonical_json(made))
    with (common_dir(repo) / _OWN).open("a", encoding="ascii") as handle:
        handle.write(f"{sha256_json(verdict.to_json())}\n")
    return made


def made_here(repo: Path) -> frozenset[str]:
    """The sha256 of each verdict, as canonical JSON, that this clone found itself.

    No push can write it.
    """
    path = common_dir(repo) / _OWN
    return frozenset(path.read_text(encoding="ascii").split()) if path.is_file() else frozenset()


def read_statements(repo: Path, commit: str) -> list[Any]:
    """The statements of replays on a commit that are of the project, those that remotes hold included, signed or not.

    Args:
        repo: A folder inside the project; or a bare repository.
        commit: The full id of the commit.

    Returns:
        Each as parsed; a line that is not JSON as its text.
    """
    found: list[Any] = []
    for line in read_lines(repo, NOTE, commit):
        try:
            value = parse_json(line)
        except ValueError:
            found.append(line)
            continue
        if isinstance(value, dict) and "payload" in value:
            try:
                value = open_envelope(value).statement
            except EnvelopeError as exc:
                value = exc.message
            if isinstance(value, dict) and value.get("predicateType") != PREDICATE:
                continue  # of another kind
        found.append(value)
    return [value for value in found if _own(repo, commit, value)]


def _own(repo: Path, commit: str, value: Any) -> bool:
    """Whether a statement is of this project.

    One that says nothing of it, if dvc.lock knows a stage of its.
    """
    try:
        verdict = verdict_of(value)
    except VerdictError:
        return True  # what can't be read is everybody's to see
    if verdict.project is not None:
        return verdict.project == project_prefix(repo)
    try:
        here = [bool(lock_stage(repo, commit, stage.stage)) for stage in verdict.stages]
    except FurrowError:
        return True
    return any(here) or not here or not project_prefix(repo)


def read_verdicts(repo: Path, commit: str) -> list[Verdict]:
    """The verdicts on a commit, oldest first; what is malformed is passed over.

    `verify` reports it.

    Args:
        repo: A folder inside the repository; it may be bare.
        commit: The full id of the commit.
    """
    found = []
    for value in read_statements(repo, commit):
        try:
            found.append(verdict_of(value))
        except VerdictError:
            continue
    return sorted(found, key=lambda one: one.started)
