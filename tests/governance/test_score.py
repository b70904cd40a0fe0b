"""The ML Test Score: a project that has all 28, and each taken out of it by hand; what a person did, and for how long."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.cli import score as score_cli
from furrow.files import sha256_bytes
from furrow.governance.ml_test_score import Score, ScoreError, badge, score
from furrow.governance.score_evidence import Evidence, evidence_at
from furrow.governance.score_history import score_at, scores_before
from furrow.governance.score_tests import SECTIONS, TESTS
from tests.proof.signingpeople import commit, project

NOW = datetime(2024, 6, 1, tzinfo=UTC)
Files = dict[str, Any]


def whole() -> tuple[Files, dict[str, int], tuple[str, ...]]:
    """Everything that the 28 ask for, as values."""
    lock = "a==1\n"
    record = {
        "problem": "churned",
        "periods": {"train": ["2023-01"], "test": ["2023-02", "2023-03"]},
        "environment": {"lock_sha256": sha256_bytes(lock.encode())},
    }
    files: Files = {
        "conf/data/contract.yaml": {"tables": {"orders": {"columns": {"amount": {"type": "double"}}}}},
        "conf/experiments.yaml": {"experiments": {"gbm": {}, "small": {}}},
        "conf/cost.yaml": {"cpu_hour": 1, "budget": {"commit": 2}},
        "conf/problem/churned.yaml": {"task": "binary", "slices": ["country"]},
        "conf/gate/churned.yaml": {
            "tells": 0.99,
            "baseline": {"metric": "log_loss"},
            "minimum": {"roc_auc": 0.6},
            "slices": {"floor": 0.5},
        },
        "conf/deployment/production.yaml": {
            "model": "gbm@v1.1.0",
            "log": {"redact": ["email"]},
            "canary": {"model": "gbm@v1.2.0", "abort": {"label": True, "slower_than": "50ms"}},
        },
        "conf/monitor/production.yaml": {
            "fairness": {"groups": ["sex"], "limits": {"demographic_parity": 0.1}},
            "alarms": [{"to": "file", "path": "a"}],
        },
        "conf/owners.yaml": {"due": {1: "30d"}},
        "conf/trust.yaml": {"roles": {"approve": {"who": ["a", "b"], "four_eyes": True}}},
        "features/tables/orders_days.sql": "select 1",
        "dvc.lock": {"stages": {"validate": {}, "tables_orders_days": {}}},
        "requirements.lock": lock,
        "runs/gbm/record.json": {**record, "service": "full", "trials": [{"value": 1}]},
        "runs/gbm/metrics.json": {"roc_auc": 0.8},
        "runs/small/record.json": {**record, "service": "small", "trials": []},
        "runs/small/metrics.json": {"roc_auc": 0.7},
        "runs/champion.json": {"format": 2, "problems": {"churned": {"verdicts": {"gbm": {"passed": True}}}}},
        "tests/test_it.py": "def test_tables():\n    'orders_days gbm small'\n",
        ".github/workflows/ci.yml": "run: furrow ci\nrun: furrow features verify\nrun: make test\nrun: furrow models list --all-repos --check\n",
    }  # fmt: skip
    return files, {"production": 2}, ("ci@example.com",)


def text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else yaml.safe_dump(value).encode()


def evidence(files: Files, served: dict[str, int], replayed: tuple[str, ...]) -> Evidence:
    contents = {
        path: json.dumps(value).encode() if path.endswith(".json") else text(value)
        for path, value in files.items()
    }
    return Evidence(contents, served, replayed)


def points(made: Score) -> dict[str, float]:
    return {one.id: one.points for one in made.answers}


def drop(path: str, *names: str) -> Callable[[Files], None]:
    """Take a key, or a whole file, out."""

    def take(files: Files) -> None:
        if not names:
            del files[path]
            return
        inner = files[path]
        for name in names[:-1]:
            inner = inner[name]
        del inner[names[-1]]

    return take


def put(path: str, *names: Any) -> Callable[[Files], None]:
    *way, value = names

    def take(files: Files) -> None:
        if not way:
            files[path] = value
            return
        inner = files[path]
        for name in way[:-1]:
            inner = inner[name]
        inner[way[-1]] = value

    return take


PRODUCTION, WATCH, GATE = (
    "conf/deployment/production.yaml",
    "conf/monitor/production.yaml",
    "conf/gate/churned.yaml",
)
OUT: dict[str, Callable[[Files], None]] = {
    "data.1": drop("dvc.lock", "stages", "validate"),
    "data.2": put("runs/small/record.json", "service", "full"),
    "data.3": drop("conf/cost.yaml", "budget"),
    "data.4": put(GATE, "tells", None),
    "data.5": put(PRODUCTION, "log", "redact", []),
    "data.6": drop("dvc.lock", "stages", "tables_orders_days"),
    "data.7": put("tests/test_it.py", "'gbm small'"),
    "model.1": put("conf/trust.yaml", "roles", "approve", "four_eyes", False),
    "model.2": put(PRODUCTION, "canary", "abort", "label", False),
    "model.3": put("runs/gbm/record.json", "trials", []),
    "model.4": put("runs/small/record.json", "periods", {"test": ["2023-02"]}),
    "model.5": put(GATE, "baseline", None),
    "model.6": drop(GATE, "slices"),
    "model.7": drop(WATCH, "fairness"),
    "infrastructure.1": lambda files: None,  # the replay itself
    "infrastructure.2": put("tests/test_it.py", "'orders_days gbm'"),
    "infrastructure.3": put(
        ".github/workflows/ci.yml", "run: furrow features verify\nfurrow models list"
    ),
    "infrastructure.4": put("runs/champion.json", "problems", {}),
    "infrastructure.5": put(PRODUCTION, "log", "sample", 0),
    "infrastructure.6": drop(PRODUCTION, "canary"),
    "infrastructure.7": lambda files: None,  # the version before
    "monitoring.1": drop("requirements.lock"),
    "monitoring.2": put("conf/deployment/staging.yaml", {"model": "x", "log": {"redact": ["a"]}}),
    "monitoring.3": put(".github/workflows/ci.yml", "run: furrow ci\nfurrow models list"),
    "monitoring.4": drop("conf/owners.yaml", "due"),
    "monitoring.5": drop(GATE, "minimum"),
    "monitoring.6": drop(PRODUCTION, "canary", "abort", "slower_than"),
    "monitoring.7": put(WATCH, "alarms", []),
}
ALSO = {"infrastructure.6": {"model.2", "monitoring.6"}}
"""What goes with it: a canary's signals go with the canary."""


def test_a_project_with_every_check_has_every_point() -> None:
    made = score(evidence(*whole()), now=NOW)
    assert {one.id: one.missing for one in made.answers if one.points < 1} == {}
    assert (made.total, made.points) == (7, 28)
    assert [len([one for one in TESTS if one.section == name]) for name in SECTIONS] == [7] * 4
    assert set(OUT) == {one.id for one in TESTS}


@pytest.mark.parametrize("name", list(OUT))
def test_taking_any_single_check_out_lowers_the_score(name: str) -> None:
    """28 times: the very test whose check went has no point any more, and the score is lower."""
    files, served, replayed = whole()
    OUT[name](files)
    if name == "infrastructure.1":
        replayed = ()
    if name == "infrastructure.7":
        served = {"production": 1}
    made = score(evidence(files, served, replayed), now=NOW)
    lost = {one for one, worth in points(made).items() if worth < 1}
    assert lost == {name} | ALSO.get(name, set())
    assert made.total < 7
    assert made.points < 28
    answer = next(one for one in made.answers if one.id == name)
    assert answer.missing
    assert not answer.evidence


def test_nothing_is_worth_nothing() -> None:
    made = score(Evidence({}), now=NOW)
    assert (made.total, made.points) == (0, 0)
    assert made.means.startswith("more of a research project")


def declared(value: Any) -> Score:
    files, served, replayed = whole()
    OUT["data.5"](files)
    files["conf/score.yaml"] = value
    return score(evidence(files, served, replayed), now=NOW)


def test_what_a_person_did_is_half_a_point_for_a_while() -> None:
    def manual(on: str) -> str:
        return f"manual: {{data.5: {{by: ada, date: {on}, how: docs/privacy.md}}}}"

    fresh = declared(manual("2024-05-01"))
    assert points(fresh)["data.5"] == 0.5
    assert fresh.total == 6.5
    old, ahead = declared(manual("2023-05-01")), declared(manual("2025-05-01"))
    said = [
        next(one.missing for one in made.answers if one.id == "data.5") for made in (old, ahead)
    ]
    assert said == [
        "it was done on 2023-05-01, 397 days ago: do it again",
        "it was done on 2025-05-01, which is yet to come",
    ]
    assert points(old)["data.5"] == points(ahead)["data.5"] == 0


@pytest.mark.parametrize(
    ("value", "worth"),
    [
        ("run: make test\ntests: {data.5: [tests/test_it.py::test_tables]}", 1),
        ("run: make test\ntests: {data.5: [tests/test_it.py::test_gone]}", 0),
        ("run: make test\ntests: {data.5: [tests/gone.py::test_tables]}", 0),
        ("run: tox\ntests: {data.5: [tests/test_it.py::test_tables]}", 0),
        ("tests: {data.5: [tests/test_it.py::test_tables]}", 0),
    ],
)
def test_named_tests_count_if_they_are_there_and_ci_runs_them(value: str, worth: float) -> None:
    assert points(declared(value))["data.5"] == worth


@pytest.mark.parametrize(
    "value",
    [
        "manuals: {}",
        "manual: {data.9: {by: a, date: 2024-01-01, how: x}}",
        "manual: {data.1: {by: a, date: yesterday, how: x}}",
        "manual: {data.1: {by: a, date: 2024-01-01T00:00:00Z, how: x}}",
        "manual: {data.1: {by: a, date: 2024-01-01}}",
        "manual: {data.1: yes}",
        "tests: {data.1: tests/a.py}",
        "tests: {data.1: [tests/a.py]}",
        "valid: long",
        "- a",
        "[",
    ],
)
def test_what_cannot_be_meant(value: str) -> None:
    with pytest.raises(ScoreError, match=r"conf/score\.yaml"):
        declared(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(set(whole()[0]) - {"conf/score.yaml"})), anything)
def test_no_file_of_a_stranger_makes_it_fail(path: str, value: Any) -> None:
    """Whatever a file holds, the others still count, and no test is worth more than it was."""
    files, served, replayed = whole()
    files[path] = value
    made = score(evidence(files, served, replayed), now=NOW)
    assert 0 <= made.total <= 7


def test_a_commit_and_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read from Git, not from the work tree; the badge is an SVG without anything from elsewhere."""
    root = project(tmp_path / "project", "", "")
    for path, value in whole()[0].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(
            json.dumps(value).encode() if path.endswith(".json") else text(value)
        )
    head = commit(root, "everything")
    (root / "conf/cost.yaml").unlink()
    made = score_at(root, head, now=NOW)
    assert {name for name, worth in points(made).items() if worth < 1} == {
        "infrastructure.1",
        "infrastructure.7",
    }
    assert [one.points for _, one in scores_before(root, head, 5, now=NOW)] == [26, 0]
    found = evidence_at(root, head)
    assert found.served == {"production": 1}
    monkeypatch.chdir(root)
    assert (
        score_cli.command.main(["--badge", "badge.svg", "--at-least", "6"], standalone_mode=False)
        == 1
    )
    assert "score 5 of 7" in capsys.readouterr().out
    svg = (root / "badge.svg").read_text()
    assert "5 of 7" in svg
    assert "href" not in svg
    assert badge(made, NOW).startswith("<svg")
    assert score_cli.command.main(["--history", "3", "--json"], standalone_mode=False) == 0
    assert [one["points"] for one in json.loads(capsys.readouterr().out)["commits"]] == [26, 0]
