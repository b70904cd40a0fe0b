"""The page at `/`: what the server answers, and how to ask.

No script, and nothing from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

__all__ = ["POLICY", "draw"]

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; vertical-align: top }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8886; border-radius: .3rem }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
        f"<style>{STYLE}</style></head><body><h1>Furrow</h1><main>{body}"
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
        f"<table><thead><tr><th>field</th><th>what it is</th><th>needed</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f"<pre>{_text(command)}</pre></section>"
    )


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
