"""Each value of a config with the file and line that said it."""

from __future__ import annotations

from pathlib import Path

from furrow.history.config_origins import needed_for, origins
from furrow.parse import parse_yaml

ROOT = Path(__file__).parents[2]


def test_the_examples_runs_are_told_line_by_line() -> None:
    """Whatever names a file names the line on which that value stands; every experiment's own lines are found."""
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "conf").rglob("*.yaml")
        if needed_for(path.relative_to(ROOT).as_posix())
    }
    for place in sorted((ROOT / "runs").glob("*/config.yaml")):
        name = place.parent.name
        found = origins(name, parse_yaml(place.read_bytes()), texts)
        assert found["features.service"].startswith(f"conf/experiment/{name}.yaml:")
        assert found["problem.name"].startswith("conf/experiments.yaml:")
        for key, said in found.items():
            path, _, line = said.rpartition(":")
            if path.endswith(".yaml"):
                text = texts[path].decode().splitlines()[int(line) - 1]
                word = {"problem.name": f"{name}:"}.get(key, f"{key.rpartition('.')[2]}:")
                assert word in text, (name, key, said)


def test_an_override_is_from_no_file() -> None:
    """A value that every file says otherwise is told so, and one that two files say is the nearer one's."""
    texts = {
        "conf/config.yaml": b"defaults: [{model: gbm}]\nseed: 1\n",
        "conf/model/gbm.yaml": b"rate: 0.1\ndepth: 1_0\nwarm: yes\n",
        "conf/experiment/x.yaml": b"seed: 1\n",
        "conf/experiments.yaml": b"a: [",
    }
    found = origins("x", {"seed": 1, "model": {"rate": 0.3, "depth": 10, "warm": True}}, texts)
    assert found["seed"] == "conf/experiment/x.yaml:1"
    assert found["model.rate"] == "no file says it: an option or default of model"
    assert found["model.depth"] == "conf/model/gbm.yaml:2"
    assert found["model.warm"] == "conf/model/gbm.yaml:3"
    assert origins("x", {"a": 1}, {}) == {}
    assert origins("x", {"a": 1}, {"conf/x.yaml": b""})["a"].startswith("no file says it")
