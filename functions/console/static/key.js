// The function key: asked for once, kept for this tab alone, asked for again when it is refused.

const NAME = "parley.key";
let held = "";
let asked = null;
let ask = async () => "";

function store(value) {
  held = value;
  try {
    if (value) sessionStorage.setItem(NAME, value);
    else sessionStorage.removeItem(NAME);
  } catch {
    // It lives as long as the page does.
  }
}

// A key in the address goes from there at once, before anything else can read it.
export function takeFromAddress() {
  const found = /^#key=([^&]+)(?:&to=(.*))?$/.exec(location.hash);
  if (found === null) return;
  history.replaceState(null, "", `${location.pathname}${location.search}#${found[2] ?? ""}`);
  store(decodeURIComponent(found[1]));
}

export function start(asker) {
  ask = asker;
  takeFromAddress();
  if (!held) {
    try {
      held = sessionStorage.getItem(NAME) ?? "";
    } catch {
      held = "";
    }
  }
}

export function forget() {
  store("");
}

// The key to use. Everybody who needs one waits for the same question.
export async function key() {
  return held || renewed("");
}

// Another key than `refused`, which did not open.
export async function renewed(refused) {
  if (held && held !== refused) return held;
  asked ??= ask(Boolean(refused)).then((value) => {
    store(value);
    asked = null;
    return value;
  });
  return asked;
}
