"""What CI found of a commit, as a value: checks, runs side by side, changes, replays.

Reports are drawn from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT",
    "Check",
    "Measure",
    "Outcome",
    "OutcomeError",
    "Replayed",
    "RunReport",
    "SliceRow",
    "StageRow",
]

FORMAT = 1
Status = Literal["passed", "warning", "failed", "skipped"]
Points = tuple[tuple[float, float], ...]


class OutcomeError(FurrowError):
    """A stored outcome is malformed, or of another format."""


@dataclass(frozen=True)
class Check:
    """One thing that CI looked at.

    Attributes:
        name: Such as "compile" or "gate".
        status: passed, warning, failed or skipped.
        text: The finding in a sentence.
        details: More of it: paths, rules, the end of a log.
        seconds: How long it took.
    """

    name: str
    status: Status
    text: str
    details: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Measure:
    """A metric of a run on the target branch and here, with intervals, and whether the difference is real.

    Attributes:
        metric: Its name.
        before: On the target branch; None when there is no such run.
        before_span: Its interval.
        after: Here; None when there is no such run.
        after_span: Its interval.
        span: The interval of the difference (after - before), paired.
        verdict: better, worse, luck (it can't be told from luck), same, new or untested.
    """

    metric: str
    before: float | None = None
    before_span: tuple[float, float] | None = None
    after: float | None = None
    after_span: tuple[float, float] | None = None
    span: tuple[float, float] | None = None
    verdict: str = "untested"


@dataclass(frozen=True)
class SliceRow:
    """A metric in one slice, on the target branch and here."""

    name: str
    value: str
    rows: int
    metric: str
    before: float | None
    after: float | None
    after_span: tuple[float, float] | None = None


@dataclass(frozen=True)
class RunReport:
    """An experiment here beside the target branch.

    Attributes:
        experiment: Its name.
        status: new, changed, unchanged or gone.
        champion: Whether it is the champion here.
        passed: Whether it passed the gate; None when it was not judged.
        measures: Its metrics, the one that the gate selects by first.
        method: How the difference was tested, or why it was not.
        config: Keys of its resolved config that changed: key, before, after.
        features_added: Features that only this run was trained on.
        features_dropped: Features that only the run before was trained on.
        rows: Training and test rows, in words.
        slices: By slice.
        curves: Points by curve (roc, pr, calibration) and side (before, after).
    """

    experiment: str
    status: str
    champion: bool = False
    passed: bool | None = None
    measures: tuple[Measure, ...] = ()
    method: str = ""
    config: tuple[tuple[str, str, str], ...] = ()
    features_added: tuple[str, ...] = ()
    features_dropped: tuple[str, ...] = ()
    rows: str = ""
    slices: tuple[SliceRow, ...] = ()
    curves: Mapping[str, Mapping[str, Points]] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRow:
    """A stage that CI ran or restored.

    Attributes:
        name: The stage.
        action: run, restored or skipped.
        why: What made it stale.
        seconds: How long it took; None when it was not timed.
    """

    name: str
    action: str
    why: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True)
class Replayed:
    """An experiment replayed from nothing; truthy when it gave what the commit says.

    Attributes:
        experiment: Its name.
        status: identical, within tolerance, different, failed.
        stages: How many were run.
        reasons: Why it differs.
        seconds: From beginning to end.
    """

    experiment: str
    status: str
    stages: int = 0
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.status in {"identical", "within tolerance"}


@dataclass(frozen=True)
class Outcome:
    """What CI found; truthy when the commit may be merged.

    Attributes:
        commit: The full id.
        subject: Its first line.
        author: Who wrote it.
        branch: Where it was pushed to; empty when that isn't known.
        target: The branch that it is measured against.
        base: The commit there; empty when there is none.
        checks: In the order in which they were made.
        stages: What ran.
        runs: Experiments side by side.
        changes: Lines by kind: data, features, config, code.
        replays: What was replayed.
        offered: The commit that CI made of its results; empty when there is none.
        untrusted: Whether the commit was run without credentials.
        isolation: How its stages were held, in words.
        started: UTC, ISO 8601.
        seconds: From beginning to end.
        machine: Where.
        furrow: Which version.
        project: The folder of the project, with a slash behind it; "" for the one at the top.
    """

    commit: str
    subject: str = ""
    author: str = ""
    branch: str = ""
    target: str = ""
    base: str = ""
    checks: tuple[Check, ...] = ()
    stages: tuple[StageRow, ...] = ()
    runs: tuple[RunReport, ...] = ()
    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replays: tuple[Replayed, ...] = ()
    offered: str = ""
    untrusted: bool = False
    isolation: str = ""
    started: str = ""
    seconds: float = 0.0
    machine: str = ""
    furrow: str = ""
    project: str = ""

    def __bool__(self) -> bool:
        return not any(check.status == "failed" for check in self.checks)

    @property
    def verdict(self) -> str:
        """Passed or failed, and by what, in a line."""
        failed = [check.name for check in self.checks if check.status == "failed"]
        warned = sum(check.status == "warning" for check in self.checks)
        if failed:
            return f"failed: {', '.join(failed)}"
        return f"passed{f', {warned} warning' + 's' * (warned > 1) if warned else ''}"

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the format's version."""
        return {"format": FORMAT, "passed": bool(self), "verdict": self.verdict, **asdict(self)}

    @classmethod
    def from_json(cls, value: Any) -> Outcome:
        """Read an outcome back.

        Raises:
            OutcomeError: It is malformed, or of another format.
        """
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise OutcomeError(
                "this is not an outcome of `furrow ci` that this Furrow reads", hint="run it again"
            )
        try:
            fields = {
                name: part
                for name, part in value.items()
                if name not in {"format", "passed", "verdict"}
            }
            fields["checks"] = tuple(_check(one) for one in value["checks"])
            fields["stages"] = tuple(
                StageRow(**{**one, "why": tuple(one["why"])}) for one in value["stages"]
            )
            fields["runs"] = tuple(_run(one) for one in value["runs"])
            fields["changes"] = {kind: tuple(lines) for kind, lines in value["changes"].items()}
            fields["replays"] = tuple(
                Replayed(**{**one, "reasons": tuple(one["reasons"])}) for one in value["replays"]
            )
            return cls(**fields)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise OutcomeError(
                f"the outcome is malformed: {exc!r}", hint="run `furrow ci` again"
            ) from exc


def _check(value: dict[str, Any]) -> Check:
    if value["status"] not in get_args(Status):
        raise ValueError(value["status"])
    return Check(**{**value, "details": tuple(value["details"])})


def _span(value: Any) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))


def _run(value: dict[str, Any]) -> RunReport:
    spans = ("before_span", "after_span", "span")
    return RunReport(
        **{
            **value,
            "measures": tuple(
                Measure(**{**one, **{name: _span(one[name]) for name in spans}})
                for one in value["measures"]
            ),
            "config": tuple((str(key), str(old), str(new)) for key, old, new in value["config"]),
            "features_added": tuple(value["features_added"]),
            "features_dropped": tuple(value["features_dropped"]),
            "slices": tuple(
                SliceRow(**{**one, "after_span": _span(one["after_span"])})
                for one in value["slices"]
            ),
            "curves": {
                name: {
                    side: tuple((float(x), float(y)) for x, y in points)
                    for side, points in sides.items()
                }
                for name, sides in value["curves"].items()
            },
        }
    )
