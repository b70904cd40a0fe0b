"""The code of a project's stages.

Which module each stage of dvc.yaml runs, and the digest of what it imports.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.layout import DVC_YAML
from furrow.parse import ParseError, read_yaml
from furrow.training.code_digest import code_digest
from furrow.training.config import Code
from furrow.training.tasks import metrics_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.training.config import Experiment
    from furrow.training.metric_registry import Metric

__all__ = ["STAGES", "experiment_code", "stage_digest", "stage_modules"]

STAGES = ("validate", "tables", "training_set", "train", "evaluate", "select")
"""The stages that every project has; a name of dvc.yaml belongs to one by how it begins: tables_T, training_set_S."""

_MODULE = re.compile(r"python\d?\s+(?:-\w+\s+)*-m\s+([\w.]+)")


def stage_modules(root: Path) -> dict[str, str]:
    """The module that each of a project's stages runs, from the commands of its dvc.yaml.

    A stage that is no Python module, or that the project has not, counts as Furrow's own.

    Args:
        root: The project.

    Raises:
        FurrowError: dvc.yaml can't be read.
    """
    try:
        value = read_yaml(root / DVC_YAML) or {}
        stages: dict[str, Any] = value.get("stages") or {}
        commands = {str(name): _command(stage) for name, stage in stages.items()}
    except (OSError, ParseError, AttributeError) as exc:
        raise FurrowError(
            f"cannot read the stages of {DVC_YAML}: {' '.join(str(exc).split())}", hint="mend it"
        ) from exc
    found = {}
    for stage in STAGES:
        mine = [
            text for name, text in commands.items() if name == stage or name.startswith(f"{stage}_")
        ]
        matches = [match[1] for text in mine if (match := _MODULE.search(text))]
        found[stage] = matches[0] if matches else f"furrow.stages.{stage}"
    return found


def stage_digest(root: Path, stage: str) -> str:
    """The digest of a stage's code.

    Raises:
        CodeError: Its module does not exist, or does not parse.
    """
    return code_digest(root, stage_modules(root)[stage])


def experiment_code(root: Path, experiment: Experiment, own: Mapping[str, Metric]) -> Code:
    """Digests of the code that an experiment's train and evaluate stages run.

    With its task, and its metrics.

    Metrics change what is judged, not what is trained, unless a search asks for them.
    """
    modules = stage_modules(root)
    task = f"furrow.training.tasks.{experiment.problem.task}"
    known = metrics_of(experiment.problem.task, own)
    named = experiment.problem.metrics or list(known)
    functions = sorted({known[name].function.partition(":")[0] for name in named if name in known})
    trained = [task, *(functions if experiment.search is not None else ())]
    return Code(
        digest=code_digest(root, modules["train"], trained),
        evaluate=code_digest(root, modules["evaluate"], [task, *functions]),
    )


def _command(stage: Any) -> str:
    """A stage's command; that of all its iterations when it is written once for many."""
    whole = stage.get("do", stage) if isinstance(stage, dict) else {}
    command = whole.get("cmd", "")
    return " && ".join(map(str, command)) if isinstance(command, list) else str(command)
