"""Numbers, and the magic recipients whose fate is known in advance.

A magic number is +1 500 555 and four digits: a personal number, valid in every library's eyes,
that belongs to nobody. Its last four digits are the error code its report carries; the low ones
choose a behaviour instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import phonenumbers

DELIVERED: Final = 2000
MAGIC_PREFIX: Final = "+1500555"


@dataclass(frozen=True, slots=True)
class Report:
    """One delivery report that will be sent.

    Attributes:
        code: of `CODES`.
        after: seconds past the delivery moment at which the report is emitted.
        said: seconds past the delivery moment at which it claims to have been received.
    """

    code: int = DELIVERED
    after: float = 0.0
    said: float = 0.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a text.

    Attributes:
        about: one sentence for the page.
        arrives: whether the handset gets the text.
        reports: what ACS reports, in order of emission; none at all where empty.
        reply: what the person answers at once, if anything.
        item_status: where not 202, ACS refuses this recipient with it in its answer.
        fails_first: the code with which every other text fails, the first one among them.
    """

    about: str
    arrives: bool = True
    reports: tuple[Report, ...] = (Report(),)
    reply: str = ""
    item_status: int = 202
    fails_first: int | None = None

    def of_text(self, nth: int) -> Fate:
        """The fate of the nth text to the number, counted from 1."""
        if self.fails_first is None or nth % 2 == 0:
            return self
        return Fate(self.about, arrives=False, reports=(Report(self.fails_first),))


# Code to meaning, docs/platform.md 3.
CODES: Final[dict[int, str]] = {
    2000: "No error.",
    4000: "Rejected by fraud detection",
    4001: "Invalid source address",
    4002: "Invalid destination address",
    4003: "Unsupported destination",
    4004: "Destination does not exist",
    4005: "Blocked by destination carrier",
    4006: "Destination not reachable",
    4007: "Sender blocked for given recipient.",
    4008: "Message limit of the profile exceeded",
    4009: "Rejected by the entitlement system",
    4010: "Toll-free number is not verified",
    4020: "Carrier volume limit exceeded",
    5000: "Message failed",
    5001: "Temporarily unavailable",
    5002: "Message Delivery Timeout",
    9999: "Unknown error",
}
# 5002 says only that no carrier confirmed; such a text usually arrives.
_ARRIVES_ALL_THE_SAME: Final = frozenset({5002})

NORMAL: Final = Fate("Delivered, and reported so.")
BLOCKED: Final = Fate(
    "Blocked, because the person opted out.", arrives=False, reports=(Report(4007),)
)
UNREACHED: Final = Fate(
    "Not delivered: this kind of sender does not reach that country.",
    arrives=False,
    reports=(Report(4003),),
)
_BEHAVIOURS: Final[dict[str, Fate]] = {
    "0001": Fate("Delivered, but no report ever comes.", reports=()),
    "0002": Fate("Delivered; the report comes twice.", reports=(Report(), Report())),
    "0003": Fate(
        "Delivered; an older report of a failure comes after the newer one of success.",
        reports=(Report(), Report(5001, after=0.2, said=-2.0)),
    ),
    "0004": Fate("Delivered; the report comes three seconds late.", reports=(Report(after=3.0),)),
    "0005": Fate("Delivered; the person answers STOP at once.", reply="STOP"),
    "0006": Fate(
        "Delivered; reported as timed out first, as delivered later.",
        reports=(Report(5002), Report(after=1.0, said=1.0)),
    ),
    "0007": Fate("Lost without a report.", arrives=False, reports=()),
    "0008": Fate("Refused at once: ACS answers 503 for it.", arrives=False, item_status=503),
    "0009": Fate("Refused at once: ACS answers 400 for it.", arrives=False, item_status=400),
    "0010": Fate("Delivered; the person answers YES at once.", reply="YES"),
    "0011": Fate(
        "Out of reach (4006) for one text, delivered the next, in turn.", fails_first=4006
    ),
    "0012": Fate("Over the limit (4008) with one text, delivered the next.", fails_first=4008),
}
MAGIC: Final[dict[str, Fate]] = {
    **{MAGIC_PREFIX + digits: fate for digits, fate in _BEHAVIOURS.items()},
    **{
        f"{MAGIC_PREFIX}{code}": Fate(
            f"Reported as failed, {code}: {meaning.rstrip('.')}.",
            arrives=code in _ARRIVES_ALL_THE_SAME,
            reports=(Report(code),),
        )
        for code, meaning in CODES.items()
        if code != DELIVERED
    },
}


def fate_of(number: str) -> Fate:
    """What becomes of a text to this number when nobody has opted out."""
    return MAGIC.get(number, NORMAL)


def country_of(number: str) -> str | None:
    """ISO 3166 code of a number's country; None where it has none, or none that is known."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return region if region and region.isalpha() else None


def is_textable(number: object) -> bool:
    """Whether ACS takes it as a recipient: E.164 with a possible length for its country."""
    if not isinstance(number, str) or not number.startswith("+") or not number[1:].isdecimal():
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
