"""What commands look like: at 80 and 140 columns, in a pipe, without colors; and as JSON that keeps its schema.

A change that is meant is written down by `FURROW_WRITE_SNAPSHOTS=1 pytest tests/cli/test_snapshots.py`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click
import jsonschema
import pytest

from furrow.cli.group import cli
from furrow.cli.json_outputs import OUTPUTS, output_schemas
from furrow.cli.man import manual
from furrow.cli.runs import listing

from .planted import copied, planted
from .terminals import INK, said
from .test_one_dialect import leaves

__all__ = ["planted"]

FOLDER = Path(__file__).parent / "snapshots"
ROOT = Path(__file__).parents[2]
COMMANDS = (
    "--help", "runs --help", "runs", "runs --csv", "runs --markdown", "runs show gbm", "runs show gbm --section metrics",
    "runs diff line gbm", "runs history gbm", "features list", "features list --features", "features search a",
    "features show traffic", "features digest", "features diff HEAD~1", "data check", "data profile", "data card late",
    "models list", "models log", "gate", "plan", "score", "cost", "deployments", "verify HEAD", "ci status", "gc", "fsck",
    "audit production",
)  # fmt: skip
FAILING = (
    "runs show gmb", "runs show gbm --section metrix", "features show trafic", "models show gbm@v1.0.0", "status production",
    "predict", "replay --verify", "data check --contract nowhere.yaml", "rums", "runs --limit many",
)  # fmt: skip
"""Each with its error and the next step."""
TABLES = {
    "runs",
    "features list",
    "features list --features",
    "features search a",
    "gate",
    "score",
    "cost",
}
SCHEMA = output_schemas()


def name_of(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") + ".txt"


def steady(text: str, root: Path) -> str:
    """Without what is this machine's or this moment's."""
    text = INK.sub("", text).replace(str(root), "PROJECT")
    text = re.sub(r"looked at on [\d: -]+", "looked at on NOW", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def forget_help(words: str) -> None:
    """A command keeps its --help as it was first asked, which another test may have done without the group above it."""
    listing._help_option = None  # `furrow runs --help` shows what it takes
    command: click.Command | None = cli
    for word in words.split():
        if not isinstance(command, click.Group):
            return
        command = command.get_command(click.Context(command), word)
        if command is not None:
            command._help_option = None


@pytest.fixture
def here(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the planted repository, stood in."""
    root = copied(planted, tmp_path / "shop")
    monkeypatch.chdir(root)
    monkeypatch.setenv("FURROW_TRUST", "1")
    monkeypatch.setenv("NO_PAGER", "1")
    return root


@pytest.mark.parametrize("words", [*COMMANDS, *FAILING])
def test_it_looks_as_it_did(here: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Side by side in one file; no line of a terminal is too wide, and none of a table breaks a name."""
    forget_help(words)
    narrow = said(monkeypatch, *words.split(), width=80)
    wide = said(monkeypatch, *words.split(), width=140)
    piped = said(monkeypatch, *words.split())
    plain = said(monkeypatch, *words.split(), width=80, NO_COLOR="1")
    assert narrow.code == wide.code == piped.code
    assert (narrow.code == 0) == (words in COMMANDS)
    assert "\x1b" not in piped.out + plain.out.replace("\x1b[K", "")
    assert plain.out.replace("\r\x1b[K", "") == INK.sub("", narrow.out)
    parts = {
        "80 columns": narrow.out,
        "140 columns": wide.out,
        "a pipe": piped.out,
        "errors": piped.err,
    }
    text = "".join(
        f"==== {title} ====\n{steady(part, here)}" for title, part in parts.items() if part
    )
    path = FOLDER / name_of(words)
    if os.environ.get("FURROW_WRITE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    if words in TABLES:
        for title, width in (("80 columns", 80), ("140 columns", 140)):
            lines = INK.sub("", parts[title]).splitlines()
            rows = [line for line in lines if "  " in line and not line.startswith("hidden")]
            assert [line for line in rows if len(line) > width] == []
        names = [line.split("\t")[0] for line in piped.out.splitlines()[1:] if "\t" in line]
        assert [name for name in names if name not in INK.sub("", narrow.out)] == []


@pytest.mark.parametrize(
    "words",
    [one for one in COMMANDS if not re.search("--(help|csv|markdown)", one)] + list(FAILING),
)
def test_json_keeps_its_schema(here: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """One object with a format; what failed is an `error` with a next step; the schema says each field."""
    found = said(monkeypatch, *words.split(), "--json")
    value = json.loads(found.out)
    name = next(
        (one for one in sorted(OUTPUTS, key=len, reverse=True) if words.startswith(one)), ""
    )
    schema = (
        {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]} if name else {"required": ["error"]}
    )
    jsonschema.validate(value, schema)
    assert ("error" in value) == (found.code != 0)
    if found.code:
        assert value["error"]["exit_code"] == found.code
        jsonschema.validate(value["error"], SCHEMA["$defs"]["error"])


def test_the_schemas_can_refuse() -> None:
    """Each is a schema; each that names a field refuses an object without it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, fields in OUTPUTS.items():
        if fields:
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(
                    {"format": 1}, {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}
                )


def test_every_command_that_speaks_json_has_a_schema() -> None:
    """And no other."""
    speaking = {
        name.removesuffix(" list") if name == "runs list" else name
        for name, command in leaves()
        if any("--json" in getattr(option, "opts", ()) for option in command.params)
        and not command.hidden
    }
    assert speaking | {"runs", "ci"} == {*OUTPUTS}


def test_the_manual_page_is_what_help_says() -> None:
    """docs/furrow.1 is written by `furrow man > docs/furrow.1`; no line of help is an instruction to roff."""
    assert (ROOT / "docs/furrow.1").read_text() == manual(), "furrow man > docs/furrow.1"
    known = {"TH", "SH", "SS", "B", "PP", "TP", "nf", "fi"}
    used = {line[1:].split(" ")[0] for line in manual().splitlines() if line.startswith(".")}
    assert used == known
    for name in cli.list_commands(click.Context(cli)):
        assert f".SS furrow {name}\n".replace("-", "\\-") in manual()
