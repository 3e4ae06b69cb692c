// Asks again and again: often while somebody looks, seldom while nobody does, not at all while the
// interface is down: then the one clock of `link` says when.

import { Unanswered } from "./api.js";
import { inTrouble, link, status } from "./link.js";

const HIDDEN = 10, SLOWEST = 30e3;

// `ask(signal)` is called at once and then `every` milliseconds after its end. What it throws goes to
// `failed`, except that nothing answered. Returns {now, stop}.
export function poll(ask, { every, failed = () => {} }) {
  const life = new AbortController();
  let timer = 0, busy = false, again = false, failures = 0;

  async function run() {
    if (life.signal.aborted) return;
    if (busy) {
      again = true;
      return;
    }
    clearTimeout(timer);
    busy = true;
    let waits = false;
    try {
      await ask(life.signal);
      failures = 0;
      inTrouble(life, null);
    } catch (error) {
      if (life.signal.aborted) return;
      waits = error instanceof Unanswered;
      if (!waits) {
        failures += 1;
        if (error.status >= 500) inTrouble(life, error);
        failed(error);
      }
    } finally {
      busy = false;
    }
    if (life.signal.aborted) return;
    if (again && !waits) {
      again = false;
      run();
    } else if (!waits) {
      timer = setTimeout(run, (document.hidden ? every * HIDDEN : every) + (failures ? Math.min(SLOWEST, every * 2 ** failures) : 0));
    }
    again = false;
  }

  const seen = () => document.hidden || status().down || run();
  document.addEventListener("visibilitychange", seen);
  link.addEventListener("try", run);
  link.addEventListener("up", run);
  run();
  return {
    now: run,
    stop() {
      life.abort();
      inTrouble(life, null);
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      link.removeEventListener("try", run);
      link.removeEventListener("up", run);
    },
  };
}
