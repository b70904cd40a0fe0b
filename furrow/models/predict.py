"""Predictions: what the champion (or any run) says of rows, from online features or those of a moment past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd

from furrow.drawing.moves import moves
from furrow.drawing.notebook_drawings import notebook_drawing
from furrow.drawing.notebook_tables import notebook_table
from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.features.given_features import given_features
from furrow.features.manifest import load as load_manifest
from furrow.features.offline_rows import newest_event
from furrow.features.point_in_time import service_at
from furrow.files import read_json
from furrow.ground.trust import require_trust
from furrow.history.signed_tags import vouching_tag
from furrow.layout import CHAMPION, MODELS, RECORD_JSON, RUN_CONFIG, RUNS, run_file
from furrow.models.doubts import DoubtfulError, doubts_of
from furrow.models.notebook_features import plain_value
from furrow.models.open_bundle import open_bundle
from furrow.models.prediction_explain import contributions
from furrow.parse import read_yaml
from furrow.training.champions import read_champions
from furrow.training.tasks import load_task
from furrow.training.tasks.task import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.models.bundle import Bundle

__all__ = ["Model", "Prediction", "PredictionError", "champion_of", "fields_of", "open_model"]


class PredictionError(FurrowError):
    """There is no model to predict with, or it does not fit the features."""


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Attributes:
        values: What was predicted, by column: probability; probability_CLASS for each; prediction,
            low and high.
        score: One number of it, which the contributions add up to: the probability, or the number
            predicted.
        features: What the model saw, by column.
        status: Of each feature: present, null, missing or expired; empty for moments past.
        contributions: How far each column moved the score, the largest first.
        at: The prediction time.
        source: "online" or "point in time".
        task: Such as "binary".
        label: What is predicted.
        doubts: What speaks against it: features that are missing or expired, texts that training
            never saw, a moment after all data.
    """

    values: dict[str, float]
    score: float
    features: dict[str, Any]
    status: dict[str, str]
    contributions: dict[str, float]
    at: datetime
    source: str
    task: str = "binary"
    label: str = ""
    doubts: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        said: list[tuple[str, str | float | None]] = [
            *self.values.items(),
            ("at", f"{self.at:%Y-%m-%d %H:%M:%S}"),
            ("from", self.source),
        ]
        title = "What moved it"
        drawn = moves(list(self.contributions.items()), title=title)
        table = notebook_table(self.label or self.task, (), said, notes=self.doubts)
        seen = [
            (name, plain_value(value), self.status.get(name, ""))
            for name, value in self.features.items()
        ]
        features = notebook_table(
            "Features as the model saw them", ("feature", "value", "status"), seen
        )
        return f"{table}{notebook_drawing([(title, drawn)])}{features}"

    @property
    def probability(self) -> float:
        """Of the positive label, or of the likeliest class.

        Raises:
            PredictionError: The model predicts a number.
        """
        if load_task(self.task).answers == NUMBER:
            raise PredictionError(f"a {self.task} has no probability", hint="read .values")
        return self.score

    def said(self) -> str:
        """The prediction in words."""
        return load_task(self.task).said(self.values, self.label)


LONG_AGO = timedelta(days=30)
"""From so old a newest event on, what the online store says of now is doubted."""


@dataclass(frozen=True)
class Model:
    """A run's model, opened, and the features that it was trained on."""

    root: Path
    name: str
    bundle: Bundle

    def predict(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        at: datetime | None = None,
        online: bool | None = None,
        strict: bool = False,
    ) -> list[Prediction]:
        """Predict for rows.

        Args:
            rows: Join keys and request fields, a mapping each; and features that the service lets
                requests give in the store's place.
            at: The prediction time, aware; now, if None.
            online: Read the online store as of `at`; by default it is read when `at` is None, and
                else the offline tables are joined as of `at`.
            strict: Whether a prediction that something speaks against is an error.

        Raises:
            DoubtfulError: It is to be strict, and something speaks against one.
            PredictionError: The features of this repository are not those that the model was
                trained on.
            FurrowError: Features can't be fetched.
        """
        moment = at or datetime.now(UTC)
        for place, one in enumerate(rows):
            if lacking := [name for name in self.needs() if name not in one]:
                raise PredictionError(
                    f"row {place} lacks {', '.join(lacking)}",
                    hint=f"the model needs {', '.join(self.needs())}",
                )
        if online is None:
            online = at is None
        may_give = given_features(load_manifest(self.root / "features"), self.service)
        asked = [{k: v for k, v in row.items() if k not in may_give} for row in rows]
        values, statuses = self._online(asked, moment) if online else self._joined(asked, moment)
        for place, said in enumerate(rows):
            for name in may_give:
                if name in said:
                    values[name][place], statuses[name][place] = said[name], "given"
        inputs = self.bundle.inputs(rows, values)
        frame = self.bundle.frame(inputs)
        source = "online" if online else "point in time"
        newest = self._newest()
        if online and newest is not None and moment - newest < LONG_AGO:
            newest = None  # the present is always after what is known, by a little
        found = []
        task = str(self.bundle.facts.get("task", "binary"))
        outputs = self.bundle.outputs(inputs)
        for place, score in enumerate(load_task(task).score(outputs)):
            row = frame.iloc[[place]]
            moved = contributions(self.bundle.fitted.predict, row, self.bundle.background)
            features = {name: _plain(row[name].iloc[0]) for name in frame.columns}
            status = {name: one[place] for name, one in statuses.items()}
            told = {name: float(numbers[place]) for name, numbers in outputs.items()}
            label = str(self.bundle.facts["label"])
            doubts = doubts_of(
                features, status, self.bundle.fitted.predictor, at=moment, newest=newest
            )
            if doubts and strict:
                raise DoubtfulError(doubts)
            found.append(
                Prediction(
                    told, float(score), features, status, moved, moment, source, task, label, doubts
                )
            )
        return found

    @property
    def service(self) -> str:
        """The feature service that the model was trained on."""
        return str(self.bundle.facts["service"])

    def needs(self) -> list[str]:
        """The join keys and request fields that a row must have, sorted."""
        return needed(self.root, self.service, self.bundle.facts["keys"])

    def _newest(self) -> datetime | None:
        """The newest event of the feature tables that the service reads.

        None where a footer does not say.
        """
        folder = self.root / "features"
        manifest = load_manifest(folder)
        times = [
            newest_event(folder, manifest.views[name]) for name in views_of(manifest, self.service)
        ]
        known = [time for time in times if time is not None]
        return max(known) if len(known) == len(times) else None

    def _online(
        self, rows: Sequence[Mapping[str, Any]], at: datetime
    ) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
        expect = {self.service: self.bundle.facts["features_digest"]}
        with FeatureClient.open(self.root / "features", expect=expect) as client:
            batch = client.get(self.service, rows, at=at)
            return {name: batch.to_dict()[name] for name in batch.names}, batch.status

    def _joined(
        self, rows: Sequence[Mapping[str, Any]], at: datetime
    ) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
        folder = self.root / "features"
        return service_at(load_manifest(folder), folder, self.service, rows, at)


def views_of(manifest: Manifest, service: str) -> set[str]:
    """The feature views that a service reads, those of its on-demand views included."""
    names = [part.view for part in manifest.services[service].views]
    inputs = {
        entry.view
        for name in names
        if name in manifest.on_demand
        for entry in manifest.on_demand[name].inputs
    }
    return ({name for name in names if name in manifest.views} | inputs) - {"request"}


def needed(root: Path, service: str, keys: Iterable[str]) -> list[str]:
    """The join keys and request fields that a row must have for a model, sorted.

    Args:
        root: The repository.
        service: The model's feature service.
        keys: Keys that the model sees as they are.
    """
    return sorted({*field_types(root, service), *keys})


def field_types(root: Path, service: str) -> dict[str, str]:
    """Feast's types of the join keys and request fields that a service's features need, by name."""
    manifest = load_manifest(root / "features")
    if service not in manifest.services:
        return {}
    found = {
        key.name: key.dtype
        for name in views_of(manifest, service)
        for key in manifest.views[name].join_keys
    }
    for part in manifest.services[service].views:
        if part.view in manifest.on_demand:
            for entry in manifest.on_demand[part.view].inputs:
                if entry.view == "request":
                    found.setdefault(entry.name, entry.dtype)
    return found


def fields_of(root: Path, name: str) -> list[str]:
    """The fields that a row must have for a run's model, without opening it.

    Args:
        root: The repository.
        name: The run.

    Raises:
        PredictionError: There is no such run.
    """
    record = _record(root, name)
    config = root / run_file(name, RUN_CONFIG)
    declared = (read_yaml(config) or {}) if config.is_file() else {}
    keys = (declared.get("features") or {}).get("keys") or []
    return needed(root, str(record.get("service")), [str(key) for key in keys])


def open_model(
    root: Path, experiment: str | None = None, *, problem: str | None = None, sha256: str = ""
) -> Model:
    """Open a run's model: the champion's of a problem, or of the only one, unless another is named.

    The model's file is hashed and compared with the run's record before it is loaded, and the
    features of this repository are compared with those that it was trained on.

    Args:
        root: The repository.
        experiment: The run; the champion, if None.
        problem: Whose champion, where there are several problems.
        sha256: Of the model, known from outside the repository; without it a signed tag must name
            it, or the repository be trusted, for the record is of the same hand as the model.

    Raises:
        PredictionError: There is no champion, or no such run, or the features have changed since.
        UntrustedError: It is a clone whose code may not run yet, and no hash was given.
        BundleError: The model is missing or is not the one that was recorded.
    """
    name = experiment or champion_of(root, problem)
    record = _record(root, name)
    recorded, scores = str(record["model_sha256"]), record.get("predictor_sha256")
    if sha256 and sha256.lower() not in {recorded, scores}:
        raise PredictionError(
            f"{name} records the model {recorded[:12]}…, not {sha256[:12]}…: it is not opened"
        )
    manifest = load_manifest(root / "features")
    if not scores and sha256.lower() != recorded and not vouching_tag(root, recorded):
        require_trust(root, f"the model of {name} is a pickle, which runs code when it is opened")
    if manifest.on_demand:
        require_trust(root, "this runs the code of on-demand features")
    bundle = open_bundle(root / MODELS / name, model_sha256=recorded, predictor_sha256=scores)
    service = manifest.services.get(bundle.facts["service"])
    if service is None or service.digest != bundle.facts["features_digest"]:
        raise PredictionError(
            f"{name} was trained on another definition of the feature service"
            f" {bundle.facts['service']!r}",
            hint=(
                "run `dvc repro` to train on the features as they are, or check out the model's"
                " commit"
            ),
        )
    return Model(root, name, bundle)


def _record(root: Path, name: str) -> dict[str, Any]:
    path = root / run_file(name, RECORD_JSON)
    if not path.is_file():
        known = sorted(one.parent.name for one in (root / RUNS).glob("*/record.json"))
        close = get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise PredictionError(
            f"there is no run {name!r}",
            hint=f"{meant}there are: {', '.join(known) or 'none'}; run `dvc repro`",
        )
    found: dict[str, Any] = read_json(path)
    return found


def champion_of(root: Path, problem: str | None) -> str:
    """The champion of a problem, or of the only one.

    Args:
        root: The repository.
        problem: Its name; None where there is only one.

    Raises:
        PredictionError: There is no such problem, no champion, or there are several problems.
    """
    path = root / CHAMPION
    champions = read_champions(path.read_bytes()) if path.is_file() else {}
    if problem is not None and problem not in champions:
        known = ", ".join(champions) or "none"
        raise PredictionError(f"there is no problem {problem!r}", hint=f"there are: {known}")
    if problem is None and len(champions) > 1:
        known = ", ".join(champions)
        raise PredictionError(
            f"there are several problems: {known}", hint="name one of them, or a run"
        )
    chosen = champions.get(problem) if problem is not None else next(iter(champions.values()), None)
    if chosen is None or chosen.experiment is None:
        raise PredictionError(
            "there is no champion: no run passed the gate",
            hint=(
                "`furrow gate` says why; `dvc repro` judges again; or name a run with --experiment"
            ),
        )
    return chosen.experiment


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value
