// Makes elements. Text is only ever put in as text: whatever a stranger typed stays what it is.

const SVG = "http://www.w3.org/2000/svg";

// `on` holds listeners, `data` goes to the dataset; false, null and undefined leave out.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [kind, listener] of Object.entries(value)) element.addEventListener(kind, listener);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  return fill(element, ...children);
}

export function fill(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function refill(element, ...children) {
  element.replaceChildren();
  return fill(element, ...children);
}

const PATHS = {
  overview: "M4 19V10M10 19V5M16 19v-7M22 19H2",
  live: "M3 12h4l3-8 4 16 3-8h4",
  conversations: "M4 5h16v11H11l-5 4v-4H4z",
  ledger: "M6 3h11a2 2 0 0 1 2 2v16H7a2 2 0 0 1-2-2V4M9 8h6M9 12h6M5 18a2 2 0 0 1 2-2h12",
  senders: "M12 14v7M8 21h8M12 14a3 3 0 1 0 0-6 3 3 0 0 0 0 6M5.6 4.6a9 9 0 0 0 0 12.8M18.4 4.6a9 9 0 0 1 0 12.8",
  quarantine: "M12 3l9.5 17h-19zM12 10v4M12 17v.1",
  campaigns: "M4 10v4h3l9 5V5L7 10zM19.5 9a4 4 0 0 1 0 6",
  out: "M7 17L17 7M9 7h8v8",
  in: "M17 7L7 17M7 9v8h8",
  send: "M4 12l16-8-6 16-3-7z",
  back: "M15 5l-7 7 7 7",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l5 5",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l5 5L20 7",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
  system: "M3 5h18v11H3zM9 20h6M12 16v4",
  plus: "M12 5v14M5 12h14",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  chevron: "M9 5l7 7-7 7",
};

export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// A small line without axes, for people who see; the number beside it says the same.
export function sparkline(values, className = "spark") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 28");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return svg;
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  const path = document.createElementNS(SVG, "path");
  let drawn = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const x = (index / (values.length - 1)) * 100;
    drawn += `${drawn ? "L" : "M"}${x.toFixed(2)} ${(26 - ((value - low) / span) * 24).toFixed(2)}`;
  });
  path.setAttribute("d", drawn);
  path.setAttribute("vector-effect", "non-scaling-stroke");
  svg.append(path);
  return svg;
}

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
