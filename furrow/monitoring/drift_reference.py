"""What a version's predictions are compared with.

Its training set, or what training left of it in the bundle.

Training writes it, and must not hang on how predictions are served or logged (`served_reference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.files import FileError, canonical_json, read_json, write_text
from furrow.layout import RUN_CONFIG, predictions, run_file, training_set
from furrow.monitoring.expected_means import Expected, expected, marks_of, season_of
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.profile_bins import ProfileError, bins_of
from furrow.monitoring.profile_counts import Profile, count, merged
from furrow.monitoring.window_clock import SCORE, window_starts
from furrow.training import config
from furrow.training.dataset import sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Reference", "bundled", "from_training", "leave_in_bundle", "season_at", "together"]

FORMAT = 1
REFERENCE = "reference.json"


@dataclass(frozen=True)
class Reference:
    """What windows of a version are held against.

    Attributes:
        source: In words.
        profile: Of all of it.
        expected: By column.
    """

    source: str
    profile: Profile
    expected: dict[str, Expected]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        means = {
            name: {
                "seasons": list(one.seasons),
                "mean": one.mean.tolist(),
                "bound": one.bound.tolist(),
            }
            for name, one in self.expected.items()
        }
        return {
            "format": FORMAT,
            "source": self.source,
            "profile": self.profile.to_json(),
            "expected": means,
        }

    @classmethod
    def from_json(cls, value: Any) -> Reference:
        """What `to_json` gave.

        Raises:
            ProfileError: It is something else.
        """
        try:
            if value["format"] != FORMAT:
                raise ProfileError(f"a reference of format {value['format']!r}, not {FORMAT}")
            profile = Profile.from_json(value["profile"])
            means = {
                name: Expected(
                    marks_of(profile.bins[name], profile.columns[name]),
                    tuple(one["seasons"]),
                    np.array(one["mean"]),
                    np.array(one["bound"]),
                )
                for name, one in value["expected"].items()
            }
            return cls(str(value["source"]), profile, means)
        except (KeyError, TypeError, ValueError) as exc:
            raise ProfileError(f"a reference is malformed: {exc!r}") from exc


def from_training(
    root: Path, model: str, features_digest: str, settings: MonitorSettings
) -> Reference | None:
    """The training set of a model, its score from the predictions that it was judged by.

    Args:
        root: The project.
        model: The model's name, which is its experiment's.
        features_digest: Of the features that the version serves.
        settings: What is watched.

    Returns:
        None where the project has no such training set here: not pulled, or of other features.
    """
    declared = root / run_file(model, RUN_CONFIG)
    if not declared.is_file():
        return None
    experiment = config.load(declared)
    path = root / training_set(experiment.problem.name, experiment.features.service)
    if not path.is_file():
        return None
    table = pq.read_table(path)
    facts = sealed(table.schema, path)
    if features_digest and facts["features_digest"] != features_digest:
        return None
    names = [one for one in facts["features"] if not settings.features or one in settings.features]
    parts = [_seasonal(table, table.column("event_timestamp"), names, settings)]
    judged = root / predictions(model)
    if judged.is_file():
        said = pq.read_table(judged)
        column = next(
            (one for one in ("probability", "prediction") if one in said.column_names), None
        )
        if column is not None and "event_timestamp" in said.column_names:
            score = pa.table({SCORE: said.column(column)})
            parts.append(_seasonal(score, said.column("event_timestamp"), [SCORE], settings))
    return together(f"the training set of {model}", parts, settings)


def bundled(folder: Path, settings: MonitorSettings) -> Reference | None:
    """The reference that training left in a bundle.

    Where its rows are not, as on a server's machine.

    Args:
        folder: The bundle.
        settings: What is watched.

    Returns:
        None where there is none, or where windows, seasons or the budget are declared otherwise
        than those that it was made for.

    Raises:
        ProfileError: It is damaged.
    """
    path = folder / REFERENCE
    if not path.is_file():
        return None
    try:
        value = read_json(path)
        if value["about"] != _about(settings):
            return None
        made = Reference.from_json(value["reference"])
    except (FileError, KeyError, TypeError) as exc:
        raise ProfileError(f"{path} is not a reference: {exc}") from exc
    if not settings.features:
        return made
    names = {*settings.features, SCORE} & set(made.profile.bins)
    profile = Profile(
        {name: made.profile.bins[name] for name in sorted(names)},
        made.profile.rows,
        {name: made.profile.columns[name] for name in sorted(names)},
    )
    return Reference(made.source, profile, {name: made.expected[name] for name in sorted(names)})


def leave_in_bundle(root: Path, model: str, folder: Path) -> None:
    """Write the reference of a model that was just trained beside it, for the usual settings.

    Args:
        root: The project.
        model: Its name.
        folder: The bundle.
    """
    settings = MonitorSettings()
    made = from_training(root, model, "", settings)
    if made is not None:
        value = {"about": _about(settings), "reference": made.to_json()}
        write_text(folder / REFERENCE, canonical_json(value) + "\n")


def _about(settings: MonitorSettings) -> dict[str, Any]:
    """What expected means hang on."""
    return {
        "format": FORMAT,
        "window": settings.window,
        "timezone": settings.timezone,
        "season": settings.season,
        "budget": settings.budget,
    }


def _seasonal(
    table: pa.Table, times: pa.ChunkedArray, names: Sequence[str], settings: MonitorSettings
) -> list[tuple[str, Profile]]:
    """A table by windows, all counted in the bins that the whole of it gives."""
    bins = {name: bins_of(table.column(name)) for name in names}
    table = table.select(list(names))
    found_at = window_starts(times.to_pandas(), settings.window, settings.timezone)
    starts = found_at.to_numpy(dtype="datetime64[ns]")
    order = np.argsort(starts, kind="stable")
    table, windows = table.take(pa.array(order)), starts[order]
    begins = np.flatnonzero(np.r_[True, windows[1:] != windows[:-1]][: len(windows)])
    found = []
    for begin, end in zip(begins, [*begins[1:], len(windows)], strict=True):
        start = pd.Timestamp(windows[begin], tz="UTC").isoformat()
        found.append((season_at(start, settings), count(table.slice(begin, end - begin), bins)))
    return found


def season_at(start: str, settings: MonitorSettings) -> str:
    """The season of a window that begins then, ISO 8601, on the declared clocks."""
    moment = datetime.fromisoformat(start).astimezone(ZoneInfo(settings.timezone))
    return season_of(moment, settings.season)


def together(
    source: str, parts: list[list[tuple[str, Profile]]], settings: MonitorSettings
) -> Reference | None:
    """One reference of several tables' windows; None of none.

    Args:
        source: What it is, in words.
        parts: Of each table its windows: season and profile.
        settings: What is watched, and how many false pages are allowed.
    """
    parts = [windows for windows in parts if windows]
    if not parts:
        return None
    wholes = [merged((one for _, one in windows), windows[0][1].bins) for windows in parts]
    means: dict[str, Expected] = {}
    for windows in parts:
        means |= expected(windows, false_alarms=1 / settings.steps / len(parts))
    bins = {name: one for whole in wholes for name, one in whole.bins.items()}
    columns = {name: one for whole in wholes for name, one in whole.columns.items()}
    return Reference(source, Profile(bins, wholes[0].rows, columns), means)
