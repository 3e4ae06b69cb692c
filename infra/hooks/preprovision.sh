#!/bin/sh
# Looks whether a Communication Services resource that is to be used is there, before anything is made.
set -eu

if [ -n "${PARLEY_EXISTING_COMMUNICATION_SERVICE_ID:-}" ]; then
  if ! az resource show --ids "$PARLEY_EXISTING_COMMUNICATION_SERVICE_ID" --query id --output tsv >/dev/null; then
    echo "Parley: the Communication Services resource $PARLEY_EXISTING_COMMUNICATION_SERVICE_ID is not" \
      "there, or this login may not see it. Nothing was made." >&2
    exit 1
  fi
fi
