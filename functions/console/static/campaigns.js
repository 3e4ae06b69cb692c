// Campaigns: how far each is, when it will be through, and the means to hold it up or end it.

import { after, alter, get, query, segment } from "./api.js";
import { h, refill } from "./dom.js";
import { dateTime, number, percent, relative } from "./format.js";
import { t, word } from "./i18n.js";
import { poll } from "./poll.js";
import { badge, button, confirm, empty, heading, pairs, path, person, problem, reason, said, skeleton, table, tag, toast, when } from "./ui.js";

const EVERY = 3000, LIST_EVERY = 6000, PAGE = 25;
const WAITING = new Set(["queued", "scheduled", "sending"]);
const ORDER = ["delivered", "sent", "sending", "queued", "scheduled", "blocked", "capped", "undelivered", "failed", "expired", "canceled", "uncertain", "unknown"];

export function mount(root, parameters) {
  let open = null;
  const show = ([campaignId]) => {
    open?.();
    open = campaignId ? one(root, campaignId) : list(root);
  };
  show(parameters);
  return {
    update(next) {
      show(next);
      root.querySelector("h1")?.focus({ preventScroll: true });
      return true;
    },
    destroy: () => open?.(),
  };
}

function list(root) {
  const body = h("div", { class: "card flush" }, skeleton(5));
  refill(root, heading(t("nav.campaigns")), body);
  let pages = 1, drawn = "";
  const columns = [
    { title: t("campaigns.name"), class: "fit", cell: (item) => h("a", { href: path("campaigns", item.campaignId) }, item.campaignId) },
    { title: t("campaigns.state"), class: "fit", cell: (item) => badge(item.state) },
    { title: t("campaigns.text"), class: "wide", cell: (item) => h("span", { class: "clamp", dir: "auto" }, said(item)) },
    { title: t("campaigns.recipients"), class: "fit num right", cell: (item) => number(item.totals?.recipients) },
    { title: t("campaigns.start"), class: "fit", cell: (item) => when(item.startAt, dateTime) },
  ];
  const poller = poll(async (signal) => {
    const found = [];
    let cursor = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(`campaigns${query({ maxpagesize: PAGE, after: cursor })}`, { signal });
      found.push(...answer.value);
      cursor = after(answer);
      if (cursor === null) break;
    }
    const sight = JSON.stringify([found, cursor]);
    if (sight === drawn) return;
    drawn = sight;
    if (!found.length) {
      refill(body, empty(t("campaigns.none"), t("campaigns.noneAbout")));
      return;
    }
    const made = table(t("nav.campaigns"), columns, found);
    made.classList.add("labelled");
    refill(body, made, cursor && h("div", { class: "more" }, button(t("more"), () => {
      pages += 1;
      poller.now();
    }, { kind: "quiet" })));
  }, { every: LIST_EVERY, failed: (error) => refill(body, problem(error, () => poller.now())) });
  return poller.stop;
}

function one(root, campaignId) {
  const body = h("div", { class: "stack" }, h("div", { class: "card" }, skeleton(6)));
  const steering = h("div", { class: "actions" });
  refill(root, h("p", {}, h("a", { href: "#/campaigns" }, t("campaigns.all"))), heading(campaignId, steering), body);
  let drawn = "";

  async function steer(operation) {
    const act = () => alter("POST", `campaigns/${segment(campaignId)}:${operation}`);
    try {
      if (operation === "cancel") {
        const done = await confirm({ title: t("campaigns.cancel.title"), about: t("campaigns.cancel.about"), yes: t("campaigns.cancel"), danger: true, act });
        if (!done) return;
      } else {
        await act();
      }
      toast(t(`campaigns.${operation}.done`));
    } catch (error) {
      toast(reason(error));
    }
    poller.now();
  }

  function draw(campaign) {
    const can = { pause: ["running", "scheduled", "preparing"], resume: ["paused"], cancel: ["running", "scheduled", "preparing", "paused"] };
    const focused = document.activeElement?.dataset?.operation;
    refill(steering, Object.keys(can).filter((operation) => can[operation].includes(campaign.state))
      .map((operation) => button(t(`campaigns.${operation}`), () => steer(operation), { kind: "quiet", "data-operation": operation })));
    if (focused) steering.querySelector(`[data-operation="${focused}"]`)?.focus();
    const counts = Object.entries(campaign.counts ?? {}).filter(([, count]) => count > 0)
      .sort(([one], [other]) => ORDER.indexOf(one) - ORDER.indexOf(other));
    const all = campaign.totals?.recipients ?? 0;
    const waiting = counts.filter(([state]) => WAITING.has(state)).reduce((sum, [, count]) => sum + count, 0);
    const settled = counts.reduce((sum, [, count]) => sum + count, 0) - waiting;
    const share = all ? Math.min(1, settled / all) : 0;
    refill(body,
      h("section", { class: "card stack" },
        h("div", { class: "row wrap" }, badge(campaign.state), campaign.reason && h("span", { class: "trouble" }, campaign.reason)),
        campaign.totals && h("div", { class: "stack tight" },
          h("div", { class: "row between" }, h("strong", { class: "num" }, t("campaigns.progress", { done: number(settled), all: number(all) })), h("span", { class: "num" }, percent(share, 0))),
          h("progress", { value: String(share), max: "1", "aria-label": t("campaigns.progressLabel") })),
        counts.length > 0 && h("dl", { class: "figures wide" }, counts.map(([state, count]) =>
          h("div", {}, h("dt", {}, badge(state)), h("dd", { class: "num" }, number(count)))))),
      h("div", { class: "grid two" },
        h("section", { class: "card" }, h("h2", {}, t("campaigns.about")), pairs([
          [t("campaigns.text"), h("span", { dir: "auto" }, said(campaign))],
          [t("campaigns.senders"), campaign.senders.map((sender) => h("div", {}, person(sender)))],
          [t("campaigns.start"), dateTime(campaign.startAt)],
          campaign.eta && [t("campaigns.eta"), h("span", {}, `${dateTime(campaign.eta)} (${relative(campaign.eta)})`)],
          campaign.finishedAt && [t("campaigns.finished"), dateTime(campaign.finishedAt)],
          campaign.ratePerMinute !== null && campaign.ratePerMinute !== undefined && [t("campaigns.rate"), t("senders.perMinute", { n: number(Math.round(campaign.ratePerMinute)) })],
          campaign.category && [t("message.category"), word("category", campaign.category)],
          campaign.tag && [t("message.tag"), h("span", { dir: "auto" }, campaign.tag)],
        ])),
        campaign.totals && h("section", { class: "card" }, h("h2", {}, t("campaigns.list")), pairs([
          [t("campaigns.rows"), number(campaign.totals.rows)],
          [t("campaigns.recipients"), number(campaign.totals.recipients)],
          [t("campaigns.refused"), number(campaign.totals.refused)],
          [t("campaigns.duplicates"), number(campaign.totals.duplicates)],
          [t("campaigns.segments"), number(campaign.totals.segments)],
        ]))),
      campaign.errors?.length > 0 && h("section", { class: "card" }, h("h2", {}, t("campaigns.errors")),
        h("ul", { class: "bars" }, campaign.errors.map((error) => h("li", { class: "row between" }, h("span", {}, error.reason ?? error.message ?? error.code), tag(number(error.count)))))));
  }

  const poller = poll(async (signal) => {
    const campaign = await get(`campaigns/${segment(campaignId)}`, { signal });
    const sight = JSON.stringify([campaign, Math.floor(Date.now() / 60e3)]);
    if (sight === drawn) return;
    drawn = sight;
    draw(campaign);
  }, { every: EVERY, failed: (error) => refill(body, h("div", { class: "card flush" }, problem(error, () => poller.now()))) });
  return poller.stop;
}
