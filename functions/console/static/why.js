// Says in a sentence what an entry of the ledger did, and why.

import { address, dateTime } from "./format.js";
import { t, word } from "./i18n.js";

export function scope(text) {
  const [kind, ...rest] = String(text).split(":");
  const of = rest.join(":");
  return t(`scope.${kind}`, { of: kind === "sender" ? address(of) : of }).replace(/^scope\..*/, text);
}

export function why(entry) {
  const values = {
    scope: scope(entry.scope),
    channel: word("channel", entry.channel),
    rule: entry.rule ?? "",
    at: dateTime(entry.saidAt ?? entry.time),
    sequence: entry.sequence,
  };
  return t(entry.direction === "out" ? "why.out" : "why.in", values);
}
