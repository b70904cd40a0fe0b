"""Which stages `dvc repro` would run, which it would take from its cache, and why.

Its own rules, stage by stage.

DVC's rules (3.67): a stage is changed when its command, an input, a key or an output differs from
dvc.lock, or when the cache has lost an output. A changed stage comes back from the cache when the
same command met the same inputs before and every output of that run is still held; else it runs.
What a stage that runs will write is not known, and nor is then what depends on it: those stages are
predicted to run, and marked as depending on that. Three things are known all the same: a marker
never changes, the resolved files that compile writes can be computed, and stages give the same
bytes for the same inputs, so that an input that changed in form only (a comment in SQL, a blank in
a command) or an output that was lost gives what dvc.lock, or DVC's record of an earlier run, says.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from furrow.errors import FurrowError
from furrow.ground.parameters import MISSING, keys_of, pick
from furrow.ground.runcache import run_key
from furrow.plan.workspace import UNKNOWN, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from furrow.ground.pipeline_spec import Out, Params, Pipeline, Step
    from furrow.ground.runcache import Cache
    from furrow.plan.workspace import Workspace

__all__ = ["Cause", "Prediction", "Rules", "predict"]

Kind = Literal["new", "command", "always", "dep", "param", "out", "lost", "upstream", "unknown"]
Action = Literal["run", "restore", "record", "unknown", "skip"]


@dataclass(frozen=True)
class Cause:
    """One reason for a stage to run.

    Attributes:
        kind: "new" (not in dvc.lock), "command", "always", "dep" (an input), "param" (a key), "out"
            (an output is other or gone), "lost" (an output is gone from the cache), "upstream" (an
            input that another stage is about to write) or "unknown" (why it can't be told what the
            stage would do, in `key`).
        path: The file.
        key: The dotted key, of a param.
        old: The md5 or value in dvc.lock; MISSING if it has none.
        new: The md5 or value now; MISSING if there is none.
    """

    kind: Kind
    path: str = ""
    key: str = ""
    old: Any = MISSING
    new: Any = MISSING


@dataclass(frozen=True)
class Prediction:
    """What would become of a stage.

    Attributes:
        action: "run", "restore" (from DVC's cache), "record" (a frozen stage: DVC takes its outputs
            as they are), "unknown" or "skip".
        certain: Whether that holds whatever the stages before write.
        causes: Why; empty for "skip".
    """

    stage: str
    action: Action
    certain: bool
    causes: tuple[Cause, ...]

    def __bool__(self) -> bool:
        return self.action != "skip"


@dataclass(frozen=True)
class Rules:
    """What is known of some stages beyond DVC's rules.

    Attributes:
        effects: Texts by path (None: removed) that a stage writes besides its outputs, if it is one
            of that kind.
        equivalent: Whether an input at a path, once of this md5, differs in form only.
    """

    effects: Callable[[Step], Mapping[str, str | None]]
    equivalent: Callable[[str, str], bool]


def predict(
    pipeline: Pipeline, workspace: Workspace, cache: Cache, rules: Rules
) -> tuple[dict[str, Prediction], dict[str, str]]:
    """Predict `dvc repro`.

    Args:
        pipeline: The stages and dvc.lock.
        workspace: The files as they are.
        cache: DVC's cache.
        rules: What is known of some stages.

    Returns:
        A prediction by stage, in the order of running; and what it was made from: md5 by path.
    """
    world = World(workspace, cache)
    found = {}
    for bad in pipeline.broken:
        found[bad.name] = Prediction(
            bad.name, "unknown", False, (Cause("unknown", bad.file, bad.why),)
        )
        for path in bad.outs:
            world.make(path, UNKNOWN, doubtful=True)
    for name, step in pipeline.steps.items():
        looked = _Look(step, world, cache, rules)
        try:
            found[name] = looked.prediction()
        except FurrowError as exc:
            said = f"{exc.message} ({exc.hint})" if exc.hint else exc.message
            found[name] = looked.unknown([Cause("unknown", key=said)])
    return found, world.seen


class _Look:
    """One stage, looked at when its turn has come."""

    def __init__(self, step: Step, world: World, cache: Cache, rules: Rules) -> None:
        self.step, self.world, self.cache, self.rules = step, world, cache, rules

    def prediction(self) -> Prediction:
        step = self.step
        causes = (
            self._itself() if step.frozen else [*self._itself(), *self._deps(), *self._params()]
        )
        outs = self._outs()
        if not causes and not outs:
            return Prediction(step.name, "skip", True, ())
        if step.frozen:
            for out in step.outs:
                self.world.put(
                    out.path, self.world.now(out.path, out.algorithm) or UNKNOWN, out.algorithm
                )
            return Prediction(step.name, "record", True, (*causes, *outs))
        direct = [cause for cause in (*causes, *outs) if cause.kind not in {"upstream", "unknown"}]
        doubts = [cause for cause in causes if cause.kind == "unknown"]
        if not direct and (doubts or any(self.world.doubtful(cause.path) for cause in causes)):
            return self.unknown([*doubts, *(cause for cause in causes if cause not in doubts)])
        earlier = (
            None
            if any(cause.kind in {"upstream", "unknown"} for cause in causes)
            else self._earlier(causes)
        )
        if earlier is not None and self._restored(earlier, recorded=not causes):
            for out in step.outs:
                self.world.make(out.path, earlier[out.path], _algorithm(out, earlier[out.path]))
            return Prediction(step.name, "restore", True, (*causes, *outs))
        self._run(causes, earlier or {})
        return Prediction(step.name, "run", bool(direct), (*causes, *outs))

    def unknown(self, causes: list[Cause]) -> Prediction:
        """The stage as one of which it can't be told what it would do."""
        for out in self.step.outs:
            self.world.make(out.path, UNKNOWN, doubtful=True)
        return Prediction(self.step.name, "unknown", False, tuple(causes))

    def _itself(self) -> list[Cause]:
        if (self.step.always or self.step.callback) and not self.step.frozen:
            return [Cause("always")]
        if not self.step.recorded:
            return [] if self.step.frozen else [Cause("new")]
        if self.step.restated:
            return [Cause("command", old=self.step.locked_cmd, new=self.step.cmd)]
        return []

    def _deps(self) -> list[Cause]:
        causes = []
        for dep in self.step.deps:
            if dep.changed:
                causes.append(Cause("dep", dep.path))
                continue
            if dep.remote:
                causes += self._remote(dep.path)
                continue
            now = self.world.md5(dep.path, dep.algorithm)
            if now == UNKNOWN:
                causes.append(Cause("upstream", dep.path))
            elif now is None or now != dep.md5:
                causes.append(
                    Cause(
                        "dep", dep.path, old=dep.md5 or MISSING, new=MISSING if now is None else now
                    )
                )
        return causes

    @staticmethod
    def _remote(path: str) -> list[Cause]:
        if path.startswith("ds://"):
            return []  # dvc.lock tells
        return [Cause("unknown", path, f"reads {path}, which only DVC can look at: `dvc status`")]

    def _params(self) -> list[Cause]:
        causes = []
        for entry in self.step.params:
            if self.world.unknown(entry.path):
                causes.append(Cause("upstream", entry.path))
                continue
            if entry.recorded is None or not self.world.exists(entry.path):
                causes.append(Cause("param", entry.path))
                continue
            for key, now in self._values(entry).items():
                old = entry.recorded.get(key, MISSING)
                if old is MISSING or now is MISSING or not _same(now, old):
                    causes.append(Cause("param", entry.path, key, old, now))
        return causes

    def _values(self, entry: Params) -> dict[str, Any]:
        held = self.world.values(entry.path)
        if entry.keys:
            return {key: pick(held, key) for key in entry.keys}
        names = [*keys_of(held), *(entry.recorded or {})]
        return {
            name: held[name] if name in keys_of(held) else MISSING for name in dict.fromkeys(names)
        }

    def _outs(self) -> list[Cause]:
        causes = []
        for out in self.step.outs:
            if out.remote:
                causes += self._remote(out.path)
                continue
            now = None if out.ignored else self.world.now(out.path, out.algorithm)
            if out.md5 and out.cached and not self.world.holds(out.md5, out.algorithm):
                causes.append(Cause("lost", out.path, old=out.md5))
            elif now is None or now != out.md5:
                causes.append(
                    Cause(
                        "out", out.path, old=out.md5 or MISSING, new=MISSING if now is None else now
                    )
                )
        return causes

    def _earlier(self, causes: list[Cause]) -> dict[str, str] | None:
        """The outputs that DVC would look for in its cache.

        Those of dvc.lock, or of the newest run on these inputs.
        """
        step = self.step
        if step.always or not step.cmd or not step.outs or not (step.deps or step.params):
            return None
        if any(out.persist or out.remote or not out.inside for out in step.outs):
            return None
        params = {step.written(entry.path): self._values(entry) for entry in step.params}
        if not all(params.values()) or any(
            MISSING in values.values() for values in params.values()
        ):
            return None
        if not causes and all(out.md5 for out in step.outs):
            return {out.path: out.md5 for out in step.outs}
        changed = {cause.path for cause in causes if cause.kind == "dep"}
        # DVC 3 takes the hash of what changed anew, and leaves what DVC 2 wrote of the rest
        legacy = {
            dep.local: dep.md5
            for dep in step.deps
            if dep.algorithm != "md5" and dep.md5 and dep.path not in changed
        }
        deps = {
            dep.local: md5 for dep in step.deps if (md5 := self.world.md5(dep.path)) is not None
        }
        deps |= legacy
        if len(deps) < len(step.deps) or UNKNOWN in deps.values():
            return None
        runnable = {dep.local for dep in step.deps if self.world.executable(dep.path)}
        found = self.cache.run(run_key(step, deps, params, runnable, legacy))
        if found is None or any(out.local not in found for out in step.outs):
            return None
        return {out.path: found[out.local] for out in step.outs}

    def _restored(self, earlier: Mapping[str, str], *, recorded: bool) -> bool:
        """Whether the cache holds all of those outputs.

        Those of dvc.lock lie where DVC 2 may have put them, those of a run where DVC 3 does.
        """
        whole = recorded and all(out.md5 for out in self.step.outs)
        old = {out.path: out.algorithm for out in self.step.outs} if whole else {}
        return all(self.world.holds(md5, old.get(path, "md5")) for path, md5 in earlier.items())

    def _run(self, causes: list[Cause], earlier: Mapping[str, str]) -> None:
        """What is known of the outputs, and of the files besides, once the stage has run."""
        same = not any(self._matters(cause) for cause in causes)
        for out in self.step.outs:
            after = earlier.get(out.path) or self._after(out, same=same)
            self.world.make(out.path, after, _algorithm(out, after))
            if out.cached:
                self.world.put(out.path, after, _algorithm(out, after))
        for path, text in self.rules.effects(self.step).items():
            self.world.write(path, text)

    def _after(self, out: Out, *, same: bool) -> str:
        if out.md5 and (same or out.marker):
            return out.md5
        return (self.world.now(out.path) or UNKNOWN) if out.marker else UNKNOWN

    def _matters(self, cause: Cause) -> bool:
        if cause.kind == "command":
            return _words(cause.old) != _words(cause.new)
        if cause.kind != "dep" or cause.old is MISSING or cause.new is MISSING:
            return True
        return not self.rules.equivalent(cause.path, cause.old)


def _algorithm(out: Out, after: str) -> str:
    """How DVC takes the hash of an output once it is written.

    As before if it is the same, else as it does now.
    """
    return out.algorithm if out.md5 == after else "md5"


def _same(now: Any, recorded: Any) -> bool:
    """Whether a value is the recorded one, as DVC compares.

    A tuple of Python is a list in dvc.lock.
    """
    return bool(now == recorded or (isinstance(now, tuple) and list(now) == recorded))


def _words(command: Any) -> list[list[str]]:
    """The words of a command's lines: white space between them doesn't count."""
    lines = command if isinstance(command, list) else str(command).splitlines()
    try:
        return [shlex.split(str(line)) for line in lines]
    except ValueError:
        return [[str(line)] for line in lines]
