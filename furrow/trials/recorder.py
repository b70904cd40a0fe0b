"""Recording trials as DVC experiments, and recalling those that were run before."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.files import FileError, machine_file, sha256_json
from furrow.ground.kept_here import why_not_kept
from furrow.ground.overrides import settings
from furrow.layout import EXPERIMENTS_YAML
from furrow.parse import parse_json
from furrow.training.declare import declared, experiment_text
from furrow.trials.edit import with_entry, with_settings
from furrow.trials.workers import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from furrow.ground.experiments import Base, Recorded
    from furrow.training.config import Experiment
    from furrow.trials.trial import History, Result

__all__ = ["Finished", "Recorder", "Trial"]

PRUNED = f"{layout.FURROW}/pruned.jsonl"


@dataclass(frozen=True)
class Trial:
    """One point of a sweep.

    Attributes:
        number: Counted from 0.
        name: Of its DVC experiment.
        digest: What its outcome hangs on.
        overrides: Those that vary.
        every: Those that all trials have, and these.
        config: Resolved.
    """

    number: int
    name: str
    digest: str
    overrides: tuple[str, ...]
    every: tuple[str, ...]
    config: Experiment


@dataclass(frozen=True)
class Finished:
    """What came of a trial.

    Attributes:
        trial: Which.
        state: "done", "pruned" or "failed".
        score: Its metric; None unless it is done.
        metrics: All of them.
        seconds: How long it took.
        steps: The metric on each fold.
        again: Whether it had been run before, and was not run now.
        message: Why it failed.
    """

    trial: Trial
    state: str
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    steps: tuple[float, ...] = ()
    again: bool = False
    message: str = ""


class Recorder:
    """Writes what came of trials into the repository, and finds it there.

    Args:
        root: The project.
        base: Where experiments are made.
        known: Experiments of the whole repository.
        files: What every trial's commit holds instead of the base's files, by path.
        metric: By which trials are compared.
        engine: The name of what runs them.
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self,
        root: Path,
        base: Base,
        known: Sequence[Recorded],
        *,
        files: Mapping[str, bytes],
        metric: str,
        engine: str,
        clock: Callable[[], float],
    ) -> None:
        self._root = root
        self._base = base
        self._files = files
        self._known = {
            one.trailers["Furrow-Trial"]: one for one in known if "Furrow-Trial" in one.trailers
        }
        self._metric = metric
        self._engine = engine
        self._clock = clock

    def name(self, experiment: str, digest: str) -> str:
        """A name for a trial's DVC experiment.

        Short, and longer when another trial has the short one.
        """
        short = f"{experiment}-{digest[:8]}"
        commit = self._base.recorded(short)
        taken = commit is not None and self._base.trailers(commit).get("Furrow-Trial") != digest
        return f"{experiment}-{digest[:24]}" if taken else short

    def recall(self, trial: Trial, history: History | None) -> Finished | None:
        """A trial that was run before.

        By this sweep before it was cut short, or by another, even one going on now.
        """
        commit = self._base.recorded(trial.name)
        known = self._known.get(trial.digest)
        folder = layout.run(trial.config.name)
        if (
            commit is None and known is not None
        ):  # on another commit, where everything that counts was the same
            run = self._base.read(known.commit, folder)
            commit = self._write(trial, run, known.trailers)
        if commit is not None:
            trailers = self._base.trailers(commit)
            metrics = parse_json(
                self._base.read(commit, folder)[layout.METRICS_JSON], f"{folder}/metrics.json"
            )
            steps = tuple(float(word) for word in trailers.get("Furrow-Steps", "").split())
            seconds = float(trailers.get("Furrow-Seconds", "0"))
            return Finished(
                trial, "done", metrics.get(self._metric), metrics, seconds, steps, again=True
            )
        if history is not None and (steps := self._pruned().get(_key(trial, history), ())):
            return Finished(trial, "pruned", steps=steps, again=True)
        return None

    def record(self, trial: Trial, outcome: Result | Failure, history: History | None) -> Finished:
        """Keep what came of a trial.

        A DVC experiment when it is done, a line in .furrow when it was pruned.

        Raises:
            ExperimentError: The repository can't be written, or the disk is full.
            FileError: .furrow can't be written.
        """
        if isinstance(outcome, Failure):
            return Finished(trial, "failed", message=outcome.message)
        if not outcome.metrics:
            if history is not None:
                self._keep_pruned(_key(trial, history), trial, outcome.steps)
            return Finished(trial, "pruned", seconds=outcome.seconds, steps=outcome.steps)
        score = outcome.metrics[self._metric]
        facts = {
            "Furrow-Cpu-Seconds": f"{outcome.cpu_seconds:.3f}",
            "Furrow-Engine": self._engine,
            "Furrow-Predictions": outcome.predictions_sha256,
            "Furrow-Score": f"{self._metric} {score!r}",
            "Furrow-Seconds": f"{outcome.seconds:.3f}",
            "Furrow-Steps": " ".join(map(repr, outcome.steps)),
        }
        self._write(trial, {path: text.encode() for path, text in outcome.files.items()}, facts)
        return Finished(trial, "done", score, outcome.metrics, outcome.seconds, outcome.steps)

    def declaration(self, trial: Trial) -> dict[str, bytes]:
        """The files of conf/ that declare what was tried, by path.

        Raises:
            EditError: The experiment's file can't say it.
        """
        conf, name = self._root / "conf", trial.config.name
        place, entries = layout.experiment_yaml(name), EXPERIMENTS_YAML
        text = self._experiment_text(trial, place)
        table = (self._root / entries).read_text(encoding="utf-8")
        return {
            place: with_settings(text, settings(conf, trial.every), where=place).encode(),
            entries: (
                with_entry(
                    table,
                    name,
                    trial.config.features.service,
                    where=entries,
                    problem=trial.config.problem.name,
                ).encode()
            ),
        }

    def _experiment_text(self, trial: Trial, place: str) -> str:
        """The experiment's file; of one that an entry of one line declares, what that line says."""
        path, name = self._root / place, trial.config.name
        if path.is_file():
            return path.read_text(encoding="utf-8")
        return experiment_text(name, declared(self._root / "conf")[name])

    def _write(self, trial: Trial, run: Mapping[str, bytes], facts: Mapping[str, str]) -> str:
        """A trial's commit.

        Its declaration and its run, so that `dvc repro` on it gives the same.
        """
        folder = layout.run(trial.config.name)
        files: dict[str, bytes | None] = {
            **self._files,
            f"{folder}/card.md": None,  # what only a fitted model can say is not the trial's
            f"{folder}/plots/importance.csv": None,
            **{f"{folder}/{path}": content for path, content in run.items()},
            **self.declaration(trial),
        }
        lines = {
            **facts,
            "Furrow-Experiment": trial.config.name,
            "Furrow-Overrides": json.dumps(trial.every),
            "Furrow-Trial": trial.digest,
        }
        subject = f"furrow try {trial.config.name} {' '.join(trial.every)}".strip()
        message = f"{subject}\n\n" + "".join(f"{key}: {lines[key]}\n" for key in sorted(lines))
        return self._base.write(trial.name, files, message, when=int(self._clock()))

    def _pruned(self) -> dict[str, tuple[float, ...]]:
        path = machine_file(self._root, PRUNED)
        known = path.is_file() and not why_not_kept(self._root)
        found = {}
        for text in path.read_text(encoding="utf-8").splitlines() if known else ():
            try:
                line: Any = parse_json(text)
                found[str(line["key"])] = tuple(float(word) for word in line["steps"])
            except (ValueError, KeyError, TypeError):
                continue  # cut short by a kill: that trial is run again
        return found

    def _keep_pruned(self, key: str, trial: Trial, steps: Sequence[float]) -> None:
        path = machine_file(self._root, PRUNED)
        line = json.dumps(
            {"key": key, "trial": trial.name, "steps": [repr(step) for step in steps]}
        )
        try:
            path.parent.mkdir(exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, f"{line}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as exc:
            hint = "free some space, then give the same command: it goes on from there"
            raise FileError(f"cannot write {path}: {exc.strerror}", path=path, hint=hint) from exc


def _key(trial: Trial, history: History) -> str:
    """What a pruned trial's end hangs on: itself, and the trials that it was compared with."""
    steps = [[repr(value) for value in one] for one in history.steps]
    return sha256_json([trial.digest, history.metric, history.direction, steps])
