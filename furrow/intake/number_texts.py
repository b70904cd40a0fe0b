"""Numbers as people write them: thousands, decimal commas, currencies, percent, brackets.

Ids that are none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from furrow.intake.column_reading import PLAIN_NUMBER, Reading, misfits

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["number_reading", "sql_number", "whole_id"]

_INT = re.compile(r"[-+]?\d+", re.ASCII)
_GAPS = "' \u00a0\u202f\u2019"  # what may stand between thousands in any language
_COMMA = re.compile(rf"[-+]?(\d{{1,3}}([.{_GAPS}]\d{{3}})+|\d+)(,\d+)?", re.ASCII)
_ENGLISH = re.compile(
    rf"[-+]?\d{{1,3}}([,{_GAPS}]\d{{3}})+(\.\d+)?|[-+]?\d+(\.\d+)?"
    r"|[-+]?\d{1,2}(,\d{2})+,\d{3}(\.\d+)?",  # lakhs and crores: 12,34,567
    re.ASCII,
)
_SIGNS = (
    r"(?:R\$|[€$£¥₹₺₽₩₪₫₴₦₱฿]|EUR|USD|GBP|CHF|JPY|CAD|AUD|NZD|SGD|HKD|INR|CNY|KRW|THB|BRL|MXN|ZAR|TRY|RUB|RON|HUF|"
    r"SEK|NOK|DKK|ISK|PLN|CZK|BGN|ILS|kr\.?|zł|Kč|Ft|lei|Rs\.?|TL|Fr\.)"
)
_SIGN = re.compile(_SIGNS)
_ADORNED = re.compile(rf"([-+]?){_SIGNS}?\s?([-+]?[0-9.,{_GAPS}]*[0-9])\s?(?:{_SIGNS}|%)?")
_MINUS = "\u2212"  # as typesetters write it
_PHONE = re.compile(rf"\+\d{{1,3}}[{_GAPS}]\d[\d{_GAPS}]*", re.ASCII)
_BELOW = re.compile(
    r"\((.+)\)|([^-]+)-"
)  # (12.50) and 12.50-, as bookkeepers write what is below zero
_ID = re.compile(r"(^|[\W_])(?i:id|key|no|number)$|[a-z](ID|Id)$")
_SHORTENED = re.compile(r"\d(\.\d+)?[eE]\+\d+", re.ASCII)
_LIMIT = 2**63


def number_reading(held: list[str], most: int, *, comma: bool = False) -> Reading | None:
    """How a column of numbers is written; None where it holds none.

    Args:
        held: Texts that say something, trimmed.
        most: How many may not fit.
        comma: Whether 1,234 has a decimal comma.
    """
    for adorned in (False, True):
        texts = [_bare(value) for value in held] if adorned else held
        if _identifiers(texts):
            return None
        told = _mixture(held) if adorned else ()
        for style, pattern in (("plain", PLAIN_NUMBER), ("comma", _COMMA), ("english", _ENGLISH)):
            if misfits(texts, pattern) > most or not _telling(style, texts):
                continue
            if style == "comma" and not comma and _ambiguous(style, texts):
                continue  # 1,234 in each row: thousands
            fitting = [text for text in texts if pattern.fullmatch(text)]
            plain = [_plain(text, style) for text in fitting]
            whole = all(_INT.fullmatch(text) for text in plain)
            if whole and any(abs(int(text)) >= _LIMIT for text in plain):
                return None  # longer than any whole number: an id
            if told and told[0] == _CURRENCIES:
                return Reading("string", notes=told)
            notes = (*told, *((_READ_AS[style],) if _ambiguous(style, fitting) else ()))
            return Reading("int64" if whole else "float64", style, adorned=adorned, notes=notes)
    return None


def _identifiers(texts: Sequence[str]) -> bool:
    """Whether the digits are a name: leading zeros say so, for a number has none."""
    zeros = any(len(text) > 1 and text[0] == "0" and text.isdecimal() for text in texts)
    return zeros or any(_PHONE.fullmatch(text) for text in texts)


_CURRENCIES = (
    "amounts of several currencies are not numbers of one column: kept as text; "
    "give the currency a column of its own"
)


def _mixture(held: Sequence[str]) -> tuple[str, ...]:
    """What to say where values are adorned in several ways."""
    signs = {found[0].strip(".") for one in held for found in _SIGN.finditer(one)}
    if len(signs) > 1:
        return (_CURRENCIES,)
    percent = sum("%" in one for one in held)
    some = 0 < percent < len(held)
    return (f"{percent} of {len(held)} values looked at have a percent sign: taken off",) * some


def _telling(style: str, texts: Sequence[str]) -> bool:
    """Whether a way of writing is seen in the texts, rather than merely not contradicted."""
    if style == "plain":
        return True
    marks = f",{_GAPS}"
    return any(text.count(".") > 1 or any(mark in text for mark in marks) for text in texts)


_READ_AS = {
    "plain": "",
    "comma": "every comma stands before three digits: read as decimal commas",
    "english": "every comma stands before three digits: read as thousands",
}


def _ambiguous(style: str, texts: Sequence[str]) -> bool:
    """Whether every comma could be either sign: 1,234."""
    if style == "plain" or not any("," in text for text in texts):
        return False
    odd = any("," in text and len(text.rpartition(",")[2]) != 3 for text in texts)
    marks = any(mark in text for text in texts for mark in (".", *_GAPS))
    twice = any(text.count(",") > 1 for text in texts)
    begun = any(text.startswith(("0,", "-0,")) for text in texts)
    return not (odd or marks or twice or begun)


def _bare(text: str) -> str:
    text = text.replace(_MINUS, "-")
    below = _BELOW.fullmatch(text)
    found = _ADORNED.fullmatch((below[1] or below[2]).strip() if below else text)
    return f"{'-' if below else ''}{found[1]}{found[2].strip()}" if found else text


def _plain(text: str, style: str) -> str:
    if style == "comma":
        return re.sub(f"[.{_GAPS}]", "", text).replace(",", ".")
    return re.sub(f"[,{_GAPS}]", "", text) if style == "english" else text


def whole_id(held: list[str], reading: Reading, name: str) -> Reading:
    """An id that was written with a fraction of zero, 17.0, is a whole number.

    A shortened one is text.
    """
    named = _ID.search(name.strip())
    if named and sum(bool(_SHORTENED.fullmatch(value)) for value in held) * 2 > len(held):
        told = (
            "ids shortened by a spreadsheet (1.2E+12) have lost digits: kept as text; export them"
            " anew, as text"
        )
        return Reading("string", notes=(told,))
    if reading.kind == "float64" and reading.style == "plain" and named and not reading.adorned:
        plain = [value for value in held if PLAIN_NUMBER.fullmatch(value)]
        if all(re.fullmatch(r"\d{1,15}\.0*|\d{1,15}", value) for value in plain):
            return Reading("int64", "tenths")
    return reading


def sql_number(text: str, reading: Reading) -> str:
    """SQL (DuckDB's) for the number that a text is; null where it is none."""
    if reading.adorned:
        text = f"regexp_replace(replace({text}, '{_MINUS}', '-'), '{_SIGNS}|[%\\s]', '', 'g')"
        text = (
            f"regexp_replace(regexp_replace({text}, '^\\((.+)\\)$', '-\\1'), '^([^-]+)-$', '-\\1')"
        )
    gaps = _GAPS.replace("'", "''")
    if reading.style == "comma":
        text = f"replace(regexp_replace({text}, '[.{gaps}]', '', 'g'), ',', '.')"
    elif reading.style == "english":
        text = f"regexp_replace({text}, '[,{gaps}]', '', 'g')"
    elif reading.style == "tenths":
        text = f"regexp_replace({text}, '\\.0*$', '')"
    if reading.kind == "int64":  # DuckDB would round 1.5
        return f"CASE WHEN NOT contains({text}, '.') THEN TRY_CAST({text} AS BIGINT) END"
    return f"CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) THEN TRY_CAST({text} AS DOUBLE) END"
