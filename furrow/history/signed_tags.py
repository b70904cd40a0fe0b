"""A model's hash from outside the clone.

A version's tag that somebody signed whom this user trusts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from furrow.ground.gitobjects import list_refs, read_objects
from furrow.ground.signatures import is_signed
from furrow.parse import ParseError, parse_first_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LARGEST", "TAG", "tag_facts", "vouching_tag"]

_PART = r"(?:0|[1-9][0-9]{0,8})"
# each number in one way alone
TAG = re.compile(rf"(?P<name>.+)@v(?P<number>{_PART}\.{_PART}\.{_PART})")
LARGEST = 1 << 20
_MOST = 20
"""Signatures that are checked for one model: anybody can push a thousand tags."""


def tag_facts(message: str) -> dict[str, Any]:
    """The JSON that stands under the first line of a tag's message; empty when there is none.

    What comes after it is no part of it: trailers, or a signature, which Git keeps in the message.

    Args:
        message: The message.
    """
    _, _, body = message.partition("\n")
    body = body.lstrip()
    if not body.startswith("{"):
        return {}
    try:
        value = parse_first_json(body)
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}


def vouching_tag(repo: Path, sha256: str) -> str:
    """The tag of a version that names a model's hash and is signed by a key that the user trusts.

    Empty if none does.

    The signature is of the tag's text, and the text names the hash: so where the tag stands does
    not matter.

    Args:
        repo: A folder inside the repository.
        sha256: Of the model.
    """
    lines = [line.split(b" ", 1) for line in list_refs(repo, "refs/tags").splitlines()]
    asked = [oid.decode() for oid, ref in lines if b"@v" in ref]
    checked = 0
    for _, kind, content, _ in read_objects(repo, dict.fromkeys(asked), largest=LARGEST):
        if kind != "tag" or content is None or checked >= _MOST:
            continue
        head, _, message = content.decode(errors="replace").partition("\n\n")
        name = next((line[4:] for line in head.split("\n") if line.startswith("tag ")), "")
        if TAG.fullmatch(name) and tag_facts(message).get("model_sha256") == sha256:
            checked += b"\n-----BEGIN " in content
            if is_signed(repo, content):
                return name
    return ""
