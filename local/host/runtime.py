"""Drives azure-functions-runtime, the library that Microsoft's own worker loads, in this process.

The library was written to be driven by a worker over gRPC. It only needs a request object and a
namespace with the constructors of its protobuf messages; here those are plain records. Its
coroutines for loading never wait for anything, so they run without an event loop: after `load`
there is neither a loop nor a thread, and the process can still fork.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from azure_functions_runtime import functions_metadata_request, handle_event, worker_init_request
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native

from local.host import logs
from local.host.errors import HostError, InvocationFailed

__all__ = ["Datum", "LoadedFunction", "load"]

_MODULE: Final = "function_app"
_loads: Final = itertools.count()


class _Record:
    """Stands where the library expects a protobuf message."""

    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)


class _StatusResult(_Record):
    Failure = 0
    Success = 1


class _BindingInfo(_Record):
    # The values of azure.functions' BindingDirection and DataType, which the library compares.
    out = 1
    inout = 2
    undefined = 0


class _Protos:
    """The constructors that the library asks for while it loads an app."""

    BindingInfo = _BindingInfo
    FunctionMetadataResponse = _Record
    RpcException = _Record
    RpcFunctionMetadata = _Record
    RpcRetryOptions = _Record
    StatusResult = _StatusResult
    WorkerInitResponse = _Record
    WorkerMetadata = _Record


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """A function that the library has indexed.

    Attributes:
        name: the function's name.
        bindings: its bindings as function.json would have them.
        key: what the library finds it by.
    """

    name: str
    bindings: tuple[Mapping[str, Any], ...]
    key: str

    async def invoke(self, parameter: str, value: Any, metadata: Mapping[str, Any]) -> Any:
        """Run the function with one trigger value; the Datum that it returned, or None.

        Raises:
            InvocationFailed: the function raised, or the value could not be decoded.
        """
        invocation_id = str(uuid4())
        with logs.running(invocation_id):
            ok, returned, _, _, _ = await invocation_request_native(
                invocation_id, self.key, [(parameter, value)], metadata
            )
        if not ok:
            raise InvocationFailed(self.name)
        return returned


def load(directory: Path) -> list[LoadedFunction]:
    """Import `function_app.py` of the directory and index its functions.

    Several apps can be loaded into one process as long as they share no module names beside
    `function_app` itself.

    Raises:
        HostError: with the app's own error, if it cannot be imported or indexed.
    """
    if not (directory / f"{_MODULE}.py").is_file():
        raise HostError(f"There is no {_MODULE}.py in {directory}.")
    init = _Record(capabilities={}, function_app_directory=str(directory))
    request = _Record(
        request=_Record(worker_init_request=init),
        properties={"host": "127.0.0.1", "protos": _Protos},
    )
    with _importable(directory):
        _raise_unless_successful(_finish(worker_init_request(request)))
        answer = _finish(functions_metadata_request(request))
    if not answer.function_metadata_results:
        raise HostError(f"{directory / _MODULE}.py has no functions.")
    number = next(_loads)
    return [_register(entry, number) for entry in answer.function_metadata_results]


@contextmanager
def _importable(directory: Path) -> Iterator[None]:
    # First on the path while loading, so that another function_app.py in the working directory
    # cannot win; last afterwards, which is where Azure puts it.
    entry = str(directory)
    others = [path for path in sys.path if path != entry]
    before = sys.modules.pop(_MODULE, None)
    sys.path[:] = [entry, *others]
    try:
        yield
    finally:
        sys.path[:] = [*others, entry]
        sys.modules.pop(_MODULE, None)
        if before is not None:
            sys.modules[_MODULE] = before


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise HostError("azure-functions-runtime waits while loading; this version is not supported.")


def _raise_unless_successful(answer: Any) -> None:
    if answer.result.status != _StatusResult.Success:
        failure = answer.result.exception
        raise HostError(failure.message, trace=failure.stack_trace)


def _register(entry: Any, number: int) -> LoadedFunction:
    # The library finds functions by an id made of the name alone; a key of our own keeps apart
    # the functions of several apps in one process.
    registry = handle_event._functions  # noqa: SLF001  # it offers no public way
    key = f"{entry.function_id}/{number}"
    registry._functions[key] = registry.get_function(entry.function_id)  # noqa: SLF001
    bindings = tuple(json.loads(text) for text in entry.raw_bindings)
    return LoadedFunction(name=entry.name, bindings=bindings, key=key)
