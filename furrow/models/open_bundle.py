"""A bundle's files held against what they may be, before they are read whole."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pyarrow as pa

from furrow.ground.bounded_parquet import read_bounded
from furrow.models.bundle import BACKGROUND, Bundle, BundleError, load
from furrow.models.registry import MODEL
from furrow.parse import LIMITS
from furrow.training.predictor import PREDICTOR, TREES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_bundle"]

_LARGEST = 4 << 30
_MOST = {PREDICTOR: LIMITS.size, BACKGROUND: 256 << 20, TREES: _LARGEST, MODEL: _LARGEST}
"""Bytes that each file may have."""


def open_bundle(folder: Path, *, model_sha256: str, predictor_sha256: str | None = None) -> Bundle:
    """Open a bundle, as `furrow.models.bundle.load` does, whoever made its files.

    Args:
        folder: build/models/NAME.
        model_sha256: From the run's record.json.
        predictor_sha256: From there, too; None where there is no portable form.

    Raises:
        BundleError: A file is a device or too large; or as of `load`.
        UnpackedError: The rows that explanations compare with mean more than is read.
    """
    hint = "it is not opened; get it again from who trained it, or train again"
    for name, most in _MOST.items():
        try:
            found = (folder / name).stat()
        except OSError:  # `load` says whether it is needed
            continue
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{folder / name} is not a regular file", hint=hint)
        if found.st_size > most:
            said = (
                f"{folder / name} has {found.st_size:,} bytes, more than the {most:,} that are read"
            )
            raise BundleError(said, hint=hint)
    try:
        if (folder / BACKGROUND).exists():
            read_bounded(folder / BACKGROUND)
    except (OSError, pa.ArrowException) as exc:
        raise BundleError(f"{folder / BACKGROUND} can't be read: {exc}", hint=hint) from exc
    return load(folder, model_sha256=model_sha256, predictor_sha256=predictor_sha256)
