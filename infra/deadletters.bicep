// The right of the two topics to lay events that nobody took into the record's container, and no
// right to anything else there.

@description('Name of the record\'s storage account.')
param storageName string

@description('Name of the container for undeliverable events.')
param containerName string

@description('Name of the system topic, for the assignment\'s own name.')
param systemTopicName string

@description('Principal id of the system topic.')
param systemTopicPrincipalId string

@description('Name of the outgoing topic, for the assignment\'s own name.')
param topicName string

@description('Principal id of the outgoing topic.')
param topicPrincipalId string

var roles = {
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: storage
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: blobService
  name: containerName
}

resource systemTopicAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, systemTopicName, systemTopicPrincipalId, roles.storageBlobDataContributor)
  properties: {
    principalId: systemTopicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource topicAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, topicName, topicPrincipalId, roles.storageBlobDataContributor)
  properties: {
    principalId: topicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}
