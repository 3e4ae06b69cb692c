// The deployment's senders, read once; where the route is not there, whatever has been seen.

import { get } from "./api.js";
import { h } from "./dom.js";
import { address } from "./format.js";
import { select } from "./ui.js";

let reading = null;

export async function knownSenders() {
  reading ??= get("senders").then((answer) => answer.value);
  try {
    return await reading;
  } catch (error) {
    reading = null;
    throw error;
  }
}

export async function senderChoice(before, props) {
  const senders = await knownSenders();
  const named = (sender) => [address(sender.number), sender.program].filter(Boolean).join(" · ");
  return select([...before, ...senders.map((sender) => [sender.number, named(sender)])], before[0]?.[0] ?? senders[0]?.number, props);
}

export function plainChoice(props) {
  return h("input", props);
}
