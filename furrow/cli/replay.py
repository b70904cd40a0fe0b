"""`furrow replay`: run a commit's stages again, from nothing, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import Ink, on_terminal, say, say_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.replay.replay_verdict import Verdict
    from furrow.replay.run_again import Event

_COLOURS = {
    "identical": "green",
    "within tolerance": "green",
    "equal in what it predicts, other bytes": "yellow",
    "different": "red",
    "failed": "red",
    "not kept": "yellow",
}

OTHER_BYTES_CODE = 5


@click.command()
@click.argument("rev", default="HEAD")
@click.option(
    "--experiment", default="", metavar="E", help="Only the stages that this experiment needs."
)
@click.option(
    "--stage", default="", metavar="S", help="Only this stage (or group), its inputs taken by hash."
)
@click.option(
    "--verify",
    is_flag=True,
    help="Replay nothing: check the notes on REV against the repository's objects.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the in-toto statement to a file.",
)
@click.option(
    "--note/--no-note",
    default=True,
    help="Keep the verdict as a Git note on the commit.  [default: note]",
)
@click.option("--sign", is_flag=True, help="Sign the verdict with the SSH key that Git signs with.")
@click.option(
    "--push", default="", metavar="REMOTE", help="Carry the notes to a remote afterwards."
)
@click.option(
    "--strict", is_flag=True, help="Exit 1 too if a stage reads what it does not declare."
)
@click.option(
    "--diagnose/--no-diagnose",
    default=True,
    help="Run a stage that differs again, to find out why.",
)
@click.option("--keep", is_flag=True, help="Leave the work tree there, and say where.")
def command(  # noqa: PLR0917 - click hands over one argument an option
    rev: str,
    experiment: str,
    stage: str,
    verify: bool,
    as_json: bool,
    out: Path | None,
    note: bool,
    sign: bool,
    push: str,
    strict: bool,
    diagnose: bool,
    keep: bool,
) -> int:
    """Run a commit's stages again, from nothing, and compare with what it says.

    The stages run in a clean checkout in a temporary folder, with no cache, inputs taken by their
    hashes. Each output is identical, within the tolerance that conf/replay.yaml declares, or
    different; then the first stage that differs is run again under changed conditions to find out
    why. A model whose bytes are others, and whose predictions are the recorded ones within
    tolerance, is a class of its own.

    Exit codes: 0 identical or within tolerance; 5 equal in what it predicts, other bytes; 1
    different, or it could not be done; 2 usage; 130 interrupt.
    """
    if verify:
        return _verify(rev, as_json=as_json)
    # the library loads DVC and pandas: not for --help
    from furrow.files import write_json  # noqa: PLC0415
    from furrow.ground.git import is_bare, is_dirty  # noqa: PLC0415 - the same
    from furrow.ground.notes import NoteError, push_notes  # noqa: PLC0415 - the same
    from furrow.ground.process import stopped_by_signals  # noqa: PLC0415 - the same
    from furrow.ground.ssh_signatures import ssh_sign  # noqa: PLC0415 - the same
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - the same
    from furrow.proof.envelope import NAMESPACE  # noqa: PLC0415 - the same
    from furrow.proof.signed_statements import NOTE  # noqa: PLC0415 - the same
    from furrow.replay.replay_request import Options  # noqa: PLC0415 - the same
    from furrow.replay.replay_verdict import OTHER_BYTES  # noqa: PLC0415 - the same
    from furrow.replay.run_again import replay  # noqa: PLC0415 - the same
    from furrow.replay.statement import statement, write_note  # noqa: PLC0415 - the same

    here = Path.cwd()
    require_trust(here, "this runs the stages of a commit")
    if sign:
        ssh_sign(here, b"", NAMESPACE)  # one that can't is better known before hours of work
    if rev in {"HEAD", "@"} and not is_bare(here) and is_dirty(here):
        say("note: the work tree has changes; the commit is replayed, without them", err=True)
    options = Options(experiment, stage, diagnose=diagnose, keep=keep)
    with stopped_by_signals():
        verdict = replay(here, rev, options, progress=_reporter(keep=keep))
    if out is not None:
        write_json(out, statement(here, verdict))
    kept = ""
    if note:
        try:
            write_note(here, verdict, sign=sign)
            kept = "kept as a note (refs/notes/furrow/replay)"
        except NoteError as exc:
            say_block(f"warning: {exc}\n", err=True)
    if as_json:
        render.echo_json(verdict.to_json())
    else:
        _show(verdict, kept, note=note)
    if push:
        push_notes(here, NOTE, push)
        say(f"notes pushed to {push}", err=True)
    if strict and any(one.undeclared for one in verdict.stages):
        return 1
    return 0 if verdict else OTHER_BYTES_CODE if verdict.status == OTHER_BYTES else 1


def _reporter(*, keep: bool) -> Callable[[Event], None]:
    """Say on standard error what happens.

    On a terminal, the stage that runs is shown until it is done.
    """
    live = on_terminal(err=True)

    def report(event: Event) -> None:
        number = f"[{event.number}/{event.total}] "
        if event.kind == "checkout" and keep:
            say(f"work tree: {event.detail}", err=True)
        elif event.kind == "run" and live:
            say(f"{number}{event.stage} ...", err=True, end="", over=True)
        elif event.kind == "why":
            say(f"{event.stage} differs: {event.detail}", err=True, over=True)
        elif event.kind == "done" and event.verdict is not None:
            status = Ink(event.verdict.status, _COLOURS.get(event.verdict.status, ""))
            say(
                f"{number}{event.stage} ",
                status,
                f" ({event.verdict.seconds:.1f} s)",
                err=True,
                over=True,
            )

    return report


def _show(verdict: Verdict, kept: str, *, note: bool) -> None:
    place = verdict.environment
    rows = [
        [
            one.stage,
            one.status,
            f"{one.seconds:.1f}",
            f"{len(one.outputs)}",
            one.reasons[0].kind if one.reasons else "",
        ]
        for one in verdict.stages
    ]
    render.table(
        rows, ["stage", "verdict", "seconds", "outputs", "why"], right=["seconds", "outputs"]
    )
    for stage in verdict.stages:
        for output in stage.outputs:
            if output.differences and output.status not in {
                "identical",
                "within tolerance",
                "not kept",
            }:
                say(
                    f"{stage.stage}: {output.path}"
                    f" {'differs' if output.status == 'different' else 'has other bytes'}"
                )
                for words in output.differences:
                    say(f"  {words.removeprefix(f'{output.path}: ')}")
        for reason in stage.reasons:
            say(f"{stage.stage}: why: {reason.kind}: {reason.text}")
        for reason in stage.warnings:
            say(f"{stage.stage}: note: {reason.kind}: {reason.text}")
        if stage.log:
            say(f"{stage.stage}: the end of what it printed:")
            say_block(f"{stage.log.rstrip()}\n")
    _undeclared(verdict)
    if not place.lock:
        say("environment: the commit locks none; nothing was compared")
    elif place.differences:
        say(
            f"environment: {len(place.differences)} of {place.locked} distributions are not what"
            f" {place.lock} says"
        )
        for words in place.differences[:8]:
            say(f"  {words}")
    else:
        say(
            f"environment: {place.locked} distributions as {place.lock} says, {place.python},"
            f" {place.platform}"
        )
    say(_summary(verdict) + (f"; {kept}" if kept else ""))
    say(f"next: {_next(verdict, kept=bool(kept), note=note)}")


def _undeclared(verdict: Verdict) -> None:
    for stage in verdict.stages:
        told = {reason.text for reason in stage.reasons if reason.kind == "undeclared"}
        for one in stage.undeclared:
            if not any(one.path in text for text in told):
                say(
                    f"{stage.stage}: note: reads {one.path} ({one.where}), which it does not"
                    " declare"
                )


def _summary(verdict: Verdict) -> str:
    what = " ".join(verdict.scope.values()) or "every stage"
    words = f"commit {verdict.commit[:10]}, {what}: {verdict.status} in {verdict.seconds:.1f} s"
    return f"{words}; the first that differs: {verdict.first}" if verdict.first else words


def _next(verdict: Verdict, *, kept: bool, note: bool) -> str:
    short = verdict.commit[:10]
    kinds = {reason.kind for stage in verdict.stages for reason in stage.reasons}
    if "environment" in kinds:
        return "install what the lock says (`make setup`), then replay again"
    if verdict.status == "equal in what it predicts, other bytes":
        return "`dvc repro` here and commit, if this machine's bytes are to be the recorded ones"
    if verdict.status == "not kept":
        return (
            f"`furrow replay {short}` compares what the trial keeps: metrics, intervals, slices,"
            " curves"
        )
    if kinds & {"seed", "clock", "hash order", "random"}:
        return f"make {verdict.first} give the same each time, then `dvc repro` and commit"
    if "undeclared" in kinds or (verdict and not verdict.trusted()):
        return "declare in dvc.yaml what the stages read, then `dvc repro` and commit"
    if verdict:
        if not kept:
            words = " ".join(
                [short, *(f"--{name} {value}" for name, value in verdict.scope.items())]
            )
            again = f"`furrow replay {words}` keeps the verdict"
            return f"{again} once the note can be written" if note else f"{again} as a note"
        return (
            f"`furrow replay --verify {short}` checks the note; `git push` carries it once `furrow"
            " install` has run, to a remote that takes notes; `furrow replay --push REMOTE` does"
            " so now"
        )
    if kinds & {"edited by hand", "compile", "stale", "command", "earlier input", "unrecorded"}:
        return "`dvc repro` writes the true results; commit them"
    if "corrupt" in kinds:
        return "remove the damaged file from the cache, `dvc pull`, then replay again"
    return f"`furrow replay {short} --stage {verdict.first} --keep` leaves the work tree to look at"


def _verify(rev: str, *, as_json: bool) -> int:
    from furrow.errors import FurrowError  # noqa: PLC0415 - loaded when it is needed
    from furrow.ground.git import resolve  # noqa: PLC0415 - the same
    from furrow.replay.note_verify import verify  # noqa: PLC0415 - the same

    commit = resolve(Path.cwd(), rev)
    found = verify(Path.cwd(), commit)
    if not found:
        raise FurrowError(
            f"commit {commit[:10]} carries no replay",
            hint=f"`furrow replay {rev}`, or fetch the notes",
        )
    if as_json:
        render.echo_json(
            [
                {
                    "holds": bool(one),
                    "problems": list(one.problems),
                    "checked": one.checked,
                    "absent": one.absent,
                    "verdict": one.verdict.to_json() if one.verdict is not None else None,
                }
                for one in found
            ],
            "notes",
        )
    else:
        for one in found:
            said = one.verdict
            facts = (
                f"{_summary(said)}, at {said.started} on {said.where}"
                if said is not None
                else "a note"
            )
            say(f"{'holds' if one else 'does NOT hold'}: {facts}")
            for words in one.problems:
                say(f"  {words}")
            if one:
                say(
                    f"  {one.checked} files are what the note says, {one.absent} are not on this"
                    " machine"
                )
    return 0 if all(found) and all(one.verdict for one in found) else 1
