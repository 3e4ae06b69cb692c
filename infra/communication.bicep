// What Parley needs of a Communication Services resource, in that resource's own group: the right to
// send, the topic that its events come from, and its logs. A resource that is not there stops the
// deployment here, named, before the app is made.

@description('Tags for every resource.')
param tags object

@description('Name of the Communication Services resource. It must be there.')
param communicationName string

@description('Name of its Event Grid system topic.')
param systemTopicName string

@description('Principal id of the identity that the app runs as.')
param identityPrincipalId string

@description('Resource id of the workspace that logs go to.')
param workspaceId string

var roles = {
  communicationAndEmailServiceOwner: '09976791-48a7-449e-bb21-39d1a415f350'
}

resource communicationService 'Microsoft.Communication/communicationServices@2025-09-01' existing = {
  name: communicationName
}

resource sendAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: communicationService
  name: guid(communicationService.id, identityPrincipalId, roles.communicationAndEmailServiceOwner)
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.communicationAndEmailServiceOwner)
  }
}

// Its identity lays undeliverable events into the record; shared keys are off there.
resource systemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: systemTopicName
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: communicationService.id
    topicType: 'Microsoft.Communication.CommunicationServices'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: communicationService
  name: 'parley'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'SMSOperational'
        enabled: true
      }
      {
        category: 'AuthOperational'
        enabled: true
      }
      {
        category: 'Usage'
        enabled: true
      }
    ]
  }
}

output endpoint string = 'https://${communicationService.properties.hostName}'
output systemTopicId string = systemTopic.id
output systemTopicName string = systemTopic.name
output systemTopicPrincipalId string = systemTopic.identity.principalId
