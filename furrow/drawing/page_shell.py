"""The one stylesheet of every page, and the frame of pages that stand alone.

Nothing fetched, nothing run.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from furrow.safe_text import html_text as escape

__all__ = ["INLINE", "alone", "policy_of", "stylesheet"]

INLINE = "default-src 'none'; style-src 'unsafe-inline'"
"""The policy of a page whose drawing is another library's, with styles of its own."""


@cache
def stylesheet() -> str:
    """The style of the site's pages and of those that stand alone, for light, dark, narrow and paper."""
    return files("furrow.drawing").joinpath("style.css").read_text(encoding="utf-8")


def policy_of(style: str) -> str:
    """The policy of a page that holds one style, runs nothing and loads nothing.

    Args:
        style: The text between its <style> tags, byte for byte.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def alone(title: str, body: str, *, policy: str = "") -> str:
    """A page that holds all it needs.

    Args:
        title: What a tab shows; text.
        body: What is on it; HTML, whose words are escaped already.
        policy: What it may load; by default its own style.
    """
    policy = policy or policy_of(stylesheet())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{stylesheet()}</style></head>\n"
        f'<body class="alone">\n{body}\n</body></html>\n'
    )
