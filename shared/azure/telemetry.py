"""Traces and metrics by OpenTelemetry; without an exporter they cost microseconds and go nowhere.

One trace leads from the application's request to the delivery report: the send's trace is kept with
its intent, and the report's span links to it. Nothing recorded here holds a person's number or a
text; `sendId` and `messageId` lead to both for whoever may read the record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.azure.storage import TIME_OUTS
from shared.base import log
from shared.settings import Settings

_NAME: Final = log.NAME
_TRACER: Final = trace.get_tracer(_NAME)
_METER: Final = metrics.get_meter(_NAME)
_PROPAGATOR: Final[TextMapPropagator] = TraceContextTextMapPropagator()
_HEADER: Final = "traceparent"
_EXPORT_INTERVAL_MILLISECONDS: Final = "5000"
# All that the exporter's distribution knows.
INSTRUMENTATIONS: Final = (
    "azure_sdk",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "httpx2",
    "psycopg2",
    "requests",
    "urllib",
    "urllib3",
)

SENDS: Final = _METER.create_counter(
    "parley.sends", "{recipient}", "Recipients of sends, by sender and state."
)
BLOCKED: Final = _METER.create_counter(
    "parley.blocked", "{recipient}", "Recipients refused before ACS was asked, by sender."
)
REPORTS: Final = _METER.create_counter(
    "parley.reports", "{report}", "Delivery reports, by sender, outcome and code."
)
INBOUND: Final = _METER.create_counter(
    "parley.inbound", "{message}", "Texts from people, by sender and keyword's intent."
)
OPT_OUTS: Final = _METER.create_counter(
    "parley.optouts", "{change}", "Changes of the ledger, by direction, channel and effect."
)
HALTED: Final = _METER.create_counter(
    "parley.ledger.halted", "{notice}", "Notices that sending is halted; one a minute at least."
)
QUARANTINED: Final = _METER.create_counter(
    "parley.quarantined", "{event}", "Events that could not be understood, by handler."
)
POISONED: Final = _METER.create_counter(
    "parley.poisoned", "{message}", "Queue messages that were given up, by queue and kind."
)
GIVEN_UP: Final = _METER.create_counter(
    "parley.due.givenup", "{work}", "Works given up because their process died each time, by kind."
)
DUE_LAG: Final = _METER.create_histogram(
    "parley.due.lag", "s", "From the moment a work was due to its beginning, by kind."
)
BUDGET_WARNINGS: Final = _METER.create_counter(
    "parley.budget.warnings", "{warning}", "Daily budgets of which much is reserved, by program."
)
LEDGER_LAG: Final = _METER.create_histogram(
    "parley.ledger.lag", "s", "From the moment something was said to its place in the ledger."
)


def start(settings: Settings) -> None:
    """Export to Azure Monitor if its setting is there; else leave everything as it is.

    The exporter is imported only then. Of the instrumentations that it brings none is switched on:
    they record URLs, and the URL of a table row holds a person's number. The same libraries log
    those URLs, which ends here, with an exporter and without.
    """
    log.quiet_libraries()
    if settings.telemetry is None:
        return
    from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415

    # An instance may live for half a minute and is ended without a last export: OpenTelemetry's
    # own 60 seconds would lose what it had counted.
    os.environ.setdefault("OTEL_METRIC_EXPORT_INTERVAL", _EXPORT_INTERVAL_MILLISECONDS)
    options: dict[str, object] = {
        "connection_string": settings.telemetry,
        "logger_name": _NAME,
        # A dozen figures of the process at every export, used or not; Azure measures the instances.
        "enable_performance_counters": False,
        "instrumentation_options": {name: {"enabled": False} for name in INSTRUMENTATIONS},
    }
    if settings.identity_client_id is not None:
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415

        # Left alone, it would wait for five minutes, in the thread that sends everything else.
        options["credential"] = ManagedIdentityCredential(
            client_id=settings.identity_client_id, **TIME_OUTS
        )
    configure_azure_monitor(**options)
    log.leave_to_exporter()


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    link: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: str | int,
) -> Iterator[Span]:
    """A span around some work.

    Args:
        name: of the work, e.g. `send`.
        parent: the `traceparent` of whoever asked for it.
        link: the `traceparent` of what it belongs to without being part of it.
        kind: OpenTelemetry's.
        attributes: shown as `parley.{name}`.
    """
    context = _PROPAGATOR.extract({_HEADER: parent}) if parent else None
    with _TRACER.start_as_current_span(
        f"{_NAME}.{name}",
        context=context,
        kind=kind,
        links=_links(link),
        attributes={f"{_NAME}.{key}": value for key, value in attributes.items()},
        # An error's text may quote what came from outside: only its class is recorded.
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def link_to(traceparent: str | None) -> None:
    """Link the current span to a trace that is known only now."""
    current = trace.get_current_span()
    for found in _links(traceparent):
        current.add_link(found.context)


def annotate(**attributes: str | int) -> None:
    """Add attributes to the current span."""
    current = trace.get_current_span()
    for key, value in attributes.items():
        current.set_attribute(f"{_NAME}.{key}", value)


def traceparent() -> str | None:
    """The current span in W3C form; None where nothing is recorded."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(_HEADER)


def _links(traceparent: str | None) -> list[Link]:
    if not traceparent:
        return []
    context = _PROPAGATOR.extract({_HEADER: traceparent})
    found = trace.get_current_span(context).get_span_context()
    return [Link(found)] if found.is_valid else []
