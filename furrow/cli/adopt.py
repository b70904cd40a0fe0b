"""`furrow adopt TRIAL as NAME`: a trial becomes a declared experiment."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say
from furrow.layout import MANIFEST


@click.command()
@click.argument("trial")
@click.argument("as", type=click.Choice(["as"]), metavar="as")
@click.argument("name")
@click.option(
    "--description",
    default="",
    help="What to say of it; by default what was tried, and which trial it was.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, trial: str, name: str, description: str, as_json: bool, **_: str) -> None:
    """Declare TRIAL (a name from `furrow try`, or a commit) as the experiment NAME.

    Writes conf/experiment/NAME.yaml and its entry in conf/experiments.yaml; `dvc repro` then trains
    it.

    \b
    furrow adopt gbm-1a2b3c4d as gbm_fast
    """  # noqa: D301 - \b is click's mark for lines to be left as they are
    # scikit-learn loads only when there is something to adopt
    from furrow.features import manifest  # noqa: PLC0415
    from furrow.ground.git import resolve  # noqa: PLC0415 - the same
    from furrow.plan.project_root import check_feature_store, repository_root  # noqa: PLC0415 - the same
    from furrow.training.own_metrics import own_metrics  # noqa: PLC0415 - the same
    from furrow.training.stage_code import experiment_code  # noqa: PLC0415 - the same
    from furrow.trials.adopt import adopt  # noqa: PLC0415 - the same

    root = repository_root(Path.cwd())
    resolve(root)  # a trial is a commit beside HEAD: without one, nothing else is worth saying
    check_feature_store(root, "adopt")
    services = manifest.load(root / MANIFEST).services
    own = own_metrics(root)
    digests = {service: one.digest for service, one in services.items()}
    adopted = adopt(
        root,
        trial,
        name,
        description=description,
        services=digests,
        code=lambda tried: experiment_code(root, tried, own),
    )
    if as_json:
        render.echo_json(
            {
                "format": 1,
                "experiment": name,
                "trial": adopted.trial,
                "overrides": list(adopted.overrides),
                "service": adopted.service,
                "warnings": list(adopted.warnings),
            }
        )
        return
    say(f"wrote conf/experiment/{name}.yaml: {' '.join(adopted.overrides)}")
    say(f"wrote conf/experiments.yaml: {name} on the feature service {adopted.service}")
    for warning in adopted.warnings:
        say(f"warning: {warning}: its metrics may differ", err=True)
    reached = f", which reached {adopted.score} as {adopted.trial}" if adopted.score else ""
    say(f"next: `dvc repro` trains {name}{reached}; then commit conf/, runs/ and dvc.lock")
