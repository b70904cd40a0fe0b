"""Adopting a trial.

Exploration becomes declaration, an experiment's file and its entry in the map.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.errors import FurrowError
from furrow.files import sha256_file, write_text
from furrow.ground.experiments import find
from furrow.ground.git import show
from furrow.ground.hydra import compose
from furrow.ground.overrides import Setting
from furrow.layout import EXPERIMENTS_YAML, training_set
from furrow.parse import parse_json, parse_yaml
from furrow.training.config import Experiment, parse
from furrow.training.declare import NAME, Declared, chosen, declared
from furrow.trials.edit import with_entry, with_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from furrow.ground.experiments import Recorded
    from furrow.training.config import Code

__all__ = ["AdoptError", "Adopted", "adopt"]

OWN = ("name", "description", "engine", "code")
"""Keys of a config that an adopted experiment need not share with its trial."""


class AdoptError(FurrowError):
    """A trial can't be adopted.

    It was not made by `furrow try`, or what it was can't be declared here any more.
    """


@dataclass(frozen=True)
class Adopted:
    """What was written.

    Attributes:
        trial: The trial's name.
        name: The experiment's.
        service: Its feature service.
        overrides: What the trial changed.
        score: The metric's name and value that the trial reached.
        warnings: Why `dvc repro` may give other metrics than the trial's.
    """

    trial: str
    name: str
    service: str
    overrides: tuple[str, ...]
    score: str
    warnings: tuple[str, ...]


def adopt(
    root: Path,
    trial: str,
    name: str,
    *,
    description: str = "",
    services: Mapping[str, str],
    code: Callable[[Experiment], Code],
) -> Adopted:
    """Declare a trial as an experiment.

    conf/experiment/NAME.yaml and its entry in conf/experiments.yaml.

    The new file is the tried experiment's own, as it was then, with the overrides written in. Where
    conf/ has changed since, the trial's values are written out, so that the experiment is the
    trial's and not today's.

    Args:
        root: The project.
        trial: A trial's name, reference or commit.
        name: Of the new experiment.
        description: Of the new experiment; empty for one that says where it came from.
        services: Feature services and their digests now.
        code: Gives the digests of the stages' code now.

    Raises:
        ExperimentError: There is no such trial.
        AdoptError: The name is taken or unfit, or the trial can't be declared.
    """
    conf = root / "conf"
    entries = declared(conf)
    if not NAME.fullmatch(name):
        raise AdoptError(f"{name!r} is not a name", hint="use lower-case letters, digits and _")
    if name in entries:
        raise AdoptError(f"there is an experiment {name!r} already", hint="choose another name")
    recorded = find(root, trial)
    source, overrides = _made_by_try(recorded)
    tried = _config(root, recorded, source)
    place, path = layout.experiment_yaml(name), conf / f"experiment/{name}.yaml"
    said = description or f"{source} with {' '.join(overrides)} (trial {recorded.name})"
    text = _content(root, recorded, layout.experiment_yaml(source)).decode()
    text = with_settings(text, (), where=place, name=name, description=said)
    table = conf / "experiments.yaml"
    before = table.read_text(encoding="utf-8")
    after = with_entry(
        before,
        name,
        tried.features.service,
        where=EXPERIMENTS_YAML,
        problem=tried.problem.name,
    )
    if path.exists():
        raise AdoptError(f"there is a file {place} already", hint="choose another name")
    try:
        write_text(path, text)
        _agree(conf, path, text, tried)
        write_text(table, after)
    except BaseException:
        path.unlink(missing_ok=True)  # a file without its entry would stop every command
        raise
    warnings = _warnings(root, recorded, source, tried, services=services, code=code(tried))
    score = recorded.trailers.get("Furrow-Score", "")
    return Adopted(recorded.name, name, tried.features.service, overrides, score, tuple(warnings))


def _made_by_try(recorded: Recorded) -> tuple[str, tuple[str, ...]]:
    try:
        return recorded.trailers["Furrow-Experiment"], tuple(
            parse_json(recorded.trailers["Furrow-Overrides"])
        )
    except (KeyError, ValueError) as exc:
        raise AdoptError(
            f"{recorded.name} was not made by `furrow try`",
            hint=f"`dvc exp apply {recorded.name}` brings its changes into the work tree",
        ) from exc


def _content(root: Path, recorded: Recorded, path: str) -> bytes:
    content = show(root, recorded.commit, path)
    if content is None:
        raise AdoptError(f"{recorded.name} holds no {path}", hint="run `furrow try` again")
    return content


def _config(root: Path, recorded: Recorded, source: str) -> Experiment:
    path = layout.run_file(source, layout.RUN_CONFIG)
    return parse(
        parse_yaml(_content(root, recorded, path), f"{recorded.name}:{path}"),
        where=f"{recorded.name}:{path}",
    )


def _agree(conf: Path, path: Path, text: str, tried: Experiment) -> None:
    """Write out the trial's values where conf/, as it is now, gives others."""
    for attempt in ("as it is", "with the values written out"):
        words = chosen(path.stem, Declared(tried.features.service, tried.problem.name))
        found = parse(compose(conf, "config", words), where=str(path))
        changes = list(_differences(_comparable(found), _comparable(tried)))
        if not changes:
            return
        if attempt == "as it is":
            write_text(path, with_settings(text, changes, where=str(path)))
    raise AdoptError(
        f"{path}: {changes[0].key} would be other than the trial's {changes[0].value!r}",
        hint="conf/ has changed since the trial: `dvc exp branch` it, or try again",
    )


def _comparable(experiment: Experiment) -> dict[str, Any]:
    value = {key: part for key, part in asdict(experiment).items() if key not in OWN}
    value["features"].pop("digest")
    return value


def _differences(
    found: dict[str, Any], wanted: dict[str, Any], above: str = ""
) -> Iterator[Setting]:
    """What must be set in one mapping so that it says what the other does."""
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        one, other = found.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(one, other, f"{above}{key}.")
        elif one != other:
            yield Setting(key=f"{above}{key}", value=other, group=False, add=key not in found)


def _warnings(
    root: Path,
    recorded: Recorded,
    source: str,
    tried: Experiment,
    *,
    services: Mapping[str, str],
    code: Code,
) -> Iterator[str]:
    """Why the experiment may come to other metrics than its trial did."""
    if (tried.code.digest, tried.code.evaluate) != (code.digest, code.evaluate):
        yield "the code of training or evaluation has changed since the trial"
    if services.get(tried.features.service) != tried.features.digest:
        yield f"the feature service {tried.features.service!r} has changed since the trial"
    path = root / training_set(tried.problem.name, tried.features.service)
    record = parse_json(
        _content(root, recorded, layout.run_file(source, layout.RECORD_JSON)),
        f"{recorded.name}:runs/{source}/record.json",
    )
    if path.is_file() and sha256_file(path) != record["training_set_sha256"]:
        yield f"{path.relative_to(root)} has changed since the trial"
