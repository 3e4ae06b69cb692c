// Parley's public interface, as the console calls it: JSON, a function key, problems as errors.

import { key, renewed } from "./key.js";
import { answered, unanswered } from "./link.js";

const ROOT = new URL("./", document.baseURI);
const SECONDS = 20;
const GATEWAYS = new Set([502, 503, 504]);
// Between one try and the next, where it is not known what became of a change.
const PAUSES = [1000, 3000, 6000];
const LONGEST_PAUSE = 60_000;
// Of the interface's own answers of 5xx, those that say for certain that nothing was done.
const NOTHING_DONE = new Set(["PlatformDenied", "LedgerMissing"]);

// An answer that refuses. `code` is the interface's own, or empty where the host answered itself.
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.errors = problem.errors ?? {};
    this.retryable = problem.retryable ?? false;
    this.retryAfter = retryAfter;
  }

  // Routes that this deployment does not have are the host's 404, which has no body.
  get notAvailable() {
    return this.status === 404 && this.code === "";
  }
}

// No answer, or one of what stands before Parley.
export class Unanswered extends Error {}

async function attempt(method, path, { body, headers, signal, wait }, secret) {
  const patience = AbortSignal.timeout(wait * 1000);
  try {
    const response = await fetch(new URL(`./${path}`, ROOT), {
      method,
      headers: {
        "x-functions-key": secret,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      cache: "no-store",
      credentials: "omit",
    });
    return [response, await response.text()];
  } catch (error) {
    if (signal?.aborted) throw error;
    unanswered();
    throw new Unanswered(String(error));
  }
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

// The answer's body. A refused key is asked for again, and the call made once more with the new one.
export async function call(method, path, { body, headers = {}, signal, wait = SECONDS } = {}) {
  for (let secret = await key(); ; secret = await renewed(secret)) {
    const [response, text] = await attempt(method, path, { body, headers, signal, wait }, secret);
    if (response.status === 401) {
      answered();
      continue;
    }
    const content = parsed(text);
    if (response.ok) {
      answered();
      return content;
    }
    const refusal = new Refused(response.status, content ?? {}, Number(response.headers.get("retry-after")) || null);
    // Without a code it was not Parley that answered, but what stands before it.
    if (GATEWAYS.has(response.status) && refusal.code === "") {
      unanswered();
      throw new Unanswered(refusal.message);
    }
    answered();
    throw refusal;
  }
}

export const get = (path, options) => call("GET", path, options);

// Whether an error leaves open what became of a call that changes something.
export const inDoubt = (error) => error instanceof Unanswered
  || (error instanceof Refused && error.status >= 500 && !NOTHING_DONE.has(error.code));

// The answer to what changes something and is done once however often it comes: made again, the same
// each time, while it is in doubt. What takes something away and finds it gone then (`takes`) is done: null.
// `key` is the id under which it is done once, if it has one; it is told where the doubt stays.
export async function alter(method, path, { key: own, takes = false, ...options } = {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call(method, path, options);
    } catch (error) {
      if (takes && tries > 0 && error instanceof Refused && error.code === "NotFound") return null;
      if (!inDoubt(error)) throw error;
      if (tries === PAUSES.length) {
        error.key = own;
        throw error;
      }
      const asked = Math.min((error.retryAfter ?? 0) * 1000, LONGEST_PAUSE);
      await new Promise((go) => setTimeout(go, Math.max(PAUSES[tries], asked)));
    }
  }
}

export function query(members) {
  const chosen = Object.entries(members).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return chosen.length ? `?${new URLSearchParams(chosen)}` : "";
}

export const segment = (text) => encodeURIComponent(text);

// Where the next page begins, from a nextLink; null on the last page.
export function after(page) {
  return page.nextLink ? new URL(page.nextLink, ROOT).searchParams.get("after") : null;
}

// Whether a key opens the interface: true, false, or null if nothing answered.
export async function opens(secret) {
  try {
    const start = new Date(Date.now() - 1000).toISOString();
    const [response] = await attempt("GET", `messages${query({ startTime: start, maxpagesize: 1 })}`, { wait: SECONDS, headers: {} }, secret);
    return response.status === 401 ? false : response.ok ? true : null;
  } catch {
    return null;
  }
}
