// The live feed: what comes and goes, as it does. Each look overlaps the one before, because a text
// may be written down later than its id says; what is known already is only brought up to date.

import { after, get, query } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { clock, day } from "./format.js";
import { t, word } from "./i18n.js";
import { openMessage } from "./message.js";
import { poll } from "./poll.js";
import { announce, badge, button, empty, heading, path, person, problem, said, select, skeleton, table, tableRow, when } from "./ui.js";

const EVERY = 2500, OVERLAP = 2 * 60e3, WIDE = 15 * 60e3, WIDE_EVERY = 8;
const FIRST_SPANS = [15 * 60e3, 24 * 3600e3];
const ENOUGH = 20, PAGE = 200, MOST_PAGES = 20, MOST_SHOWN = 300;

export const ours = (item) => (item.direction === "inbound" ? item.to : item.from);
export const theirs = (item) => (item.direction === "inbound" ? item.from : item.to);

async function read(start, signal, end) {
  const found = [];
  let next = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await get(`messages${query({ startTime: new Date(start).toISOString(), endTime: end && new Date(end).toISOString(), maxpagesize: PAGE, after: next })}`, { signal });
    found.push(...answer.value);
    next = after(answer);
    if (next === null) break;
  }
  return found;
}

export function mount(root) {
  const known = new Map();
  let reach = null, looks = 0, loaded = false, paused = false, trouble = null;
  const filters = { words: "", direction: "", state: "" };

  const columns = [
    { title: t("feed.time"), class: "fit", cell: (item) => when(item.createdAt, (at) => clock(at, true)) },
    { title: t("feed.person"), class: "fit", cell: (item) => h("a", { class: "way", href: path(...["conversations", item.conversationId].filter(Boolean)) },
      h("span", { class: `arrow ${item.direction}`, title: word("direction", item.direction) }, icon(item.direction === "inbound" ? "in" : "out"), h("span", { class: "unseen" }, word("direction", item.direction))), person(theirs(item))) },
    { title: t("feed.text"), class: "wide", cell: (item) => h("span", { class: "clamp", dir: "auto" }, said(item)) },
    { title: t("feed.sender"), class: "fit dim", cell: (item) => person(ours(item)) },
    { title: t("feed.state"), class: "fit", cell: (item) => h("button", { type: "button", class: "bare", "aria-label": t("message.open", { state: word("state", item.state) }), on: { click: () => openMessage(item.messageId) } }, badge(item.state)) },
  ];

  const body = h("div", { class: "card flush" }, skeleton(8));
  const more = button(t("feed.earlier"), earlier, { kind: "quiet" });
  const hold = button(t("feed.pause"), togglePause, { kind: "quiet", glyph: "pause" });
  const search = h("input", { type: "search", placeholder: t("feed.search"), "aria-label": t("feed.search"), on: { input: () => filter("words", search.value.trim().toLowerCase()) } });
  const direction = select([["", t("feed.both")], ["inbound", word("direction", "inbound")], ["outbound", word("direction", "outbound")]], "", { "aria-label": t("feed.direction"), on: { change: () => filter("direction", direction.value) } });
  const state = select([["", t("feed.anyState")], ["trouble", t("feed.trouble")], ["delivered", word("state", "delivered")], ["blocked", word("state", "blocked")]], "", { "aria-label": t("feed.state"), on: { change: () => filter("state", state.value) } });
  refill(root, heading(t("nav.live"), hold), h("div", { class: "toolbar" }, search, direction, state), body, h("div", { class: "more" }, more));

  function filter(name, value) {
    filters[name] = value;
    draw();
  }

  function fits(item) {
    if (filters.direction && item.direction !== filters.direction) return false;
    if (filters.state === "trouble" && !["failed", "undelivered", "uncertain", "unknown", "expired"].includes(item.state)) return false;
    if (filters.state && filters.state !== "trouble" && item.state !== filters.state) return false;
    return !filters.words || `${item.from} ${item.to} ${said(item)} ${item.tag ?? ""}`.toLowerCase().includes(filters.words);
  }

  // Rows stay the elements they are, so that neither focus nor a selection is lost.
  const rows = new Map();
  let grid = null;

  function draw() {
    const chosen = [...known.values()].filter(fits)
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : a.messageId < b.messageId ? 1 : -1)).slice(0, MOST_SHOWN);
    more.hidden = !loaded;
    if (trouble && !known.size) return void refill(body, problem(trouble, () => poller.now()));
    if (!loaded) return;
    if (!chosen.length) {
      grid = null;
      rows.clear();
      refill(body, known.size ? empty(t("feed.noneFit"), "") : empty(t("feed.none"), t("feed.noneAbout")));
      return;
    }
    if (grid === null) {
      grid = table(t("nav.live"), columns, []);
      refill(body, grid);
    }
    const place = grid.tBodies[0];
    const wanted = new Set();
    let before = null, lastDay = "";
    chosen.forEach((item, index) => {
      const today = day(item.createdAt);
      if (today !== lastDay && index > 0) before = put(`day ${today}`, today, () => dayRow(today), wanted, place, before);
      lastDay = today;
      before = put(item.messageId, `${item.state}${item.code ?? ""}`, () => tableRow(columns, item), wanted, place, before);
    });
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      row.element.remove();
      rows.delete(id);
    }
  }

  function put(id, look, make, wanted, place, before) {
    wanted.add(id);
    let row = rows.get(id);
    if (!row || row.look !== look) {
      const element = make();
      if (row) row.element.replaceWith(element);
      else if (settled) element.classList.add("new");
      row = { look, element };
      rows.set(id, row);
    }
    const next = before ? before.nextSibling : place.firstChild;
    if (row.element !== next) place.insertBefore(row.element, next);
    return row.element;
  }

  const dayRow = (name) => h("tr", { role: "row", class: "day" }, h("td", { role: "cell", colspan: String(columns.length) }, name));
  let settled = false;

  function take(items) {
    let fresh = 0;
    for (const item of items) {
      if (!known.has(item.messageId)) fresh += 1;
      known.set(item.messageId, item);
    }
    return fresh;
  }

  async function look(signal) {
    const now = Date.now();
    if (!loaded) {
      for (const span of FIRST_SPANS) {
        reach = now - span;
        take(await read(reach, signal));
        if (known.size >= ENOUGH) break;
      }
      loaded = true;
      trouble = null;
      draw();
      settled = true;
      return;
    }
    looks += 1;
    const fresh = take(await read(now - (looks % WIDE_EVERY ? OVERLAP : WIDE), signal));
    trouble = null;
    draw();
    if (fresh) announce(t("feed.arrived", { n: fresh }));
  }

  async function earlier() {
    more.disabled = true;
    try {
      settled = false;
      const span = 24 * 3600e3;
      take(await read(reach - span, undefined, reach));
      reach -= span;
    } catch (error) {
      trouble = error;
    } finally {
      more.disabled = false;
      draw();
      settled = true;
    }
  }

  function togglePause() {
    paused = !paused;
    hold.setAttribute("aria-pressed", String(paused));
    refill(hold, icon(paused ? "play" : "pause"), h("span", {}, paused ? t("feed.resume") : t("feed.pause")));
    if (!paused) poller.now();
  }

  const poller = poll((signal) => (paused ? Promise.resolve() : look(signal)), {
    every: EVERY,
    failed(error) {
      trouble = error;
      draw();
    },
  });
  return { destroy: poller.stop };
}
