"""Resolvers in conf/: only what follows from the config itself; a secret in the environment goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import OmegaConf

from furrow.ground.hydra import ConfigError, compose, structured
from furrow.ground.overrides import Composer
from furrow.ground.resolvers import PURE
from furrow.replay.replay_settings import Settings
from furrow.training.config import parse

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"  # made up
WAYS = [
    "${oc.env:FURROW_TEST_SECRET}",
    "${oc.env:FURROW_TEST_SECRET,none}",
    "${ oc.env : FURROW_TEST_SECRET }",
    "before ${oc.env:FURROW_TEST_SECRET} after",
    "${oc.env:${name_of_it}}",
    "${oc.decode:${oc.env:FURROW_TEST_SECRET}}",
    "${oc.decode:'${oc.env:FURROW_TEST_SECRET}'}",
    "${oc.decode:'\\${oc.env:FURROW_TEST_SECRET}'}",
    "${oc.create:{a: '${oc.env:FURROW_TEST_SECRET}'}}",
    '${oc.create:{a: "\\${oc.env:FURROW_TEST_SECRET}"}}',
    "${oc.select:missing,${oc.env:FURROW_TEST_SECRET}}",
    "${now:%H%M%S}",
    "${hydra:runtime.cwd}",
    "${python_version:minor}",
    "${of_a_module:1}",
    "${of_a_module:}",
    "\\${oc.env:FURROW_TEST_SECRET}",
    "\\\\${oc.env:FURROW_TEST_SECRET}",
    "\\\\\\${oc.env:FURROW_TEST_SECRET}",
    "${indirect}",
    "${deep.list[0]}",
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A secret, and a resolver that some module registered."""
    monkeypatch.setenv("FURROW_TEST_SECRET", SECRET)
    OmegaConf.register_new_resolver("of_a_module", lambda *_: SECRET, replace=True)
    yield
    OmegaConf.clear_resolver("of_a_module")


def conf(folder: Path, value: str, *, key: str = "description") -> Path:
    (folder / "experiment").mkdir()
    (folder / "config.yaml").write_text(
        "defaults: [_self_, {experiment: gbm}]\nname_of_it: FURROW_TEST_SECRET\n"
    )
    quoted = value.replace("'", "''")
    (folder / "experiment/gbm.yaml").write_text(
        "# @package _global_\nother: plain\nindirect: '${oc.env:FURROW_TEST_SECRET}'\n"
        f"deep: {{list: ['${{oc.env:FURROW_TEST_SECRET}}']}}\n{key}: '{quoted}'\n"
        if "indirect" in value or "deep" in value
        else f"# @package _global_\nother: plain\n{key}: '{quoted}'\n"
    )
    return folder


def refused(call: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    said = f"{caught.value} {caught.value.hint}"
    assert SECRET not in said
    return str(caught.value)


@pytest.mark.attack
@pytest.mark.parametrize("value", WAYS)
def test_what_is_not_pure_is_refused(tmp_path: Path, value: str) -> None:
    """However it is spelt, and wherever it stands: by name, with its file and key."""
    folder = conf(tmp_path, value)
    said = refused(lambda: compose(folder, "config", []))
    if not value.startswith("\\"):
        assert "may not be used" in said
        assert "experiment/gbm.yaml:" in said or "oc.decode" in value or "oc.create" in value
    quick = Composer(folder, "config", [])
    assert SECRET not in refused(lambda: quick.compose(["other=more"]))


@pytest.mark.attack
@pytest.mark.parametrize("value", [WAYS[at] for at in (0, 3, 11, 14, 16)])
def test_overrides_are_held_too(tmp_path: Path, value: str) -> None:
    """What `furrow try` is given is no way round."""
    folder = conf(tmp_path, "plain")
    for word in (f"other='{value}'", f"+new='{value}'"):
        refused(lambda word=word: Composer(folder, "config", []).compose([word]))
    refused(lambda: Composer(folder, "config", [f"other='{value}'"]).compose([]))


@pytest.mark.attack
@pytest.mark.parametrize(
    "resolver", ["oc.env:FURROW_TEST_SECRET", "now:%H", "of_a_module:1", "hydra:job.name"]
)
def test_defaults_lists_are_held_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolver: str
) -> None:
    """Which file is chosen may not hang on the environment."""
    folder = conf(tmp_path, "plain")
    monkeypatch.setenv("FURROW_TEST_SECRET", "gbm")
    (folder / "config.yaml").write_text(f"defaults: [_self_, {{experiment: '${{{resolver}}}'}}]\n")
    with pytest.raises(ConfigError, match="may not be used"):
        compose(folder, "config", [])


@pytest.mark.attack
@pytest.mark.parametrize("value", WAYS[:19])
def test_text_that_is_checked_is_not_resolved(value: str) -> None:
    """A resolved config that was edited by hand, conf/replay.yaml, the gate: no secret comes out of the check."""
    if value.startswith("\\") and not value.startswith("\\\\$"):
        assert SECRET not in structured(Settings, {"lock": value}, where="conf/replay.yaml").lock
    else:
        said = refused(lambda: structured(Settings, {"lock": value}, where="conf/replay.yaml"))
        assert "conf/replay.yaml: lock:" in said or "name_of_it" in said or "missing" in said
    problem = {
        "task": "binary",
        "entity": ["id"],
        "spine": "features/spines/late.sql",
        "label": "late",
    }
    features = {"service": "all", "keys": [], "digest": "0" * 64}
    config = {
        "name": "gbm",
        "problem": problem,
        "features": features,
        "model": {},
        "description": value,
    }
    assert SECRET not in refused(lambda: parse(config, where="runs/gbm/config.yaml"))


def test_what_is_pure_works(tmp_path: Path) -> None:
    """Values of the config itself, by any pure way."""
    folder = conf(tmp_path, "${other} and ${oc.select:none,'nothing'}")
    assert compose(folder, "config", [])["description"] == "plain and nothing"
    (folder / "experiment/gbm.yaml").write_text(
        "# @package _global_\na: {x: 1, y: 2}\nkeys: ${oc.dict.keys:a}\nvalues: ${oc.dict.values:a}\n"
        "made: '${oc.create:{z: 3}}'\nread: \"${oc.decode:'[1, ${a.x}]'}\"\n"
    )
    found = compose(folder, "config", [])
    assert (found["keys"], found["values"], found["made"], found["read"]) == (
        ["x", "y"],
        [1, 2],
        {"z": 3},
        [1, 1],
    )


def test_others_keep_their_resolvers(tmp_path: Path) -> None:
    """After composing, and after a refusal, OmegaConf is as it was."""
    folder = conf(tmp_path, "${now:%H}")
    refused(lambda: compose(folder, "config", []))
    assert OmegaConf.create({"a": "${oc.env:FURROW_TEST_SECRET}"}).a == SECRET
    assert OmegaConf.create({"a": "${of_a_module:1}"}).a == SECRET
    assert {"oc.env", *PURE} <= {name for name in [*PURE, "oc.env"] if OmegaConf.has_resolver(name)}
