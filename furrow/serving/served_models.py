"""What a server is to serve: an environment's version, a registered one, or a folder.

Brought to this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError, UsageError
from furrow.ground.kept_here import kept_folder
from furrow.layout import BUNDLE_JSON as BUNDLE
from furrow.layout import SERVED
from furrow.models.bundle import read_facts
from furrow.models.deployment import current
from furrow.models.registry import find
from furrow.serving.serve_settings import ServedModel
from furrow.serving.version_store import bring

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ServingError", "resolve"]


class ServingError(FurrowError):
    """What should be served is not there, or can't be told from another."""


def resolve(root: Path, words: Sequence[str]) -> list[ServedModel]:
    """Find what is to be served, and bring it to this machine.

    Args:
        root: The project.
        words: Environments (conf/deployment), versions such as late@v1.0.0, and folders of bundles.

    Raises:
        ServingError: There is no such thing, or two of one name.
        RegistryError, RefusedError, GetError: As of `find` and `bring`.
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
        return _brought(root, word)
    if Path(word).exists() or "/" in word:
        raise ServingError(
            f"{word} holds no {BUNDLE}", hint="name the folder of a bundle: build/models/NAME"
        )
    try:
        version = current(root, word)
    except FurrowError as exc:
        raise UsageError(
            f"{word!r} is not an environment, version or bundle here: {exc.message}", hint=exc.hint
        ) from exc
    if version is None:
        raise ServingError(
            f"{word!r} is neither an environment that serves a version, nor a folder of a bundle",
            hint=f"`furrow models promote VERSION --to {word}` and a merge say what it serves",
        )
    return _brought(root, version)


def _folder(folder: Path) -> ServedModel:
    """A bundle that nobody vouches for but its owner."""
    facts = read_facts(folder)
    digest = str(facts.get("predictor_sha256") or facts.get("model_sha256"))
    return ServedModel(str(facts["experiment"]), folder, f"sha256:{digest[:12]}")


def _brought(root: Path, text: str) -> ServedModel:
    """A registered version, from where it was brought before, or from the cache or the remote."""
    version = find(root, text)
    local = bring(root, version, kept_folder(root, SERVED))
    scores = local.predictor_sha256 or None
    return ServedModel(
        version.name, Path(local.folder), local.version, local.commit, local.model_sha256, scores
    )
