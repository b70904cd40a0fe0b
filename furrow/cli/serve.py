"""`furrow serve`: answer requests for predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli.terminal import say
from furrow.errors import UsageError

if TYPE_CHECKING:
    from furrow.serving.serve_settings import ServeSettings

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
    "--log", type=folder, help="The folder of the prediction log; .furrow/predictions, if left out."
)
@click.option("--no-log", is_flag=True, help="Log no prediction.")
@click.option("--stale", type=click.Choice(["null", "refuse"]), default="null", show_default=True,
              help="Features that are missing or expired: score without them, or refuse the row.")  # fmt: skip
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
    from furrow.plan.project_root import in_project
    from furrow.serving.serve_settings import Served
    from furrow.serving.served_models import resolve
    from furrow.serving.server import listen, run

    settings = _settings(options)
    settings.check(open_to_all=no_tokens)
    root = in_project(".")
    models = resolve(root, what)
    served = Served(tuple(models), (features or root / "features").absolute(), most=most_models)
    taken = listen(settings.address, settings.port)
    scheme = "https" if settings.certificate else "http"
    place = f"[{settings.address}]" if ":" in settings.address else settings.address
    versions = ", ".join(f"{one.name} ({one.version})" for one in models)
    say(f"serving {versions} on {scheme}://{place}:{taken.getsockname()[1]}")
    run(served, settings, taken)


def _settings(options: dict[str, object]) -> ServeSettings:
    import os
    from typing import Any

    from furrow.cli.predict import moment_of
    from furrow.layout import PREDICTION_LOG
    from furrow.plan.project_root import in_project
    from furrow.serving.serve_settings import LOOPBACK, ServeSettings, StalePolicy

    said: dict[str, Any] = options
    hosts = frozenset(name.lower() for name in said["hosts"])
    local = said["address"] in LOOPBACK
    log = None if said["no_log"] else (said["log"] or in_project(PREDICTION_LOG)).absolute()
    return ServeSettings(
        address=os.environ.get("AIP_HTTP_HOST", said["address"]),
        port=int(os.environ.get("AIP_HTTP_PORT", said["port"])),
        workers=said["workers"],
        hosts=hosts | LOOPBACK if local or hosts else None,
        tokens=said["tokens"] and said["tokens"].absolute(),
        log=log,
        at=moment_of(said["moment"]),
        stale=StalePolicy(said["stale"]),
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
