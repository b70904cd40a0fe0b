"""dvc.yaml held to the stages that follow from declarations.

`furrow compile` checks it; `furrow compile --write` writes it, and leaves a person's own stages,
comments and order alone.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from furrow.files import write_text
from furrow.layout import DVC_YAML
from furrow.parse import ParseError, check_yaml
from furrow.plan.stage_graph import StageError, WrittenStage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["check_compile", "check_stages", "depend", "write_stages"]

_OWNED = ("tables_", "training_set_")
"""How the names of stages begin that compile writes."""


def check_stages(root: Path, expected: Mapping[str, WrittenStage]) -> None:
    """Hold dvc.yaml against what must be there; the command of a stage is its project's own matter.

    Args:
        root: The project.
        expected: From `expected_stages`.

    Raises:
        StageError: A stage is missing, lacks a dependency, or has a needless one; the hint is what
            to do.
    """
    stages = _parsed(_text(root))[1]
    for name, stage in expected.items():
        if name not in stages:
            hint = "`furrow compile --write` adds it"
            raise StageError(f"{DVC_YAML}: there is no stage {name}", hint=hint)
        found = {_name(dep) for dep in stages[name].get("deps", [])}
        missing, needless = sorted(set(stage.deps) - found), sorted(found - set(stage.deps))
        write = "`furrow compile --write` mends it"
        if missing:
            said = f"{DVC_YAML}: stage {name} reads {missing[0]}"
            raise StageError(said, hint=f"add to its deps: - {missing[0]} ({write})")
        if needless:
            said = f"{DVC_YAML}: stage {name} does not read {needless[0]}"
            raise StageError(said, hint=f"remove from its deps: - {needless[0]} ({write})")


def check_compile(root: Path, read: Iterable[str]) -> None:
    """See that the stage compile depends on files that it reads.

    Else an edit of one would go unseen.

    Args:
        root: The project.
        read: The files.

    Raises:
        StageError: It does not depend on one, nor on a folder that holds it.
    """
    stage = _parsed(_text(root))[1].get("compile") or {}
    deps = [_name(dep) for dep in stage.get("deps", [])]
    for path in sorted(read):
        if not any(path == dep or path.startswith(f"{dep}/") for dep in deps):
            hint = f"add to its deps: - {path.partition('/')[0]}"
            raise StageError(f"{DVC_YAML}: stage compile reads {path}", hint=hint)


def depend(root: Path, name: str, paths: Iterable[str]) -> bool:
    """Let a stage of dvc.yaml depend on files, if it does not yet.

    No line of another stage is touched.

    Args:
        root: The project.
        name: The stage.
        paths: The files.

    Returns:
        Whether the file was changed.

    Raises:
        StageError: dvc.yaml can't be read, or has no such stage.
    """
    text = _text(root)
    stages = _parsed(text)[1]
    if name not in stages:
        raise StageError(f"{DVC_YAML}: there is no stage {name}", hint="write it, as README says")
    there = [_name(dep) for dep in (stages[name] or {}).get("deps", [])]
    lacking = [
        path
        for path in paths
        if not any(path == dep or path.startswith(f"{dep}/") for dep in there)
    ]
    if lacking:
        stage = WrittenStage(name, "", tuple(sorted({*there, *lacking})), {}, ())
        write_text(root / DVC_YAML, _mended(text, name, stage))
    return bool(lacking)


def write_stages(root: Path, expected: Mapping[str, WrittenStage]) -> list[str]:
    """Write the stages into dvc.yaml.

    New ones beside their kind, wrong ones mended, those of nothing taken out.

    Args:
        root: The project.
        expected: From `expected_stages`.

    Returns:
        The names of the stages that changed.

    Raises:
        StageError: dvc.yaml can't be read.
    """
    text = _text(root)
    stages = _parsed(text)[1]
    if stages.fa.flow_style():
        raise StageError(
            f"{DVC_YAML}: stages is written in braces", hint="write each stage on lines of its own"
        )
    ours = [name for name in stages if name.startswith(_OWNED)]
    gone = [
        name
        for name in ours
        if name not in expected and "furrow.stages." in str((stages[name] or {}).get("cmd", ""))
    ]
    for name in gone:
        text = _without(text, name)
    there = set(stages) - set(gone)
    mended = []
    for name in [name for name in expected if name in there]:
        before, text = text, _mended(text, name, expected[name])
        mended += [name] if text != before else []
    added = [name for name in expected if name not in there]
    for name in added:
        text = _with(text, name, expected[name])
    if gone or mended or added:
        write_text(root / DVC_YAML, text)
    return sorted([*gone, *mended, *added])


def _without(text: str, name: str) -> str:
    """The file without a stage; comments above the next one are that one's, and stay."""
    lines = text.splitlines(keepends=True)
    start, end = _lines_of(text, name)
    return "".join(lines[:start] + lines[end:])


def _mended(text: str, name: str, stage: WrittenStage) -> str:
    """The file with a stage put right; no other line of it is touched."""
    lines = text.splitlines(keepends=True)
    start, end = _lines_of(text, name)
    column = len(lines[start]) - len(lines[start].lstrip())
    block = "".join(
        line[column:] if not line[:column].strip() else line.lstrip() for line in lines[start:end]
    )
    document = _yaml().load(block)
    if not isinstance(document[name], CommentedMap):
        document[name] = _made(stage)
    elif not _mend(document[name], stage):
        return text
    made = [" " * column + line for line in _dumped(document).splitlines(keepends=True)]
    return "".join(lines[:start] + made + lines[end:])


def _with(text: str, name: str, stage: WrittenStage) -> str:
    """The file with a stage put in at its place, a blank line on either side, above the comments of the next."""
    stages = _parsed(text)[1]
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    names = list(stages)
    place = _place(stages, name)
    at = _lines_of(text, names[place - 1])[1] if place else stages.lc.key(names[0])[0]
    indent = " " * stages.lc.key(names[0])[1]
    made = [f"{indent}{line}" for line in _dumped({name: _made(stage)}).splitlines(keepends=True)]
    before = ["\n"] if place and lines[at - 1].strip() else []
    after = ["\n"] if at < len(lines) and lines[at].strip() else []
    return "".join(lines[:at] + before + made + after + lines[at:])


def _lines_of(text: str, name: str) -> tuple[int, int]:
    """Where a stage begins and ends.

    Blank lines and comments below it belong to what comes next.
    """
    document, stages = _parsed(text)
    lines = text.splitlines()
    start = stages.lc.key(name)[0]
    later = [place for place in (stages.lc.key(other)[0] for other in stages) if place > start]
    later += [place for place in (document.lc.key(other)[0] for other in document) if place > start]
    end = min(later, default=len(lines))
    while end > start + 1 and (
        not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")
    ):
        end -= 1
    return start, end


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(document: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def _text(root: Path) -> str:
    try:
        return (root / DVC_YAML).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = " ".join(str(exc).split())
        raise StageError(
            f"cannot read the stages of {DVC_YAML}: {why}", hint="mend it by hand"
        ) from exc


def _parsed(text: str) -> tuple[Any, Any]:
    """A dvc.yaml whole, and its stages."""
    try:
        check_yaml(text, DVC_YAML)
        document = _yaml().load(text)
        stages = document["stages"]
    except (YAMLError, ParseError, KeyError, TypeError) as exc:
        why = " ".join(str(exc).split())
        raise StageError(
            f"cannot read the stages of {DVC_YAML}: {why}", hint="mend it by hand"
        ) from exc
    if not isinstance(stages, CommentedMap) or not stages:
        raise StageError(f"{DVC_YAML}: stages is not a mapping", hint="mend it by hand")
    return document, stages


def _name(entry: Any) -> str:
    return str(next(iter(entry)) if isinstance(entry, dict) else entry)


def _place(stages: Any, name: str) -> int:
    """Where a new stage belongs.

    After the last one of its kind that sorts before it, else before training.
    """
    kind = next(prefix for prefix in _OWNED if name.startswith(prefix))
    names = list(stages)
    same = [place for place, other in enumerate(names) if other.startswith(kind)]
    if same:
        return max([place + 1 for place in same if names[place] < name], default=same[0])
    if kind == "training_set_":
        before = [place + 1 for place, other in enumerate(names) if other.startswith("tables_")]
        if before:
            return max(before)
    first = (
        ("train", "evaluate", "select")
        if kind == "training_set_"
        else ("training_set_", "train", "select")
    )
    return next((place for place, other in enumerate(names) if other.startswith(first)), len(names))


def _made(stage: WrittenStage) -> CommentedMap:
    made = CommentedMap(cmd=stage.cmd, deps=CommentedSeq(stage.deps))
    made["params"] = CommentedSeq([_flow(file, keys) for file, keys in stage.params.items()])
    made["outs"] = CommentedSeq(stage.outs)
    return made


def _flow(file: str, keys: tuple[str, ...]) -> CommentedMap:
    listed = CommentedSeq(keys)
    listed.fa.set_flow_style()
    return CommentedMap({file: listed})


def _mend(there: Any, stage: WrittenStage) -> bool:
    """Put in what is missing of a stage's deps, params and outs, and take out needless deps."""
    before = repr(there)
    deps = there.setdefault("deps", CommentedSeq())
    found = [_name(dep) for dep in deps]
    if set(found) != set(stage.deps):
        for place in reversed([at for at, name in enumerate(found) if name not in stage.deps]):
            _drop(deps, place)
        for name in stage.deps:
            if name not in found:
                deps.insert(
                    next((at for at, dep in enumerate(deps) if _name(dep) > name), len(deps)), name
                )
    params = there.setdefault("params", CommentedSeq())
    for file, keys in stage.params.items():
        entry = next((one for one in params if isinstance(one, dict) and file in one), None)
        if entry is None:
            params.append(_flow(file, keys))
        else:
            entry[file].extend(key for key in keys if key not in entry[file])
    outs = there.setdefault("outs", CommentedSeq())
    for name in stage.outs:
        if name not in [_name(out) for out in outs]:
            outs.append(name)
    return repr(there) != before


def _drop(deps: Any, place: int) -> None:
    """Take a dependency out.

    Comments on lines of their own below it are the next one's, and stay.
    """
    token = (deps.ca.items.get(place) or [None])[0]
    below = token.value.split("\n")[1:] if token is not None else []
    column = deps.lc.item(place)[1]
    del deps[place]
    said = "\n".join(line.strip().removeprefix("#").strip() for line in below if line.strip())
    if said and place < len(deps):
        deps.yaml_set_comment_before_after_key(place, before=said, indent=max(0, column - 2))
