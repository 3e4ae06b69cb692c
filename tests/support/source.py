"""The project's own code as tests read it."""

from __future__ import annotations

import ast
import gc


def parsed(source: str) -> ast.Module:
    """The syntax tree of `source`.

    Nothing is collected meanwhile: a finaliser that logs a trace parses, too, and Python 3.11 takes
    a parse within a parse for a broken tree (python/cpython, issue 106905).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collects:
            gc.enable()
