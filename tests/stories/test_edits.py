"""What `dvc repro` runs after each kind of edit: exactly what the edit made necessary."""

import shutil
import subprocess

import pytest

from .conftest import commit, edit, land, repro, run
from .plans import planned, stages

pytestmark = pytest.mark.story

TABLES = {
    f"tables_{name}"
    for name in ("carrier_day", "dest_traffic", "flight_weeks", "origin_traffic", "route_weeks", "station_traffic",
                 "tail_legs", "weather_origin")
}  # fmt: skip
LATE = {"training_set_late_full", "training_set_late_schedule", "training_set_late_weather"}
FULL = {"training_set_late_full", "training_set_delay_full"}
TRAINING = LATE | {"training_set_delay_full", "training_set_delay_schedule"}
TRAIN = {"train@base_rate", "train@gbm_schedule", "train@gbm", "train@delay_gbm"}
EVALUATE = {"evaluate@base_rate", "evaluate@gbm_schedule", "evaluate@gbm", "evaluate@delay_gbm"}
GBM = {"train@gbm", "evaluate@gbm", "select"}
BOTH = GBM | {"train@delay_gbm", "evaluate@delay_gbm"}


def append(folder, name: str, text: str) -> None:
    with (folder / name).open("a") as handle:
        handle.write(text)


def a_new_experiment(folder):
    text = (folder / "conf/experiment/gbm.yaml").read_text().replace("name: gbm", "name: slow")
    (folder / "conf/experiment/slow.yaml").write_text(text + "model: {learning_rate: 0.02}\n")
    append(folder, "conf/experiments.yaml", "  slow: {problem: late, service: full}\n")


def an_option_that_nobody_selects(folder):
    shutil.copy(folder / "conf/model/gbm.yaml", folder / "conf/model/deep.yaml")
    edit(folder / "conf/model/deep.yaml", "max_leaf_nodes: 31", "max_leaf_nodes: 63")


def replaced(name, old, new):
    return lambda folder: edit(folder / name, old, new)


SLICES = "slices: [origin, carrier, month, time_of_day]"
LANDED = "where status = 'landed'"
CATEGORIES = "CATEGORIES_AT_MOST = 250"
TELL = "interval '1439 minutes'"
JUDGED = {"evaluate@base_rate", "evaluate@gbm_schedule", "evaluate@gbm", "select"}
SPINE = {"training_set_delay_full", "training_set_delay_schedule", "train@delay_gbm",
         "evaluate@delay_gbm", "select"}  # fmt: skip
EDITS = {
    "a document": (replaced("README.md", "# Furrow", "# Furrow, a field guide"), set()),
    "a remark in YAML": (lambda f: append(f, "conf/model/gbm.yaml", "\n# a remark\n"), set()),
    "a remark in SQL": (
        lambda f: append(f, "features/tables/tail_legs.sql", "\n-- a remark\n"),
        {"tables_tail_legs"},
    ),
    "the command line": (lambda f: append(f, "furrow/cli/gate.py", "\nEXTRA = 1\n"), set()),
    "an option that nobody selects": (an_option_that_nobody_selects, set()),
    "a hyper-parameter": (
        lambda f: append(f, "conf/experiment/gbm.yaml", "model: {learning_rate: 0.05}\n"),
        GBM,
    ),
    "a new experiment": (a_new_experiment, {"train@slow", "evaluate@slow", "select"}),
    "the SQL of one table": (
        replaced("features/tables/tail_legs.sql", TELL, "interval '719 minutes'"),
        {"tables_tail_legs"} | FULL | BOTH,
    ),
    "a view's ttl": (
        replaced("features/views.py", "ttl=timedelta(hours=3)", "ttl=timedelta(hours=1)"),
        FULL | BOTH,
    ),
    "a problem's slices": (replaced("conf/problem/late.yaml", SLICES, "slices: [origin]"), JUDGED),
    "a problem's split": (
        replaced("conf/problem/delay.yaml", "test: 2", "test: 1"),
        {"train@delay_gbm", "evaluate@delay_gbm", "select"},
    ),
    "a problem's spine": (
        replaced("features/spines/delay.sql", LANDED, f"{LANDED} and arrival_delay < 600"),
        SPINE,
    ),
    "code that train imports": (
        replaced("furrow/training/fit.py", CATEGORIES, "CATEGORIES_AT_MOST = 251"),
        TRAIN | EVALUATE | {"select"},
    ),
}  # fmt: skip
"""Kinds of edit, and what each makes necessary beyond compile, which any of them may need."""
EACH_TIME = {"the SQL of one table", "a problem's spine"}
"""The kinds of them that every run of the tests plans; `make search` plans all."""


@pytest.fixture(scope="module")
def planning(rested, tmp_path_factory):
    """A copy in which nothing is run: each edit is planned and taken back."""
    folder = tmp_path_factory.mktemp("planning") / "flights"
    subprocess.run(["cp", "-a", "--reflink=auto", str(rested), str(folder)], check=True)
    return folder


@pytest.mark.parametrize(
    "kind",
    [one if one in EACH_TIME else pytest.param(one, marks=pytest.mark.long) for one in EDITS],
)
def test_what_each_edit_makes_necessary(planning, kind):
    """Planned, which is what `dvc repro` does (test_plan_apply, test_plan_predicts, and below)."""
    make, needed = EDITS[kind]
    make(planning)
    try:
        assert stages(planned(planning)) - {"compile"} == needed
    finally:
        run(planning, "git", "checkout", "-q", ".")
        run(planning, "git", "clean", "-fdq")


def test_nothing_and_documents(flights):
    """Without an edit, and after one of the README, nothing runs."""
    assert repro(flights).ran == set()
    edit(flights / "README.md", "# Furrow", "# Furrow, a field guide")
    assert repro(flights).ran == set()


@pytest.mark.long
def test_comments_and_white_space(flights):
    """Comments in YAML run compile at most; in SQL also the table's own stage, whose result is the same."""
    for path in [*(flights / "conf").rglob("*.yaml"), flights / "dvc.yaml"]:
        path.write_text(path.read_text() + "\n# a remark\n")
    assert repro(flights).ran <= {"compile"}
    path = flights / "features/tables/tail_legs.sql"
    path.write_text("-- a remark\n\n" + path.read_text())
    assert repro(flights).ran <= {"compile", "tables_tail_legs"}
    assert (
        run(flights, "git", "status", "--porcelain", "runs", "features/manifest.json").stdout == ""
    )


@pytest.mark.long
def test_the_command_line(flights):
    """An edit of furrow/cli runs compile at most."""
    path = flights / "furrow/cli/gate.py"
    path.write_text(path.read_text() + "\nEXTRA = 1\n")
    assert repro(flights).ran <= {"compile"}


@pytest.mark.long
def test_an_option_that_nobody_selects(flights):
    """A new option of a group runs compile alone."""
    shutil.copy(flights / "conf/model/gbm.yaml", flights / "conf/model/deep.yaml")
    edit(flights / "conf/model/deep.yaml", "max_leaf_nodes: 31", "max_leaf_nodes: 63")
    assert repro(flights).ran == {"compile"}


def test_a_hyper_parameter_and_its_revert(flights):
    """One experiment is trained; after the revert nothing is, and the files are what they were."""
    with (flights / "conf/experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.05}\n")
    before = (flights / "runs/gbm/metrics.json").read_text()
    assert repro(flights).ran == {"compile"} | GBM
    assert (flights / "runs/gbm/metrics.json").read_text() != before
    run(flights, "git", "checkout", "conf")
    back = repro(flights)
    assert not any(name.startswith(("train@", "training_set", "tables")) for name in back.ran)
    assert "train@gbm" in back.cached
    assert run(flights, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
def test_a_new_experiment(flights):
    """The new one is trained and judged, and no other."""
    text = (flights / "conf/experiment/gbm.yaml").read_text().replace("name: gbm", "name: slow")
    (flights / "conf/experiment/slow.yaml").write_text(text + "model: {learning_rate: 0.02}\n")
    with (flights / "conf/experiments.yaml").open("a") as handle:
        handle.write("  slow: {problem: late, service: full}\n")
    assert repro(flights).ran == {"compile", "train@slow", "evaluate@slow", "select"}


@pytest.mark.long
def test_the_sql_of_one_table_and_its_revert(flights):
    """The table, the training set that uses it and the experiments on that; compile, as digests hold the SQL."""
    edit(
        flights / "features/tables/tail_legs.sql",
        "interval '1439 minutes'",
        "interval '719 minutes'",
    )
    assert repro(flights).ran == {"compile", "tables_tail_legs"} | FULL | BOTH
    run(flights, "git", "checkout", "features/tables")
    back = repro(flights)
    assert back.ran <= {"compile", "evaluate@gbm", "evaluate@delay_gbm", "select"}
    assert run(flights, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
def test_a_ttl(flights):
    """A view's ttl: the training set of the services that use it, and their experiments."""
    edit(flights / "features/views.py", "ttl=timedelta(hours=3)", "ttl=timedelta(hours=1)")
    assert repro(flights).ran == {"compile"} | FULL | BOTH


@pytest.mark.long
def test_what_a_problem_says(flights):
    """Its slices: what judges. Its split: training too, of its own experiments, from the training sets there are."""
    edit(
        flights / "conf/problem/late.yaml",
        "slices: [origin, carrier, month, time_of_day]",
        "slices: [origin]",
    )
    judged = {"evaluate@base_rate", "evaluate@gbm_schedule", "evaluate@gbm", "select"}
    assert repro(flights).ran == {"compile"} | judged
    edit(flights / "conf/problem/delay.yaml", "test: 2", "test: 1")
    assert repro(flights).ran == {"compile", "train@delay_gbm", "evaluate@delay_gbm", "select"}


@pytest.mark.long
def test_a_spine(flights):
    """The SQL of a problem's rows: its training sets and its experiments, and no other problem's."""
    edit(
        flights / "features/spines/delay.sql",
        "where status = 'landed'",
        "where status = 'landed' and arrival_delay < 600",
    )
    ran = {
        "training_set_delay_full",
        "training_set_delay_schedule",
        "train@delay_gbm",
        "evaluate@delay_gbm",
        "select",
    }
    assert repro(flights).ran - {"compile"} == ran


@pytest.mark.long
def test_code_that_train_imports(flights):
    """Every experiment is trained and judged again."""
    edit(flights / "furrow/training/fit.py", "CATEGORIES_AT_MOST = 250", "CATEGORIES_AT_MOST = 251")
    assert repro(flights).ran == {"compile", "select"} | TRAIN | EVALUATE


@pytest.mark.long
def test_a_new_month(flights):
    """Everything but compile, and the new month is judged."""
    land(flights, "2013-05")
    assert repro(flights).ran == {"validate", "select"} | TABLES | TRAINING | TRAIN | EVALUATE
    assert "2013-05" in (flights / "runs/gbm/slices.json").read_text()
    commit(flights, "May")
    run(flights, "git", "checkout", "-q", "HEAD~1")
    run(flights, "dvc", "checkout", "-q")
    assert repro(flights).ran <= {"validate"}
