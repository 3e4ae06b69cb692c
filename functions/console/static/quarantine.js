// What could not be dealt with: events that no handler understood, and work that failed too often.

import { after, alter, get, query, segment } from "./api.js";
import { h, refill } from "./dom.js";
import { dateTime, number } from "./format.js";
import { t, word } from "./i18n.js";
import { poll } from "./poll.js";
import { announce, button, confirm, empty, heading, problem, reason, sheet, skeleton, table, toast, when } from "./ui.js";

const EVERY = 10000, PAGE = 50;

export function mount(root) {
  const events = section(t("quarantine.events"), t("quarantine.eventsAbout"), {
    route: "quarantine",
    none: t("quarantine.none"),
    address: (item) => `quarantine/${segment(item.handler)}/${segment(item.name)}`,
    details: true,
    columns: [
      { title: t("quarantine.at"), class: "fit", cell: (item) => when(item.quarantinedAt, dateTime) },
      { title: t("quarantine.handler"), class: "fit", cell: (item) => word("handler", item.handler) },
      { title: t("quarantine.type"), class: "wide", cell: (item) => h("code", {}, shortened(item.type)) },
      { title: t("quarantine.reason"), class: "wide", cell: (item) => item.reason ?? "" },
    ],
  });
  const work = section(t("quarantine.work"), t("quarantine.workAbout"), {
    route: "poison",
    none: t("quarantine.noWork"),
    address: (item) => `poison/${segment(item.queue)}/${segment(item.id)}`,
    columns: [
      { title: t("quarantine.at"), class: "fit", cell: (item) => when(item.insertedAt, dateTime) },
      { title: t("quarantine.queue"), class: "fit", cell: (item) => item.queue },
      { title: t("quarantine.kind"), class: "wide", cell: (item) => h("code", {}, item.kind ?? "") },
      { title: t("quarantine.reason"), class: "wide", cell: (item) => [item.reason ?? "", item.summary && h("p", { class: "dim" }, String(item.summary))] },
    ],
  });
  refill(root, heading(t("nav.quarantine")), events.element, work.element);
  return {
    destroy() {
      events.stop();
      work.stop();
    },
  };
}

const shortened = (type) => String(type ?? "").replace("Microsoft.Communication.", "");

function section(title, about, { route, none, address, columns, details = false }) {
  const count = h("span", { class: "count num" });
  const body = h("div", {}, skeleton(3));
  const element = h("section", { class: "card flush" }, h("div", { class: "card-title" }, h("h2", {}, title, " ", count), h("p", { class: "dim" }, about)), body);
  let pages = 1, drawn = "";

  const all = [...columns, {
    title: t("quarantine.actions"), class: "fit", cell: (item) => h("div", { class: "actions" },
      details && button(t("quarantine.look"), () => look(item), { kind: "quiet small" }),
      button(t("quarantine.retry"), (event) => retry(item, event.currentTarget), { kind: "quiet small" }),
      button(t("quarantine.drop"), () => drop(item), { kind: "quiet small" })),
  }];

  async function look(item) {
    const place = h("div", { class: "sheet-body" }, skeleton(6));
    sheet(t("quarantine.event"), place);
    try {
      const found = await get(address(item));
      refill(place, h("p", {}, found.reason), h("pre", { tabindex: "0" }, JSON.stringify(found.event, null, 2)));
    } catch (error) {
      refill(place, problem(error));
    }
  }

  async function retry(item, pressed) {
    pressed.disabled = true;
    try {
      await alter("POST", `${address(item)}:retry`, { takes: true });
      toast(t(details ? "quarantine.retried" : "quarantine.putBack"));
    } catch (error) {
      toast(reason(error));
    } finally {
      pressed.disabled = false;
      poller.now();
    }
  }

  async function drop(item) {
    const done = await confirm({ title: t("quarantine.drop.title"), about: t("quarantine.drop.about"), yes: t("quarantine.drop"), danger: true, act: () => alter("DELETE", address(item), { takes: true }) });
    if (!done) return;
    announce(t("quarantine.dropped"));
    poller.now();
  }

  const poller = poll(async (signal) => {
    const found = [];
    let cursor = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(`${route}${query({ maxpagesize: PAGE, after: cursor })}`, { signal });
      found.push(...answer.value);
      cursor = after(answer);
      if (cursor === null) break;
    }
    const sight = JSON.stringify([found, cursor]);
    if (sight === drawn) return;
    drawn = sight;
    refill(count, found.length ? `${number(found.length)}${cursor ? "+" : ""}` : "");
    if (!found.length) {
      refill(body, empty(none, ""));
      return;
    }
    const made = table(title, all, found);
    made.classList.add("labelled");
    refill(body, made, cursor && h("div", { class: "more" }, button(t("more"), () => {
      pages += 1;
      poller.now();
    }, { kind: "quiet" })));
  }, { every: EVERY, failed: (error) => refill(body, problem(error, () => poller.now())) });
  return { element, stop: poller.stop };
}
