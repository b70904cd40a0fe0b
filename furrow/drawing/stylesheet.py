"""The one stylesheet of pages and reports, and a document that holds it and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from furrow.safe_text import html_text as escape

__all__ = ["alone", "policy_of", "stylesheet"]


@cache
def stylesheet() -> str:
    """The stylesheet, as text."""
    return files("furrow.drawing").joinpath("style.css").read_text(encoding="utf-8")


def policy_of(style: str) -> str:
    """The policy of a document that holds one style, runs nothing and loads nothing.

    Args:
        style: The text between its <style> tags, byte for byte.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def alone(title: str, body: str) -> str:
    """A document that needs no network.

    Args:
        title: Of the window.
        body: HTML, whose words are escaped already.
    """
    style = stylesheet()
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy_of(style))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<main id="main">{body}</main>\n</body>\n</html>\n'
    )
