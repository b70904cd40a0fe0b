"""`furrow models`: register, list, show, compare, get, promote and roll back models."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow import layout
from furrow.cli import render
from furrow.cli.completed_names import environment_names, experiment_names, version_names
from furrow.cli.terminal import say, say_block
from furrow.cli.usage import Nouns
from furrow.errors import FurrowError
from furrow.ground.project_place import project_root
from furrow.layout import DEPLOYMENT
from furrow.plurals import number_of

if TYPE_CHECKING:
    from furrow.models.registry import Version

# Domain modules are imported inside the commands, so that --help stays instant.
# ruff: noqa: PLC0415

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")


@click.group(cls=Nouns)
def command() -> None:
    """Register, list, show, compare, get, promote and roll back models."""


@command.command("register")
@click.argument("experiment", required=False, shell_complete=experiment_names)
@click.option("--rev", default="HEAD", show_default=True, help="The commit to register.")
@click.option(
    "--sign",
    is_flag=True,
    help="Sign the tag with your own key: clones that know it open the model.",
)
@as_json
def register_command(*, experiment: str | None, rev: str, sign: bool, as_json: bool) -> None:
    """Register the champion's (or EXPERIMENT's) model at a commit as its next version, if the gate passed."""
    from furrow.models.register import register
    from furrow.models.registry import versions

    root = project_root(Path.cwd())
    before = set(map(str, versions(root)))
    version = register(root, experiment, rev=rev, sign=sign)
    if as_json:
        render.echo_json(_entry(version))
        return
    say(
        f"{version} {'is registered already' if str(version) in before else 'registered'} at"
        f" {version.commit[:10]}"
    )
    say(f"next: git push origin {version.tag}; furrow models promote {version} --to production")


@command.command("list")
@click.option(
    "--all-repos",
    is_flag=True,
    help="The models of the repositories that the folders are or hold, with owners and health.",
)
@click.option("--check", is_flag=True, help="Exit 1 if one of them is orphaned or overdue.")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
def list_command(*, all_repos: bool, check: bool, folders: tuple[Path, ...], as_json: bool) -> int:
    """List registered versions and the environments that serve them."""
    if all_repos:
        todo = _fleet(folders or (Path.cwd(),), as_json=as_json)
        return int(check and todo > 0)
    if folders or check:
        raise click.UsageError("folders and --check are for --all-repos")
    from furrow.models.deployment import current
    from furrow.models.registry import shown_metrics, versions

    root = project_root(Path.cwd())
    found = versions(root)
    serving: dict[str, list[str]] = {}
    for path in sorted((root / DEPLOYMENT).glob("*.yaml")):
        serving.setdefault(current(root, path.stem) or "", []).append(path.stem)
    if as_json:
        render.echo_json(
            [{**_entry(version), "serves": serving.get(str(version), [])} for version in found],
            "versions",
        )
        return 0
    if not found:
        say("no version is registered yet")
        say("next: furrow models register")
        return 0
    shown = shown_metrics(found)
    rows = []
    for version in found:
        about = [version.facts.get("service"), version.commit[:10], _moment(version.registered)]
        serves = " ".join(serving.get(str(version), []))
        rows.append([str(version), *(version.metrics.get(name) for name in shown), *about, serves])
    render.table(rows, ["version", *shown, "features", "commit", "registered", "serves"])
    return 0


def _fleet(folders: tuple[Path, ...], *, as_json: bool) -> int:
    """Show the models of several repositories, and tell for how many something is to be done: these stand first."""
    from furrow.governance.fleet import fleet

    now = datetime.now(UTC)
    found, problems = fleet(folders, now=now)
    if as_json:
        told = [one.to_json() for one in found]
        render.echo_json({"format": 1, "models": told, "problems": problems})
        return sum(bool(one.remarks) for one in found) + len(problems)
    rows = []
    for one in sorted(found, key=lambda one: (not one.remarks, one.tier, one.repository)):
        days = [
            None if moment is None else f"{(now - moment).days} d"
            for moment in (one.registered, one.replayed, one.approved)
        ]
        who = [one.repository, one.version, one.owner or "nobody", one.tier]
        does = [" ".join(one.serves), one.health, one.cpu_seconds, ", ".join(one.remarks)]
        rows.append([*who, *days, *does])
    columns = ["repository", "version", "owner", "tier", "age", "replayed", "approved"]
    render.table(rows, [*columns, "serves", "health", "CPU s", "to do"])
    for problem in problems:
        say(f"not read: {problem}")
    todo = sum(bool(one.remarks) for one in found)
    say(f"{number_of(len(found), 'model')}; {todo} are orphaned or overdue")
    return todo + len(problems)


@command.command("show")
@click.argument("version", shell_complete=version_names)
@as_json
def show_command(*, version: str, as_json: bool) -> None:
    """Show a version: its commit, hashes and metrics."""
    from furrow.models.deployment import current
    from furrow.models.register import refusal
    from furrow.models.registry import find

    root = project_root(Path.cwd())
    found = find(root, version)
    if as_json:
        render.echo_json(_entry(found))
        return
    serves = [path.stem for path in sorted((root / DEPLOYMENT).glob("*.yaml"))
              if current(root, path.stem) == str(found)]  # fmt: skip
    rows: list[list[Any]] = [
        ["commit", found.commit],
        ["registered", f"{_moment(found.registered)} by {found.by}"],
    ]
    rows += [["serves", " ".join(serves) or "nothing"], ["gate", refusal(root, found) or "passed"]]
    rows += [
        [key, _words(value)]
        for key, value in sorted(found.facts.items())
        if key not in ("metrics", "experiment")
    ]
    rows += [[key, value] for key, value in found.metrics.items()]
    render.table(rows, ["", str(found)], right=[])
    say(f"next: furrow models card {found}; furrow models get {found} --out DIR")


@command.command("card")
@click.argument("version", shell_complete=version_names)
@click.option(
    "--standard",
    is_flag=True,
    help=(
        "With Hugging Face's metadata, the sentences of conf/card, and an index of the EU AI Act"
        " and NIST AI RMF."
    ),
)
def card_command(*, version: str, standard: bool) -> None:
    """Print a version's model card, from its commit."""
    if standard:
        from furrow.governance.standard_card import model_card
        from furrow.models.registry import find as find_version

        root = project_root(Path.cwd())
        say_block(model_card(root, find_version(root, version)))
        return
    from furrow.ground.git import show
    from furrow.models.registry import find

    root = project_root(Path.cwd())
    found = find(root, version)
    content = show(root, found.commit, layout.run_file(found.name, "card.md"))
    if content is None:
        raise FurrowError(
            f"{found.commit[:10]} has no runs/{found.name}/card.md", hint="`dvc repro` writes it"
        )
    say_block(content.decode(errors="replace"))


@command.command("diff")
@click.argument("one", shell_complete=version_names)
@click.argument("two", shell_complete=version_names)
@as_json
def diff_command(*, one: str, two: str, as_json: bool) -> None:
    """Compare two versions: metrics, features, model."""
    from furrow.models.registry import compare, find

    root = project_root(Path.cwd())
    found = compare(find(root, one), find(root, two))
    if as_json:
        render.echo_json(found)
        return
    rows = [
        [name, values["from"], values["to"], values["change"]]
        for name, values in found["metrics"].items()
    ]
    render.table(rows, ["metric", found["from"], found["to"], "change"])
    words = {"features_digest": "features", "model_sha256": "model", "service": "feature service"}
    say(
        "; ".join(
            f"{words[key]}: {'the same' if same else 'another'}"
            for key, same in found["same"].items()
        )
    )


@command.command("get")
@click.argument("version", shell_complete=version_names)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder to write; it must not exist.",
)
@as_json
def get_command(*, version: str, out: Path, as_json: bool) -> None:
    """Bring a version's bundle from the cache or the remote, and check its hash."""
    from furrow.models.version_fetch import fetch

    root = project_root(Path.cwd())
    found = fetch(root, version, out)
    if as_json:
        render.echo_json({"format": 1, "version": str(found), "folder": str(out)})
        return
    say(f"{found} is in {out}; its sha256 is the one that was registered")


@command.command("promote")
@click.argument("version", shell_complete=version_names)
@click.option("--to", "environment", required=True, help="The environment, such as production.")
@as_json
def promote_command(*, version: str, environment: str, as_json: bool) -> None:
    """Write the commit that deploys a version, on a branch for a person to review: approval is the merge."""
    from furrow.models.deployment import promote

    branch, found = promote(project_root(Path.cwd()), version, environment)
    if as_json:
        said = {"version": str(found), "environment": environment, "branch": branch}
        render.echo_json({"format": 1, **said})
        return
    say(f"{found} to {environment}: a commit on the branch {branch}, nothing is deployed yet")
    say(
        f"next: git push origin {branch}, review it, and merge it to approve (git merge --no-ff"
        f" {branch})"
    )


@command.command("rollback")
@click.argument("environment", shell_complete=environment_names)
@as_json
def rollback_command(*, environment: str, as_json: bool) -> None:
    """Go back to the version that an environment served before, as a commit on this branch."""
    from furrow.models.deployment import rollback

    before, after = rollback(project_root(Path.cwd()), environment)
    if as_json:
        said = {"environment": environment, "from": str(before), "to": str(after)}
        render.echo_json({"format": 1, **said})
        return
    say(f"{environment}: {before} -> {after}, committed")
    say("next: git push")


@command.command("log")
@click.option("--to", "environment", help="Only this environment.")
@as_json
def log_command(*, environment: str | None, as_json: bool) -> None:
    """Who deployed what, when, from which version to which, on what evidence: Git's log of conf/deployment."""
    from dataclasses import asdict

    from furrow.models.deployment import history

    changes = list(history(project_root(Path.cwd()), environment))
    if as_json:
        render.echo_json([asdict(change) for change in changes], "changes")
        return
    if not changes:
        say("nothing has been deployed yet")
        say("next: furrow models promote VERSION --to production")
        return
    rows = [
        [_moment(one.when), one.who.partition(" <")[0], *([] if environment else [one.environment]),
         one.before or "nothing", one.after or "nothing", one.commit[:10], one.why, one.evidence]
        for one in changes
    ]  # fmt: skip
    where = [] if environment else ["where"]
    render.table(rows, ["when", "who", *where, "from", "to", "commit", "why", "evidence"])


def _moment(text: str) -> str:
    """An ISO 8601 time for a person: to the minute, in UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}" if text else ""


def _words(value: Any) -> Any:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _entry(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": f"v{version.number}",
        "commit": version.commit,
        "registered": version.registered,
        "by": version.by,
        **version.facts,
    }
