"""A functions host for one machine, on Microsoft's own runtime library.

It serves any Python v2-model app as the Azure Functions host does: HTTP, Event Grid, queue and
timer triggers, keys, routes. `FunctionsHost` does it in process, `python -m local.host` on a port.
"""

from local.host.errors import HostError, InvocationFailed
from local.host.host import FunctionsHost
from local.host.http import HttpAnswer, HttpCall, Keys

__all__ = ["FunctionsHost", "HostError", "HttpAnswer", "HttpCall", "InvocationFailed", "Keys"]
