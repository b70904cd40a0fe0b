"""`furrow runs`: list, show, compare and draw runs of any history."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from furrow.cli.runs_list import SUBCOMMANDS, USUAL, show
from furrow.cli.usage import Nouns, no_command

__all__ = ["command"]


class Runs(Nouns):
    """Lists runs, unless the first word names a subcommand, whose module is then loaded: furrow/cli/runs_NAME.py."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the subcommands that are there."""
        del ctx
        return [name for name in SUBCOMMANDS if find_spec(f"furrow.cli.runs_{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The list, or one subcommand's module: it holds it as `command`."""
        if cmd_name == "list":
            return listing
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(f"furrow.cli.runs_{cmd_name}").command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word `list` before everything that is no subcommand and no cry for help."""
        plain = [word for word in args if not word.startswith("-")]
        if args[:1] == ["ls"]:
            args = ["list", *args[1:]]
        elif len(plain) > 1 and args[0] == plain[0] and args[0] not in {*SUBCOMMANDS, "list"}:
            message = no_command(args[0], self.list_commands(ctx))
            if "did you mean" in message:
                raise click.UsageError(message, ctx=ctx)
        if not args or (args[0] not in SUBCOMMANDS and args[0] not in {"-h", "--help", "list"}):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways to call it."""
        formatter.write_usage(ctx.command_path, "[REVISION | A..B] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND ...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of the list, then the subcommands."""
        listing.format_options(click.Context(listing, parent=ctx), formatter)
        if names := self.list_commands(ctx):
            with formatter.section("Commands"):
                formatter.write_dl([(name, SUBCOMMANDS[name]) for name in names])


@click.group(cls=Runs)
def command() -> None:
    """List, show, compare and draw runs of any history.

    Without a subcommand it lists: the runs of HEAD or of a REVISION, the best of each problem first
    by its gate's metric, with the gate's verdict; or of every commit of a range A..B, of --branch,
    --since or --all, the newest first. The same content over many commits is one run, with its
    first and last commit among those.

    A filter is an SQL expression over columns: --where "roc_auc > 0.75 and model = 'gbm'".

    RUN, in the subcommands, is NAME (at HEAD), NAME@REVISION or REVISION:NAME.
    """


@click.command("list")
@click.argument("revision", default="")
@click.option(
    "--all", "everything", is_flag=True, help="The history of every branch, tag and DVC experiment."
)
@click.option(
    "--branch",
    multiple=True,
    metavar="NAME",
    help="The history of a branch; may be given several times.",
)
@click.option(
    "--since", default="", metavar="DATE", help='Only commits since: 2026-01-31, "2 weeks ago", ...'
)
@click.option("--where", default="", metavar="SQL", help="Only runs for which this is true.")
@click.option(
    "--sort",
    default="",
    metavar="COLUMNS",
    help="Sort by these, '-' turns one round: --sort=-roc_auc,name.",
)
@click.option(
    "--columns",
    default="",
    metavar="COLUMNS",
    help="Show these, patterns too: run,roc_auc,'model.*'.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"At most so many; {USUAL} in a table, unless given.",
)
@click.option(
    "--distinct", is_flag=True, help="Runs of one experiment that predict the same are one line."
)
@click.option("--json", "form", flag_value="json", help="As JSON.")
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--markdown", "form", flag_value="markdown", help="As a Markdown table.")
@click.option("--table", "form", flag_value="table", default="table", hidden=True)
def listing(**options: Any) -> None:
    """List runs."""
    show(**options)
