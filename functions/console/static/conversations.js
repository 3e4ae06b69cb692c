// Conversations: the list, and beside it the one that is open.

import { after, alter, get, query, segment } from "./api.js";
import { composer } from "./composer.js";
import { h, icon, refill } from "./dom.js";
import { address, clock, day, moment } from "./format.js";
import { t, word } from "./i18n.js";
import { openMessage } from "./message.js";
import { poll } from "./poll.js";
import { senderChoice } from "./known.js";
import { announce, badge, button, confirm, empty, field, heading, path, person, problem, said, select, skeleton, tag, when } from "./ui.js";
import { why } from "./why.js";

const LIST_EVERY = 4000, EVERY = 2500, PAGE = 50, OLDER_PAGE = 200, OPTOUT_EVERY = 6;

export function mount(root, parameters) {
  const side = h("section", { class: "pane list", "aria-label": t("nav.conversations") });
  const main = h("section", { class: "pane thread" });
  const both = h("div", { class: "panes" }, side, main);
  refill(root, both);
  const list = conversationList(side);
  let open = null;

  // One is named by its id; one in which nothing has been said yet, by sender and person.
  function show([first, second], focus) {
    const name = [first, second].filter(Boolean).join("|");
    if (open && open.name === name) return;
    open?.destroy();
    open = null;
    both.classList.toggle("has-thread", Boolean(name));
    list.mark(name);
    if (name) {
      const named = second ? { ours: first, theirs: second } : { conversationId: first, ...list.between(first) };
      open = { name, destroy: thread(main, named, list, focus) };
    } else {
      refill(main, empty(t("conversations.choose"), t("conversations.chooseAbout")));
    }
  }

  show(parameters, false);
  return {
    update(next) {
      show(next, true);
      return true;
    },
    destroy() {
      open?.destroy();
      list.destroy();
    },
  };
}

// ---- the list ----

function conversationList(root) {
  let pages = 1, entries = [], next = null, marked = "", ours = "";
  const only = { unread: false, unanswered: false };
  const body = h("div", { class: "scroller" }, skeleton(7));
  const senders = h("span", { class: "contents" });
  const chips = Object.keys(only).map((name) =>
    h("button", { type: "button", class: "chip", "aria-pressed": "false", on: { click: (event) => toggle(name, event.currentTarget) } }, t(`conversations.${name}`)));
  refill(root,
    heading(t("nav.conversations"), button(t("conversations.new"), begin, { kind: "quiet", glyph: "plus" })),
    h("div", { class: "toolbar" }, senders, chips), body);
  senderChoice([["", t("conversations.anySender")]], { "aria-label": t("feed.sender") }).then((choice) => {
    choice.addEventListener("change", () => {
      ours = choice.value;
      reload();
    });
    refill(senders, choice);
  }).catch(() => {});

  function toggle(name, chip) {
    only[name] = !only[name];
    chip.setAttribute("aria-pressed", String(only[name]));
    reload();
  }

  function reload() {
    pages = 1;
    refill(body, skeleton(7));
    poller.now();
  }

  function draw() {
    if (!entries.length) {
      const chosen = only.unread ? t("conversations.noneUnread") : only.unanswered ? t("conversations.noneUnanswered") : "";
      refill(body, empty(chosen || t("conversations.none"), chosen ? "" : t("conversations.noneAbout")));
      return;
    }
    const focused = document.activeElement?.closest?.(".conversation")?.dataset.key;
    refill(body, h("ul", { class: "conversations" }, entries.map(line)),
      next && h("div", { class: "more" }, button(t("more"), () => {
        pages += 1;
        poller.now();
      }, { kind: "quiet" })));
    if (focused) body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function line(entry) {
    const last = entry.lastMessage;
    const id = entry.conversationId;
    return h("li", {}, h("a", {
      class: `conversation${entry.unread ? " unread" : ""}`, href: path("conversations", id), data: { key: id },
      "aria-current": id === marked ? "true" : undefined,
    },
    h("span", { class: "avatar", "aria-hidden": "true" }, entry.theirs.slice(-2)),
    h("span", { class: "who" }, person(entry.theirs), entry.unread && h("span", { class: "unseen" }, t("conversations.isUnread"))),
    last && when(last.at, moment),
    h("span", { class: "last", dir: "auto" }, last ? `${last.direction === "outbound" ? `${t("conversations.you")} ` : ""}${said(last)}` : ""),
    h("span", { class: "from" }, t("conversations.with", { ours: address(entry.ours) }), last?.keyword && [" ", tag(keywordOf(last.keyword), "warn")])));
  }

  let drawn = "";
  const poller = poll(async (signal) => {
    const found = [];
    let cursor = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(`conversations${query({ ours, unread: only.unread || "", unanswered: only.unanswered || "", maxpagesize: PAGE, after: cursor })}`, { signal });
      found.push(...answer.value);
      cursor = after(answer);
      if (cursor === null) break;
    }
    const look = JSON.stringify([found, cursor, marked, new Date().getDate()]);
    [entries, next] = [found, cursor];
    if (look === drawn && body.querySelector(".conversations, .empty")) return;
    drawn = look;
    draw();
  }, { every: LIST_EVERY, failed: (error) => refill(body, problem(error, () => poller.now())) });

  return {
    mark(id) {
      marked = id;
      for (const entry of body.querySelectorAll(".conversation")) {
        if (entry.dataset.key === marked) entry.setAttribute("aria-current", "true");
        else entry.removeAttribute("aria-current");
      }
    },
    // Between whom it is, as far as the list knows.
    between: (id) => entries.find((entry) => entry.conversationId === id),
    refresh: () => poller.now(),
    destroy: poller.stop,
  };
}

async function begin() {
  const sender = await senderChoice([], {}).catch(() => h("input", { required: true }));
  const to = h("input", { type: "tel", required: true, autocomplete: "off", placeholder: "+14255550123" });
  let chosen = null;
  const done = await confirm({
    title: t("conversations.new"),
    content: [field(t("conversations.from"), sender), field(t("conversations.to"), to, t("conversations.toHint"))],
    yes: t("conversations.open"),
    async act() {
      const number = to.value.replace(/[\s().\-/]/g, "");
      if (!/^\+[1-9]\d{6,14}$/.test(number)) throw new Error(t("error.number"));
      chosen = [sender.value, number];
    },
  });
  if (done) location.hash = path("conversations", ...chosen);
}

const keywordOf = (keyword) => (typeof keyword === "string" ? keyword : keyword.word);

// ---- one conversation ----

function thread(root, named, list, focus) {
  let stop = null, gone = false;

  async function find() {
    const { conversationId: id, ours, theirs } = named;
    if (id) return ours ? named : get(`conversations/${segment(id)}${query({ maxpagesize: 1 })}`);
    return (await get(`conversations${query({ ours, theirs })}`)).value[0];
  }

  function begin(found) {
    if (gone) return;
    list.mark(found.conversationId);
    stop = talk(root, found, list);
    if (focus) root.querySelector("h1").focus({ preventScroll: true });
  }

  function load() {
    refill(root, skeleton(4));
    find().then(begin).catch((error) => gone || refill(root, problem(error, load)));
  }

  if (named.conversationId && named.ours) begin(named);
  else load();
  return () => {
    gone = true;
    stop?.();
  };
}

function talk(root, { conversationId, ours, theirs }, list) {
  const items = [];
  const known = new Map();
  let older = null, loaded = false, reading = false, looks = 0, settled = false, readUpTo = "";
  const status = h("span", { class: "contents" });
  const log = h("ol", { class: "log" });
  const more = button(t("conversation.older"), loadOlder, { kind: "quiet" });
  more.hidden = true;
  const start = h("div", { class: "more" }, more);
  const scroller = h("div", { class: "scroller messages", tabindex: "0", role: "region", "aria-label": t("conversation.log", { person: address(theirs) }) }, skeleton(4));
  const writing = composer({ ours, theirs, sent: () => poller.now() });
  refill(root,
    h("header", { class: "thread-head" },
      h("a", { class: "icon-button back", href: "#/conversations", "aria-label": t("back") }, icon("back")),
      h("div", { class: "grow" }, h("h1", { tabindex: "-1" }, person(theirs)), h("p", { class: "dim" }, t("conversations.with", { ours: address(ours) }))),
      status),
    scroller, writing.element);

  const url = (members) => `conversations/${segment(conversationId)}${query(members)}`;
  const arrival = (item) => item.arrivedAt ?? item.at;
  const idOf = (item) => (item.type === "optOutChange" ? `change ${item.sequence}` : item.messageId);
  const order = (item) => `${item.at} ${idOf(item)}`;
  const look = (item) => `${item.state ?? ""}`;
  // Twice: what is not yet drawn has only a guessed height.
  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
    requestAnimationFrame(() => (scroller.scrollTop = scroller.scrollHeight));
  };
  const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;

  // Puts items where they belong; those that are there already are brought up to date. The new texts.
  function take(found) {
    const fresh = [];
    for (const item of found) {
      const id = idOf(item), before = known.get(id);
      if (before) {
        if (before.look !== look(item)) {
          const element = draw(item);
          before.element.replaceWith(element);
          Object.assign(before, { item, element, look: look(item) });
        }
        continue;
      }
      if (item.direction === "inbound" && item.type !== "optOutChange") fresh.push(item);
      const entry = { item, element: draw(item), look: look(item), key: order(item), day: null };
      if (settled) entry.element.classList.add("new");
      known.set(id, entry);
      let place = items.length;
      while (place > 0 && items[place - 1].key > entry.key) place -= 1;
      items.splice(place, 0, entry);
      log.insertBefore(entry.element, items[place + 1] ? (items[place + 1].day ?? items[place + 1].element) : null);
      dateLine(place);
      dateLine(place + 1);
    }
    return fresh;
  }

  function dateLine(place) {
    const entry = items[place];
    if (!entry) return;
    entry.day?.remove();
    entry.day = null;
    const today = day(entry.item.at);
    if (place > 0 && day(items[place - 1].item.at) === today) return;
    entry.day = h("li", { class: "date" }, h("span", {}, today));
    log.insertBefore(entry.day, entry.element);
  }

  function draw(item) {
    if (item.type === "optOutChange") {
      const words = t(item.direction === "out" ? "conversation.out" : "conversation.in", { channel: word("channel", item.channel) });
      return h("li", { class: `change ${item.direction}` }, h("a", { href: path("ledger", theirs) }, words), " ", when(item.at, clock),
        item.effect === "superseded" && [" ", tag(word("state", "superseded"))]);
    }
    const inbound = item.direction === "inbound";
    const state = inbound ? null : item.state;
    return h("li", { class: `bubble ${item.direction}`, data: { state: state ?? "" } },
      h("p", { class: "unseen" }, inbound ? t("conversation.they") : t("conversation.we")),
      h("p", { class: "words", dir: "auto" }, said(item)),
      h("p", { class: "meta" },
        when(item.at, clock),
        item.keyword && tag(keywordOf(item.keyword), "warn"),
        !inbound && item.segments > 1 && h("span", {}, t("segments", { n: item.segments })),
        h("button", { type: "button", class: "bare", "aria-label": t("message.open", { state: word("state", state ?? "received") }), on: { click: () => openMessage(item.messageId) } },
          state ? badge(state) : icon("chevron"))));
  }

  async function check() {
    const { value } = await get(`optouts${query({ recipient: theirs })}`);
    const out = value.filter((entry) => entry.isOptedOut);
    refill(status, h("a", { class: "standing", href: path("ledger", theirs), title: out.length ? why(out[0].entry) : t("ledger.seeHistory") },
      out.length ? tag(t("ledger.optedOut"), "warn") : value.length ? tag(t("ledger.optedIn"), "good") : tag(t("ledger.none"))));
  }

  async function loadOlder() {
    if (reading || older === null) return;
    reading = true;
    more.disabled = true;
    try {
      const page = await get(url({ order: "desc", maxpagesize: OLDER_PAGE, after: older }));
      const height = scroller.scrollHeight, top = scroller.scrollTop;
      take(page.value);
      older = after(page);
      more.hidden = older === null;
      scroller.scrollTop = top + scroller.scrollHeight - height;
    } catch {
      // The button stays; what is down is said by the banner.
    } finally {
      reading = false;
      more.disabled = false;
      // It tells only of changes, and the beginning may be in sight still.
      watch.unobserve(start);
      watch.observe(start);
    }
  }

  const watch = new IntersectionObserver((seen) => seen[0].isIntersecting && settled && loadOlder(), { root: scroller, rootMargin: "400px" });

  async function markRead() {
    // By arrival: a text that comes late stands above others that were read long ago.
    const texts = items.filter((entry) => entry.item.direction === "inbound" && entry.item.type !== "optOutChange");
    const last = texts.map((entry) => arrival(entry.item)).sort().at(-1);
    if (!last || document.hidden || readUpTo >= last) return;
    readUpTo = last;
    try {
      await alter("POST", `conversations/${segment(conversationId)}:markRead`, { body: { readUpTo: last } });
      list.refresh();
    } catch {
      readUpTo = "";
    }
  }

  // Before the first text there is no conversation.
  function nothingYet(error) {
    if (error.status !== 404 || error.code !== "NotFound") throw error;
    return { value: [] };
  }

  // A note under the box takes room from the log, and must not hide its end.
  let wasAtEnd = true;
  scroller.addEventListener("scroll", () => (wasAtEnd = atEnd()), { passive: true });
  const room = new ResizeObserver(() => wasAtEnd && settled && toEnd());
  room.observe(scroller);

  const poller = poll(async (signal) => {
    const page = await get(url({ order: "desc", maxpagesize: PAGE }), { signal }).catch(nothingYet);
    if (signal.aborted) return;
    const stay = settled && !atEnd();
    if (!loaded) {
      older = after(page);
      more.hidden = older === null;
      refill(scroller, start, log);
      loaded = true;
      watch.observe(start);
    }
    const top = scroller.scrollTop;
    const fresh = take(page.value);
    if (!items.length) refill(log, h("li", { class: "none" }, t("conversation.none")));
    else log.querySelector(".none")?.remove();
    if (stay) scroller.scrollTop = top;
    else toEnd();
    if (settled && fresh.length) announce(t("conversation.arrived", { n: fresh.length, text: fresh.at(-1).message ?? "" }));
    settled = true;
    if (looks % OPTOUT_EVERY === 0 || fresh.length) check().catch(() => {});
    looks += 1;
    markRead();
  }, { every: EVERY, failed: (error) => loaded || refill(scroller, problem(error, () => poller.now())) });

  return () => {
    poller.stop();
    watch.disconnect();
    room.disconnect();
    writing.destroy();
  };
}
