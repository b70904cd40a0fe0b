"""Cards: what others read, what only a person can say, and what nobody wrote; scripts in them are text."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from furrow.ci.card_check import cards_whole
from furrow.cli import data as data_cli
from furrow.cli import models as models_cli
from furrow.governance.card_sentences import (
    SENTENCES,
    CardError,
    missing_sentences,
    parse_sentences,
    sentences_at,
)
from furrow.governance.standard_card import data_card, model_card
from furrow.models.registry import find
from tests.proof.signingpeople import SHA256, commit, project, run

SAID = {key: f"About {key}." for key in SENTENCES}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = project(tmp_path / "project", "", "")
    record = {"model_sha256": SHA256, "problem": "churned", "task": "binary"}
    (root / "runs/gbm/record.json").write_text(json.dumps(record))
    (root / "runs/gbm/card.md").write_text("# gbm\n\nROC AUC 0.7\n")
    champion = {
        "format": 2,
        "problems": {"churned": {"experiment": "gbm", "verdicts": {"gbm": {"passed": True}}}},
    }
    (root / "runs/champion.json").write_text(json.dumps(champion))
    (root / "conf/data").mkdir()
    (root / "conf/data/contract.yaml").write_text(
        "tables: {orders: {columns: {amount: {type: double, nullable: true}}}}\n"
    )
    return root


def write(root: Path, said: dict[str, str]) -> str:
    (root / "conf/card").mkdir(exist_ok=True)
    (root / "conf/card/churned.yaml").write_text(yaml.safe_dump(said))
    return commit(root, "card")


def register(root: Path) -> None:
    message = "Register\n\n" + json.dumps({"model_sha256": SHA256})
    run(root, "git", "tag", "-a", "-m", message, "gbm@v1.0.0")


def test_a_model_card(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its metadata are Hugging Face's, its sentences a person's, as text; its own card is within."""
    write(
        root,
        {
            **SAID,
            "limitations": "<script>alert(1)</script>\n# Not a heading",
            "license": "apache-2.0",
        },
    )
    register(root)
    card = model_card(root, find(root, "gbm@v1.0.0"))
    _, front, body = card.split("---\n", 2)
    told = yaml.safe_load(front)
    assert told["license"] == "apache-2.0"
    assert told["pipeline_tag"] == "tabular-classification"
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "roc_auc", "value": 0.7, "name": "roc_auc"}]
    assert "<script>" not in body
    assert "\n# Not" not in body
    assert "ROC AUC 0.7" in body
    assert "not a claim of compliance" in body
    monkeypatch.chdir(root)
    models_cli.command.main(["card", "gbm@v1.0.0", "--standard"], standalone_mode=False)
    assert "Annex IV" in capsys.readouterr().out
    data_cli.command.main(["card", "churned"], standalone_mode=False)
    assert "About data_origin" in capsys.readouterr().out


def test_what_nobody_wrote_is_said(root: Path) -> None:
    head = write(root, {"intended_use": "Call people."})
    register(root)
    assert (
        model_card(root, find(root, "gbm@v1.0.0")).count("Nobody wrote this yet")
        == len(SENTENCES) - 1
    )
    card = data_card(root, head, "churned")
    assert "Call people" in card
    assert "| `orders` | `amount` | `double` | yes |" in card
    assert card.count("Nobody wrote this yet") == 4
    assert sentences_at(root, head, "other") == {}


def test_ci_asks_for_what_is_missing(root: Path) -> None:
    """Once a project has cards; and a commit that removes them all is asked, too."""
    bare = commit(root, "no cards")
    assert cards_whole(root, "", bare) is None
    half = cards_whole(
        root, "", write(root, {**SAID, "contact": " ", "limitations": "TODO: think"})
    )
    assert half is not None
    assert (half.status, half.details) == (
        "failed",
        ("conf/card/churned.yaml: limitations, contact",),
    )
    whole = write(root, SAID)
    found = cards_whole(root, "", whole)
    assert found is not None
    assert found.status == "passed"
    (root / "conf/card/churned.yaml").unlink()
    gone = cards_whole(root, whole, commit(root, "gone"))
    assert gone is not None
    assert gone.status == "failed"


@pytest.mark.parametrize("text", ["intended: x", "contact: 3", "- a", "["])
def test_sentences_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(CardError, match=r"conf/card/x\.yaml"):
        parse_sentences(text.encode(), "conf/card/x.yaml")


@given(st.dictionaries(st.sampled_from(list(SENTENCES)), st.text(max_size=6)))
def test_what_is_blank_is_missing(said: dict[str, str]) -> None:
    missing = missing_sentences(said)
    assert all(key in missing for key in SENTENCES if not said.get(key, "").strip())
