"""The site of docs/: what people wrote, and a reference that is made from the code.

    python tools/docs_site.py [FOLDER]     # by default build/docs

The Markdown of docs/ and the reference go to a folder of their own, where Sphinx reads them; a
warning of it is an error. The site is plain files, opens from a disk, and its search needs no
network.
"""

from __future__ import annotations

import importlib
import inspect
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

import furrow
from furrow.cli.group import COMMANDS, SECTIONS, cli
from furrow.scaffold.conf_schemas import conf_schemas
from furrow.serving import routes

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "Start": ("TUTORIAL", "HOW_TO", "COMING_FROM"),
    "Guides": (
        "PROJECT", "DATA", "PIPELINE", "FEATURES", "RUNS", "GITOPS", "SERVING", "MONITORING",
        "GOVERNANCE", "ASSISTANTS",
    ),
    "Reference": tuple(f"reference/{one}" for one in ("cli", "conf", "http", "python", "formats")),
    "Explanation": ("STATISTICS", "SECURITY", "LIMITS", "GLOSSARY"),
}  # fmt: skip
DECLARED = {
    "conf/ci.yaml": "furrow.ci.ci_settings",
    "conf/deployment/ENV.yaml": "furrow.serving.deployment_spec",
    "conf/monitor/ENV.yaml": "furrow.monitoring.monitor_settings",
    "conf/trust.yaml": "furrow.proof.trust_policy",
    "conf/cost.yaml": "furrow.governance.cost_factors",
    "conf/owners.yaml": "furrow.governance.owners",
    "conf/card/PROBLEM.yaml": "furrow.governance.card_sentences",
    "conf/pause/WHAT.yaml": "furrow.models.pause",
}
"""Files of conf/ whose module says them key by key."""
PYTHON = (
    "furrow.runs", "furrow.run", "furrow.log", "furrow.log_to", "furrow.FeatureClient", "furrow.AsyncFeatureClient",
    "furrow.models.predict.open_model", "furrow.models.predict.Model", "furrow.serving.serving_client.ServingClient",
)  # fmt: skip


def main() -> int:
    """Make the site; Sphinx's own exit code."""
    from sphinx.cmd.build import main as sphinx  # noqa: PLC0415 - the extra `docs`

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/docs"
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        write_source(source)
        code = sphinx(["-q", "-W", "--keep-going", "-b", "html", str(source), str(folder)])
    if code == 0:
        print(f"{folder / 'index.html'} opens in a browser")
    return code


def write_source(source: Path) -> None:
    """What Sphinx reads: docs/, the reference, and the first page.

    Args:
        source: A folder that is not there.
    """
    shutil.copytree(ROOT / "docs", source)
    for path in source.glob("*.md"):  # what draws diagrams is a script that the site does without
        path.write_text(path.read_text().replace("```mermaid", "```text"))
    reference = source / "reference"
    reference.mkdir()
    made = {
        "cli": commands(),
        "conf": declarations(),
        "http": paths(),
        "python": python(),
        "formats": formats(),
    }
    for name, text in made.items():
        (reference / f"{name}.md").write_text(text)
    (source / "index.md").write_text(first_page())


def first_page() -> str:
    """The README's first words, and what there is to read."""
    readme = (ROOT / "README.md").read_text()
    words = readme.partition("\n## ")[0].removeprefix("# Furrow").strip()
    parts = ["# Furrow\n", words.replace("](docs/", "]("), ""]
    for title, names in PAGES.items():
        listed = "\n".join(names)
        parts.append(f"```{{toctree}}\n:caption: {title}\n:maxdepth: 1\n\n{listed}\n```\n")
    return "\n".join(parts)


def commands() -> str:
    """Every command, by what it is for: usage, help, options."""
    parts = [
        "# Commands\n",
        "`furrow COMMAND --help` says the same. `-C DIR` starts any command in another folder.\n",
    ]
    whole = click.Context(cli, info_name="furrow", **cli.context_settings)
    of = {name: title for title, names in SECTIONS.items() for name in names}
    for title in (*SECTIONS, "More"):
        parts.append(f"## {title}\n")
        for name in sorted(one for one in COMMANDS if of.get(one, "More") == title):
            command = cli.get_command(whole, name)
            assert command is not None
            parts += _command(f"furrow {name}", command, whole)
    return "\n".join(parts)


def _command(name: str, command: click.Command, above: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=above)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    said = inspect.cleandoc(command.help or command.short_help or "")
    parts = [f"### {name}\n", f"    {usage}\n", *map(_paragraph, said.split("\n\n"))]
    options = [one for one in command.params if isinstance(one, click.Option)]
    rows = [row for row in (one.get_help_record(context) for one in options) if row]
    if rows:
        cells = [(_cell(given), _cell(" ".join(told.split()))) for given, told in rows]
        parts += [
            "| option | |",
            "|---|---|",
            *(f"| `{given}` | {told} |" for given, told in cells),
            "",
        ]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                parts += _command(f"{name} {inner}", found, context)
    return parts


def _paragraph(text: str) -> str:
    """One of a command's help; after click's mark lines are kept as they stand."""
    if not text.startswith("\b\n") and "\n#" not in f"\n{text}":
        return text.replace("<", "&lt;") + "\n"
    lines = "\n".join(f"    {line}" for line in text.removeprefix("\b\n").splitlines())
    return f"{lines}\n"


def declarations() -> str:
    """Every key of conf/: what it is, and what it is when it is left out."""
    parts = [
        "# Declarations\n",
        "Files of conf/ are checked when they are read: a misspelt key suggests the right one.\n",
    ]
    for name, kind in sorted(conf_schemas().items()):
        parts += [f"## {name}: `{kind.files}`\n"]
        rows = list(_keys(kind.schema, kind.schema, ""))
        parts += ["| key | type | default | |", "|---|---|---|---|", *rows, ""]
    for path, module in DECLARED.items():
        first, _, rest = inspect.cleandoc(importlib.import_module(module).__doc__ or "").partition(
            "\n\n"
        )
        parts += [f"## `{path}`\n", f"{first.partition(': ')[2] or first}\n"]
        example = ": " in rest.partition("\n")[0]
        parts += ["```yaml", rest, "```\n"] if example else [rest + "\n"]
    return "\n".join(parts)


def _keys(schema: Any, whole: Any, before: str) -> list[str]:
    """Rows of a table, the keys of inner mappings after their own."""
    schema = _meant(schema, whole)
    rows: list[str] = []
    for key, value in schema.get("properties", {}).items():
        one = _meant(value, whole)
        default = value.get("default", one.get("default", ""))
        about = value.get("description") or one.get("description") or ""
        kind = one.get("type") or ("one of several" if "anyOf" in one else "any")
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        shown = "" if default in ("", None) else f"`{_cell(str(default))}`"
        rows.append(f"| `{before}{key}` | {kind} | {shown} | {_cell(' '.join(about.split()))} |")
        if before.count(".") < 2:
            rows += _keys(one, whole, f"{before}{key}.")
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict) and before.count(".") < 3:
        rows += _keys(inner, whole, f"{before}NAME.")
    return rows


def _meant(schema: Any, whole: Any) -> Any:
    """A schema behind its reference, or the one that is not null of two."""
    while isinstance(schema, dict):
        if "$ref" in schema:
            schema = whole.get("$defs", whole.get("definitions", {}))[
                schema["$ref"].rpartition("/")[2]
            ]
            continue
        some = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        if not some or (len(some) > 1 and "properties" not in some[0]):
            return schema
        schema = some[0]
    return {}


def paths() -> str:
    """What a server answers, and what a token must be allowed for it."""
    parts = [
        "# HTTP\n",
        ("`/openapi.json` of a running server says the fields of its own model, with an example that works."
        " Errors are problems of RFC 9457.\n"),
        "| method | path | scope of the token | what |", "|---|---|---|---|",
    ]  # fmt: skip
    for path, route in [
        *routes.ROUTES.items(),
        *((f"/models/NAME/{tail}".rstrip("/"), one) for tail, one in routes.MODEL_ROUTES.items()),
    ]:
        parts.append(f"| {route.method} | `{path}` | {route.scope or 'none'} | {route.name} |")
    return "\n".join(parts) + "\n"


def python() -> str:
    """The public names, from their docstrings."""
    parts = ["# Python\n"]
    for name in PYTHON:
        found: Any = furrow
        module, _, last = name.rpartition(".")
        found = getattr(importlib.import_module(module), last)
        kind = "autoclass" if inspect.isclass(found) else "autofunction"
        members = "\n   :members:" if inspect.isclass(found) else ""
        parts.append(
            f"```{{eval-rst}}\n.. {kind}:: {found.__module__}.{found.__qualname__}{members}\n```\n"
        )
    return "\n".join(parts)


def formats() -> str:
    """Files with a version, and the module that reads and writes each."""
    parts = [
        "# Formats\n",
        "Files on disk carry the version of their format; older ones are read, or refused with what to do.\n",
        "| module | format | what it keeps |", "|---|---|---|",
    ]  # fmt: skip
    for path in sorted((ROOT / "furrow").rglob("*.py")):
        if "\nFORMAT = " in path.read_text():
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(name)
            first = (module.__doc__ or "").strip().partition("\n")[0]
            parts.append(f"| `{name}` | {_cell(str(module.FORMAT))} | {_cell(first)} |")
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main())
