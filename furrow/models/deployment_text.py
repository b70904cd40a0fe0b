"""The text of conf/deployment/ENV.yaml, changed: another version, canary or shadow.

All else stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from furrow.parse import compose_yaml, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.models.registry import Version

__all__ = ["with_tried", "with_version"]


def with_version(content: bytes | None, version: Version) -> str:
    """The file that deploys a version; what it says beside the version stays as it is.

    A canary of that very version is one no longer.

    Args:
        content: The file as it is; None where there is none.
        version: The version.

    Raises:
        ParseError: The file is malformed.
    """
    if content is None or not _in_lines(content):
        return _yaml(version)
    gone = {"model", "model_sha256", "features_digest", "service"}
    canary = parse_yaml(content).get("canary")
    if isinstance(canary, dict) and canary.get("model") == str(version):
        gone.add("canary")
    return _yaml(version) + _without(content, gone)


def with_tried(content: bytes, tried: Mapping[str, Any]) -> str:
    """The file with other versions beside the main one, or none.

    Args:
        content: The file as it is.
        tried: What it says of `canary` and of `shadow` from now on; who is not in it, is declared
            no more.

    Raises:
        ParseError: The file is malformed.
    """
    if not _in_lines(content):
        content = _dumped(parse_yaml(content)).encode()
    head = content.decode().splitlines(keepends=True)[: _starts(content)[0][1]]
    kept = "".join(head) + _without(content, {"canary", "shadow"})
    end = "" if not kept or kept.endswith("\n") else "\n"
    return kept + end + (_dumped(tried) if tried else "")


def _in_lines(content: bytes) -> bool:
    """Whether each key begins a line of its own."""
    root = compose_yaml(content)
    return isinstance(root, yaml.MappingNode) and not root.flow_style


def _without(content: bytes, gone: set[str]) -> str:
    """The lines of a file but for those of some keys."""
    lines, starts = content.decode().splitlines(keepends=True), _starts(content)
    ends = [*(line for _, line in starts[1:]), len(lines)]
    kept = [
        "".join(lines[line:end])
        for (name, line), end in zip(starts, ends, strict=True)
        if name not in gone
    ]
    return "".join(kept)


def _starts(content: bytes) -> list[tuple[str, int]]:
    """The keys, and the line that each begins."""
    return [(key.value, key.start_mark.line) for key, _ in compose_yaml(content).value]


def _yaml(version: Version) -> str:
    value = {
        "model": str(version),
        **{key: version.facts.get(key) for key in ("model_sha256", "features_digest")},
    }
    said = _dumped({k: v for k, v in value.items() if v})
    return (
        "# Which version this environment serves. Change it with `furrow models promote` and a"
        f" merge.\n{said}"
    )


def _dumped(value: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=1000)
    return text
