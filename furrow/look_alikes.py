"""Names of people and models that could pass for others' where they are read.

Letters of another script (a Cyrillic a), signs that are not shown, twins of one accent.
"""

from __future__ import annotations

import unicodedata

__all__ = ["odd_name"]

_SCRIPTS = frozenset(
    {"LATIN", "CYRILLIC", "GREEK", "COPTIC", "CHEROKEE", "ARMENIAN", "LISU", "FULLWIDTH"}
)
"""Those whose letters look like one another's, as Unicode names its characters."""

_HIDDEN = "holds spaces at its ends, or signs that are not shown"
# as Latin ones: Cyrillic, then Greek
_ALIKE = frozenset(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u04cf\u0410\u0412\u0415\u0405\u0406\u0408"
    "\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u050c\u051a\u051c\u03bf\u03b1\u03b9\u03bd\u03c5\u03c1\u0391\u0392\u0395\u0396"
    "\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
)


def odd_name(name: str) -> str:
    """Why a name could pass for another one; empty where it could not.

    Args:
        name: Of a person, such as an address, or of a model.
    """
    if name.isascii():
        return "" if name == name.strip() and name.isprintable() else _HIDDEN
    if name != name.strip() or not name.isprintable():
        return _HIDDEN
    if name != unicodedata.normalize("NFKC", name):
        return "is written with other signs than the usual ones for the same letters"
    scripts = {unicodedata.name(one, "").partition(" ")[0] for one in name} & _SCRIPTS
    if any(unicodedata.category(one).startswith("M") for one in name):
        scripts.add("accents")
    if len(scripts) > 1:
        odd = next(one for one in name if ord(one) > 127)
        return f"mixes letters of several scripts: {odd} is {unicodedata.name(odd, hex(ord(odd)))}"
    letters = {one for one in name if one.isalpha() and not one.isascii()}
    if letters and letters <= _ALIKE:
        return "is written with letters that look like Latin ones"
    return ""
