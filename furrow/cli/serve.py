"""`furrow serve`: answer requests for predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli.terminal import say
from furrow.errors import UsageError
from furrow.layout import MANIFEST_JSON

if TYPE_CHECKING:
    from furrow.serving.serve_settings import Served, ServeSettings

# The server's modules are imported inside the command, so that --help stays instant.
# ruff: noqa: PLC0415

folder = click.Path(path_type=Path)


@click.command()
@click.argument("what", nargs=-1, envvar="FURROW_SERVE_WHAT")
@click.option(
    "--host",
    "address",
    default="127.0.0.1",
    show_default=True,
    envvar="FURROW_SERVE_HOST",
    help="The address to listen on.",
)
@click.option("--port", default=8080, show_default=True, help="The port; 0 for a free one.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    envvar="FURROW_SERVE_WORKERS",
    help="How many processes answer on the port.",
)
@click.option(
    "--features",
    type=folder,
    envvar="FURROW_SERVE_FEATURES",
    help="The features folder; the project's, if left out.",
)
@click.option(
    "--tokens",
    type=folder,
    envvar="FURROW_SERVE_TOKENS",
    help="The file of tokens; without it everybody on this machine may ask.",
)
@click.option(
    "--no-tokens",
    is_flag=True,
    envvar="FURROW_SERVE_NO_TOKENS",
    help="Listen beyond this machine without tokens.",
)
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
    "--log",
    type=folder,
    envvar="FURROW_SERVE_LOG",
    help="The folder of the prediction log; beside the store, if left out.",
)
@click.option("--no-log", is_flag=True, help="Log no prediction.")
@click.option(
    "--stale",
    type=click.Choice(["null", "refuse"]),
    help=(
        "Missing or expired features: score without them, or refuse the row; as declared, if left"
        " out."
    ),
)
@click.option(
    "--follow", metavar="REMOTE/BRANCH", help="Serve what this branch declares, as it changes."
)
@click.option(
    "--every", default=5.0, show_default=True, help="With --follow: seconds between two looks."
)
@click.option("--as-of", "moment", help="Answer as of a time of history (ISO 8601), not of now.")
@click.option(
    "--manifest",
    type=click.Choice(["kubernetes", "compose", "sagemaker", "dockerfile"]),
    help="Serve nothing: write what this orchestrator needs to.",
)
@click.option("--image", default="furrow-serve:latest", help="With --manifest: the image.")
@click.option(
    "--simulated", type=int, hidden=True, help="By the clock of a simulation of this process id."
)
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
    manifest: str | None,
    image: str,
    **options: object,
) -> None:
    """Answer requests for predictions: of an environment, of versions, or of bundles in folders.

    furrow serve production; furrow serve late@v1.0.0 delay@v2.1.0; furrow serve build/models/gbm

    In a container FURROW_SERVE_WHAT, _HOST, _FEATURES, _TOKENS, _LOG and _WORKERS say what options
    would: SageMaker starts an image with `serve` and nothing else.
    """
    tokens = options["tokens"]
    if new_token is not None:
        _new_token(tokens, new_token, scopes, rate)
        return
    if manifest is not None:
        _write_manifest(manifest, what, follow, image, options)
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
        where = f"as {follow} declares it" if follow else "as this clone declares it"
        versions = f"{served.following.environment} {where}"
    say(f"serving {versions} on {scheme}://{place}:{taken.getsockname()[1]}")
    run(served, settings, taken)


def _write_manifest(
    kind: str, what: tuple[str, ...], follow: str | None, image: str, options: dict[str, object]
) -> None:
    from furrow.serving import orchestrator_manifest

    if len(what) != 1 or "/" in what[0] or "@" in what[0]:
        raise UsageError(
            "--manifest is for one environment", hint=f"furrow serve production --manifest {kind}"
        )
    if follow is None and kind in ("kubernetes", "compose"):
        raise UsageError(
            "a server without a clone beside it follows a branch",
            hint="--follow ADDRESS#BRANCH, such as https://example.com/team/shop.git#main",
        )
    spec = orchestrator_manifest.ManifestSpec(
        what[0],
        follow or "",
        image,
        port=int(str(options["port"])),
        workers=int(str(options["workers"])),
    )
    say(orchestrator_manifest.manifest(kind, spec).rstrip("\n"))


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
    from furrow.serving.deploy_here import deploy_here
    from furrow.serving.deployment_spec import read_deployment
    from furrow.serving.deployment_state import state_folder
    from furrow.serving.serve_settings import Following, Served
    from furrow.serving.served_models import resolve
    from furrow.serving.simulated_clock import SimulatedClock

    root = in_project(".").absolute()
    folder = (features or root / "features").absolute()
    if (folder / MANIFEST_JSON).is_file() and load(folder).on_demand:
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
    elif declared is not None:
        state = state_folder(root, what[0])
        served_here = deploy_here(root, what[0], folder, state).main
        name = "" if served_here is None else served_here.version.rpartition("@")[0]
        following = Following(what[0], "", "", state, project_prefix(root), every, name)
    else:
        models = resolve(root, what)
    if following is not None and options["stale"] is not None:
        raise UsageError(
            f"--stale is for bundles and versions: {what[0]} declares what becomes of absent"
            " features",
            hint=f"features_stale in conf/deployment/{what[0]}.yaml",
        )
    name = what[0] if following else models[0].name
    settings = _settings(options, state_folder(root, name) / "log")
    served = Served(tuple(models), folder, most=most, following=following)
    if declared is not None:
        served = replace(served, logged=declared.log.settings())
    if (
        options["simulated"] is not None
    ):  # its days are long past: none of them is too old to be kept
        asked_by = int(str(options["simulated"]))
        settings = replace(settings, clock=SimulatedClock.of(root), asked_by=asked_by)
        served = replace(served, logged=replace(served.logged, retention=None))
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
