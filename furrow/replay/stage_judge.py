"""One run of a stage beside what the commit says of it: outputs, inputs, side effects."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from furrow.files import sha256_file
from furrow.parse import parse_json
from furrow.replay.file_compare import Comparison, compare
from furrow.replay.inputs import AbsentInputError, CorruptInputError
from furrow.replay.other_bytes import named_again
from furrow.replay.replay_verdict import (
    DIFFERENT,
    IDENTICAL,
    NOT_KEPT,
    TOLERATED,
    Output,
    Reason,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from furrow.ground.dvc import Item, Stage
    from furrow.replay.replay_settings import Settings
    from furrow.replay.workbench import Attempt, Bench

__all__ = ["changed_inputs", "judge_output", "judge_side", "judge_unkept", "stale_inputs"]

_SHOWN = 12
_UNWRITTEN = "the stage did not write it"


def judge_output(
    item: Item, attempt: Attempt, bench: Bench, settings: Settings
) -> tuple[Output, list[Reason]]:
    """Compare an output with dvc.lock, and with the commit's own file where Git holds it.

    Returns:
        The comparison, and what the disagreement of dvc.lock and the commit's file says.
    """
    content, tracked = attempt.outputs.get(item.path), bench.in_git(item.path)
    facts = _facts(item, attempt, tracked=tracked)
    if content is None:
        return Output(item.path, DIFFERENT, differences=(_UNWRITTEN,), **facts), []
    files = dict(content.files)
    held = _held(item, bench) if tracked else {}
    as_held = not tracked or held == files or _stored_alike(item, held, files, attempt, bench)
    if content.md5 == item.md5 and as_held:
        return Output(item.path, IDENTICAL, **facts), []
    if not item.md5 and not tracked:
        return (
            Output(item.path, DIFFERENT, differences=("dvc.lock says nothing of it",), **facts),
            [],
        )
    try:
        recorded = held or bench.supply.listing(item)
    except (AbsentInputError, CorruptInputError) as exc:
        words = (f"its hash; {exc.message}",)
        return Output(item.path, DIFFERENT, differences=words, compared=False, **facts), []
    found = _contents(item, (recorded, files), attempt, bench, settings)
    reasons = _disagreement(item, content.md5, held, as_held=as_held) if tracked else []
    status = DIFFERENT if reasons else worst([one.status for one in found.values()])
    if status == IDENTICAL:
        status = DIFFERENT
    compared = all(one.at_hand for one in found.values())
    return Output(item.path, status, differences=_words(found), compared=compared, **facts), reasons


def judge_unkept(item: Item, attempt: Attempt, bench: Bench, settings: Settings) -> Output:
    """Compare an output of a trial's stage with the commit's own file; dvc.lock says nothing of it.

    Returns:
        The comparison: "not kept" where there is no such file, or where it differs only in values
        that it leaves open.
    """
    content, tracked = attempt.outputs.get(item.path), bench.in_git(item.path)
    facts = _facts(item, attempt, tracked=tracked)
    if content is None:
        return Output(item.path, DIFFERENT, differences=(_UNWRITTEN,), **facts)
    if not tracked:
        return Output(item.path, NOT_KEPT, **facts)
    held, files = _held(item, bench), dict(content.files)
    if held == files:
        return Output(item.path, IDENTICAL, **facts)
    missing = sorted(files.keys() - held.keys())
    if missing and held == {name: md5 for name, md5 in files.items() if name in held}:
        return Output(
            item.path,
            NOT_KEPT,
            differences=tuple(f"{name} is not kept" for name in missing),
            **facts,
        )
    if left_open := _left_open(bench.tree.blob(item.path), attempt.read(item.path)):
        return Output(
            item.path,
            NOT_KEPT,
            differences=tuple(f"{key} is not kept" for key in left_open),
            **facts,
        )
    found = _contents(item, (held, files), attempt, bench, settings)
    return Output(
        item.path, worst([one.status for one in found.values()]), differences=_words(found), **facts
    )


def _left_open(recorded: bytes | None, replayed: bytes | None) -> list[str]:
    """The keys that are null in recorded JSON, if that is all that differs from what was replayed.

    Else none.
    """
    try:
        before, after = parse_json(recorded or b""), parse_json(replayed or b"")
        keys = [key for key, value in before.items() if value is None and after[key] is not None]
        return keys if before == {**after, **dict.fromkeys(keys)} else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _facts(item: Item, attempt: Attempt, *, tracked: bool) -> dict[str, Any]:
    """What there is to say of an output, however it compares."""
    content = attempt.outputs.get(item.path)
    names = [_join(item.path, name) for name in (content.files if content else ())]
    return {
        "recorded_md5": item.md5,
        "md5": content.md5 if content else "",
        "sha256": {name: sha256_file(attempt.folder / name) for name in names},
        "tracked": tracked,
    }


def _disagreement(item: Item, md5: str, held: Mapping[str, str], *, as_held: bool) -> list[Reason]:
    """Where the commit's own file and dvc.lock say different things, and which of them the replay gives."""
    single = held.get("", "")
    if not item.md5 or (single and single == item.md5):
        return []
    if not as_held and md5 == item.md5:
        text = (
            f"{item.path}: the replay gives what dvc.lock says, the commit's own file is another:"
            " edited by hand"
        )
        return [Reason("edited by hand", f"{text} after the run")]
    if as_held:
        text = (
            f"{item.path}: the replay gives the commit's own file, dvc.lock names another:"
            " committed without its run"
        )
        return [Reason("stale", text)]
    if single:
        return [
            Reason(
                "edited by hand", f"{item.path}: the commit's own file is not what dvc.lock says"
            )
        ]
    return []


def _stored_alike(
    item: Item, held: Mapping[str, str], files: Mapping[str, str], attempt: Attempt, bench: Bench
) -> bool:
    """Whether Git would store what a stage wrote as what the commit holds."""
    if held.keys() != files.keys():
        return False
    other = [_join(item.path, name) for name in held if held[name] != files[name]]
    return all(bench.tree.stores(path, attempt.read(path) or b"") for path in other)


def _held(item: Item, bench: Bench) -> dict[str, str]:
    """md5 of the commit's own files of an output, by path inside."""
    names = [
        name for name in bench.tracked if name == item.path or name.startswith(f"{item.path}/")
    ]
    found = {}
    for name in sorted(names):
        blob = bench.tree.blob(name) or b""
        found[name.removeprefix(item.path).removeprefix("/")] = hashlib.md5(
            blob, usedforsecurity=False
        ).hexdigest()
    return found


def _contents(
    item: Item,
    both: tuple[Mapping[str, str], Mapping[str, str]],
    attempt: Attempt,
    bench: Bench,
    settings: Settings,
) -> dict[str, Comparison]:
    """Compare an output's files one by one: (recorded, replayed), each md5 by path inside."""
    recorded, files = both
    found = {}
    for name in sorted({*files, *recorded}):
        path = _join(item.path, name)
        if files.get(name) == recorded.get(name):
            continue
        if name not in recorded:
            found[path] = Comparison(DIFFERENT, ("replayed, not recorded",))
        elif name not in files:
            found[path] = Comparison(DIFFERENT, ("recorded, not replayed",))
        else:
            before, after = bench.recorded(item, name), attempt.read(path)
            if before is None or after is None:
                words = (
                    f"its hash: recorded {recorded[name]}, replayed {files[name]}; the recorded"
                    " file is not at hand"
                )
                found[path] = Comparison(DIFFERENT, (words,), at_hand=False)
            else:
                found[path] = _compared(path, before, after, bench, settings)
    return found


def _compared(
    path: str, before: bytes, after: bytes, bench: Bench, settings: Settings
) -> Comparison:
    """Compare two versions of a file; hashes in it of files that count as equal count as equal."""
    renamed, named = named_again(path, before, after, bench.renamed)
    found = compare(path, before, renamed, settings)
    if not named or found.status not in {IDENTICAL, TOLERATED}:
        return found
    words = (
        *found.differences,
        "it names files by their hashes that are others and count as equal",
    )
    return Comparison(worst([found.status, named]), words)


def _words(found: Mapping[str, Comparison]) -> tuple[str, ...]:
    words = [f"{path}: {text}" for path, one in found.items() for text in one.differences]
    return (*words[:_SHOWN], *([f"and {len(words) - _SHOWN} more"] if len(words) > _SHOWN else []))


def judge_side(path: str, attempt: Attempt, bench: Bench, settings: Settings) -> Output:
    """Compare a tracked file that a stage writes without declaring it (a resolved config) with the commit's."""
    after = attempt.read(path)
    if after is None:
        return Output(
            path, DIFFERENT, tracked=True, declared=False, differences=("the stage removed it",)
        )
    found = _compared(path, bench.tree.blob(path) or b"", after, bench, settings)
    return Output(
        path,
        found.status,
        md5=hashlib.md5(after, usedforsecurity=False).hexdigest(),
        sha256={path: hashlib.sha256(after).hexdigest()},
        tracked=True,
        declared=False,
        differences=_words({path: found}),
    )


def stale_inputs(stage: Stage, attempt: Attempt) -> list[Reason]:
    """Inputs that the commit holds in another version than dvc.lock says the recorded outputs were made from."""
    found = []
    if stage.restated:
        found.append(
            Reason("command", f"the command of {stage.name} in dvc.yaml is not the one in dvc.lock")
        )
    for item in stage.deps:
        now = attempt.before.get(item.path, "")
        if item.md5 and not item.external and now != item.md5:
            found.append(
                Reason(
                    "stale",
                    f"{item.path} is {now or 'missing'} in the commit, dvc.lock says {item.md5}",
                )
            )
    for one in stage.parameters:
        for key, value in one.recorded.items():
            now = attempt.before.get(f"{one.path}:{key}")
            if now != value:
                found.append(
                    Reason(
                        "stale",
                        f"{one.path}: {key} is {now!r} in the commit, dvc.lock says {value!r}",
                    )
                )
    return found


def changed_inputs(attempt: Attempt) -> list[Reason]:
    """Inputs whose hash was another one after the run than before it."""
    return [
        Reason(
            "input changed",
            f"{path} changed while the stage ran: {before or 'missing'} before, {after} after",
        )
        for path, before in attempt.before.items()
        if (after := attempt.after.get(path) or "missing") != before
        and attempt.after.get(path) != before
    ]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if name else path
