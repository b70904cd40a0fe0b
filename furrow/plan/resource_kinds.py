"""The registry of kinds of resources.

How each is called, which stages make it, who applies it, where CI tells of it.

A new kind is one line here, in the order in which kinds are shown; one that no stage makes also
needs the function that finds its resources (`furrow.plan.make_plan.survey` calls those).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["DECLARATIONS", "RESOURCE_KINDS", "ResourceKind", "kind_named", "resource_of"]

DECLARATIONS = "declarations"
"""The kind of what conf/ and features/ say, which the stage compile reads."""


@dataclass(frozen=True)
class ResourceKind:
    """One kind.

    Attributes:
        name: As a plan writes it.
        stages: A pattern of the names of the stages that make it, whose group is the resource's
            name; a single word for a resource that there is one of; empty where no stage makes it.
        compiled: Whether the stage compile is what a plan for it alone runs.
        command: What makes it, where apply does not.
        told: Under which heading CI's report tells of its changes; empty for none.
    """

    name: str
    stages: str = ""
    compiled: bool = False
    command: str = ""
    told: str = ""


RESOURCE_KINDS = (
    ResourceKind("data", told="data"),
    ResourceKind("contract", stages="validate"),
    ResourceKind(DECLARATIONS, stages="compile"),
    ResourceKind("tables", stages=r"tables[_@](.+)", told="features"),
    ResourceKind("views", compiled=True, told="features"),
    ResourceKind("training_sets", stages=r"training_set[_@](.+)"),
    ResourceKind("experiments", stages=r"(?:train|evaluate)@(.+)"),
    ResourceKind("stages"),
    ResourceKind("champion", stages="select"),
    ResourceKind("models", command="furrow models register"),
    ResourceKind("deployments", command="furrow models promote"),
    ResourceKind("registry", compiled=True),
    ResourceKind("online_store"),
)
"""In the order in which they are shown.

A stage that makes none of them is a resource of its own, of `stages`.
"""

_BY_NAME = {kind.name: kind for kind in RESOURCE_KINDS}
_PATTERNS = [(re.compile(kind.stages), kind) for kind in RESOURCE_KINDS if kind.stages]


def kind_named(name: str) -> ResourceKind:
    """The kind of a name.

    Raises:
        KeyError: There is none.
    """
    return _BY_NAME[name]


def resource_of(stage: str) -> tuple[str, str]:
    """The kind and the name of the resource that a stage makes."""
    for pattern, kind in _PATTERNS:
        match = pattern.fullmatch(stage)
        if match:
            return kind.name, match[1] if pattern.groups else kind.name
    return "stages", stage
