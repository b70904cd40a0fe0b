"""The one stylesheet of every page, and the frame of pages that stand alone: nothing fetched, nothing run."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from furrow.safe_text import html_text as escape

__all__ = ["POLICY", "alone", "stylesheet"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What such a page may load: its own style."""


@cache
def stylesheet() -> str:
    """The style of the site's pages and of those that stand alone, for light, dark, narrow and paper."""
    return files("furrow.drawing").joinpath("style.css").read_text(encoding="utf-8")


def alone(title: str, body: str, *, policy: str = POLICY) -> str:
    """A page that holds all it needs.

    Args:
        title: What a tab shows; text.
        body: What is on it; HTML.
        policy: What it may load.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{stylesheet()}</style></head>\n"
        f'<body class="alone">\n{body}\n</body></html>\n'
    )
