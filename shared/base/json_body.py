"""A request's body as JSON, and what is wrong with it where it is none."""

from __future__ import annotations

import json
from typing import Any

from shared.base.errors import InvalidRequest


def parse_json(body: bytes) -> Any:
    """The body as JSON.

    Raises:
        InvalidRequest: if it is none, with the position.
    """
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        raise InvalidRequest.of("", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest.of(
            "", f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InvalidRequest.of("", "The body is nested too deeply.") from None
    except ValueError:
        # Python's own limit on the digits of a number.
        raise InvalidRequest.of("", "The body has a number that is too long.") from None
