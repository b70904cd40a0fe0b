"""A run of a commit.

Its config, metrics, predictions and model, each held against what the commit says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.errors import FurrowError
from furrow.files import sha256_bytes
from furrow.ground.trust import require_trust
from furrow.history.artifacts import AbsentError, find_file
from furrow.history.indexing import LARGEST
from furrow.history.metric_order import METRIC_ORDER
from furrow.history.metrics_file import NAMES, MetricsFileError, is_number, read_metrics
from furrow.history.trial_trailers import is_trial, trial_name
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.safe_text import html_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from furrow.history.metrics_file import Metrics, Value

__all__ = ["NoSuchRunError", "NotKeptError", "Run", "RunFileError"]


HEADLINE = 4
"""Metrics that a run shows of itself."""


class NoSuchRunError(FurrowError):
    """The commit has no run of this name; close names are suggested."""

    def __init__(self, name: str, rev: str, names: list[str]) -> None:
        close = get_close_matches(name, names, n=2)
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else f"it has: {', '.join(names) or 'no runs'}"
        )
        super().__init__(f"there is no run {name!r} at {rev}", hint=hint)
        self.name = name
        self.rev = rev


class RunFileError(FurrowError):
    """A file of a run is missing or malformed at its commit."""

    def __init__(self, run: str, file: str, problem: str) -> None:
        hint = "`furrow runs --all --where \"status != 'ok'\"` lists damaged runs"
        super().__init__(f"{run}: {file} {problem}", hint=hint)
        self.run = run
        self.file = file


class NotKeptError(FurrowError):
    """The model or the predictions of a trial were asked for: it keeps neither."""

    def __init__(self, run: str, trial: str) -> None:
        hint = "`dvc repro` on its commit makes them"
        if trial:
            hint = (
                f"`dvc exp apply {trial}` and `dvc repro` make them, or `furrow adopt {trial} as"
                " NAME`"
            )
        super().__init__(
            f"{run} is a trial: it keeps no model, and of its predictions only their hash",
            hint=hint,
        )
        self.run = run


@dataclass(frozen=True, repr=False)
class Run:
    """What came of an experiment at a commit.

    Attributes:
        name: The experiment.
        commit: Full id of the commit.
        repo: The repository.
        files: Content of the run's files by path inside runs/NAME/; None for one that is too large.
    """

    name: str
    commit: str
    repo: Path
    files: dict[str, bytes | None] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.name}@{self.commit[:10]}"

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self._headline())
        return f"<Run {self}{': ' if shown else ''}{shown}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html_text(name)}</th><td>{value:.4g}</td></tr>"
            for name, value in self._headline()
        )
        # a notebook alone asks
        from furrow.history.notebook_runs import drawn_curves  # noqa: PLC0415

        return f"<table><caption>{html_text(str(self))}</caption>{rows}</table>{drawn_curves(self)}"

    def _headline(self) -> list[tuple[str, float]]:
        """The first metrics, in the registry's order; none where they can't be read."""
        try:
            found = self.numbers
        except FurrowError:
            return []
        names = [name for name in METRIC_ORDER if name in found] or list(found)
        return [(name, found[name]) for name in names[:HEADLINE]]

    def _content(self, file: str) -> bytes:
        if file not in self.files:
            raise RunFileError(
                str(self), file, "is missing: the run is declared, but was not evaluated"
            )
        content = self.files[file]
        if content is None:
            raise RunFileError(str(self), file, f"has more than {LARGEST:,} bytes")
        return content

    def _json(self, file: str, kind: type) -> Any:
        if file not in self.files:
            return kind()
        try:
            value = parse_json(self._content(file))
        except ValueError as exc:
            raise RunFileError(str(self), file, f"is not valid JSON: {exc}") from exc
        if not isinstance(value, kind):
            raise RunFileError(
                str(self), file, f"holds a {type(value).__name__}, not a {kind.__name__}"
            )
        return value

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config.

        Raises:
            RunFileError: It is missing or malformed.
        """
        content = self.files.get(layout.RUN_CONFIG)
        if content is None:
            raise RunFileError(str(self), layout.RUN_CONFIG, "is missing")
        try:
            value = parse_yaml(content)
        except ParseError as exc:
            raise RunFileError(
                str(self), layout.RUN_CONFIG, f"is not valid YAML: {' '.join(str(exc).split())}"
            ) from exc
        if not isinstance(value, dict):
            raise RunFileError(str(self), layout.RUN_CONFIG, "is not a mapping")
        return value

    @cached_property
    def metrics(self) -> dict[str, Value]:
        """Metrics by name, as lists show them: numbers, text and truth, nested ones as `val.auc`.

        Raises:
            RunFileError: The file is missing or malformed.
        """
        return self._metrics_file.values

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Those metrics that are numbers.

        Raises:
            RunFileError: The file is missing or malformed.
        """
        return {name: value for name, value in self.metrics.items() if is_number(value)}

    @cached_property
    def left_out(self) -> list[str]:
        """What the metrics file holds besides metrics, one sentence each.

        Raises:
            RunFileError: The file is missing or malformed.
        """
        return self._metrics_file.left_out

    @cached_property
    def _metrics_file(self) -> Metrics:
        file = next((name for name in NAMES if name in self.files), NAMES[0])
        try:
            return read_metrics(file, self._content(file))
        except MetricsFileError as exc:
            raise RunFileError(str(self), file, f"can't be read: {exc}") from exc

    @cached_property
    def intervals(self) -> dict[str, Any]:
        """{"low", "high"} by metric, and what they are under "_about".

        Empty when the run has none.
        """
        return self._object("intervals.json")

    @cached_property
    def slices(self) -> list[dict[str, Any]]:
        """One mapping per value of each slice; empty when the run has none."""
        found = self._json("slices.json", list)
        return [row for row in found if isinstance(row, dict)]

    @cached_property
    def record(self) -> dict[str, Any]:
        """What record.json says: features, digests, months, rows, environment.

        Empty when the run has none.
        """
        return self._object(layout.RECORD_JSON)

    def _object(self, file: str) -> dict[str, Any]:
        found: dict[str, Any] = self._json(file, dict)
        return found

    @property
    def features(self) -> list[str]:
        """Names of the features that the model was trained on."""
        return [str(name) for name in self.record.get("features") or []]

    def text(self, path: str) -> str | None:
        """A file of the run as text, such as "card.md" or "plots/roc.csv".

        None when there is none.
        """
        content = self.files.get(path)
        return None if content is None else content.decode(errors="replace")

    def predictions(self) -> pd.DataFrame:
        """The stored predictions: keys, label, probability.

        Raises:
            AbsentError: They are not on this machine; the hint says how to get them.
            NotKeptError: The run is a trial, and its predictions were not made again.
            UnpackedError: The file means more than is read.
        """
        # Only who asks for predictions pays for the import.
        from furrow.ground.bounded_parquet import read_bounded  # noqa: PLC0415

        frame: pd.DataFrame = read_bounded(self.predictions_path()).to_pandas()
        return frame

    def predictions_path(self) -> Path:
        """Where the predictions are on this machine, hash checked against the record."""
        path = layout.predictions(self.name)
        sha256 = self.record.get("predictions_sha256")
        try:
            return find_file(self.repo, self.commit, path, sha256=sha256, what=str(self))
        except AbsentError as exc:
            if is_trial(self.record):
                raise NotKeptError(str(self), trial_name(self.repo, self.commit)) from exc
            raise

    def model(self, *, sha256: str = "") -> Any:
        """The trained model: an object with `predict(frame)`.

        Its bytes are hashed before anything in them is run.

        Args:
            sha256: Its hash, known from outside the repository: a model that only a pickle holds is
                opened with it, if a tag that somebody trusted has signed names it, or if the
                repository is trusted.

        Raises:
            UntrustedError: It is a pickle, no hash was given, and the repository is a clone that
                may not run code.
            AbsentError: It is not on this machine; the hint says how to get it.
            NotKeptError: The run is a trial.
            RunFileError: The record names no hash, so that nothing may be opened.
        """
        given, sha256 = sha256.lower(), str(self.record.get("model_sha256") or "")
        if is_trial(self.record):
            raise NotKeptError(str(self), trial_name(self.repo, self.commit))
        if not sha256:
            raise RunFileError(
                str(self), layout.RECORD_JSON, "names no model_sha256: the model is not opened"
            )
        # Only who asks for the model pays for the imports.
        from furrow.history.signed_tags import vouching_tag  # noqa: PLC0415
        from furrow.training.fit import Fitted  # noqa: PLC0415
        from furrow.training.predictor import PREDICTOR, TREES, Predictor  # noqa: PLC0415
        from furrow.training.tasks import load_task  # noqa: PLC0415
        from furrow.training.unpickle import unpickled  # noqa: PLC0415

        scores = self.record.get("predictor_sha256")
        if given and given not in {sha256, scores}:
            raise RunFileError(
                str(self),
                layout.RECORD_JSON,
                f"records another model than {given[:12]}…: it is not opened",
            )
        if not scores:  # an older run, or an estimator that only its pickle holds
            if given != sha256 and not vouching_tag(self.repo, sha256):
                require_trust(
                    self.repo, f"the model of {self} is a pickle, which runs code when it is opened"
                )
            return unpickled(self._model_file("model.joblib", sha256))
        found = Predictor.parse(
            self._model_file(PREDICTOR, scores), lambda expected: self._model_file(TREES, expected)
        )
        task, classes = (
            str(self.record.get("task") or "binary"),
            tuple(self.record.get("classes") or ()),
        )
        calibrator = load_task(task).calibrator_from_json(self.record.get("calibrator"))
        return Fitted(list(found.columns), None, calibrator, found, task, classes)

    def _model_file(self, name: str, sha256: str) -> bytes:
        """A file of the model, hash checked."""
        path = f"{layout.MODELS}/{self.name}/{name}"
        content = find_file(
            self.repo, self.commit, path, sha256=sha256, what=str(self)
        ).read_bytes()
        if sha256_bytes(content) != sha256:  # it changed since it was found
            raise RunFileError(
                str(self), name, "has another sha256 than the record: it is not opened"
            )
        return content
