"""Dates whose months are words of some language: 3.

März 2024, 1er février 2024, March 3rd, 2024, 2024年3月3日.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from furrow.intake.column_reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["sql_worded", "worded_reading"]

_MONTHS = {
    "English": (
        "january february march april may june july august september october november december"
    ),
    "German": (
        "januar,jänner februar,feber märz,mrz,maerz april mai juni juli august september oktober"
        " november dezember"
    ),
    "French": (
        "janvier février,fevrier mars avril mai juin juillet août,aout septembre octobre novembre "
        "décembre,decembre"
    ),
    "Spanish": (
        "enero febrero marzo abril mayo junio julio agosto septiembre,setiembre octubre noviembre"
        " diciembre"
    ),
    "Portuguese": (
        "janeiro fevereiro março,marco abril maio junho julho agosto setembro outubro novembro"
        " dezembro"
    ),
    "Italian": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
        " dicembre"
    ),
    "Dutch": (
        "januari februari maart,mrt april mei juni juli augustus september oktober november"
        " december"
    ),
    "Swedish": (
        "januari februari mars april maj juni juli augusti september oktober november december"
    ),
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
    "Norwegian": (
        "januar februar mars april mai juni juli august september oktober november desember"
    ),
    "Finnish": (
        "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta"
        " syyskuuta lokakuuta marraskuuta joulukuuta"
    ),
    "Polish": (
        "stycznia,styczeń lutego,luty marca,marzec kwietnia,kwiecień maja,maj czerwca,czerwiec"
        " lipca,lipiec sierpnia,sierpień września,wrzesień października,październik"
        " listopada,listopad grudnia,grudzień"
    ),
    "Czech": (
        "ledna,leden února,únor března,březen dubna,duben května,květen června,červen"
        " července,červenec srpna,srpen září října,říjen listopadu,listopad prosince,prosinec"
    ),
    "Croatian": (
        "siječnja,siječanj veljače,veljača ožujka,ožujak travnja,travanj svibnja,svibanj"
        " lipnja,lipanj srpnja,srpanj kolovoza,kolovoz rujna,rujan listopada,listopad"
        " studenoga,studeni prosinca,prosinac"
    ),
    "Turkish": "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "Russian": (
        "января,январь февраля,февраль марта,март апреля,апрель мая,май июня,июнь июля,июль"
        " августа,август сентября,сентябрь октября,октябрь ноября,ноябрь декабря,декабрь"
    ),
}
"""The months' names by language, in order; several forms of one with commas. Three letters or more that begin
one month alone are it, too."""

_WORD = r"[^\s\d.,/:()'-]"
_CLOCK = r"(?:,?\s+(?:um\s+|kl\.?\s+|à\s+|at\s+)?(\d{1,2})(?::|\.|h)(\d{2})(?:[:.](\d{2}))?(?:\s*(?:Uhr|h))?)?"
_DAY_OF_WEEK = rf"(?:{_WORD}+[.,]{{0,2}}\s+)?"
_NTH = r"(?:\.|er|re|º|ª|°|st|nd|rd|th)?"
_DAY_MONTH = rf"(\d{{1,2}}){_NTH}[\s-]*(?:de\s+|of\s+)?({_WORD}{{3,}})\.?,?[\s-]*(?:del?\s+)?(\d{{4}}|\d{{2}})"
_SHAPES = {
    "day": (f"{_DAY_OF_WEEK}{_DAY_MONTH}{_CLOCK}", (3, 2, 1)),
    "month": (rf"{_DAY_OF_WEEK}({_WORD}{{3,}})\.?\s+(\d{{1,2}}){_NTH},?\s+(\d{{4}}){_CLOCK}", (3, 1, 2)),
    "only": (rf"({_WORD}{{3,}})\.?[\s-]+(?:de\s+|del\s+)?(\d{{4}})", (2, 1, 0)),
    "signs": (rf"(\d{{4}})\s*[年년]\s*(\d{{1,2}})\s*[月월]\s*(\d{{1,2}})\s*[日일]{_CLOCK}", (1, 2, 3)),
}  # fmt: skip
"""Shapes that Python and DuckDB (RE2) read alike, and the groups of year, month and day; the clock's follow."""

_SIGNS = "signs"


def worded_reading(held: Sequence[str], most: int) -> Reading | None:
    """How a column of dates with words is written; None where it holds none.

    Args:
        held: Texts that say something, trimmed.
        most: How many may not fit.

    Returns:
        The reading: its formats are the shape and the language. Where two languages would read
        other dates, text, with a note.
    """
    for shape, (pattern, groups) in _SHAPES.items():
        plain = re.compile(pattern, re.ASCII | re.IGNORECASE)
        found = [match for one in held if (match := plain.fullmatch(_composed(one)))]
        if len(found) < len(held) - most:
            continue
        words = {match[groups[1]].lower() for match in found}
        if shape == _SIGNS:
            return Reading("timestamp", "worded", (shape, ""))
        return _in_language(shape, found, words, len(held) - most)
    return None


def _in_language(
    shape: str, found: Sequence[re.Match[str]], words: set[str], least: int
) -> Reading | None:
    month = _SHAPES[shape][1][1]
    fitting = {}
    for language in _MONTHS:
        names = _names(language)
        if sum(match[month].lower() in names for match in found) >= least:
            fitting[language] = {(word, names[word]) for word in words if word in names}
    if not fitting:
        return None
    first = next(iter(fitting))
    if any(pairs != fitting[first] for pairs in fitting.values()):
        both = " or ".join(list(fitting)[:2])
        told = f"its months are {both}, which are other months: kept as text; write 2024-03-01"
        return Reading("string", notes=(told,))
    if not all(_valid(match, shape, first) for match in found[:200]):
        return None
    notes = () if first == "English" else (f"its months are read as {first}",)
    return Reading("timestamp", "worded", (shape, first), notes=notes)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _valid(match: re.Match[str], shape: str, language: str) -> bool:
    """Whether there is such a day.

    A word that is no month is a misfit, and is counted elsewhere.
    """
    year, month, day = _SHAPES[shape][1]
    number = _names(language).get(match[month].lower())
    if number is None:
        return True
    try:
        datetime(int(match[year]) % 2000 + 2000, number, int(match[day]) if day else 1)  # noqa: DTZ001
    except ValueError:
        return False
    return True


@cache
def _names(language: str) -> Mapping[str, int]:
    """Every word that is a month.

    Names, and beginnings of three letters or more that are of one month alone.
    """
    begun: dict[str, set[int]] = {}
    whole: dict[str, int] = {}
    for number, names in enumerate(_MONTHS[language].split(), start=1):
        for name in names.split(","):
            whole[name] = number
            for end in range(3, len(name)):
                begun.setdefault(name[:end], set()).add(number)
    return {word: next(iter(those)) for word, those in begun.items() if len(those) == 1} | whole


def sql_worded(text: str, reading: Reading, timezone: str) -> str:
    """SQL (DuckDB's) for the moment that a text is; null where it is none.

    Args:
        text: SQL for the text, trimmed.
        reading: What `worded_reading` found.
        timezone: On whose clocks; quoted for SQL.
    """
    shape, language = reading.formats
    pattern, (year, month, day) = _SHAPES[shape]
    whole = f"^(?i:{pattern})$".replace("'", "''")

    def part(group: int) -> str:
        return f"regexp_extract(nfc_normalize({text}), '{whole}', {group})"

    clock = max(year, month, day) + 1
    century = (
        f"CASE WHEN length({part(year)}) = 4 THEN '' WHEN {part(year)} < '69' THEN '20' ELSE"
        " '19' END"
    )
    years = f"{century} || {part(year)}"
    listed = " ".join(f"WHEN '{word}' THEN '{number}'" for word, number in _words(language))
    months = f"CASE lower({part(month)}) {listed} END" if language else part(month)
    days = part(day) if day else "'1'"
    moment = f"{years} || '-' || {months} || '-' || {days}"
    if shape != "only":
        parts = [f"coalesce(nullif({part(clock + place)}, ''), '0')" for place in range(3)]
        moment += f" || ' ' || {' || chr(58) || '.join(parts)}"
    else:
        moment += " || ' 0:0:0'"
    return f"timezone('{timezone}', try_strptime({moment}, '%Y-%m-%d %H:%M:%S'))"


def _words(language: str) -> list[tuple[str, int]]:
    return sorted(_names(language).items()) if language else []
