"""Replay a commit: run its stages again from nothing, and compare what they give with what it says."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from furrow.errors import UsageError
from furrow.files import sha256_bytes
from furrow.ground.dvc import Project
from furrow.ground.git import resolve, show
from furrow.ground.pipeline import overlaps
from furrow.ground.process import installed, stage_environment
from furrow.ground.worktree import checkout
from furrow.layout import CI_YAML, DVC_YAML, REPLAY_YAML
from furrow.parse import ParseError, parse_yaml
from furrow.replay import diagnose as why
from furrow.replay import locked_environment as environment
from furrow.replay.checkout_check import complain, settle_checkout
from furrow.replay.inputs import AbsentInputError, CorruptInputError
from furrow.replay.other_bytes import hashes_of, proven, recognised
from furrow.replay.replay_request import Options, ReplayError, select
from furrow.replay.replay_settings import Settings, load
from furrow.replay.replay_verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    NOT_KEPT,
    OTHER_BYTES,
    Environment,
    Output,
    Reason,
    StageVerdict,
    Verdict,
    first_wrong,
    worst,
)
from furrow.replay.stage_judge import (
    changed_inputs,
    judge_output,
    judge_side,
    judge_unkept,
    stale_inputs,
)
from furrow.replay.undeclared_reads import undeclared
from furrow.replay.workbench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from furrow.ground.dvc import Item, Stage
    from furrow.ground.worktree import Checkout
    from furrow.replay.workbench import Attempt

__all__ = ["Event", "replay"]

_LOG_LINES = 30


@dataclass(frozen=True)
class Event:
    """What happens, for a display.

    Attributes:
        kind: checkout (detail: the folder), plan, run, why or done.
        stage: The stage's name.
        number: Which one it is, from 1.
        total: Of how many.
        detail: In words.
        verdict: With done.
    """

    kind: str
    stage: str = ""
    number: int = 0
    total: int = 0
    detail: str = ""
    verdict: StageVerdict | None = None


def _nothing(event: Event) -> None:
    del event


def replay(
    repo: Path,
    rev: str = "HEAD",
    options: Options | None = None,
    *,
    progress: Callable[[Event], None] = _nothing,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Verdict:
    """Replay a commit.

    Args:
        repo: A folder inside its repository.
        rev: A revision.
        options: What to run and how.
        progress: Told what happens.
        clock: The time, for the record.

    Raises:
        UnknownRevisionError: No commit goes by this name.
        ReplayError: The commit has no stages.
        UsageError: There is no such experiment or stage.
        IncompleteError: The commit can't be checked out whole, or not as its author had it.
        AbsentInputError: An input is neither in the cache, nor in the remote, nor in the work tree.
    """
    options = options or Options()
    if options.experiment and options.stage:
        raise UsageError("--experiment and --stage together", hint="give one of them")
    commit = resolve(repo, rev)
    if show(repo, commit, DVC_YAML) is None:
        raise ReplayError(
            f"commit {commit[:10]} has no dvc.yaml", hint="replay one that declares stages"
        )
    started, begun = clock(), time.perf_counter()
    with checkout(repo, commit, parent=options.folder, keep=options.keep) as tree:
        progress(Event("checkout", detail=str(tree.root)))
        project = Project(tree.root, scratch=tree.room / "dvc")
        chosen = select(project, options)
        doubts = settle_checkout(tree, project, chosen)
        settings = load(tree.root)
        run = _Replay(
            Bench(repo, tree, project), settings, options, progress, _environment(tree, settings)
        )
        progress(Event("plan", total=len(chosen), detail=", ".join(chosen)))
        for number, name in enumerate(chosen, 1):
            try:
                run.stage(project.stages[name], number, len(chosen))
            except AbsentInputError as exc:
                other = _other_remedy(exc.path, project, options, tree)
                remedy = "; or ".join(filter(None, (exc.remedy, other)))
                raise AbsentInputError(exc.path, exc.md5, why=exc.why, remedy=remedy) from exc
        rules = tree.blob(REPLAY_YAML)
        project.close()
        stages = proven(run.done, project, settings)
        if doubts and first_wrong(
            stages
        ):  # equal is equal whatever was lacking; different may be the lack itself
            complain(tree, next(iter(doubts.values())))
    return Verdict(
        commit=commit,
        scope={
            name: value for name in ("experiment", "stage") if (value := getattr(options, name))
        },
        status=worst([one.status for one in stages]),
        first=first_wrong(stages),
        stages=stages,
        environment=run.environment,
        started=started.astimezone(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begun, 2),
        where=platform.node(),
        furrow=_version(),
        settings_sha256=sha256_bytes(rules) if rules is not None else "",
        project=tree.prefix,
    )


def _other_remedy(path: str, project: Project, options: Options, tree: Checkout) -> str:
    """What helps besides bringing an input that is nowhere to be had.

    That depends on where it comes from.
    """
    makers = [
        name
        for name, stage in project.stages.items()
        if any(overlaps(out.path, path) for out in stage.outs)
    ]
    if makers:
        if project.stages[makers[0]].frozen:
            return ""
        again = makers[0] not in select(project, options)
        return (
            f"replay without --stage: {makers[0]} makes it"
            if again
            else f"mend {makers[0]}, which makes it"
        )
    try:
        value = parse_yaml(tree.blob(CI_YAML) or b"")
    except ParseError:
        return ""
    command = value.get("prepare") if isinstance(value, dict) else None
    return f"make it here: `{command}` (`prepare` in conf/ci.yaml)" if command else ""


def _version() -> str:
    try:
        return version("furrow")
    except PackageNotFoundError:
        return "unknown"


def _environment(tree: Checkout, settings: Settings) -> tuple[Environment, list[str]]:
    asked = installed(tree.root, stage_environment(root=tree.root, stage=""))
    return environment.check(asked, settings.lock, tree.blob(settings.lock)), list(
        asked["prefixes"]
    )


@dataclass
class _Replay:
    """A replay under way."""

    bench: Bench
    settings: Settings
    options: Options
    progress: Callable[[Event], None]
    place: tuple[Environment, list[str]]
    done: list[StageVerdict] = field(default_factory=list)

    @property
    def environment(self) -> Environment:
        """Where the stages run."""
        return self.place[0]

    def stage(self, stage: Stage, number: int, total: int) -> None:
        """Run a stage, judge it, keep what later ones need."""
        self.progress(Event("run", stage.name, number, total))
        known = len(self.bench.supply.corrupt)
        try:
            attempt = self.bench.attempt(stage)
        except CorruptInputError as exc:
            verdict = StageVerdict(
                stage.name, FAILED, 0.0, reasons=(Reason("corrupt", exc.message),)
            )
        else:
            verdict = self._judge(stage, attempt, known)
        self.done.append(verdict)
        self.progress(Event("done", stage.name, number, total, verdict=verdict))

    def _judge(self, stage: Stage, attempt: Attempt, known: int) -> StageVerdict:
        readings = undeclared(stage, attempt, self.bench, self.settings, self.place[1])
        unsaid = why.undeclared_reasons(stage, readings, self.bench)
        changed, stale = changed_inputs(attempt), stale_inputs(stage, attempt)
        damaged = [Reason("corrupt", words) for words in self.bench.supply.corrupt[known:]]
        seconds = round(attempt.seconds, 2)
        if attempt.code:
            place = why.environment_reason(self.environment.differences, attempt)
            failure = Reason("failed", f"{stage.name} ended with exit code {attempt.code}")
            known_reasons = (failure, *changed, *unsaid, *stale, *([place] if place else []))
            return StageVerdict(
                stage.name,
                FAILED,
                seconds,
                (),
                known_reasons,
                tuple(damaged),
                readings,
                _tail(attempt.log),
            )
        outputs, edited = self._outputs(stage, attempt)
        outputs = recognised(
            outputs, self.settings, downstream=OTHER_BYTES in self.bench.renamed.values()
        )
        side = [
            judge_side(path, attempt, self.bench, self.settings)
            for path in attempt.side
            if path not in attempt.before
        ]
        outputs += side
        self.bench.renamed.update(hashes_of(outputs))
        status = worst([*([DIFFERENT] if changed else []), *[output.status for output in outputs]])
        reasons = [*changed, *edited, *_compiled(stage, side)]
        if status == DIFFERENT:
            reasons += self._why(
                stage, attempt, outputs, known=bool(reasons), said=[*stale, *unsaid]
            )
        good = frozenset(output.path for output in outputs if output.status == IDENTICAL)
        self.bench.keep(stage, attempt, good=good)
        warnings = [*_not_kept(outputs), *([] if status == DIFFERENT else stale), *damaged]
        return StageVerdict(
            stage.name, status, seconds, tuple(outputs), tuple(reasons), tuple(warnings), readings
        )

    def _outputs(self, stage: Stage, attempt: Attempt) -> tuple[list[Output], list[Reason]]:
        """What it wrote beside what the commit says, and where that contradicts itself."""
        items = [item for item in stage.outs if not item.external]
        if stage.name in self.bench.unkept:
            return [judge_unkept(item, attempt, self.bench, self.settings) for item in items], []
        judged = [judge_output(item, attempt, self.bench, self.settings) for item in items]
        return [output for output, _ in judged], [
            reason for _, reasons in judged for reason in reasons
        ]

    def _why(
        self,
        stage: Stage,
        attempt: Attempt,
        outputs: list[Output],
        *,
        known: bool,
        said: list[Reason],
    ) -> list[Reason]:
        """Reasons that are at hand, and for the first stage that differs those that running it again finds.

        What is unusual and explains nothing by itself (a file that is not declared, and has not
        changed) counts only when there is no better reason.
        """
        reasons = []
        if not stage.recorded:
            reasons.append(
                Reason("unrecorded", f"dvc.lock says nothing of {stage.name}: it was not run")
            )
        for item in stage.deps:
            if item.path in self.bench.tainted:
                text = (
                    f"{item.path} is what {self.bench.tainted[item.path]} gave now: nobody has the"
                    " recorded one"
                )
                reasons.append(Reason("upstream", text))
        place = why.environment_reason(self.environment.differences, attempt)
        odd = [*said, *([place] if place else [])]
        reasons += [one for one in odd if why.explains(one)]
        wrong = [item for item in stage.outs if _differs(item, outputs)]
        first = not first_wrong(self.done)
        if self.options.diagnose and first and wrong and not known and stage.recorded:

            def tell(words: str) -> None:
                self.progress(Event("why", stage.name, detail=words))

            reasons += why.experiments(
                stage, attempt, self.bench, wrong, explained=bool(reasons), tell=tell
            )
        if not known and all(one.kind in {"replaced", "unknown"} for one in reasons):
            rest = [one for one in odd if not why.explains(one)]
            doubts = [one for one in rest if why.UNTOLD in one.text]
            reasons = [*doubts, *reasons, *(one for one in rest if one not in doubts)]
        return reasons


def _not_kept(outputs: list[Output]) -> list[Reason]:
    """What a trial's commit lacks to compare with."""
    paths = [output.path for output in outputs if output.status == NOT_KEPT]
    if not paths:
        return []
    return [
        Reason(
            "not kept",
            f"{', '.join(paths)}: a trial keeps no model, no predictions, nor what only they tell",
        )
    ]


def _differs(item: Item, outputs: list[Output]) -> bool:
    return any(output.path == item.path and output.status == DIFFERENT for output in outputs)


def _compiled(stage: Stage, side: list[Output]) -> list[Reason]:
    return [
        Reason(
            "compile",
            f"{output.path} is not what {stage.name} writes from the commit's declarations: edited"
            " by hand, or committed without running it",
        )
        for output in side
        if output.status == DIFFERENT
    ]


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
