"""The software bill of materials of a commit, from its lock file.

CycloneDX 1.5 in JSON, the same for the same lock.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from furrow.files import sha256_bytes

__all__ = ["bill_of_materials"]

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill_of_materials(lock: bytes, name: str) -> tuple[dict[str, Any], list[str]]:
    """The components that a lock file pins, those for other platforms included.

    Args:
        lock: A file of pip's format.
        name: What it is the bill of.

    Returns:
        The bill, and the lines that name no package with a version: they are not known.
    """
    components, unknown = [], []
    for line in lock.decode(errors="replace").replace("\\\n", " ").splitlines():
        text = line.strip()
        if not text or text.startswith(("#", "--")):
            continue
        found = _component(text)
        if found is None:
            unknown.append(text[:200])
        else:
            components.append(found)
    digest = sha256_bytes(lock)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "bom-ref": name}},
        "components": components,
    }, unknown


def _component(text: str) -> dict[str, Any] | None:
    words = re.split(r"\s--hash|\s#", text, maxsplit=1)[0].strip()
    try:
        requirement = Requirement(words)
    except InvalidRequirement:
        return None
    pins = [one.version for one in requirement.specifier if one.operator in {"==", "==="}]
    if len(pins) != 1:
        return None
    name, version = str(canonicalize_name(requirement.name)), pins[0]
    purl = f"pkg:pypi/{name}@{version}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }
    if requirement.marker is not None:
        found["properties"] = [{"name": "python:marker", "value": str(requirement.marker)}]
    # one package has a hash for each platform; CycloneDX takes them all as of one component
    hashes = sorted(set(_HASH.findall(text)))
    if hashes:
        found["hashes"] = [{"alg": "SHA-256", "content": one} for one in hashes]
    return found
