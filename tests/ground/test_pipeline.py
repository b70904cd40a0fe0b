"""dvc.yaml read without DVC: the same stages, inputs, keys, outputs and hashes as DVC reads."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml
from hypothesis import given
from hypothesis import strategies as st

from furrow.ground import dvc_stages
from furrow.ground.exact_json import UnstorableError, pack, unpack
from furrow.ground.hashes import Hasher
from furrow.ground.parameters import MISSING, ParameterError, flat_diff, parse_text, pick
from furrow.ground.pipeline import read_pipeline, upstream
from furrow.ground.pipeline_spec import PipelineError

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
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text("[core]\n    analytics = false\n")
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
            plain = {
                Path(dep.fs_path).relative_to(root).as_posix()
                for dep in stage.deps
                if dep.hash_name != "params"
            }
            assert {dep.path for dep in step.deps} == plain
            keys = {
                dep.def_path: tuple(dep.params) for dep in stage.deps if dep.hash_name == "params"
            }
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
    ("text", "said"),
    [
        ("vars: [gone.yaml]\nstages: {}", "gone.yaml"),
        ("vars: ['conf/models.yaml:gone']\nstages: {}", "gone"),
        ("stages: [a]", "malformed"),
        (
            "stages: {a: {cmd: x, deps: [b], outs: [c]}, d: {cmd: x, deps: [c], outs: [b]}}",
            "wait for one another",
        ),
        (": [", "malformed"),
        ("<<<<<<< a\n=======\n>>>>>>> b\n", "malformed"),
    ],
)
def test_malformed(project: Path, text: str, said: str) -> None:
    """A file that can't be read at all is a known error."""
    (project / "dvc.yaml").write_text(text)
    with pytest.raises(PipelineError, match=said):
        read_pipeline(project)


@pytest.mark.parametrize(
    "body",
    ["{cmd: 'x ${no.such}'}", "{foreach: 3, do: {cmd: x}}", "3", "{cmd: x, deps: 3}", "{cmd: x, odd: 1}", "{deps: [b]}",
     "{cmd: x, wdir: '${no}'}", "{matrix: {k: '${no}'}, cmd: x}", "{cmd: x, outs: [c], metrics: [{d: {cache: 7}}]}"],
)  # fmt: skip
def test_one_stage_that_can_t_be_understood(project: Path, body: str) -> None:
    """It is named with what DVC says, and the others are read."""
    (project / "dvc.yaml").write_text(
        f"stages:\n  good: {{cmd: y, outs: [o]}}\n  bad: {body}\n  fine: {{cmd: z, deps: [o]}}\n"
    )
    found = read_pipeline(project)
    assert list(found.steps) == ["good", "fine"]
    assert [(bad.name, bad.file) for bad in found.broken] == [("bad", "dvc.yaml")]
    assert found.broken[0].why


def test_what_is_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC is asked again as soon as any file that it read, looked for or would find has changed, and only then."""
    asked = []
    real = dvc_stages.read_stages
    monkeypatch.setattr(dvc_stages, "read_stages", lambda *a: asked.append(1) or real(*a))
    (project / "sub/deep").mkdir()

    def reads() -> bool:
        before = len(asked)
        first = read_pipeline(project)
        assert read_pipeline(project) == first, "what is remembered is what was read"
        return len(asked) > before

    assert reads()
    assert not reads()
    for name, text in (
        ("params.yaml", "width: 4\n"),
        ("conf/models.yaml", MODELS.replace("7", "9")),
        ("dvc.lock", "schema: '2.0'\n"),
        ("sub/deep/dvc.yaml", "stages: {more: {cmd: x}}\n"),
        ("sub/deep/params.yaml", "a: 1\n"),
        ("sub/raw.dvc", "outs: [{path: raw, md5: d41d8cd98f00b204e9800998ecf8427e, hash: md5}]\n"),
        ("sub/.dvcignore", "deep\n"),
        ("sub/.gitignore", "x\n"),
        (".gitignore", "/sub/raw.dvc\n"),
        (".git/info/exclude", "deep\n"),
        (".dvc/config", "[parsing]\n    bool = boolean_optional\n"),
        (".dvc/config.local", "[core]\n    analytics = false\n"),
    ):
        (project / name).write_text(text)
        assert reads(), name
        assert not reads(), name
    (project / "README").write_text("nobody reads it")
    assert not reads()
    (project / "sub/deep/dvc.yaml").unlink()
    assert not reads(), "ignored"
    (project / "sub/.dvcignore").unlink()
    (project / ".git/info/exclude").unlink()
    assert reads()
    (project / "sub/deep/params.yaml").unlink()
    assert not reads(), "no longer used"
    (project / "sub/deep/.dvc").mkdir()
    assert reads(), "another project"


def test_a_false_note_in_the_work_tree(project: Path) -> None:
    """What is remembered lies where no commit can bring it."""
    read_pipeline(project)
    assert not list(project.glob(".furrow/*pipeline*"))
    (note,) = (project / ".git/furrow/pipelines").iterdir()
    note.write_text("{broken")
    assert read_pipeline(project).steps


def test_nothing_is_written(project: Path) -> None:
    """Reading through DVC leaves no file of DVC's behind."""

    def everything() -> set[str]:
        return {str(path) for path in project.rglob("*") if ".git/furrow" not in str(path)}

    before = everything()
    read_pipeline(project)
    assert everything() - before <= {str(project / ".git/furrow")}


def plain(moment: Any) -> Any:
    """No file says which of two equal times of a clock that was put back is meant."""
    return moment.replace(fold=0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.datetimes().map(plain) | st.dates()
        | st.datetimes(timezones=st.just(dt.UTC)).map(plain) | st.times().map(plain),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.booleans() | st.none(), inner)
        | st.tuples(inner, inner),
    )
)  # fmt: skip
def test_exact_json(value: object) -> None:
    """Every value of the four languages comes back as it was, of the same type."""
    found = unpack(json.loads(json.dumps(pack(value))))
    assert found == value
    assert repr(found) == repr(value)
    with pytest.raises(UnstorableError):
        pack([value, {1, 2}])


@given(st.text(alphabet="0123456789-+._eExXobyYnN~:tTZ \"'#,[]{}é", max_size=14))
def test_scalars_of_yaml(text: str) -> None:
    """A value of a YAML file is what DVC reads."""
    line = f"a: {text}\n"
    try:
        theirs = parse_yaml(line, "p.yaml")
    except YAMLFileCorruptedError:
        with pytest.raises(ParameterError):
            parse_text(line, "p.yaml")
        return
    except ValueError:
        return  # DVC itself fails on a date such as 2013-99-99
    try:
        mine = parse_text(line, "p.yaml")
    except ParameterError:
        with pytest.raises(
            yaml.YAMLError
        ):  # what another parser refuses is refused, never taken for something else
            list(yaml.parse(line))
        return
    assert repr(mine) == repr(theirs)


def test_hashes_are_dvc_s(project: Path) -> None:
    """Files and folders have DVC's names, .dvcignore at every level included; what changed is seen."""
    folder = project / "data"
    for name in (
        "a.txt",
        "b.tmp",
        "sub/c.txt",
        "sub/d.log",
        "sub/deep/e.txt",
        "keep.tmp",
        "z/__pycache__/f.pyc",
    ):
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
    assert set(hasher.listing("data")) == {
        "a.txt",
        "keep.tmp",
        "sub/c.txt",
        "sub/d.log",
        "sub/deep/e.txt",
    }
    hasher.save()
    before = Hasher(project).md5("data")
    (folder / "a.txt").write_text("A.txt")
    assert Hasher(project).md5("data") != before


def test_parameters() -> None:
    """YAML 1.2's scalars, JSON and TOML; dotted keys; differences by leaf."""
    value = parse_text(
        "a: 1e-3\nb: yes\nc: 0o17\nd: ~\ne: [1, {f: 2.5}]\ng: 012\nh: .inf\ni: 40_000\n", "p.yaml"
    )
    assert value == {"a": 0.001, "b": "yes", "c": 15, "d": None, "e": [1, {"f": 2.5}], "g": 12, "h": float("inf"),
                     "i": 40_000}  # fmt: skip
    assert (
        parse_text('{"a": 1}', "p.JSON")
        == parse_text("a = 1", "p.toml")
        == parse_text("a = 1", "p.py")
        == {"a": 1}
    )
    assert parse_text("", "p.yaml") == {}
    assert pick(value, "e.1.f") == 2.5
    assert pick(value, "e.7") is MISSING
    assert flat_diff("m", {"a": 1, "b": {"c": 2}}, {"a": 1.0, "b": {"c": 3, "d": 4}}) == [
        ("m.b.c", 2, 3), ("m.b.d", MISSING, 4),
    ]  # fmt: skip
    for name, text in (("p.yaml", "a: ["), ("p.json", "{"), ("p.toml", "a ="), ("p.py", "a = (")):
        with pytest.raises(ParameterError, match=name):
            parse_text(text, name)
