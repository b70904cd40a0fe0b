"""`furrow plan`: what it says, what it never does, its JSON, saved plans, plans between commits."""

import json
import re
import subprocess
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from furrow.plan.between_revisions import plan_between
from furrow.plan.make_plan import make_plan
from furrow.plan.plan_spec import Plan, PlanError
from furrow.plan.reasons import Facts, explain
from furrow.plan.saved_plan import load_plan, save_plan, still_holds
from furrow.plan.stage_prediction import Cause, Prediction
from tests.processes import processor_seconds

from .small import commit, plant, repro, run

SCHEMA = json.loads((resources.files("furrow.plan") / "plan.schema.json").read_text())


def why(plan: Plan, address: str) -> tuple[str, ...]:
    return next(resource.why for resource in plan.resources if resource.address == address)


def actions(plan: Plan) -> dict[str, str]:
    return {
        resource.address: resource.action
        for resource in plan.resources
        if resource.action != "unchanged"
    }


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
        and not re.search(r"\.furrow/hashes\.json|\.git/furrow/pipelines", path.as_posix())
    }


def test_at_rest(small: Path) -> None:
    """With nothing edited there is nothing to do, and the plan is false."""
    plan = make_plan(small)
    assert not plan
    assert plan.stages == ()
    assert plan.count("unchanged") == len(plan.resources) == 9


def test_down_to_the_key(small: Path) -> None:
    """A hyper-parameter's plan names the key, the value before and the value after, and what follows."""
    path = small / "conf/experiment/gbm.yaml"
    path.write_text(path.read_text().replace("learning_rate: 0.1", "learning_rate: 0.05"))
    plan = make_plan(small)
    assert why(plan, "experiments/gbm") == ("model.learning_rate 0.1 -> 0.05",)
    assert actions(plan) == {"experiments/gbm": "change", "champion": "change"}
    assert [(stage.name, stage.certain) for stage in plan.stages] == [
        ("train@gbm", True), ("evaluate@gbm", False), ("select", False),
    ]  # fmt: skip


def test_a_key_added_and_removed(small: Path) -> None:
    """Keys inside a mapping are told one by one."""
    path = small / "conf/experiment/gbm.yaml"
    path.write_text("model: {learning_rate: 0.1, leaves: 31}\nseed: 1\n")
    assert why(make_plan(small), "experiments/gbm") == (
        "model.depth 3 -> nothing",
        "model.leaves nothing -> 31",
    )


def test_data_by_month(small: Path) -> None:
    """A new file of raw data is told by its table and month."""
    (small / "data/flights/2013-03.csv").write_text("AA,9\n")
    plan = make_plan(small)
    assert why(plan, "data") == ("flights 2013-03 added", "not in data.dvc yet")
    assert why(plan, "tables/a") == ("data: 2013-03.csv added",)
    assert "tables/b" not in actions(plan)


def test_what_follows_is_told_briefly(small: Path) -> None:
    """A resource that only follows from others names what it reads, and none of its own stages' outputs."""
    (small / "data/flights/2013-03.csv").write_text("AA,9\n")
    (small / "data/weather/2013-03.csv").write_text("LGA,9\n")
    plan = make_plan(small)
    assert why(plan, "experiments/gbm") == ("if build/training/full.parquet changes",)
    assert why(plan, "training_sets/full") == (
        "if build/tables/a.parquet or build/tables/b.parquet change",
    )


def test_contract_and_code() -> None:
    """A contract and code are told by their files, though what a stage depends on is a digest."""
    prediction = Prediction(
        "validate",
        "run",
        True,
        (
            Cause("param", "runs/pipeline.json", "contract", "a", "b"),
            Cause("param", "runs/pipeline.json", "code.validate", "a", "b"),
        ),
    )
    facts = Facts(
        code=lambda stage: [f"furrow/stages/{stage}.py"],
        features=lambda old, new: [],
        data=lambda path, old: None,
        files=lambda path: [],
        form=lambda path, md5: False,
    )
    assert explain(prediction, facts) == (
        "contract: conf/data/contract.yaml",
        "code: furrow/stages/validate.py",
    )


def test_quicker_than_dvc_status(small: Path) -> None:
    """With nothing to do a plan takes less processor time than `dvc status` says the same in."""
    run(small, "furrow", "plan")
    plan = processor_seconds(lambda: run(small, "furrow", "plan"))
    assert plan < processor_seconds(lambda: run(small, "dvc", "status", "-q"))


def test_form_only(small: Path) -> None:
    """A comment in SQL runs the table's stage, and nothing after it."""
    path = small / "features/tables/a.sql"
    path.write_text("-- another remark\n\n" + path.read_text())
    plan = make_plan(small)
    assert why(plan, "tables/a") == ("features/tables/a.sql: form only, the result stays",)
    assert [stage.name for stage in plan.stages] == ["tables_a"]


def test_add_and_destroy(small: Path) -> None:
    """An experiment that is declared anew is added; one that is no longer is destroyed."""
    (small / "conf/experiments.yaml").write_text(
        "experiments:\n  base: {service: half}\n  late: {service: full}\n"
    )
    (small / "conf/experiment/late.yaml").write_text("model: {a: 1}\nseed: 1\n")
    plan = make_plan(small)
    assert actions(plan) == {
        "experiments/late": "add",
        "experiments/gbm": "destroy",
        "champion": "change",
    }


def test_back_from_the_cache(small: Path) -> None:
    """A revert costs nothing: the stage comes back from DVC's cache, and the plan says so."""
    path = small / "conf/experiment/gbm.yaml"
    before = path.read_text()
    path.write_text(before.replace("0.1", "0.3"))
    repro(small)
    path.write_text(before)
    plan = make_plan(small)
    assert ("train@gbm", "restore", 0.0) in [
        (stage.name, stage.action, stage.seconds) for stage in plan.stages
    ]
    assert why(plan, "experiments/gbm")[0] == "model.learning_rate 0.3 -> 0.1 (back from the cache)"


def test_durations(small: Path) -> None:
    """Times are medians of earlier runs; a stage without any takes those of its like, else it is unknown."""
    lines = [
        {"stage": "train@base", "seconds": seconds, "started": 1.0} for seconds in (9.0, 4.0, 5.0)
    ]
    (small / ".furrow").mkdir()
    (small / ".furrow/journal.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"stage": "tr'
    )
    (small / "train.sh").write_text((small / "train.sh").read_text() + "# more\n")
    seconds = {stage.name: stage.seconds for stage in make_plan(small).stages}
    assert seconds["train@base"] == seconds["train@gbm"] == 5.0
    assert seconds["select"] is None


def test_reads_only(small: Path) -> None:
    """Planning writes nothing but its own disposable cache, and takes no lock of Git's or DVC's."""
    (small / "train.sh").write_text((small / "train.sh").read_text() + "# more\n")
    before = everything(small)
    done = run(small, "furrow", "plan", "--detailed-exitcode", check=False)
    assert done.returncode == 4, done.stderr
    assert everything(small) == before


def test_a_damaged_cache_of_hashes(small: Path) -> None:
    """Without its cache, or with a damaged one, the plan is the same."""
    first = make_plan(small)
    (small / ".furrow").mkdir(exist_ok=True)
    (small / ".furrow/hashes.json").write_text("{broken")
    assert make_plan(small) == first


def test_json_and_exit_codes(small: Path) -> None:
    """--json follows the schema; --detailed-exitcode is 0 at rest and 4 with a difference; from a subfolder too."""
    done = run(small / "conf", "furrow", "plan", "--json", "--detailed-exitcode")
    jsonschema.validate(json.loads(done.stdout), SCHEMA)
    (small / "params.yaml").write_text("service: 2\n")
    assert run(small, "furrow", "plan").returncode == 0
    done = run(small, "furrow", "plan", "--json", "--detailed-exitcode", check=False)
    value = json.loads(done.stdout)
    jsonschema.validate(value, SCHEMA)
    assert done.returncode == 4
    assert value["difference"]
    assert next(each for each in value["resources"] if each["address"] == "training_sets/full")[
        "why"
    ] == ["service 1 -> 2"]


def test_saved_and_refused(small: Path, tmp_path: Path) -> None:
    """A saved plan reads back equal, and is refused once anything that it was made from has moved."""
    (small / "params.yaml").write_text("service: 2\n")
    path = tmp_path / "plan.json"
    save_plan(make_plan(small), small, path)
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)
    saved = load_plan(path)
    assert still_holds(saved, small, "plan.json").stages == saved.stages
    (small / "params.yaml").write_text("service: 2\nother: 5\n")
    with pytest.raises(PlanError, match=r"plan\.json no longer holds: params\.yaml has changed"):
        still_holds(saved, small, "plan.json")
    (small / "params.yaml").write_text("service: 2\n")
    still_holds(saved, small, "plan.json")
    (small / "build/tables/a.parquet").unlink()
    with pytest.raises(PlanError, match=r"build/tables/a\.parquet has changed"):
        still_holds(saved, small, "plan.json")


@pytest.mark.parametrize(
    "text",
    ["{}", "[1]", '{"kind": "furrow.plan", "format": 1}', '{"kind": "furrow.plan", "format": 9}'],
)
def test_no_plan_at_all(tmp_path: Path, text: str) -> None:
    """A file that is no plan, is cut short or of another format is refused with the next step."""
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanError, match=r"plan\.json") as caught:
        load_plan(tmp_path / "plan.json")
    assert "furrow plan --out" in caught.value.hint


def test_of_another_repository(small: Path, tmp_path: Path) -> None:
    """A plan of another repository is refused, though every file is the same."""
    (small / "params.yaml").write_text("service: 2\n")
    save_plan(make_plan(small), small, tmp_path / "plan.json")
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", str(small), str(other)], check=True)
    subprocess.run(["rm", "-rf", str(other / ".git")], check=True)
    run(other, "git", "init", "-q")
    commit(other, "another beginning")
    with pytest.raises(PlanError, match="a plan of another repository"):
        still_holds(load_plan(tmp_path / "plan.json"), other, "plan.json")


def test_between_commits(small: Path) -> None:
    """--rev A..B plans B from what A recorded, and touches nothing: not the tree, nor the index, nor any reference."""
    (small / "params.yaml").write_text("service: 2\n")
    commit(small, "another service")
    path = small / "conf/experiment/gbm.yaml"
    path.write_text(path.read_text().replace("0.1", "0.7"))
    commit(small, "another rate")
    before = everything(small)
    plan = plan_between(small, "HEAD~1..HEAD").plan
    assert why(plan, "experiments/gbm") == ("model.learning_rate 0.1 -> 0.7",)
    assert why(plan, "training_sets/full") == ("service 1 -> 2",)  # A had not been run
    assert not plan_between(small, "HEAD~2..HEAD~2").plan
    value = json.loads(run(small, "furrow", "plan", "--rev", "HEAD~2..HEAD", "--json").stdout)
    jsonschema.validate(value, SCHEMA)
    assert len(value["revisions"]) == 2
    assert everything(small) == before
    back = plan_between(small, "HEAD..HEAD~2").plan
    assert not back


def test_between_commits_with_data(small: Path) -> None:
    """A month that B lands is told from the .dvc files and DVC's cache."""
    (small / "data/flights/2013-03.csv").write_text("AA,9\n")
    run(small, "dvc", "add", "-q", "data")
    commit(small, "March")
    plan = plan_between(small, "HEAD~1..HEAD").plan
    assert why(plan, "data") == ("flights 2013-03 added",)
    assert {stage.name for stage in plan.stages} == {
        stage.name for stage in make_plan(small).stages
    }


@pytest.mark.parametrize(
    ("revisions", "said"),
    [("nowhere..HEAD", "nowhere"), ("HEAD...HEAD", "three dots"), ("HEAD..v9", "v9")],
)
def test_no_such_revisions(small: Path, revisions: str, said: str) -> None:
    """A revision that does not exist is a known error."""
    done = run(small, "furrow", "plan", "--rev", revisions, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_where_one_stands(small: Path, tmp_path: Path) -> None:
    """A dirty tree, a detached HEAD and a shallow clone are said, and hinder nothing."""
    (small / "params.yaml").write_text("service: 1\nother: 2\n")
    run(small, "git", "checkout", "-q", "--detach")
    plan = make_plan(small)
    assert any("differs from the last commit in 1 file" in note for note in plan.notes)
    assert any("HEAD is detached" in note for note in plan.notes)
    run(tmp_path, "git", "clone", "-q", "--depth=1", f"file://{small}", "shallow")
    shallow = make_plan(tmp_path / "shallow")
    assert any("shallow" in note for note in shallow.notes)
    assert any("dvc pull data.dvc" in line for line in why(shallow, "data"))


def test_registered_models_are_named(small: Path) -> None:
    """Registered versions and what environments serve are resources; a deployment that leads nowhere is a note."""
    run(
        small,
        "git",
        "tag",
        "-a",
        "-m",
        "Register\n\n" + json.dumps({"features_digest": "0" * 64, "service": "full"}),
        "gbm@v1.0.0",
    )
    (small / "conf/deployment").mkdir()
    (small / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
    (small / "conf/deployment/staging.yaml").write_text("model: gbm@v7.0.0\n")
    run(small, "git", "tag", "-a", "-m", "by hand", "base@v0.1.0")
    (small / "conf/deployment/canary.yaml").write_text("model: base@v0.1.0\n")
    plan = make_plan(small)
    assert any(
        "canary.yaml serves base@v0.1.0, which may not be deployed" in note for note in plan.notes
    )
    assert {"models/gbm@v1.0.0", "deployments/production"} <= {
        resource.address for resource in plan.resources
    }
    assert any("serves gbm@v7.0.0, which is not registered" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dvc.yaml", "stages: [", "dvc.yaml is malformed"),
        (
            "dvc.yaml",
            "stages: {a: {cmd: x, deps: [b], outs: [c]}, d: {cmd: x, deps: [c], outs: [b]}}",
            "wait for one another",
        ),
        ("dvc.lock", "stages: 3", "dvc.lock is malformed"),
        ("dvc.lock", "<<<<<<< a\n=======\n>>>>>>> b\n", "merge conflict"),
        ("params.yaml", "{", "unable to read: 'params.yaml'"),
    ],
)
def test_malformed(small: Path, name: str, text: str, said: str) -> None:
    """A malformed file is a known error that names it."""
    (small / name).write_text(text)
    done = run(small, "furrow", "plan", check=False)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("data.dvc", "outs: 7", ("? data/data.dvc", "data.dvc is malformed")),
        ("data.dvc", "<<<<<<< a\n=======\n>>>>>>> b\n", ("? data/data.dvc", "merge conflict")),
        (
            "conf/dvc.yaml",
            "stages: {a: {cmd: x, deps: ['${nothing}']}}",
            ("? stages/conf/dvc.yaml:a", "'nothing'"),
        ),
        ("conf/dvc.yaml", "stages: [", ("? stages/conf/dvc.yaml", "conf/dvc.yaml is malformed")),
        (
            "conf/dvc.lock",
            "<<<<<<< a\n=======\n>>>>>>> b\n",
            ("? stages/conf/dvc.yaml", "merge conflict"),
        ),
        ("conf/experiment/gbm.yaml", "model: [", ("? experiments/gbm", "gbm.yaml is malformed")),
    ],
)
def test_what_can_t_be_understood(small: Path, name: str, text: str, said: tuple[str, ...]) -> None:
    """A stage or file of which it can't be told what it would do is listed as that; the others are planned."""
    (small / "conf/dvc.yaml").write_text("stages: {b: {cmd: 'true', deps: [../train.sh]}}\n")
    (small / name).write_text(text)
    (small / "features/tables/b.sql").write_text("select 7 as y from weather\n")
    done = run(small, "furrow", "plan", "--detailed-exitcode", check=False)
    assert done.returncode == 4, done.stderr
    for words in (*said, "~ tables/b", "that can't be told"):
        assert words in done.stdout
    found = json.loads(run(small, "furrow", "plan", "--json").stdout)
    assert any(each["action"] == "unknown" for each in found["resources"])


def test_what_depends_on_the_unknown(small: Path) -> None:
    """It is unknown, too, as long as nothing else makes it run."""
    change = (
        (small / "dvc.yaml")
        .read_text()
        .replace("cmd: cat build/tables/a.parquet >", "cmd: cat ${gone} >")
    )
    (small / "dvc.yaml").write_text(change)
    (small / "conf/experiment/gbm.yaml").write_text(
        "model: {learning_rate: 0.7, depth: 3}\nseed: 1\n"
    )
    stages = {stage.name: stage.action for stage in make_plan(small).stages}
    assert (
        stages["training_set_half"] == stages["train@base"] == stages["evaluate@base"] == "unknown"
    )
    assert stages["train@gbm"] == "run"
    assert "validate" not in stages


def test_outside(tmp_path: Path) -> None:
    """Outside a repository, and in one that declares nothing, the error says so."""
    assert "not inside a Git repository" in run(tmp_path, "furrow", "plan", check=False).stderr
    run(tmp_path, "git", "init", "-q")
    assert "has no dvc.yaml" in run(tmp_path, "furrow", "plan", check=False).stderr


def test_a_repository_that_never_ran(tmp_path: Path) -> None:
    """Before the first run everything is to be added."""
    folder = plant(tmp_path)
    (folder / "dvc.lock").unlink()
    assert set(actions(make_plan(folder)).values()) == {"add"}
