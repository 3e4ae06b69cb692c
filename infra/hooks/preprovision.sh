#!/bin/sh
# Makes the three keys that a deployment needs and looks whether a Communication Services resource
# that is to be used is there. The template writes each key to the vault only if the vault has none,
# so that the values made here matter once, however often this runs.
set -eu

say() {
  echo "Parley: $*" >&2
}

if [ -n "${PARLEY_EXISTING_COMMUNICATION_SERVICE_ID:-}" ]; then
  if ! az resource show --ids "$PARLEY_EXISTING_COMMUNICATION_SERVICE_ID" --query id --output tsv >/dev/null; then
    say "the Communication Services resource $PARLEY_EXISTING_COMMUNICATION_SERVICE_ID is not there," \
      "or this login may not see it. Nothing was made."
    exit 1
  fi
fi

for name in PARLEY_ACCESS_KEY_PRIMARY PARLEY_ACCESS_KEY_SECONDARY PARLEY_ID_KEY; do
  key=$(head -c 32 /dev/urandom | base64 | tr -d '\n')
  # azd prints nothing of a value that it sets.
  azd env set "$name" "$key" >/dev/null
done
