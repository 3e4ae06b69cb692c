// Who is told of what. Dead letters and waiting queue messages are Azure's own metrics; the others
// stand on the app's, whose names are those of docs/deploy.md, read from the workspace.

@description('Azure region.')
param location string

@description('Tags for every resource.')
param tags object

@description('Name of the environment, for the alerts\' names.')
param environmentName string

@description('Name of the action group.')
param actionGroupName string

@description('Who is told by e-mail. Empty: nobody.')
param email string

@description('Resource id of the workspace.')
param workspaceId string

@description('Resource id of the system topic.')
param systemTopicId string

@description('Resource id of the outgoing topic.')
param topicId string

@description('Resource id of the record\'s storage account.')
param recordStorageId string

@description('Per cent of reports that must say Delivered.')
param deliveryRate int

@description('Opt-outs in per cent of recipients texted, at most.')
param optOutRate int

var emailReceivers = [
  { name: 'operator', emailAddress: email, useCommonAlertSchema: true }
]

var metricAlertsOn = [
  {
    name: 'dead-letters-in'
    description: 'An event from Communication Services could not be handed to Parley and lies in the container deadletters.'
    scope: systemTopicId
    namespace: 'Microsoft.EventGrid/systemTopics'
    metric: 'DeadLetteredCount'
    aggregation: 'Total'
    threshold: 0
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'dead-letters-out'
    description: 'An event of Parley could not be handed to the application and lies in the container deadletters.'
    scope: topicId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'DeadLetteredCount'
    aggregation: 'Total'
    threshold: 0
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'queue-age'
    description: 'Messages wait in the queues of the record. Azure counts them once an hour and a message lives there for seconds, so what is counted has waited long or failed for good.'
    scope: '${recordStorageId}/queueServices/default'
    namespace: 'Microsoft.Storage/storageAccounts/queueServices'
    metric: 'QueueMessageCount'
    aggregation: 'Average'
    threshold: 100
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
  }
]

var queryAlertsOn = [
  {
    name: 'failed-functions'
    description: 'Functions failed. A 4xx answer is the caller\'s failure and is not counted.'
    query: 'AppRequests | where Success == false and ResultCode !startswith "4" | summarize failures = sum(ItemCount)'
    column: 'failures'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 5
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'quarantine'
    description: 'An event could not be understood and lies in the container quarantine with its reason.'
    query: 'AppMetrics | where Name == "parley.quarantined" | summarize events = sum(Sum)'
    column: 'events'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'poison'
    description: 'Work that was left for later has failed too often and is kept with its reason until somebody puts it back: GET /poison.'
    query: 'AppMetrics | where Name == "parley.poisoned" | summarize messages = sum(Sum)'
    column: 'messages'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'due-given-up'
    description: 'Work that was due has ended its process each time that it was tried, and was given up: the log events due.given_up and send.given_up name it.'
    query: 'AppMetrics | where Name == "parley.due.givenup" | summarize works = sum(Sum)'
    column: 'works'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'due-late'
    description: 'Work began more than five minutes after it was due: texts that were scheduled leave late.'
    query: 'AppMetrics | where Name == "parley.due.lag" | summarize seconds = max(Max)'
    column: 'seconds'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 300
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'due-timer'
    description: 'The timer that brings what is due to its queue has not run for a quarter of an hour: nothing that was scheduled leaves.'
    query: 'AppRequests | where Name == "due_timer" and Success == true | summarize runs = sum(ItemCount)'
    column: 'runs'
    aggregation: 'Total'
    operator: 'LessThan'
    threshold: 1
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'budget'
    description: 'A program has reserved the share of its daily budget that is worth a warning.'
    query: 'AppMetrics | where Name == "parley.budget.warnings" | summarize warnings = sum(Sum)'
    column: 'warnings'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    severity: 3
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'ledger-halted'
    description: 'The opt-out ledger is not the one that was read before: it was put back to an earlier state, or made anew. Nobody is texted until somebody has looked and lifted the halt: GET /optouts:halt.'
    query: 'AppMetrics | where Name == "parley.ledger.halted" | summarize halts = sum(Sum)'
    column: 'halts'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    severity: 0
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'ledger-lag'
    description: 'What somebody said took more than ten minutes to reach the opt-out ledger. Until then that person could be texted.'
    query: 'AppMetrics | where Name == "parley.ledger.lag" and tostring(Properties.channel) !in ("import", "operator") | summarize seconds = max(Max)'
    column: 'seconds'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 600
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'delivery-rate'
    description: 'Fewer texts arrive than usual. Fewer than 50 reports an hour are too few to judge by.'
    query: 'AppMetrics | where Name == "parley.reports" | summarize delivered = sumif(Sum, tostring(Properties.outcome) =~ "delivered"), reports = sum(Sum) | where reports >= 50 | project rate = 100.0 * delivered / reports'
    column: 'rate'
    aggregation: 'Minimum'
    operator: 'LessThan'
    threshold: deliveryRate
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
  }
  {
    name: 'opt-out-rate'
    description: 'More people than usual answer a text by asking to be left alone. Fewer than 50 texts a day are too few to judge by.'
    query: 'AppMetrics | where Name in ("parley.optouts", "parley.sends") | summarize out = sumif(Sum, Name == "parley.optouts" and tostring(Properties.direction) == "out" and tostring(Properties.effect) == "applied" and tostring(Properties.channel) in ("keyword", "freeText")), sent = sumif(Sum, Name == "parley.sends" and tostring(Properties.state) == "sent") | where sent >= 50 | project rate = 100.0 * out / sent'
    column: 'rate'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: optOutRate
    severity: 3
    frequency: 'PT1H'
    window: 'P1D'
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'parley'
    emailReceivers: empty(email) ? [] : emailReceivers
  }
}

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for alert in metricAlertsOn: {
  name: 'parley-${environmentName}-${alert.name}'
  location: 'global'
  tags: tags
  properties: {
    description: alert.description
    enabled: true
    severity: alert.severity
    scopes: [
      alert.scope
    ]
    evaluationFrequency: alert.frequency
    windowSize: alert.window
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: alert.name
          metricNamespace: alert.namespace
          metricName: alert.metric
          timeAggregation: alert.aggregation
          operator: 'GreaterThan'
          threshold: alert.threshold
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroup.id
      }
    ]
  }
}]

resource queryAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in queryAlertsOn: {
  name: 'parley-${environmentName}-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Parley ${environmentName}: ${alert.name}'
    description: alert.description
    enabled: true
    severity: alert.severity
    scopes: [
      workspaceId
    ]
    evaluationFrequency: alert.frequency
    windowSize: alert.window
    // The tables are there once the app has said something for the first time.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: alert.query
          metricMeasureColumn: alert.column
          timeAggregation: alert.aggregation
          operator: alert.operator
          threshold: alert.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroup.id
      ]
    }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'parley-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Parley ${environmentName}'
    category: 'workbook'
    sourceId: workspaceId
    version: '1.0'
    serializedData: replace(loadTextContent('workbook.json'), '{workspace}', workspaceId)
  }
}
