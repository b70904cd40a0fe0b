"""What every project keeps, whatever it predicts: written once, run over all of them.

The flights' two problems and the examples are cut down to one problem each. Through processes, as
a user has them, tests/stories/test_edits.py holds the flights to the same table of edits, and the
wheel's test (test_installed.py) runs one of these projects.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from furrow.ci.run_ci import Options as CiOptions
from furrow.ci.run_ci import run_ci
from furrow.clone.merge import install
from furrow.data.contract import load_contract
from furrow.data.raw_files import project_files
from furrow.features.manifest import load as load_manifest
from furrow.features.materialize import materialize
from furrow.files import read_json
from furrow.ground.git import git
from furrow.models.predict import open_model
from furrow.models.register import register
from furrow.models.registry import find
from furrow.parse import read_yaml
from furrow.plan.compile import compile_repository
from furrow.plan.make_plan import make_plan
from furrow.plan.stage_graph import StageError
from furrow.replay.replay_request import Options as ReplayOptions
from furrow.replay.run_again import replay
from furrow.stages.tables import tables
from furrow.stages.training_set import build
from furrow.training.champions import read_champions
from furrow.training.metric_registry import of_task
from furrow.training.problem import RESERVED
from furrow.training.spine_rows import SpineError

from .cut_down import bring
from .examples import EXAMPLES, Edit, Example
from .in_process import commit, plant, repro, status, track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.story, pytest.mark.long]
CHEAP = ("comment", "option", "experiment", "slices", "block", "split", "spine", "ttl", "data")
"""Edits that are planned, not carried out; that a plan is what `dvc repro` then does is proven elsewhere."""


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.name)
def example(request: pytest.FixtureRequest) -> Example:
    return request.param


@pytest.fixture(scope="module")
def rested(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project at rest, in a path with a space; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FURROW_TRUST", "1")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        folder = tmp_path_factory.mktemp("of mine") / example.name
        bring(example.folder, example.problem, example.experiments, folder)
        yield plant(folder, patch)


@pytest.fixture
def project(rested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed at will."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    return shutil.copytree(rested, tmp_path / "a copy", symlinks=True)


def make(root: Path, edit: Edit) -> None:
    text = (root / edit.path).read_text()
    assert edit.old in text, f"{edit.path} has no {edit.old!r}"
    (root / edit.path).write_text(text.replace(edit.old, edit.new, 1))


def change(root: Path, example: Example, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of a kind."""
    if kind == "option":
        model = example.model or example.best
        shutil.copy(root / f"conf/model/{model}.yaml", root / "conf/model/nobodys.yaml")
    elif kind == "experiment":
        declare_as(root, example, example.best, "another", "seed: 8\n")
    elif kind == "data":
        table = pq.read_table(root / example.raw)
        pq.write_table(table.slice(0, table.num_rows - 2), root / example.raw)
        track(root, monkeypatch)
    else:
        make(root, example.edits[kind])


def declare_as(root: Path, example: Example, like: str, name: str, more: str = "") -> None:
    """An experiment more, as another one is: with a file of its own where that one has one."""
    file = root / f"conf/experiment/{like}.yaml"
    if file.is_file():
        text = file.read_text().replace(f"name: {like}", f"name: {name}")
        (root / f"conf/experiment/{name}.yaml").write_text(text + more)
    entry = example.experiments.get(like, f"{{service: {example.service}}}")
    with (root / "conf/experiments.yaml").open("a") as handle:
        handle.write(f"  {name}: {entry}\n")


def test_a_judged_model(rested: Path, example: Example) -> None:
    """One experiment is surely better than the task's baseline, and champion; the other is not; nothing is left over."""
    champion = read_champions((rested / "runs/champion.json").read_bytes())[example.problem]
    assert champion.experiment == example.best
    assert not champion.verdicts[example.other]["passed"]
    metrics = read_json(rested / "runs" / example.best / "metrics.json")
    assert set(of_task(example.task)) <= set(metrics)
    card = (rested / "runs" / example.best / "card.md").read_text()
    assert f"({example.task})" in card
    assert status(rested) == {}


def test_at_rest_nothing_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by DVC, nor by the plan, which says that there is nothing to do."""
    plan = make_plan(project, local=False)
    assert (plan.stages, [one for one in plan.resources if one.action != "unchanged"]) == ((), [])
    assert repro(project, monkeypatch) == set()


def built_from(root: Path, raw: str) -> set[str]:
    """The feature tables that dvc.yaml builds from a file of raw data."""
    stages = read_yaml(root / "dvc.yaml")["stages"]
    return {
        name
        for name, stage in stages.items()
        if name.startswith("tables_") and any(raw.startswith(place) for place in stage["deps"])
    }


@pytest.mark.parametrize("kind", CHEAP)
def test_what_an_edit_makes_necessary(
    project: Path, example: Example, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan names exactly the stages of the table, and writes nothing."""
    change(project, example, kind, monkeypatch)
    before = status(project)
    planned = {stage.name for stage in make_plan(project, local=False).stages}
    expected = example.what_runs(
        kind, built_from(project, example.raw) if kind == "data" else set()
    )
    assert (
        planned <= expected
        if kind == "comment"
        else planned - {"compile"} == expected - {"compile"}
    )
    assert status(project) == before


@pytest.mark.parametrize("kind", ["hyper-parameter", "table"])
def test_an_edit_and_its_revert(
    project: Path, example: Example, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says what DVC then does; after the revert nothing is trained, and every file is as it was."""
    change(project, example, kind, monkeypatch)
    planned = {stage.name for stage in make_plan(project, local=False).stages}
    ran = repro(project, monkeypatch)
    assert ran == planned == example.what_runs(kind)
    assert any(path.startswith("runs/") for path in status(project))
    edit = example.edits[kind]
    make(project, Edit(edit.path, edit.new, edit.old))
    back = repro(project, monkeypatch)
    assert not [name for name in back if name.startswith(("train@", "training_set", "tables"))]
    assert status(project) == {}


def test_a_model_sees_what_it_may(rested: Path, example: Example) -> None:
    """Features of its service and the keys that it names: no label, no time, no other column of the spine."""
    features = {
        name
        for part in load_manifest(rested / "features").services[example.service].views
        for name in part.features
    }
    bundle = read_json(rested / "build/models" / example.best / "bundle.json")
    seen = {column["name"] for column in bundle["columns"]}
    assert seen <= features | set(bundle["keys"])
    assert not seen & {bundle["label"], *RESERVED, "half", "seasonal_naive"}
    assert bundle["tells"] == {}


def test_a_prediction_is_of_what_training_saw(
    rested: Path, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For moments past: the training set's features, and the model's own numbers for them."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    model = open_model(rested)
    rows = pq.read_table(
        rested / f"build/training/{example.problem}/{example.service}.parquet"
    ).to_pylist()
    for row in rows[:: len(rows) // 2]:
        keys = {
            name: row[name] for name in {*model.needs(), *(["horizon"] if "horizon" in row else [])}
        }
        (found,) = model.predict([keys], at=row["event_timestamp"])
        assert found.features == {name: row[name] for name in found.features}
        inputs = model.bundle.inputs([keys], {name: [row[name]] for name in found.features})
        outputs = model.bundle.outputs(inputs)
        assert found.values == {name: float(values[0]) for name, values in outputs.items()}
        assert found.said()


def test_online_is_point_in_time(project: Path, example: Example) -> None:
    """The online store's features, at its newest moment, are those that the join gives."""
    done = materialize(project / "features")
    assert sum(one.written for one in done) > 0
    newest = max(one.newest for one in done if one.newest)
    model = open_model(project)
    row = pq.read_table(
        project / f"build/training/{example.problem}/{example.service}.parquet"
    ).to_pylist()[-1]
    keys = {
        name: row[name] for name in {*model.needs(), *(["horizon"] if "horizon" in row else [])}
    }
    moment = (
        pc.cast(pa.scalar(newest), pa.timestamp("us", "UTC")).as_py()
        if isinstance(newest, str)
        else newest
    )
    (online,), (past,) = (
        model.predict([keys], at=moment, online=True),
        model.predict([keys], at=moment),
    )
    assert online.features == past.features
    assert online.values == past.values
    assert any(value is not None for value in online.features.values())


def test_no_feature_knows_the_future(project: Path, example: Example) -> None:
    """With every fact that became known after a moment scrambled, rows predicted by then have the same features."""
    path = project / f"build/training/{example.problem}/{example.service}.parquet"
    before = pq.read_table(path)
    if not example.known:
        times = set(before["event_timestamp"].to_pylist())
        assert len(times) == 1, "a project with times has facts that become known"
        return
    times = sorted(set(before["event_timestamp"].to_pylist()))
    moment = times[len(times) * 2 // 3]
    scrambled = 0
    raw = project_files(project, load_contract(project / "conf/data/contract.yaml"))
    for file in (one for name in example.known for one in raw.files[name]):
        known, facts = next(
            example.known[name] for name, files in raw.files.items() if file in files
        )
        table = pq.read_table(file)
        late = duckdb.sql(
            f"select {known} > timestamptz '{moment.isoformat()}' as late from '{file}'"
        ).to_arrow_table()["late"]
        scrambled += pc.sum(late).as_py() or 0
        for name in facts:
            field = table.schema.field(name)
            wild = pc.cast(pc.add(pc.multiply(table[name], 7), 13), field.type)
            other = pc.if_else(pc.fill_null(late, False), wild, table[name])
            table = table.set_column(table.column_names.index(name), field, other)
        pq.write_table(table, file)
    assert scrambled > 100
    for sql in (project / "features/tables").glob("*.sql"):
        tables(project, sql.stem)
    build(project, example.problem, example.service)
    after = pq.read_table(path)
    features = read_json(project / "build/models" / example.best / "bundle.json")["features"]
    entity = read_yaml(project / f"conf/problem/{example.problem}.yaml")["entity"]
    keys = [
        name
        for name in before.column_names
        if name not in features and name in (*entity, "event_timestamp", "horizon")
    ]

    def known(table: pa.Table) -> pa.Table:
        return table.filter(pc.less_equal(table["event_timestamp"], moment)).select(
            [*keys, *features]
        )

    assert known(after).equals(known(before))
    assert not after.select(features).equals(before.select(features))


def test_the_registry(project: Path, example: Example) -> None:
    """The champion becomes a version, once; its metrics and hashes are the commit's."""
    version = register(project)
    assert str(version) == f"{example.best}@v1.0.0"
    assert register(project) == version
    assert find(project, f"{example.best}@latest").facts["metrics"] == read_json(
        project / "runs" / example.best / "metrics.json"
    )
    assert not version.invented


def test_a_merge_of_two_experiments(
    project: Path, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on each of two branches: no person edits what stages wrote, and nothing is trained again.

    compile drops the evaluations of experiments that a branch does not declare (`select` reads the
    folder), so that of the other branch may be judged again, from its model in the cache.
    """
    install(project)
    commit(project, "Set up")
    for name in ("one", "two"):
        git(project, "switch", "-q", "-c", name, "main")
        declare_as(project, example, example.other, name)
        repro(project, monkeypatch)
        commit(project, name)
    git(project, "merge", "-q", "--no-edit", "one")
    assert repro(project, monkeypatch) <= {"compile", "evaluate@one", "select"}
    verdicts = read_champions((project / "runs/champion.json").read_bytes())[
        example.problem
    ].verdicts
    assert set(verdicts) == {example.best, example.other, "one", "two"}
    commit(project, "Judge both")
    assert not make_plan(project, local=False)


def test_a_stage_replays(rested: Path, example: Example) -> None:
    """Training and judging, in a checkout of the commit, give the same bytes."""
    for stage in ("train", "evaluate"):
        verdict = replay(rested, "HEAD", ReplayOptions(stage=f"{stage}@{example.best}"))
        assert verdict.status == "identical", verdict.to_json()


def test_ci_of_a_commit_at_rest(project: Path, example: Example) -> None:
    """Every check passes, and nothing is stale."""
    outcome = run_ci(project, "HEAD", CiOptions(replay="none"))
    said = {check.name: (check.status, check.text) for check in outcome.checks}
    assert not [one for one in said.values() if one[0] == "failed"], said
    assert {"plan", "compile", "stages", "gate"} <= set(said)
    assert [run.experiment for run in outcome.runs if run.experiment == example.best]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            "event_timestamp - interval '9000 days' as event_timestamp",
            "they come before every event of the feature tables",
        ),
        ("event_timestamp, 1.5 as {feature}", "has the name of a column of the spine"),
    ],
)
def test_a_spine_that_does_not_fit_the_features(
    project: Path, example: Example, column: str, said: str
) -> None:
    """Rows before all features; a column called as a feature: the training set is not built, the old one stays."""
    bundle = read_json(project / "build/models" / example.best / "bundle.json")
    path = project / f"features/spines/{example.problem}.sql"
    rest = "* exclude (event_timestamp)" + (" replace (label_timestamp - interval '9000 days' as label_timestamp)"
                                           if "label_timestamp" in path.read_text() and "9000" in column else "")  # fmt: skip
    spine = path.read_text().partition("\norder by")[0]
    path.write_text(
        f"select {rest}, {column.format(feature=bundle['features'][0])} from ({spine})\n"
    )
    old = (project / f"build/training/{example.problem}/{example.service}.parquet").read_bytes()
    with pytest.raises(SpineError, match=said) as caught:
        build(project, example.problem, example.service)
    assert caught.value.hint
    assert (
        project / f"build/training/{example.problem}/{example.service}.parquet"
    ).read_bytes() == old


COSTS = '''"""What a wrong answer costs, in money."""

from pipelines.prices import PRICE


def cost(rows):
    return PRICE * rows.mean(rows.frame["label"] != rows.frame["label"].mode()[0]) + rows.mean({wrong})
'''


def search_by_cost(root: Path, example: Example) -> None:
    """The best experiment searches two settings by the new metric; one of one line gets a file."""
    file = root / f"conf/experiment/{example.best}.yaml"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        said = ", calibration: conformal"
        also = (
            ", override /calibration: conformal"
            if said in example.experiments[example.best]
            else ""
        )
        file.write_text(
            f"# @package _global_\ndefaults: [override /model: {example.model}{also}]\n"
            f"name: {example.best}\nfeatures: {{service: {example.service}}}\n"
        )
        more = f", model: {example.model}{said if also else ''}"
        make(root, Edit("conf/experiments.yaml", more, ""))
    with file.open("a") as handle:
        handle.write(f"engine: {{backend: sequential}}\nsearch:\n  space: {{{example.space}}}\n"
                     "  sampler: random\n  trials: 2\n  batch: 2\n  metric: cost\n")  # fmt: skip


def test_a_metric_of_the_projects_own(
    project: Path, example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of pipelines/ and a line of conf/: judged with an interval, gated, searched by, the champion's, compared."""
    (project / "pipelines").mkdir(exist_ok=True)
    (project / "pipelines/prices.py").write_text("PRICE = 0\n")
    (project / "pipelines/costs.py").write_text(COSTS.replace("{wrong}", example.wrong))
    (project / "conf/metrics.yaml").write_text(
        f"metrics: {{cost: {{function: pipelines.costs:cost, direction: minimize, tasks: [{example.task}]}}}}\n"
    )
    (project / "conf/gate").mkdir(exist_ok=True)
    (project / f"conf/gate/{example.problem}.yaml").write_text(
        "baseline: {metric: cost}\nmaximum: {cost: 0.000001}\nselect: {metric: cost}\n"
    )
    search_by_cost(project, example)
    if example.deps is not None:
        with pytest.raises(StageError, match=r"stage compile reads pipelines/costs\.py") as caught:
            compile_repository(project)
        assert caught.value.hint == "add to its deps: - pipelines"
        make(project, example.deps)
    commit(project, "Declare a cost")
    ran = repro(project, monkeypatch)
    assert f"train@{example.best}" in ran
    assert f"train@{example.other}" not in ran, "metrics change what is judged, not what is trained"
    record = read_json(project / "runs" / example.best / "record.json")
    assert record["directions"] == {"cost": "minimize"}
    assert all(
        "cost" in trial
        for trial in read_json(project / "build/models" / example.best / "bundle.json")["trials"]
    )
    intervals = read_json(project / "runs" / example.best / "intervals.json")
    assert (
        intervals["cost"]["low"]
        <= read_json(project / "runs" / example.best / "metrics.json")["cost"]
        <= intervals["cost"]["high"]
    )
    verdicts = read_champions((project / "runs/champion.json").read_bytes())[example.problem]
    assert (verdicts.experiment, verdicts.metric, verdicts.directions) == (
        None,
        "cost",
        {"cost": "minimize"},
    )
    assert "maximum cost" in [one["rule"] for one in verdicts.verdicts[example.best]["failures"]]
    assert "better than the baseline by cost (95% sure)" not in [
        one["rule"] for one in verdicts.verdicts[example.best]["failures"]
    ]

    (project / "pipelines/prices.py").write_text("PRICE = 1\n")
    assert f"evaluate@{example.best}" in {
        stage.name for stage in make_plan(project, local=False).stages
    }, "its code counts"
