"""dvc.yaml read without DVC: the same stages, inputs, keys, outputs and hashes as DVC reads."""

import subprocess
import sys
from pathlib import Path

import pytest
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage

from furrow.ground.hashes import Hasher
from furrow.ground.parameters import MISSING, ParameterError, flat_diff, parse_text, pick
from furrow.ground.pipeline import PipelineError, read_pipeline, upstream
from furrow.ground.template import TemplateError

PIPELINE = r"""
vars:
  - conf/models.yaml:models,deep
  - inline: {path: out, flag: true, many: [3, 4]}
stages:
  plain:
    cmd: echo ${width} ${inline.flag} \${HOME}
    params: [width]
    outs: ["${inline.path}.txt"]
  listed:
    foreach: [a, b]
    do:
      cmd: echo ${item} > ${item}.txt
      deps: ["${inline.path}.txt"]
      outs: ["${item}.txt"]
  numbered:
    foreach:
      - {x: 1, y: p}
      - {x: 2, y: q}
    do:
      cmd: echo ${item.x} ${item.y}
      outs: ["n${item.x}.txt"]
  mapped:
    foreach: ${models}
    do:
      cmd: echo ${key} ${item.rate} ${deep.list[1]}
      deps: [a.txt]
      params:
        - conf/models.yaml: ["models.${key}.rate"]
      outs:
        - ${key}.bin:
            cache: false
            persist: true
      metrics: ["${key}.json"]
  crossed:
    matrix:
      one: [1, 2]
      two: [x, {z: 1}]
    cmd: echo ${item.one} > ${key}.m
    outs: ["${key}.m"]
  elsewhere:
    wdir: sub
    cmd: echo
    deps: [../a.txt]
    outs: [c.txt]
"""
MODELS = "models:\n  gbm: {rate: 1e-3}\n  tree: {rate: 0.5}\ndeep: {list: [7, 8]}\n"


@pytest.fixture
def project(repo: Path) -> Path:
    """A DVC project with templates of every kind."""
    (repo / "conf").mkdir()
    (repo / "sub").mkdir()
    (repo / "dvc.yaml").write_text(PIPELINE)
    (repo / "conf/models.yaml").write_text(MODELS)
    (repo / "params.yaml").write_text("width: 3\n")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=repo, check=True)
    return repo


def test_the_same_as_dvc(project: Path) -> None:
    """Names, commands, inputs, keys, outputs and their flags are those that DVC reads."""
    mine = read_pipeline(project).steps
    with Repo(str(project)) as dvc:
        theirs = {stage.name: stage for stage in dvc.index.stages}
        assert set(mine) == set(theirs)
        for name, stage in theirs.items():
            step = mine[name]
            assert step.cmd == stage.cmd
            root = Path(dvc.root_dir)
            plain = {Path(dep.fs_path).relative_to(root).as_posix() for dep in stage.deps if dep.hash_name != "params"}
            assert {dep.path for dep in step.deps} == plain
            keys = {dep.def_path: tuple(dep.params) for dep in stage.deps if dep.hash_name == "params"}
            assert {entry.local: entry.keys for entry in step.params} == keys
            outs = {(out.def_path, bool(out.use_cache), bool(out.persist)) for out in stage.outs}
            assert {(out.local, out.cached, out.persist) for out in step.outs} == outs


def test_order_and_upstream(project: Path) -> None:
    """Every stage comes after those that it reads from, and upstream finds them all."""
    pipeline = read_pipeline(project)
    names = list(pipeline.steps)
    assert names.index("plain") < names.index("listed@a") < names.index("mapped@gbm")
    assert upstream(pipeline, {"mapped@gbm"}) == {"mapped@gbm", "listed@a", "plain"}
    assert upstream(pipeline, {"elsewhere"}) == {"elsewhere", "listed@a", "plain"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("stages: {a: {cmd: 'x ${no.such}'}}", TemplateError),
        ("vars: [gone.yaml]\nstages: {}", TemplateError),
        ("vars: ['conf/models.yaml:gone']\nstages: {}", TemplateError),
        ("stages: {a: {foreach: 3, do: {cmd: x}}}", TemplateError),
        ("stages: {a: 3}", TemplateError),
        ("stages: [a]", PipelineError),
        ("stages: {a: {cmd: x, deps: 3}}", PipelineError),
        ("stages: {a: {cmd: x, deps: [b], outs: [c]}, d: {cmd: x, deps: [c], outs: [b]}}", PipelineError),
        (": [", ParameterError),
    ],
)
def test_malformed(project: Path, text: str, error: type[Exception]) -> None:
    """What can't be read is a known error."""
    (project / "dvc.yaml").write_text(text)
    with pytest.raises(error):
        read_pipeline(project)


def test_hashes_are_dvc_s(project: Path) -> None:
    """Files and folders have DVC's names, .dvcignore at every level included; what changed is seen."""
    folder = project / "data"
    for name in ("a.txt", "b.tmp", "sub/c.txt", "sub/d.log", "sub/deep/e.txt", "keep.tmp", "z/__pycache__/f.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (project / ".dvcignore").write_text("*.tmp\n!keep.tmp\n__pycache__\n")
    (folder / "sub/.dvcignore").write_text("*.log\n/deep\n")
    (project / ".dvcignore").write_text("*.tmp\n!keep.tmp\n__pycache__\n/data/sub/.dvcignore\n")
    (folder / "sub/.dvcignore").unlink()
    hasher = Hasher(project)
    with Repo(str(project)) as dvc:
        stage = Stage(dvc, path=str(project / "x.dvc"), wdir=str(project))
        for name in ("data", "data/sub", "data/a.txt"):
            assert hasher.md5(name) == Output(stage, name, cache=False).get_hash().value
    assert hasher.md5("gone") is None
    assert set(hasher.listing("data")) == {"a.txt", "keep.tmp", "sub/c.txt", "sub/d.log", "sub/deep/e.txt"}
    hasher.save()
    before = Hasher(project).md5("data")
    (folder / "a.txt").write_text("A.txt")
    assert Hasher(project).md5("data") != before


def test_parameters() -> None:
    """YAML 1.2's scalars, JSON and TOML; dotted keys; differences by leaf."""
    value = parse_text("a: 1e-3\nb: yes\nc: 0o17\nd: ~\ne: [1, {f: 2.5}]\ng: 012\nh: .inf\n", "p.yaml")
    assert value == {"a": 0.001, "b": "yes", "c": 15, "d": None, "e": [1, {"f": 2.5}], "g": 12, "h": float("inf")}
    assert parse_text('{"a": 1}', "p.json") == parse_text("a = 1", "p.toml") == {"a": 1}
    assert pick(value, "e.1.f") == 2.5
    assert pick(value, "e.7") is MISSING
    assert flat_diff("m", {"a": 1, "b": {"c": 2}}, {"a": 1.0, "b": {"c": 3, "d": 4}}) == [
        ("m.b.c", 2, 3), ("m.b.d", MISSING, 4),
    ]  # fmt: skip
    with pytest.raises(ParameterError, match=r"p\.yaml"):
        parse_text("a: [", "p.yaml")
