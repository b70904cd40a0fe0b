"""Where a draft may write: declarations, feature definitions and code, and never what deploys, judges or guards."""

from __future__ import annotations

import re

from furrow.errors import FurrowError
from furrow.layout import (
    CONF,
    DVC_YAML,
    EXPERIMENTS_YAML,
    FEATURES,
    METRICS_YAML,
    RUNS,
)

__all__ = ["DraftError", "check_path", "is_compiled"]

LONGEST = 200
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_FOLDERS = (FEATURES, "pipelines", "tests", f"{CONF}/data")
_GROUPS = "experiment|model|problem|search|split|calibration"
_ALLOWED = re.compile(
    rf"({'|'.join(map(re.escape, _FOLDERS))})(/{_WORD})*/{_WORD}\.(py|sql|yaml|md)"
    rf"|{CONF}/({_GROUPS})/{_WORD}\.yaml|{re.escape(EXPERIMENTS_YAML)}|{re.escape(METRICS_YAML)}"
)
_COMPILED = re.compile(
    rf"{re.escape(DVC_YAML)}|{FEATURES}/manifest\.json|{RUNS}/pipeline\.json|{RUNS}/{_WORD}/config\.yaml"
)


class DraftError(FurrowError):
    """A draft that can't be written."""


def check_path(path: str) -> str:
    """A path that a draft may write, as it is.

    Raises:
        DraftError: It may not.
    """
    fits = len(path) <= LONGEST and _ALLOWED.fullmatch(path) and ".." not in path.split("/")
    if not fits:
        raise DraftError(
            f"a draft may not write {path[:80]!r}",
            hint=(
                "files of features/, pipelines/, tests/ and conf/ of experiments, models, problems,"
                " data"
            ),
        )
    return path


def is_compiled(path: str) -> bool:
    """Whether a path is one that `furrow compile` writes."""
    return bool(_COMPILED.fullmatch(path))
