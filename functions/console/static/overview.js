// The overview: today against the same hours a week ago, and how it has gone over time.

import { get, query } from "./api.js";
import { chart } from "./charts.js";
import { h, refill, sparkline } from "./dom.js";
import { clock, compact, money, number, percent, points, seconds, signedPercent } from "./format.js";
import { locale, t, word } from "./i18n.js";
import { poll } from "./poll.js";
import { empty, heading, person, problem, skeleton, table } from "./ui.js";

const EVERY = 30000, WEEK = 7;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const RANGES = { day: { interval: "hour" }, week: { interval: "day", days: 7 }, month: { interval: "day", days: 30 } };
const TOP = 8;
const COUNTS = [1, 2, 5].flatMap((digit) => Array.from({ length: 8 }, (_, zeros) => digit * 10 ** zeros)).sort((a, b) => a - b);
const DURATIONS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 43200, 86400, 172800];

const midnight = (shift) => {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + shift);
};

// The span of a range, and the one it is compared with.
function spans(name) {
  const now = new Date();
  if (name === "day") {
    const hour = new Date(now).setMinutes(0, 0, 0);
    const start = hour - 23 * 3600e3, end = hour + 3600e3;
    return [[start, Math.min(end, Date.now())], [start - WEEK * 86400e3, end - WEEK * 86400e3]];
  }
  const { days } = RANGES[name];
  const week = Math.ceil(days / WEEK) * WEEK;
  return [[midnight(1 - days), now], [midnight(1 - days - week), midnight(1 - week)]];
}

const ask = (start, end, members, signal) =>
  get(`analytics${query({ startTime: new Date(start).toISOString(), endTime: new Date(end).toISOString(), timeZone: ZONE, ...members })}`, { signal });

const NOTHING = {};
const one = (answer) => answer.total[0] ?? NOTHING;
const sum = (counts) => Object.values(counts ?? {}).reduce((all, count) => all + count, 0);
const median = (row) => row?.timeToDelivery?.median ?? null;
const costs = (row) => Object.entries(row.cost ?? {});

export function mount(root) {
  let range = "day", charts = [], drawnRange = "";
  const tiles = h("div", { class: "tiles" }, Array.from({ length: 6 }, () => h("div", { class: "card tile" }, skeleton(2))));
  const asOf = h("p", { class: "dim as-of num" });
  const choice = h("div", { class: "segmented", role: "group", "aria-label": t("overview.range") }, Object.keys(RANGES).map((name) =>
    h("button", { type: "button", data: { range: name }, "aria-pressed": String(name === range), on: { click: () => choose(name) } }, t(`overview.range.${name}`))));
  const plots = h("div", { class: "grid two charts" });
  const rest = h("div", { class: "grid two" });
  const trouble = h("div");
  refill(root, heading(t("nav.overview"), asOf), trouble, tiles, h("div", { class: "heading" }, h("h2", {}, t("overview.overTime")), choice), plots, rest);

  function choose(name) {
    range = name;
    for (const entry of choice.children) entry.setAttribute("aria-pressed", String(entry.dataset.range === name));
    poller.now();
  }

  // ---- tiles ----

  function tile(name, value, now, before, { kind, better, line } = {}) {
    return h("section", { class: "card tile" },
      h("h2", {}, t(`overview.${name}`)),
      h("p", { class: "value num" }, value),
      h("p", { class: "against" }, difference(now, before, kind, better)),
      line && sparkline(line));
  }

  function difference(now, before, kind, better) {
    if (now === null || now === undefined || before === null || before === undefined) return h("span", { class: "dim" }, t("overview.noComparison"));
    const change = now - before;
    const tone = !better || change === 0 ? "" : change > 0 === (better === "more") ? "good" : "bad";
    const text = kind === "share" ? t("overview.points", { n: points(change) }) : before === 0 ? (now === 0 ? "±0" : t("overview.fromNothing")) : signedPercent(change / before);
    return [h("span", { class: `change-${tone || "none"} num` }, text), h("span", { class: "dim" }, ` ${t("overview.lastWeek")}`)];
  }

  function drawTiles(today, before, series) {
    const line = (pick) => series.map((row) => pick(row) ?? null);
    const spent = costs(today);
    refill(tiles,
      tile("sent", number(today.sent ?? 0), today.sent ?? 0, before.sent ?? 0, { line: line((row) => row.sent) }),
      tile("deliveryRate", percent(today.deliveryRate), today.deliveryRate, before.deliveryRate, { kind: "share", better: "more", line: line((row) => row.deliveryRate) }),
      tile("optOutRate", percent(today.optOutRate, 2), today.optOutRate, before.optOutRate, { kind: "share", better: "less", line: line((row) => row.optOutRate) }),
      tile("time", seconds(median(today)), median(today), median(before), { better: "less", line: line(median) }),
      tile("inbound", number(today.inbound ?? 0), today.inbound ?? 0, before.inbound ?? 0, { line: line((row) => row.inbound) }),
      tile("cost", (today.unpricedSegments ? "≥ " : "") + (spent.length ? spent.map(([currency, amount]) => money(amount, currency)).join(" + ") : money("0", "USD")),
        Number(spent[0]?.[1] ?? 0), Number(before.cost?.[spent[0]?.[0] ?? "USD"] ?? 0), { line: line((row) => Number(costs(row)[0]?.[1] ?? 0)) }));
  }

  // ---- charts ----

  function makeCharts() {
    for (const made of charts) made.destroy();
    const hours = range === "day";
    const mark = (time) => new Date(time * 1000).toLocaleString(locale(), hours ? { weekday: "short", hour: "2-digit", minute: "2-digit" } : { weekday: "short", month: "short", day: "numeric" });
    const short = (time) => new Date(time * 1000).toLocaleString(locale(), hours ? { hour: "numeric" } : { month: "numeric", day: "numeric" });
    const common = { mark, short };
    charts = [
      chart({ ...common, title: t("overview.volume"), write: number, compact, least: 5, steps: COUNTS }),
      chart({ ...common, title: t("overview.deliveryRate"), write: percent, compact: (value) => percent(value, 0), top: 1 }),
      chart({ ...common, title: t("overview.optOutRate"), write: (value) => percent(value, 2), compact: (value) => percent(value, 1), least: 0.01 }),
      chart({ ...common, title: t("overview.time"), write: (value) => seconds(value), compact: (value) => seconds(value, { axis: true }), least: 5, steps: DURATIONS }),
    ];
    refill(plots, charts.map((made) => made.element));
    drawnRange = range;
  }

  function drawCharts(now, before) {
    if (drawnRange !== range) makeCharts();
    const times = now.map((row) => new Date(row.startTime).getTime() / 1000);
    const values = (rows, pick) => times.map((_, index) => (rows[index] === undefined ? null : pick(rows[index]) ?? null));
    const against = t(range === "month" ? "overview.before" : "overview.weekBefore");
    const compared = before.some((row) => row.sent > 0);
    const both = (pick, { bars = false, fill = false } = {}) => [
      { label: t("overview.now"), values: values(now, pick), colour: "--chart-1", bars, fill },
      ...(compared ? [{ label: against, values: values(before, pick), colour: "--chart-2", dash: true }] : []),
    ];
    charts[0].update(times, both((row) => row.sent, { bars: true }));
    charts[1].update(times, both((row) => row.deliveryRate));
    charts[2].update(times, both((row) => row.optOutRate, { fill: true }));
    charts[3].update(times, [
      { label: t("overview.median"), values: values(now, median), colour: "--chart-1", fill: true },
      { label: t("overview.p95"), values: values(now, (row) => row.timeToDelivery?.p95), colour: "--chart-3", dash: true },
    ]);
  }

  // ---- by sender, and what went wrong ----

  function drawRest(bySender, today) {
    const columns = [
      { title: t("feed.sender"), class: "fit", cell: (row) => (row.group && !row.isOther ? person(row.group) : t("overview.other")) },
      { title: t("overview.sent"), class: "right num", cell: (row) => number(row.sent) },
      { title: t("overview.deliveryRate"), class: "right num", cell: (row) => percent(row.deliveryRate) },
      { title: t("overview.optOutRate"), class: "right num", cell: (row) => percent(row.optOutRate, 2) },
      { title: t("overview.inbound"), class: "right num", cell: (row) => number(row.inbound) },
    ];
    const rows = [...bySender].sort((a, b) => b.sent - a.sent);
    const made = rows.length ? table(t("overview.bySender"), columns, rows) : empty(t("overview.quiet"), "");
    made.classList?.add("labelled");
    const wrong = [
      ...Object.entries(today.undelivered ?? {}).map(([code, count]) => [word("code", code), count, "bad", code]),
      ...Object.entries(today.failed ?? {}).map(([code, count]) => [word("code", code), count, "bad", code]),
      ...Object.entries(today.blocked ?? {}).map(([why, count]) => [word("blockedFor", why), count, "warn", ""]),
      ...["expired", "uncertain", "unknown"].map((state) => [word("state", state), today[state] ?? 0, "warn", ""]),
    ].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]).slice(0, TOP);
    const most = Math.max(1, ...wrong.map(([, count]) => count));
    refill(rest,
      h("section", { class: "card flush" }, h("h2", { class: "card-title" }, t("overview.bySender")), made),
      h("section", { class: "card" }, h("h2", {}, t("overview.wrong")),
        wrong.length ? h("ul", { class: "bars" }, wrong.map(([name, count, tone, code]) =>
          h("li", {}, h("div", { class: "row between" }, h("span", {}, name, code && name !== code && h("span", { class: "dim num" }, ` ${code}`)), h("strong", { class: "num" }, number(count))),
            h("meter", { class: tone, min: "0", max: String(most), value: String(count), "aria-label": `${name}: ${number(count)}` }))))
          : empty(t("overview.nothingWrong"), "")));
  }

  async function look(signal) {
    const asked = range;
    const now = Date.now();
    const morning = midnight(0), morningThen = midnight(-WEEK);
    const [[start, end], [startThen, endThen]] = spans(asked);
    const { interval } = RANGES[asked];
    const [today, then, series, seriesThen, senders] = await Promise.all([
      ask(morning, now, { interval: "total" }, signal),
      ask(morningThen, morningThen.getTime() + now - morning.getTime(), { interval: "total" }, signal),
      ask(start, end, { interval }, signal),
      ask(startThen, endThen, { interval }, signal),
      ask(morning, now, { interval: "total", groupBy: "sender" }, signal),
    ]);
    if (signal.aborted || asked !== range) return;
    refill(trouble);
    refill(asOf, today.upTo ? t("overview.asOf", { at: clock(today.upTo) }) : t("overview.notYet"));
    drawTiles(one(today), one(then), series.value);
    drawCharts(series.value, seriesThen.value);
    drawRest(senders.total, one(today));
  }

  const poller = poll(look, {
    every: EVERY,
    failed(error) {
      if (charts.length) return;
      refill(trouble, h("div", { class: "card flush" }, problem(error, () => poller.now())));
      tiles.hidden = choice.parentElement.hidden = Boolean(error.notAvailable);
    },
  });
  return {
    destroy() {
      poller.stop();
      for (const made of charts) made.destroy();
    },
  };
}
