"""`furrow ci`: what CI runs on a commit, and the hook that runs it on a push."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.terminal import Ink, say, say_block
from furrow.cli.usage import Nouns
from furrow.layout import FURROW

if TYPE_CHECKING:
    from furrow.ci.outcome import Outcome

# Domain modules are imported inside the commands, so that --help stays instant.
# ruff: noqa: PLC0415

_COLOURS = {"failed": "red", "warning": "yellow", "passed": "green", "skipped": ""}


@click.group(cls=Nouns, invoke_without_command=True)
@click.option("--rev", default="HEAD", show_default=True, help="The commit.")
@click.option(
    "--base",
    default="",
    metavar="REV",
    help="Measure against this.  [default: conf/ci.yaml's branch]",
)
@click.option(
    "--branch", default="", help="The branch that the commit is on.  [default: the current one]"
)
@click.option(
    "--offer",
    default="",
    metavar="REMOTE",
    help="Push CI's commit of what the stages gave to the branch.",
)
@click.option(
    "--register",
    is_flag=True,
    help="Register the champion, if conf/ci.yaml asks and the commit passed.",
)
@click.option(
    "--untrusted",
    is_flag=True,
    help="A branch from outside: no credentials, no network, nothing pushed.",
)
@click.option(
    "--unheld",
    is_flag=True,
    help="Run an untrusted branch with nothing that holds it: in a throw-away machine.",
)
@click.option(
    "--lenient", is_flag=True, help="Stages that were not run are a warning, not a failure."
)
@click.option(
    "--replay",
    type=click.Choice(["all", "changed", "sample", "none"]),
    help="Instead of conf/ci.yaml's.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to.  [default: .furrow/ci/COMMIT]",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="DVC's cache.  [default: the clone's]",
)
@click.option("--quiet", "-q", is_flag=True, help="Print what was found, and not what is done.")
@click.option(
    "--log",
    "as_log",
    is_flag=True,
    hidden=True,
    help="Print what is done, and no table of it at the end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def command(  # noqa: PLR0917 - click hands over one argument an option
    ctx: click.Context,
    rev: str,
    base: str,
    branch: str,
    offer: str,
    register: bool,
    untrusted: bool,
    unheld: bool,
    lenient: bool,
    replay: str | None,
    out: Path | None,
    cache: Path | None,
    quiet: bool,
    as_log: bool,
    as_json: bool,
) -> int:
    """Judge a commit as CI does, in a clean checkout: compile, plan, run what is stale, replay, gate, report.

    Your work tree is not touched. Writes report.md, report.html and report.json.

    Exit codes: 0 passed; 1 failed, or it could not be done; 2 usage; 130 interrupt.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from furrow.ci.publish import write_reports
    from furrow.ci.run_ci import Options, run_ci
    from furrow.errors import UsageError
    from furrow.files import machine_file
    from furrow.ground.git import current_branch, is_bare, toplevel
    from furrow.ground.process import stopped_by_signals
    from furrow.ground.trust import require_trust

    here = Path.cwd()
    if not untrusted:
        require_trust(here, "this runs the stages of a commit, unheld")
    if untrusted and (offer or register):
        raise UsageError(
            "--untrusted with --offer or --register",
            hint="nothing of a branch from outside is pushed",
        )
    if unheld and not untrusted:
        raise UsageError("--unheld without --untrusted", hint="a branch of your own is never held")
    if not is_bare(here):
        branch = branch or (current_branch(here) or "" if rev == "HEAD" else "")
    options = Options(
        base=base,
        branch=branch,
        untrusted=untrusted,
        unheld=unheld,
        offer=offer,
        lenient=lenient,
        register=register,
        replay=replay or "",
        cache=cache.resolve() if cache else None,
    )
    with stopped_by_signals():
        outcome = run_ci(here, rev, options, say=_silent if quiet or as_json else _say)
    folder = (
        out or machine_file(toplevel(here), f"{FURROW}/ci/{outcome.commit[:12]}/report.md").parent
    )
    write_reports(outcome, folder)
    if as_json:
        render.echo_json(outcome.to_json())
    else:
        _show(outcome, folder, checks=not as_log)
    return 0 if outcome else 1


def _say(line: str) -> None:
    say(Ink(line, dim=True), err=True)


def _silent(line: str) -> None:
    del line


def _show(outcome: Outcome, folder: Path, *, checks: bool) -> None:
    for check in outcome.checks if checks else ():
        say(Ink(f"{check.status:8}", _COLOURS[check.status]), f" {check.name:12} {check.text}")
        for line in check.details[:8] if check.status in {"failed", "warning"} else ():
            say(f"{'':21} {line}")
    if outcome.offered:
        say(f"CI's commit: {outcome.offered[:10]} on {outcome.branch}; next: git pull")
    say(Ink(f"{outcome.commit[:10]} {outcome.verdict}", "green" if outcome else "red", bold=True))
    say(f"report: {folder / 'report.html'}")


@command.command("install")
@click.argument("bare", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--background",
    is_flag=True,
    help="Don't keep the pushing user waiting: the run goes on by itself.",
)
def install_command(*, bare: Path, background: bool) -> None:
    """Put a post-receive hook into a bare repository that runs CI on each pushed commit, one at a time."""
    from furrow.ci.bare_hook import install

    path = install(bare, background=background)
    say(f"wrote {path}")
    say(
        "next: git push; `furrow ci status` tells how it went, there and in every clone after a"
        " fetch"
    )


@command.command("hook", hidden=True)
@click.option("--later", is_flag=True, help="Put them in the queue, and don't run it.")
def hook_command(*, later: bool) -> None:
    """What the hook calls: puts the pushed commits in the queue and runs it."""
    import sys

    from furrow.ci.bare_hook import home_of, run_queue
    from furrow.ci.queue import enqueue, pushed

    here = Path.cwd()
    count = enqueue(home_of(here), pushed(sys.stdin.read()))
    say(f"furrow: {count} commit{'s' * (count != 1)} to run" if count else "furrow: nothing to run")
    if count and later:
        say("furrow: CI runs in the background; `furrow ci status` tells how it goes")
    elif count:
        run_queue(here, say=_tell)


@command.command("rejudge", hidden=True)
@click.argument("pairs", nargs=-1, metavar="COMMIT:NAME:COMMIT:NAME...")
def rejudge_command(*, pairs: tuple[str, ...]) -> None:
    """What CI runs, held as stages are, to compare runs that were judged on other days.

    Prints JSON.
    """
    from furrow.ci.rejudge import rejudge
    from furrow.errors import FurrowError, UsageError

    found = []
    for pair in pairs:
        words = pair.split(":")
        if len(words) != 4:
            raise UsageError(f"{pair!r} is not COMMIT:NAME:COMMIT:NAME")
        try:
            one = rejudge(Path.cwd(), (words[0], words[1]), (words[2], words[3]))
            found.append({"differences": one.differences, "method": one.method})
        except FurrowError as exc:
            method = f"not tested: the two were judged on other days, and {exc.message}"
            found.append({"differences": {}, "method": method})
    render.echo_json(found, "pairs")


@command.command("run-queue")
@click.argument("bare", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--again",
    "rev",
    default="",
    metavar="REV",
    help="Put this commit in it first, though it was run before.",
)
def run_queue_command(*, bare: Path, rev: str) -> None:
    """Run what is in the queue: after a reboot, say. One at a time.

    Where one runs already, that one goes on.
    """
    from furrow.ci.bare_hook import home_of, run_queue
    from furrow.ci.queue import again
    from furrow.errors import FurrowError
    from furrow.ground.git import resolve

    home = home_of(bare)
    if rev and not again(home, resolve(home, rev)):
        raise FurrowError(
            f"{rev} is on no branch here", hint="CI runs what is on a branch: push it to one"
        )
    done = run_queue(home, say=_tell)
    say(f"{done} commit{'s' * (done != 1)} run" if done else "nothing was waiting")


def _tell(line: str) -> None:
    """Print for the pushing user, who may be gone by now."""
    import contextlib
    import os

    try:
        say(line)
    except (BrokenPipeError, ValueError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@command.command("status")
@click.argument("rev", required=False)
@click.option("--limit", default=20, show_default=True, help="How many commits.")
@click.option("--report", is_flag=True, help="Print the report of REV, as Markdown.")
@click.option(
    "--log", "show_log", is_flag=True, help="Print the log of REV (on the machine that ran it)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def status_command(
    *, rev: str | None, limit: int, report: bool, show_log: bool, as_json: bool
) -> None:
    """Show how CI went: waiting, running, passed or failed, by commit, newest first.

    Of REV, check by check.

    In the bare repository that runs CI its own record tells. In a clone the notes do that `git
    fetch` brings once `furrow install` was run there.
    """
    from furrow.ci.bare_hook import log_of, state
    from furrow.ci.publish import read_status, runs_ci
    from furrow.errors import FurrowError
    from furrow.ground.git import resolve
    from furrow.models.pause import CI, paused

    here = Path.cwd()
    commit = resolve(here, rev or "HEAD") if rev or report or show_log else ""
    if (stopped := paused(here, CI, trusted=True)) and not as_json:
        say(Ink(str(stopped), "yellow"), err=True)
    if show_log:
        say_block(log_of(here, commit))
        return
    found = read_status(here, commit, limit=limit)
    waiting = {
        name: [one for one in lines if commit in {"", one["commit"]}]
        for name, lines in state(here).items()
    }
    under_way = [*waiting["running"], *waiting["waiting"]]
    hint = "" if runs_ci(here) else "`furrow install`, then `git fetch` brings what ran elsewhere"
    if as_json:
        render.echo_json(
            {
                **waiting,
                "commits": [{k: v for k, v in one.items() if k != "report"} for one in found],
            }
        )
    elif commit and not found and not under_way:
        raise FurrowError(
            f"CI has not run commit {commit[:10]}, as far as is known here", hint=hint
        )
    elif report:
        if not found or "report" not in found[0]:
            raise FurrowError(
                f"commit {commit[:10]} has no report yet",
                hint="`furrow ci status` tells how it goes",
            )
        say_block(found[0]["report"])
    elif not found and not under_way:
        say("CI has run no commit" + (f"; {hint}" if hint else ": push one"))
    else:
        _table(here, waiting, found)
        if commit:
            _checks(found)
        elif failed := next((one["commit"][:10] for one in found if not one["passed"]), ""):
            say(f"why: furrow ci status {failed} --report")


def _table(
    here: Path, waiting: dict[str, list[dict[str, Any]]], found: list[dict[str, Any]]
) -> None:
    from furrow.ci.publish import subjects

    told = subjects(
        here, [one["commit"] for one in (*waiting["running"], *waiting["waiting"], *found)]
    )
    rows: list[list[Any]] = []
    for kind, ones in (
        ("running", waiting["running"]),
        ("waiting", waiting["waiting"]),
        ("", found),
    ):
        for one in ones:
            took = "" if kind else f"{one.get('seconds') or 0:.0f} s"
            branch = f"{one['branch']}: {one['project']}" if one.get("project") else one["branch"]
            facts = [
                kind or one["verdict"],
                branch,
                _when(one.get("started") or one.get("since")),
                took,
            ]
            rows += [[one["commit"][:10], *facts, told.get(one["commit"], "")]]
    render.table(
        rows, ["commit", "status", "branch", "when (UTC)", "took", "subject"], right=["took"]
    )


def _when(text: str | None) -> str:
    return (text or "")[:19].replace("T", " ")


def _checks(runs: list[dict[str, Any]]) -> None:
    for one in runs[:1]:
        checks = one.get("checks") or {}
        for status, colour in _COLOURS.items():
            for name in (name for name, found in checks.items() if found == status):
                say("  ", Ink(f"{status:8}", colour), f" {name}")
        say(f"the whole: furrow ci status {one['commit'][:10]} --report")
