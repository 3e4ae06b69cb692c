"""What a text is for, as its caller says: the categories that rules and limits go by."""

from __future__ import annotations

from typing import Final

CATEGORIES: Final = ("marketing", "transactional", "oneTimeCode")
