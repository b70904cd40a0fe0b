"""Who uses a feature service: the declared experiments, and the models that were trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import FileError, read_json
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TrainedModel", "experiments_of", "models_of"]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What a run's record says of the features of its model."""

    experiment: str
    service: str
    features_digest: str


def experiments_of(root: Path) -> dict[str, str]:
    """The feature service of each experiment, from conf/experiments.yaml; empty if there is none.

    Args:
        root: The repository.

    Raises:
        FurrowError: The file is not a map of experiments.
    """
    path = root / "conf" / "experiments.yaml"
    try:
        declared = read_yaml(path)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, ParseError) as exc:
        raise FurrowError(f"cannot read {path}: {exc}") from exc
    experiments = declared.get("experiments") if isinstance(declared, dict) else None
    if not isinstance(experiments, dict):
        raise FurrowError(
            f"{path}: experiments: should be a mapping",
            hint="write `experiments: {name: {service: ...}}`",
        )
    return {str(name): _service(entry) for name, entry in experiments.items()}


def _service(entry: Any) -> str:
    return str(entry.get("service", "")) if isinstance(entry, dict) else ""


def models_of(root: Path) -> list[TrainedModel]:
    """The models that runs/*/record.json tells of, by experiment.

    A record that can't be read is left out.

    Args:
        root: The repository.
    """
    models = []
    for path in sorted((root / "runs").glob("*/record.json")):
        try:
            record: Mapping[str, Any] = read_json(path)
        except FileError:
            continue
        if isinstance(record, dict) and isinstance(record.get("features_digest"), str):
            service = str(record.get("service", ""))
            models.append(TrainedModel(path.parent.name, service, record["features_digest"]))
    return models
