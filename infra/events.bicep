// Stage two: what comes to Parley, one subscription for each event type. It is deployed to the
// resource group of the Communication Services resource, after the code, because Event Grid asks
// whether a function exists before it subscribes it.

@description('Name of the system topic of the Communication Services resource.')
param systemTopicName string

@description('Resource id of the function app.')
param functionAppId string

@description('Resource id of the storage account that takes undeliverable events.')
param deadLetterStorageId string

@description('Name of the container that takes them.')
param deadLetterContainer string

@description('Address of the application that wants Parley\'s own events. Empty: none is subscribed.')
@secure()
param webhookUrl string = ''

@description('Name of the outgoing topic.')
param topicName string

@description('Resource group of the outgoing topic.')
param topicResourceGroup string

resource systemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: systemTopicName
}

resource inbound 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: systemTopic
  name: 'parley-inbound'
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${functionAppId}/functions/inbound'
        // One failed event has its whole batch sent again.
        maxEventsPerBatch: 1
      }
    }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: [
        'Microsoft.Communication.SMSReceived'
      ]
    }
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

resource deliveryReport 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: systemTopic
  name: 'parley-delivery-report'
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${functionAppId}/functions/delivery_report'
        maxEventsPerBatch: 1
      }
    }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: [
        'Microsoft.Communication.SMSDeliveryReportReceived'
      ]
    }
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
  // Event Grid takes one change of a topic's subscriptions at a time.
  dependsOn: [
    inbound
  ]
}

@description('What goes from Parley to the application.')
module webhook 'webhook.bicep' = if (!empty(webhookUrl)) {
  scope: resourceGroup(topicResourceGroup)
  params: {
    topicName: topicName
    webhookUrl: webhookUrl
    deadLetterStorageId: deadLetterStorageId
    deadLetterContainer: deadLetterContainer
  }
}
