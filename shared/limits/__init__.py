"""Guards: what an operator does not want sent, whatever an application asks for.

Three of them, each off unless its setting says something (`shared.rules.limit_settings`): countries
that may be texted, a daily budget for each program, and a brake on one-time codes. A guard that is
off costs no storage operation. Those that count do so before anything is sent, exactly, however
many processes count at once, and once for each send, however often it is repeated.
"""

from __future__ import annotations

from shared.limits.guards import Guards

__all__ = ["Guards"]
