"""Every noun of the command line, and the group that loads its module."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import click

from furrow.cli.usage import Nouns

__all__ = ["COMMANDS", "cli"]

COMMANDS = {
    "apply": "Make what Git declares so: run what is stale, then register and materialize.",
    "add": "Add a table, view, service, experiment, problem or metric: written and compiled.",
    "approve": "Sign that a version may be deployed.",
    "adopt": "Turn a trial into a declared experiment.",
    "audit": "Everything that is known of a version, a deployment, a period or a key, in one file.",
    "ci": "What CI runs on a commit, and the hook that runs it on a push.",
    "compile": "Write each experiment's resolved config and the feature manifest.",
    "completion": "Print what makes a shell complete furrow's words.",
    "cost": "What was spent, by run, experiment, problem or month.",
    "data": "Check the data against its contract, and draw what it looks like.",
    "deployments": "What environments are declared to serve, and what is served here.",
    "doctor": "What is missing or odd on this machine and in this clone.",
    "features": "List, show, search, diff, materialize, verify and fetch features.",
    "fsck": "Whether repository, cache, remote, store, logs, index and notes hold together.",
    "gc": "Remove contents of DVC's cache and remote that nothing needs.",
    "gate": "Judge the runs and name the champion.",
    "hold": "Keep what this machine's server serves.",
    "import": "Record runs of MLflow, or of DVC alone, here.",
    "init": "Make a project from your own data, and train its first models.",
    "install": "Set up this clone: the merge driver and Git notes.",
    "labels": "Land labels: what came of predictions, for `furrow monitor`.",
    "log": "Ask a prediction log in SQL, while it grows.",
    "mcp": "Let an assistant read this repository, and draft on branches.",
    "man": "Print the manual page of every command.",
    "models": "Register, show, compare, promote and roll back models.",
    "monitor": "What came in since the last run: drift, labels, performance, fairness, alarms.",
    "pause": "Stop what goes on by itself: an environment's servers, retraining, CI.",
    "plan": "What would change, why, and how long it would take.",
    "predict": "Predict for one row, or for a file of them, online or at moments in history.",
    "release": "End the holds on this machine's server: Git counts again.",
    "replay": "Run a commit's stages again, from nothing, and compare.",
    "resume": "End a pause.",
    "retrain": "The branch with a better model that monitoring would offer.",
    "rollback": "Have this machine's server answer with the version before, at once.",
    "runs": "List, show, compare and draw runs of any history.",
    "schema": "Write JSON schemas of conf/ for editors.",
    "score": "The ML Test Score of a commit, from evidence.",
    "serve": "Answer requests for predictions over HTTP.",
    "simulate": "Live through a span of history: predictions, late labels, monitoring, day by day.",
    "status": "What this machine's server serves, and why.",
    "trace": "What a logged prediction was made of, and its score made again.",
    "trust": "Say that the code of this clone may run.",
    "ui": "Show this repository in a browser, or write its pages as files.",
    "verify": "Check the chain of proof behind a commit, a version or a prediction, offline.",
    "try": "Try hyper-parameters: a grid or a search, each trial a DVC experiment.",
}


SECTIONS = {
    "Start": ("init", "add", "trust", "install", "doctor", "completion", "man"),
    "Explore": ("runs", "ui", "mcp", "features", "data", "try", "adopt", "plan", "schema"),
    "Ship": ("predict", "models", "deployments", "serve", "apply", "compile", "gate"),
    "Prove": ("replay", "verify", "approve", "audit", "score", "fsck", "gc", "ci", "trace"),
}
"""Commands by what they are for; one that is in none of these stands under More."""

EXAMPLES = """\b
Examples:
  furrow init orders.csv --predict churned     a project and its first models, from your own data
  furrow runs                                  which run is best, and whether it passed the gate
  furrow plan                                  what would run after an edit, why, and how long it takes
  furrow try gbm model.learning_rate=0.03,0.1  every combination, each recorded
  furrow runs diff gbm@HEAD~1 gbm              better, or luck?

\b
-C DIR starts any command in another folder; `furrow help COMMAND` is `furrow COMMAND --help`.
Long output goes through $PAGER (NO_PAGER=1: not); NO_COLOR=1 takes colors away; FURROW_PROGRESS=0 keeps it quiet.
"""


class LazyGroup(Nouns):
    """A group that imports a command's module only when it is called, so that `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command's module: furrow/cli/NAME.py holds it as `command`."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"furrow.cli.{cmd_name}{'_' * iskeyword(cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without loading any of them."""
        del ctx
        left = dict(sorted(COMMANDS.items()))
        for title, names in SECTIONS.items():
            with formatter.section(f"Commands: {title}"):
                formatter.write_dl([(name, left.pop(name)) for name in names if name in left])
        if left:
            with formatter.section("Commands: More"):
                formatter.write_dl(list(left.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@click.version_option(None, "-V", "--version", package_name="furrow", prog_name="furrow")
@click.option(
    "--project",
    default="",
    metavar="FOLDER",
    help="In a bare repository: the folder of the project meant.",
)
@click.pass_context
def cli(ctx: click.Context, project: str) -> None:
    """Furrow: experiments and features that Git declares, made so, with proof."""
    if project:
        from furrow.ground.git import is_bare  # noqa: PLC0415 - loaded for this option alone
        from furrow.ground.project_place import meaning  # noqa: PLC0415

        if not is_bare(Path.cwd()):
            raise click.UsageError(
                "--project is for a bare repository: elsewhere go to the project's folder"
            )
        ctx.with_resource(meaning(project))
