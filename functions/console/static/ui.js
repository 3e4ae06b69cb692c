// What all views are made of: states, badges, tables, dialogs, the voice that tells of arrivals.

import { Refused, Unanswered } from "./api.js";
import { h, fill, icon, refill } from "./dom.js";
import { address, dateTime, moment, relative } from "./format.js";
import { t, word } from "./i18n.js";

// ---- the voice, for people who hear the page ----

const voice = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
let silence = 0;

export function mountVoice(parent) {
  parent.append(voice);
}

export function announce(sentence) {
  clearTimeout(silence);
  voice.textContent = sentence;
  silence = setTimeout(() => refill(voice), 5000);
}

const toasts = h("div", { class: "toasts" });

export function toast(sentence) {
  if (!toasts.isConnected) document.body.append(toasts);
  const box = h("div", { class: "toast" }, sentence);
  toasts.append(box);
  announce(sentence);
  setTimeout(() => box.remove(), 6000);
}

// ---- words ----

const TONES = {
  delivered: "good", received: "accent", done: "good", running: "accent", applied: "good",
  undelivered: "bad", failed: "bad", blocked: "warn", uncertain: "warn", unknown: "warn", expired: "warn",
  paused: "warn", superseded: "dim", canceled: "dim", scheduled: "dim", queued: "dim", preparing: "dim",
};

export function badge(state) {
  return h("span", { class: "badge", data: { tone: TONES[state] ?? "info" } }, word("state", state));
}

export function tag(text, tone = "dim") {
  return h("span", { class: "badge plain", data: { tone } }, text);
}

export function when(at, written = moment) {
  return h("time", { datetime: at, title: dateTime(at), class: "num" }, written(at));
}

export function ago(at) {
  return when(at, relative);
}

// Somebody who was erased has no number any more.
export function person(number) {
  if (number === null) return h("span", { class: "dim" }, t("message.erased"));
  return h("span", { class: "num nowrap" }, address(number));
}

export const erased = (item) => item.from === null || item.to === null;

// The words of a text, or why they are not shown: those of one-time codes never are.
export const said = (item) => item.message ?? t(erased(item) ? "message.erased" : "message.notShown");

export function link(href, ...children) {
  return h("a", { href }, ...children);
}

export const path = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

// The interface's own sentence where it has one; else what happened, in the reader's language.
export function reason(error) {
  return error?.key ? `${sentence(error)} ${t("error.inDoubt", { key: error.key })}` : sentence(error);
}

function sentence(error) {
  if (error instanceof Unanswered) return t("error.unanswered");
  if (error instanceof Refused) {
    if (error.notAvailable) return t("error.notAvailable");
    if (error.status === 500 && !error.code) return t("error.500");
    const known = t(`error.${error.code}`, { detail: error.message });
    return known === `error.${error.code}` ? error.message : known;
  }
  return String(error?.message ?? error);
}

// ---- states of a view ----

export function empty(title, about, ...actions) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), about && h("p", {}, about), actions);
}

export function problem(error, retry) {
  if (error instanceof Refused && error.notAvailable) return empty(t("error.notAvailable.title"), t("error.notAvailable"));
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, reason(error)),
    retry && h("button", { type: "button", class: "quiet", on: { click: retry } }, t("again")));
}

export function skeleton(rows = 5) {
  return h("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: rows }, () => h("div")));
}

export function heading(title, ...actions) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("div", { class: "actions" }, actions));
}

export function button(label, act, { kind = "", glyph, ...props } = {}) {
  return h("button", { type: "button", class: kind, on: { click: act }, ...props }, glyph && icon(glyph), h("span", {}, label));
}

// ---- tables, which are cards on a narrow page ----

export function table(caption, columns, rows) {
  const head = h("tr", { role: "row" }, columns.map((column) =>
    h("th", { role: "columnheader", scope: "col", class: column.class }, column.title)));
  return h("table", { role: "table", class: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, head),
    h("tbody", { role: "rowgroup" }, rows.map((row) => tableRow(columns, row))));
}

export function tableRow(columns, row) {
  return h("tr", { role: "row" }, columns.map((column) =>
    h("td", { role: "cell", class: column.class, data: { label: column.title } }, h("div", {}, column.cell(row)))));
}

// ---- dialogs ----

let fields = 0;

export function field(label, control, hint) {
  const id = control.id || `field-${(fields += 1)}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}

export function select(options, value, props = {}) {
  const made = h("select", props, options.map(([name, label]) => h("option", { value: name }, label)));
  if (options.some(([name]) => name === value)) made.value = value;
  return made;
}

// Asks; `act` does what was agreed to, and its error is shown in the dialog. True if it was done.
export function confirm({ title, about, content = [], yes, danger = false, act }) {
  const trouble = h("p", { class: "trouble", role: "alert" });
  const agree = h("button", { type: "submit", class: danger ? "danger" : "primary" }, yes);
  const form = h("form", { method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    about && h("p", { class: "about" }, about),
    content, trouble,
    h("div", { class: "dialog-actions" },
      h("button", { type: "button", class: "quiet", on: { click: () => dialog.close() } }, t("cancel")), agree));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  return new Promise((settle) => {
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      agree.disabled = true;
      refill(trouble);
      try {
        await act();
        done = true;
        dialog.close();
      } catch (error) {
        fill(trouble, reason(error));
      } finally {
        agree.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      settle(done);
    });
    dialog.showModal();
  });
}

export function sheet(title, content) {
  const close = h("button", { type: "button", class: "icon-button", "aria-label": t("close") }, icon("close"));
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "sheet-title" },
    h("header", {}, h("h2", { id: "sheet-title" }, title), close), content);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
