"""One project, made from a shop's files as `furrow init` makes it; its stages run in this process."""

from __future__ import annotations

import os
import runpy
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.stages import evaluate, select, tables, train, training_set, validate
from tests.scaffold.shop import Shop, made_shop

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS = 260
QUESTIONS = {
    "binary": Asked(predict="Churned", about="customer", at="Signed Up", known_after="30d"),
    "regression": Asked(predict="Spent Later", about="customer", at="Signed Up", known_after="30d"),
    "multiclass": Asked(predict="Segment", about="customer", at="Signed Up", known_after="30d"),
}


@dataclass(frozen=True)
class Made:
    """A project that was made, and what from."""

    root: Path
    shop: Shop
    plan: InitPlan
    written: list[str]


def written(folder: Path, task: str, shop: Shop) -> Made:
    """A project up to its written files."""
    root = folder / "shop"
    root.mkdir()
    shop.write(folder / "given")
    looked = look([str(folder / "given")], scratch(root) / "landed")
    plan = plan_init(root, looked, QUESTIONS[task], now=datetime.now(UTC))
    stage(root, plan.texts)
    return Made(root, shop, plan, place(root))


def trained(made: Made, name: str) -> Made:
    """The same with every stage run."""
    root = made.root
    compile_project(root, lambda step: None)
    assert validate.validate(root) == 0
    for table in made.plan.features:
        tables.tables(root, table.name)
    training_set.build(root, name, "all")
    for experiment in ("baseline", "linear", "boosting"):
        train.train(root, experiment)
        evaluate.judge(root, experiment)
    select.select(root)
    return made


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A project that predicts churn, trained."""
    made = written(tmp_path_factory.mktemp("binary"), "binary", made_shop(CUSTOMERS))
    return trained(made, "churned")


def ingest(root: Path) -> None:
    """Run a project's pipelines/ingest.py in this process, as a script."""
    before, sys.argv = sys.argv, [os.fspath(root / "pipelines/ingest.py")]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before
