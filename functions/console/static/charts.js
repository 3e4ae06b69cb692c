// Charts over time, drawn by uPlot from our own files. Beside each there is a table that says the
// same to people who do not see it.

import { h, refill } from "./dom.js";
import { locale, t } from "./i18n.js";

const HEIGHT = 190;
let library = null;

function load() {
  library ??= new Promise((ready, failed) => {
    // uPlot hands the browser's language to Intl while it is read, and is dead where that is no tag.
    Object.defineProperty(navigator, "language", { value: locale(), configurable: true });
    document.head.append(h("link", { rel: "stylesheet", href: "console/uplot.css" }));
    const script = h("script", { src: "console/uplot.js" });
    script.addEventListener("load", () => ready(globalThis.uPlot));
    script.addEventListener("error", () => {
      library = null;
      script.remove();
      failed(new Error(t("error.unanswered")));
    });
    document.head.append(script);
  });
  return library;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// `series`: [{label, values, colour, bars, fill, dash}]; `write` makes a text of a value, `mark` of a
// moment in seconds, `short` the same for the axis. `top` is the most that there can be, `least` what the
// axis shows at least, `steps` the distances that its marks may have. Returns {element, update, destroy}.
export function chart({ title, write, mark, short, compact = write, top, least = 1e-9, steps }) {
  const figure = h("p", { class: "chart-now num", "aria-hidden": "true" });
  const place = h("div", { class: "chart-place" });
  const rows = h("tbody");
  const names = h("tr");
  const element = h("section", { class: "card chart" },
    h("div", { class: "row between wrap" }, h("h2", {}, title), figure), place,
    h("details", {}, h("summary", {}, t("chart.table")), h("div", { class: "chart-table", tabindex: "0", role: "region", "aria-label": title }, h("table", {}, h("caption", { class: "unseen" }, title), h("thead", {}, names), rows))));
  let plot = null, shown = null, dead = false;

  function legend(index) {
    if (!shown) return;
    refill(figure, index !== null && h("span", { class: "dim" }, `${mark(shown.times[index])} `),
      shown.series.map((one) => h("span", { class: "key" }, h("i", { class: one.dash ? "dashed" : "", data: { colour: one.colour } }), index === null ? one.label : write(one.values[index]))));
    for (const dot of figure.querySelectorAll("i")) dot.style.setProperty("background", colour(dot.dataset.colour));
  }

  async function draw() {
    if (!shown || dead) return;
    const Plot = await load();
    if (dead) return;
    plot?.destroy();
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("--ink-3"), font, ticks: { show: false } };
    plot = new Plot({
      width: Math.max(200, place.clientWidth), height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
      padding: [10, 10, 0, 0],
      scales: { x: { time: true, range: (_, low, high) => edges(low, high) }, y: { range: (_, low, high) => reach(low, high) } },
      axes: [
        { ...axis, grid: { show: false }, space: 64, values: (_, splits) => splits.map(short), size: 28 },
        { ...axis, grid: { stroke: colour("--line"), width: 1 }, values: (_, splits) => splits.map(compact), size: 52, space: 42, gap: 4, ...(steps && { incrs: steps }) },
      ],
      series: [{}, ...shown.series.map((one) => ({
        stroke: colour(one.colour), width: one.bars ? 0 : 1.75, dash: one.dash ? [4, 4] : undefined,
        fill: one.bars ? colour(one.colour) : one.fill ? `${colour(one.colour)}1f` : undefined,
        paths: one.bars ? Plot.paths.bars({ size: [0.62, 34], radius: 0.18 }) : undefined,
        points: { show: !one.bars && one.values.filter((value) => value !== null).length < 3, size: 5 },
      }))],
      hooks: { setCursor: [(made) => legend(made.cursor.idx ?? null)] },
    }, [shown.times, ...shown.series.map((one) => one.values)], place);
    legend(null);
  }

  // A rate near its top is seen best from near by; everything else begins at nought.
  function reach(low, high) {
    if (top === undefined) return [0, Math.max((high ?? 0) * 1.12, least)];
    const floor = [0.9, 0.8, 0.5].find((share) => low !== null && low > share) ?? 0;
    // A little more, so that a line at the very top is seen whole.
    return [floor, top + (top - floor) * 0.03];
  }

  // Half a bar of room at both ends.
  function edges(low, high) {
    const { times, series } = shown;
    const half = series.some((one) => one.bars) && times.length > 1 ? (times[1] - times[0]) / 2 : 0;
    return [low - half, high + half];
  }

  const resized = new ResizeObserver(() => plot && plot.width !== place.clientWidth && place.clientWidth && plot.setSize({ width: place.clientWidth, height: HEIGHT }));
  resized.observe(place);
  const repaint = () => draw();
  const palette = matchMedia("(prefers-color-scheme: dark)");
  palette.addEventListener("change", repaint);
  addEventListener("palette", repaint);

  return {
    element,
    update(times, series) {
      const same = JSON.stringify([times, series]);
      if (shown?.same === same) return;
      shown = { times, series, same };
      refill(names, h("th", { scope: "col" }, t("chart.time")), series.map((one) => h("th", { scope: "col" }, one.label)));
      refill(rows, times.map((time, index) => h("tr", {}, h("th", { scope: "row" }, mark(time)), series.map((one) => h("td", { class: "num" }, write(one.values[index]))))));
      draw().catch(() => refill(place, h("p", { class: "dim" }, t("chart.none"))));
    },
    destroy() {
      dead = true;
      plot?.destroy();
      resized.disconnect();
      palette.removeEventListener("change", repaint);
      removeEventListener("palette", repaint);
    },
  };
}
