"""What a text is for, as its caller says: the categories that rules and limits go by."""

from __future__ import annotations

from typing import Final

ONE_TIME_CODE: Final = "oneTimeCode"
CATEGORIES: Final = ("marketing", "transactional", ONE_TIME_CODE)
