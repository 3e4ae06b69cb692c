"""Placeholders that nobody will fill: the forms of other programs, left in a text.

`{{name}}` is the placeholder of Mautic, Liquid and Handlebars, `*|FNAME|*` that of Mailchimp,
`%name%` that of many, `[NAME]` what people write while they think. Whoever receives one reads it as
it stands. What may be meant (a brand in brackets, a percentage) is left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

_INNER: Final = r"[^{}\[\]<>|*%\n]{1,60}?"
# Forms that mean nothing else in a text for people.
_CERTAIN: Final = re.compile(
    r"""\{\{\{?\s*(?P<braces>[^{}\n]{1,100})\}\}\}?                # {{name}}, {{user.name|upper}}
    | \{%[^{}\n]{1,100}%\}                                     # {% if member %}
    | [$\#]\{(?P<dollar>[^{}\n]{1,60})\}                       # ${name}, #{name}
    | \*\|(?P<stars>[^|*\n]{1,60})\|\*                         # *|FNAME|*
    | (?<![\w%])%%?(?P<percent>[^\W\d][\w.]{0,60})%%?(?![\w%])  # %name%, %%name%%
    | (?<!\w)__(?P<lines>[A-Z][A-Z_]{0,40})__(?!\w)             # __NAME__
    """,
    re.VERBOSE,
)
# Forms that also mean something else: what stands in them decides.
_POSSIBLE: Final = re.compile(
    rf"\[\[?(?P<square>{_INNER})\]\]?|<<?(?P<angle>{_INNER})>>?|\u00ab(?P<quoted>{_INNER})\u00bb"
)
# A brace alone: a placeholder of campaigns, in a text that is sent as it is.
_BRACES: Final = re.compile(r"(?<!\{)\{(?P<brace>[^{}\n]{0,60})\}(?!\})")
_UPPER_CASE_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PART: Final = re.compile(r"[^\W\d_]+")
_SMALL_THEN_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FILTER: Final = re.compile(r"[|:?].*", re.DOTALL)
_NAMES_TEXT: Final = (
    " name names first firstname fname given forename last lastname lname surname family full"
    " fullname middle nick nickname username user customer client contact guest patient member"
    " recipient person your my their insert here company business brand store shop location"
    " place address street city state zip country date time day month year hour link url"
    " website code pin otp amount total price sum balance order booking appointment ticket"
    " reservation invoice number no id phone mobile tel email mail product item service event"
    " title salutation discount coupon voucher vorname nachname anrede kunde datum uhrzeit"
    " betrag termin nom prénom prenom client heure montant nombre apellido apellidos cliente"
    " fecha hora importe enlace nome cognome sobrenome data valor"
)
_NAMES: Final = frozenset(_NAMES_TEXT.split())


class Leftover(NamedTuple):
    """A placeholder of another program.

    Attributes:
        written: as it stands in the text.
        name: what it names, without filters and white space.
        position: in code points.
        braces: whether it is `{{name}}`.
    """

    written: str
    name: str
    position: int
    braces: bool


def leftovers(text: str, *, columns: Collection[str] | None) -> Iterator[Leftover]:
    """The placeholders in a text that Parley does not fill, in no certain order.

    Args:
        text: as it was written, a campaign's with its own `{placeholders}`.
        columns: what a campaign's list can fill, compared as `plain_name` does; None for a text
            that is sent as it is, in which `{name}` is one as well.
    """
    known = {plain_name(column) for column in columns or ()}
    for found in _CERTAIN.finditer(text):
        # In a campaign "${sum}" is a dollar sign and a placeholder, and "#{order}" a number sign.
        if columns is None or found["dollar"] is None:
            yield _leftover(found)
    for found in _POSSIBLE.finditer(text):
        inner = next(group for group in found.groups() if group is not None)
        if plain_name(inner) in known or _names_something(inner):
            yield _leftover(found)
    if columns is None:
        for found in _BRACES.finditer(text):
            marked = text[found.start() - 1 : found.start()] in {"$", "#"}
            if not marked and not found["brace"].startswith("%"):
                yield _leftover(found)


def plain_name(written: str) -> str:
    """A name to compare: of `user.Name | upper` what is left is `name`."""
    last = _FILTER.sub("", written).strip().rsplit(".", 1)[-1]
    return unicodedata.normalize("NFC", last).strip().casefold()


def _leftover(found: re.Match[str]) -> Leftover:
    groups = [group for group in found.groups() if group is not None]
    name = _FILTER.sub("", groups[0]).strip() if groups else ""
    return Leftover(
        found[0], name, found.start(), braces=found[0].startswith("{{") and bool(groups)
    )


def _names_something(inner: str) -> bool:
    """Whether it consists of words for what is filled in, such as FIRST_NAME or Your Name."""
    if _UPPER_CASE_NAME.fullmatch(inner.strip()):
        return True
    parts = _PART.findall(_SMALL_THEN_CAPITAL.sub(" ", inner))
    return bool(parts) and all(part.casefold() in _NAMES for part in parts)
