#!/bin/sh
# Stage two: subscribes the app to what comes from Communication Services, and the application to
# what Parley publishes. Safe to run again.
set -eu

attempts=${PARLEY_SUBSCRIBE_ATTEMPTS:-10}
pause=${PARLEY_SUBSCRIBE_PAUSE_SECONDS:-15}

# The list of functions is there a while after the code.
wait_for() {
  attempt=1
  until az resource show --ids "$PARLEY_FUNCTION_APP_ID/functions/$1" --query id --output tsv >/dev/null 2>&1; do
    if [ "$attempt" -ge "$attempts" ]; then
      echo "Parley: the function $1 did not appear in $AZURE_FUNCTION_APP_NAME. Its log stream says" \
        "why the app does not start; then run azd deploy again." >&2
      exit 1
    fi
    attempt=$((attempt + 1))
    sleep "$pause"
  done
}

wait_for inbound
wait_for delivery_report

az deployment group create \
  --name "parley-events" \
  --resource-group "$PARLEY_COMMUNICATION_RESOURCE_GROUP" \
  --template-file infra/events.bicep \
  --parameters \
  systemTopicName="$PARLEY_SYSTEM_TOPIC_NAME" \
  functionAppId="$PARLEY_FUNCTION_APP_ID" \
  deadLetterStorageId="$PARLEY_DEAD_LETTER_STORAGE_ID" \
  deadLetterContainer="$PARLEY_DEAD_LETTER_CONTAINER" \
  topicName="$PARLEY_TOPIC_NAME" \
  topicResourceGroup="$AZURE_RESOURCE_GROUP" \
  webhookUrl="${PARLEY_WEBHOOK_URL:-}" \
  --output none

echo "Parley answers at $PARLEY_URL and receives what is sent to its numbers."
