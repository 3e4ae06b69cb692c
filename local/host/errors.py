"""What can go wrong in the local functions host.

HostError               the app, its host.json or its settings are refused; nothing is served
InvocationFailed        one run of a function ended in an exception
"""

from __future__ import annotations


class HostError(Exception):
    """The app cannot be served.

    Args:
        message: one sentence for whoever started the host.
        trace: the stack trace of the app's own exception, empty where the host itself refuses.
    """

    def __init__(self, message: str, *, trace: str = "") -> None:
        self.trace = trace
        super().__init__(message)


class InvocationFailed(Exception):
    """A function raised, or its trigger's data could not be decoded.

    The exception's text is kept out of the message, because it may quote what came in; the
    runtime has written it to the log with its stack trace.
    """

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(f"function {function} failed")
