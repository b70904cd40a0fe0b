"""A whole project cut down: two experiments, a small training set that was made up, every other stage a copy."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from furrow.features import manifest
from furrow.features.build import compile_manifest
from furrow.files import write_json
from furrow.ground.experiments import Recorded, list_experiments
from furrow.training.dataset import seal
from furrow.trials.prepare import Request, prepare
from furrow.trials.sweep import Sweeping

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENTS = """# The table of contents.
experiments:
  base_rate: {problem: late, service: full}   # what to beat
  gbm: {problem: late, service: full}
"""
DEFINITIONS = """
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

ABOUT = {"description": "Made up.", "owner": "ada@example.com", "tags": {"domain": "tests"}}
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING, **ABOUT)
table = FileSource(
    name="delays_table", path="../build/tables/delays.parquet", timestamp_field="event_timestamp", **ABOUT
)
schema = [Field(name="a", dtype=Float64, description="Made up.")]
delays = FeatureView(name="delays", entities=[origin], ttl=timedelta(days=1), schema=schema, source=table, **ABOUT)
full = FeatureService(name="full", features=[delays], **ABOUT)
"""
SQL = "select origin, departure as event_timestamp, cast(departure_delay as double) as a from flights order by 1, 2\n"
COPIES = {
    "tables_delays": {
        "cmd": "mkdir -p build/tables && echo delays > build/tables/delays.parquet",
        "deps": ["data/flights", "features/tables/delays.sql", "runs/.validated"],
        "outs": ["build/tables/delays.parquet"],
    },
    "training_set_late_full": {
        "cmd": "mkdir -p build/training/late && cp made_up.parquet build/training/late/full.parquet",
        "deps": [
            "build/tables/delays.parquet",
            "data/flights",
            "features/spines/late.sql",
            "runs/.compiled",
        ],
        "outs": ["build/training/late/full.parquet"],
    },
}
COMPILED = [
    "conf",
    "features/definitions.py",
    "features/spines",
    "features/tables",
    "furrow",
    "pipelines",
]
GITCONFIG = (
    "[user]\n name = Ada Test\n email = ada@example.com\n[init]\n defaultBranch = main\n[safe]\n directory = *\n"
    "[gc]\n auto = 0\n"
)


def training_set(rows: int = 3000, months: int = 6) -> pa.Table:
    """Rows of the spine's form with three features that matter."""
    draw = np.random.default_rng(7)
    start = pd.Timestamp("2013-01-01T06:00Z")
    span = int(
        (start + pd.DateOffset(months=months) - pd.Timedelta(days=1) - start).total_seconds()
    )
    when = start + pd.to_timedelta(np.sort(draw.integers(0, span, rows)), unit="s")
    a, b = draw.normal(size=rows), draw.normal(size=rows)
    c = np.where(draw.random(rows) < 0.1, np.nan, draw.normal(size=rows))
    odds = np.exp(1.2 - 0.9 * a + 0.5 * b * b - 0.3 * np.nan_to_num(c))
    frame = pd.DataFrame(
        {
            "carrier": draw.choice(["UA", "B6", "DL"], rows),
            "flight": np.arange(rows, dtype="int32"),
            "origin": draw.choice(["JFK", "EWR", "LGA"], rows),
            "dest": draw.choice(["BOS", "LAX", "ORD"], rows),
            "tailnum": draw.choice(["N1", "N2"], rows),
            "scheduled_departure": when.as_unit("us"),
            "event_timestamp": (when - pd.Timedelta(hours=2)).as_unit("us"),
            "time_of_day": np.where(when.hour < 12, "morning", "evening"),
            "distance": draw.integers(100, 2500, rows).astype("int32"),
            "label_timestamp": (when + pd.Timedelta(hours=6)).as_unit("us"),
            "late": (draw.random(rows) < 1 / (1 + odds)).astype("int8"),
            "a": a,
            "b": b,
            "c": c,
        }
    )
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def environment(home: Path) -> dict[str, str]:
    """The environment of a command: an isolated home, this interpreter's programs, the project's own packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "FURROW_", "PYTEST"))
    }
    kept.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # a repro is a dozen processes: let them share what they compile
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a Git identity."""
    folder = tmp_path_factory.mktemp("sweep-home")
    (folder / ".gitconfig").write_text(GITCONFIG)
    return folder


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The project, committed, with its training sets but nothing run."""
    root = tmp_path_factory.mktemp("sweep") / "project"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in ("conf", "furrow", "pipelines"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(ROOT / "requirements.lock", root)
    for path in (root / "conf/experiment").glob("*.yaml"):
        if path.stem not in ("base_rate", "gbm"):
            path.unlink()
    (root / "conf/experiments.yaml").write_text(EXPERIMENTS)
    for name, key, value in (
        ("conf/model/gbm.yaml", "max_iter", 12),
        ("conf/config.yaml", "replicates", 8),
        ("conf/engine/local.yaml", "threads", 1),
        ("conf/engine/cluster.yaml", "threads", 1),
    ):
        path = root / name
        text, count = re.subn(rf"(?m)^(\s*){key}: \d+", rf"\g<1>{key}: {value}", path.read_text())
        assert count == 1
        path.write_text(text)
    problem = root / "conf/problem/late.yaml"
    problem.write_text(problem.read_text().replace("test: 3", "test: 2"))
    (root / "conf/problem/delay.yaml").unlink()
    config = root / "conf/config.yaml"
    config.write_text(
        config.read_text().replace("keys: [origin, carrier, dest]", "keys: [origin, carrier]")
    )
    (root / "features/tables").mkdir(parents=True)
    shutil.copytree(ROOT / "features/spines", root / "features/spines")
    shutil.copy(ROOT / "features/feature_store.yaml", root / "features")
    (root / "features/definitions.py").write_text(DEFINITIONS)
    (root / "features/tables/delays.sql").write_text(SQL)
    (root / "data/flights").mkdir(parents=True)
    (root / "data/flights/a").write_text("made up\n")
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    graph["stages"] = {
        **{name: graph["stages"][name] for name in ("compile", "train", "evaluate", "select")},
        "validate": {
            "cmd": "echo fit > runs/.validated",
            "deps": ["data/flights"],
            "outs": ["runs/.validated"],
        },
        **COPIES,
    }
    graph["stages"]["compile"]["deps"] = COMPILED
    (root / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    base_rate = root / "conf/experiment/base_rate.yaml"
    base_rate.write_text(base_rate.read_text().replace("service: schedule", "service: full"))
    made = compile_manifest(root / "features")
    write_json(root / "features/manifest.json", made.to_json())
    facts = {"problem": "late", "service": "full", "digest": made.services["full"].digest}
    table = seal(training_set(), features=["a", "b", "c"], **facts)
    pq.write_table(table, root / "made_up.parquet", compression="zstd")
    (root / "build/training/late").mkdir(parents=True)
    shutil.copy(root / "made_up.parquet", root / "build/training/late/full.parquet")
    (root / ".gitignore").write_text("/build/\n/.furrow/\n__pycache__/\n")
    (root / ".dvcignore").write_text("__pycache__\n")
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "first"],
    ):
        subprocess.run(command, cwd=root, env=environment(home), check=True, capture_output=True)
    return root


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    """A copy of the project for one test to change."""
    return Path(shutil.copytree(original, tmp_path / "project", symlinks=True))


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """The environment of a command that a test starts by itself."""
    return environment(home)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """Run a command in a folder; it must succeed, unless another exit code is expected."""

    def call(
        folder: Path, *command: str, code: int = 0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(home) | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (
            f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    return call


def sweeping(root: Path, *words: str, experiment: str = "gbm", **options: object) -> Sweeping:
    services = manifest.load(root / "features/manifest.json").services
    digests = {name: service.digest for name, service in services.items()}
    request = Request(root, experiment, words, digests, **options)  # type: ignore[arg-type]
    return prepare(request, clock=time.time)


def recorded(root: Path) -> dict[str, Recorded]:
    return {one.name: one for one in list_experiments(root)}


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
