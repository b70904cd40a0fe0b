"""Prediction: an id in, what the prediction was made of and its score made again out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.serving.trace import find_logged, trace
from furrow.web.asked_prediction import asked_prediction
from furrow.web.content import Facts, Field, Form, Link, Mark, Note, Page, Section, Table, Text

if TYPE_CHECKING:
    from furrow.serving.trace import Trace
    from furrow.web.asked import Asked
    from furrow.web.content import Cell
    from furrow.web.site import Site

__all__ = ["prediction"]


def prediction(site: Site, asked: Asked) -> Page:
    """The page: `?id=`."""
    identity = asked.one("id")
    form = Form(
        "prediction",
        [
            Field(
                "id",
                "The prediction's id",
                identity,
                "0190f5fe-7c00-7a00-8000-000000000000",
                wide=True,
            )
        ],
        "Trace",
    )
    lead = "From an answer's id back to the commit, data, features and rows that it was made of."
    if not site.live or site.bare:
        note = Note(
            "Predictions are logged by servers: this page works where a log is, in a work tree."
        )
        return Page("prediction", "Prediction", [Section("", [note])], lead)
    if not identity:
        ask = Text(
            "to ask for one",
            "furrow predict --problem NAME --KEY VALUE ...\n"
            "furrow serve production    # / says how to ask over HTTP\n"
            "furrow ui --ask http://127.0.0.1:8080    # a form for it, on this page",
        )
        return Page(
            "prediction",
            "Prediction",
            [
                Section("", [form]),
                *asked_prediction(site, asked),
                Section("To ask for a prediction", [ask]),
            ],
            lead,
        )
    try:
        found = trace(site.root, find_logged(site.root, identity))
    except FurrowError as exc:
        return Page(
            "prediction", "Prediction", [Section("", [form, Note(exc.message, "warn")])], lead
        )
    return Page(
        "prediction",
        f"Prediction {found.record.id}",
        [Section("", [form]), *_told(found)],
        lead,
        [*_verdict(found)],
    )


def _verdict(found: Trace) -> list[Note]:
    notes = [Note(f"Missing: {text}", "warn") for text in found.missing]
    if found.equal is None:
        return [Note("The score could not be made again here.", "warn"), *notes]
    if found.equal:
        return [Note("The score made again is bit for bit equal.", "good"), *notes]
    return [Note(f"The score made again is ANOTHER ONE: {found.again}", "bad"), *notes]


def _told(found: Trace) -> list[Section]:
    record = found.record
    run = f"{found.run}@{record.commit[:10]}" if record.commit else ""
    pairs: list[tuple[str, Cell]] = [
        ("answered", f"{record.time:%Y-%m-%d %H:%M:%S}"),
        ("version", Link(record.version, "models", {"version": record.version})),
        ("as", record.variant),
        ("run", Link(run, "run", {"run": run}) if run else None),
        ("model sha256", record.model_sha256),
        ("config", f"{found.config[0]} {found.config[1][:12]}" if found.config[0] else None),
        ("features", f"{record.service} {record.features_digest[:12]}"),
        *((f"data {path}", value) for path, value in found.data.items()),
    ]
    asked = [
        (name, _said(value)) for name, value in (*record.keys.items(), *record.request.items())
    ]
    answer = [(name, _said(value)) for name, value in record.prediction.items()]
    seen = [
        (name, _said(value), record.statuses.get(name, ""), _said(record.event_times.get(name)))
        for name, value in record.features.items()
    ]
    rows = [
        (
            one.view,
            _said(one.event_time),
            {
                True: Mark("the same", "good"),
                False: Mark("other", "bad"),
                None: Mark("unknown", "warn"),
            }[one.same],
            one.why,
        )
        for one in found.rows
    ]
    replays = [(str(one.get("verdict")), bool(one.get("holds"))) for one in found.replays]
    return [
        Section(
            "The answer", [Facts("about", pairs), Table("answer", ("predicted", "value"), answer)]
        ),
        Section("What was asked", [Table("asked", ("field", "value"), asked)]),
        Section(
            "Features as the model saw them",
            [Table("features", ("feature", "value", "status", "known since"), seen)],
        ),
        Section(
            "The rows that they came from",
            [Table("rows", ("view", "event time", "values", "why"), rows)],
        ),
        Section(
            "Replays of its commit",
            [Table("replays", ("verdict", "the note holds"), replays, empty="Never replayed.")],
        ),
    ]


def _said(value: Any) -> Cell:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
