"""The verdict of a replay.

What each stage gave, beside what its commit says, and why they differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DIFFERENT",
    "FAILED",
    "FORMAT",
    "IDENTICAL",
    "NOT_KEPT",
    "OTHER_BYTES",
    "TOLERATED",
    "Environment",
    "Output",
    "Reading",
    "Reason",
    "StageVerdict",
    "Verdict",
    "VerdictError",
    "first_wrong",
    "worst",
]

FORMAT = 1
NOT_KEPT = "not kept"
IDENTICAL = "identical"
TOLERATED = "within tolerance"
OTHER_BYTES = "equal in what it predicts, other bytes"
DIFFERENT = "different"
FAILED = "failed"
_ORDER = (NOT_KEPT, IDENTICAL, TOLERATED, OTHER_BYTES, DIFFERENT, FAILED)


class VerdictError(FurrowError):
    """A stored verdict is malformed, or of a format that this Furrow does not know."""


def worst(statuses: list[str]) -> str:
    """The worst of some statuses; identical when there are none."""
    return max(statuses, key=_ORDER.index, default=IDENTICAL)


def first_wrong(stages: Iterable[StageVerdict]) -> str:
    """The first stage that is different or failed; empty when there is none."""
    return next((one.stage for one in stages if one.status in {DIFFERENT, FAILED}), "")


@dataclass(frozen=True)
class Output:
    """A path that a stage wrote, replayed, beside what the commit says of it.

    Attributes:
        path: From the project's root.
        status: identical, within tolerance, equal in what it predicts but other bytes, or
            different; not kept where a trial's commit has none to compare with.
        recorded_md5: What dvc.lock says; empty when it says nothing.
        md5: What the replay gave; empty when it gave nothing.
        sha256: By file of what the replay gave: the output's own path, or the paths of a folder's
            files.
        tracked: Whether Git holds it.
        declared: Whether the stage declares it; compile writes files that no stage declares.
        differences: What differs, in words: rows, columns, metrics.
        compared: Whether the recorded content was at hand to compare with; its hash always is.
    """

    path: str
    status: str
    recorded_md5: str = ""
    md5: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    tracked: bool = False
    declared: bool = True
    differences: tuple[str, ...] = ()
    compared: bool = True


@dataclass(frozen=True)
class Reason:
    """Why a stage differs, or what about it can't be trusted.

    Attributes:
        kind: environment, seed, clock, hash order, random, input changed, edited by hand,
            undeclared, stale, command, not kept, upstream, earlier input, compile, corrupt, failed,
            unrecorded, replaced, unknown.
        text: In words, with the path, the values and the versions.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Reading:
    """Something that a stage read and does not declare.

    Attributes:
        path: From the root; absolute when it lies outside the commit; HOST:PORT of a network
            address.
        where: commit, dvc, outside or network.
        seen: python (an audit event) or system (its time of access).
    """

    path: str
    where: str
    seen: str


@dataclass(frozen=True)
class StageVerdict:
    """One stage, replayed.

    Attributes:
        stage: Its name.
        status: The worst of its outputs'; different too when an input changed while it ran; failed.
        seconds: Of the run itself.
        outputs: What it wrote.
        reasons: Why it differs; empty when it does not.
        warnings: What does not make it differ and should be known.
        undeclared: What it read and does not declare.
        log: The end of what it printed, when it failed.
    """

    stage: str
    status: str
    seconds: float
    outputs: tuple[Output, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    undeclared: tuple[Reading, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class Environment:
    """Where a replay ran.

    Attributes:
        python: The version of the stages' Python.
        platform: System and machine.
        lock: The path of the lock file; empty when the commit has none.
        lock_sha256: Of its content.
        locked: How many distributions it names for this platform.
        differences: Distributions that are not what the lock says.
    """

    python: str
    platform: str
    lock: str = ""
    lock_sha256: str = ""
    locked: int = 0
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The outcome of a replay; truthy when the commit's results are what it gives.

    Attributes:
        commit: The full id.
        scope: experiment or stage as asked; empty for the whole commit.
        status: The worst of the stages'.
        first: The first stage that is different or failed; empty when there is none.
        stages: In the order they ran.
        environment: Where it ran.
        started: UTC, ISO 8601.
        seconds: From beginning to end.
        where: The name of the machine.
        furrow: The version of Furrow.
        settings_sha256: Of conf/replay.yaml; empty when the commit has none.
        project: Where the project is in the repository: "" at the top, else a path with a slash
            behind it; None in notes that were written before projects of one repository were told
            apart.
    """

    commit: str
    scope: dict[str, str]
    status: str
    first: str
    stages: tuple[StageVerdict, ...]
    environment: Environment
    started: str
    seconds: float
    where: str
    furrow: str
    settings_sha256: str = ""
    project: str | None = None

    def __bool__(self) -> bool:
        return self.status in {IDENTICAL, TOLERATED}

    def trusted(self) -> bool:
        """Whether it holds strictly too: no stage reads what it does not declare."""
        return bool(self) and not any(stage.undeclared for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the format's version."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, value: Any) -> Verdict:
        """Read a verdict back.

        Raises:
            VerdictError: It is malformed, or of another format.
        """
        try:
            if value["format"] != FORMAT:
                raise VerdictError(
                    f"a verdict of format {value['format']}", hint="read it with a newer Furrow"
                )
            fields = {name: part for name, part in value.items() if name != "format"}
            stages = tuple(_stage(one) for one in fields.pop("stages"))
            place = fields.pop("environment")
            environment = Environment(**{**place, "differences": tuple(place["differences"])})
            return cls(stages=stages, environment=environment, **fields)
        except (KeyError, TypeError, AttributeError) as exc:
            raise VerdictError(
                f"the verdict is malformed: {exc}", hint="replay the commit again"
            ) from exc


def _stage(value: dict[str, Any]) -> StageVerdict:
    parts: dict[str, Any] = dict(value)
    parts["outputs"] = tuple(
        Output(**{**one, "differences": tuple(one["differences"])}) for one in value["outputs"]
    )
    parts["reasons"] = tuple(Reason(**one) for one in value["reasons"])
    parts["warnings"] = tuple(Reason(**one) for one in value["warnings"])
    parts["undeclared"] = tuple(Reading(**one) for one in value["undeclared"])
    return StageVerdict(**parts)
