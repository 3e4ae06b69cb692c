// The senders: what each may do, how fast it goes now, and how it has fared in the last day.

import { get, query } from "./api.js";
import { h, refill } from "./dom.js";
import { number, percent, relative, clock } from "./format.js";
import { t, word } from "./i18n.js";
import { poll } from "./poll.js";
import { empty, heading, pairs, person, problem, skeleton, tag } from "./ui.js";

const EVERY = 5000, HEALTH_EVERY = 12, LOW_DELIVERY = 0.9, HIGH_OPT_OUT = 0.03, FEWEST = 20;

export function mount(root) {
  const body = h("div", { class: "grid two" }, h("div", { class: "card" }, skeleton(4)), h("div", { class: "card" }, skeleton(4)));
  refill(root, heading(t("nav.senders")), body);
  let looks = 0, health = null, drawn = "";

  async function lookAtHealth(signal) {
    try {
      const end = new Date(), start = new Date(end - 24 * 3600e3);
      const found = await get(`analytics${query({ startTime: start.toISOString(), endTime: end.toISOString(), interval: "total", groupBy: "sender" })}`, { signal });
      health = new Map(found.total.map((row) => [row.group, row]));
    } catch (error) {
      if (signal.aborted || error.status === undefined) throw error;
      // Without figures the senders are shown all the same.
    }
  }

  const poller = poll(async (signal) => {
    const [{ value }] = await Promise.all([get("senders", { signal }), looks % HEALTH_EVERY === 0 ? lookAtHealth(signal) : null]);
    looks += 1;
    const look = JSON.stringify([value, [...(health ?? [])], Math.floor(Date.now() / 30e3)]);
    if (look === drawn) return;
    drawn = look;
    refill(body, value.length ? value.map((sender) => card(sender, health?.get(sender.sender), health !== null)) : empty(t("senders.none"), ""));
  }, { every: EVERY, failed: (error) => refill(body, h("div", { class: "card flush" }, problem(error, () => poller.now()))) });
  return { destroy: poller.stop };
}

function condition(sender, figures, counted) {
  const slowed = sender.pace?.slowedUntil && new Date(sender.pace.slowedUntil) > Date.now();
  if (slowed) return ["slowed", "warn"];
  if (!counted) return null;
  if (!figures || figures.sent < FEWEST) return ["quiet", "dim"];
  if (figures.deliveryRate !== null && figures.deliveryRate < LOW_DELIVERY) return ["undelivered", "bad"];
  if (figures.optOutRate !== null && figures.optOutRate > HIGH_OPT_OUT) return ["optOuts", "warn"];
  return ["well", "good"];
}

function card(sender, figures, counted) {
  const [name, tone] = condition(sender, figures, counted) ?? [];
  const pace = sender.pace ?? {};
  const booked = pace.nextFreeAt && new Date(pace.nextFreeAt) > Date.now();
  return h("article", { class: "card sender" },
    h("header", { class: "row between" },
      h("div", { class: "grow" }, h("h2", {}, person(sender.sender)), h("p", { class: "dim" }, [word("kind", sender.kind), sender.brand, sender.program].filter(Boolean).join(" · "))),
      name && tag(t(`senders.is.${name}`), tone)),
    figures && figures.sent > 0 && h("dl", { class: "figures" },
      figure(t("senders.sent"), number(figures.sent)),
      figure(t("senders.delivered"), percent(figures.deliveryRate)),
      figure(t("senders.optOuts"), percent(figures.optOutRate, 2)),
      figure(t("senders.inbound"), number(figures.inbound))),
    pairs([
      [t("senders.rate"), sender.ratePerMinute === null || sender.ratePerMinute === undefined ? "–" : t("senders.perMinute", { n: number(sender.ratePerMinute) })],
      pace.ratePerMinuteNow !== undefined && pace.ratePerMinuteNow !== sender.ratePerMinute && [t("senders.now"), t("senders.perMinute", { n: number(pace.ratePerMinuteNow) })],
      [t("senders.queue"), booked ? t("senders.booked", { at: clock(pace.nextFreeAt, true), in: relative(pace.nextFreeAt) }) : t("senders.free")],
      name === "slowed" && [t("senders.slowed"), t("senders.until", { at: clock(pace.slowedUntil, true) })],
      [t("senders.stop"), word("stop", sender.stopAnsweredBy ?? "nobody")],
    ]));
}

const figure = (name, value) => h("div", {}, h("dt", {}, name), h("dd", { class: "num" }, value));
