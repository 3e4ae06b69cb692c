"""`python -m cli`: ask and tell Parley from a terminal.

    python -m cli send --from +18005550100 --to +14255550123 "Your table is ready."
    python -m cli preview --from +18005550100 --to +14255550123 "It is ready."
    python -m cli message 01JD….0123456789        what became of it, and why
    python -m cli messages --since 2026-11-22T00:00:00Z
    python -m cli conversations --unread          who has said something new
    python -m cli conversation +18005550100 +14255550123 --mark-read
    python -m cli optouts +14255550123            whether and why somebody is out
    python -m cli optouts +14255550123 --add --from +18005550100 --reason "Asked by telephone."
    python -m cli reply "Please stop texting me"  how a reply is read
    python -m cli senders                         how busy each sender is
    python -m cli quarantine list                 events that were not understood, and why
    python -m cli cancel 01JD….0123456789         take out of a send that waits
    python -m cli people-erase +14255550123       erase all that is kept of somebody
    python -m cli poison list                     work that failed too often, and why
    python -m cli poison retry --all              have it tried again
    python -m cli health

`--json` prints answers as they came. A send and a change of the ledger go out under a key, which is
printed first: what is lost on the way is repeated under it, and done once. So is all else that
changes something, and needs no key for it. Exit codes: 0 done; 1 refused or not all accepted; 2
wrong usage; 3 Parley cannot be reached or is not healthy.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shlex
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from cli.client import Client, NotConfigured, Refused, Unreachable

DONE: Final = 0
REFUSED: Final = 1
WRONG_USAGE: Final = 2
UNREACHABLE: Final = 3

_INTERRUPTED: Final = 130

# What would move a terminal's cursor, break its line or turn its text around, and halves of
# characters, which no terminal takes: people write what they like.
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_Command = Callable[[Client, argparse.Namespace], int]
# argparse gives what holds commands no public name.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    chosen = _parser().parse_args(arguments)
    command: _Command = chosen.command
    try:
        code = command(Client.configured(os.environ, ask=_ask), chosen)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read what is printed has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (NotConfigured, Unreachable) as error:
        _tell_of(error)
        return UNREACHABLE
    except Refused as error:
        _tell_of(error)
        said = str(error)
        for member, reasons in error.problem.get("errors", {}).items():
            if not all(reason in said for reason in reasons):
                _tell(f"  {member}: {' '.join(reasons)}")
        return REFUSED
    except KeyboardInterrupt as error:
        _tell_of(error)
        return _INTERRUPTED


def _ask(question: str) -> bool:
    """What the person at the terminal says; no where there is none."""
    if not sys.stdin.isatty():
        return False
    print(f"{_shown(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _tell_of(error: BaseException) -> None:
    for line in filter(None, (str(error), *getattr(error, "__notes__", ()))):
        _tell(line)


def _tell(line: str) -> None:
    print(_shown(line), file=sys.stderr, flush=True)


def _shown(text: str) -> str:
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cli",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print answers as they came")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for name, about, command in (
        ("send", "send a text", _send),
        ("preview", "say what a send would come to", _preview),
    ):
        sub = commands.add_parser(name, help=about)
        sub.set_defaults(command=command)
        sub.add_argument("--from", dest="sender", required=True, metavar="SENDER")
        sub.add_argument("--to", required=True, action="append", metavar="RECIPIENT")
        sub.add_argument("--category", choices=("marketing", "transactional", "oneTimeCode"))
        sub.add_argument("--tag")
        sub.add_argument("--send-at", metavar="TIME")
        if name == "send":
            sub.add_argument("--key", help="Idempotency-Key; drawn where none is given")
        sub.add_argument("message")

    for name, about, command in (
        ("message", "what became of a message", _message),
        ("cancel", "take a message out of a send that waits", _cancel),
    ):
        sub = commands.add_parser(name, help=about)
        sub.set_defaults(command=command)
        sub.add_argument("id")

    sub = commands.add_parser("messages", help="the messages of a span of time")
    sub.set_defaults(command=_messages)
    sub.add_argument("--since", metavar="TIME")
    sub.add_argument("--until", metavar="TIME")
    sub.add_argument("--scheduled", action="store_true", help="those that wait, soonest first")

    _add_people(commands)
    _add_repairs(commands)

    sub = commands.add_parser("health", help="whether everything answers")
    sub.set_defaults(command=_health)
    return parser


def _add_people(commands: _Commands) -> None:
    """What people and senders said, and who may be texted."""
    sub = commands.add_parser("conversation", help="what a sender and a person have said")
    sub.set_defaults(command=_conversation)
    sub.add_argument("sender")
    sub.add_argument("person")
    sub.add_argument("--mark-read", action="store_true", help="note that it has been read")

    sub = commands.add_parser("conversations", help="who has spoken with whom, newest first")
    sub.set_defaults(command=_conversations)
    sub.add_argument("--from", dest="sender", metavar="SENDER")
    sub.add_argument("--with", dest="person", metavar="PERSON", help="those with one person")
    sub.add_argument("--unread", action="store_true", help="those that nobody has read")
    sub.add_argument(
        "--unanswered", action="store_true", help="those in which the person had the last word"
    )
    sub.add_argument("--most", type=int, default=50, metavar="COUNT", help="50 unless told")

    sub = commands.add_parser("senders", help="the senders, and how busy each is")
    sub.set_defaults(command=_senders)

    sub = commands.add_parser("reply", help="how a reply is read, and by which rule")
    sub.set_defaults(command=_reply)
    sub.add_argument("text")
    sub.add_argument("--language", metavar="CODE", help="the person's, e.g. en; not needed")

    sub = commands.add_parser("optouts", help="whether and why somebody is out, or a change of it")
    sub.set_defaults(command=_optouts)
    sub.add_argument("person")
    change = sub.add_mutually_exclusive_group()
    change.add_argument(
        "--add", dest="change", action="store_const", const="add", help="opt them out"
    )
    change.add_argument(
        "--remove", dest="change", action="store_const", const="remove", help="let them in again"
    )
    sub.add_argument("--from", dest="sender", metavar="SENDER")
    sub.add_argument("--reason", help="why; kept as the evidence of the change")
    sub.add_argument("--change-id", help="drawn where none is given; the same one is one change")

    sub = commands.add_parser("people-erase", help="erase all that is kept of one person")
    sub.set_defaults(command=_people_erase)
    which = sub.add_mutually_exclusive_group(required=True)
    which.add_argument("person", nargs="?")
    which.add_argument("--receipt", metavar="ID", help="how far an erasure is, by its id")

    sub = commands.add_parser(
        "ledger-halt", help="whether all sending is halted, because the opt-outs were put back"
    )
    sub.set_defaults(command=_ledger_halt)

    sub = commands.add_parser("ledger-lift", help="let sending go on from the opt-outs as they are")
    sub.set_defaults(command=_ledger_lift)
    sub.add_argument("--reason", required=True, help="why; kept beside what was lost")


def _add_repairs(commands: _Commands) -> None:
    """What needs a person."""
    sub = commands.add_parser("quarantine", help="events that were not understood")
    actions = sub.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("list", help="what and why")
    action.set_defaults(command=_quarantine)
    for name, about, command in (
        ("show", "one of them, whole", _show_quarantined),
        ("retry", "hand it to its handler again", _retry_quarantined),
        ("drop", "give it up", _drop_quarantined),
    ):
        action = actions.add_parser(name, help=about)
        action.set_defaults(command=command)
        action.add_argument("handler")
        action.add_argument("name")

    sub = commands.add_parser("poison", help="work that failed too often")
    actions = sub.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("list", help="what and why")
    action.set_defaults(command=_poison)
    for name, about, command in (
        ("retry", "have it tried again", _retry_poison),
        ("drop", "give it up", _drop_poison),
    ):
        action = actions.add_parser(name, help=about)
        action.set_defaults(command=command)
        which: dict[str, Any] = {"nargs": "?"} if name == "retry" else {}
        action.add_argument("queue", **which)
        action.add_argument("id", **which)
        if name == "retry":
            action.add_argument("--all", action="store_true", help="all that is there")


# Commands -----------------------------------------------------------------------------------------


def _send(client: Client, chosen: argparse.Namespace) -> int:
    key = chosen.key or str(uuid.uuid4())
    with _once(f"--key {shlex.quote(key)}"):
        answer = client.change(
            "POST", "/messages", _body(chosen), {"Idempotency-Key": key}, tell=_tell
        )
    _show(chosen, answer, _send_lines)
    return DONE if all(item["successful"] for item in answer["value"]) else REFUSED


def _preview(client: Client, chosen: argparse.Namespace) -> int:
    answer = client.post("/messages:preview", _body(chosen))
    _show(chosen, answer, _preview_lines)
    return DONE if all(item["wouldSend"] for item in answer["recipients"]) else REFUSED


def _message(client: Client, chosen: argparse.Namespace) -> int:
    _show(chosen, client.get(f"/messages/{quote(chosen.id, safe='')}"), _message_lines)
    return DONE


def _cancel(client: Client, chosen: argparse.Namespace) -> int:
    path = f"/messages/{quote(chosen.id, safe='')}"
    with _harmless():
        _show(chosen, client.change("DELETE", path, tell=_tell), _message_lines)
    return DONE


def _messages(client: Client, chosen: argparse.Namespace) -> int:
    state = "scheduled" if chosen.scheduled else None
    asked = {"startTime": chosen.since, "endTime": chosen.until, "state": state}
    for item in client.pages("/messages", **asked):
        _show(chosen, item, _summary_lines)
    return DONE


def _conversation(client: Client, chosen: argparse.Namespace) -> int:
    found = client.get("/conversations", ours=chosen.sender, theirs=chosen.person)["value"][0]
    if found["lastMessage"] is None:
        return DONE
    path = f"/conversations/{quote(found['conversationId'], safe='')}"
    last = ""
    for item in client.pages(path):
        _show(chosen, item, _said_lines)
        last = max(last, item.get("arrivedAt") or "")
    if chosen.mark_read and last:
        # What comes while this is shown has not been read.
        with _harmless():
            client.change("POST", f"{path}:markRead", {"readUpTo": last}, tell=_tell)
    return DONE


def _conversations(client: Client, chosen: argparse.Namespace) -> int:
    query = {
        "ours": chosen.sender,
        "theirs": chosen.person,
        "unread": "true" if chosen.unread else None,
        "unanswered": "true" if chosen.unanswered else None,
    }
    for item in itertools.islice(client.pages("/conversations", **query), max(0, chosen.most)):
        _show(chosen, item, _conversation_lines)
    return DONE


def _reply(client: Client, chosen: argparse.Namespace) -> int:
    question = {"text": chosen.text, "language": chosen.language}
    answer = client.post("/replies:read", question)
    _show(chosen, answer, lambda reading: _reading_lines(reading, chosen.text))
    return DONE


def _senders(client: Client, chosen: argparse.Namespace) -> int:
    for item in client.pages("/senders"):
        _show(chosen, item, _sender_lines)
    return DONE


def _optouts(client: Client, chosen: argparse.Namespace) -> int:
    if chosen.change is None:
        answer = client.get("/optouts", recipient=chosen.person)
    else:
        change_id = chosen.change_id or str(uuid.uuid4())
        change = {
            "recipient": chosen.person,
            "from": chosen.sender,
            "reason": chosen.reason,
            "changeId": change_id,
        }
        with _once(f"--change-id {shlex.quote(change_id)}"):
            answer = client.change("POST", f"/optouts:{chosen.change}", change, tell=_tell)
    _show(chosen, answer, _optout_lines)
    return DONE


def _people_erase(client: Client, chosen: argparse.Namespace) -> int:
    if chosen.receipt is not None:
        answer = client.get(f"/erasures/{quote(chosen.receipt, safe='')}")
    else:
        with _harmless():
            answer = client.change(
                "POST", "/people:erase", {"recipient": chosen.person}, tell=_tell
            )
    _show(chosen, answer, _erasure_lines)
    return DONE


def _ledger_halt(client: Client, chosen: argparse.Namespace) -> int:
    answer = client.get("/optouts:halt")
    _show(chosen, answer, _halt_lines)
    return REFUSED if answer["isHalted"] else DONE


def _ledger_lift(client: Client, chosen: argparse.Namespace) -> int:
    _show(chosen, client.post("/optouts:lift", {"reason": chosen.reason}), _halt_lines)
    return DONE


@contextmanager
def _once(option: str) -> Iterator[None]:
    """Say before it is done, and where its outcome stays unknown, how to repeat what is inside."""
    _tell(f"However often it is repeated, this is done once with {option}")
    with _in_doubt(f"To repeat it without doing it twice, add {option}"):
        yield


def _harmless() -> AbstractContextManager[None]:
    """Say, where the outcome of what is inside stays unknown, that it may be repeated as it is."""
    return _in_doubt("Repeat it as it is: done twice, it is done once.")


@contextmanager
def _in_doubt(advice: str) -> Iterator[None]:
    try:
        yield
    except (Unreachable, Refused, KeyboardInterrupt) as error:
        if not isinstance(error, Refused) or error.in_doubt or error.at_work:
            error.add_note(f"It is not known whether this was done. {advice}")
        raise


def _take_away(
    client: Client,
    chosen: argparse.Namespace,
    call: tuple[str, str],
    lines: Callable[[Mapping[str, Any]], list[str]],
) -> None:
    """Put an item back or drop it, and show it. A second call does not find it any more."""
    method, path = call
    try:
        with _harmless():
            _show(chosen, client.change(method, path, tell=_tell), lines)
    except Refused as error:
        if not error.gone:
            raise
        _tell("It is gone: an earlier try has done it, whose answer was lost.")


def _quarantine(client: Client, chosen: argparse.Namespace) -> int:
    for item in client.pages("/quarantine"):
        _show(chosen, item, _quarantine_lines)
    return DONE


def _show_quarantined(client: Client, chosen: argparse.Namespace) -> int:
    _show(chosen, client.get(_quarantine_path(chosen)), _quarantine_lines)
    return DONE


def _retry_quarantined(client: Client, chosen: argparse.Namespace) -> int:
    _take_away(client, chosen, ("POST", f"{_quarantine_path(chosen)}:retry"), _quarantine_lines)
    return DONE


def _drop_quarantined(client: Client, chosen: argparse.Namespace) -> int:
    _take_away(client, chosen, ("DELETE", _quarantine_path(chosen)), _quarantine_lines)
    return DONE


def _quarantine_path(chosen: argparse.Namespace) -> str:
    return f"/quarantine/{quote(chosen.handler, safe='')}/{quote(chosen.name, safe='')}"


def _poison(client: Client, chosen: argparse.Namespace) -> int:
    for item in client.pages("/poison"):
        _show(chosen, item, _poison_lines)
    return DONE


def _retry_poison(client: Client, chosen: argparse.Namespace) -> int:
    if chosen.all:
        # All that is there now: what fails again meanwhile is for the next look.
        items = list(client.pages("/poison"))
    elif chosen.queue is None or chosen.id is None:
        _tell("Name the queue and the id, as `poison list` shows them, or say --all.")
        return WRONG_USAGE
    else:
        items = [{"queue": chosen.queue, "id": chosen.id}]
    for item in items:
        _take_away(client, chosen, ("POST", f"{_poison_path(item)}:retry"), _poison_lines)
    return DONE


def _drop_poison(client: Client, chosen: argparse.Namespace) -> int:
    path = _poison_path({"queue": chosen.queue, "id": chosen.id})
    _take_away(client, chosen, ("DELETE", path), _poison_lines)
    return DONE


def _poison_path(item: Mapping[str, Any]) -> str:
    return f"/poison/{quote(str(item['queue']), safe='')}/{quote(str(item['id']), safe='')}"


def _health(client: Client, chosen: argparse.Namespace) -> int:
    try:
        report = client.get("/health/details")
    except Refused as error:
        # A 503 is the report itself; anything else, such as a wrong key, is a refusal.
        if "checks" not in error.problem:
            raise
        report = dict(error.problem)
    _show(chosen, report, _health_lines)
    return DONE if report.get("status") == "Healthy" else UNREACHABLE


def _body(chosen: argparse.Namespace) -> dict[str, Any]:
    options = {"enableDeliveryReport": True, "tag": chosen.tag} if chosen.tag else None
    wishes = {
        "category": chosen.category,
        "sendAt": chosen.send_at,
        "smsSendOptions": options,
    }
    return {
        "from": chosen.sender,
        "smsRecipients": [{"to": to} for to in chosen.to],
        "message": chosen.message,
        **{name: value for name, value in wishes.items() if value is not None},
    }


# What a person reads ------------------------------------------------------------------------------


def _show(
    chosen: argparse.Namespace,
    answer: Mapping[str, Any],
    lines: Callable[[Mapping[str, Any]], list[str]],
) -> None:
    shown = [json.dumps(answer, ensure_ascii=False)] if chosen.json else lines(answer)
    print("\n".join(_shown(line) for line in shown))


def _send_lines(answer: Mapping[str, Any]) -> list[str]:
    return [
        f"{item['to']}  {item['messageId'] or '-'}  {item['errorMessage'] or 'accepted'}"
        for item in answer["value"]
    ]


def _reading_lines(answer: Mapping[str, Any], text: str) -> list[str]:
    scope = f", scope {answer['scope']}" if answer["scope"] else ""
    if answer["rule"] is None:
        return [f"{answer['verdict']}: no rule fits"]
    first, behind = answer["span"]
    return [f'{answer["verdict"]}{scope}: {answer["rule"]} fits "{text[first:behind]}"']


def _preview_lines(answer: Mapping[str, Any]) -> list[str]:
    cost = answer["cost"]["cost"] or "cost not known"
    each = f"{answer['segments']} segment(s) of {answer['encoding']} each"
    lines = [f"{each}, {answer['totalSegments']} in all, {cost}"]
    for costly in answer["costlyCharacters"]:
        instead = f"; {costly['standIn']!r} would do" if costly["standIn"] is not None else ""
        lines.append(f"  {costly['character']!r} forces {answer['encoding']}{instead}")
    lines += [f"  {warning['code']}: {warning['message']}" for warning in answer["warnings"]]
    lines += [
        f"{item['to']}  {item['errorMessage'] or item['waitsWhy'] or 'would be sent'}"
        for item in answer["recipients"]
    ]
    return lines


def _message_lines(message: Mapping[str, Any]) -> list[str]:
    lines = _summary_lines(message)
    if message.get("code"):
        lines.append(f"  {message['code']}: {message['meaning']} {message['nextStep'] or ''}")
    lines += [
        f"  {entry['at']}  {entry['event']}  {entry.get('details') or ''}".rstrip()
        for entry in message.get("history", [])
    ]
    if by := message.get("blockedBy"):
        lines.append(
            f"  blocked by entry {by['sequence']}: {by['channel']}, said at {by['saidAt']}"
        )
    return lines


def _summary_lines(message: Mapping[str, Any]) -> list[str]:
    members = ("createdAt", "from", "to", "state", "messageId")
    # Somebody who was erased has no number any more.
    return ["  ".join(str(message[member] or "(erased)") for member in members)]


def _said_lines(entry: Mapping[str, Any]) -> list[str]:
    if entry["type"] == "optOutChange":
        effect = "" if entry["effect"] == "applied" else f", {entry['effect']}"
        return [f"{entry['at']}  = {entry['direction']} by {entry['rule']}{effect}"]
    mark = "<" if entry["direction"] == "inbound" else ">"
    return [f"{entry['at']}  {mark} {_words(entry)}  ({entry['state'] or 'no longer kept'})"]


def _words(item: Mapping[str, Any]) -> str:
    """What was said; the text of a one-time code is shown nowhere."""
    words = item["message"]
    return "(one-time code, not shown)" if words is None else str(words)


def _conversation_lines(item: Mapping[str, Any]) -> list[str]:
    last = item["lastMessage"]
    mark = "<" if last["direction"] == "inbound" else ">"
    unread = "*" if item["unread"] else " "
    return [f"{unread} {last['at']}  {item['ours']}  {item['theirs']}  {mark} {_words(last)}"]


def _sender_lines(item: Mapping[str, Any]) -> list[str]:
    pace = item["pace"]
    busy = f"busy until {pace['nextFreeAt']}" if pace["nextFreeAt"] else "free"
    slowed = f", slowed until {pace['slowedUntil']}" if pace["slowedUntil"] else ""
    rate = f"{pace['ratePerMinuteNow']:g} a minute"
    return [f"{item['sender']}  {item['kind']}  {item['program']}  {rate}, {busy}{slowed}"]


def _quarantine_lines(item: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{item['handler']}  {item['name']}  since {item['quarantinedAt']}",
        f"  {item['reason']}",
    ]
    if "event" in item:
        lines.append(f"  {json.dumps(item['event'], ensure_ascii=False)}")
    return lines


def _optout_lines(answer: Mapping[str, Any]) -> list[str]:
    if not answer["value"]:
        return [f"{answer['recipient']}: nothing in the ledger"]
    lines = [
        f"{answer['recipient']}  {'out' if found['isOptedOut'] else 'in'} for {found['scope']}:"
        f" entry {found['entry']['sequence']}, {found['entry']['channel']}"
        f" ({found['entry']['rule']}), said at {found['entry']['saidAt']}"
        for found in answer["value"]
    ]
    lines += [
        f"  {entry['saidAt']}  {entry['direction']} for {entry['scope']}, {entry['channel']}"
        f" ({entry['rule']}), {entry['effect']}"
        for entry in answer["history"]
    ]
    return lines


def _erasure_lines(receipt: Mapping[str, Any]) -> list[str]:
    when = receipt["finalAt"] or (receipt["finalFrom"] and f"not before {receipt['finalFrom']}")
    lines = [
        f"{receipt['erasureId']}  {receipt['state']}, ordered {receipt['orderedAt']}",
        f"  final: {when or 'not yet known'}",
    ]
    lines += [f"  removed: {count} {name}" for name, count in receipt["removed"].items() if count]
    return lines + [f"  kept: {kept['what']} {kept['why']}" for kept in receipt["kept"]]


def _halt_lines(answer: Mapping[str, Any]) -> list[str]:
    head = answer["head"]
    stands = f"the ledger stands at change {head['sequence']}, chain {head['chain'][:12]}"
    lines = [f"not halted; {stands}"]
    if answer["isHalted"]:
        known = answer["known"]
        lines = [
            f"HALTED since {answer['since']}: nobody is texted",
            f"  {answer['why']}",
            f"  known before: change {known['sequence']}, chain {known['chain'][:12]}; {stands}",
        ]
    return lines + [f"  kept: {name}" for name in answer["kept"]]


def _poison_lines(item: Mapping[str, Any]) -> list[str]:
    return [
        f"{item['queue']}  {item['id']}  {item['kind'] or '-'}  since {item['failedAt']}",
        f"  {item['reason']}",
        f"  {item['summary']}",
    ]


def _health_lines(report: Mapping[str, Any]) -> list[str]:
    checks, versions = report.get("checks", {}), report.get("versions", {})
    return [
        str(report.get("status", "Unhealthy")),
        *(_check_line(name, check) for name, check in checks.items()),
        *(f"  version of {name}: {version}" for name, version in versions.items()),
    ]


def _check_line(name: str, check: Mapping[str, Any]) -> str:
    answered = f"(answered {check['answer']})" if "answer" in check else ""
    said = [f"{name}:", str(check["status"]), str(check.get("error", "")), answered]
    return "  " + " ".join(part for part in said if part)


if __name__ == "__main__":
    sys.exit(main())
