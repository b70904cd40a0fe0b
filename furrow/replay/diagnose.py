"""Why a stage does not give what was recorded.

Found by running it again under one changed condition at a time.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.files import canonical_json
from furrow.ground.git import git, show
from furrow.history.artifacts import lock_stage, outputs
from furrow.layout import DVC_LOCK
from furrow.replay.file_compare import compare
from furrow.replay.inputs import AbsentInputError, CorruptInputError
from furrow.replay.replay_settings import Settings
from furrow.replay.replay_verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from furrow.ground.dvc import Item, Stage
    from furrow.replay.replay_verdict import Reading
    from furrow.replay.workbench import Attempt, Bench

__all__ = ["environment_reason", "experiments", "explains", "undeclared_reasons"]

USED = "the stage reads it"
UNTOLD = "nothing tells what it was at the recorded run"
CHANGED = "it changed after the recorded run"
_SHIFT = {"FURROW_WATCH_SHIFT": str(400 * 86_400 + 5 * 3600 + 61)}
_HASHES = {"PYTHONHASHSEED": "0"}
_ENTROPY = {**_HASHES, "FURROW_WATCH_ENTROPY": "furrow"}
_NEAR = timedelta(hours=25)  # the clock of a run, in whatever time zone it wrote it
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_EPOCH = re.compile(r"(?<![\d.])(1\d{9}(?:\d{3}){0,3})(?!\d)")
_DEPTH = 50
TIMES = 4.0  # how much longer than the first a further run may take
FLOOR_SECONDS = 60.0


def environment_reason(differences: Sequence[str], attempt: Attempt) -> Reason | None:
    """Distributions that are not the locked ones.

    Those that the stage opened files of are said first.
    """
    if not differences:
        return None
    parts = {part.lower() for path in attempt.opened for part in path.split("/")}
    named = [(words.split(":", 1)[0].replace("-", "_") in parts, words) for words in differences]
    used = [f"{words} ({USED})" for seen, words in named if seen]
    rest = [words for seen, words in named if not seen]
    return Reason("environment", "; ".join([*used, *rest][:8]))


def undeclared_reasons(stage: Stage, readings: Sequence[Reading], bench: Bench) -> list[Reason]:
    """What was read without being declared, and whether it changed since the recorded run."""
    if not readings:
        return []
    found = []
    made = _made(bench, stage.name)
    for one in readings:
        text = {
            "commit": f"{stage.name} reads {one.path}, which dvc.yaml does not declare",
            "dvc": f"{stage.name} opens {one.path}, which DVC keeps and dvc.yaml does not declare",
            "outside": f"{stage.name} reads {one.path}, which is not part of the commit",
            "network": f"{stage.name} calls {one.path}",
        }[one.where]
        if one.where == "outside" and made and _later(one.path, bench, made):
            text += f"; {CHANGED} (commit {made[:10]})"
        elif one.where in {"outside", "network"}:
            text += f"; {UNTOLD}"
        if one.where == "commit" and made and made != bench.tree.commit:
            names = git(
                bench.tree.root,
                "diff",
                "--name-only",
                made,
                bench.tree.commit,
                "--",
                f":(literal){one.path}",
            )
            if names:
                text += f"; {CHANGED} (commit {made[:10]})"
        found.append(Reason("undeclared", text))
    return found


def _later(path: str, bench: Bench, commit: str) -> bool:
    """Whether a file was written after a commit was made."""
    at = int(git(bench.tree.root, "log", "-1", "--format=%ct", commit))
    with suppress(OSError):
        return Path(path).stat().st_mtime >= at + 1
    return False


def _made(bench: Bench, stage: str) -> str:
    """The commit that wrote the stage's entry of dvc.lock as it is now.

    Empty when the history does not reach it.
    """
    root, commit = bench.tree.root, bench.tree.commit
    entry = canonical_json(lock_stage(root, commit, stage))
    found = ""
    for one in (
        git(root, "log", f"-{_DEPTH}", "--format=%H", commit, "--", DVC_LOCK).decode().split()
    ):
        if canonical_json(lock_stage(root, one, stage)) != entry:
            break
        found = one
    return found


def explains(reason: Reason) -> bool:
    """Whether a reason is enough.

    What the stage reads is another version than at the recorded run.
    """
    if reason.kind == "undeclared":
        return CHANGED in reason.text
    return reason.kind != "environment" or USED in reason.text


@dataclass
class _Trials:
    """The further runs of a stage that differs.

    Attributes:
        stage: The stage.
        bench: Where it runs.
        limit: The seconds that each may take.
        tell: Told what is tried.
        unfinished: Those that did not end, in words.
    """

    stage: Stage
    bench: Bench
    limit: float
    tell: Callable[[str], None]
    unfinished: list[str] = field(default_factory=list)

    def run(self, how: str, **options: Any) -> Attempt | None:
        """Run the stage again; None when it did not end in time."""
        words = f"runs again{how and ' '}{how}"
        self.tell(words)
        attempt = self.bench.attempt(self.stage, limit=self.limit, **options)
        if not attempt.unfinished:
            return attempt
        self.tell(f"did not end within {self.limit:.0f} s, and was stopped")
        self.unfinished.append(words)
        return None

    def steady(self, how: str, extra: dict[str, str]) -> bool:
        """Whether two runs under one condition give the same."""
        one = self.run(how, extra=extra)
        if one is None or one.code:
            return False
        other = self.run(f"{how}, twice", extra=extra)
        return other is not None and one.same(other)

    def reasons(self) -> list[Reason]:
        """What is not known for want of an end."""
        if not self.unfinished:
            return []
        text = (
            f"{'; '.join(self.unfinished)}: that did not end within {self.limit:.0f} s, and tells"
            " nothing"
        )
        return [Reason("unknown", f"{self.stage.name} {text}")]


def experiments(
    stage: Stage,
    attempt: Attempt,
    bench: Bench,
    wrong: Sequence[Item],
    *,
    explained: bool,
    tell: Callable[[str], None],
) -> list[Reason]:
    """Run a stage again, and again under changed conditions, to see what its output depends on.

    A run may take a few times as long as the first; one that does not end is stopped, and the
    others go on.

    Args:
        stage: The stage whose outputs are not what was recorded.
        attempt: Its first run.
        bench: Where it runs.
        wrong: The outputs that differ.
        explained: Whether another cause is known already; then only what makes two runs differ is
            looked for.
        tell: Told what is tried, each time.
    """
    trials = _Trials(stage, bench, max(FLOOR_SECONDS, TIMES * attempt.seconds), tell)
    return [*_found(trials, attempt, wrong, explained=explained), *trials.reasons()]


def _found(
    trials: _Trials, attempt: Attempt, wrong: Sequence[Item], *, explained: bool
) -> list[Reason]:
    stage, bench = trials.stage, trials.bench
    paths = [item.path for item in wrong]
    again = trials.run("")
    if again is not None and not attempt.same(again):
        return [_unsteady(trials, attempt, again, paths)]
    if explained:
        return []
    if moment := _moment(_values_recorded(attempt, bench, wrong)):
        return [Reason("clock", f"{stage.name} writes the time of its run: {moment}")]
    if again is None:
        return _earlier(trials, wrong)
    shifted = trials.run("with another clock", extra=_SHIFT)
    if shifted is not None and shifted.code == 0 and not attempt.same(shifted):
        return [
            Reason(
                "clock", f"{stage.name} gives another result under another date: it reads the clock"
            )
        ]
    return _earlier(trials, wrong) or [
        Reason(
            "replaced",
            f"{stage.name} gives the same twice, from the inputs that dvc.lock names:"
            f" {', '.join(paths)} as recorded was edited, replaced, or made from something else (an"
            " input edited under the run, another environment)",
        )
    ]


def _unsteady(trials: _Trials, one: Attempt, other: Attempt, paths: Sequence[str]) -> Reason:
    """Two runs differ from each other.

    The clock, the order of hashes, random numbers, or something else.
    """
    name = trials.stage.name
    if moment := _moment(_values_between(one, other, paths)):
        return Reason("clock", f"{name} writes the time of its run: {moment}")
    if trials.steady("with one order of hashes", _HASHES):
        text = (
            "two runs differ, and agree under one PYTHONHASHSEED: it depends on the order of a set"
        )
        return Reason("hash order", f"{name}: {text}")
    if trials.steady("with the same random numbers", _ENTROPY):
        text = "two runs differ, and agree when the random numbers begin alike: a seed is missing"
        return Reason("seed", f"{name}: {text}")
    if trials.unfinished:
        return Reason("random", f"{name}: two runs differ")
    text = (
        "two runs differ, also with the same random numbers: threads, the clock, or something"
        " outside"
    )
    return Reason("random", f"{name}: {text}")


def _files(attempt: Attempt, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        content = attempt.outputs.get(path)
        for name in content.files if content else ():
            yield f"{path}/{name}" if name else path


def _values_between(
    one: Attempt, other: Attempt, paths: Iterable[str]
) -> Iterator[tuple[Any, Any]]:
    for path in _files(one, paths):
        before, after = one.read(path), other.read(path)
        if before is not None and after is not None:
            yield from compare(path, before, after, Settings()).values


def _values_recorded(
    attempt: Attempt, bench: Bench, wrong: Sequence[Item]
) -> Iterator[tuple[Any, Any]]:
    for item in wrong:
        for path in _files(attempt, [item.path]):
            before = bench.recorded(item, path.removeprefix(item.path).removeprefix("/"))
            after = attempt.read(path)
            if before is not None and after is not None:
                yield from compare(path, before, after, Settings()).values


def _moment(values: Iterable[tuple[Any, Any]]) -> str:
    """A replayed value that is the present time, where the recorded one is another.

    Empty when there is none.
    """
    now = datetime.now(UTC)
    for before, after in values:
        if before != after and any(abs(at - now) < _NEAR for at in _times(after)):
            return str(after).strip()[:80]
    return ""


def _times(value: Any) -> list[datetime]:
    """The moments that a value could mean.

    Seconds to nanoseconds since 1970, a date, a date in a line of text.
    """
    if isinstance(value, datetime):
        return [value if value.tzinfo else value.replace(tzinfo=UTC)]
    text = repr(float(value)) if isinstance(value, float) and math.isfinite(value) else str(value)
    found = [datetime.fromtimestamp(int(match[1][:10]), UTC) for match in _EPOCH.finditer(text)]
    for match in _DATE.finditer(text):
        try:
            found.append(datetime(int(match[1]), int(match[2]), int(match[3]), 12, tzinfo=UTC))
        except ValueError:
            continue
    return found


def _earlier(trials: _Trials, wrong: Sequence[Item]) -> list[Reason]:
    """See whether the recorded output is what the commit before would have given.

    An input changed under the run.
    """
    stage, bench = trials.stage, trials.bench
    root, commit = bench.tree.root, bench.tree.commit
    parent = (
        git(root, "rev-parse", "--verify", "--quiet", f"{commit}^1^{{commit}}", ok=(0, 1, 128))
        .decode()
        .strip()
    )
    if not parent:
        return []
    versions = _versions(stage, bench, parent)
    sets = [[path] for path in versions] if len(versions) > 1 else []
    for paths in [*sets[:4], list(versions)]:
        if not paths:
            continue
        names = ", ".join(paths)
        try:
            tried = trials.run(
                f"with {names} of the commit before",
                replaced={path: versions[path] for path in paths},
            )
        except (AbsentInputError, CorruptInputError):
            continue
        if tried is None:
            continue
        if all((made := tried.outputs.get(item.path)) and made.md5 == item.md5 for item in wrong):
            text = f"what was recorded is what {names} of the commit before ({parent[:10]}) gives"
            return [
                Reason(
                    "earlier input",
                    f"{text}: {names} changed while {stage.name} ran, after it was read",
                )
            ]
    return []


def _versions(stage: Stage, bench: Bench, parent: str) -> dict[str, Any]:
    """The inputs of a stage that the parent has in another version."""
    root, commit = bench.tree.root, bench.tree.commit
    before = outputs(root, parent)
    found: dict[str, Any] = {}
    for path in dict.fromkeys(
        [*(item.path for item in stage.deps), *(one.path for one in stage.parameters)]
    ):
        if bench.in_git(path):
            ids = [
                git(root, "rev-parse", "--verify", "--quiet", f"{rev}:{path}", ok=(0, 1, 128))
                for rev in (parent, commit)
            ]
            if ids[0] and ids[0] != ids[1]:
                listed = git(
                    root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", parent, "--", path
                )
                names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
                found[path] = {
                    name.removeprefix(path).removeprefix("/"): show(root, parent, name) or b""
                    for name in names
                }
            continue
        for name, item in bench.items.items():
            if (
                (path == name or path.startswith(f"{name}/"))
                and name in before
                and before[name].md5 != item.md5
            ):
                found[path] = replace(item, md5=before[name].md5)
    return found
