// The handsets page. It shows the simulator's own account, live, and sends as the person who holds
// a handset or as the application. Whatever came from a message is put in by textContent only.

const MAX_EVENTS = 200;
const FIRST_HANDSETS = ["+14255550101", "+14255550102"];
const QUICK_REPLIES = ["YES", "STOP", "START", "HELP"];
const KINDS = {
  tollFree: "toll-free",
  shortCode: "short code",
  tenDlc: "10DLC",
  longCode: "mobile",
  alphanumeric: "alphanumeric",
};
const $ = (id) => document.getElementById(id);

const state = {
  senders: [],
  fates: new Map(), // number → sentence
  phones: new Map(), // number → {texts: Map, element, list}
  messages: new Map(), // ACS's message id → message
  deliveries: new Map(), // event id → state of its delivery to Parley
};

// ---- talking to the platform ----

async function call(method, path, body) {
  const response = await fetch(`/simulator${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const parsed = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Error(parsed?.error?.message ?? `The platform answered ${response.status}.`);
  return parsed;
}

// ---- small helpers ----

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function pretty(address) {
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(address);
  return american ? `+1 ${american[1]} ${american[2]} ${american[3]}` : address;
}

function clock(iso) {
  return new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

function parts(count) {
  return count === 1 ? "1 segment" : `${count} segments`;
}

// ---- handsets ----

function phone(number) {
  const known = state.phones.get(number);
  if (known) return known;
  const element = $("phone-template").content.firstElementChild.cloneNode(true);
  const title = element.querySelector("h3");
  title.textContent = pretty(number);
  element.setAttribute("aria-label", `Handset ${pretty(number)}`);
  element.querySelector(".avatar").textContent = number.slice(-2);
  element.querySelector(".about").textContent = state.fates.get(number) ?? "";
  const made = { number, texts: new Map(), peers: new Set(), element, list: element.querySelector(".texts") };
  made.list.setAttribute("aria-label", `Texts of ${pretty(number)}`);
  furnishReply(made);
  state.phones.set(number, made);
  $("phones").insertBefore(element, $("add"));
  suggest();
  return made;
}

function furnishReply(made) {
  const form = made.element.querySelector("form");
  const select = form.querySelector("select");
  const box = form.querySelector("textarea");
  const problem = form.querySelector(".problem");
  box.setAttribute("aria-label", `Reply from ${pretty(made.number)}`);
  box.placeholder = "Write a reply";
  fillSenders(select, (sender) => sender.canBeAnswered, "brand");
  const say = async (text) => {
    problem.textContent = "";
    try {
      await call("POST", `/handsets/${encodeURIComponent(made.number)}/messages`, { to: select.value, message: text });
      return true;
    } catch (error) {
      problem.textContent = error.message;
      return false;
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (box.value.trim() && (await say(box.value))) box.value = "";
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  for (const word of QUICK_REPLIES) {
    const chip = make("button", "chip", word);
    chip.type = "button";
    chip.addEventListener("click", () => say(word));
    form.querySelector(".quick").append(chip);
  }
}

function fillSenders(select, admits, beside) {
  select.replaceChildren(
    ...state.senders.filter(admits).map((sender) => {
      const words = beside === "kind" ? KINDS[sender.kind] : sender.brand;
      const option = make("option", "", [pretty(sender.sender), words].filter(Boolean).join(", "));
      option.value = sender.sender;
      return option;
    }),
  );
}

function place(made, key, at, element) {
  const atEnd = made.list.scrollHeight - made.list.scrollTop - made.list.clientHeight < 60;
  const old = made.texts.get(key);
  made.texts.set(key, { at, element });
  if (old) {
    old.element.replaceWith(element);
  } else {
    const later = [...made.texts.values()].filter((entry) => entry.at > at && entry.element.isConnected);
    later.sort((a, b) => (a.at < b.at ? -1 : 1));
    made.list.insertBefore(element, later[0]?.element ?? null);
  }
  if (atEnd) made.list.scrollTop = made.list.scrollHeight;
}

function drawText(text, isNew) {
  const made = phone(text.handset);
  const element = make("li", `text ${text.direction}${isNew ? " new" : ""}`);
  if (text.origin === "carrier" || text.origin === "platform") element.classList.add("automatic");
  const first = made.peers.size === 1 && !made.peers.has(text.peer);
  made.peers.add(text.peer);
  element.append(make("div", "bubble", text.text), metaOf(text));
  place(made, text.id, text.at, element);
  made.texts.get(text.id).text = text;
  // From the second sender on, each text says whose it is.
  if (first) for (const entry of made.texts.values()) redrawMeta(entry);
  const select = made.element.querySelector("select");
  if (text.direction === "received" && document.activeElement !== select) {
    if ([...select.options].some((option) => option.value === text.peer)) select.value = text.peer;
  }
}

function metaOf(text) {
  const meta = make("div", "meta", clock(text.at));
  if (phone(text.handset).peers.size > 1) meta.append(` · ${pretty(text.peer)}`);
  if (text.origin === "carrier") meta.append(" · answered by the carrier");
  else if (text.origin === "platform") meta.append(" · answered by ACS");
  else if (text.segments > 1) meta.append(` · ${parts(text.segments)}`);
  const delivery = state.deliveries.get(text.id);
  if (text.direction === "sent" && delivery) meta.append(" · ", deliveryMark(delivery, "Parley knows"));
  if (text.direction === "received" && delivery) meta.append(" · ", deliveryMark(delivery, "reported"));
  return meta;
}

function redrawMeta(entry) {
  if (entry?.text) entry.element.querySelector(".meta").replaceWith(metaOf(entry.text));
}

function deliveryMark(delivery, done) {
  if (delivery === "delivered") return make("span", "good", `✓ ${done}`);
  if (delivery === "deadLettered") return make("span", "bad", "dead-lettered");
  if (delivery === "retrying") return make("span", "wait", "Parley failed, retrying");
  if (delivery === "held") return make("span", "wait", "event held");
  return make("span", "wait", "waiting for Parley");
}

function drawMessage(message, isNew) {
  state.messages.set(message.id, message);
  if (message.state !== "failed" && message.state !== "lost") return;
  const made = phone(message.to);
  if (made.texts.get(message.id)?.text) return; // It arrived all the same.
  const why = message.state === "lost" ? "never arrived, never reported" : message.details || "not delivered";
  const element = make("li", `text never${isNew ? " new" : ""}`);
  element.append(make("div", "bubble", `Not delivered from ${pretty(message.from)}: ${why}`));
  element.append(make("div", "meta", clock(message.at)));
  element.title = message.text;
  place(made, message.id, message.at, element);
}

function noteDelivery(delivery) {
  for (const event of delivery.events) {
    if (!event?.id) continue;
    state.deliveries.set(event.id, delivery.state);
    for (const made of state.phones.values()) redrawMeta(made.texts.get(event.id));
  }
}

// ---- the application ----

function recipients() {
  return $("send-to").value.split(/[\s,;]+/).filter(Boolean);
}

function suggest() {
  const chosen = new Set(recipients());
  $("suggestions").replaceChildren(
    ...[...state.phones.keys()].filter((number) => !chosen.has(number)).map((number) => {
      const chip = make("button", "chip", pretty(number));
      chip.type = "button";
      chip.setAttribute("aria-label", `Add ${pretty(number)}`);
      chip.addEventListener("click", () => {
        $("send-to").value = [...recipients(), number].join(", ");
        suggest();
      });
      return chip;
    }),
  );
}

function countText() {
  const length = [...$("send-text").value].length;
  $("send-count").textContent = `${length} ${length === 1 ? "character" : "characters"}`;
}

async function sendFromApplication(event) {
  event.preventDefault();
  const button = $("send").querySelector("button[type=submit]");
  const body = {
    from: $("send-from").value,
    smsRecipients: recipients().map((to) => ({ to })),
    message: $("send-text").value,
    smsSendOptions: { enableDeliveryReport: true },
  };
  if ($("send-category").value) body.category = $("send-category").value;
  button.disabled = true;
  try {
    showAnswer(await call("POST", "/application/messages", body));
  } catch (error) {
    showAnswer({ status: 0, body: error.message });
  } finally {
    button.disabled = false;
  }
}

function showAnswer({ status, body }) {
  const box = $("answer");
  const items = Array.isArray(body?.value) ? body.value : [];
  const refused = items.filter((item) => item.successful === false).length;
  const good = status >= 200 && status < 300;
  box.replaceChildren(make("p", `verdict ${good && !refused ? "good" : "bad"}`, verdictOf(status, body, items.length, refused)));
  const list = make("ol", "results");
  for (const item of items) {
    const why = item.successful === false ? `${item.httpStatusCode}: ${item.errorMessage ?? "refused"}` : "accepted";
    list.append(make("li", item.successful === false ? "refused" : "", `${pretty(item.to)}, ${why}`));
  }
  for (const [member, reasons] of Object.entries(body?.errors ?? {})) {
    list.append(make("li", "refused", `${member}: ${[reasons].flat().join(" ")}`));
  }
  if (list.childElementCount) box.append(list);
  if (typeof body === "object" && body !== null) {
    const details = make("details");
    details.append(make("summary", "", "The whole answer"), make("pre", "", JSON.stringify(body, null, 2)));
    box.append(details);
  }
  box.hidden = false;
}

function verdictOf(status, body, total, refused) {
  if (typeof body === "string") return body || `Parley answered ${status} without a body.`;
  if (total) return refused ? `${refused} of ${total} refused` : total === 1 ? "Accepted" : `All ${total} accepted`;
  const said = body?.detail ?? body?.title ?? body?.error?.message;
  return said ? `${status}: ${said}` : `Parley answered ${status}.`;
}

// ---- relayed events ----

const drawnEvents = new Set();

function drawEvent({ sequence, receivedAt, event }, isNew) {
  if (drawnEvents.has(sequence)) return;
  drawnEvents.add(sequence);
  const item = make("li", isNew ? "new" : "");
  const head = make("div", "event-head");
  const time = make("time", "", clock(receivedAt));
  time.dateTime = receivedAt;
  head.append(make("span", `kind ${kindOf(event)}`, String(event.type).replace(/^Parley\./, "")), time);
  const details = make("details");
  details.append(make("summary", "", "event"), make("pre", "", JSON.stringify(event, null, 2)));
  item.append(head, make("div", "gist", gistOf(event)), details);
  $("events").prepend(item);
  while ($("events").childElementCount > MAX_EVENTS) $("events").lastElementChild.remove();
  $("event-count").textContent = `${drawnEvents.size} so far`;
}

function kindOf(event) {
  if (/OptOut/.test(event.type)) return "opt";
  if (/DeliveryReport/.test(event.type)) return event.data?.deliveryStatus === "Delivered" ? "delivered" : "failed";
  return /Received/.test(event.type) ? "received" : "";
}

function gistOf(event) {
  const data = event.data ?? {};
  if (typeof data.isOptedOut === "boolean") {
    const turn = data.isOptedOut ? "opted out of" : "opted in to";
    return `${pretty(String(data.recipient ?? ""))} ${turn} ${data.program ?? pretty(String(data.sender ?? ""))} (${data.channel ?? "unknown"})`;
  }
  const way = data.from && data.to ? `${pretty(data.from)} → ${pretty(data.to)}` : pretty(String(data.address ?? event.subject ?? ""));
  const what = data.message ?? [data.deliveryStatus, data.deliveryStatusDetails].filter(Boolean).join(", ");
  return [way, what].filter(Boolean).join(": ");
}

// ---- life ----

async function loadEverything() {
  const [account, topic, deliveries] = await Promise.all([
    call("GET", "/account"), call("GET", "/topic"), call("GET", "/events"),
  ]);
  for (const made of state.phones.values()) {
    made.texts.clear();
    made.peers.clear();
    made.list.replaceChildren();
  }
  state.messages.clear();
  state.deliveries.clear();
  drawnEvents.clear();
  $("events").replaceChildren();
  $("event-count").textContent = "none yet";
  for (const delivery of deliveries.value) noteDelivery(delivery);
  for (const handset of account.handsets) phone(handset.number);
  for (const number of FIRST_HANDSETS) if (state.phones.size < FIRST_HANDSETS.length) phone(number);
  for (const handset of account.handsets) for (const text of handset.texts) drawText(text, false);
  for (const message of account.messages) drawMessage(message, false);
  for (const entry of topic.value) drawEvent(entry, false);
  for (const made of state.phones.values()) made.list.scrollTop = made.list.scrollHeight;
}

function say(condition, words) {
  $("link").dataset.state = condition;
  $("link").textContent = words;
}

function listen() {
  // News that come while everything is being fetched wait, or the fetched state would hide them.
  let waiting = [];
  const source = new EventSource("/simulator/stream");
  const handle = {
    handset: ({ number, text }) => (text ? drawText(text, true) : phone(number)),
    message: (message) => drawMessage(message, true),
    delivery: noteDelivery,
    topic: (entry) => drawEvent(entry, true),
  };
  const refresh = async () => {
    waiting = [];
    try {
      await loadEverything();
    } catch (error) {
      say("lost", error.message);
      return;
    }
    const missed = waiting;
    waiting = null;
    for (const [kind, data] of missed) handle[kind](data);
    say("live", "live");
  };
  source.addEventListener("hello", refresh);
  source.addEventListener("reset", refresh);
  for (const kind of Object.keys(handle)) {
    source.addEventListener(kind, (event) => {
      const data = JSON.parse(event.data);
      if (waiting) waiting.push([kind, data]);
      else handle[kind](data);
    });
  }
  source.onerror = () => {
    say("lost", "platform not reached");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  };
}

async function addHandset(number) {
  $("add-problem").textContent = "";
  try {
    const digits = number.replace(/[\s().-]/g, "");
    const made = await call("PUT", `/handsets/${encodeURIComponent(digits)}`);
    phone(made.number).element.scrollIntoView({ block: "nearest", inline: "center" });
    $("add").reset();
  } catch (error) {
    $("add-problem").textContent = error.message;
  }
}

async function start() {
  try {
    const [senders, magic] = await Promise.all([call("GET", "/senders"), call("GET", "/magic")]);
    state.senders = senders.value;
    for (const { number, about } of magic.value) {
      state.fates.set(number, about);
      const option = make("option", "", `${number.slice(-4)}  ${about}`);
      option.value = number;
      $("magic").append(option);
    }
  } catch (error) {
    say("lost", error.message);
    setTimeout(start, 1000);
    return;
  }
  fillSenders($("send-from"), () => true, "kind");
  $("add").addEventListener("submit", (event) => {
    event.preventDefault();
    addHandset($("add-number").value);
  });
  $("magic").addEventListener("change", (event) => event.target.value && addHandset(event.target.value));
  $("send").addEventListener("submit", sendFromApplication);
  $("send-to").addEventListener("input", suggest);
  $("send-text").addEventListener("input", countText);
  $("send-to").value = FIRST_HANDSETS[0];
  countText();
  listen();
}

start();
