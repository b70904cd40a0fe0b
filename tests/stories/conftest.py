"""A real repository for stories: this one's files, a sixth of four months' flights, small models, brought to rest."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rawdata import thin

ROOT = Path(__file__).parents[2]
EXPERIMENTS = """experiments:
  base_rate: {problem: late, service: schedule}
  gbm_schedule: {problem: late, service: schedule}
  gbm: {problem: late, service: full}
  delay_gbm: {problem: delay, service: full}
"""


@dataclass(frozen=True)
class Repro:
    """What one `dvc repro` did: stages that ran, and stages that came back from the cache."""

    ran: set[str]
    cached: set[str]
    output: str


def environment(**extra: str) -> dict[str, str]:
    """The environment of a person at a terminal with the virtual environment activated."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **extra,
    }


def run(
    folder: Path, *command: str, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; when it must succeed and does not, show what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def repro(folder: Path, *arguments: str, **extra: str) -> Repro:
    """Run `dvc repro` and tell which stages ran."""
    done = run(folder, "dvc", "repro", *arguments, **extra)
    text = done.stdout + done.stderr
    return Repro(
        set(re.findall(r"Running stage '([^']+)'", text)),
        set(re.findall(r"Stage '([^']+)' is cached", text)),
        text,
    )


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", message)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def plant(folder: Path) -> Path:
    """A copy of this repository's files with three small experiments, committed."""
    names = run(ROOT, "git", "ls-files", "-z", "-co", "--exclude-standard").stdout.split("\0")
    for name in filter(None, names):
        if name.startswith(("runs/", "dvc.lock", "data.dvc")) or not (ROOT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "conf/experiments.yaml").write_text(EXPERIMENTS)
    for path in (folder / "conf/experiment").glob("*.yaml"):
        if f"  {path.stem}:" not in EXPERIMENTS:
            path.unlink()
    edit(folder / "conf/model/gbm.yaml", "max_iter: 80", "max_iter: 8")
    edit(folder / "conf/model/gbm_regressor.yaml", "max_iter: 80", "max_iter: 8")
    for problem in ("late", "delay"):
        edit(folder / f"conf/problem/{problem}.yaml", "test: 3", "test: 2")
    edit(folder / "conf/config.yaml", "replicates: 200", "replicates: 20")
    edit(
        folder / "conf/data/contract.yaml",
        "rows: {min: 20000, max: 40000}",
        "rows: {min: 3000, max: 40000}",
    )
    edit(
        folder / "conf/gate/late.yaml",
        "minimum: {roc_auc: 0.65, pr_auc: 0.30}",
        "minimum: {roc_auc: 0.55}",
    )
    edit(
        folder / "conf/gate/late.yaml",
        "maximum: {ece: 0.06, log_loss: 0.55}",
        "maximum: {ece: 0.3}",
    )
    edit(folder / "conf/gate/late.yaml", "floor: 0.55", "floor: 0.4")
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "Ada Test")
    run(folder, "git", "config", "user.email", "ada@example.com")
    commit(folder, "declare")
    return folder


def land(folder: Path, through: str, **extra: str) -> None:
    """Land January to a month, and keep every sixth aircraft's flights: rows cost time, and stories need few."""
    run(folder, sys.executable, "-m", "pipelines.ingest", "--through", through, **extra)
    thin(folder / "data", every=6)
    run(folder, "dvc", "add", "-q", "data", **extra)


def grow(folder: Path, **extra: str) -> Path:
    """Land January to April, run every stage, commit."""
    land(folder, "2013-04", **extra)
    repro(folder, **extra)
    commit(folder, "run")
    return folder


@pytest.fixture(scope="session")
def rested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with every stage run; not to be changed. Test processes side by side share one."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "rested"
    with (shared / "rested.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "rested.done").exists():
            folder.mkdir()
            grow(plant(folder), PYTHONHASHSEED="1")
            (shared / "rested.done").touch()
    return folder


@pytest.fixture
def flights(rested: Path, tmp_path: Path) -> Path:
    """A copy of the rested repository, to be changed at will."""
    folder = tmp_path / "flights"
    subprocess.run(["cp", "-a", "--reflink=auto", str(rested), str(folder)], check=True)
    return folder


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a folder."""
    return run
