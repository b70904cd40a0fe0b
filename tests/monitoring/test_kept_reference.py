"""A version without a profile, or with one that can't be read: told in a sentence, and compared with something else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from furrow.cli.monitor import command
from furrow.monitoring.drift_reference import from_training
from furrow.monitoring.kept_reference import file_name, reference_for
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.monitor_site import Site
from furrow.monitoring.profile_bins import bins_digest
from furrow.serving.prediction_log import PredictionLog
from tests.serving.records import record

if TYPE_CHECKING:
    from pathlib import Path

_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
_VERSION, _DIGEST = "gbm@v1.0.0", "d" * 64
_ABOUT = {"format": 1, "window": "day", "timezone": "UTC", "season": "weekday", "budget": 1000.0}
"""What expected means of the usual settings hang on."""


def _project(root: Path, days: int) -> Path:
    """A project that served so many days, with a bundle of the features that it served."""
    log = root / ".furrow/serving/production/log"
    log.parent.mkdir(parents=True)
    kept = PredictionLog.open(log)
    for day in range(days):
        more = {"version": _VERSION, "model": "gbm", "features_digest": _DIGEST}
        kept.append(
            [record(n, time=_MONDAY + timedelta(days=day, minutes=n), **more) for n in range(20)]
        )
    kept.close()
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "build/models/gbm").mkdir(parents=True)
    (root / "build/models/gbm/bundle.json").write_text(json.dumps({"features_digest": _DIGEST}))
    return root


def _profile(root: Path, value: object) -> None:
    (root / "build/models/gbm/reference.json").write_text(
        value if isinstance(value, str) else json.dumps(value)
    )


def _of(root: Path, *, days: int) -> tuple[Any, list[str]]:
    notes: list[str] = []
    log = root / ".furrow/serving/production/log"
    settings = MonitorSettings(first=2)
    until = _MONDAY + timedelta(days=days)
    site = Site(root, log, root / "monitor", settings, until, "production")
    return reference_for(site, _VERSION, "gbm", _DIGEST, until=until, notes=notes), notes


_CASES = {
    "missing": (None, "training left no profile in its bundle"),
    "older": ({"about": {**_ABOUT, "format": 0}, "reference": {}}, "is of another format"),
    "newer within": ({"about": _ABOUT, "reference": {"format": 2}}, "format 2, not 1"),
    "without a format": ({"profile": {}}, "is not a reference"),
    "a list": ([], "is not a reference"),
    "lists within": (
        {"about": _ABOUT, "reference": {"format": 1, "source": "", "profile": {"format": 1, "rows": 0,
         "columns": {}, "bins": {}, "bins_sha256": bins_digest({})}, "expected": []}},
        "is not a reference",
    ),
    "half": ("{half", "is not a reference"),
}  # fmt: skip


@pytest.mark.parametrize("name", _CASES)
def test_a_version_without_a_profile(tmp_path: Path, name: str) -> None:
    """Of an older format, of none, damaged or missing: a sentence each, and the first windows served instead."""
    root = _project(tmp_path, 4)
    value, said = _CASES[name]
    if value is not None:
        _profile(root, value)
    early, notes = _of(root, days=1)
    assert early is None
    assert any("its drift is unknown" in one for one in notes), notes
    assert any(said in one for one in notes), notes
    found, notes = _of(root, days=4)
    assert found.source == f"the first 2 days of {_VERSION}"
    assert any(said in one for one in notes), notes
    again, notes = _of(root, days=4)
    assert again.to_json() == found.to_json()
    assert notes == []  # it is said once


@pytest.mark.parametrize("text", ['{"format": 0}', "[]", "{half", '{"format": 1, "profile": []}'])
def test_a_kept_reference_of_another_format_is_made_again(tmp_path: Path, text: str) -> None:
    """What an older Furrow kept beside the state stops nothing: a sentence names the file."""
    root = _project(tmp_path, 4)
    found, _ = _of(root, days=4)
    path = root / "monitor/references" / f"{file_name(_VERSION)}.json"
    path.write_text(text)
    again, notes = _of(root, days=4)
    assert again.to_json() == found.to_json()
    assert len(notes) == 2, notes
    assert f"{path} is not used, and made again" in notes[0]
    assert json.loads(path.read_text()) == found.to_json()


def test_the_command_says_it_and_is_no_error(tmp_path: Path, monkeypatch: Any) -> None:
    """`furrow monitor` over a bundle without a profile, and over one of an older format: exit code 0, and the sentence."""
    root = _project(tmp_path, 2)
    monkeypatch.chdir(root)
    words = ["production", "--at", (_MONDAY + timedelta(days=2, hours=2)).isoformat()]
    for value, said in (_CASES["missing"], _CASES["older"]):
        if value is not None:
            _profile(root, value)
        (root / ".furrow/serving/production/monitor/state.json").unlink(missing_ok=True)
        done = CliRunner().invoke(command, words, standalone_mode=False)
        assert (done.exception, done.return_value) == (None, 0), done.output
        told = " ".join(done.output.split())
        assert "its drift is unknown" in told
        assert said in told
    assert from_training(root, "gbm", _DIGEST, MonitorSettings()) is None
