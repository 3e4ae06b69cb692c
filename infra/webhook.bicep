// The application's own subscription to what Parley publishes, as CloudEvents. The address must
// answer Event Grid's handshake while this is deployed.

@description('Name of the outgoing topic.')
param topicName string

@description('Address that events are posted to, over https.')
@secure()
param webhookUrl string

@description('Resource id of the storage account that takes undeliverable events.')
param deadLetterStorageId string

@description('Name of the container that takes them.')
param deadLetterContainer string

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource application 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'parley-application'
  properties: {
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: startsWith(toLower(webhookUrl), 'https://') ? webhookUrl : fail('webhookUrl must begin with https://.')
        maxEventsPerBatch: 1
        minimumTlsVersionAllowed: '1.2'
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: deadLetterStorageId
          blobContainerName: deadLetterContainer
        }
      }
    }
  }
}
