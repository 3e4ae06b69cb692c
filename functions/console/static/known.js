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
  const named = (sender) => [address(sender.sender), sender.program].filter(Boolean).join(" · ");
  return select([...before, ...senders.map((sender) => [sender.sender, named(sender)])], before[0]?.[0] ?? senders[0]?.sender, props);
}

export function plainChoice(props) {
  return h("input", props);
}
