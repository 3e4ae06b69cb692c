#!/bin/sh
# The app does not start without a sender, and Event Grid subscribes no app that does not start.
set -eu

if [ "${PARLEY_SENDER_COUNT:-0}" = "0" ]; then
  echo "Parley: no sender is configured, so the code was not deployed. Rent a number, then" \
    "azd env set PARLEY_SENDERS '[{\"sender\": \"+18005550100\"}]' and azd up." >&2
  exit 1
fi
