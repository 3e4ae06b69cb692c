// What must outlive the app: the ledger and the messages, the keys, the identity whose rights they
// grant, and the Communication Services resource that owns the numbers. Removing the app's resource
// group leaves all of it.

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Name of the identity that the app runs as.')
param identityName string

@description('Name of the record\'s storage account.')
@minLength(3)
@maxLength(24)
param storageName string

@description('Redundancy of the record\'s storage account.')
param redundancy string

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Whether nobody may purge the vault.')
param vaultPurgeProtection bool

@description('Name of the Communication Services resource to make. Empty: none, another one is used.')
param communicationName string

@description('Where Communication Services keeps data at rest.')
param dataLocation string

@description('Whether to lock all of it against deletion.')
param lock bool

@description('Days that undeliverable events are kept, 31 at least. 0: for ever.')
param keepMessagesDays int

@description('First access key of the ACS face.')
@secure()
param accessKeyPrimary string

@description('Second access key of the ACS face.')
@secure()
param accessKeySecondary string

@description('Key from which message ids are derived.')
@secure()
param idKey string

// Tables for messages are made by the app itself, one a month.
var tableNames = ['optouts', 'conversations', 'conversationIndex', 'campaigns', 'codes', 'erasures', 'keys', 'poison', 'rollups', 'due']
// The host makes a poison queue beside each queue; made here, it can have a right of its own.
var queueNames = ['record', 'record-poison', 'dispatch', 'dispatch-poison']
// Of these, the app writes to the first two and Event Grid to the last.
var appContainers = ['quarantine', 'ledger', 'lists']
var deadLetterContainerName = 'deadletters'

var roles = {
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: identityName
  location: location
  tags: tags
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: storageName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: storage
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [for name in tableNames: {
  parent: tableService
  name: name
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: storage
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [for name in queueNames: {
  parent: queueService
  name: name
}]

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: storage
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [for name in appContainers: {
  parent: blobService
  name: name
  properties: {
    publicAccess: 'None'
  }
}]

// Versions keep what is replaced or deleted. Of recipient lists and of events that nobody understood or
// took that is nobody's wish: a day later their earlier versions are deleted, too, and can be had back
// for as long as `deleteRetentionPolicy` says. Events that nobody took are as old as messages may be: the
// app, which drops those, has no right here.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: storage
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'earlier-versions-of-what-holds-people'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['lists/', 'quarantine/', '${deadLetterContainerName}/']
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 1
                }
              }
            }
          }
        }
        {
          name: 'events-that-nobody-took'
          enabled: keepMessagesDays > 0
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${deadLetterContainerName}/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterCreationGreaterThan: max(keepMessagesDays, 31)
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [blobService]
}

resource deadLetterContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: deadLetterContainerName
  properties: {
    publicAccess: 'None'
  }
}

// The whole account, because the app makes tables as time goes by.
resource tableAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, identity.id, roles.storageTableDataContributor)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}

resource queueAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, i) in queueNames: {
  scope: queues[i]
  name: guid(storage.id, name, identity.id, roles.storageQueueDataContributor)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}]

resource blobAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, i) in appContainers: {
  scope: containers[i]
  name: guid(storage.id, name, identity.id, roles.storageBlobDataContributor)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: vaultName
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Azure refuses `false` here: leaving it out is how it is said.
    enablePurgeProtection: vaultPurgeProtection ? true : null
  }
}

// Written once. A later deployment brings other random values, and this keeps the ones in use.
@onlyIfNotExists()
resource primaryKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'parley-access-key-primary'
  properties: {
    value: accessKeyPrimary
    contentType: 'base64'
  }
}

@onlyIfNotExists()
resource secondaryKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'parley-access-key-secondary'
  properties: {
    value: accessKeySecondary
    contentType: 'base64'
  }
}

@onlyIfNotExists()
resource messageIdKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'parley-id-key'
  properties: {
    value: idKey
    contentType: 'base64'
  }
}

resource primaryKeyAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: primaryKey
  name: guid(vault.id, 'parley-access-key-primary', identity.id, roles.keyVaultSecretsUser)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

resource secondaryKeyAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: secondaryKey
  name: guid(vault.id, 'parley-access-key-secondary', identity.id, roles.keyVaultSecretsUser)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

resource messageIdKeyAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: messageIdKey
  name: guid(vault.id, 'parley-id-key', identity.id, roles.keyVaultSecretsUser)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

// Without local authentication nobody can send past the ledger with an access key.
resource communicationService 'Microsoft.Communication/communicationServices@2025-09-01' = if (!empty(communicationName)) {
  name: empty(communicationName) ? 'none' : communicationName
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
    disableLocalAuth: true
  }
}

resource storageLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: storage
  name: 'parley-record'
  properties: {
    level: 'CanNotDelete'
    notes: 'The opt-out ledger and the messages. Without it, people who said STOP would be texted again.'
  }
}

resource vaultLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: vault
  name: 'parley-record'
  properties: {
    level: 'CanNotDelete'
    notes: 'The key from which message ids are derived, and the access keys of applications.'
  }
}

resource communicationLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock && !empty(communicationName)) {
  scope: communicationService
  name: 'parley-record'
  properties: {
    level: 'CanNotDelete'
    notes: 'Deleting it gives the numbers back; new ones take weeks.'
  }
}

output identityId string = identity.id
output identityClientId string = identity.properties.clientId
output identityPrincipalId string = identity.properties.principalId
output storageId string = storage.id
output storageName string = storage.name
output tableEndpoint string = storage.properties.primaryEndpoints.table
output queueEndpoint string = storage.properties.primaryEndpoints.queue
output blobEndpoint string = storage.properties.primaryEndpoints.blob
output deadLetterContainer string = deadLetterContainer.name
output vaultName string = vault.name
output vaultUri string = vault.properties.vaultUri
