// The box one writes in. It says what the text will come to while it is typed, and a text that was
// sent and not answered is sent again under the same key: nobody is texted twice.

import { Refused, Unanswered, call, inDoubt } from "./api.js";
import { h, icon, refill, uuid } from "./dom.js";
import { money, number } from "./format.js";
import { t, word } from "./i18n.js";
import { link } from "./link.js";
import { announce, button, path, reason } from "./ui.js";
import { why } from "./why.js";

const DELAY = 250, SEND_SECONDS = 60, TAG = "console", LONGEST = 2048;
const UNSETTLED = new Set(["IdempotencyKeyInUse", "TooManyRequests"]);
const drafts = new Map();

// What was sent and not answered outlives a reload of the page, in this tab.
function waiting(name, value) {
  try {
    if (value === undefined) return JSON.parse(sessionStorage.getItem(name));
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    return null;
  }
  return value;
}

export function composer({ ours, theirs, sent }) {
  const name = `parley.sending ${ours} ${theirs}`;
  const draft = `${ours} ${theirs}`;
  let asking = null, timer = 0, again = 0, sending = waiting(name), dead = false, busy = false;

  const box = h("textarea", { id: "reply", rows: "2", maxlength: String(LONGEST), placeholder: t("reply.placeholder"), "aria-describedby": "reply-cost reply-notes", dir: "auto" });
  const go = h("button", { type: "submit", class: "primary send", "aria-label": t("reply.send") }, icon("send"), h("span", {}, t("reply.send")));
  const cost = h("p", { class: "cost num", id: "reply-cost" });
  const notes = h("div", { class: "notes", id: "reply-notes" });
  const trouble = h("div", { class: "trouble", role: "alert" });
  const form = h("form", { class: "composer", on: { submit } },
    trouble, notes,
    h("div", { class: "writing" }, h("label", { class: "unseen", for: "reply" }, t("reply.label")), box, go),
    h("div", { class: "row between" }, cost, h("p", { class: "hint keys" }, t("reply.keys"))));

  box.value = sending?.text ?? drafts.get(draft) ?? "";
  box.addEventListener("input", () => {
    drafts.set(draft, box.value);
    refill(trouble);
    grow();
    ask();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  function grow() {
    box.rows = Math.min(8, Math.max(2, box.value.split("\n").length, Math.ceil(box.value.length / 56)));
  }

  const body = (text) => ({ from: ours, smsRecipients: [{ to: theirs }], message: text, smsSendOptions: { enableDeliveryReport: false, tag: TAG } });

  // ---- what it will come to ----

  function ask() {
    clearTimeout(timer);
    asking?.abort();
    if (!box.value) {
      refill(cost, t("reply.empty"));
      refill(notes);
      return;
    }
    timer = setTimeout(preview, DELAY);
  }

  async function preview() {
    asking = new AbortController();
    const { signal } = asking;
    try {
      const found = await call("POST", "messages:preview", { body: body(box.value), signal });
      if (!signal.aborted && !dead) say(found);
    } catch (error) {
      if (signal.aborted || dead) return;
      refill(cost, error instanceof Unanswered ? t("reply.noPreview") : reason(error));
    }
  }

  function say(found) {
    const { segments, units, unitsPerSegment, encoding } = found;
    const room = segments * unitsPerSegment - units;
    refill(cost,
      h("strong", {}, t("segments", { n: segments })), ` · ${t("reply.room", { n: number(Math.max(0, room)) })} · ${encoding}`,
      found.cost?.cost && ` · ${money(found.cost.cost)}`);
    const [to] = found.recipients;
    refill(notes, costly(found),
      to?.blockedBy && h("div", { class: "note warn" }, h("p", {}, why(to.blockedBy)), h("a", { href: path("ledger", theirs) }, t("reply.seeLedger"))),
      to && !to.wouldSend && !to.blockedBy && to.errorMessage && h("p", { class: "note warn" }, to.errorMessage),
      to?.waitsUntil && h("p", { class: "note" }, t("reply.waits", { why: to.waitsWhy ?? "" })),
      found.warnings.map((warning) => h("p", { class: "note" }, warned(warning))));
  }

  function warned(warning) {
    const own = word("warning", warning.code);
    return own === warning.code ? warning.message ?? warning.code : own;
  }

  function costly(found) {
    if (!found.costlyCharacters.length) return null;
    const plain = found.withStandIns;
    const more = plain && plain.encoding !== found.encoding && found.segments > plain.segments;
    const characters = found.costlyCharacters.slice(0, 6);
    const values = { n: found.costlyCharacters.length, before: plain?.segments ?? found.segments, after: found.segments, units: found.unitsPerSegment };
    return h("div", { class: "note warn costly" },
      h("p", {},
        characters.map((one) => h("kbd", { title: one.codePoint }, printable(one))), " ",
        more ? t("reply.costs", values) : t("reply.ucs2", values)),
      plain && plain.message !== box.value && plain.encoding !== found.encoding &&
        button(t("reply.replace"), () => {
          box.value = plain.message;
          box.dispatchEvent(new Event("input"));
          box.focus();
        }, { kind: "quiet small" }));
  }

  const printable = (one) => (/^\p{White_Space}$|^\p{C}$/u.test(one.character) ? one.codePoint : one.character);

  // ---- sending ----

  function submit(event) {
    event.preventDefault();
    if (sending || !box.value.trim()) return;
    sending = waiting(name, { key: uuid(), text: box.value, body: body(box.value) });
    attempt();
  }

  function lock(locked) {
    box.readOnly = locked;
    go.disabled = locked;
    form.classList.toggle("sending", locked);
  }

  async function attempt() {
    if (dead || busy || !sending) return;
    clearTimeout(again);
    busy = true;
    lock(true);
    try {
      const answer = await call("POST", "messages", { body: sending.body, headers: { "Idempotency-Key": sending.key }, wait: SEND_SECONDS });
      settle(answer.value[0]);
    } catch (error) {
      const open = inDoubt(error) || (error instanceof Refused && UNSETTLED.has(error.code));
      if (!open) refuse(reason(error));
      else hold(error);
    } finally {
      busy = false;
    }
  }

  function hold(error) {
    // A user who has stopped it is not asked again.
    if (dead || !sending) return;
    if (error instanceof Refused) again = setTimeout(attempt, (error.retryAfter ?? 3) * 1000);
    refill(trouble,
      h("p", {}, t("reply.unanswered")),
      h("div", { class: "row" }, button(t("reply.tryNow"), attempt, { kind: "quiet small" }), button(t("reply.giveUp"), giveUp, { kind: "quiet small" })));
  }

  function giveUp() {
    if (!sending) return;
    clearTimeout(again);
    refill(trouble, h("p", {}, t("reply.gaveUp", { key: sending.key })));
    sending = waiting(name, null);
    lock(false);
  }

  function settle(item) {
    if (!item.successful) {
      refuse(item.errorMessage ?? "", item.httpStatusCode === 403);
      return;
    }
    sending = waiting(name, null);
    drafts.delete(draft);
    box.value = "";
    lock(false);
    refill(trouble);
    grow();
    ask();
    if (dead) return;
    announce(t("reply.sent"));
    box.focus();
    sent();
  }

  function refuse(sentence, optedOut = false) {
    sending = waiting(name, null);
    lock(false);
    refill(trouble,
      h("p", {}, optedOut ? t("reply.optedOut") : sentence),
      optedOut && h("a", { href: path("ledger", theirs) }, t("reply.seeLedger")));
    if (optedOut) ask();
  }

  const retry = () => sending && attempt();
  link.addEventListener("up", retry);
  link.addEventListener("try", retry);
  grow();
  ask();
  if (sending) attempt();
  return {
    element: form,
    destroy() {
      dead = true;
      clearTimeout(timer);
      clearTimeout(again);
      asking?.abort();
      link.removeEventListener("up", retry);
      link.removeEventListener("try", retry);
    },
  };
}
