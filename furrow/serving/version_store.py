"""Versions on a server's machine.

Bundles from the DVC remote, whole and of the hash that Git says, or not at all.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.manifest import load as load_manifest
from furrow.files import sha256_file
from furrow.ground.git import show
from furrow.ground.mirror_trust import require_trust_here
from furrow.history.bring_output import bring_output
from furrow.history.signed_tags import vouching_tag
from furrow.layout import RECORD_JSON, model, run_file
from furrow.models.bundle import read_facts
from furrow.models.register import refusal
from furrow.models.registry import MODEL, Version, find
from furrow.models.trusted_version import trust_refusal
from furrow.parse import parse_json
from furrow.serving.deployment_state import Local
from furrow.training.predictor import PREDICTOR

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from furrow.features.schema import Manifest

__all__ = ["RefusedError", "bring", "check_features", "check_trust", "deployable", "forget_others"]


class RefusedError(FurrowError):
    """A version that Git declares and that is not served."""


def deployable(
    mirror: Path, text: str, tip: str, *, model_sha256: str = "", environment: str = ""
) -> Version:
    """A declared version, if it may be served.

    Args:
        mirror: The repository.
        text: Such as "gbm@v1.0.0".
        tip: The commit that declares it.
        model_sha256: What the declaration says of its model; empty where it says nothing.
        environment: Whose approval conf/trust.yaml of that commit may ask for.

    Raises:
        RefusedError: It passed no gate, is of no merged commit, or has another hash than declared.
        RegistryError: There is no such version.
    """
    version = find(mirror, text)
    why = refusal(mirror, version, merging=tip)
    if why:
        raise RefusedError(why, hint="register one that passed: furrow models register")
    check_trust(mirror, version, environment, tip)
    recorded = str(version.facts.get("model_sha256"))
    if model_sha256 and model_sha256 != recorded:
        raise RefusedError(
            f"the deployment says that {version} has sha256 {model_sha256[:12]}…, its commit says"
            f" {recorded[:12]}…",
            hint="promote it again: furrow models promote",
        )
    return version


def check_trust(mirror: Path, version: Version, environment: str, tip: str) -> None:
    """Hold a version against conf/trust.yaml of the commit that declares it.

    One that is here already, too.

    Raises:
        RefusedError: Nobody whom that asks for signed it, or no longer: a key was revoked.
    """
    if why := trust_refusal(mirror, version, environment=environment, trusted=tip):
        raise RefusedError(why, hint=f"furrow approve {version} --to {environment}, and push it")


def check_features(features: Path, name: str, digest: str, service: str) -> None:
    """Hold a version against the features of the store here.

    Raises:
        RefusedError: They are of another definition than it was trained on.
    """
    manifest: Manifest = load_manifest(features)
    found = manifest.services.get(service) if service else None
    there = {one.digest for one in manifest.services.values()} if not service else set()
    if digest in there or (found is not None and found.digest == digest):
        return
    have = "no such service" if found is None else found.digest[:12]
    raise RefusedError(
        f"{name} was trained on {service or 'a service'} {digest[:12]}; the store here has {have}",
        hint=(
            "bring the features up to date (furrow compile, furrow features materialize), or deploy"
            " what fits"
        ),
    )


def bring(mirror: Path, version: Version, store: Path) -> Local:
    """A version's bundle in the folder of versions, from there or from the DVC remote.

    Args:
        mirror: The repository.
        version: The version.
        store: The folder of versions.

    Raises:
        RefusedError: The tag says what its commit does not, or what came is not what that records.
        GetError: Neither the cache nor a remote has it.
        UntrustedError: It is a pickle alone, whose hash nobody says but those who made it.
    """
    if version.invented:
        raise RefusedError(
            f"the tag {version} says what its commit does not: {', '.join(version.invented)}",
            hint="whoever made the tag was wrong: ask who did",
        )
    record = _record(mirror, version)
    sha256, scores = str(record["model_sha256"]), str(record.get("predictor_sha256") or "")
    folder = store / f"{version.name}-v{version.number}-{sha256[:12]}"
    if folder.exists() and not _is_whole(folder, sha256, scores):
        shutil.rmtree(folder)
    if not folder.exists():
        store.mkdir(parents=True, exist_ok=True)
        half = store / f".half-{folder.name}"
        shutil.rmtree(half, ignore_errors=True)
        bring_output(mirror, model(version.name), version.commit, half)
        if not _is_whole(half, sha256, scores):
            shutil.rmtree(half)
            raise RefusedError(
                f"what the DVC remote has for {version} is not what its commit records"
                f" ({sha256[:12]}…)",
                hint="push the bundle again from where it was trained: dvc push",
            )
        half.rename(folder)
    _check_pickle(mirror, version, folder, sha256, scores)
    digest = str(record.get("features_digest") or "")
    return Local(str(version), version.commit, str(folder), sha256, scores, digest)


def _check_pickle(mirror: Path, version: Version, folder: Path, sha256: str, scores: str) -> None:
    """Have a pickle, which runs code when a server opens it, vouched for by more than its own commit.

    Raises:
        UntrustedError: Neither a signed tag names its hash, nor is the repository trusted.
    """
    if scores or read_facts(folder).get("predictor_sha256") or vouching_tag(mirror, sha256):
        return
    require_trust_here(mirror, f"{version} is a pickle, which runs code when it is opened")


def forget_others(store: Path, kept: Iterable[Local | None]) -> None:
    """Remove the versions that nothing may go back to; through a link, nothing."""
    names = {one.folder for one in kept if one is not None}
    for folder in store.iterdir() if store.is_dir() and not store.is_symlink() else ():
        if str(folder) not in names:
            shutil.rmtree(folder, ignore_errors=True)


def _record(mirror: Path, version: Version) -> dict[str, Any]:
    path = run_file(version.name, RECORD_JSON)
    value = parse_json(show(mirror, version.commit, path) or b"null", path)
    if not isinstance(value, dict) or "model_sha256" not in value:
        raise RefusedError(f"{path} at {version.commit[:10]} names no model_sha256")
    return value


def _is_whole(folder: Path, sha256: str, scores: str) -> bool:
    files = ((MODEL, sha256), *(((PREDICTOR, scores),) if scores else ()))
    return all(
        (folder / name).is_file() and sha256_file(folder / name) == wanted for name, wanted in files
    )
