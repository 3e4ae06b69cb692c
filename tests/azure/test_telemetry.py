"""Traces and metrics, read back from OpenTelemetry's own in-memory exporters."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from local.stack import Stack
from shared.azure import telemetry
from shared.azure.event_grid import SMS_DELIVERY_REPORT_RECEIVED, SMS_RECEIVED, Envelope
from shared.base.clock import iso, utc_now
from shared.messages.request import SendRequest
from shared.sending.request_body import read_send
from shared.services import Services, build
from shared.settings import load

SENDER = "+18005550100"
TEXT = "the very words of this test"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="session")
def exported() -> Iterator[InMemorySpanExporter]:
    """Everything that is traced from here on; providers can be set once a process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture(scope="session")
def measured() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    metrics.set_meter_provider(provider)
    yield reader
    provider.shutdown()


@pytest.fixture
async def services(stack: Stack) -> AsyncIterator[Services]:
    transport = AioHttpTransport()
    yield build(load(stack.settings), transport=transport)
    await transport.close()


def request(person: str) -> SendRequest:
    body = {
        "from": SENDER,
        "smsRecipients": [{"to": person}],
        "message": TEXT,
        "smsSendOptions": {"enableDeliveryReport": True, "tag": "t"},
    }
    senders = load_senders()
    return read_send(
        json.dumps(body).encode(),
        senders=senders,
        now=utc_now(),
        knows_report_timeout=False,
        id_key=b"k" * 32,
    )


def load_senders() -> Any:
    from shared.rules.senders import parse_senders  # noqa: PLC0415

    return parse_senders(json.dumps([{"sender": SENDER}]))


def report_of(send_id: str, person: str, details: str = "ErrorCode: 2000.") -> Envelope:
    data = {
        "messageId": f"Outgoing_{uuid.uuid4()}",
        "from": SENDER.lstrip("+"),
        "to": person,
        "deliveryStatus": "Delivered",
        "deliveryStatusDetails": details,
        "receivedTimestamp": iso(utc_now()),
        "Tag": f"{send_id}:t",
    }
    return Envelope(str(uuid.uuid4()), SMS_DELIVERY_REPORT_RECEIVED, datetime.now(UTC), data)


def spans(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def everything_recorded(exporter: InMemorySpanExporter, reader: InMemoryMetricReader) -> str:
    data = reader.get_metrics_data()
    return "\n".join(
        [span.to_json() for span in exporter.get_finished_spans()]
        + ([data.to_json()] if data is not None else [])
    )


async def test_a_trace_leads_from_the_request_to_the_report(
    services: Services, exported: InMemorySpanExporter, person: str
) -> None:
    """The report's span links to the send's, which is part of the caller's own trace."""
    exported.clear()
    with telemetry.span("send", parent=PARENT):
        answer = await services.sending.api.send(request(person))
    await services.receiving.delivery_reports.record_report(report_of(answer.send_id, person))

    [send], [acs], [report] = (
        spans(exported, name)
        for name in ("parley.send", "parley.acs.send", "parley.delivery_report")
    )
    assert send.context is not None
    assert f"{send.context.trace_id:032x}" == PARENT.split("-")[1]
    assert acs.parent is not None
    assert acs.parent.span_id == send.context.span_id
    assert [link.context.span_id for link in report.links] == [send.context.span_id]
    for span in (send, acs, report):
        assert span.attributes is not None
        assert span.attributes["parley.sendId"] == answer.send_id


async def test_metrics_count_what_happened(
    services: Services, measured: InMemoryMetricReader, person: str
) -> None:
    """Sends, blocks, reports, inbound, opt-outs, quarantine and lag are counted by name."""
    await services.sending.api.send(request(person))
    await services.receiving.inbound.record_text(said(person, "STOP"))
    blocked = await services.sending.api.send(request(person))
    await services.receiving.delivery_reports.record_report(report_of(blocked.send_id, person))
    await services.receiving.inbound.record_text(Envelope("x", "something else", None, None))

    data = measured.get_metrics_data()
    assert data is not None
    found = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert found >= {
        "parley.sends",
        "parley.blocked",
        "parley.reports",
        "parley.inbound",
        "parley.optouts",
        "parley.quarantined",
        "parley.ledger.lag",
    }


async def test_neither_numbers_nor_texts_are_recorded(
    services: Services,
    exported: InMemorySpanExporter,
    measured: InMemoryMetricReader,
    person: str,
) -> None:
    """Whoever may see telemetry alone learns nobody's number and nobody's words."""
    sent = await services.sending.api.send(request(person))
    await services.receiving.delivery_reports.record_report(report_of(sent.send_id, person))
    await services.receiving.inbound.record_text(said(person, TEXT))

    recorded = everything_recorded(exported, measured)
    assert sent.send_id in recorded
    assert person.lstrip("+") not in recorded
    assert TEXT not in recorded


async def test_an_error_shows_its_class_alone(exported: InMemorySpanExporter) -> None:
    """An error's text may quote what came from outside."""
    exported.clear()
    with pytest.raises(ValueError, match="secret"), telemetry.span("failing"):
        raise ValueError("a secret")
    [span] = spans(exported, "parley.failing")
    assert span.status.description == "ValueError"
    assert "secret" not in span.to_json()


def said(person: str, text: str) -> Envelope:
    data = {
        "messageId": f"Incoming_{uuid.uuid4()}",
        "from": person,
        "to": SENDER,
        "message": text,
        "receivedTimestamp": iso(utc_now()),
    }
    return Envelope(str(uuid.uuid4()), SMS_RECEIVED, datetime.now(UTC), data)
