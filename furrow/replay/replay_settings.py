"""conf/replay.yaml.

The tolerances that a commit declares, and what its stages read beyond their dependencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.hydra import structured
from furrow.layout import LOCK, REPLAY_YAML
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Covered", "ModelRule", "Settings", "SettingsError", "Tolerance", "load"]


class SettingsError(FurrowError):
    """conf/replay.yaml is malformed."""


@dataclass
class Tolerance:
    """How far numbers of some files may be from what was recorded.

    Attributes:
        path: A pattern of paths, such as "runs/*/metrics.json".
        keys: Patterns of the JSON keys (dotted) or columns that it holds for.
        absolute: The largest difference.
        relative: The largest difference as a share of the recorded value; the larger of the two
            counts.
    """

    path: str = ""
    keys: list[str] = field(default_factory=lambda: ["*"])
    absolute: float = 0.0
    relative: float = 0.0

    def allows(self, recorded: float, replayed: float) -> bool:
        """Whether a replayed number is close enough to the recorded one."""
        if not (math.isfinite(recorded) and math.isfinite(replayed)):
            return False
        return abs(recorded - replayed) <= max(self.absolute, self.relative * abs(recorded))


@dataclass
class Covered:
    """Files that some stages read without depending on them, because another declaration stands for them.

    Attributes:
        stages: Patterns of stages.
        paths: Patterns of paths.
        because: What stands for them.
    """

    stages: list[str] = field(default_factory=lambda: ["*"])
    paths: list[str] = field(default_factory=list)
    because: str = ""


@dataclass
class ModelRule:
    """Outputs that are models: equal if they predict the same, whatever their bytes.

    Attributes:
        path: A pattern of outputs.
        predictions: Patterns of what the same stage wrote as their predictions, judged by their own
            tolerance.
    """

    path: str = ""
    predictions: list[str] = field(default_factory=list)


@dataclass
class Settings:
    """What conf/replay.yaml says.

    Attributes:
        lock: The file that locks the environment.
        tolerances: The first that matches a file and a key counts; without one, equal means equal.
        covered: Reading that needs no dependency.
        models: Outputs that are judged by what they predict where their bytes are others.
        code_keys: Patterns of parameters that hold a digest of code: a stage with one declares the
            import closure of the module that it runs.
    """

    lock: str = LOCK
    tolerances: list[Tolerance] = field(default_factory=list)
    covered: list[Covered] = field(default_factory=list)
    models: list[ModelRule] = field(default_factory=list)
    code_keys: list[str] = field(default_factory=lambda: ["code", "code.*"])

    def tolerance(self, path: str, key: str) -> Tolerance | None:
        """The tolerance of a key or column of a file; None when it must be equal."""
        return next(
            (
                one
                for one in self.of(path)
                if any(fnmatchcase(key, pattern) for pattern in one.keys)
            ),
            None,
        )

    def of(self, path: str) -> list[Tolerance]:
        """The tolerances that speak of a file."""
        return [one for one in self.tolerances if fnmatchcase(path, one.path)]

    def covers(self, stage: str, path: str) -> bool:
        """Whether a stage may read a path without depending on it."""
        return any(
            any(fnmatchcase(stage, pattern) for pattern in one.stages)
            and any(fnmatchcase(path, pattern) for pattern in one.paths)
            for one in self.covered
        )


def load(root: Path) -> Settings:
    """Read a work tree's conf/replay.yaml; without the file, every output must be identical.

    Raises:
        SettingsError: It is not YAML, or a tolerance is negative or names no path.
        ConfigError: A key is unknown or a value of a wrong type.
    """
    path = root / REPLAY_YAML
    if not path.is_file():
        return Settings()
    try:
        value = read_yaml(path) or {}
    except ParseError as exc:
        raise SettingsError(
            f"{REPLAY_YAML} is not YAML: {' '.join(str(exc).split())}", hint="mend it"
        ) from exc
    if not isinstance(value, dict):
        raise SettingsError(f"{REPLAY_YAML} holds no mapping", hint="write `tolerances: [...]`")
    found = structured(Settings, value, where=REPLAY_YAML)
    for number, one in enumerate(found.tolerances):
        if not one.path:
            raise SettingsError(
                f"{REPLAY_YAML}: tolerances[{number}].path is missing",
                hint="name the files it is for",
            )
        for name in ("absolute", "relative"):
            limit = getattr(one, name)
            if not 0 <= limit < float("inf"):
                raise SettingsError(
                    f"{REPLAY_YAML}: tolerances[{number}].{name} is {limit}",
                    hint="give it 0 or more",
                )
    for number, rule in enumerate(found.models):
        if not rule.path or not rule.predictions:
            lacking = "predictions" if rule.path else "path"
            raise SettingsError(
                f"{REPLAY_YAML}: models[{number}].{lacking} is missing",
                hint="name the files it is for",
            )
    return found
