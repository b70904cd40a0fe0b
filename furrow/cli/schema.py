"""`furrow schema`: JSON schemas of conf/, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from furrow.cli.render import echo_json
from furrow.cli.terminal import say, say_block
from furrow.safe_text import json_text


@click.command()
@click.argument("name", default="", metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(*, name: str, as_json: bool) -> None:
    """Write the JSON schema of each kind of file in conf/ to .furrow/schema.

    With NAME, print that one; `outputs` is what commands print with --json.

    Generated files name theirs in their first line; another file's editor is told by the same line:
    # yaml-language-server: $schema=../../.furrow/schema/problem.json
    """
    from furrow.ci.ci_settings import CiSettings  # noqa: PLC0415 - after --help
    from furrow.errors import FurrowError  # noqa: PLC0415 - the same
    from furrow.layout import CI_YAML  # noqa: PLC0415 - the same
    from furrow.plan.project_root import repository_root  # noqa: PLC0415 - the same
    from furrow.scaffold.answer_error import near  # noqa: PLC0415 - the same
    from furrow.scaffold.conf_schemas import Kind, conf_schemas, header, schema_text, write_schemas  # noqa: PLC0415
    from furrow.scaffold.dataclass_schema import dataclass_schema  # noqa: PLC0415 - the same

    more = {"ci": Kind(CI_YAML, dataclass_schema(CiSettings))}
    kinds = {**conf_schemas(), **more}
    if name == "outputs":
        from furrow.cli.json_outputs import output_schemas  # noqa: PLC0415 - the same

        say_block(json_text(output_schemas()))
        return
    if name:
        if name not in kinds:
            raise FurrowError(f"there is no schema {name!r}", hint=near(name, [*kinds, "outputs"]))
        say_block(schema_text(kinds[name]))
        return
    changed = write_schemas(repository_root(Path.cwd()), more)
    if as_json:
        echo_json({"written": changed})
        return
    for path in changed:
        say(f"wrote {path}")
    if not changed:
        say("every schema is there already")
    say("name a file's schema in its first line:")
    for kind, about in kinds.items():
        say(f"  {about.files}: {header(kind, about.files).strip()}")
