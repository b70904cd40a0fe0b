"""A small DVC repository, real in every part: data, compile, prepare, train, evaluate, each a few lines of Python."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.replay.replay_request import Options
from furrow.replay.replay_verdict import StageVerdict, Verdict
from furrow.replay.run_again import replay

DVC_YAML = """stages:
  compile:
    cmd: python code/compile.py
    deps: [code/compile.py, conf/a.txt]
    outs:
      - runs/.compiled: {cache: false}
  prepare:
    cmd: python code/prepare.py
    deps: [code/prepare.py, data/numbers]
    params: [conf/params.yaml: [scale]]
    outs: [build/ready.csv]
  train:
    foreach: [a]
    do:
      cmd: python code/train.py ${item}
      deps: [code/train.py, build/ready.csv, runs/.compiled]
      params:
        - "runs/${item}/config.yaml": [rate]
      outs: ["build/models/${item}"]
  evaluate:
    foreach: [a]
    do:
      cmd: python code/evaluate.py ${item}
      deps: [code/evaluate.py, build/models/a]
      metrics:
        - runs/${item}/metrics.json: {cache: false}
"""
COMPILE = """from pathlib import Path
rate = Path("conf/a.txt").read_text().strip()
Path("runs/a").mkdir(parents=True, exist_ok=True)
Path("runs/a/config.yaml").write_text(f"rate: {rate}\\nname: a\\n")
Path("runs/.compiled").write_text("compiled\\n")
"""
PREPARE = """from pathlib import Path
scale = int(Path("conf/params.yaml").read_text().split(":")[1])
rows = [int(line) for line in Path("data/numbers/one.csv").read_text().split()]
Path("build").mkdir(exist_ok=True)
Path("build/ready.csv").write_text("row,value\\n" + "".join(f"{n},{row * scale}\\n" for n, row in enumerate(rows)))
"""
TRAIN = """import json, sys
from pathlib import Path
rate = float(Path(f"runs/{sys.argv[1]}/config.yaml").read_text().split()[1])
values = [int(line.split(",")[1]) for line in Path("build/ready.csv").read_text().split()[1:]]
model = {"weight": rate * sum(values)}
folder = Path(f"build/models/{sys.argv[1]}")
folder.mkdir(parents=True, exist_ok=True)
(folder / "model.json").write_text(json.dumps(model))
(folder / "about.txt").write_text("a model\\n")
"""
EVALUATE = """import json, sys
from pathlib import Path
model = json.loads(Path(f"build/models/{sys.argv[1]}/model.json").read_text())
path = Path(f"runs/{sys.argv[1]}/metrics.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"roc_auc": model["weight"] / 100, "rows": 3}) + "\\n")
"""


def environment(**extra: str) -> dict[str, str]:
    """As of a person with the virtual environment activated."""
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


def commit(folder: Path, message: str = "next") -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", message)


def rerun(folder: Path, **extra: str) -> None:
    """What a person does after an edit: `dvc repro` and a commit."""
    run(folder, "dvc", "repro", "-q", **extra)
    commit(folder)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository at rest; not to be changed."""
    folder = tmp_path_factory.mktemp("planted")
    for path, text in {
        ".gitignore": "__pycache__\n/build\n",
        "dvc.yaml": DVC_YAML,
        "code/compile.py": COMPILE,
        "code/prepare.py": PREPARE,
        "code/train.py": TRAIN,
        "code/evaluate.py": EVALUATE,
        "conf/a.txt": "0.5\n",
        "conf/params.yaml": "scale: 2\n",
        "data/numbers/one.csv": "1\n2\n3\n",
        "data/other/two.csv": "7\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "Ada Test")
    run(folder, "git", "config", "user.email", "ada@example.com")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "config", "core.analytics", "false")
    run(folder, "dvc", "add", "data")
    rerun(folder)
    return folder


@pytest.fixture
def world(planted: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed at will."""
    folder = tmp_path / "world"
    shutil.copytree(planted, folder, symlinks=True)
    return folder


@pytest.fixture
def again(tmp_path: Path) -> Callable[..., Verdict]:
    """Replay a repository in a folder of the test's own, and see that nothing of it is left there."""
    room = tmp_path / "room"
    room.mkdir(exist_ok=True)

    def call(folder: Path, rev: str = "HEAD", **options: str) -> Verdict:
        verdict = replay(folder, rev, Options(folder=room, **options))
        assert list(room.iterdir()) == []
        return verdict

    return call


def of(verdict: Verdict, stage: str) -> StageVerdict:
    """One stage of a verdict."""
    return next(one for one in verdict.stages if one.stage == stage)


def reasons(verdict: Verdict, stage: str) -> dict[str, str]:
    """Why a stage differs: text by kind."""
    return {one.kind: one.text for one in of(verdict, stage).reasons}


def differences(verdict: Verdict, stage: str) -> str:
    """What differs in a stage's outputs, in words."""
    return "\n".join(words for output in of(verdict, stage).outputs for words in output.differences)
