"""When a model is retrained.

Causes that the policy knows, each offered once, with a pause between and a limit of cost.

What was tried before lies beside the log, in `retraining.json`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import read_json, write_json
from furrow.training.problem import span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from furrow.monitoring.alarm_book import Alarm
    from furrow.monitoring.label_verdict import LabelVerdict
    from furrow.monitoring.monitor_settings import RetrainingSettings

__all__ = [
    "OFFERED",
    "Attempt",
    "Cause",
    "attempts",
    "causes",
    "held_back",
    "remember",
]

FORMAT = 1
FILE = "retraining.json"
OFFERED = "offered"
_OF = {"drift": "drift", "performance": "decay", "fairness": "decay"}
"""By kind of alarm: the policy's word for it."""
_WINDOW = timedelta(days=30)


@dataclass(frozen=True)
class Cause:
    """Why a model should be retrained.

    Attributes:
        id: The same for the same cause, whenever it is worked out.
        text: In words.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Attempt:
    """A retraining that was made.

    Attributes:
        causes: Their ids.
        when: ISO 8601.
        result: "offered", or what became of it instead.
        text: In words.
        branch: The branch that was offered; empty for none.
        seconds: What it took.
    """

    causes: tuple[str, ...]
    when: str
    result: str
    text: str
    branch: str = ""
    seconds: float = 0.0


def causes(
    policy: RetrainingSettings,
    version: str,
    alarms: Sequence[Alarm],
    labels: LabelVerdict | None,
    *,
    made: datetime | None,
    now: datetime,
) -> list[Cause]:
    """What speaks for a retraining of the version that is served.

    Args:
        policy: What counts.
        version: The version; alarms about others are no reason to replace it.
        alarms: The open ones.
        labels: What its labels say; None where there are none.
        made: When it was trained; None where nothing tells.
        now: The time.
    """
    wanted = {"drift": policy.drift, "decay": policy.decay}
    found = [
        Cause(f"{one.kind}:{one.id}", one.text)
        for one in alarms
        if one.open and one.model == version and wanted.get(_OF.get(one.kind, ""), False)
    ]
    if policy.age and made is not None:
        limit = span(policy.age, where="retraining.age")
        if now - made > limit:
            days = (now - made).days
            found.append(Cause(f"age:{version}", f"{version} is {days} days old, of {policy.age}"))
    known = labels.states.get("labelled", 0) if labels else 0
    if policy.labels and known >= policy.labels:
        found.append(Cause(f"labels:{version}", f"{known:,} predictions of {version} have labels"))
    return sorted(found, key=lambda one: one.id)


def held_back(
    policy: RetrainingSettings,
    found: Sequence[Cause],
    before: Sequence[Attempt],
    *,
    now: datetime,
) -> tuple[list[Cause], str]:
    """The causes that nothing was offered for yet, and why nothing is done about them now.

    A retraining that failed, or gave no better model, is made again once it has cooled: there may
    be more data by then.

    Args:
        policy: The limits.
        found: The causes.
        before: What was tried before.
        now: The time.

    Returns:
        The causes that are left, and the reason to wait; empty for none.
    """
    offered = {one for attempt in before if attempt.result == OFFERED for one in attempt.causes}
    fresh = [one for one in found if one.id not in offered]
    if not fresh:
        return [], ""
    cooling = span(policy.cooling, where="retraining.cooling")
    last = max((datetime.fromisoformat(one.when) for one in before), default=None)
    if last is not None and now - last < cooling:
        until = (last + cooling).isoformat(timespec="minutes")
        return fresh, f"the last retraining was {last.isoformat()[:16]}: the next after {until}"
    spent = sum(one.seconds for one in before if now - datetime.fromisoformat(one.when) < _WINDOW)
    if spent >= policy.hours * 3600:
        return (
            fresh,
            (
                f"retrainings of the last {_WINDOW.days} days took {spent / 3600:.1f} hours"
                f" of {policy.hours:g}"
            ),
        )
    return fresh, ""


def attempts(folder: Path) -> list[Attempt]:
    """What was tried before, oldest first.

    Raises:
        FurrowError: The file is damaged, or of another format.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    value = read_json(path)
    with suppress(KeyError, TypeError):
        if value["format"] == FORMAT:
            known = value["attempts"]
            return [Attempt(**{**one, "causes": tuple(one["causes"])}) for one in known]
    raise FurrowError(
        f"{path} is not a record of retrainings of format {FORMAT}",
        hint="mend it, or move it away: what was offered before is then offered again",
    )


def remember(folder: Path, attempt: Attempt) -> None:
    """Write an attempt down."""
    said: list[dict[str, Any]] = [asdict(one) for one in (*attempts(folder), attempt)]
    write_json(folder / FILE, {"format": FORMAT, "attempts": said})
