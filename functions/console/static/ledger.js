// The ledger: look a number up, read why it is blocked and since when, change it with a reason.

import { alter, get, query } from "./api.js";
import { h, icon, refill, uuid } from "./dom.js";
import { address, dateTime } from "./format.js";
import { t, word } from "./i18n.js";
import { senderChoice } from "./known.js";
import { badge, button, confirm, empty, field, heading, path, person, problem, skeleton, table, tag, toast, when } from "./ui.js";
import { scope, why } from "./why.js";

const LONGEST_REASON = 500;

export function mount(root, parameters) {
  const box = h("input", { id: "number", type: "tel", autocomplete: "off", required: true, placeholder: "+14255550123", "aria-describedby": "number-trouble" });
  const trouble = h("p", { class: "trouble", id: "number-trouble", role: "alert" });
  const form = h("form", { class: "card lookup", on: { submit } },
    h("label", { for: "number" }, t("ledger.number")),
    h("div", { class: "row" }, box, h("button", { type: "submit", class: "primary" }, icon("search"), h("span", {}, t("ledger.look")))),
    trouble);
  const body = h("div", { class: "stack" });
  refill(root, heading(t("nav.ledger")), form, body);
  let number = "", life = new AbortController();

  function submit(event) {
    event.preventDefault();
    refill(trouble);
    const wanted = box.value.replace(/[\s().\-/]/g, "");
    if (!/^\+?[0-9]{3,15}$/.test(wanted)) {
      refill(trouble, t("error.number"));
      return;
    }
    if (wanted === number) load();
    else location.hash = path("ledger", wanted);
  }

  function show([wanted]) {
    number = wanted ?? "";
    life.abort();
    life = new AbortController();
    box.value = number;
    if (!number) refill(body, empty(t("ledger.begin"), t("ledger.beginAbout")));
    else load();
  }

  async function load() {
    const { signal } = life;
    refill(body, h("div", { class: "card" }, skeleton(5)));
    try {
      const found = await get(`optouts${query({ recipient: number })}`, { signal });
      if (!signal.aborted) draw(found);
    } catch (error) {
      if (!signal.aborted) refill(body, h("div", { class: "card flush" }, problem(error, load)));
    }
  }

  function draw(found) {
    const who = found.recipient;
    const out = found.value.filter((entry) => entry.isOptedOut);
    const state = out.length ? "out" : found.value.length ? "in" : "none";
    refill(body,
      h("section", { class: `card verdict ${state}` },
        h("div", { class: "row between wrap" },
          h("div", {},
            h("h2", {}, person(who)),
            h("p", { class: "sentence" }, t(`ledger.verdict.${state}`))),
          h("div", { class: "actions" },
            button(t("ledger.add"), () => change(who, "add"), { kind: "quiet" }),
            out.length > 0 && button(t("ledger.remove"), () => change(who, "remove", out), { kind: "quiet" }))),
        found.value.length > 0 && h("ul", { class: "scopes" }, found.value.map((entry) =>
          h("li", {},
            h("div", { class: "row wrap" }, h("strong", {}, scope(entry.scope)), entry.isOptedOut ? tag(t("ledger.optedOut"), "warn") : tag(t("ledger.optedIn"), "good")),
            h("p", {}, why(entry.entry)))))),
      h("section", { class: "card flush" }, h("h2", { class: "card-title" }, t("ledger.history")), history(found)));
  }

  function history(found) {
    if (!found.history) return empty(t("error.notAvailable.title"), t("error.notAvailable"));
    if (!found.history.length) return empty(t("ledger.noHistory"), t("ledger.noHistoryAbout"));
    const columns = [
      { title: t("ledger.entry"), class: "fit num dim", cell: (entry) => String(entry.sequence) },
      { title: t("ledger.saidAt"), class: "fit", cell: (entry) => when(entry.saidAt, dateTime) },
      { title: t("ledger.change"), class: "fit", cell: (entry) => (entry.direction === "out" ? tag(t("ledger.optedOut"), "warn") : tag(t("ledger.optedIn"), "good")) },
      { title: t("ledger.scope"), class: "fit", cell: (entry) => scope(entry.scope) },
      { title: t("ledger.channel"), cell: (entry) => [word("channel", entry.channel), entry.rule && h("span", { class: "dim" }, ` ${entry.rule}`)] },
      { title: t("ledger.effect"), class: "fit", cell: (entry) => badge(entry.effect) },
    ];
    const made = table(t("ledger.history"), columns, found.history);
    made.classList.add("labelled");
    return made;
  }

  async function change(who, operation, out = []) {
    // The same change twice is once: the id stays what it is until the change was made.
    const changeId = uuid();
    let choice;
    try {
      choice = await senderChoice([], { required: true });
    } catch (error) {
      toast(error.notAvailable ? t("error.notAvailable") : t("error.unanswered"));
      return;
    }
    const known = out.map((entry) => entry.entry.sender).find((sender) => [...choice.options].some((option) => option.value === sender));
    if (known) choice.value = known;
    const said = h("textarea", { rows: "3", required: true, maxlength: String(LONGEST_REASON) });
    const consent = h("input", { type: "checkbox", id: "consent", required: true });
    let answer = null;
    const done = await confirm({
      title: t(`ledger.${operation}.title`, { person: address(who) }),
      about: t(`ledger.${operation}.about`),
      content: [
        field(t("ledger.sender"), choice),
        field(t("ledger.reason"), said, t("ledger.reasonHint")),
        operation === "remove" && h("div", { class: "checks" }, consent, h("label", { for: "consent" }, t("ledger.consent"))),
      ],
      yes: t(`ledger.${operation}`),
      danger: operation === "add",
      async act() {
        const body = { recipient: who, from: choice.value, reason: said.value.trim(), changeId };
        answer = await alter("POST", `optouts:${operation}`, { body, key: changeId });
      },
    });
    if (!done) return;
    toast(t(`ledger.${operation}.done`));
    if (answer?.value) draw(answer);
    else load();
  }

  show(parameters);
  return {
    update(next) {
      show(next);
      return true;
    },
    destroy: () => life.abort(),
  };
}
