#!/bin/sh
# Says how to go on where there is no number yet.
set -eu

if [ "${PARLEY_SENDER_COUNT:-0}" = "0" ]; then
  cat <<TEXT

Parley: everything is made but a number. Rent one in the Communication Services resource
${PARLEY_COMMUNICATION_NAME:-(see the portal)}, then say which it is and go on:

  azd env set PARLEY_SENDERS '[{"sender": "+18005550100"}]'
  azd up

TEXT
fi
