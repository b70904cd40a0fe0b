"""Each everyday addition is written and compiles; one that does not leaves everything as it was."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from furrow.cli.add import command
from furrow.errors import FurrowError
from furrow.features.manifest import load as load_manifest
from furrow.plan.compile import compile_repository
from furrow.scaffold.add_files import write_addition
from furrow.scaffold.add_problem import add_problem
from furrow.scaffold.additions import (
    AdditionError,
    add_experiment,
    add_metric,
    add_service,
    add_table,
    add_view,
)
from furrow.scaffold.answers import Asked
from furrow.stages import tables, training_set
from furrow.training.metric_functions import metric_function
from furrow.training.metrics import Rows
from furrow.training.own_metrics import own_metrics
from tests.scaffold.test_new_project import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scaffold.conftest import Made


@pytest.fixture(scope="module")
def copy(project: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained project, to which one test after the other adds."""
    root = tmp_path_factory.mktemp("added") / "shop"
    return shutil.copytree(project.root, root, symlinks=True)


def declared(root: Path) -> set[str]:
    return set(yaml.safe_load((root / "dvc.yaml").read_text())["stages"])


def test_a_table(copy: Path) -> None:
    """A feature table and its view, keyed as those that are there; its rows can be built."""
    written = write_addition(copy, add_table(copy, "spending", of="orders"))
    assert {"features/tables/spending.sql", "features/spending_view.py", "dvc.yaml"} <= set(written)
    view = load_manifest(copy / "features/manifest.json").views["spending"]
    assert [key.name for key in view.join_keys] == ["customer_id"]
    assert {"spending_30d", "spending_total_sum_7d"} <= {one.name for one in view.features}
    assert "tables_spending" in declared(copy)
    tables.tables(copy, "spending")
    rows = pq.read_table(copy / "build/tables/spending.parquet")
    mine = rows.rename_columns([name.replace("spending_", "orders_") for name in rows.column_names])
    assert mine.equals(pq.read_table(copy / "build/tables/orders_history.parquet"))


def test_a_table_of_several_keys(copy: Path) -> None:
    """Windows of each pair of two columns, keyed by both: the entity that is there, and a new one."""
    write_addition(copy, add_table(copy, "traffic", of="orders", about="customer_id, Channel"))
    view = load_manifest(copy / "features/manifest.json").views["traffic"]
    assert {key.name for key in view.join_keys} == {"customer_id", "channel"}
    assert "definitions.about, about_2" in (copy / "features/traffic_view.py").read_text()
    tables.tables(copy, "traffic")
    rows = pq.read_table(copy / "build/tables/traffic.parquet").to_pandas()
    raw = pq.read_table(copy / "data/landed/orders.parquet").to_pandas()
    counted = raw.groupby(["customer_id", "channel"]).size()
    most = rows.groupby(["customer_id", "channel"])["traffic_90d"].max()
    assert set(most.index) == set(counted.index)
    assert (most <= counted).all()
    assert most.max() > 1


def test_a_view_of_sql_by_hand(copy: Path) -> None:
    """The types of the view are those that the SQL gives; a new key gets an entity."""
    with pytest.raises(AdditionError, match="furrow add table products --of RAW"):
        add_view(copy, "products")
    (copy / "features/tables/products.sql").write_text(
        "select product, timestamptz '2020-01-01 00:00:00+00' as event_timestamp,\n"
        "    sum(price) as product_revenue, count(*) as product_lines, min(product) as product_word\n"
        "from order_lines group by product order by product\n"
    )
    write_addition(copy, add_view(copy, "products"))
    view = load_manifest(copy / "features/manifest.json").views["products"]
    assert [(key.name, key.dtype) for key in view.join_keys] == [("product", "String")]
    types = {one.name: one.dtype for one in view.features}
    assert types == {
        "product_revenue": "Float64",
        "product_lines": "Int64",
        "product_word": "String",
    }


def test_a_service_and_an_experiment_on_it(copy: Path) -> None:
    """Views of several files in one service; an experiment of one line, on the task's own model."""
    write_addition(copy, add_service(copy, "lean", ["customers_profile", "spending"]))
    service = load_manifest(copy / "features/manifest.json").services["lean"]
    assert [part.view for part in service.views] == ["customers_profile", "spending"]
    write_addition(copy, add_experiment(copy, "leaner", service="lean", options={}))
    listed = yaml.safe_load((copy / "conf/experiments.yaml").read_text())["experiments"]
    assert listed["leaner"] == {"problem": "churned", "service": "lean", "model": "gbm"}
    assert (copy / "runs/leaner/config.yaml").is_file()
    assert "training_set_churned_lean" in declared(copy)


@pytest.mark.long
def test_a_metric(copy: Path) -> None:
    """A function to be made one's own judges runs as it stands: by hand, 5 for each that was missed."""
    write_addition(copy, add_metric(copy, "cost"))
    write_addition(copy, add_metric(copy, "second_cost"))
    assert (copy / "pipelines/metrics.py").read_text().count("import numpy") == 1
    compile_repository(copy)
    rows = pq.read_table(copy / "build/predictions/linear.parquet").to_pandas()
    said = rows["probability"] >= 0.5
    wrong = 5 * ((rows["label"] == 1) & ~said) + ((rows["label"] == 0) & said)
    judged = Rows(rows, np.arange(len(rows)), np.ones((1, len(rows))))
    for metric in own_metrics(copy).values():
        assert metric_function(metric)(judged) == pytest.approx([float(wrong.mean())])


def test_a_problem(copy: Path) -> None:
    """Its own features beside the label, the events that are there as they are; what tells the other label stays out."""
    asked = Asked(predict="spent_later", about="customer", at="signed_up", known_after="30d")
    addition = add_problem(copy, "spending_later", asked)
    write_addition(copy, addition)
    manifest = load_manifest(copy / "features/manifest.json")
    service = manifest.services["spending_later"]
    names = {feature for part in service.views for feature in part.features}
    assert "orders_history" in {part.view for part in service.views}
    assert not any("spent_later" in name or "churned" in name for name in names)
    assert any("customers.churned is left out" in note for note in addition.notes)
    assert {"runs/spending_later_boosting", "runs/spending_later_baseline"} <= {
        path.parent.relative_to(copy).as_posix() for path in copy.glob("runs/*/config.yaml")
    }
    tables.tables(copy, "spending_later_customers_profile")
    training_set.build(copy, "spending_later", "spending_later")
    rows = pq.read_table(copy / "build/training/spending_later/spending_later.parquet")
    assert rows.num_rows == 260


def test_a_problem_beside_another_is_about_the_same(copy: Path) -> None:
    """Whom it is about and when it is known are as the first problem has it, and it is told."""
    addition = add_problem(copy, "spending_again", Asked(predict="spent_later"))
    first = yaml.safe_load((copy / "conf/problem/churned.yaml").read_text())
    answers = {question: (answer, why) for question, answer, why in addition.answers}
    told = "as churned has it, whose label is in customers, too"
    assert answers["about"] == (first["entity"][0], told)
    assert answers["known after"] == (first["known_after"], told)
    assert first["known_after"] != "0h"


def test_all_of_it_compiles(copy: Path) -> None:
    """With every addition, dvc.yaml is what the declarations ask for, to the last dependency."""
    compiled = compile_repository(copy)
    assert len(compiled.experiments) == 7


WRONG = {
    "a name": (["experiment", "2nd"], "is not a name"),
    "taken": (["experiment", "linear"], "already"),
    "no model": (["experiment", "odd", "--model", "gbmm"], "gbm"),
    "no service": (["experiment", "odd", "--service", "al"], "did you mean 'all'?"),
    "no problem": (["experiment", "odd", "--problem", "churn"], "did you mean 'churned'?"),
    "no raw table": (["table", "odd", "--of", "order"], "did you mean 'orders'?"),
    "a raw table's name": (["table", "orders", "--of", "orders"], "already"),
    "no second key": (
        ["table", "odd", "--of", "orders", "--about", "customer_id,chanel"],
        "did you mean 'channel'?",
    ),
    "nobody": (["table", "odd", "--of", "order_lines"], "--about"),
    "no moment": (["table", "odd", "--of", "orders", "--at", "total"], "no moment 'total'"),
    "no table": (["view", "orders_histor"], "did you mean 'orders_history'?"),
    "a view": (["view", "orders_history"], "already"),
    "no view": (["service", "odd", "--views", "customers"], "no view 'customers'"),
    "a service": (["service", "all"], "already"),
    "a problem": (["problem", "churned"], "already"),
    "no column": (["problem", "odd", "--predict", "agee"], "did you mean 'age'?"),
    "no label": (["problem", "odd"], "nothing says what the new problem predicts"),
    "no label, what may be": (["problem", "odd"], "customers.segment"),
    "a metric of Furrow's": (["metric", "roc_auc"], "Furrow's"),
    "no task": (["metric", "odd", "--task", "binry"], "did you mean 'binary'?"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_can_not_be_added(project: Made, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """One sentence says why, and not a byte of the project has changed."""
    words, said = WRONG[kind]
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("FURROW_TRUST", "1")
    before = {path: text for path, text in contents(project.root).items() if ".furrow" not in path}
    result = CliRunner().invoke(command, words)
    assert isinstance(result.exception, FurrowError)
    assert said in f"{result.exception} {result.exception.hint}"
    after = {path: text for path, text in contents(project.root).items() if ".furrow" not in path}
    assert after == before
