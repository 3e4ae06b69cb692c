"""The simulated platform emits ACS's events in exactly the forms of the golden files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.platform.behaviour import SETTINGS, Behaviour
from local.platform.payloads import Received, Reported, event_of, report_body
from local.platform.recipients import CODES

EVENTS = Path(__file__).parents[1] / "events"
AT = datetime(2026, 11, 22, 13, 1, 7, 320450, tzinfo=UTC)
EMITTED = AT + timedelta(seconds=1.5)
INCOMING = "Incoming_20261122130107a1f0c3d2-5b64-4e87-9a21-7c3d5e6f8091"
OUTGOING = "Outgoing_202611221301054b7d2e10-93a8-4c5f-8e16-2f40a1b3c5d7"
TAG = "01JD8Z0W0Q4T9V6X2Y3N5M7K8P:order-17"


def received(
    text: str = "See you at ten.", to: str = "+18005550100", segments: int = 1
) -> Received:
    return Received(INCOMING, "+14255550123", to, text, AT, segments)


def report(code: int = 2000, sender: str = "+18005550100", tag: str | None = TAG) -> Reported:
    attempted = AT - timedelta(seconds=1, microseconds=204100)
    return Reported(OUTGOING, sender, "+14255550123", code, tag, AT, attempted, 1)


TWO_SEGMENTS = "Ja, 10 Uhr passt mir. Können wir uns vor dem Café am Platz treffen? Bis dann 😀"
FORMS: list[tuple[str, Received | Reported, dict[str, Any]]] = [
    ("received", received(), {}),
    ("received-pascal-case", received(), {"casing": "pascal"}),
    ("received-plus-on-both", received(), {"plus": "both"}),
    ("received-without-segment-count", received(), {"segmentCount": False}),
    ("received-by-short-code", received(to="54321"), {}),
    ("received-stop", received("Stop"), {}),
    ("received-two-segments", received(TWO_SEGMENTS, segments=2), {}),
    *((f"received-fraction-{n}-digits", received(), {"fractionDigits": n}) for n in range(8)),
    ("received-cloudevents", received(), {"schema": "cloudEvents"}),
    (
        "received-cloudevents-pascal-case",
        received(),
        {"schema": "cloudEvents", "casing": "pascal"},
    ),
    (
        "received-cloudevents-specversion-typo",
        received(),
        {"schema": "cloudEvents", "specVersionTypo": True},
    ),
    ("report-delivered", report(), {}),
    ("report-delivered-lower-case-tag", report(), {"tag": "tag"}),
    ("report-delivered-without-tag", report(tag=None), {}),
    ("report-delivered-without-tag", report(), {"tag": "absent"}),
    ("report-delivered-without-received-timestamp", report(), {"reportReceivedTimestamp": False}),
    ("report-delivered-pascal-case", report(), {"casing": "pascal"}),
    ("report-delivered-plus-on-both", report(), {"plus": "both"}),
    ("report-delivered-plus-on-none", report(), {"plus": "none"}),
    ("report-delivered-from-short-code", report(sender="54321"), {}),
    ("report-delivered-from-alphanumeric", report(sender="CONTOSO"), {}),
    ("report-delivered-details-sentence", report(), {"details": "sentence"}),
    ("report-delivered-details-sentence", report(), {"details": "mixed"}),
    ("report-delivered-details-code-colon", report(), {"details": "codeColon"}),
    ("report-delivered-details-error-code", report(), {"details": "errorCode"}),
    ("report-failed-details-opt-out-sentence", report(4007), {"details": "mixed"}),
    ("report-failed-4005-code-colon", report(4005), {"details": "codeColon"}),
    *(
        (f"report-delivered-fraction-{n}-digits", report(), {"fractionDigits": n})
        for n in (0, 3, 7)
    ),
    *((f"report-failed-{code}", report(code), {}) for code in CODES if code != 2000),
    ("report-delivered-cloudevents", report(), {"schema": "cloudEvents"}),
    ("report-failed-cloudevents", report(4006), {"schema": "cloudEvents"}),
    (
        "report-delivered-cloudevents-specversion-typo",
        report(),
        {"schema": "cloudEvents", "specVersionTypo": True},
    ),
]
# Forms that no single setting makes; whoever needs them emits the file itself.
ONLY_FILES = {
    "received-lower-case-topic",
    "received-batch-of-two",
    "report-delivered-lower-case-topic",
    "report-delivered-second-attempt",
    "report-batch-timeout-then-delivered",
}


@pytest.mark.parametrize(("name", "fact", "settings"), FORMS, ids=[form[0] for form in FORMS])
def test_form(name: str, fact: Received | Reported, settings: dict[str, Any]) -> None:
    """Each setting of the payload makes the golden file's form, to the letter."""
    golden = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    emitted = event_of(fact, Behaviour(settings), EMITTED)
    assert (golden if isinstance(golden, dict) else golden[0]) == emitted


def test_every_golden_file_is_accounted_for() -> None:
    """No golden file is forgotten by this table, and none is missing."""
    assert {path.stem for path in EVENTS.glob("*.json")} == {form[0] for form in FORMS} | ONLY_FILES


def test_every_payload_setting_is_exercised() -> None:
    """A payload variant without a golden file would be a guess."""
    used = {name for _, _, settings in FORMS for name in settings}
    timing = {
        "repeatabilitySeconds",
        "deliverySeconds",
        "retryScale",
        "maxAttempts",
        "responseSeconds",
        "enforceRates",
    }
    assert used == SETTINGS.keys() - timing


def test_two_reports_share_an_event_id() -> None:
    """The event id is the message's, so it tells no two reports apart (docs/platform.md 2.2)."""
    first = event_of(report(5002), Behaviour(), EMITTED)
    second = event_of(report(2000), Behaviour(), EMITTED)
    assert first["id"] == second["id"] == OUTGOING


def test_report_body_has_plain_numbers() -> None:
    """`GET /deliveryReports` writes both numbers in full and the tag in lower case."""
    body = report_body(report(4005))
    assert (body["from"], body["to"]) == ("+18005550100", "+14255550123")
    assert body["deliveryStatusDetails"].startswith("4005: ")
    assert body["tag"] == TAG


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"deliverySeconds": -1}, "deliverySeconds"),
        ({"deliverySeconds": True}, "deliverySeconds"),
        ({"schema": "xml"}, "schema"),
        ({"fractionDigits": 8}, "fractionDigits"),
        ({"segmentCount": 1}, "segmentCount"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_senseless_settings_change_nothing(change: dict[str, Any], member: str) -> None:
    """A change with one bad member is refused whole, and the member is named."""
    behaviour = Behaviour()
    before = behaviour.as_json()
    with pytest.raises(ValueError, match=f"^{member}: "):
        behaviour.change({"retryScale": 0.5, **change})
    assert behaviour.as_json() == before
