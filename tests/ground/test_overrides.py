"""Hydra's sweep grammar, read as Hydra's own sweeper reads it, and composed as Hydra composes."""

from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from furrow.ground.hydra import ConfigError, compose
from furrow.ground.overrides import Composer, Dimension, parse, settings


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    (folder / "model").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "defaults: [_self_, {model: small}]\nseed: 1\nname: a\ntwice: ${seed}\nlist: []\n"
    )
    (folder / "model/small.yaml").write_text("depth: 3\nrate: 0.1\n")
    (folder / "model/large.yaml").write_text("depth: 30\nrate: 0.2\n")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["seed=1,2", "model.depth=3,4,5"],
        ["seed=range(1,9,3)", "name='x,y',z"],
        ["model.rate=range(0.1,0.5,0.1)"],
        ["list=[1,2],[3]", "+new={a:1},{b:2}"],
        ["seed=1,2", "seed=3"],
        ["seed=choice(1,2,3)", "model=small,large"],
        ["seed=sort(3,1,2,reverse=true)"],
        ["name=null,true,1e-5"],
    ],
)
def test_the_grid_is_the_one_of_hydras_own_sweeper(conf: Path, words: list[str]) -> None:
    theirs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)[0]
    sweep = parse(conf, words)
    ours = [{*sweep.fixed, *point} for point in sweep.points()]
    assert ours == [set(point) for point in theirs]
    assert sweep.size == len(theirs)


def test_a_glob_is_over_the_options_of_a_group(conf: Path) -> None:
    assert parse(conf, ["model=glob(*,exclude=s*)"]).axes == {"model": ("model=large",)}


def test_what_a_search_may_vary(conf: Path) -> None:
    words = [
        "a=interval(0,1)",
        "b=tag(log,interval(0.01,1))",
        "c=int(interval(1,9))",
        "d=range(1,9,2)",
        "e=1,2",
        "+f=x,y",
    ]
    assert parse(conf, words).dimensions == {
        "a": Dimension(low=0.0, high=1.0),
        "b": Dimension(low=0.01, high=1.0, log=True),
        "c": Dimension(low=1, high=9, integer=True),
        "d": Dimension(low=1, high=7, integer=True, step=2),
        "e": Dimension(choices=("1", "2")),
        "+f": Dimension(choices=("x", "y")),
    }


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["seed=5"],
        ["model.depth=7", "+model.new=1"],
        ["model=large", "model.rate=0.5"],
        ["++model.depth=8", "++other=[1]"],
        ["list=[a,b]", "name='with, comma'"],
        ["seed=5", "model=large"],
        ["name=null"],
    ],
)
def test_quick_composition_is_hydras(conf: Path, words: list[str]) -> None:
    composer = Composer(conf, "config", ["seed=4"])
    for _ in range(2):
        assert composer.compose(words) == compose(conf, "config", ["seed=4", *words])


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["model.dept=1"], "no key 'model.dept'", "model.depth"),
        (["+seed=1"], "seed", ""),
        (["model=huge"], "huge", "large"),
    ],
)
def test_what_does_not_compose_is_said(
    conf: Path, words: list[str], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Composer(conf, "config", []).compose(words)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "word",
    [
        "~seed",
        "hydra.run.dir=x",
        "seed",
        "=1",
        "seed=range(3,1)",
        "seed=interval(2,1)",
        "seed=[1",
        "a=tag(log,interval(0,1))",
    ],
)
def test_words_that_make_no_sense_are_refused(conf: Path, word: str) -> None:
    with pytest.raises(ConfigError):
        parse(conf, [word])


def test_settings_say_what_a_declaration_would(conf: Path) -> None:
    found = settings(conf, ["model=large", "model.depth=7", "+new='a b'"])
    assert [(one.key, one.value, one.group, one.add) for one in found] == [
        ("model", "large", True, False),
        ("model.depth", 7, False, False),
        ("new", "a b", False, True),
    ]
