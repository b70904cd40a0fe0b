"""An audit: everything that is known of a version, a deployment or a period, and what is not known."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.audit_version import version_facts
from furrow.ground.git import files_at
from furrow.layout import DEPLOYMENT, deployment_yaml
from furrow.models.deployment import current, history
from furrow.models.registry import RegistryError, find, versions
from furrow.monitoring.monitor_state import load_state
from furrow.proof.trust_policy import trusted_commit
from furrow.serving.deployment_state import read_holds, state_folder
from furrow.serving.log_counts import count_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.models.deployment import Change
    from furrow.proof.trust_policy import TrustPolicy

__all__ = ["Audit", "audit"]

_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:\.\.(\d{4}-\d{2}-\d{2}))?")


@dataclass
class Audit:
    """What was found.

    Attributes:
        of: What was asked for.
        kind: version, deployment, period, or key (of a deletion request).
        at: When.
        sections: By heading: values of JSON.
        unknown: What is not known, and why, in words.
    """

    of: str
    kind: str
    at: str
    sections: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the format's version."""
        return {"format": 1, **asdict(self)}


def audit(root: Path, text: str, policy: TrustPolicy, *, now: datetime) -> Audit:
    """Gather what is known of a version, a deployment or a period.

    Args:
        root: The project.
        text: "gbm@v1.0.0", "production", "2024", "2024-03", "2024-03-01" or
            "2024-03-01..2024-03-31", whose last day counts.
        policy: Whose statements count.
        now: The time.

    Raises:
        FurrowError: It is none of them.
    """
    match = _PERIOD.fullmatch(text)
    if match:
        return _of_period(root, text, *_span(match, text), now=now)
    tip = trusted_commit(root)
    if tip and deployment_yaml(text) in files_at(root, tip, DEPLOYMENT):
        return _of_deployment(root, text, tip, policy, now=now)
    made = Audit(text, "version", now.isoformat())
    try:
        version = find(root, text)
    except RegistryError as exc:
        known = (
            ", ".join(path.rpartition("/")[2][:-5] for path in files_at(root, tip, DEPLOYMENT))
            if tip
            else ""
        )
        hint = f"{exc.hint}; environments: {known or 'none'}; or a period, such as 2024-03"
        raise FurrowError(f"{text!r} is not a version, environment or period", hint=hint) from exc
    made.sections = version_facts(root, version, policy, made.unknown, now=now)
    every = list(history(root, rev=tip)) if tip else []
    about = [one for one in every if str(version) in (one.before, one.after)]
    made.sections["who approved what, on which evidence"] = [asdict(one) for one in about]
    _served(root, sorted({one.environment for one in every}), made, version=str(version))
    return made


def _of_deployment(
    root: Path, environment: str, tip: str, policy: TrustPolicy, *, now: datetime
) -> Audit:
    made = Audit(environment, "deployment", now.isoformat())
    changes = list(history(root, environment, tip))
    text = current(root, environment, tip)
    made.sections["declared"] = {"serves": text, "at": tip}
    made.sections["who approved what, on which evidence"] = [asdict(one) for one in changes]
    made.sections["went back to an earlier version"] = _rollbacks(changes)
    try:
        version = find(root, text or "")
        facts = version_facts(root, version, policy, made.unknown, now=now, environment=environment)
        made.sections |= facts
    except RegistryError as exc:
        made.unknown.append(f"{text}: {exc.message}")
    _served(root, [environment], made)
    return made


def _of_period(root: Path, text: str, since: datetime, until: datetime, *, now: datetime) -> Audit:
    made = Audit(text, "period", now.isoformat())
    tip = trusted_commit(root)
    changes = (
        [one for one in history(root, rev=tip) if since <= _moment(one.when) < until] if tip else []
    )
    made.sections["from, until"] = [since.isoformat(), until.isoformat()]
    made.sections["versions registered"] = [
        {
            "version": str(one),
            "at": one.registered,
            "by": one.by,
            "commit": one.commit,
            "metrics": one.metrics,
        }
        for one in versions(root)
        if one.registered and since <= _moment(one.registered) < until
    ]
    made.sections["who approved what, on which evidence"] = [asdict(one) for one in changes]
    made.sections["went back to an earlier version"] = _rollbacks(changes)
    environments = (
        sorted(path.rpartition("/")[2][:-5] for path in files_at(root, tip, DEPLOYMENT))
        if tip
        else []
    )
    _served(root, environments, made, since=since, until=until)
    return made


def _served(
    root: Path,
    environments: list[str],
    made: Audit,
    *,
    version: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """What logs and monitoring of this machine say of environments."""
    predictions, incidents, figures, holds = [], [], [], []
    for name in environments:
        try:
            place = state_folder(root, name)
        except FurrowError as exc:
            made.unknown.append(f"{name}: the state of its server is not believed: {exc.message}")
            continue
        if not (place / "log").is_dir():
            made.unknown.append(f"{name}: its prediction log is not on this machine")
        else:
            counted, unread = count_predictions(place / "log", since, until)
            predictions += [
                {"environment": name, "version": each, "variant": variant, "predictions": count}
                for (each, variant), count in counted.items()
                if version in ("", each)
            ]
            made.unknown += [f"{name}: {path} of its log can't be read" for path in unread]
        try:
            holds += [{"environment": name, **asdict(one)} for one in read_holds(place).values()]
            state = load_state(place / "monitor")
        except (FurrowError, OSError, KeyError, TypeError) as exc:
            made.unknown.append(f"{name}: its state can't be read: {' '.join(str(exc).split())}")
            continue
        if not (place / "monitor").is_dir():
            made.unknown.append(
                f"{name}: nobody monitors it on this machine: drift, fairness and incidents"
            )
        incidents += [
            {"environment": name, **one.to_json()}
            for one in state.book.alarms
            if version in ("", one.model) and _within(one.since, since, until)
        ]
        figures += [
            {"environment": name, **one}
            for one in state.history
            if version in ("", one.get("version")) and _within(str(one.get("window")), since, until)
        ]
    made.sections["predictions served"] = predictions
    made.sections["incidents"] = incidents
    made.sections["drift, fairness and performance by window"] = figures
    made.sections["holds of servers (rollbacks, aborts)"] = holds


def _rollbacks(changes: list[Change]) -> list[dict[str, Any]]:
    """Changes to a version that had been served before."""
    found: list[dict[str, Any]] = []
    seen: dict[str, set[str]] = {}
    for one in reversed(changes):
        before = seen.setdefault(one.environment, set())
        if one.after and one.after in before:
            found.append(asdict(one))
        before |= {text for text in (one.before, one.after) if text}
    return found


def _within(text: str, since: datetime | None, until: datetime | None) -> bool:
    try:
        at = _moment(text)
    except ValueError:
        return since is None and until is None
    return (since is None or at >= since) and (until is None or at < until)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _span(match: re.Match[str], text: str) -> tuple[datetime, datetime]:
    year, month, day, last = match.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if last:
            end = datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(days=1)
        elif day:
            end = start + timedelta(days=1)
        elif month:
            end = (start + timedelta(days=32)).replace(day=1)
        else:
            end = start.replace(year=start.year + 1)
    except (ValueError, OverflowError) as exc:
        raise FurrowError(f"{text} is not a period: {exc}", hint="such as 2024-03") from exc
    if end <= start:
        raise FurrowError(f"{text} ends before it begins", hint="FROM..UNTIL")
    return start, end
