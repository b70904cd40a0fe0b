"""How `furrow features` looks at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.cli import render
from furrow.cli.terminal import say, say_block
from furrow.features.manifest_diff import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.features.catalog import Entry, Found
    from furrow.features.manifest_diff import Diff

__all__ = [
    "show_answer",
    "show_description",
    "show_diff",
    "show_entries",
    "show_features",
    "show_found",
]

KINDS = {
    "view": "feature view",
    "on_demand": "on-demand view",
    "service": "feature service",
    "table": "feature table",
    "feature": "feature",
}


def show_entries(entries: Sequence[Entry], experiments: Mapping[str, str]) -> None:
    """Print views, on-demand views and services, a table each."""
    views = [e for e in entries if e.kind == "view"]
    rows = [
        (
            e.name,
            ", ".join(e.keys),
            len(e.features),
            duration(e.ttl_seconds),
            e.owner,
            e.description,
        )
        for e in views
    ]
    render.table(rows, ["feature view", "keys", "features", "ttl", "owner", "description"])
    computed = [e for e in entries if e.kind == "on_demand"]
    if computed:
        lines = [(e.name, len(e.features), e.owner, e.description) for e in computed]
        render.table(lines, ["on-demand view", "features", "owner", "description"])
    services = [e for e in entries if e.kind == "service"]
    lines_ = [
        (
            e.name,
            len(e.features),
            e.digest[:12],
            ", ".join(sorted(name for name, service in experiments.items() if service == e.name))
            or None,
            e.owner,
            e.description,
        )
        for e in services
    ]
    render.table(
        lines_, ["feature service", "features", "digest", "experiments", "owner", "description"]
    )


def show_features(entries: Sequence[Entry]) -> None:
    """Print a line a feature."""
    rows = [
        (
            e.name,
            e.dtype,
            e.unit or None,
            duration(e.ttl_seconds),
            ", ".join(e.services) or None,
            e.owner,
            e.description or None,
        )
        for e in entries
    ]
    _told(rows, ["feature", "type", "unit", "ttl", "services", "owner", "description"])


def show_found(found: Sequence[Found]) -> None:
    """Print what a search found."""
    rows = [
        (
            f.entry.name,
            KINDS[f.entry.kind],
            f.entry.dtype or None,
            f.entry.unit or None,
            f.entry.owner,
            f.entry.description or None,
        )
        for f in found
    ]
    _told(rows, ["name", "kind", "type", "unit", "owner", "description"])


def _told(rows: Sequence[tuple[Any, ...]], headings: Sequence[str]) -> None:
    """A table without the unit and the description where nothing has any."""
    keep = [
        at
        for at, name in enumerate(headings)
        if name not in ("unit", "description") or any(row[at] for row in rows)
    ]
    kept = [tuple(row[at] for at in keep) for row in rows]
    render.table(kept, [headings[at] for at in keep])


def show_description(shown: Mapping[str, Any]) -> None:
    """Print all that is known of one name."""
    say(f"{shown['name']}  {KINDS[shown['kind']]}  {shown['digest'][:12]}")
    facts = {
        "description": shown.get("description"),
        "unit": shown.get("unit"),
        "owner": shown.get("owner"),
        "tags": ", ".join(f"{key}={value}" for key, value in shown.get("tags", {}).items()),
        "keys": _columns(shown.get("join_keys", [])),
        "request": _columns(shown.get("request", [])),
        "inputs": ", ".join(f"{i['view']}:{i['name']}" for i in shown.get("inputs", [])),
        "ttl": duration(shown["ttl_seconds"]) if "ttl_seconds" in shown else "",
        "source": shown.get("source"),
        "reads": ", ".join(shown.get("reads", [])),
        "offline": _offline(shown.get("offline")),
        "online": _online(shown.get("online")),
        "views": ", ".join(v if isinstance(v, str) else v["name"] for v in shown.get("views", [])),
        "services": ", ".join(shown.get("services", [])),
        "experiments": ", ".join(shown.get("experiments", [])),
        "models": ", ".join(
            f"{model['experiment']}{'' if model['current'] else ' (trained on other features)'}"
            for model in shown.get("models", [])
        ),
    }
    for name, fact in facts.items():
        if fact:
            say(f"  {name:<12} {fact}")
    if "code" in shown:
        say_block("\n" + "".join(f"  {line}\n" for line in shown["code"].splitlines()))
    if shown["kind"] == "service":
        rows = [
            (f["name"], f["dtype"], f["unit"] or None, f["view"], f["description"] or None)
            for f in shown["features"]
        ]
        _told(rows, ["feature", "type", "unit", "view", "description"])
    elif shown.get("features"):
        _features(shown["features"])


def _columns(columns: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{column['name']} ({column['dtype']})" for column in columns)


def _offline(held: Mapping[str, Any] | None) -> str:
    if held is None:
        return ""
    if "problem" in held:
        return f"{held['problem']}; {held['hint']}" if held["hint"] else str(held["problem"])
    return f"{held['rows']:,} rows, {_time(held['oldest'])} to {_time(held['newest'])}"


def _online(held: Mapping[str, Any] | None) -> str:
    if held is None:
        return ""
    if "problem" in held:
        return f"{held['problem']}; {held['hint']}" if held["hint"] else str(held["problem"])
    state = "" if held["current"] else "; of other definitions: furrow features materialize"
    return f"{held['records']:,} records, newest event {_time(held['newest'])}{state}"


def _time(moment: str | None) -> str:
    return moment.replace("T", " ").replace("+00:00", "Z") if moment else "never"


def _features(features: Sequence[Mapping[str, Any]]) -> None:
    counted = [f["statistics"] or {} for f in features]
    rows = [
        (
            f["name"],
            f["dtype"],
            f["unit"] or None,
            f"{s['null_share']:.1%}" if s else None,
            _number(s.get("low")),
            _number(s.get("median")),
            _number(s.get("high")),
            ", ".join(f"{value} {share:.0%}" for value, share in s.get("top", [])) or None,
            ", ".join(f["lineage"]) or None,
            f["description"] or None,
        )
        for f, s in zip(features, counted, strict=True)
    ]
    headings = [
        "feature",
        "type",
        "unit",
        "null",
        "min",
        "median",
        "max",
        "top values",
        "made of",
        "what it is",
    ]
    keep = [at for at in range(len(headings)) if at < 2 or any(row[at] is not None for row in rows)]
    kept = [tuple(row[at] for at in keep) for row in rows]
    render.table(kept, [headings[at] for at in keep], right=["null", "min", "median", "max"])


def _number(value: Any) -> str | None:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return _time(value) if isinstance(value, str) else None if value is None else str(value)


def show_diff(found: Diff, rev: str) -> None:
    """Print what changed and whom it concerns."""
    if not found:
        say(f"nothing changed since {rev}")
        return
    for change in found.changes:
        say(f"{change}{'' if change.meaning else '  (no value changes)'}")
    concerned = {
        "services": ", ".join(found.services),
        "experiments": ", ".join(found.experiments),
        "models": ", ".join(found.models),
    }
    say("")
    for name, those in concerned.items():
        say(f"{name:<12} {those or 'none'}")


def show_answer(row: str, answer: Mapping[str, Mapping[str, Any]]) -> None:
    """Print one row's features."""
    say(row)
    rows = [
        (
            name,
            _number(each["value"]),
            each["status"],
            None if each["age"] is None else _age(each["age"]),
        )
        for name, each in answer.items()
    ]
    render.table(rows, ["feature", "value", "status", "age"], right=["value", "age"])


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{seconds:.1f}s"
