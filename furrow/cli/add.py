"""`furrow add`: the everyday additions to a project, each written and compiled."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import on_terminal, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.scaffold.additions import Addition
    from furrow.scaffold.answers import Asked

_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
_ASKED = {
    "--predict": ("COL", "What to predict: a column, or TABLE.COLUMN."),
    "--about": ("ENTITY", "Who or what it is about: a column, several (A,B), or a table's name."),
    "--at": ("COL", "When it is predicted: a column, or one moment: 2024-03-01."),
    "--known-after": ("SPAN", "When the label is known after that moment, as 90d."),
    "--test": ("PERIODS", "What is tested: `3 months`, from 2024-01-01 on, or a share: 0.2."),
    "--task": ("TASK", "binary, multiclass, regression or forecast, if not as the label looks."),
}


@click.group()
def command() -> None:
    """Add a table, view, service, experiment, problem or metric: its files are written, and compiled.

    Where the project does not compile with it, nothing is changed.
    """


@command.command()
@click.argument("name")
@_JSON
@click.option("--of", required=True, metavar="RAW", help="The raw table, as the contract names it.")
@click.option(
    "--about",
    default="",
    metavar="COL",
    help="Its column that says whom a row is about, or several: A,B.",
)
@click.option("--at", default="", metavar="COL", help="Its column of moments.")
def table(*, name: str, as_json: bool, of: str, about: str, at: str) -> None:
    """A feature table over a raw one, with its view: last values.

    Counts, sums, means of windows.
    """
    from furrow.scaffold.additions import add_table  # noqa: PLC0415 - Feast loads only when adding

    _add(lambda root: add_table(root, name, of=of, about=about, at=at), as_json=as_json)


@command.command()
@click.argument("name")
@_JSON
def view(*, name: str, as_json: bool) -> None:
    """A Feast view over features/tables/NAME.sql that you wrote, its types from the SQL."""
    from furrow.scaffold.additions import add_view  # noqa: PLC0415 - Feast loads only when adding

    _add(lambda root: add_view(root, name), as_json=as_json)


@command.command()
@click.argument("name")
@_JSON
@click.option("--views", default="", metavar="A,B", help="Its views; all of them, if left out.")
def service(*, name: str, as_json: bool, views: str) -> None:
    """A feature service: the features that models are trained on and served with."""
    # Feast loads only when adding
    from furrow.scaffold.additions import add_service  # noqa: PLC0415

    wanted = [view.strip() for view in views.split(",") if view.strip()]
    _add(lambda root: add_service(root, name, wanted), as_json=as_json)


@command.command()
@click.argument("name")
@_JSON
@click.option("--problem", default="", metavar="NAME", help="That it solves.")
@click.option("--service", default="", metavar="NAME", help="The features that it trains on.")
@click.option(
    "--model", default="", metavar="NAME", help="An option of conf/model, or of Furrow's."
)
@click.option("--calibration", default="", metavar="NAME", help="An option of conf/calibration.")
@click.option("--search", default="", metavar="NAME", help="An option of conf/search.")
def experiment(*, name: str, as_json: bool, problem: str, service: str, **given: str) -> None:
    """An experiment: an entry of conf/experiments.yaml."""
    # Feast loads only when adding
    from furrow.scaffold.additions import add_experiment  # noqa: PLC0415

    options = {group: option for group, option in given.items() if option}
    _add(
        lambda root: add_experiment(root, name, problem=problem, service=service, options=options),
        as_json=as_json,
    )


@command.command()
@click.argument("name")
@_JSON
@click.option("--task", default="", metavar="TASK", help="That it judges.")
@click.option(
    "--direction",
    type=click.Choice(["minimize", "maximize"]),
    default="minimize",
    show_default=True,
)
def metric(*, name: str, as_json: bool, task: str, direction: str) -> None:
    """A metric of your own: a function of pipelines/metrics.py to make yours, and its line of conf/."""
    from furrow.scaffold.additions import add_metric  # noqa: PLC0415 - Feast loads only when adding

    _add(lambda root: add_metric(root, name, task=task, direction=direction), as_json=as_json)


def _asking(function: Callable[..., None]) -> Callable[..., None]:
    """The questions of init, as options."""
    for flag, (metavar, said) in _ASKED.items():
        function = click.option(flag, default="", metavar=metavar, help=said)(function)
    return function


@command.command()
@click.argument("name")
@_JSON
@click.option(
    "--keep", multiple=True, metavar="COL", help="A feature though it looks like a leak or an id."
)
@_asking
def problem(*, name: str, as_json: bool, keep: tuple[str, ...], **said: str) -> None:
    """A problem: what init writes for the first one, from the data that have landed.

    Without --predict a person is asked, and nobody else is guessed for.
    """
    # Feast loads only when adding
    from furrow.scaffold.add_problem import add_problem  # noqa: PLC0415
    from furrow.scaffold.answers import Asked  # noqa: PLC0415 - the same

    def make(root: Path) -> Addition:
        asked = Asked(**said, keep=keep)
        ask = not (asked.predict or as_json) and sys.stdin.isatty() and on_terminal(err=True)
        return add_problem(root, name, _asked_person(root, asked) if ask else asked)

    _add(make, as_json=as_json)


def _asked_person(root: Path, asked: Asked) -> Asked:
    """What a person says the new problem predicts; a guess would be the first problem's label."""
    from furrow.scaffold.add_problem import other_labels  # noqa: PLC0415 - as add_problem
    from furrow.scaffold.raw_profiles import raw_profiles  # noqa: PLC0415 - the same

    tables, _ = raw_profiles(root)
    if likely := other_labels(root, tables):
        say(f"it may be one of these: {', '.join(likely)}", err=True)
    said = click.prompt(
        "What is to be predicted (a column)", default="", show_default=False, err=True
    )
    return replace(asked, predict=said.strip())


def _add(make: Callable[[Path], Addition], *, as_json: bool) -> None:
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help
    from furrow.plan.project_root import check_feature_store, repository_root  # noqa: PLC0415 - the same
    from furrow.scaffold.add_files import write_addition  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    require_trust(root, "this runs the feature definitions of this repository")
    check_feature_store(root, "add")
    addition = make(root)
    written = write_addition(root, addition)
    if as_json:
        render.echo_json({"written": written, "notes": list(addition.notes)})
        return
    if addition.answers:
        render.table(addition.answers, ["question", "answer", "because"])
    for path in written:
        say(f"wrote {path}")
    for note in addition.notes:
        say(f"note: {note}")
    say("compiled. Next: dvc repro")
