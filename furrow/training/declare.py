"""Declared experiments: conf/ composed, checked, and resolved into one config each."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.hydra import ConfigError, compose, structured
from furrow.parse import ParseError, read_yaml
from furrow.training.config import Code, Experiment, parse
from furrow.training.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DeclarationError", "declared", "gate", "resolve"]

NAME = re.compile(r"[a-z][a-z0-9_]*")


class DeclarationError(FurrowError):
    """The map of experiments and the files of conf/experiment/ don't agree, or name what does not exist."""


def declared(conf: Path) -> dict[str, str]:
    """The experiments that conf/experiments.yaml declares, and the feature service of each, in its order.

    Raises:
        DeclarationError: An entry has no file, a file has no entry, or a name is unfit.
    """
    path = conf / "experiments.yaml"
    try:
        value = read_yaml(path)
        entries = {str(name): str(entry["service"]) for name, entry in value["experiments"].items()}
    except OSError as exc:
        raise DeclarationError(f"cannot read {path}: {exc.strerror}", hint="declare the experiments there") from exc
    except (ParseError, KeyError, TypeError, AttributeError) as exc:
        raise DeclarationError(
            f"{path} is malformed: {' '.join(str(exc).split())}", hint="write `experiments: {NAME: {service: SERVICE}}`"
        ) from exc
    files = {file.stem for file in (conf / "experiment").glob("*.yaml")}
    for name in entries:
        if not NAME.fullmatch(name):
            raise DeclarationError(f"{path}: {name!r} is no name", hint="use lower-case letters, digits and _")
        if name not in files:
            close = difflib.get_close_matches(name, sorted(files - set(entries)), 1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"write {conf.name}/experiment/{name}.yaml, or drop the entry"
            )
            raise DeclarationError(f"{path}: {name!r} has no file {conf.name}/experiment/{name}.yaml", hint=hint)
    for name in sorted(files - set(entries)):
        raise DeclarationError(
            f"{conf.name}/experiment/{name}.yaml has no entry in {path.name}",
            hint=f"add `{name}: {{service: SERVICE}}` to {conf.name}/{path.name}, or remove the file",
        )
    return entries


def resolve(conf: Path, services: Mapping[str, str], code: Code) -> dict[str, Experiment]:
    """Compose and check every declared experiment.

    Args:
        conf: The folder of configs.
        services: Feature services that exist, and their digests.
        code: Digests of the code of the stages train and evaluate.

    Raises:
        DeclarationError: An experiment names an unknown service, or disagrees with the map.
        ConfigError: A config does not compose, or has an unknown key or a value of a wrong type.
    """
    found = {}
    for name, service in declared(conf).items():
        where = f"{conf.name}/experiment/{name}.yaml"
        experiment = parse(compose(conf, "config", [f"experiment={name}"]), where=where, conf=conf)
        _check(experiment, name, service, services, where)
        experiment.features.digest = services[service]
        experiment.code = code
        found[name] = experiment
    return found


def _check(experiment: Experiment, name: str, service: str, services: Mapping[str, str], where: str) -> None:
    if experiment.name != name:
        raise DeclarationError(f"{where}: name is {experiment.name!r}", hint=f"write `name: {name}`")
    if experiment.features.service != service:
        raise DeclarationError(
            f"{where}: features.service is {experiment.features.service!r}, experiments.yaml says {service!r}",
            hint="make the two agree",
        )
    if service not in services:
        close = difflib.get_close_matches(service, list(services), 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(services))}"
        raise DeclarationError(f"{where}: there is no feature service {service!r}", hint=hint)


def gate(conf: Path) -> Gate:
    """The declared gate, composed and checked.

    Raises:
        ConfigError: It does not compose, or has an unknown key.
    """
    value: dict[str, Any] = compose(conf, "select", [])
    if "gate" not in value:
        raise ConfigError(f"{conf.name}/select.yaml chooses no gate", hint="write `defaults: [gate: default]`")
    return structured(Gate, value["gate"], where=f"{conf.name}/gate", conf=conf / "gate")
