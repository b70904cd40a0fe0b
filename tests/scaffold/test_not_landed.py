"""A project of init answers for whom no row has landed: what stands beside the label is given, the rest is said to be missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from click.testing import CliRunner

from furrow.cli.predict import command
from furrow.features.given_features import given_features
from furrow.features.manifest import load
from furrow.models.predict import open_model

if TYPE_CHECKING:
    import pytest

    from tests.scaffold.conftest import Made

AT = datetime(2024, 6, 1, tzinfo=UTC)
NOBODY = "99999"


def test_what_stands_beside_the_label_may_be_given(project: Made) -> None:
    """Every feature of the label's own row, and none of what happened before."""
    given = given_features(load(project.root / "features/manifest.json"), "all")
    assert given
    assert all(name.startswith("customers_") for name in given)


def test_an_unknown_customer_is_told_apart(project: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model sees what is given, as of a row that landed; the command takes it as options."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    model = open_model(project.root, "boosting")
    given = given_features(load(project.root / "features/manifest.json"), "all")
    known = model.predict([{"customer_id": "00007"}], at=AT)[0]
    said = {name: known.features[name] for name in given}
    new = model.predict([{"customer_id": NOBODY, **said}], at=AT)[0]
    nothing = model.predict([{"customer_id": NOBODY}], at=AT)[0]
    assert {name: new.features[name] for name in given} == said
    assert {new.status[name] for name in given} == {"given"}
    assert {nothing.status[name] for name in given} == {"missing"}
    monkeypatch.chdir(project.root)
    words = [
        f"--{name.replace('_', '-')}={value:g}"
        if isinstance(value, float)
        else f"--{name.replace('_', '-')}={value}"
        for name, value in said.items()
        if value is not None
    ]
    done = CliRunner().invoke(
        command,
        [
            "--experiment",
            "boosting",
            "--customer-id",
            NOBODY,
            "--at",
            AT.isoformat(),
            "--json",
            *words,
        ],
    )
    assert done.exit_code == 0, done.output
    assert f'"probability": {new.values["probability"]}' in done.output
