// One message in full: what it said, what became of it and when, why, and what to do.

import { get, segment } from "./api.js";
import { h, refill } from "./dom.js";
import { dateTime, number } from "./format.js";
import { t, word } from "./i18n.js";
import { why } from "./why.js";
import { badge, button, erased, pairs, path, person, problem, said, sheet, skeleton, tag } from "./ui.js";

export async function openMessage(messageId) {
  const body = h("div", { class: "sheet-body" }, skeleton(6));
  const dialog = sheet(t("message.title"), body);
  async function load() {
    refill(body, skeleton(6));
    try {
      refill(body, contents(await get(`messages/${segment(messageId)}`), dialog));
    } catch (error) {
      refill(body, problem(error, load));
    }
  }
  await load();
}

function contents(message, dialog) {
  const inbound = message.direction === "inbound";
  const theirs = inbound ? message.from : message.to;
  const answered = message.inReplyTo?.messageId ?? message.inReplyTo;
  const another = (id) => button(t("message.show"), () => {
    dialog.close();
    openMessage(id);
  }, { kind: "quiet small" });
  const go = (href, text) => h("a", { href, on: { click: () => dialog.close() } }, text);
  return [
    h("p", { class: "quote", dir: "auto" }, said(message)),
    h("p", { class: "row wrap" }, badge(message.state), message.keyword && tag(message.keyword.word ?? message.keyword, "warn"),
      message.code && h("span", { class: "dim num" }, t("message.code", { code: message.code }))),
    message.meaning && h("p", {}, message.meaning, message.nextStep ? ` ${message.nextStep}` : ""),
    message.blockedBy && h("p", {}, why(message.blockedBy)),
    !message.blockedBy && message.errorMessage && h("p", { class: "trouble" }, message.errorMessage),
    pairs([
      [t("message.from"), person(message.from)],
      [t("message.to"), person(message.to)],
      message.segments && [t("message.size"), t("message.segments", { n: number(message.segments), count: message.segments, encoding: message.encoding ?? "" })],
      message.tag && [t("message.tag"), h("span", { dir: "auto" }, message.tag)],
      message.category && [t("message.category"), word("category", message.category)],
      message.sendAt && [t("message.sendAt"), dateTime(message.sendAt)],
      message.retryOf && [t("message.retryOf"), another(message.retryOf)],
      message.retriedBy && [t("message.retriedBy"), another(message.retriedBy)],
      answered && [t("message.answers"), another(answered)],
      [t("message.id"), h("code", {}, message.messageId)],
      message.platformMessageId && [t("message.platformId"), h("code", {}, message.platformMessageId)],
    ]),
    message.history && h("section", {}, h("h3", {}, t("message.history")), h("ol", { class: "timeline" }, message.history.map(step))),
    !erased(message) && h("p", { class: "row wrap" }, go(path("conversations", message.conversationId), t("message.conversation")), go(path("ledger", theirs), t("message.ledger"))),
  ];
}

function step(event) {
  return h("li", {},
    h("div", { class: "row" }, h("strong", {}, word("event", event.event)), event.status && tag(event.status)),
    h("time", { class: "num dim", datetime: event.at }, dateTime(event.at)),
    event.details && h("p", { class: "dim" }, event.details));
}
