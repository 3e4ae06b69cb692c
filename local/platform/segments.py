"""How many segments a carrier cuts a text into.

The simulator counts for itself: its account must not agree with Parley's by sharing its code.
Sizes are those of GSM 03.38 and 03.40: 160 septets or 70 UTF-16 units alone, 153 or 67 in parts.
"""

from __future__ import annotations

from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED: Final = frozenset("^{}\\[]~|€\f")
_WHOLE_GSM, _PART_GSM = 160, 153
_WHOLE_UCS2, _PART_UCS2 = 70, 67
_BEYOND_BMP: Final = 0xFFFF


def count_segments(text: str) -> int:
    """Segments on the air; an empty text is one. No character is split over two segments."""
    if all(char in _BASIC or char in _ESCAPED for char in text):
        return _pack([2 if char in _ESCAPED else 1 for char in text], _WHOLE_GSM, _PART_GSM)
    return _pack([2 if ord(char) > _BEYOND_BMP else 1 for char in text], _WHOLE_UCS2, _PART_UCS2)


def _pack(costs: list[int], whole: int, part: int) -> int:
    if sum(costs) <= whole:
        return 1
    segments, used = 1, 0
    for cost in costs:
        if used + cost > part:
            segments, used = segments + 1, 0
        used += cost
    return segments
