"""A prediction from a server that was named: a form made from its signature, and its answer.

The address comes from the command line alone: no page and no link can have a server asked that
nobody named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.moves import moves
from furrow.errors import FurrowError
from furrow.serving.serving_client import ServingClient
from furrow.web.content import Drawing, Facts, Field, Form, Link, Note, Section, Table
from furrow.web.plain_values import number, shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["asked_prediction", "typed"]

PREFIX = "f."
_SECONDS, _FIELDS = 5.0, 100


def asked_prediction(site: Site, asked: Asked) -> list[Section]:
    """The form, and the answer where one is asked for; nothing where no server was named."""
    if not site.server:
        return []
    title = f"Ask {site.server}"
    blocks: list[Block] = []
    try:
        with ServingClient(site.server, token=site.token, timeout=_SECONDS) as client:
            fields, needed = _signature(client.describe())
            blocks.append(_form(fields, needed, asked))
            if asked.on("ask"):
                row = _row(fields, needed, asked)
                [answer] = client.predict([row], explain=True)
                blocks += _told(answer)
    except FurrowError as exc:
        return [Section(title, [*blocks[:1], Note(f"{exc.message}. {exc.hint}", "bad")])]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return [
            Section(
                title, [Note(f"It answers otherwise than a server of Furrow's: {exc!r}", "bad")]
            )
        ]
    return [Section(title, blocks)]


def _signature(document: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """The fields of a row by name, and which are needed, of a server's OpenAPI document."""
    operation = document["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["properties"]["rows"]["items"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    example = dict((schema.get("examples") or [{}])[0])
    fields = {
        str(one): {**said, "example": example.get(one)}
        for one, said in list(schema["properties"].items())[:_FIELDS]
    }
    return fields, {str(one) for one in schema["required"]}


def _form(fields: Mapping[str, Mapping[str, Any]], needed: set[str], asked: Asked) -> Form:
    shown = [
        Field(
            f"{PREFIX}{name}",
            f"{name}{'' if name in needed else ' (may be left out)'}",
            asked.one(f"{PREFIX}{name}"),
            _hint(said),
        )
        for name, said in fields.items()
    ]
    return Form("prediction", shown, "Ask", {"ask": "1"})


def _hint(said: Mapping[str, Any]) -> str:
    """An example, or what the field is."""
    example = said.get("example")
    return (str(said.get("description", "")) if example is None else f"such as {example}")[:80]


def _row(fields: Mapping[str, Mapping[str, Any]], needed: set[str], asked: Asked) -> dict[str, Any]:
    row = {}
    for name, said in fields.items():
        text = asked.one(f"{PREFIX}{name}")
        if text or name in needed:
            row[name] = typed(text, said)
    return row


def typed(text: str, schema: Mapping[str, Any]) -> Any:
    """What was typed as a value of its field's type; the server says what does not fit.

    Args:
        text: As typed; nothing is null.
        schema: Of the field.
    """
    kinds = schema.get("type", "string")
    some = {str(one) for one in kinds} if isinstance(kinds, list) else {str(kinds)}
    if not text:
        return None
    if "boolean" in some and text.lower() in {"true", "false", "yes", "no"}:
        return text.lower() in {"true", "yes"}
    if "integer" in some:
        try:
            return int(text)
        except ValueError:
            return text
    if "number" in some:
        found = number(text)
        return text if found is None else found
    return text


def _told(answer: Mapping[str, Any]) -> list[Block]:
    identity = str(answer.get("id", ""))
    apart = {"id", "explanation", "features"}
    pairs: list[tuple[str, Cell]] = [
        (name, shown_value(value)) for name, value in answer.items() if name not in apart
    ]
    features = answer.get("features")
    if isinstance(features, dict):
        pairs.append(("features", str(features.get("status", ""))))
        absent = features.get("absent")
        if isinstance(absent, dict) and absent:
            pairs.append(("absent", ", ".join(f"{name}: {why}" for name, why in absent.items())))
    pairs.append(("id", Link(identity, "prediction", {"id": identity})))
    moved = [
        (str(one["column"]), shown_value(one["value"]), number(one["moved"]))
        for one in answer.get("explanation") or ()
    ]
    blocks: list[Block] = [Facts("answer", pairs)]
    if moved:
        title = "What moved it from the mean of the training rows"
        table = Table("moved", ("column", "value", "moved it by"), moved)
        parts = [(name, by) for name, _, by in moved if by is not None]
        blocks.append(Drawing(title, moves(parts, title=title), table))
    return blocks
