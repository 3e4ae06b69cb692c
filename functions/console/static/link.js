// Whether the interface answers. One clock tries again, for all who wait: 1 s, 2 s, 4 s … 30 s.

const FIRST = 1000, LAST = 30000;

export const link = new EventTarget();
let pause = 0, timer = 0, since = null, next = null, lastAnswer = null;

// Who has trouble, and which: the interface answers, but one of its routes cannot now.
const troubles = new Map();

export const status = () => ({ down: since !== null, since, next, lastAnswer, trouble: [...troubles.values()][0] });

export function inTrouble(who, error) {
  const before = troubles.size;
  if (error) troubles.set(who, error);
  else troubles.delete(who);
  if (before || troubles.size) tell("wait");
}

function tell(kind) {
  link.dispatchEvent(new Event(kind));
}

export function answered() {
  lastAnswer = new Date();
  if (since === null) return;
  since = next = null;
  pause = 0;
  clearTimeout(timer);
  timer = 0;
  tell("up");
}

export function unanswered() {
  if (timer) return;
  const first = since === null;
  since ??= new Date();
  pause = Math.min(pause * 2 || FIRST, LAST);
  const wait = pause * (0.8 + Math.random() * 0.4);
  next = new Date(Date.now() + wait);
  timer = setTimeout(tryNow, wait);
  tell(first ? "down" : "wait");
}

export function tryNow() {
  clearTimeout(timer);
  timer = 0;
  tell("try");
}

addEventListener("online", () => since !== null && tryNow());
