"""The page at `/`: what the server answers, and how to ask.

No script, and nothing from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

from furrow.drawing.page_shell import stylesheet

__all__ = ["POLICY", "draw"]

_HASH = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
).encode()


def draw(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    parts = [
        _model(document, path, entry["post"])
        for path, entry in document["paths"].items()
        if "post" in entry
    ]
    told = [
        f"<li><a href='{_text(path)}'>{_text(path)}</a>: {_text(entry['get']['summary'])}</li>"
        for path, entry in document["paths"].items()
        if "get" in entry
    ]
    body = "".join(parts) or "<p>No model is in memory yet: /models lists them.</p>"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Furrow</title>"
        "<meta name='viewport' content='width=device-width'>"
        f"<style>{stylesheet()}</style></head><body class='alone'><h1>Furrow</h1><main>{body}"
        f"<h2>Also here</h2><ul>{''.join(told)}"
        "<li><a href='/openapi.json'>/openapi.json</a>: this page for programs.</li>"
        "</ul></main></body></html>"
    )


def _model(document: dict[str, Any], path: str, operation: dict[str, Any]) -> str:
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["properties"]["rows"]["items"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    needed = schema["required"]
    rows = "".join(
        f"<tr><td>{_text(field)}</td><td>{_text(one['description'])}</td>"
        f"<td>{'yes' if field in needed else 'no'}</td></tr>"
        for field, one in schema["properties"].items()
    )
    example = json.dumps(content["example"], ensure_ascii=False)
    token = "".join(" -H 'Authorization: Bearer TOKEN'" for _ in document.get("security", ()))
    command = f"curl -s -H 'content-type: application/json'{token} -d '{example}' http://HOST{path}"
    return (
        f"<section><h2>POST {_text(path)}</h2><p>{_text(operation['summary'])}</p>"
        "<table><thead><tr><th>field</th><th>what it is</th><th>needed</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f"<pre>{_text(command)}</pre></section>"
    )


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
