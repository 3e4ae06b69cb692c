// Stage one: everything that Parley runs on, without the event subscriptions. Event Grid checks that
// a function exists before it subscribes it, so events.bicep follows once the code is there.
//
// Two resource groups. `rg-<environment>-record` holds what must outlive the app: the opt-out ledger
// and the messages, the keys, the identity, and the Communication Services resource with its numbers.
// `rg-<environment>` holds what can be thrown away and made again.
targetScope = 'subscription'

@description('Kinds of sender that Communication Services rents out.')
type senderKind = 'tollFree' | 'shortCode' | 'tenDlc' | 'longCode' | 'alphanumeric'

@description('Who confirms a STOP to the person who said it.')
type stopAnsweredBy = 'carrier' | 'platform' | 'parley' | 'nobody'

@description('One sender. Only `sender` is required; what is left out follows from the form of the number.')
@sealed()
type senderType = {
  sender: string
  kind: senderKind?
  program: string?
  ratePerMinute: int?
  brand: string?
  helpText: string?
  stopAnsweredBy: stopAnsweredBy?
}

@description('Categories of messages.')
type category = 'marketing' | 'transactional' | 'oneTimeCode'

// ---- What every deployment says

@description('Name of the environment: lower-case letters, digits and hyphens. It is part of most resource names.')
@minLength(1)
param environmentName string

@description('Azure region of everything but the global resources. It must offer Flex Consumption.')
@minLength(1)
param location string

@description('The senders that may be used. None at first: a number is rented once the Communication Services resource is there.')
param senders senderType[] = []

// Azure draws the three keys anew in every deployment; the vault keeps the first ones.

@description('Base64 access key with which applications sign requests to the ACS face. It is written to the vault once; later values are ignored.')
@minLength(44)
@secure()
param accessKeyPrimary string = base64('${newGuid()}${newGuid()}')

@description('Second access key, valid beside the first, so that either can be replaced. It is written to the vault once; later values are ignored.')
@minLength(44)
@secure()
param accessKeySecondary string = base64('${newGuid()}${newGuid()}')

@description('Base64 key from which message ids are derived. It is written to the vault once and never changed.')
@minLength(44)
@secure()
param idKey string = base64('${newGuid()}${newGuid()}')

// ---- The Communication Services resource

@description('Resource id of a Communication Services resource that is there already, in this subscription. Empty: one is made.')
param existingCommunicationServiceId string = ''

@description('Name of the Event Grid system topic of that resource, where it has one: Azure allows one for each source. Empty: one is made.')
@maxLength(50)
param systemTopicName string = ''

@description('Where Communication Services keeps data at rest. It cannot be changed later and decides which numbers can be rented.')
@allowed([
  'Africa'
  'Asia Pacific'
  'Australia'
  'Brazil'
  'Canada'
  'Europe'
  'France'
  'Germany'
  'India'
  'Japan'
  'Korea'
  'Norway'
  'Switzerland'
  'UAE'
  'UK'
  'United States'
])
param dataLocation string = 'United States'

// ---- How Parley behaves

@description('Further host names that a signature may name (custom domains).')
param hosts string[] = []

@description('The api-version that Parley speaks to Communication Services.')
@minLength(10)
param acsApiVersion string = '2021-03-07'

@description('Seconds that one send may wait for Communication Services, retries included.')
@minValue(1)
@maxValue(120)
param acsTimeoutSeconds int = 30

@description('Partitions that a minute of messages is spread over. It is never changed during a deployment\'s life. One number needs few, many busy ones 16.')
@minValue(1)
@maxValue(16)
param messageShards int = 4

@description('Seconds after a first attempt of unknown outcome during which the same text may be tried again.')
@minValue(0)
@maxValue(3600)
param repeatWindowSeconds int = 240

@description('Categories in which a possible second text is better than silence, after that window.')
param sendAgainWhenUncertain category[] = []

@description('Seconds, separated by commas, after which a text with a time to live that failed for a passing reason is sent again. At most three. 0: never.')
param retryAfterSeconds string = '300,900,2700'

@description('Countries that may be texted, by ISO 3166 code. None: all.')
param allowedCountries string[] = []

@description('What happens to recipients that a sender cannot reach: `warn` in previews and dry runs, or `refuse`.')
param outOfReach string = 'warn'

@description('What each program may send a UTC day: its name to segments, or to segments and warnAt. A program that is not named has no budget.')
param dailyBudgets object = {}

@description('How many one-time codes may go to one number and to one range of numbers: number and range, each with codes and minutes. Empty: no limit.')
param floodLimits object = {}

@description('The price table that takes the place of Parley\'s own. Empty: Parley\'s own.')
param prices object = {}

@description('The hours in which marketing may leave, by place, in place of Parley\'s own. Empty: Parley\'s own.')
param quietHours object = {}

@description('Days that messages and conversations are kept, by whole months and 31 at least. 0: for ever.')
@minValue(0)
@maxValue(3650)
param keepMessagesDays int = 0

@description('Days that a campaign is kept after its end, and a list after it was put in place.')
@minValue(8)
@maxValue(3650)
param campaignRetentionDays int = 90

@description('Origins whose pages may show the console in a frame, such as https://desk.example.com. Empty: none.')
param consoleFrameAncestors string[] = []

// ---- How large it is. The defaults suit one number; docs/deploy.md has values for many.

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Most instances that each scale group may grow to.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Requests that one instance serves at once before another is started.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Instances that always wait for requests and for events: incoming messages and delivery reports. 0 costs nothing while idle and a cold start now and then.')
@minValue(0)
@maxValue(1000)
param alwaysReadyHttp int = 0

@description('Instances that always wait for texts that leave later: scheduled, paced, and those of campaigns.')
@minValue(0)
@maxValue(1000)
param alwaysReadyDispatch int = 0

@description('Instances that always wait for what is written to the record after a request was answered.')
@minValue(0)
@maxValue(1000)
param alwaysReadyRecord int = 0

// ---- What is kept, and who is told

@description('Redundancy of the record: the ledger, messages and proofs.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
  'Standard_RAGRS'
  'Standard_RAGZRS'
])
param recordRedundancy string = 'Standard_GRS'

@description('Lock the record, the vault and Communication Services against deletion. The lock needs the role Owner or User Access Administrator to be set, and protects no row from whoever may write rows.')
param lockRecord bool = true

@description('Forbid anyone, the owner included, to purge the vault before its 90 days are over. It cannot be taken back.')
param vaultPurgeProtection bool = true

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Who is told by e-mail when an alert fires. Empty: alerts show in the portal only.')
param alertEmail string = ''

@description('Per cent of reports that must say Delivered; below, an alert fires.')
@minValue(0)
@maxValue(100)
param alertDeliveryRate int = 85

@description('Opt-outs in per cent of recipients texted; above, an alert fires.')
@minValue(0)
@maxValue(100)
param alertOptOutRate int = 5

@description('Tags for every resource, beside the environment\'s own.')
param extraTags object = {}

// ---- What is refused, with a sentence for each reason

@description('Whether a text is made of the given characters alone.')
func onlyOf(text string, alphabet string) bool => empty(filter(range(0, length(text)), i => !contains(alphabet, substring(text, i, 1))))

@description('Whether a text is a number in E.164, such as +18005550100.')
func isPhoneNumber(text string) bool => startsWith(text, '+') && !startsWith(text, '+0') && length(text) >= 8 && length(text) <= 16 && onlyOf(skip(text, 1), '0123456789')

@description('Whether a text is a short code of five or six digits.')
func isShortCode(text string) bool => length(text) >= 5 && length(text) <= 6 && onlyOf(text, '0123456789')

@description('Whether a text is an alphanumeric sender ID: 1 to 11 letters, digits and inner spaces, with at least one letter.')
func isAlphanumeric(text string) bool => length(text) >= 1 && length(text) <= 11 && trim(text) == text && onlyOf(text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ') && !onlyOf(text, '0123456789 ')

@description('Whether a text is the resource id of a Communication Services resource in the given subscription.')
func isCommunicationService(id string, subscriptionId string) bool => length(split(id, '/')) == 9 ? startsWith(toLower(id), toLower('/subscriptions/${subscriptionId}/resourceGroups/')) && contains(toLower(id), '/providers/microsoft.communication/communicationservices/') : false

var malformed = filter(senders, s => !isPhoneNumber(s.sender) && !isShortCode(s.sender) && !isAlphanumeric(s.sender))
var repeated = filter(senders, s => length(filter(senders, other => other.sender == s.sender)) > 1)
var rateless = filter(senders, s => (s.?ratePerMinute ?? 1) < 1)

// Azure takes `eastus`, `EastUS` and `East US` for one region. All is named and placed by the first form,
// or another spelling would make a second deployment, with an empty ledger.
var region = toLower(replace(location, ' ', ''))
var token = uniqueString(subscription().id, environmentName, region)
var names = {
  identity: 'id-${environmentName}-${token}'
  hostStorage: 'st${token}host'
  recordStorage: 'st${token}record'
  vault: 'kv-${token}'
  communication: 'acs-${environmentName}-${token}'
  systemTopic: 'evgst-${environmentName}-${token}'
  topic: 'evgt-${environmentName}-${token}'
  plan: 'asp-${environmentName}-${token}'
  app: 'func-${environmentName}-${token}'
  workspace: 'log-${environmentName}-${token}'
  insights: 'appi-${environmentName}-${token}'
  actionGroup: 'ag-${environmentName}-${token}'
}
// Azure's limits for the kinds of resource whose names the environment's name makes long.
var limits = [
  { name: names.systemTopic, most: 50 }
  { name: names.topic, most: 50 }
  { name: names.plan, most: 60 }
  { name: names.app, most: 60 }
  { name: names.communication, most: 63 }
  { name: names.workspace, most: 63 }
]
var tooLong = filter(limits, l => length(l.name) > l.most)
var strangeName = !onlyOf(environmentName, 'abcdefghijklmnopqrstuvwxyz0123456789-') || startsWith(environmentName, '-') || endsWith(environmentName, '-')
var strangeService = !empty(existingCommunicationServiceId) && !isCommunicationService(existingCommunicationServiceId, subscription().subscriptionId)

var problems = concat(
  map(malformed, s => 'senders: ${s.sender} is neither a number in E.164 (+18005550100), nor a short code of 5 or 6 digits, nor an alphanumeric sender ID of at most 11 characters.'),
  map(union(map(repeated, s => s.sender), []), address => 'senders: ${address} is listed more than once.'),
  map(rateless, s => 'senders: ratePerMinute of ${s.sender} must be at least 1.'),
  map(tooLong, l => 'environmentName: ${environmentName} is too long; with prefix and suffix it makes ${l.name}, and Azure allows ${l.most} characters there.'),
  strangeName ? ['environmentName: ${environmentName} may have lower-case letters, digits and inner hyphens only.'] : [],
  strangeService ? ['existingCommunicationServiceId: ${existingCommunicationServiceId} is not the resource id of a Communication Services resource in this subscription.'] : []
)
// Both resource groups are named by this, so that a refusal comes before anything is made.
var accepted = empty(problems) ? environmentName : fail(join(problems, ' '))

// ---- What is made

var tags = union(extraTags, { 'azd-env-name': environmentName })
// azd looks for the app in the one group that has its tag.
var recordTags = union(extraTags, { 'parley-env-name': environmentName })
var communicationId = split(existingCommunicationServiceId, '/')
var isExisting = !empty(existingCommunicationServiceId)
var recordGroupName = 'rg-${accepted}-record'
var communicationGroup = isExisting ? communicationId[4] : recordGroupName
var communicationName = isExisting ? communicationId[8] : names.communication

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${accepted}'
  location: region
  tags: tags
}

resource recordGroup 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: recordGroupName
  location: region
  tags: recordTags
}

@description('What must outlive the app.')
module record 'record.bicep' = {
  scope: recordGroup
  params: {
    location: region
    tags: recordTags
    identityName: names.identity
    storageName: names.recordStorage
    redundancy: recordRedundancy
    vaultName: names.vault
    vaultPurgeProtection: vaultPurgeProtection
    communicationName: isExisting ? '' : names.communication
    dataLocation: dataLocation
    lock: lockRecord
    keepMessagesDays: keepMessagesDays
    accessKeyPrimary: accessKeyPrimary
    accessKeySecondary: accessKeySecondary
    idKey: idKey
  }
}

@description('Logs, metrics and traces.')
module watch 'watch.bicep' = {
  scope: group
  params: {
    location: region
    tags: tags
    workspaceName: names.workspace
    insightsName: names.insights
    retentionDays: logRetentionDays
    identityPrincipalId: record.outputs.identityPrincipalId
  }
}

@description('What Parley needs of the Communication Services resource, made here or there before.')
module communication 'communication.bicep' = {
  scope: resourceGroup(communicationGroup)
  params: {
    tags: recordTags
    communicationName: communicationName
    systemTopicName: empty(systemTopicName) ? names.systemTopic : systemTopicName
    identityPrincipalId: record.outputs.identityPrincipalId
    workspaceId: watch.outputs.workspaceId
  }
}

@description('The app and the topic that its own events go to.')
module app 'app.bicep' = {
  scope: group
  params: {
    location: region
    tags: tags
    planName: names.plan
    appName: names.app
    storageName: names.hostStorage
    topicName: names.topic
    identityId: record.outputs.identityId
    identityClientId: record.outputs.identityClientId
    identityPrincipalId: record.outputs.identityPrincipalId
    insightsConnectionString: watch.outputs.insightsConnectionString
    vaultUri: record.outputs.vaultUri
    recordTableEndpoint: record.outputs.tableEndpoint
    recordQueueEndpoint: record.outputs.queueEndpoint
    recordBlobEndpoint: record.outputs.blobEndpoint
    communicationEndpoint: communication.outputs.endpoint
    senders: string(senders)
    hosts: join(hosts, ',')
    acsApiVersion: acsApiVersion
    acsTimeoutSeconds: acsTimeoutSeconds
    messageShards: messageShards
    repeatWindowSeconds: repeatWindowSeconds
    sendAgainWhenUncertain: join(sendAgainWhenUncertain, ',')
    retryAfterSeconds: retryAfterSeconds
    allowedCountries: join(allowedCountries, ',')
    outOfReach: outOfReach
    dailyBudgets: string(dailyBudgets)
    floodLimits: string(floodLimits)
    prices: string(prices)
    quietHours: string(quietHours)
    keepMessagesDays: keepMessagesDays
    campaignRetentionDays: campaignRetentionDays
    consoleFrameAncestors: join(consoleFrameAncestors, ',')
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyDispatch: alwaysReadyDispatch
    alwaysReadyRecord: alwaysReadyRecord
  }
}

@description('The right to lay undeliverable events into the record.')
module deadLetters 'deadletters.bicep' = {
  scope: recordGroup
  params: {
    storageName: record.outputs.storageName
    containerName: record.outputs.deadLetterContainer
    systemTopicName: communication.outputs.systemTopicName
    systemTopicPrincipalId: communication.outputs.systemTopicPrincipalId
    topicName: app.outputs.topicName
    topicPrincipalId: app.outputs.topicPrincipalId
  }
}

@description('Who is told of what, and the workbook that shows it.')
module alerts 'alerts.bicep' = {
  scope: group
  params: {
    location: region
    tags: tags
    environmentName: environmentName
    actionGroupName: names.actionGroup
    email: alertEmail
    workspaceId: watch.outputs.workspaceId
    topicId: app.outputs.topicId
    systemTopicId: communication.outputs.systemTopicId
    recordStorageId: record.outputs.storageId
    deliveryRate: alertDeliveryRate
    optOutRate: alertOptOutRate
  }
}

// azd keeps these as variables of the environment; the hooks and docs/deploy.md use them.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = app.outputs.appName
output AZURE_KEY_VAULT_NAME string = record.outputs.vaultName
output PARLEY_URL string = app.outputs.url
output PARLEY_SENDER_COUNT int = length(senders)
output PARLEY_RECORD_RESOURCE_GROUP string = recordGroup.name
output PARLEY_COMMUNICATION_RESOURCE_GROUP string = communicationGroup
output PARLEY_COMMUNICATION_NAME string = communicationName
output PARLEY_SYSTEM_TOPIC_NAME string = communication.outputs.systemTopicName
output PARLEY_FUNCTION_APP_ID string = app.outputs.appId
output PARLEY_TOPIC_NAME string = app.outputs.topicName
output PARLEY_DEAD_LETTER_STORAGE_ID string = record.outputs.storageId
output PARLEY_DEAD_LETTER_CONTAINER string = record.outputs.deadLetterContainer
