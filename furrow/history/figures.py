"""Figures of runs as files: a metric over commits, a run's curves."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from furrow.drawing.page_shell import INLINE, alone
from furrow.errors import MissingExtraError, UsageError
from furrow.files import write_bytes
from furrow.ground.gitobjects import iso_date
from furrow.safe_text import html_text as escape

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
except ImportError as exc:
    raise MissingExtraError("pictures", "a picture of runs") from exc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.history.metric_history import History, Point

__all__ = ["CURVES", "curve_files", "history_file"]

FORMATS = (".png", ".svg", ".html")
MOST_IMPORTANT = 15
CURVES = {
    "roc": ("false_positive_rate", "true_positive_rate", "ROC"),
    "pr": ("recall", "precision", "Precision and recall"),
    "calibration": ("predicted", "observed", "Calibration"),
}
"""x, y and title of the curves that a run keeps."""


def history_file(found: History, path: Path) -> None:
    """Write a metric over commits as .png, .svg or .html.

    Raises:
        UsageError: The name ends in none of these.
        FileError: The file can't be written.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UsageError(
            f"--out {path}: unknown kind of file {kind!r}", hint=f"end it in {', '.join(FORMATS)}"
        )
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    known = [(at, point) for at, point in enumerate(found.points) if point.value is not None]
    places = [at for at, _ in known]
    values = [_float(point.value) for _, point in known]
    axes.plot(places, values, marker="o", markersize=4, linewidth=1.2)
    spans = [(at, point) for at, point in known if point.low is not None and point.high is not None]
    axes.vlines(
        [at for at, _ in spans],
        [_float(point.low) for _, point in spans],
        [_float(point.high) for _, point in spans],
        linewidth=1,
        alpha=0.5,
    )
    step = max(1, len(found.points) // 12)
    shown = range(0, len(found.points), step)
    axes.set_xticks(
        list(shown), [found.points[at].commit[:7] for at in shown], rotation=45, ha="right"
    )
    axes.set_ylabel(found.metric)
    axes.set_title(f"{found.metric} of {found.experiment} over commits", loc="left")
    axes.grid(alpha=0.3)
    if kind == ".html":
        write_bytes(path, _page(found, _bytes(figure, "svg")).encode())
    else:
        write_bytes(path, _bytes(figure, kind[1:]))


def curve_files(
    curves: Mapping[str, Sequence[Mapping[str, str]]], folder: Path, *, title: str
) -> list[Path]:
    """Write a run's curves as PNG files.

    Args:
        curves: Rows of plots/NAME.csv by name: roc, pr, calibration, importance; others are passed
            over.
        folder: Where to.
        title: The run.

    Returns:
        The files.
    """
    written = []
    for name, rows in curves.items():
        if name == "importance" and rows:
            written.append(_importance(rows, folder / "importance.png", title=title))
        if name not in CURVES or not rows:
            continue
        x, y, what = CURVES[name]
        figure = Figure(figsize=(5, 5), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(
            [_float(row.get(x)) for row in rows],
            [_float(row.get(y)) for row in rows],
            linewidth=1.5,
        )
        if name != "pr":
            axes.plot([0, 1], [0, 1], linewidth=0.8, linestyle="--", color="0.6")
        axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "), xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"{what}: {title}", loc="left")
        axes.grid(alpha=0.3)
        path = folder / f"{name}.png"
        write_bytes(path, _bytes(figure, "png"))
        written.append(path)
    return written


def _importance(rows: Sequence[Mapping[str, str]], path: Path, *, title: str) -> Path:
    """Draw the features that count most, the first on top.

    The first column names them, the second says how much.
    """
    pairs = [list(row.values())[:2] for row in rows]
    best = sorted(((name, _float(value)) for name, value in pairs), key=lambda pair: -pair[1])[
        :MOST_IMPORTANT
    ]
    figure = Figure(figsize=(6, 0.3 * len(best) + 1), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(range(len(best)), [value for _, value in best])
    axes.set_yticks(range(len(best)), [name for name, _ in best])
    axes.invert_yaxis()
    axes.set_title(f"Importance: {title}", loc="left")
    axes.grid(axis="x", alpha=0.3)
    write_bytes(path, _bytes(figure, "png"))
    return path


def _bytes(figure: Figure, kind: str) -> bytes:
    """The figure, the same bytes every time."""
    sink = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "furrow", "svg.fonttype": "none"}):
        figure.savefig(
            sink, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None}
        )
    return sink.getvalue()


def _float(value: str | float | None) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")


def _page(found: History, svg: bytes) -> str:
    drawing = svg.decode()
    drawing = drawing[drawing.index("<svg") :]
    rows = "".join(_row(point) for point in reversed(found.points))
    title = f"{found.metric} of {found.experiment}"
    return alone(
        title,
        f"<h1>{escape(title)}</h1>\n{drawing}\n<table><thead><tr><th>commit</th><th>date (UTC)</th>"
        f"<th>{escape(found.metric)}</th><th>interval</th><th>subject</th></tr></thead>\n<tbody>{rows}</tbody></table>",
        policy=INLINE,
    )


def _row(point: Point) -> str:
    when = iso_date(point.time)[:16].replace("T", " ")
    value = escape(point.problem) if point.value is None else f"{point.value:.4f}"
    span = (
        f"{point.low:.4f} to {point.high:.4f}"
        if point.low is not None and point.high is not None
        else ""
    )
    cells = (f"<code>{point.commit[:10]}</code>", when, value, span, escape(point.subject))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"
