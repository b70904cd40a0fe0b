"""Costs: sums that lose nothing, factors that can't be misread, a forecast from what was measured, a budget that holds."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.ci.budget_check import budget_check
from furrow.cli import cost as cost_cli
from furrow.cli.plan import _forecast
from furrow.governance.cost import GROUPS, Spent, forecast, spent, spent_by
from furrow.governance.cost_factors import CostError, parse_factors, read_factors
from furrow.governance.quality import champion_metrics
from furrow.governance.spending import lines_of, problems_of, spending
from tests.proof.signingpeople import commit, project, run

FACTORS = b"""
currency: EUR
cpu_hour: 0.5
gb_hour: 0.1
watts_per_cpu: 10
overhead: 2
grams_per_kwh: 400
budget: {commit: 1.0, month: 3.0}
"""


def line(stage: str, cpu: float, started: float = 1.7e9) -> dict[str, Any]:
    return {
        "stage": stage,
        "started": started,
        "seconds": cpu / 2,
        "cpu_seconds": cpu,
        "peak_mb": 2000.0,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that trained twice and tried once, with factors."""
    root = project(tmp_path / "project", "", "")
    (root / "conf/cost.yaml").write_bytes(FACTORS)
    (root / "runs/gbm/config.yaml").write_text("problem: {name: churned}\n")
    champion = {
        "format": 2,
        "problems": {
            "churned": {
                "experiment": "gbm",
                "gate": {"select": {"metric": "roc_auc"}},
                "verdicts": {"gbm": {"passed": True}},
            }
        },
    }
    (root / "runs/champion.json").write_text(json.dumps(champion))
    commit(root, "factors")
    (root / ".furrow").mkdir()
    text = "\n".join(
        json.dumps(one)
        for one in (line("train@gbm", 3600), line("validate", 36), line("train@gbm", 7200))
    )
    (root / ".furrow/journal.jsonl").write_text(f"{text}\n{{cut short")
    message = "try\n\nFurrow-Trial: t\nFurrow-Experiment: gbm\nFurrow-Seconds: 5\nFurrow-Cpu-Seconds: 10.5\n"
    tree = run(root, "git", "write-tree").strip()
    made = run(root, "git", "commit-tree", tree, "-m", message).strip()
    run(root, "git", "update-ref", f"refs/exps/{made[:2]}/{made[2:]}/t", made)
    return root


def test_what_factors_make_of_a_run(root: Path) -> None:
    """An hour of one processor and an hour of 1 GB, by hand."""
    factors = read_factors(root)
    assert factors is not None
    one = Spent(1, 1800.0, 3600.0, 3600.0)
    assert one.price(factors) == pytest.approx(0.6)
    assert one.kwh(factors) == pytest.approx(0.02)
    assert one.grams(factors) == pytest.approx(8.0)
    bare = parse_factors(b"currency: EUR\n")
    assert (one.price(bare), one.kwh(bare), one.grams(bare)) == (None, None, None)


def test_spending_by_everything(root: Path) -> None:
    assert len(lines_of(root)) == 4
    assert {
        name: round(one.cpu_seconds, 1) for name, one in spending(root, "experiment").items()
    } == {
        "gbm": 10810.5,
        "–": 36.0,
    }
    assert set(spending(root, "run")) == {"train@gbm", "try@gbm", "validate"}
    assert spending(root, "problem")["churned"].runs == 3
    assert problems_of(root) == {"gbm": "churned"}
    assert champion_metrics(root) == {"gbm": "roc_auc 0.7000"}


numbers = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.floats(), st.integers(-5, 10**6)
)


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "stage": st.sampled_from(["a@x", "b@x", "c"]),
                "seconds": numbers,
                "cpu_seconds": numbers,
                "peak_mb": numbers,
                "started": numbers,
            }
        ),
        max_size=8,
    )
)
def test_every_grouping_sums_to_the_same(lines: list[dict[str, Any]]) -> None:
    """Whatever a journal's lines hold: nothing is lost, nothing negative or infinite comes of them."""
    whole = spent(lines)
    assert whole.runs == len(lines)
    for key in GROUPS.values():
        total = sum(spent_by(lines, key).values(), Spent())
        assert total.runs == whole.runs
        assert total.unmeasured == whole.unmeasured
        assert total.cpu_seconds == pytest.approx(whole.cpu_seconds)
        assert 0 <= total.gb_seconds == pytest.approx(whole.gb_seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cpu_hours: 1", "no key cpu_hours"),
        ("cpu_hour: -1", "cpu_hour is -1"),
        ("cpu_hour: .nan", "cpu_hour is nan"),
        ("cpu_hour: true", "cpu_hour is True"),
        ("cpu_hour: cheap", "cpu_hour is 'cheap'"),
        ("overhead: 0.5", "overhead is 0.5"),
        ("cpu_hour: 1\nbudget: {day: 1}", "budget is"),
        ("budget: {month: 1}", "a budget and no price"),
        ("cpu_hour: 1\nbudget: {month: no}", "budget.month is False"),
        ("- 1", "holds no mapping"),
        ("[", "not valid YAML"),
    ],
)
def test_factors_that_cannot_be_meant(text: str, said: str) -> None:
    with pytest.raises(CostError, match=said):
        parse_factors(text.encode())


def test_a_forecast_is_the_median_of_what_was_measured(root: Path) -> None:
    lines = [line("train@gbm", cpu) for cpu in (1, 1000, 10, 11, 12, 13)]
    assert forecast(["train@gbm"], lines).cpu_seconds == 12  # of the last five
    found = forecast(["train@gbm", "train@new"], lines)
    assert (found.runs, found.unmeasured) == (2, 1)
    stages = [
        SimpleNamespace(name="train@gbm", action="run"),
        SimpleNamespace(name="validate", action="restore"),
    ]
    told = _forecast(root, SimpleNamespace(stages=stages))  # type: ignore[arg-type]
    assert told is not None
    assert (told["cpu_seconds"], told["currency"]) == (7200.0, "EUR")


def test_the_budget_of_a_commit(root: Path) -> None:
    """It is the target branch's: a commit that raises its own gains nothing."""
    tip = run(root, "git", "rev-parse", "HEAD").strip()
    (root / "conf/cost.yaml").write_bytes(FACTORS.replace(b"commit: 1.0", b"commit: 100"))
    head = commit(root, "more money")

    def judged(tip: str) -> Any:
        bench = SimpleNamespace(place=root)
        return budget_check(SimpleNamespace(root=root, tip=tip, result=head, bench=bench))  # type: ignore[arg-type]

    assert judged(tip).status == "failed"
    assert "of 1.00" in judged(tip).text
    assert judged("").status == "passed"
    (root / "conf/cost.yaml").unlink()
    assert judged(commit(root, "no factors")) is None


def test_the_command(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert cost_cli.command.main([], standalone_mode=False) == 0
    assert "roc_auc 0.7000" in capsys.readouterr().out
    assert cost_cli.command.main(["--by", "month", "--json"], standalone_mode=False) == 0
    assert "2023-11" in json.loads(capsys.readouterr().out)["spent"]
    with (root / ".furrow/journal.jsonl").open("a") as handle:
        handle.write("\n" + json.dumps(line("train@gbm", 360000, time.time())) + "\n")
    assert cost_cli.command.main([], standalone_mode=False) == 1
    assert "exceeds its budget" in capsys.readouterr().out
