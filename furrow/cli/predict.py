"""`furrow predict`: one prediction, its features and what moved it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.patience import waiting
from furrow.cli.terminal import Ink, say
from furrow.errors import UsageError
from furrow.features.given_features import given_features
from furrow.features.manifest import load
from furrow.layout import FEATURES, MANIFEST
from furrow.plan.project_root import in_project, repository_root
from furrow.safe_text import line

if TYPE_CHECKING:
    from furrow.features.manifest import Manifest
    from furrow.models.predict import Model, Prediction

SHOWN = 12


class FieldsCommand(click.Command):
    """A command whose options are the join keys and request fields of the manifest, beside its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the declared fields above the command's own options."""
        path = in_project(MANIFEST)
        if path.is_file():
            with formatter.section("Fields, from features/manifest.json"):
                fields = _fields(load(path))
                formatter.write_dl(
                    [
                        (line(f"--{name.replace('_', '-')}"), line(kind))
                        for name, kind in fields.items()
                    ]
                )
        super().format_options(ctx, formatter)


_AS_IT_LOOKS = ""
"""The type of a field that only the model knows: how many steps ahead a forecast is."""


@click.command(cls=FieldsCommand, context_settings={"ignore_unknown_options": True})
@click.option(
    "--at",
    "moment",
    help="The prediction time (ISO 8601, UTC if it has no zone); now, if left out.",
)
@click.option(
    "--online",
    is_flag=True,
    help="With --at: read the online store as of then, not the offline tables.",
)
@click.option("--experiment", help="The run to predict with; the champion, if left out.")
@click.option("--problem", help="Whose champion predicts, where there are several problems.")
@click.option(
    "--sha256",
    default="",
    help="The model's hash, from somewhere else than this clone: no trust is needed.",
)
@click.option(
    "--batch",
    type=click.Path(path_type=Path),
    help=(
        "Rows to score: a Parquet, CSV or TSV file, or a folder of them, as of each row's"
        " event_timestamp or, with --online, as of now."
    ),
)
@click.option("--out", type=click.Path(path_type=Path), help="With --batch: where the scores go.")
@click.option(
    "--engine",
    default="local",
    metavar="NAME",
    help=(
        "With --batch FOLDER: where its files are scored, an option of conf/engine such as cluster;"
        " or spark."
    ),
)
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse where features are missing or expired, or a value was never seen in training.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
@click.argument("fields", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    moment: str | None,
    online: bool,
    experiment: str | None,
    problem: str | None,
    sha256: str,
    batch: Path | None,
    out: Path | None,
    engine: str,
    strict: bool,
    as_json: bool,
    fields: tuple[str, ...],
) -> None:
    """Predict for one row, now from the online store, or at a moment in history from the offline tables.

    The fields are the join keys and request fields of the model's features: `furrow predict --help`
    in a project lists them; -e customer=17 is another way to write one.

    Example: furrow predict --customer 17 --at 2013-09-30T18:00Z
    """
    if (batch is None) != (out is None):
        raise UsageError("--batch and --out go together", hint="name the rows and the result")
    at = moment_of(moment)
    root = in_project(".")
    if not (root / FEATURES).is_dir():
        repository_root(Path.cwd())  # what is wrong with this place, in its words
    if batch is not None and out is not None:
        if fields or at is not None:
            raise UsageError(
                "--batch takes no fields and no --at", hint="the file's rows have them"
            )
        # loads after --help
        from furrow.models.predict import champion_of, open_model  # noqa: PLC0415

        if batch.is_dir():
            name = experiment or champion_of(root, problem)
            _score_folder(root, name, batch, out, engine, online=online, sha256=sha256)
            return
        model = open_model(root, experiment, problem=problem, sha256=sha256)
        score_batch(model, batch, out, online=online)
        return
    from furrow.models.predict import champion_of, fields_of, open_model  # noqa: PLC0415 - the same
    from furrow.models.request import complete  # noqa: PLC0415 - the same

    name = experiment or champion_of(root, problem)
    needed = fields_of(root, name)
    declared = _fields(load(root / "features"))
    given = _row(fields, {**dict.fromkeys(needed, _AS_IT_LOOKS), **declared})
    row = complete(root, given, at or datetime.now(UTC), needed)
    with waiting(f"opening {name}") as now:
        model = open_model(root, name, problem=problem, sha256=sha256)
        now("fetching features and predicting")
        online_too = True if at is None or online else None
        prediction = model.predict([row], at=at, online=online_too, strict=strict)[0]
    if as_json:
        render.echo_json(to_json(model.name, row, prediction))
        return
    show(model.name, row, prediction)
    if any(one in ("expired", "missing") for one in prediction.status.values()) and at is None:
        say(
            "next: `furrow features materialize` after landing newer data, or --at TIME to replay"
            " history"
        )
    else:
        say(f"next: furrow runs show {model.name}")


def score_batch(model: Model, rows: Path, out: Path, *, online: bool) -> None:
    """Score a file of rows, and say how far it is."""
    from furrow.serving.batch_scores import Job, score_file  # noqa: PLC0415 - loads after --help

    with render.progress("rows") as advance:
        count = score_file(Job(model, rows, out, online), advance=advance)
    say(f"{count:,} rows scored by {model.name}: {out}")


def _score_folder(
    root: Path, name: str, rows: Path, out: Path, engine: str, *, online: bool, sha256: str
) -> None:
    """Score a folder's files on an engine, and say how far it is."""
    # loads after --help
    from furrow.serving.batch_folder import FolderJob, engine_named, score_folder  # noqa: PLC0415

    job = FolderJob(root.absolute(), name, rows.absolute(), out.absolute(), online, sha256)
    with render.progress("rows") as advance:
        count = score_folder(job, engine_named(root, engine), advance=advance)
    say(f"{count:,} rows scored by {name}: {out}")


def show(name: str, row: dict[str, Any], prediction: Prediction, *, features: int = SHOWN) -> None:
    """Print a prediction: what is predicted, and the columns that moved it most."""
    from furrow.training.tasks import load_task  # noqa: PLC0415 - scikit-learn loads after --help

    about = " ".join(f"{key}={_text(value)}" for key, value in row.items())
    say()
    say(about)
    when = prediction.at.strftime("%Y-%m-%d %H:%M UTC")
    say(f"{name} at {when} ({prediction.source}): {prediction.said()}")
    for doubt in prediction.doubts:
        say(Ink("warning: ", "yellow"), doubt)
    unit, factor = load_task(prediction.task).unit
    moved_by = f"moved it by ({unit})" if unit else "moved it by"
    rows = []
    for column, moved in list(prediction.contributions.items())[:features]:
        by = f"{factor * moved:+.1f}" if unit else f"{moved:+.4g}"
        rows.append(
            (column, _text(prediction.features[column]), prediction.status.get(column, ""), by)
        )
    render.table(rows, ["feature", "value", "status", moved_by], right=["value", moved_by])


def to_json(name: str, row: dict[str, Any], prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain values."""
    return {
        "experiment": name,
        "row": {
            key: _text(value) if isinstance(value, datetime) else value
            for key, value in row.items()
        },
        "task": prediction.task,
        **prediction.values,
        "at": prediction.at.isoformat(),
        "source": prediction.source,
        "features": prediction.features,
        "status": prediction.status,
        "contributions": prediction.contributions,
        "warnings": list(prediction.doubts),
    }


def _fields(manifest: Manifest) -> dict[str, str]:
    """Join keys and request fields of every view, features that requests may give, and their types."""
    found = {key.name: key.dtype for view in manifest.views.values() for key in view.join_keys}
    for view in manifest.on_demand.values():
        found |= {entry.name: entry.dtype for entry in view.inputs if entry.view == "request"}
    given: dict[str, str] = {}
    for service in manifest.services:
        given |= given_features(manifest, service)
    return dict(sorted(found.items())) | {k: v for k, v in given.items() if k not in found}


def _row(words: tuple[str, ...], declared: dict[str, str]) -> dict[str, Any]:
    """`--name value`, `--name=value` and `-e name=value` words as typed fields."""
    import difflib  # noqa: PLC0415 - only for a misspelt field

    row: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-e", "--entities"):
            word = f"--{rest.pop(0)}" if rest else word
        name, has_value, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in declared:
            close = difflib.get_close_matches(name, declared, 1)
            hint = f"did you mean --{close[0]}?" if close else f"fields: {', '.join(declared)}"
            raise UsageError(f"unknown field {word!r}", hint=hint)
        if not has_value:
            if not rest:
                raise UsageError(f"{word} needs a value", hint=f"write {word} VALUE")
            value = rest.pop(0)
        row[name] = _typed(name, value, declared[name])
    return row


def _typed(name: str, value: str, dtype: str) -> Any:
    if dtype == _AS_IT_LOOKS:
        return int(value) if value.isascii() and value.isdecimal() else value
    try:
        if dtype.startswith("Int"):
            return int(value)
        if dtype.startswith("Float"):
            return float(value)
    except ValueError as exc:
        kind = "an integer" if dtype.startswith("Int") else "a number"
        raise UsageError(f"--{name}: {value!r} is not {kind}") from exc
    return moment_of(value) if dtype == "UnixTimestamp" else value


def moment_of(text: str | None) -> datetime | None:
    """A time as a person writes it; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a time", hint="write it as 2013-09-30T18:00Z") from exc
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%MZ")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
