// The shell: navigation, the question for the key, the banner when nothing answers, and the views.

import { get, opens, query } from "./api.js";
import { fill, h, icon, refill } from "./dom.js";
import { clock } from "./format.js";
import { LANGUAGES, currentLanguage, setLanguage, t } from "./i18n.js";
import { forget, start, takeFromAddress } from "./key.js";
import { link, status, tryNow } from "./link.js";
import { keep, recall } from "./prefs.js";
import { announce, mountVoice, reason } from "./ui.js";
import * as campaigns from "./campaigns.js";
import * as conversations from "./conversations.js";
import * as feed from "./feed.js";
import * as ledger from "./ledger.js";
import * as overview from "./overview.js";
import * as quarantine from "./quarantine.js";
import * as senders from "./senders.js";

const VIEWS = { overview, live: feed, conversations, ledger, senders, quarantine, campaigns };
const THEMES = ["", "light", "dark"];
const GLYPHS = { "": "system", light: "sun", dark: "moon" };

const banner = h("div", { class: "banner", hidden: true });
const nav = h("nav", { id: "nav" });
const stage = h("main", { id: "main", tabindex: "-1" });
const menu = h("button", { type: "button", class: "icon-button menu", "aria-expanded": "false", "aria-controls": "side" }, icon("menu"));
const side = h("div", { class: "side", id: "side" });
let shown = { name: "", view: null };

// ---- the frame ----

function draw() {
  refill(side,
    h("div", { class: "brand" }, h("img", { src: "console/icon.svg", alt: "", width: "26", height: "26" }), h("span", {}, "Parley"), menu),
    nav, preferences());
  nav.setAttribute("aria-label", t("nav"));
  menu.setAttribute("aria-label", t("menu"));
  refill(nav, h("ul", {}, Object.keys(VIEWS).map((name) =>
    h("li", {}, h("a", { href: `#/${name}`, data: { view: name }, on: { click: () => openMenu(false) } }, icon(name), h("span", {}, t(`nav.${name}`)))))));
  refill(document.body, h("a", { class: "skip", href: "#main", on: { click: skip } }, t("skip")), side, h("div", { class: "page" }, banner, stage));
  mountVoice(document.body);
  drawBanner();
}

function skip(event) {
  event.preventDefault();
  stage.focus();
}

function openMenu(open) {
  side.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
}

function preferences() {
  const theme = recall("theme");
  const language = h("select", { "aria-label": t("language") }, Object.entries(LANGUAGES).map(([name, own]) => h("option", { value: name, lang: name }, own)));
  language.value = currentLanguage();
  language.addEventListener("change", () => {
    setLanguage(language.value);
    shown.view?.destroy();
    shown = { name: "", view: null };
    draw();
    route();
    side.querySelector(".preferences select").focus();
  });
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const palette = h("button", { type: "button", class: "icon-button", "aria-label": t("theme", { name: t(`theme.${theme || "system"}`) }), title: t(`theme.${theme || "system"}`) }, icon(GLYPHS[theme] ?? "system"));
  palette.addEventListener("click", () => {
    keep("theme", next);
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    side.querySelector(".preferences").replaceWith(preferences());
    side.querySelector(".preferences .icon-button").focus();
    dispatchEvent(new Event("palette"));
  });
  const lock = h("button", { type: "button", class: "icon-button", "aria-label": t("lock"), title: t("lock") }, icon("lock"));
  lock.addEventListener("click", () => {
    forget();
    location.reload();
  });
  return h("div", { class: "preferences" }, language, palette, lock);
}

// ---- the banner ----

function drawBanner() {
  const { down, since, next, lastAnswer, trouble } = status();
  banner.hidden = !down && !trouble;
  if (banner.hidden) return;
  if (!down) {
    refill(banner, h("p", {}, h("strong", {}, t("trouble.title")), " ", reason(trouble)));
    return;
  }
  const seconds = next ? Math.max(0, Math.ceil((next - Date.now()) / 1000)) : 0;
  refill(banner,
    h("p", {}, h("strong", {}, t("down.title")), " ", t("down.about", { at: clock(lastAnswer ?? since, true) })),
    h("p", { class: "num" }, seconds ? t("down.next", { n: seconds }) : t("down.now")),
    h("button", { type: "button", class: "quiet", on: { click: tryNow } }, t("down.try")));
}

function watchLink() {
  let ticking = 0;
  const tick = () => {
    drawBanner();
    clearTimeout(ticking);
    if (status().down) ticking = setTimeout(tick, 1000);
  };
  link.addEventListener("down", () => {
    announce(t("down.title"));
    tick();
  });
  link.addEventListener("wait", tick);
  link.addEventListener("up", () => {
    tick();
    announce(t("up"));
  });
  // The views ask again by themselves, but not every view has something to ask.
  link.addEventListener("try", () => {
    tick();
    get(`messages${query({ startTime: new Date(Date.now() - 1000).toISOString(), maxpagesize: 1 })}`).catch(() => {});
  });
}

// ---- the key ----

function askForKey(wasRefused) {
  const box = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-about key-trouble" });
  const trouble = h("p", { class: "trouble", id: "key-trouble", role: "alert" }, wasRefused ? t("key.lost") : "");
  const go = h("button", { type: "submit", class: "primary" }, t("key.open"));
  const form = h("form", { method: "dialog" },
    h("img", { src: "console/icon.svg", alt: "", width: "40", height: "40" }),
    h("h2", { id: "key-title" }, t("key.title")),
    h("p", { class: "about", id: "key-about" }, t("key.about")),
    h("div", { class: "field" }, h("label", { for: "key" }, t("key.label")), box),
    trouble, h("div", { class: "dialog-actions" }, go));
  const dialog = h("dialog", { class: "key", "aria-labelledby": "key-title" }, form);
  // There is nothing behind it that could be used without a key.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  return new Promise((settle) => {
    const close = (value) => {
      dialog.close();
      dialog.remove();
      removeEventListener("hashchange", brought);
      settle(value);
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const value = box.value.trim();
      // What no header can hold is no key.
      const fits = /^[\x21-\x7e]+$/.test(value);
      go.disabled = true;
      const fitting = fits ? await opens(value) : false;
      go.disabled = false;
      if (fitting) {
        close(value);
        return;
      }
      refill(trouble, fitting === null ? t("error.unanswered") : t("key.wrong"));
      box.select();
    });
    const brought = () => {
      if (!/^#key=/.test(location.hash)) return;
      takeFromAddress();
      close(sessionStorage.getItem("parley.key"));
    };
    addEventListener("hashchange", brought);
    dialog.showModal();
    box.focus();
  });
}

// ---- the way to a view ----

function parts() {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

function route() {
  if (/^#key=/.test(location.hash)) {
    takeFromAddress();
  }
  const [asked, ...parameters] = parts();
  const name = asked in VIEWS ? asked : "overview";
  for (const entry of nav.querySelectorAll("a")) {
    if (entry.dataset.view === name) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
  }
  document.title = `${t(`nav.${name}`)} · Parley`;
  if (shown.name === name && shown.view.update?.(parameters)) return;
  const first = shown.name === "";
  shown.view?.destroy();
  const root = h("div", { class: `view view-${name}` });
  refill(stage, root);
  shown = { name, view: VIEWS[name].mount(root, parameters) };
  scrollTo(0, 0);
  if (!first) root.querySelector("h1")?.focus({ preventScroll: true });
}

menu.addEventListener("click", () => openMenu(!side.classList.contains("open")));
addEventListener("keydown", (event) => event.key === "Escape" && openMenu(false));
addEventListener("hashchange", route);
fill(document.body);
draw();
watchLink();
start(askForKey);
route();
