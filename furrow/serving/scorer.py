"""The scorer: rows to scores, with all that says how each came about.

Online, in batches and in a trace alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.features.given_features import given_features
from furrow.features.point_in_time import join_service
from furrow.features.row_answers import RowAnswer, RowReader
from furrow.ground.trust import require_trust
from furrow.models.bundle import BUNDLE, Bundle, read_facts
from furrow.models.open_bundle import open_bundle
from furrow.models.prediction_explain import contributions
from furrow.serving.row_fields import RowError, RowField, RowFields
from furrow.serving.serve_settings import StalePolicy
from furrow.stores.packed_values import as_moment
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray


__all__ = ["FeaturesAbsentError", "ScoreError", "Scored", "Scorer", "StalePolicy"]

_ABSENT = ("missing", "expired")
_WHOLE = ("Int", "int", "uint")


class ScoreError(FurrowError):
    """A model that can't be served with these features."""


class FeaturesAbsentError(RowError):
    """Features of a row are missing or expired, and the declared policy is to refuse then."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer, and what it came from.

    Attributes:
        prediction: The model's outputs: probability; probability_CLASS for each; prediction, low
            and high. None where there is none.
        score: One number of it: the probability, or the number predicted.
        features: The model's columns as it saw them, in its order.
        statuses: Of each feature of the service: present, null, missing, expired, given (by the
            row) or default.
        event_times: Of each feature of the service; None where the entity isn't known, or the row
            gave the value.
        keys: The row's entity keys.
        request: The row's other fields.
    """

    prediction: dict[str, float | None]
    score: float
    features: dict[str, Any]
    statuses: dict[str, str]
    event_times: dict[str, datetime | None]
    keys: dict[str, Any]
    request: dict[str, Any]


class Scorer:
    """A bundle and its features. One scorer serves any number of threads.

    Args:
        bundle: The model.
        client: The features; they are of the definition that the model was trained on.
        stale: What becomes of missing and expired features.
    """

    def __init__(
        self, bundle: Bundle, client: FeatureClient, *, stale: StalePolicy | None = None
    ) -> None:
        self.bundle = bundle
        self.client = client
        self.stale = stale or StalePolicy()
        self.task = load_task(str(bundle.facts.get("task", "binary")))
        self.service = str(bundle.facts["service"])
        client.require(self.service, str(bundle.facts["features_digest"]))
        self._plan = client.plan(self.service)
        self._reader = RowReader(self._plan)
        self._columns = tuple(str(column["name"]) for column in bundle.facts["columns"])
        self._as_served = self._columns == self._plan.names
        self.given = tuple(given_features(client.manifest, self.service))
        self.fields = RowFields(_fields(self._plan, bundle, self.given))
        nothing: dict[str, list[Any]] = {
            column["name"]: [None] for column in bundle.facts["columns"]
        }
        self._output_names = tuple(self.bundle.outputs(nothing))
        roles = {name: one.role for name, one in self.fields.fields.items()}
        self._keys = frozenset(name for name, role in roles.items() if role == "key")

    @classmethod
    def open(
        cls,
        folder: Path,
        features: Path | str | FeatureClient,
        *,
        stale: StalePolicy | None = None,
        model_sha256: str | None = None,
        predictor_sha256: str | None = None,
    ) -> Self:
        """Open a bundle for scoring.

        Args:
            folder: The bundle: build/models/NAME, or what `furrow models get` wrote.
            features: The features folder (or manifest) to open a client of, or an open client.
            stale: What becomes of missing and expired features.
            model_sha256: The model's hash, known from a commit's record. Only with it a bundle
                without a portable form is opened, for that is a pickle.
            predictor_sha256: The predictor's hash, known likewise; the bundle's own word, if None.

        Raises:
            BundleError: The bundle is missing, damaged, or another one.
            ManifestMismatchError: The features are not those that the model was trained on.
            ScoreError: The bundle holds a pickle alone.
            UntrustedError: On-demand features come from a clone whose code may not run.
        """
        facts = read_facts(folder) if (folder / BUNDLE).is_file() else {}
        scores = predictor_sha256 or facts.get("predictor_sha256")
        if facts and not scores and not model_sha256:
            raise ScoreError(
                f"{folder} holds a pickle alone, which runs code when it is opened",
                hint="say which one you mean: --sha256, from the record of its commit",
            )
        bundle = open_bundle(
            folder,
            model_sha256=model_sha256 or str(facts.get("model_sha256")),
            predictor_sha256=scores,
        )
        if isinstance(features, FeatureClient):
            return cls(bundle, features, stale=stale)
        service = str(bundle.facts["service"])
        client = FeatureClient.open(
            features, expect={service: str(bundle.facts["features_digest"])}
        )
        try:
            if client.manifest.on_demand:
                require_trust(_folder(features), "this runs the code of on-demand features")
            return cls(bundle, client, stale=stale)
        except FurrowError:
            client.close()
            raise

    def close(self) -> None:
        """Let go of the store."""
        self.client.close()

    def score(
        self, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None
    ) -> list[Scored]:
        """Score rows.

        Args:
            rows: Entity keys and request fields, as `fields` says.
            at: The moment to answer for, as of `FeatureClient.get`; now, if None.

        Returns:
            An answer for each row, in their order. A row's answer does not depend on the others.

        Raises:
            RowError: A row is not as declared, or its features are absent and that is refused.
            StoreError: The store can't be read.
            ManifestMismatchError: The store holds records of other definitions.
        """
        if not rows:
            return []
        typed = self.fields.check(rows)
        batch = self.client.get(self.service, typed, at=at)
        answers = list(self._reader.rows(batch))
        if self.given:
            for row, answer in zip(typed, answers, strict=True):
                self._take_given(row, answer)
        if self.stale.action != "null":
            for place, answer in enumerate(answers):
                self._hold_policy(place, answer)
        return self._scored(typed, answers)

    def score_joined(
        self, rows: Sequence[Mapping[str, Any]], features: Path, moments: Sequence[datetime]
    ) -> list[Scored]:
        """Score rows as of moments past, with what the feature tables say of each, as training joins them.

        Args:
            rows: As of `score`.
            features: The features folder.
            moments: Of each row.

        Raises:
            RowError: A row is not as declared.
            SourceError: An offline table can't be read.
        """
        if not rows:
            return []
        typed = self.fields.check(rows)
        plan, manifest = self._plan, self.client.manifest
        joined = join_service(manifest, plan, features, typed, moments, ever=True)
        states = joined.status(plan)
        answers = []
        for place in range(len(typed)):
            times = {
                name: None if (event := joined.events[part][place]) is None else as_moment(event)
                for name, part, _, _ in plan.outputs
                if part >= 0
            }
            values = {name: joined.values[name][place] for name in plan.names}
            answers.append(RowAnswer(values, {n: s[place] for n, s in states.items()}, times))
        return self._scored(typed, answers)

    def outputs(
        self, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None
    ) -> dict[str, NDArray[Any]]:
        """The predictions' columns alone, each of shape (rows,).

        For many rows, of which nothing else is asked.

        Args:
            rows: As of `score`, with the same bits.
            at: Likewise.

        Raises:
            RowError, StoreError, ManifestMismatchError: As `score`.
        """
        if self.stale.action != "null" or any(name in row for name in self.given for row in rows):
            scored = self.score(rows, at=at)
            return {
                name: np.array([one.prediction[name] for one in scored], dtype=np.float64)
                for name in self._output_names
            }
        typed = self.fields.check(rows)
        columns = self.client.get(self.service, typed, at=at).columns()
        return self.bundle.outputs(self.bundle.inputs(typed, columns))

    def rescore(self, features: Mapping[str, Any]) -> dict[str, float | None]:
        """The prediction for what a model saw once.

        `Scored.features`, to the bit what was told then.
        """
        return self.score_features([features])[0]

    def score_features(
        self, features: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, float | None]]:
        """Predictions for rows of the model's own columns; no feature is fetched."""
        rows = [{name: row.get(name) for name in self._columns} for row in features]
        outputs = self.bundle.row_outputs(rows) if rows else {}
        return _rows({name: _numbers(found) for name, found in outputs.items()}, len(rows))

    def output_names(self) -> list[str]:
        """What a prediction holds, by name."""
        return list(self._output_names)

    def explain(self, scored: Scored) -> dict[str, float]:
        """How far each column moved the score, the largest first."""
        frame = self.bundle.frame({name: [value] for name, value in scored.features.items()})
        return contributions(self.bundle.fitted.predict, frame, self.bundle.background)

    def _scored(self, rows: list[dict[str, Any]], answers: list[RowAnswer]) -> list[Scored]:
        features = [
            self._model_columns(row, one.values) for row, one in zip(rows, answers, strict=True)
        ]
        outputs = self.bundle.row_outputs(features)
        scores = self.task.score(outputs).tolist()
        told = _rows({name: _numbers(one) for name, one in outputs.items()}, len(rows))
        keys = self._keys
        return [
            Scored(
                said,
                score,
                saw,
                answer.statuses,
                answer.event_times,
                {name: value for name, value in row.items() if name in keys},
                {name: value for name, value in row.items() if name not in keys},
            )
            for said, score, saw, answer, row in zip(
                told, scores, features, answers, rows, strict=True
            )
        ]

    def _model_columns(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """The model's columns in its order, of features and, where those have none, of the row's own fields."""
        if self._as_served:
            return values
        return {name: values[name] if name in values else row.get(name) for name in self._columns}

    def _take_given(self, row: dict[str, Any], answer: RowAnswer) -> None:
        """Put the features that a row gives in the store's place."""
        for name in self.given:
            if name in row:
                answer.values[name] = row[name]
                answer.statuses[name] = "given"
                answer.event_times[name] = None

    def _hold_policy(self, place: int, answer: RowAnswer) -> None:
        """Refuse a row whose features are absent, or put defaults there, as declared."""
        for name, state in answer.statuses.items():
            if state not in _ABSENT:
                continue
            if self.stale.action == "refuse":
                said = f"row {place}: the feature {name} is {state}"
                hint = "bring the store up to date: furrow features materialize"
                raise FeaturesAbsentError(said, row=place, field=name, hint=hint)
            if name in self.stale.defaults:
                answer.values[name] = self.stale.defaults[name]
                answer.statuses[name] = "default"


def _rows(columns: Mapping[str, Sequence[Any]], count: int) -> list[dict[str, Any]]:
    """Columns as a mapping for each row."""
    names = list(columns)
    if not names:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _numbers(values: Any) -> list[float | None]:
    """Numbers as Python's; None for NaN and what no JSON holds."""
    return [one if math.isfinite(one) else None for one in values.tolist()]


def _fields(plan: Any, bundle: Bundle, given: Sequence[str]) -> list[RowField]:
    """What a row of a bundle's service holds.

    Keys, request fields, the model's own keys, given features.
    """
    found: dict[str, RowField] = {}
    for spec in plan.specs:
        for name, _, dtype in spec.fields:
            found.setdefault(name, RowField(name, dtype, "key"))
    for name, dtype in plan.request.items():
        found.setdefault(name, RowField(name, dtype, "request"))
    types = {column["name"]: str(column["dtype"]) for column in bundle.facts["columns"]}
    for name, dtype in types.items():
        if name not in found and name not in plan.names:
            found[name] = RowField(name, _feast_type(dtype), "request")
    outputs = {name: dtype for name, _, _, dtype in plan.outputs}
    for name in given:
        found.setdefault(name, RowField(name, outputs[name], "feature"))
    return list(found.values())


def _feast_type(dtype: str) -> str:
    """Feast's word for the type of a training set's column."""
    if dtype.startswith(_WHOLE):
        return "Int64"
    if dtype.startswith("float"):
        return "Float64"
    return "Bool" if dtype == "bool" else "String"


def _folder(features: Path | str) -> Path:
    """The folder that a manifest lies in."""
    path = Path(features)
    return path if path.is_dir() else path.parent
