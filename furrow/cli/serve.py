"""`furrow serve`: answer requests for predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli.terminal import say
from furrow.errors import UsageError

if TYPE_CHECKING:
    from furrow.serving.serve_settings import Served, ServeSettings

# The server's modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415

folder = click.Path(path_type=Path)


@click.command()
@click.argument("what", nargs=-1)
@click.option(
    "--host", "address", default="127.0.0.1", show_default=True, help="The address to listen on."
)
@click.option("--port", default=8080, show_default=True, help="The port; 0 for a free one.")
@click.option(
    "--workers", default=1, show_default=True, help="How many processes answer on the port."
)
@click.option("--features", type=folder, help="The features folder; the project's, if left out.")
@click.option(
    "--tokens",
    type=folder,
    help="The file of tokens; without it everybody on this machine may ask.",
)
@click.option("--no-tokens", is_flag=True, help="Listen beyond this machine without tokens.")
@click.option(
    "--new-token", metavar="NAME", help="Put a new token into the file --tokens, print it, and end."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="With --new-token: predict (if left out), read or operate.",
)
@click.option("--rate", default=0.0, help="With --new-token: requests a second; 0 for any number.")
@click.option(
    "--allow-host", "hosts", multiple=True, help="A name that the server may be called by."
)
@click.option("--certificate", type=folder, help="Speak TLS: the certificate (PEM).")
@click.option("--key", type=folder, help="The certificate's key (PEM).")
@click.option(
    "--log", type=folder, help="The folder of the prediction log; beside the store, if left out."
)
@click.option("--no-log", is_flag=True, help="Log no prediction.")
@click.option(
    "--stale",
    type=click.Choice(["null", "refuse"]),
    help="Missing or expired features: score without them, or refuse the row; as declared, if left out.",
)
@click.option(
    "--follow", metavar="REMOTE/BRANCH", help="Serve what this branch declares, as it changes."
)
@click.option(
    "--every", default=5.0, show_default=True, help="With --follow: seconds between two looks."
)
@click.option("--as-of", "moment", help="Answer as of a time of history (ISO 8601), not of now.")
@click.option("--most-models", default=8, show_default=True, help="How many models stay in memory.")
def command(
    *,
    what: tuple[str, ...],
    new_token: str | None,
    scopes: tuple[str, ...],
    rate: float,
    features: Path | None,
    no_tokens: bool,
    follow: str | None,
    every: float,
    most_models: int,
    **options: object,
) -> None:
    """Answer requests for predictions: of an environment, of versions, or of bundles in folders.

    furrow serve production; furrow serve late@v1.0.0 delay@v2.1.0; furrow serve build/models/gbm
    """
    tokens = options["tokens"]
    if new_token is not None:
        _new_token(tokens, new_token, scopes, rate)
        return
    if not what:
        raise UsageError("nothing is named to be served", hint="furrow serve production")
    from furrow.serving.server import listen, run

    served, settings = _arranged(
        what, follow=follow, every=every, features=features, most=most_models, options=options
    )
    settings.check(open_to_all=no_tokens)
    taken = listen(settings.address, settings.port)
    scheme = "https" if settings.certificate else "http"
    place = f"[{settings.address}]" if ":" in settings.address else settings.address
    versions = ", ".join(f"{one.name} ({one.version})" for one in served.models)
    if served.following is not None:
        versions = f"{served.following.environment} as {follow} declares it"
    say(f"serving {versions} on {scheme}://{place}:{taken.getsockname()[1]}")
    run(served, settings, taken)


def _arranged(
    what: tuple[str, ...],
    *,
    follow: str | None,
    every: float,
    features: Path | None,
    most: int,
    options: dict[str, object],
) -> tuple[Served, ServeSettings]:
    """What is to be served, and how.

    An environment's declaration counts, and then what was said here.
    """
    from dataclasses import replace

    from furrow.errors import FurrowError
    from furrow.features.manifest import load
    from furrow.ground.git_mirror import remote_address
    from furrow.ground.project_place import project_prefix
    from furrow.ground.trust import require_trust
    from furrow.plan.project_root import in_project
    from furrow.serving.deployment_spec import read_deployment
    from furrow.serving.deployment_state import state_folder
    from furrow.serving.serve_settings import Following, Served, StalePolicy
    from furrow.serving.served_models import resolve

    root = in_project(".").absolute()
    folder = (features or root / "features").absolute()
    if (folder / "manifest.json").is_file() and load(folder).on_demand:
        require_trust(folder, "this runs the code of on-demand features")
    try:
        declared = read_deployment(root, what[0]) if len(what) == 1 and "/" not in what[0] else None
    except FurrowError:
        declared = None  # no repository, or a file that `resolve` has more to say of
    following, models = None, []
    if follow is not None:
        if len(what) > 1 or "@" in what[0] or "/" in what[0]:
            raise UsageError(
                "--follow is for one environment",
                hint="furrow serve production --follow origin/main",
            )
        remote, _, branch = follow.rpartition("#") if "#" in follow else follow.partition("/")
        if not remote or not branch:
            raise UsageError(f"--follow {follow}: no branch", hint="origin/main, or ADDRESS#BRANCH")
        state = state_folder(root, what[0])
        following = Following(
            what[0], remote_address(root, remote), branch, state, project_prefix(root), every
        )
    else:
        models = resolve(root, what)
    name = what[0] if declared is not None or following else models[0].name
    settings = _settings(options, state_folder(root, name) / "log")
    served = Served(tuple(models), folder, most=most, following=following)
    if declared is not None:
        stale = declared.features_stale
        served = replace(served, logged=declared.log.settings())
        if options["stale"] is None:
            settings = replace(settings, stale=StalePolicy(stale.action, dict(stale.defaults)))
    return served, settings


def _settings(options: dict[str, object], log: Path) -> ServeSettings:
    import os
    from typing import Any

    from furrow.cli.predict import moment_of
    from furrow.serving.serve_settings import LOOPBACK, ServeSettings, StalePolicy

    said: dict[str, Any] = options
    hosts = frozenset(name.lower() for name in said["hosts"])
    local = said["address"] in LOOPBACK
    return ServeSettings(
        address=said["address"],
        port=int(os.environ.get("AIP_HTTP_PORT", said["port"])),
        workers=said["workers"],
        hosts=hosts | LOOPBACK if local or hosts else None,
        tokens=said["tokens"] and said["tokens"].absolute(),
        log=None if said["no_log"] else (said["log"] or log).absolute(),
        at=moment_of(said["moment"]),
        stale=StalePolicy(said["stale"] or "null"),
        certificate=said["certificate"],
        key=said["key"],
        vertex=(os.environ.get("AIP_HEALTH_ROUTE", ""), os.environ.get("AIP_PREDICT_ROUTE", "")),
    )


def _new_token(tokens: object, name: str, scopes: tuple[str, ...], rate: float) -> None:
    from furrow.serving.access import add_token

    if not isinstance(tokens, Path):
        raise UsageError(
            "--new-token without --tokens", hint="name the file that it goes to: --tokens FILE"
        )
    secret = add_token(tokens, name, list(scopes or ("predict",)), rate)
    say(secret)
    say(f"this is shown once; {tokens} holds its hash alone", err=True)
