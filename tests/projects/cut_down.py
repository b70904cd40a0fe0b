"""This repository's own problems and its examples as projects of the suite: one problem each, cut-down data, small models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.intake.project_data import land_all
from furrow.plan.compile import compile_repository
from furrow.plan.stage_file import write_stages
from pipelines.ingest import ingest
from tests.examples.conftest import DEFAULTS, land_thin, make_cheap
from tests.rawdata import thin

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = Path(__file__).parent
OF_FLIGHTS = ("conf", "features", "pipelines", "dvc.yaml", "requirements.lock")


def bring(name: str, problem: str, experiments: Mapping[str, str], folder: Path) -> None:
    """A project's files and its data.

    Args:
        name: Of its folder in tests/projects or examples/; `flights` for this repository's own.
        problem: The one that is kept.
        experiments: Those that are kept, as conf/experiments.yaml declares them.
        folder: Where to.
    """
    junk = shutil.ignore_patterns("__pycache__", "manifest.json")
    if (PROJECTS / name).is_dir():
        shutil.copytree(PROJECTS / name, folder, ignore=junk)
        return
    if name == "flights":
        folder.mkdir(parents=True)
        for place in OF_FLIGHTS:
            copy = shutil.copytree if (ROOT / place).is_dir() else shutil.copy
            copy(
                ROOT / place,
                folder / place,
                **({"ignore": junk} if copy is shutil.copytree else {}),
            )
        _flights(folder)
    else:
        shutil.copytree(ROOT / "examples" / name, folder, ignore=junk)
        make_cheap(folder)
        if name == "shop":
            land_thin(folder, every=1 if problem == "department_sales" else 5)
            if problem == "department_sales":
                shutil.copy(DEFAULTS / "model/ridge.yaml", folder / "conf/model/ridge.yaml")
        else:
            sources = {"orders": ["given/orders.csv"], "credit_notes": ["given/credit_notes.csv"]}
            land_all(folder, sources)
    _keep(folder, problem, experiments)
    write_stages(folder, compile_repository(folder, check=False).stages)


def _flights(folder: Path) -> None:
    """A sixth of five months, fewer trees, and the limits of a gate that so few rows can reach."""
    ingest(folder / "data", through=5)
    thin(folder / "data", every=6)
    change(folder / "dvc.yaml", "      - furrow\n", "")
    for model in ("gbm", "gbm_regressor"):
        change(folder / f"conf/model/{model}.yaml", "max_iter: 80", "max_iter: 12")
    for problem in ("late", "delay"):
        change(folder / f"conf/problem/{problem}.yaml", "test: 3", "test: 2")
    change(folder / "conf/config.yaml", "replicates: 200", "replicates: 40")
    few = "rows: {min: 20000, max: 40000}"
    change(folder / "conf/data/contract.yaml", few, "rows: {min: 3000, max: 40000}")
    gate = folder / "conf/gate/late.yaml"
    change(gate, "minimum: {roc_auc: 0.65, pr_auc: 0.30}", "minimum: {roc_auc: 0.55}")
    change(gate, "maximum: {ece: 0.06, log_loss: 0.55}", "maximum: {ece: 0.3}")
    change(gate, "at_least: 0.10", "at_least: 0.02")
    change(gate, "floor: 0.55", "floor: 0.4")


def _keep(folder: Path, problem: str, experiments: Mapping[str, str]) -> None:
    """Leave one problem, and these experiments of it."""
    lines = "".join(f"  {name}: {entry}\n" for name, entry in experiments.items())
    (folder / "conf/experiments.yaml").write_text(f"experiments:\n{lines}")
    for kind, kept in (("experiment", set(experiments)), ("problem", {problem}), ("gate", {problem}),
                       ("card", {problem})):  # fmt: skip
        for path in (folder / "conf" / kind).glob("*.yaml"):
            if path.stem not in kept or (
                kind == "experiment" and "model:" in experiments[path.stem]
            ):
                path.unlink()
    for path in (folder / "features/spines").glob("*.sql"):
        if path.stem != problem:
            path.unlink()


def change(path: Path, old: str, new: str) -> None:
    """Another text in a file, where the old one stands."""
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))
