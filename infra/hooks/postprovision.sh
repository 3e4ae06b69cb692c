#!/bin/sh
# The vault has the keys now: what azd's environment file holds of them is overwritten. Values that
# the vault refused because it had others are of no use to anybody either way.
set -eu

for name in PARLEY_ACCESS_KEY_PRIMARY PARLEY_ACCESS_KEY_SECONDARY PARLEY_ID_KEY; do
  azd env set "$name" "kept-in-the-vault" >/dev/null
done

if [ "${PARLEY_SENDER_COUNT:-0}" = "0" ]; then
  cat <<TEXT

Parley: everything is made but a number. Rent one in the Communication Services resource
${PARLEY_COMMUNICATION_NAME:-(see the portal)}, then say which it is and go on:

  azd env set PARLEY_SENDERS '[{"sender": "+18005550100"}]'
  azd up

TEXT
fi
