"""What a server is to serve: an environment's version, a registered one, or a folder; brought to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError, UsageError
from furrow.files import read_json, sha256_file
from furrow.ground.git import show
from furrow.layout import BUNDLE_JSON as BUNDLE
from furrow.layout import SERVED, run_file
from furrow.models.deployment import current
from furrow.models.registry import MODEL, find
from furrow.models.version_fetch import fetch
from furrow.parse import ParseError, parse_json
from furrow.serving.serve_settings import ServedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.models.registry import Version

__all__ = ["ServingError", "bring", "resolve"]


class ServingError(FurrowError):
    """What should be served is not there, or can't be told from another."""


def resolve(root: Path, words: Sequence[str]) -> list[ServedModel]:
    """Find what is to be served, and bring it to this machine.

    Args:
        root: The project.
        words: Environments (conf/deployment), versions such as late@v1.0.0, and folders of bundles.

    Raises:
        ServingError: There is no such thing, or two of one name.
        RegistryError, GetError: As of `fetch`.
    """
    found = [_one(root, word) for word in words]
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ServingError(
            f"two models are called {twice}",
            hint="serve one of them, or each from a server of its own",
        )
    return found


def _one(root: Path, word: str) -> ServedModel:
    if (Path(word) / BUNDLE).is_file():
        return _folder(Path(word).absolute())
    if "@" in word:
        return bring(root, word)
    if Path(word).exists() or "/" in word:
        raise ServingError(
            f"{word} holds no {BUNDLE}", hint="name the folder of a bundle: build/models/NAME"
        )
    try:
        version = current(root, word)
    except FurrowError as exc:
        raise UsageError(
            f"{word!r} is no environment, version or bundle here: {exc.message}", hint=exc.hint
        ) from exc
    if version is None:
        raise ServingError(
            f"{word!r} is neither an environment that serves a version, nor a folder of a bundle",
            hint=f"`furrow models promote VERSION --to {word}` and a merge say what it serves",
        )
    return bring(root, version)


def _folder(folder: Path) -> ServedModel:
    """A bundle that nobody vouches for but its owner."""
    facts = read_json(folder / BUNDLE)
    digest = str(facts.get("predictor_sha256") or facts.get("model_sha256"))
    return ServedModel(str(facts["experiment"]), folder, f"sha256:{digest[:12]}")


def bring(root: Path, text: str) -> ServedModel:
    """A registered version, from where it was brought before, or from the cache or the remote.

    Args:
        root: The project.
        text: Such as "late@v1.0.0".

    Raises:
        RegistryError, GetError: As of `fetch`.
    """
    version = find(root, text)
    folder = root / SERVED / f"{version}-{version.commit[:12]}"
    if not _is_whole(folder, version):
        partial_copy = folder.with_name(f".{folder.name}.part")
        _remove(partial_copy)
        partial_copy.parent.mkdir(parents=True, exist_ok=True)
        version = fetch(root, text, partial_copy)
        _remove(folder)
        partial_copy.replace(folder)
    sha256 = version.facts.get("model_sha256")
    scores = recorded(root, version).get("predictor_sha256")
    return ServedModel(version.name, folder, str(version), version.commit, sha256, scores)


def recorded(root: Path, version: Version) -> dict[str, Any]:
    """The record of a version's run, at its commit."""
    content = show(root, version.commit, run_file(version.name, "record.json"))
    try:
        found = parse_json(content) if content is not None else {}
    except ParseError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_whole(folder: Path, version: Version) -> bool:
    path = folder / MODEL
    return path.is_file() and sha256_file(path) == version.facts.get("model_sha256")


def _remove(folder: Path) -> None:
    import shutil  # noqa: PLC0415 - only where something is in the way

    shutil.rmtree(folder, ignore_errors=True)
