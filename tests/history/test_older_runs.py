"""runs/ as commits before there were problems hold it (samples/runs_1, of this repository's own history) is still read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.ci.gather import champion_before, champions_of
from furrow.history.compared_as import compared_as
from furrow.history.named_run import run
from furrow.history.run_diff import diff_runs
from furrow.history.show import describe
from furrow.models.register import champions_at, register
from furrow.training import config
from furrow.training.champions import Champion, read_champions, verdict_of
from furrow.training.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parent / "samples/runs_1"
NAME = "gbm_schedule"


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository whose one commit holds a run and a champion of that format."""
    folder = tmp_path / "older"
    shutil.copytree(SAMPLES, folder / "runs")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "older")
    return folder


def test_a_run_shows_and_compares(repo: Path) -> None:
    """Metrics, slices and months are read; it counts as binary, drawn by days; a diff with itself is none."""
    found = run(NAME, "HEAD", repo=repo)
    assert 0.6 < found.numbers["roc_auc"] < 0.8
    assert found.record["months"]["test"] == ["2013-07", "2013-08", "2013-09"]
    assert describe(found, lambda *_: []).problems == ()
    about = compared_as(found, found)
    assert (about.task, about.block) == ("binary", "day")
    assert not diff_runs(found, found)


def test_the_champion_is_that_of_the_only_problem(repo: Path) -> None:
    """It has no problem's name; later commits find it by its runs, and the registry by its verdicts."""
    champions = read_champions((SAMPLES / "champion.json").read_bytes())
    assert list(champions) == [""]
    assert champions[""].experiment == "gbm"
    assert champions[""].metric == "log_loss"
    assert verdict_of(champions, NAME)
    assert champions_at(repo, "HEAD")[""].experiment == "gbm"
    now = Champion(
        problem="late", experiment=NAME, verdicts={NAME: {"passed": True, "failures": []}}
    )
    there = champions_of((SAMPLES / "champion.json").read_bytes())
    before = champion_before(
        there, Champion("late", "gbm", verdicts={"gbm": {"passed": True, "failures": []}})
    )
    assert before is not None
    assert before.experiment == "gbm"
    assert champion_before(there, now) is None, (
        "the champion then is none of the runs of this problem"
    )
    with pytest.raises(Exception, match=r"has no runs/gbm/record\.json"):
        register(repo)


def test_its_config_says_what_to_do(repo: Path) -> None:
    """A stage that is run on it names the next step: declare the problem, and compile."""
    with pytest.raises(
        ProblemError, match="is of the format before problems were declared"
    ) as caught:
        config.load(repo / f"runs/{NAME}/config.yaml")
    assert "conf/problem/NAME.yaml" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "can't be read"), ("{}", "holds no verdict"), ('{"format": 3, "problems": {}}', "has format 3, not 2"),
     ('{"format": 2, "problems": {"late": {"verdicts": {"gbm": 1}}}}', "a verdict is not a mapping")],
)  # fmt: skip
def test_a_champion_that_is_none(text: str, said: str) -> None:
    """Another shape or a newer format is told with what writes it again."""
    with pytest.raises(Exception, match=said) as caught:
        read_champions(text)
    assert "dvc repro select" in str(caught.value)
