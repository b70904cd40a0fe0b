"""Declared experiments compose, and each way of declaring them wrongly has one clear message."""

import shutil
from pathlib import Path

import pytest
import yaml

from furrow.errors import FurrowError
from furrow.training.config import Code, dump, load
from furrow.training.declare import declared, experiment_text, gate, resolve
from furrow.trials.edit import with_entry

ROOT = Path(__file__).parents[2]
SERVICES = {"schedule": "a" * 64, "weather": "b" * 64, "full": "c" * 64}


def code(_experiment):
    return Code(digest="d" * 64, evaluate="e" * 64)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(ROOT / "features/spines", tmp_path / "features/spines")
    return tmp_path / "conf"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def fails(conf: Path) -> str:
    with pytest.raises(FurrowError) as caught:
        resolve(conf, SERVICES, code)
    return str(caught.value)


def test_every_experiment_resolves(conf):
    """What this repository declares composes, and carries its digests."""
    found = resolve(conf, SERVICES, code)
    assert list(found) == list(declared(conf))
    assert found["gbm"].features.digest == SERVICES["full"]
    assert found["gbm_search"].search is not None
    assert found["gbm_search"].search.space["model.learning_rate"].log


def test_a_resolved_config_reads_back(conf, tmp_path):
    """Writing and reading a resolved config gives the same text: it is canonical."""
    for name, experiment in resolve(conf, SERVICES, code).items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(dump(experiment))
        assert dump(load(path)) == path.read_text()


def test_comments_do_not_count(conf):
    """Comments and white space in conf/ leave the resolved configs as they are."""
    before = {name: dump(one) for name, one in resolve(conf, SERVICES, code).items()}
    for path in conf.rglob("*.yaml"):
        path.write_text(path.read_text() + "\n# a remark\n\n")
    assert {name: dump(one) for name, one in resolve(conf, SERVICES, code).items()} == before


def test_one_edit_changes_one_experiment(conf):
    """A hyper-parameter in an experiment's own file changes that experiment alone."""
    before = {name: dump(one) for name, one in resolve(conf, SERVICES, code).items()}
    with (conf / "experiment/gbm.yaml").open("a") as handle:
        handle.write("model: {learning_rate: 0.05}\n")
    after = {name: dump(one) for name, one in resolve(conf, SERVICES, code).items()}
    assert [name for name in before if before[name] != after[name]] == ["gbm"]


def test_a_misspelt_key_suggests_the_right_one(conf):
    """The file, the line, the key and what was meant."""
    edit(conf / "config.yaml", "evaluation:\n  replicates", "evaluation:\n  replicats")
    message = fails(conf)
    assert "conf/config.yaml:" in message
    assert "evaluation.replicats" in message
    assert "did you mean 'replicates'?" in message


def test_a_misspelt_hyper_parameter_suggests_the_right_one(conf):
    """Parameters are checked against the estimator's own."""
    edit(conf / "model/gbm.yaml", "learning_rate", "learnin_rate")
    message = fails(conf)
    assert "model.learnin_rate" in message
    assert "did you mean 'learning_rate'?" in message


def test_a_value_of_a_wrong_type(conf):
    """A number where text stands is refused, with the key."""
    edit(conf / "problem/late.yaml", "test: 3", "test: three")
    assert "split.test" in fails(conf)


@pytest.mark.parametrize(
    "target",
    ["os.system", "joblib.load", "sklearn.utils.validation.check_array", "sklearn.ensemble._forest.sys.exit",
     "builtins.eval", "sklearn.svm.l1_min_c"],
)  # fmt: skip
def test_a_target_outside_the_allow_list(conf, target):
    """Only scikit-learn's public estimators may be named; nothing is called to find out."""
    edit(conf / "model/base_rate.yaml", "sklearn.dummy.DummyClassifier", target)
    message = fails(conf)
    assert target in message or target.rpartition(".")[2] in message


def test_a_nested_target(conf):
    """An object inside a parameter is refused."""
    edit(
        conf / "model/base_rate.yaml",
        "strategy: prior",
        "strategy: {_target_: os.system, command: id}",
    )
    assert "nested objects are not allowed" in fails(conf)


def test_an_unknown_experiment_option(conf):
    """A group option that does not exist names those that do."""
    edit(conf / "experiment/gbm.yaml", "override /model: gbm", "override /model: gmb")
    message = fails(conf)
    assert "gmb" in message
    assert "did you mean 'gbm'?" in message


def test_a_file_without_an_entry(conf):
    """An experiment file that the map does not list is an error that says what to add."""
    shutil.copy(conf / "experiment/gbm.yaml", conf / "experiment/extra.yaml")
    message = fails(conf)
    assert "conf/experiment/extra.yaml has no entry" in message
    assert "add `extra: {service: SERVICE}`" in message


def test_an_entry_without_a_file(conf):
    """An entry of the map that has no file is an error; a file that nearly fits is suggested."""
    edit(conf / "experiments.yaml", "  forest:", "  forrest:")
    message = fails(conf)
    assert "'forrest' has no file conf/experiment/forrest.yaml" in message
    assert "did you mean 'forest'?" in message


def test_an_unknown_service(conf):
    """A feature service that does not exist suggests one that does."""
    edit(conf / "experiments.yaml", "service: weather}", "service: wether}")
    edit(conf / "experiment/gbm_weather.yaml", "service: weather", "service: wether")
    message = fails(conf)
    assert "no feature service 'wether'" in message
    assert "did you mean 'weather'?" in message


def test_a_service_that_disagrees_with_the_map(conf):
    """The map and the file must say the same service."""
    edit(conf / "experiment/gbm_weather.yaml", "service: weather", "service: full")
    assert "experiments.yaml says 'weather'" in fails(conf)


def test_a_name_that_disagrees_with_the_file(conf):
    """A copied file that kept its old name is caught."""
    edit(conf / "experiment/forest.yaml", "name: forest", "name: gbm")
    assert "write `name: forest`" in fails(conf)


def test_broken_yaml(conf):
    """YAML that does not parse names the file."""
    (conf / "model/gbm.yaml").write_text("model: [unclosed\n")
    assert "gbm.yaml" in fails(conf)


def test_a_broken_map(conf):
    """A map of another shape says what to write."""
    (conf / "experiments.yaml").write_text("experiments: [gbm]\n")
    assert "write `experiments: {NAME: {problem: PROBLEM, service: SERVICE}}`" in fails(conf)


def test_a_misspelt_gate(conf):
    """The gate is typed too."""
    edit(conf / "gate/late.yaml", "  floor:", "  flor:")
    with pytest.raises(FurrowError) as caught:
        gate(conf, "late")
    assert "did you mean 'floor'?" in str(caught.value)


def test_a_hand_edited_resolved_config_is_checked(conf, tmp_path):
    """An edit of runs/NAME/config.yaml meets the same checks as conf/."""
    path = tmp_path / "config.yaml"
    value = yaml.safe_load(dump(resolve(conf, SERVICES, code)["gbm"]))
    value["model"]["_target_"] = "os.system"
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(FurrowError, match="is not allowed"):
        load(path)


ONE_LINE = """\
experiments:
  plain: {problem: late, service: full, model: gbm}
  calm: {problem: late, service: weather, model: base_rate, calibration: sigmoid}
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """conf/ with a problem and a map of experiments, and nothing else."""
    for place in ("conf/problem", "features/spines"):
        shutil.copytree(ROOT / place, tmp_path / place)
    (tmp_path / "conf/experiments.yaml").write_text(ONE_LINE)
    return tmp_path / "conf"


def test_an_experiment_of_one_line(short):
    """Where conf/ has neither root nor groups, Furrow's own are chosen from."""
    found = resolve(short, SERVICES, code)
    assert found["plain"].model["_target_"].endswith("HistGradientBoostingClassifier")
    assert found["calm"].calibration.method == "sigmoid"
    assert found["calm"].features.service == "weather"
    assert [one.name for one in found.values()] == ["plain", "calm"]


def test_a_project_comes_first(short):
    """An option of the project's own conf/ is the one that counts, and the others stay."""
    (short / "model").mkdir()
    (short / "model/gbm.yaml").write_text((ROOT / "conf/model/logistic.yaml").read_text())
    found = resolve(short, SERVICES, code)
    assert found["plain"].model["_target_"].endswith("PortableLogisticRegression")
    assert found["calm"].model["_target_"].endswith("DummyClassifier")


def test_one_line_is_a_file_written_short(short):
    """The file that says what the line says resolves to the same config."""
    before = dump(resolve(short, SERVICES, code)["calm"])
    entry = declared(short)["calm"]
    (short / "experiment").mkdir()
    (short / "experiment/calm.yaml").write_text(experiment_text("calm", entry))
    with pytest.raises(FurrowError, match="has a file"):
        declared(short)
    text = with_entry(ONE_LINE, "calm", "weather", where="conf/experiments.yaml", problem="late")
    (short / "experiments.yaml").write_text(text)
    assert dump(resolve(short, SERVICES, code)["calm"]) == before


def test_a_line_sets_what_is_inside_its_options(short):
    """By whole paths, values of every kind; the file that says the same resolves to the same config."""
    more = "model: gbm, model.learning_rate: 0.03, model.max_bins: 64, 'features.keys': [carrier]"
    edit(short / "experiments.yaml", "model: gbm", more)
    found = resolve(short, SERVICES, code)["plain"]
    assert (found.model["learning_rate"], found.model["max_bins"]) == (0.03, 64)
    assert found.features.keys == ["carrier"]
    (short / "experiment").mkdir()
    (short / "experiment/plain.yaml").write_text(experiment_text("plain", declared(short)["plain"]))
    assert "has a file" in fails(short)
    edit(short / "experiments.yaml", f", {more}", "")
    assert dump(resolve(short, SERVICES, code)["plain"]) == dump(found)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("learning_rate: 0.03", "`model.learning_rate: ...`"),
        ("model: {learning_rate: 0.03}", "`model.learning_rate: ...`"),
        ("model: gbm, model.learning_rat: 0.03", "learning_rate"),
        ("model: gbm, model.learning_rate: '${oc.env:HOME}'", "oc.env"),
        ("model: gbm, model._target_: os.system", "os.system"),
    ],
)
def test_settings_that_mean_nothing(short, said, hint):
    """A setting without its path, an option that is a mapping, a misspelt one, a resolver, a forbidden target."""
    edit(short / "experiments.yaml", "model: gbm", said)
    assert hint in fails(short)


def test_what_a_line_can_not_say(short):
    """A misspelt key suggests the right one; an entry that chooses nothing needs a file."""
    edit(short / "experiments.yaml", "model: gbm", "modle: gbm")
    assert "did you mean 'model'?" in fails(short)
    edit(short / "experiments.yaml", ", modle: gbm", "")
    assert "'plain' has no file conf/experiment/plain.yaml" in fails(short)
    edit(short / "experiments.yaml", "service: full", "service: full, model: gmb")
    assert "did you mean 'gbm'?" in fails(short)
