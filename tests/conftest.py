"""Fixtures for every test: an isolated home, a clean Git, real repositories."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # OpenMP reads it when it is loaded: tests run side by side

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from furrow.training.config import Encoding, Evaluation, Experiment, Features
from furrow.training.dataset import TrainingSet, seal
from furrow.training.problem import Problem, Split
from furrow.training.splits import period_names

ROOT = Path(__file__).resolve().parent.parent

# `make test` gives the same answer each time; `make search` draws new examples, many of them.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# Whoever starts the tests in the background may have had SIGINT ignored; commands under test must
# hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    "stories/test_edits", "gitops/test_ci", "runs/sweep/test_sweep_cli", "gitops/test_apply", "gitops/test_plan", "features_repo/test_leakage", "stories/",
    "gitops/test_hook", "gitops/test_merge", "attack/test_ci_attacks", "gitops/test_hostile_repository", "attack/test_reading",
    "runs/replay/", "runs/sweep/", "pipelines/test_ingest", "models/test_registry", "conformance/", "serving/", "scaffold/",
)  # fmt: skip
"""Files of minutes: no process should begin such a one when the others have ended. One story is the first, and the
others come when what it sets up for all is there."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""

    def place(item: pytest.Item) -> int:
        return next(
            (n for n, name in enumerate(LONGEST) if f"tests/{name}" in item.nodeid), len(LONGEST)
        )

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """File by file, as `--dist loadscope` does it, but for those that share a Spark cluster: one process starts it."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - where tests run side by side

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = "tests/conformance/"
            return shared if nodeid.startswith(shared) else super()._split_scope(nodeid)

    return Sharing(config, log)


class Telling:
    """Says which test failed when it fails: the summary comes at the end, and not at all from a run that is cut off."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.write_line("")
            self.terminal.write_line(
                f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s)"
            )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Telling(terminal))


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """HOME, Git's settings and DVC's caches belong to the test."""
    home = tmp_path_factory.mktemp("home")
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(
        "[user]\n name = Ada Test\n email = ada@example.com\n[init]\n defaultBranch = main\n"
        "[commit]\n gpgsign = false\n"
        "[advice]\n detachedHead = false\n[safe]\n directory = *\n[gc]\n auto = 0\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("FEAST_USAGE", "False")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FURROW_PROGRESS", "0")  # it hangs on the clock
    return


@pytest.fixture
def git() -> Callable[..., str]:
    """Run git in a folder and return what it printed."""

    def run(folder: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Path:
    """An empty Git repository with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Four months of made flights: `delay_3h` and the carrier carry signal, `noise` none."""
    generator = np.random.default_rng(11)
    rows = 4000
    departure = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(generator.integers(0, 120 * 1440, rows)), "min"
    )
    carrier = generator.choice(["AA", "B6", "UA"], rows)
    delay = generator.gamma(2.0, 8.0, rows)
    chance = 1 / (1 + np.exp(-(delay / 8 - 3.5 + (carrier == "B6"))))
    return pd.DataFrame(
        {
            "carrier": carrier,
            "flight": generator.integers(1, 900, rows).astype("int32"),
            "origin": generator.choice(["EWR", "JFK", "LGA"], rows),
            "dest": generator.choice(["BOS", "LAX", "ORD", "MIA"], rows),
            "tailnum": generator.choice([f"N{n}" for n in range(40)], rows),
            "scheduled_departure": departure,
            "event_timestamp": departure - pd.Timedelta(hours=2),
            "month": departure.strftime("%Y-%m"),
            "time_of_day": np.where(departure.hour < 12, "morning", "evening"),
            "late": (generator.random(rows) < chance).astype("int8"),
            "delay_3h": np.where(generator.random(rows) < 0.1, np.nan, delay),
            "noise": generator.normal(size=rows),
        }
    )


@pytest.fixture
def experiment() -> Experiment:
    """Gradient boosting on that frame."""
    return Experiment(
        name="gbm",
        seed=5,
        problem=Problem(
            name="late",
            task="binary",
            entity=["carrier", "flight", "origin"],
            spine="features/spines/late.sql",
            label="late",
            known_after="12h",
            split=Split(by="month", test=2, at="scheduled_departure"),
            slices=["origin", "month", "time_of_day"],
        ),
        features=Features(service="full", keys=["origin", "carrier", "dest"], digest="f" * 64),
        model={
            "_target_": "sklearn.ensemble.HistGradientBoostingClassifier",
            "max_iter": 30,
            "max_leaf_nodes": 7,
            "early_stopping": False,
        },
        encoding=Encoding(),
        evaluation=Evaluation(replicates=60),
    )


@pytest.fixture
def training_file(
    frame: pd.DataFrame, tmp_path: Path, write_training_set: Callable[..., None]
) -> Path:
    """The frame as a training set on disk."""
    path = tmp_path / "full.parquet"
    write_training_set(frame, path)
    return path


@pytest.fixture
def write_training_set() -> Callable[..., None]:
    """Writes rows as the stage training_set does."""

    def write(frame: pd.DataFrame, path: Path, digest: str = "f" * 64) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        features = [name for name in ("delay_3h", "noise") if name in frame.columns]
        pq.write_table(
            seal(table, problem="late", service="full", digest=digest, features=features), path
        )

    return write


@pytest.fixture
def training(frame: pd.DataFrame, experiment: Experiment) -> TrainingSet:
    """The frame in memory, its features listed."""
    rows = frame.assign(period=period_names(frame, experiment.problem))
    spine = [name for name in frame.columns if name not in ("delay_3h", "noise")]
    return TrainingSet(rows, ["delay_3h", "noise"], experiment.problem, spine=spine)
