// What can be thrown away and made again: the app on Flex Consumption, its host's storage account,
// and the topic that Parley's own events go to.

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Name of the plan.')
param planName string

@description('Name of the app; its address is https://<name>.azurewebsites.net.')
param appName string

@description('Name of the host\'s storage account.')
@minLength(3)
@maxLength(24)
param storageName string

@description('Name of the outgoing topic.')
param topicName string

@description('Resource id of the identity that the app runs as.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Principal id of that identity.')
param identityPrincipalId string

@description('Where telemetry goes. With local authentication off it names a place and opens nothing.')
param insightsConnectionString string

@description('Address of the vault.')
param vaultUri string

@description('Table endpoint of the record.')
param recordTableEndpoint string

@description('Queue endpoint of the record.')
param recordQueueEndpoint string

@description('Blob endpoint of the record.')
param recordBlobEndpoint string

@description('Endpoint of the Communication Services resource.')
param communicationEndpoint string

@description('The senders as JSON.')
param senders string

@description('Further host names, separated by commas.')
param hosts string

@description('The api-version that Parley speaks to Communication Services.')
param acsApiVersion string

@description('Seconds that one send may wait.')
param acsTimeoutSeconds int

@description('Partitions that a minute of messages is spread over.')
param messageShards int

@description('Seconds during which an attempt of unknown outcome may be repeated.')
param repeatWindowSeconds int

@description('Categories, separated by commas, in which a second text is better than silence.')
param sendAgainWhenUncertain string

@description('Seconds, separated by commas, after which a text that failed is sent again.')
param retryAfterSeconds string

@description('Countries that may be texted, separated by commas.')
param allowedCountries string

@description('What happens to recipients that a sender cannot reach.')
param outOfReach string

@description('Daily budgets as JSON.')
param dailyBudgets string

@description('Limits on one-time codes as JSON.')
param floodLimits string

@description('The price table as JSON.')
param prices string

@description('The hours of marketing as JSON.')
param quietHours string

@description('Days that messages and conversations are kept. 0: for ever.')
param keepMessagesDays int

@description('Days that a campaign is kept after its end, and a list after it was put in place.')
param campaignRetentionDays int

@description('Origins whose pages may show the console in a frame, separated by commas.')
param consoleFrameAncestors string

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Most instances of each scale group.')
param maximumInstanceCount int

@description('Requests that one instance serves at once.')
param httpConcurrency int

@description('Instances that always wait for requests and events.')
param alwaysReadyHttp int

@description('Instances that always wait for texts that leave later.')
param alwaysReadyDispatch int

@description('Instances that always wait for what is written to the record later.')
param alwaysReadyRecord int

var packageContainerName = 'app-package'
// Where a witness says how far the opt-out ledger had come. Here and not beside the ledger, so that a
// record that is put back to an earlier state does not put its own witness back as well.
var witnessContainerName = 'parley'
// Functions that take requests or events of Event Grid are one group, `http`; each function that reads
// a queue is a group of its own.
var alwaysReady = [
  { name: 'http', instanceCount: alwaysReadyHttp }
  { name: 'function:dispatch', instanceCount: alwaysReadyDispatch }
  { name: 'function:record', instanceCount: alwaysReadyRecord }
]

var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  eventGridDataSender: 'd5a91429-5739-47e2-a06b-3470a27159e7'
}

// The package, the host's keys and its leases, and the ledger's witness. Nothing of the record is here.
resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: storageName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
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

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: storage
  name: 'default'
}

resource packageContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: packageContainerName
  properties: {
    publicAccess: 'None'
  }
}

resource witnessContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobService
  name: witnessContainerName
  properties: {
    publicAccess: 'None'
  }
}

resource hostAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, identityId, roles.storageBlobDataOwner)
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

resource publishAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: topic
  name: guid(topic.id, identityId, roles.eventGridDataSender)
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventGridDataSender)
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: appName
  location: location
  // azd finds the app that it deploys to by this tag.
  tags: union(tags, { 'azd-service-name': 'parley' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        alwaysReady: filter(alwaysReady, g => g.instanceCount > 0)
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
  }
  dependsOn: [
    hostAccess
    packageContainer
  ]
}

// shared/settings.py says what each of the PARLEY_ settings means.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    // Bytes. The host reads a body before Parley can look at its signature.
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '25165824'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    // An instance may live for half a minute; OpenTelemetry's own 60 seconds would lose what it counted.
    OTEL_METRIC_EXPORT_INTERVAL: '5000'
    OTEL_SERVICE_NAME: appName
    AZURE_CLIENT_ID: identityClientId
    PARLEY_STORAGE__credential: 'managedidentity'
    PARLEY_STORAGE__clientId: identityClientId
    PARLEY_STORAGE__tableServiceUri: recordTableEndpoint
    PARLEY_STORAGE__queueServiceUri: recordQueueEndpoint
    PARLEY_STORAGE__blobServiceUri: recordBlobEndpoint
    PARLEY_HOST_STORAGE__blobServiceUri: storage.properties.primaryEndpoints.blob
    PARLEY_ACCESS_KEY_PRIMARY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/parley-access-key-primary)'
    PARLEY_ACCESS_KEY_SECONDARY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/parley-access-key-secondary)'
    PARLEY_ID_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/parley-id-key)'
    PARLEY_SENDERS: senders
    PARLEY_HOSTS: hosts
    PARLEY_ACS_ENDPOINT: communicationEndpoint
    PARLEY_ACS_API_VERSION: acsApiVersion
    PARLEY_ACS_TIMEOUT_SECONDS: string(acsTimeoutSeconds)
    PARLEY_TOPIC_ENDPOINT: topic.properties.endpoint
    PARLEY_MESSAGE_SHARDS: string(messageShards)
    PARLEY_REPEAT_WINDOW_SECONDS: string(repeatWindowSeconds)
    PARLEY_SEND_AGAIN_WHEN_UNCERTAIN: sendAgainWhenUncertain
    PARLEY_RETRY_AFTER_SECONDS: retryAfterSeconds
    PARLEY_ALLOWED_COUNTRIES: allowedCountries
    PARLEY_OUT_OF_REACH: outOfReach
    PARLEY_DAILY_BUDGETS: dailyBudgets
    PARLEY_FLOOD_LIMITS: floodLimits
    PARLEY_PRICES: prices
    PARLEY_QUIET_HOURS: quietHours
    PARLEY_KEEP_MESSAGES_DAYS: string(keepMessagesDays)
    PARLEY_CAMPAIGN_RETENTION_DAYS: string(campaignRetentionDays)
    PARLEY_CONSOLE_FRAME_ANCESTORS: consoleFrameAncestors
  }
}

// Deployment goes by Entra ID; the user names and passwords of old are off.
resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output appId string = app.id
output appName string = app.name
output url string = 'https://${app.properties.defaultHostName}'
output topicId string = topic.id
output topicName string = topic.name
output topicPrincipalId string = topic.identity.principalId
