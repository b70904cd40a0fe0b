"""`furrow init`: from somebody's own files to a judged model."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.init_questions import ask_person
from furrow.cli.patience import waiting
from furrow.cli.terminal import on_terminal, say
from furrow.layout import FURROW, INGEST_PY, PROBLEMS
from furrow.plurals import number_of

if TYPE_CHECKING:
    from furrow.scaffold.answers import Asked
    from furrow.scaffold.bring_up import Step
    from furrow.scaffold.first_runs import FirstRun
    from furrow.scaffold.plan_init import InitPlan, Looked


@click.command()
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "--predict", default="", metavar="COL", help="What to predict: a column, or TABLE.COLUMN."
)
@click.option(
    "--about",
    default="",
    metavar="ENTITY",
    help="Who or what it is about: a column, several (A,B), or a table's name.",
)
@click.option(
    "--at",
    default="",
    metavar="COL",
    help="When it is predicted: a column, or one moment: 2024-03-01.",
)
@click.option(
    "--known-after",
    default="",
    metavar="SPAN",
    help="When the label is known after that moment, as 90d.",
)
@click.option(
    "--test",
    default="",
    metavar="PERIODS",
    help="What is tested: `3 months`, `2 weeks`, from 2024-01-01 on, or a share: 0.2.",
)
@click.option(
    "--task",
    default="",
    metavar="TASK",
    help="binary, multiclass, regression or forecast, if not as the label looks.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="COL",
    help="A feature though it looks like a leak or an id; give it as often as needed.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Of moments that name no zone.",
)
@click.option("--yes", is_flag=True, help="Take every guess; ask nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option(
    "--update",
    is_flag=True,
    help=(
        "Bring what this version of Furrow writes differently into a project; merged with your"
        " edits."
    ),
)
@click.option("--no-run", is_flag=True, help="Write and compile, and train nothing yet.")
def command(
    *,
    sources: tuple[str, ...],
    predict: str,
    about: str,
    at: str,
    known_after: str,
    test: str,
    task: str,
    keep: tuple[str, ...],
    timezone: str,
    yes: bool,
    dry_run: bool,
    update: bool,
    no_run: bool,
) -> None:
    """Make this folder a project that predicts a column of your own data, and train its first models.

    SOURCE is a file (CSV, TSV, JSON lines, Parquet, Excel), a folder, a pattern, a SQLite or DuckDB
    file, or an address (postgres://, s3://). Run it again after a kill: it goes on from there. It
    changes nothing that is there.
    """
    from furrow.ground.kept_here import require_kept  # noqa: PLC0415 - after --help
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - the same
    from furrow.scaffold.answers import Asked  # noqa: PLC0415 - the same
    from furrow.scaffold.place_files import alone, pending, place  # noqa: PLC0415 - the same

    root = Path.cwd()
    require_trust(root, "this writes stages into this repository and runs them")
    require_kept(root)
    if update:
        with alone(root):
            _update(root, dry_run=dry_run)
        return
    asked = Asked(predict, about, at, known_after, test, task, _zone(timezone), keep)
    with alone(root):
        if not dry_run and pending(root):
            say("an init ended before it was done: taken up from there")
            place(root)
        elif _is_project(root):
            _check_same(root, asked)
            say("this folder is a project already: nothing is written over")
            if dry_run:
                return
        elif not sources:
            raise click.UsageError(
                "give the data: files, folders, patterns, databases or addresses"
            )
        else:
            ask = not yes and sys.stdin.isatty() and on_terminal(err=True)
            if not _write(root, sources, asked, ask=ask, dry_run=dry_run):
                return
        _bring_up(root, train=not no_run)


def _update(root: Path, *, dry_run: bool) -> None:
    """Merge what is newer into the files that init wrote."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - after --help
    from furrow.scaffold.template_update import plan_update, write_update  # noqa: PLC0415 - the same

    plan = plan_update(root, now=datetime.now(UTC))
    for note in plan.notes:
        say(f"note: {note}")
    for path in plan.texts:
        clash = " (your edit and the newer text clash: see <<<<<<<)" if path in plan.clashes else ""
        say(f"{'would write' if dry_run else 'wrote'} {path}{clash}")
    for path in plan.removed:
        say(f"{'would take' if dry_run else 'took'} {path} away: it is written no more")
    if not (plan.texts or plan.removed):
        say("what init writes has not changed for this project")
    if dry_run:
        return
    write_update(root, plan)
    if plan.clashes:
        raise FurrowError(
            f"clashes in {number_of(len(plan.clashes), 'file')}",
            hint="mend them, then `furrow compile --write`",
        )
    if plan.texts or plan.removed:
        say("next: furrow compile --write, then dvc repro")


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - after --help

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise click.UsageError(
            f"--timezone {name}: there is no such zone; write it as Europe/Vienna"
        ) from exc
    return name


def _is_project(root: Path) -> bool:
    from furrow.layout import CONTRACT, DVC_YAML, EXPERIMENTS_YAML  # noqa: PLC0415 - after --help

    return all(
        (root / path).is_file() for path in (CONTRACT, DVC_YAML, EXPERIMENTS_YAML, INGEST_PY)
    )


def _check_same(root: Path, asked: Asked) -> None:
    """Refuse to take a project for another one."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - after --help
    from furrow.intake.landed import column_name  # noqa: PLC0415 - the same
    from furrow.parse import read_yaml  # noqa: PLC0415 - the same

    labels = {
        path.stem: str((read_yaml(path) or {}).get("label"))
        for path in (root / PROBLEMS).glob("*.yaml")
    }
    wanted = asked.predict.rpartition(".")[2]
    meant = {wanted.lower(), *(column_name(one, set()) for one in (wanted, asked.predict))}
    if wanted and not meant & {label.lower() for label in (*labels.values(), *labels)}:
        said = (
            f"this folder is a project that predicts {', '.join(sorted(labels.values()))}, not"
            f" {wanted}"
        )
        raise FurrowError(
            said, hint="run it in another folder, or declare a second problem in conf/problem/"
        )


def _write(root: Path, sources: tuple[str, ...], asked: Asked, *, ask: bool, dry_run: bool) -> bool:
    """Look, ask, show, write; whether there is something to bring up."""
    from furrow.layout import INIT_BASE  # noqa: PLC0415 - after --help

    # after --help
    from furrow.scaffold.place_files import in_the_way, place, scratch, stage  # noqa: PLC0415
    from furrow.scaffold.plan_init import look, plan_init  # noqa: PLC0415 - the same
    from furrow.scaffold.template_base import base_text  # noqa: PLC0415 - the same
    from furrow.scaffold.texts import LANDED  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory(prefix="furrow-init-") as elsewhere:
        folder = Path(elsewhere) if dry_run else scratch(root)
        try:
            with waiting("reading") as tell:
                looked = look(
                    sources,
                    folder / LANDED,
                    timezone=asked.timezone,
                    watch=lambda name, rows: tell(
                        f"reading {name}: {number_of(rows, 'row')}"
                        if rows
                        else f"reading {name}"
                        if name
                        else "looking at the columns"
                    ),
                )
            wanted = ask_person(looked, asked) if ask else asked
            with waiting("looking for keys, leaks and features"):
                plan = plan_init(root, looked, wanted, now=datetime.now(UTC))
            _show(plan, looked, dry_run=dry_run)
            if dry_run:
                for path in in_the_way(root, plan.texts, list(looked.tables)):
                    say(f"in the way: {path} is there already")
                return False
            stage(root, {**plan.texts, INIT_BASE: base_text(plan.texts, plan.answers, plan.given)})
        except BaseException:
            if not dry_run:
                _forget(root)
            raise
    place(root)
    return True


def _forget(root: Path) -> None:
    """Take away what was made ready and will not be placed."""
    from contextlib import suppress  # noqa: PLC0415 - after --help

    from furrow.scaffold.place_files import scratch  # noqa: PLC0415 - the same

    with suppress(OSError):
        scratch(root).rmdir()
        (root / FURROW).rmdir()


def _show(plan: InitPlan, looked: Looked, *, dry_run: bool) -> None:
    from furrow.scaffold.answers import answer_rows  # noqa: PLC0415 - after --help

    answers = plan.answers
    for one in plan.landed:
        say(
            f"{one.name}: {number_of(one.rows, 'row')},"
            f" {number_of(len(one.columns), 'column')}, from"
            f" {_source(looked, one.name)}"
        )
    render.table(answer_rows(answers), ["question", "answer", "because"])
    for note in plan.notes:
        say(f"note: {note}")
    lines = sum(text.count("\n") for text in plan.texts.values())
    count = sum(len(table.features) for table in plan.features)
    word = "would write" if dry_run else "writing"
    say(
        f"{word} {number_of(len(plan.texts), 'file')}, {number_of(lines, 'line')}:"
        f" {number_of(count, 'feature')} in {number_of(len(plan.features), 'table')}"
    )
    for path, text in sorted(plan.texts.items()):
        say(f"  {path} ({text.count(chr(10))} lines)")


def _source(looked: Looked, name: str) -> str:
    return next(one.address for one in looked.given if one.name == name)


def _bring_up(root: Path, *, train: bool) -> None:
    from furrow.scaffold.bring_up import bring_up  # noqa: PLC0415 - after --help

    with render.progress("git and DVC") as advance:

        def watch(step: Step) -> None:
            advance(1, description=step.what)
            if not on_terminal(err=True):
                say(f"  {step.what} ...", err=True)

        tested = bring_up(root, watch, train=train)
    if not train:
        say("written and compiled. Next: dvc repro")
        return
    _show_doubts(root)
    _show_idle(root)
    _show_runs(root)
    if not tested:
        say("the project's tests did not run: `pip install pytest`, then `pytest`")


def _verdict(run: FirstRun) -> str:
    """Champion, passed, or the rules that it failed."""
    if run.failed:
        return f"failed the rule: {'; '.join(run.failed)}"
    return "champion" if run.champion else "passed"


def _show_doubts(root: Path) -> None:
    """Values that nobody may have meant: a model takes -999 for a temperature."""
    from furrow.data.contract import load_contract  # noqa: PLC0415 - after --help
    from furrow.data.plausible import short_doubts  # noqa: PLC0415 - the same
    from furrow.layout import CONTRACT, DATA  # noqa: PLC0415 - the same

    doubts = short_doubts(root / DATA, load_contract(root / CONTRACT))
    if doubts:
        more = f"; and {number_of(len(doubts) - 3, 'more column')}" if len(doubts) > 3 else ""
        say(f"hard to believe: {'; '.join(doubts[:3])}{more} (`furrow data check` shows them)")


def _show_idle(root: Path) -> None:
    """Features that no model can learn from."""
    from furrow.scaffold.idle_features import idle_features, told_idle  # noqa: PLC0415 - after --help

    for told in told_idle(idle_features(root)):
        say(f"note: {told}")


def _show_runs(root: Path) -> None:
    # after --help
    from furrow.scaffold.first_runs import doubted_champion, first_runs  # noqa: PLC0415

    runs = first_runs(root)
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    rows = [
        (
            run.name,
            *(run.metrics.get(name) for name in names),
            _verdict(run),
        )
        for run in runs
    ]
    render.table(rows, ["run", *names, "verdict"])
    if doubt := doubted_champion(runs):
        say(f"note: {doubt}")
    best = next((run.name for run in runs if run.champion), "")
    if not best:
        say(
            "no run passed the gate: none is surely better than the baseline, or one feature tells"
            " the label alone"
        )
    say("next:")
    say(
        "  git add -A && git commit -m 'A first model'   then `furrow runs`, `furrow runs show"
        " boosting`"
    )
    say(
        "  edit features/tables/*.sql or conf/experiments.yaml, then `dvc repro`: it runs what the"
        " edit made necessary"
    )
    say(
        "  furrow try boosting model.learning_rate=0.03,0.1   tries hyper-parameters; `furrow plan`"
        " says what would run"
    )
    say(
        "  dvc remote add -d NAME URL && dvc push   carries data and models to where CI and others"
        " find them"
    )
