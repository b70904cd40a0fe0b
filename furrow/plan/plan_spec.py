"""A plan as a value.

What would become of each declared resource, of each stage, and what that breaks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from furrow.drawing.moves import moves
from furrow.drawing.notebook_drawings import notebook_drawing
from furrow.drawing.notebook_tables import notebook_table
from furrow.errors import FurrowError
from furrow.plan.resource_kinds import DECLARATIONS, RESOURCE_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT",
    "KINDS",
    "Action",
    "Break",
    "Plan",
    "PlanError",
    "Resource",
    "StagePlan",
    "parse_plan",
]

FORMAT = 1
Action = Literal["add", "change", "destroy", "unknown", "unchanged"]
KINDS = tuple(kind.name for kind in RESOURCE_KINDS)
"""Kinds of resources, in the order in which they are shown."""


class PlanError(FurrowError):
    """A plan can't be made, read or carried out."""


@dataclass(frozen=True)
class StagePlan:
    """What `dvc repro` would do with one stage.

    Attributes:
        action: "run", "restore" from DVC's cache, "record" (a frozen stage: DVC takes its outputs
            as they are) or "unknown".
        certain: False when it runs only if a stage before it writes other bytes than last time.
        why: The reasons, in words.
        seconds: How long, from earlier runs; None when this stage has never run here.
    """

    name: str
    action: str
    certain: bool
    why: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True)
class Resource:
    """What would become of one declared resource.

    Attributes:
        kind: One of KINDS.
        why: The reasons, in words; empty when it is unchanged.
        stages: The stages that make it so.
        seconds: How long, from earlier runs; None when that isn't known.
        local: Whether it is a fact of this machine that Git does not hold.
    """

    kind: str
    name: str
    action: Action
    why: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    seconds: float | None = None
    local: bool = False

    @property
    def address(self) -> str:
        """What `--target` calls it, such as "experiments/gbm"."""
        return self.kind if self.kind == self.name else f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Break:
    """A registered model, or what an environment serves, that would no longer fit the declared features.

    Attributes:
        model: The version, such as "gbm@v1.2.0".
        environments: Those that serve it.
        service: The feature service that it was trained on.
        why: What changed, in words.
    """

    model: str
    environments: tuple[str, ...]
    service: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The difference between what Git declares and what is; false when there is none.

    Attributes:
        resources: Every declared resource, the unchanged ones too.
        stages: The stages that would run or be restored, in order.
        breaks: What would no longer fit.
        notes: What a person should know.
        head: The commit that the work tree stands on; empty before the first.
        revisions: The two commits of a plan between commits; empty for the work tree.
        made_from: What the plan was made from: a hash by path or fact.
        repository: The repository's first commit, which names it; empty when not asked for.
    """

    resources: tuple[Resource, ...]
    stages: tuple[StagePlan, ...]
    breaks: tuple[Break, ...] = ()
    notes: tuple[str, ...] = ()
    head: str = ""
    revisions: tuple[str, ...] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""

    def __bool__(self) -> bool:
        return bool(self.stages) or any(
            resource.action != "unchanged" for resource in self.resources
        )

    def _repr_html_(self) -> str:
        rows = [(one.name, one.action, "; ".join(one.why), one.seconds) for one in self.stages]
        notes = [f"{one.model} no longer fits: {'; '.join(one.why)}." for one in self.breaks]
        title = "Plan" if self else "Nothing to do"
        table = notebook_table(title, ("stage", "action", "why", "seconds"), rows, notes=notes)
        timed = [(one.name, one.seconds) for one in self.stages if one.seconds is not None]
        said = "Seconds that each stage took last"
        return f"{table}{notebook_drawing([(said, moves(timed, title=said))])}"

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Why what is declared can't be read: until that is mended nothing can be carried out."""
        return tuple(
            line
            for each in self.resources
            if each.kind == DECLARATIONS and each.action == "unknown"
            for line in each.why
        )

    @property
    def seconds(self) -> float | None:
        """How long all stages would take; None when no stage has ever run here."""
        known = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return sum(known) if known or not self.stages else None

    def count(self, action: Action) -> int:
        """How many resources have an action."""
        return sum(resource.action == action for resource in self.resources)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, as plan.schema.json describes it."""
        return {
            "format": FORMAT,
            "kind": "furrow.plan",
            "difference": bool(self),
            "repository": self.repository,
            "head": self.head,
            "revisions": list(self.revisions),
            "summary": {action: self.count(action) for action in get_args(Action)},
            "seconds": self.seconds,
            "resources": [
                {
                    "address": each.address,
                    **asdict(each),
                    "why": list(each.why),
                    "stages": list(each.stages),
                }
                for each in self.resources
            ],
            "stages": [{**asdict(each), "why": list(each.why)} for each in self.stages],
            "breaks": [
                {**asdict(each), "environments": list(each.environments), "why": list(each.why)}
                for each in self.breaks
            ],
            "notes": list(self.notes),
            "made_from": dict(self.made_from),
        }


def parse_plan(value: Any, where: str) -> Plan:
    """Read a plan back from JSON.

    Raises:
        PlanError: It is none, or of another format.
    """
    hint = "save one with `furrow plan --out FILE`"
    if not isinstance(value, dict) or value.get("kind") != "furrow.plan":
        raise PlanError(f"{where} is not a saved plan", hint=hint)
    if value.get("format") != FORMAT:
        raise PlanError(
            f"{where} is a plan of format {value.get('format')!r}, this Furrow reads {FORMAT}",
            hint=hint,
        )
    try:
        return Plan(
            resources=tuple(
                Resource(
                    kind=str(each["kind"]),
                    name=str(each["name"]),
                    action=_action(each["action"]),
                    why=tuple(map(str, each["why"])),
                    stages=tuple(map(str, each["stages"])),
                    seconds=each["seconds"],
                    local=bool(each["local"]),
                )
                for each in value["resources"]
            ),
            stages=tuple(
                StagePlan(
                    each["name"],
                    each["action"],
                    bool(each["certain"]),
                    tuple(each["why"]),
                    each["seconds"],
                )
                for each in value["stages"]
            ),
            breaks=tuple(
                Break(
                    each["model"], tuple(each["environments"]), each["service"], tuple(each["why"])
                )
                for each in value["breaks"]
            ),
            notes=tuple(value["notes"]),
            head=str(value["head"]),
            revisions=tuple(map(str, value["revisions"])),
            made_from={str(key): str(held) for key, held in value["made_from"].items()},
            repository=str(value["repository"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise PlanError(
            f"{where} is a damaged plan: {type(exc).__name__} {exc}", hint=hint
        ) from exc


def _action(word: Any) -> Action:
    for action in get_args(Action):
        if word == action:
            known: Action = action
            return known
    raise ValueError(word)
